"""image-create as a process: started, listed, stopped, killed, recovered."""

import os
import re
import signal
import subprocess

import host

RUN_SECONDS = 180  # a run that takes longer hangs


class Run:
    """One run; its stderr goes to a log."""

    def __init__(self, variant, log, fault=None):
        environment = dict(os.environ)
        if fault:
            environment["IMAGE_CREATE_FAULT"] = fault
        log.write(f"$ {'IMAGE_CREATE_FAULT=' + fault + ' ' if fault else ''}image-create "
                  f"{' '.join(variant.command())}\n")
        log.flush()
        self.process = subprocess.Popen(
            [os.environ["IMAGE_CREATE"], *variant.command()], stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, env=environment)
        self.hung = False

    def send(self, number):
        """Sends a signal, if it still runs."""
        self.process.send_signal(number)

    def wait_for_stop(self, seconds=30):
        """Until it has stopped itself; false where it ended without."""
        return host.wait_until(
            lambda: self.process.poll() is not None or host.process_state(self.process.pid) == "T",
            seconds, pause=0.01) and self.process.poll() is None

    def end(self):
        """Its exit status, negative for a signal. One that hangs is killed."""
        try:
            return self.process.wait(RUN_SECONDS)
        except subprocess.TimeoutExpired:
            self.hung = True
            self.send(signal.SIGCONT)
            self.process.kill()
            return self.process.wait()


def fault_points(variant, log):
    """What a run passes: `7+` -> `push abortBackup`, in order; and how it ended."""
    run = Run(variant, log, "list")
    status = run.end()
    log.flush()
    with open(log.name, encoding="utf-8", errors="replace") as file:
        points = dict(re.findall(r"^fault point (\d+[-+]) (.*)$", file.read(), re.M))
    return points, status


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
