"""The host: virsh, the lab's script, processes, folders, and waiting by looking again."""

import os
import signal
import subprocess
import time

FOLDERS = [f"/var/lib/image-create/{name}" for name in ("spool", "state", "journal")]
LAB_DIR = os.environ.get("LAB_DIR", ".lab")
GUEST_DIR = os.environ.get("LAB_GUEST_DIR", "/var/lib/image-create-lab")


class Failure(Exception):
    """The lab itself does not do what a case needs."""


def wait_until(condition, seconds, pause=0.05):
    """Looks until the condition holds; its value then, or the last one when time is over."""
    until = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < until:
        time.sleep(pause)
    return value


def virsh(*arguments, check=True, seconds=60):
    """virsh's output without the last newline; nothing if it fails and may."""
    command = ["virsh", "-q", "-c", "qemu:///system", *arguments]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds)
    except subprocess.TimeoutExpired:
        if check:
            raise Failure(f"{' '.join(command)}: no end after {seconds} s") from None
        return ""
    if done.returncode == 0:
        return done.stdout.strip("\n")
    if check:
        raise Failure(f"{' '.join(command)}: {done.stderr.strip()}")
    return ""


def run(*command):
    """Runs a program that must succeed."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)}: {done.stderr.strip()}")


def lab(*arguments, check=True, **variables):
    """Runs scripts/lab."""
    done = subprocess.run([os.environ["LAB"], *arguments], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, env={**os.environ, **variables})
    if check and done.returncode != 0:
        raise Failure(f"scripts/lab {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def text_of(path):
    """A small file's text; empty if it is gone."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def process_state(pid):
    """The letter of /proc/PID/stat; empty if there is no such process."""
    return text_of(f"/proc/{pid}/stat").rpartition(")")[2].strip()[:1]


def programs(name, *parts):
    """Pids of what runs under this name and has one of these among its arguments."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        arguments = text_of(f"/proc/{pid}/cmdline")
        # Empty for one that has ended and was not waited for.
        if arguments and os.path.basename(arguments.partition("\0")[0]) == name \
                and any(part in arguments for part in parts or [name]):
            found.append(int(pid))
    return found


def kill(*pids, number=signal.SIGKILL):
    """Sends a signal to those that are still there; whether there were any."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
    return bool(pids)


def usage_of(pid):
    """Open files and resident kilobytes."""
    resident = [line for line in text_of(f"/proc/{pid}/status").splitlines() if "VmRSS" in line]
    try:
        return len(os.listdir(f"/proc/{pid}/fd")), int(resident[0].split()[1])
    except (OSError, IndexError):
        raise Failure(f"there is no process {pid} any more") from None


def files_in(folders):
    """Every file and folder below these, sorted."""
    found = []
    for folder in folders:
        for root, names, files in os.walk(folder):
            found += [os.path.join(root, name) for name in names + files]
    return sorted(found)
