"""image-create as a process: started, listed, stopped, killed, recovered."""

import dataclasses
import os
import re
import signal
import subprocess

import host

RUN_SECONDS = 180  # a run that takes longer hangs


@dataclasses.dataclass
class Outcome:
    """How a run ended, and what was wrong with that."""

    status: int
    wrong: list = dataclasses.field(default_factory=list)
    images: frozenset = None  # how many new images there may be

    def __post_init__(self):
        if self.images is None:
            # One that is active and verified stays, even if its run was killed a moment later.
            self.images = frozenset({0: {1}, -signal.SIGKILL: {0, 1}}.get(self.status, {0}))


class Run:
    """One run; its stderr goes to a log. Unless it is guarded, it has no guardian, as if that were
    killed as well."""

    def __init__(self, variant, log, fault=None, guarded=False):
        environment = dict(os.environ)
        if fault:
            environment["IMAGE_CREATE_FAULT"] = fault
        if not guarded:
            environment["IMAGE_CREATE_GUARDIAN"] = "off"
        log.write(f"$ {'IMAGE_CREATE_FAULT=' + fault + ' ' if fault else ''}image-create "
                  f"{' '.join(variant.command())}\n")
        log.flush()
        self.process = subprocess.Popen(
            [os.environ["IMAGE_CREATE"], *variant.command()], stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, env=environment)

    def send(self, number):
        """Sends a signal, if it still runs."""
        self.process.send_signal(number)

    def wait_for_stop(self, seconds=30):
        """Until it has stopped itself; false where it ended without."""
        return host.wait_until(
            lambda: self.process.poll() is not None or host.process_state(self.process.pid) == "T",
            seconds, pause=0.01) and self.process.poll() is None

    def end(self, *expected, images=None):
        """Its outcome; a status that is not expected is wrong. One that hangs is killed."""
        try:
            status = self.process.wait(RUN_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return Outcome(self.process.wait(), [f"the run hung: no end after {RUN_SECONDS} s"])
        return Outcome(status, [] if status in expected else [f"exit status {status}"], images)


def fault_points(variant, log):
    """What a run passes: `7+` -> `push abortBackup`, in order; and its outcome."""
    outcome = Run(variant, log, "list").end(0)
    with open(log.name, encoding="utf-8", errors="replace") as file:
        points = dict(re.findall(r"^fault point (\d+[-+]) (.*)$", file.read(), re.M))
    if not points:
        outcome.wrong.append("no fault points: is the program a debug build?")
    return points, outcome


def recover(log, server=None):
    """Runs `image-create --recover` once; its exit status, or nothing where it hung."""
    command = [os.environ["IMAGE_CREATE"], "--recover", *([server] if server else [])]
    log.write("$ image-create --recover\n")
    log.flush()
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                              timeout=RUN_SECONDS).returncode
    except subprocess.TimeoutExpired:
        return None
