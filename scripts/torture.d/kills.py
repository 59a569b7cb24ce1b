"""Groups `matrix` and `random`: SIGKILL of image-create itself."""

import signal
import time

from program import Run, fault_points


def matrix(torture, variants, wanted=lambda point, step: True):
    """Kills at every point of every variant that is wanted."""
    for variant in variants:
        row = torture.row("matrix", variant.name)
        points = points_of(torture, row, variant)
        row.notes.append(f"{len(points)} points in a run")
        images = frozenset({0})
        for point, step in points.items():
            if point.endswith("+") and step == "forget deleteImage":
                images = frozenset({1})  # it is active and verified from here on, and stays
            if wanted(point, step):
                torture.case(
                    row, f"{point} {step}", variant,
                    lambda log: Run(variant, log, f"kill@{point}").end(-signal.SIGKILL, images=images))


def points_of(torture, row, variant):
    """The fault points of a run that is itself a case."""
    points = {}

    def listing(log):
        found, outcome = fault_points(variant, log)
        points.update(found)
        return outcome

    torture.case(row, "undisturbed", variant, listing)
    return points


def at_random(torture, variants, count, random):
    """Kills at random instants of a run's usual time, the variants in turn."""
    usual = {variant.name: usual_time(torture, "random", variant) for variant in variants}
    for number in range(count):
        variant = variants[number % len(variants)]
        delay = random.uniform(0, usual[variant.name])
        torture.case(torture.row("random", variant.name), f"{number} after {delay:.3f} s", variant,
                     lambda log: _killed_after(variant, delay, log))


def usual_time(torture, group, variant):
    """How long an undisturbed run takes, which is itself a case."""
    times = []

    def timed(log):
        begin = time.monotonic()
        outcome = Run(variant, log).end(0)
        times.append(time.monotonic() - begin)
        return outcome

    torture.case(torture.row(group, variant.name), "undisturbed", variant, timed)
    return times[0] if times else 1.0


def _killed_after(variant, delay, log):
    run = Run(variant, log)
    time.sleep(delay)
    run.send(signal.SIGKILL)
    return run.end(-signal.SIGKILL, 0)  # it may have been done
