# image-create: `make demo` and `make test` do everything on a fresh machine.
SHELL := /bin/bash
PREFIX ?= /usr/local
SWIFT ?= swift
PROGRAM := .build/release/image-create

.PHONY: help build release test lint fmt demo lab-up lab-down bench torture fuzz sanitize install clean setup build-setup

help: ## Explain the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install with apt what building, testing and running need
	scripts/setup

build-setup:
	@scripts/setup --build-only

build: build-setup ## Build for debugging
	$(SWIFT) build

release: build-setup ## Build the program for use: .build/release/image-create
	$(SWIFT) build -c release --product image-create
	@ls -l $(PROGRAM)

test: setup ## Run all tests, with a lab of their own; UNIT=1 runs those that need no lab
	scripts/test $(if $(UNIT),unit,all)

lint: ## Check format, doc comments, unsafe code and file lengths
	scripts/lint

fmt: ## Format the sources
	swift format -i -r Package.swift Sources Tests

demo: ## Show the main job, end to end, on a guest and an image service of its own
	scripts/demo

lab-up: ## Start the lab: libvirt, guest fed18, Keystone, Glance
	scripts/lab up

lab-down: ## Stop the lab and leave nothing
	scripts/lab down

bench: ## Time it against the ways an operator has without it (lab-up first; scripts/bench --help)
	scripts/bench

torture: ## Kill it everywhere and see that nothing is left (lab-up first; scripts/torture --help)
	scripts/torture

fuzz: ## Feed its parsers with libFuzzer (scripts/fuzz --help)
	scripts/fuzz

sanitize: ## Run the unit tests with the thread and the address sanitizer
	scripts/sanitize

install: release ## Install the program to $(PREFIX)/bin
	install -D -m 0755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/image-create

clean: ## Remove what was built
	rm -rf .build
