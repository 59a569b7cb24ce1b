#!/usr/bin/env python3
"""The command line of scripts/torture, which explains it."""

import argparse
import os
import random
import secrets
import signal
import sys

import checks
import endurance
import guardian
import host
import kills
import services
import variants as ways
from case import Torture, say
from cloud import Cloud
from report import table

GROUPS = ("checks", "guardian", "matrix", "random", "services", "endurance")


def options():
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="torture", add_help=False)
    parser.add_argument("--groups", default=",".join(GROUPS))
    parser.add_argument("--variants", default=",".join(way.name for way in ways.ALL))
    parser.add_argument("--frozen", type=int, default=20)
    parser.add_argument("--random", type=int, default=200)
    parser.add_argument("--endurance", type=int, default=100)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31))
    parser.add_argument("--bounded", action="store_true")
    parser.add_argument("--output", default=f"{host.LAB_DIR}/torture.md")
    asked = parser.parse_args()
    known = {way.name: way for way in ways.ALL}
    names = asked.variants.split(",")
    if asked.bounded:
        names = [name for name in names if name in ways.BOUNDED]
    if unknown := [name for name in names if name not in known] \
            + [group for group in asked.groups.split(",") if group not in GROUPS]:
        parser.error(f"{unknown} not known; variants: {', '.join(known)}; groups: {', '.join(GROUPS)}")
    asked.variants = [known[name] for name in names]
    asked.groups = asked.groups.split(",")
    return asked


def run(asked, torture):
    """Does the groups that were asked for."""
    chance = random.Random(asked.seed)
    if asked.bounded:
        kills.matrix(torture, asked.variants,
                     lambda point, step: point.endswith("+") and step.startswith("push "))
        kills.at_random(torture, asked.variants, 3, chance)
        guardian.guardian(torture, asked.variants, 2, 2, chance)
        return
    if "checks" in asked.groups:
        checks.checks(torture)
    if "guardian" in asked.groups:
        guardian.guardian(torture, asked.variants, asked.frozen, asked.random, chance)
    if "matrix" in asked.groups:
        kills.matrix(torture, asked.variants)
    if "random" in asked.groups:
        kills.at_random(torture, asked.variants, asked.random, chance)
    if "services" in asked.groups:
        services.services(torture, asked.variants, chance)
    if "endurance" in asked.groups:
        endurance.endurance(torture, asked.endurance, chance)


def main():
    """Prints the table; the exit status says whether anything survived."""
    asked = options()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    torture = Torture(Cloud(), f"{host.LAB_DIR}/torture")
    say(f"seed {asked.seed}")
    guests = ways.guests_of(asked.variants)
    try:
        for guest in guests:
            guest.up()
        run(asked, torture)
    finally:
        for guest in reversed(guests):
            guest.remove()
        text = table(torture.rows, asked.seed)
        with open(asked.output, "w", encoding="utf-8") as file:
            file.write(text)
        print(text, end="", flush=True)
    return 1 if any(row.survivors for row in torture.rows) else 0


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
