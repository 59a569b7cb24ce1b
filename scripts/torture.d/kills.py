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
        for point, step in points.items():
            if wanted(point, step):
                torture.case(row, f"{point} {step}", variant,
                             lambda log, at=point: _killed_at(variant, at, log))


def points_of(torture, row, variant):
    """The fault points of a run that is itself a case."""
    points = {}

    def listing(log):
        found, status = fault_points(variant, log)
        points.update(found)
        wrong = [] if found else ["no fault points: is the program a debug build?"]
        return status, wrong + ([f"exit status {status}"] if status else [])

    torture.case(row, "undisturbed", variant, listing)
    return points


def _killed_at(variant, point, log):
    run = Run(variant, log, f"kill@{point}")
    status = run.end()
    if run.hung:
        return status, ["the run hung"]
    return status, [] if status == -signal.SIGKILL else [f"not killed there: exit status {status}"]


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
        status = Run(variant, log).end()
        times.append(time.monotonic() - begin)
        return status, [f"exit status {status}"] if status else []

    torture.case(torture.row(group, variant.name), "undisturbed", variant, timed)
    return times[0] if times else 1.0


def _killed_after(variant, delay, log):
    run = Run(variant, log)
    time.sleep(delay)
    run.send(signal.SIGKILL)
    return run.end(), []  # it may have been done
