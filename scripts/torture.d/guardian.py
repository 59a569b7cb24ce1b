"""Group `guardian`: SIGKILL of a run that has a guardian. Nobody runs `--recover` but where that is
killed as well."""

import os
import signal
import statistics
import time

import host
from kills import usual_time
from program import Run, fault_points
from variants import ALL, GUEST

THAW_SECONDS = 5
UNDO_SECONDS = 30
# It freezes the guest.
FROZEN = ALL[0]


def guardian(torture, variants, frozen, at_random, random):
    """Kills while the guest is frozen, at random instants, and together with the guardian."""
    point = _frozen_point(torture)
    row = torture.row("guardian", "frozen")
    times = []
    for number in range(frozen):
        torture.case(row, f"{number}", FROZEN, lambda log: _killed_frozen(log, point, times),
                     recovers=False)
    _note(row, "thawed after", times)
    both = torture.row("guardian", "both killed")
    for number in range(max(1, frozen // 4)):
        torture.case(both, f"{number}", FROZEN, lambda log: _both_killed(log, point))
    times = []  # of those that had anything to be undone
    usual = {variant.name: usual_time(torture, "guardian", variant) for variant in variants}
    for number in range(at_random):
        variant = variants[number % len(variants)]
        delay = random.uniform(0, usual[variant.name])
        torture.case(torture.row("guardian", variant.name), f"{number} after {delay:.3f} s", variant,
                     lambda log: _killed_after(variant, delay, log, times), recovers=False)
    _note(torture.row("guardian", "random"), "everything undone after", times)


def guardians():
    """Pids of guardians, those that wait and those that undo."""
    program = os.path.basename(os.environ["IMAGE_CREATE"])
    return host.programs("sh", "image-create-guardian") + host.programs(program, "--guardian")


def _frozen_point(torture):
    """The fault point at which the guest is frozen, from a run that is itself a case."""
    points = {}

    def listing(log):
        found, outcome = fault_points(FROZEN, log)
        points.update({step: point for point, step in found.items() if point.endswith("+")})
        return outcome

    torture.case(torture.row("guardian", "frozen"), "undisturbed", FROZEN, listing)
    return points["frozen"]


def _killed_frozen(log, point, times):
    run = Run(FROZEN, log, f"stop@{point}", guarded=True)
    stands = run.wait_for_stop() and GUEST.freeze_status() == "frozen"
    begin = time.monotonic()
    run.send(signal.SIGKILL)
    thawed = host.wait_until(lambda: GUEST.freeze_status() == "thawed", UNDO_SECONDS)
    seconds = time.monotonic() - begin
    times.append(seconds)
    outcome = _undone(run, begin, [])
    if not stands:
        outcome.wrong.append(f"the run did not stop at {point} with the guest frozen")
    if not thawed or seconds > THAW_SECONDS:
        outcome.wrong.append(f"thawed after {seconds:.1f} s")
    return outcome


def _both_killed(log, point):
    """The guardian first, or it might be done before it dies."""
    run = Run(FROZEN, log, f"stop@{point}", guarded=True)
    stands = run.wait_for_stop()
    killed = host.kill(*guardians())
    run.send(signal.SIGKILL)
    outcome = run.end(-signal.SIGKILL)
    if not stands or not killed:
        outcome.wrong.append(f"the run did not stop at {point} with a guardian")
    if GUEST.freeze_status() != "frozen":
        outcome.wrong.append("the guest was thawed without a guardian")
    return outcome


def _killed_after(variant, delay, log, times):
    run = Run(variant, log, guarded=True)
    time.sleep(delay)
    begin = time.monotonic()
    run.send(signal.SIGKILL)
    return _undone(run, begin, times)


def _undone(run, begin, times):
    """Waits for the guardian's work. A run that had ended by then is fine, too."""
    outcome = run.end(-signal.SIGKILL, 0)
    journals = host.FOLDERS[2:]
    had_begun = bool(host.files_in(journals))
    if not host.wait_until(lambda: not guardians() and not host.files_in(journals), UNDO_SECONDS):
        outcome.wrong.append(f"not undone within {UNDO_SECONDS} s")
    if had_begun:
        times.append(time.monotonic() - begin)
    return outcome


def _note(row, what, times):
    if times:
        row.notes.append(f"{what} {statistics.median(times):.2f} s (median), "
                         f"{max(times):.2f} s (most), {len(times)} kills")
