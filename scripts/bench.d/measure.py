#!/usr/bin/env python3
"""Runs one command and prints one JSON object: what it took.

    measure.py [--watch PATH]... [--frozen] [--limit SECONDS] [--log FILE] -- COMMAND...

seconds       wall clock, from the start to the exit
start, end    the same as times of day
memory_bytes  the largest VmHWM of any process of the command's tree, and its name: memory_of
disk_bytes    the most that regular files held under the watched paths (patterns) at one moment
frozen_ms     with --frozen: from the call that freezes a guest to the answer of its thaw, as
              libvirt's client library logs the calls

Fails, and shows the end of the output, if the command fails, runs into the limit, or leaves a
process behind.
"""

import argparse
import ctypes
import datetime
import glob
import json
import os
import re
import select
import signal
import stat
import subprocess
import sys
import tempfile
import time

# VmHWM is a peak that the kernel keeps, so only what comes after the last look is missed.
MEMORY_SECONDS = 0.02
SLOW_LOOKS = 4  # processes and files are looked for at every fourth look: every 80 ms
PR_SET_CHILD_SUBREAPER = 36


class Interrupted(Exception):
    """A signal asks to stop."""


def children():
    """Parent -> pids, of all processes."""
    tree = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if fields[0] != b"Z":
                tree.setdefault(int(fields[1]), []).append(int(name))
    return tree


def descendants(pid):
    """All processes below this one. Daemons count: we are their reaper."""
    tree, found, todo = children(), [], [pid]
    while todo:
        below = tree.get(todo.pop(), [])
        found += below
        todo += below
    return found


def peak_memory(pid):
    """VmHWM in bytes and the process's name; nothing if it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return 0, ""
    peak = re.search(r"^VmHWM:\s+(\d+) kB", text, re.M)
    name = re.search(r"^Name:\s+(.*)", text)
    return (int(peak[1]) * 1024 if peak else 0), (name[1] if name else "")


def bytes_on_disk(patterns):
    """What regular files take. Folders themselves do not count: they are there before and after."""
    total, todo = 0, [path for pattern in patterns for path in glob.glob(pattern)]
    while todo:
        path = todo.pop()
        try:
            info = os.lstat(path)
            if stat.S_ISDIR(info.st_mode):
                todo += [entry.path for entry in os.scandir(path)]
            elif stat.S_ISREG(info.st_mode):
                total += info.st_blocks * 512
        except FileNotFoundError:
            continue
    return total


class Run:
    """The command, and the peaks seen so far."""

    def __init__(self, options, libvirt_log):
        self.options, self.memory, self.name, self.disk = options, 0, "", 0
        environment = dict(os.environ)
        if libvirt_log:
            environment["LIBVIRT_LOG_OUTPUTS"] = f"1:file:{libvirt_log}"
            environment["LIBVIRT_LOG_FILTERS"] = "1:libvirt.domain"
        self.log = open(options.log, "ab")
        self.start, begin = time.time(), time.perf_counter()
        # A session of its own: an interrupt at the terminal comes to us, and we pass it on.
        self.process = subprocess.Popen(
            options.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env=environment, start_new_session=True)
        self.watch(begin + options.limit)
        self.seconds, self.end = time.perf_counter() - begin, time.time()

    def watch(self, until):
        """Looks until the command ends."""
        ended = select.poll()
        ended.register(os.pidfd_open(self.process.pid), select.POLLIN)
        look, pids = 0, [self.process.pid]
        while not ended.poll(MEMORY_SECONDS * 1000):
            if time.perf_counter() > until:
                raise TimeoutError(f"still runs after {self.options.limit} s")
            if look % SLOW_LOOKS == 0:
                pids = descendants(os.getpid())
                self.disk = max(self.disk, bytes_on_disk(self.options.watch))
            for pid in pids:
                peak, name = peak_memory(pid)
                if peak > self.memory:
                    self.memory, self.name = peak, name
            look += 1
        self.process.wait()


def end_descendants(seconds):
    """Waits for what still runs below us, then kills it; the pids that had to be killed."""
    until = time.monotonic() + seconds
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return []
        left = descendants(os.getpid())
        if time.monotonic() > until:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            return left
        time.sleep(0.05)


def frozen_milliseconds(path):
    """From the call of virDomainFSFreeze to the first call after that of virDomainFSThaw."""
    begin = thaw = None
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            call = re.match(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})\+0000: \d+: debug : (\w+):", line)
            if not call:
                continue
            at = datetime.datetime.fromisoformat(call[1])
            if thaw is not None:
                return (at - begin).total_seconds() * 1000
            if call[2] == "virDomainFSFreeze" and begin is None:
                begin = at
            elif call[2] == "virDomainFSThaw" and begin is not None:
                thaw = at
    raise ValueError("libvirt's log shows no freeze and thaw: was the guest quiesced?")


def fail(options, reason):
    print(f"bench: {' '.join(options.command)}: {reason}; the end of its output:", file=sys.stderr)
    with open(options.log, "rb") as file:
        file.seek(max(0, os.path.getsize(options.log) - 2000))
        sys.stderr.write(file.read().decode(errors="replace"))
    return 1


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--watch", action="append", default=[])
    parser.add_argument("--frozen", action="store_true")
    parser.add_argument("--limit", type=float, default=3600)
    parser.add_argument("--log", default="/dev/null")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()

    def interrupt(number, _):
        raise Interrupted(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    with tempfile.TemporaryDirectory() as folder:
        libvirt_log = os.path.join(folder, "libvirt.log") if options.frozen else None
        try:
            run = Run(options, libvirt_log)
        except (Interrupted, TimeoutError) as reason:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            for pid in descendants(os.getpid()):
                os.kill(pid, signal.SIGTERM)
            end_descendants(60)
            return fail(options, str(reason)) if isinstance(reason, TimeoutError) else 130
        if run.process.returncode != 0:
            end_descendants(0)
            return fail(options, f"exit status {run.process.returncode}")
        if left := end_descendants(5):
            return fail(options, f"left {len(left)} processes running, now killed")
        result = {"seconds": run.seconds, "start": run.start, "end": run.end,
                  "memory_bytes": run.memory, "memory_of": run.name, "disk_bytes": run.disk}
        if libvirt_log:
            try:
                result["frozen_ms"] = frozen_milliseconds(libvirt_log)
            except (OSError, ValueError) as error:
                return fail(options, str(error))
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
