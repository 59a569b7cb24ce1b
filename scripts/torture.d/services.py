"""Group `services`: what image-create talks to dies in the middle of a run, and comes back."""

import signal
import time

import cloud
import host
from kills import points_of, usual_time
from program import Run

BACK_SECONDS = 1  # how long a service is away
MAY_END = (0, 1)  # a run may fail, but says so, and does not hang


def services(torture, variants, random):
    """Kills each of them at each phase that a variant has."""
    for variant in variants:
        row = torture.row("services", variant.name)
        points = points_of(torture, row, variant)
        usual = usual_time(torture, "services", variant)
        phases = {"record": after(points, "push deleteImage"), "fixed": fixed(points), "upload": None}
        for phase, point in phases.items():
            for service, (end, back) in SERVICES.items():
                delay = random.uniform(0.4, 0.9) * usual
                torture.case(
                    row, f"{service} at {phase}", variant,
                    lambda log: _stopped(variant, log, point, delay, end, back))
        for name in ("qemu-img", "qemu-nbd"):
            if _uses(variant, name):
                delay = random.uniform(0, 0.2)
                torture.case(row, name, variant, lambda log: _without(variant, log, name, delay))
        if variant.guest.state == "running":
            _agent(torture, row, variant, random.uniform(0, usual))


def after(points, step):
    """The first point behind a step: what the step announces has been done there."""
    names = list(points)
    behind = [names[place + 1] for place, name in enumerate(names[:-1])
              if points[name] == step and name.endswith("+")]
    return behind[0] if behind else None


def fixed(points):
    """Where the point in time has just been fixed."""
    for step in ("push thaw", "push start", "push abortMirror", "push abortBackup"):
        if point := after(points, step):
            return point
    pushes = [name for name, step in points.items() if step.startswith("push ")]
    return pushes[-1] if pushes else None


def _libvirtd_dies():
    host.kill(*host.programs("libvirtd"))


def _libvirtd_is_back():
    host.lab("libvirt", "start")


SERVICES = {
    "libvirtd": (_libvirtd_dies, _libvirtd_is_back),
    "glance": (lambda: cloud.kill_service("glance"), lambda: cloud.start_service("glance")),
    "keystone": (lambda: cloud.kill_service("keystone"), lambda: cloud.start_service("keystone")),
}


def _stopped(variant, log, point, delay, end, back):
    """Kills a service while a run stands still at a point, or after a time, and lets it go on."""
    run = Run(variant, log, f"stop@{point}" if point else None)
    if point:
        stands = run.wait_for_stop()
    else:
        time.sleep(delay)
        run.send(signal.SIGSTOP)
        stands = True
    end()
    run.send(signal.SIGCONT)
    try:
        time.sleep(BACK_SECONDS)
    finally:
        back()
    outcome = run.end(*MAY_END)
    if not stands:
        outcome.wrong.append(f"the run did not stop at {point}")
    return outcome


def _uses(variant, name):
    """Whether a program that can be killed takes part."""
    if name == "qemu-img":
        return variant.name.endswith("-spool")
    return variant.name in ("offline-stream", "managedSave-stream", "managedSave-clone",
                            "copy-stream", "rebase-stream")


def _without(variant, log, name, delay):
    """Kills a program of the run soon after it began."""
    run = Run(variant, log)
    host.wait_until(lambda: variant.programs(name) or run.process.poll() is not None, 60, pause=0.005)
    time.sleep(delay)
    log.write(f"killed {name}: {host.kill(*variant.programs(name))}\n")
    return run.end(*MAY_END)


def _agent(torture, row, variant, delay):
    """The guest's agent dies: at some time, and while the file systems are frozen."""

    def dies(log):
        run = Run(variant, log)
        time.sleep(delay)
        variant.guest.kill_agent()
        return _with_agent(variant.guest, run.end(*MAY_END), log)

    def dies_frozen(log):
        host.lab("guest", "agent", variant.guest.name, "kill", "20")
        outcome = Run(variant, log).end(*MAY_END)
        host.wait_until(variant.guest.freeze_status, 10)
        return outcome

    torture.case(row, f"agent after {delay:.3f} s", variant, dies)
    # A saved guest is not frozen, and what waits for a freeze would wait for the next one.
    if not variant.restarts:
        torture.case(row, "agent while frozen", variant, dies_frozen)


def _with_agent(guest, outcome, log):
    """Sees to it that libvirt has the agent again, as nothing can be thawed or asked without.

    libvirt 9 loses an agent that comes back while a backup job runs, whoever runs it, and finds it
    again when the daemon is restarted.
    """
    if not host.wait_until(guest.freeze_status, 10):
        log.write("libvirt has lost the agent: restarting libvirtd\n")
        _libvirtd_dies()
        _libvirtd_is_back()
        host.wait_until(guest.freeze_status, 20)
    return outcome
