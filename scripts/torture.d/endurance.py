"""Group `endurance`: many runs of one server in a row with random faults; nothing grows."""

import os
import signal
import time

import cloud
import host
from kills import usual_time
from program import Outcome, Run
from variants import ALL, GUEST

LIVE = [way for way in ALL if way.guest is GUEST and not way.restarts]
WARM_UP = 8  # runs before the first look: caches of libvirtd and QEMU fill

# How much more there may be at the end than after the warm-up.
BOUNDS = {"libvirtd": (5, 24 * 1024), "QEMU": (4, 48 * 1024)}  # open files, kilobytes


def endurance(torture, count, random):
    """Runs, each a case with all its checks, and looks at what they leave in memory."""
    usual = {way.name: usual_time(torture, "endurance", way) for way in LIVE}
    before = None
    for number in range(count):
        if number == min(WARM_UP, count // 2):
            before = _usage()
        way = LIVE[number % len(LIVE)]
        fault = random.choice(list(FAULTS))
        delay = random.uniform(0, usual[way.name])
        torture.case(torture.row("endurance", fault), f"{number} {way.name} after {delay:.3f} s", way,
                     lambda log: FAULTS[fault](Run(way, log), delay))
    row = torture.row("endurance", "flat")
    torture.case(row, f"after {count} runs", LIVE[0], lambda log: Outcome(1, _growth(row, before)))
    torture.case(row, "records", LIVE[0], _records)


def _none(run, _):
    return run.end(0)


def _interrupt(run, delay):
    # Before it has set up its handlers it dies of the signal like any program.
    time.sleep(delay)
    run.send(signal.SIGINT)
    return run.end(0, 130, -signal.SIGINT)


def _kill(run, delay):
    time.sleep(delay)
    run.send(signal.SIGKILL)
    return run.end(-signal.SIGKILL, 0)


def _no_glance(run, delay):
    time.sleep(delay)
    cloud.kill_service("glance")
    try:
        time.sleep(2)
    finally:
        cloud.start_service("glance")
    return run.end(0, 1)


FAULTS = {"none": _none, "SIGINT": _interrupt, "SIGKILL": _kill, "Glance killed": _no_glance}


def _usage():
    pids = {"libvirtd": int(host.text_of("/run/libvirtd.pid")), "QEMU": GUEST.process()}
    return {name: (pid, *host.usage_of(pid)) for name, pid in pids.items()}


def _growth(row, before):
    """What grew beyond its bound; a process that was started anew can't be compared."""
    found, after = [], _usage()
    for name, (pid, files, memory) in after.items():
        if not before or before[name][0] != pid:
            found.append(f"{name} is another process than before")
            continue
        row.notes.append(f"{name}: open files {before[name][1]} -> {files}, "
                         f"resident {before[name][2]} -> {memory} kB")
        more_files, more_memory = BOUNDS[name]
        if files - before[name][1] > more_files or memory - before[name][2] > more_memory:
            found.append(f"{row.notes[-1]}: grew by more than {more_files} files, {more_memory} kB")
    return found


def _records(log):
    """The guest's records are unbroken: an image of it boots and says so."""
    path = f"{host.GUEST_DIR}/torture-records.qcow2"
    try:
        host.run(os.environ["IMAGE_CREATE"], "--output", path, GUEST.name, "image-create-torture")
        log.write(host.lab("boot", path, "qcow2") + "\n")
    finally:
        if os.path.exists(path):
            os.remove(path)
    return Outcome(1)
