#!/usr/bin/env python3
"""Makes a table of the results.

    report.py --table TABLE --results FILE --events FILE [--records FILE] [--sink-speed MB/s]

The results have a JSON object a line, as scripts/bench writes them; the events are what `virsh
event --timestamp` printed; the records are those that the guest of the table glance wrote on its disk.
"""

import argparse
import bisect
import datetime
import json
import re
import statistics
import sys

# The console tells of every tenth record, so the end of a run lies up to ten records later; and
# a stall that began in the run ends with a record after it.
BEHIND = 20

NAMES = {
    "live": "`image-create`, live (streamed)",
    "cold": "`image-create --cold`",
    "offline": "`image-create`, guest shut off",
    "by-hand": "`qemu-img convert -U` + `openstack image create`",
    "virtnbdbackup": "`virtnbdbackup` + `virtnbdrestore` + `openstack image create`",
    "limit": "limit: `curl -T` of the finished image",
    "verified": "the limit with SHA-512 of the same bytes beside it",
    "idle": "nothing, for as long as the live way",
    "sink": "`image-create` to an HTTP sink",
    "folder": "`image-create --to folder`",
    "file": "`image-create --output`",
    "nbdcopy": "`nbdcopy` of a pull backup to `null:`",
    "openssl": "`openssl dgst -sha512` of the image",
    "sha512sum": "`sha512sum` of the image",
}


class Records:
    """What a guest wrote: number and CLOCK_MONOTONIC in ns, in the order of the numbers."""

    def __init__(self, path):
        self.numbers, self.times = [], []
        with open(path, "rb") as file:
            while record := file.read(64):
                if len(record) != 64:
                    raise ValueError(f"{path}: the last record is cut")
                self.numbers.append(int(record[:20]))
                self.times.append(int(record[21:41]))

    def longest_gap(self, first, last):
        """In ms, between neighbours from FIRST to LAST, both of which must be there."""
        begin = bisect.bisect_left(self.numbers, first)
        end = begin + last - first
        if end >= len(self.numbers) or (self.numbers[begin], self.numbers[end]) != (first, last):
            raise ValueError(f"the records {first} to {last} are not on the guest's disk")
        gaps = [self.times[i + 1] - self.times[i] for i in range(begin, end)]
        if min(gaps) < 0:
            raise ValueError(f"the guest started anew between the records {first} and {last}")
        return max(gaps) / 1e6


class Events:
    """When each guest stopped and when it went on, by libvirt's events."""

    LINE = re.compile(r"(\S+ \S+): event 'lifecycle' for domain '(.*)': (\w+)")

    def __init__(self, path):
        self.lines = []
        with open(path, encoding="utf-8") as file:
            for line in file:
                if match := self.LINE.match(line):
                    at = datetime.datetime.fromisoformat(match[1].replace("+0000", "+00:00"))
                    self.lines.append((at.timestamp(), match[2], match[3]))

    def not_running(self, guest, start, end):
        """In ms, how long a guest that ran at START and END did not run in between."""
        total, since = 0.0, None
        for at, name, event in self.lines:
            if name != guest or not start <= at <= end:
                continue
            if event in ("Suspended", "Stopped", "Shutdown", "PMSuspended") and since is None:
                since = at
            elif event == "Resumed" and since is not None:
                total, since = total + at - since, None
        if since is not None:
            raise ValueError(f"{guest} stopped in a run and did not go on")
        return total * 1000


def amount(value, digits):
    return f"{value:.{digits}f}"


def spread(values, digits):
    """The median and, where they differ, the least and the most."""
    least, most = amount(min(values), digits), amount(max(values), digits)
    text = amount(statistics.median(values), digits)
    return text if least == most else f"{text} ({least}–{most})"


def size(count):
    """Bytes; zero is nothing but zero."""
    if count == 0:
        return "0"
    if count < 1e6:
        return f"{count / 1e3:.1f} kB"
    return f"{count / 1e6:.0f} MB" if count >= 1e7 else f"{count / 1e6:.2f} MB"


class Series:
    """The counted runs of one way on one guest."""

    def __init__(self, results):
        self.results = results
        self.seconds = self.median("seconds")

    def values(self, field):
        return [result[field] for result in self.results if result.get(field) is not None]

    def median(self, field):
        values = self.values(field)
        return statistics.median(values) if values else None

    def time(self):
        return spread(self.values("seconds"), 2)

    def memory(self):
        """With the process's name: by hand, several take part."""
        names = sorted({result["memory_of"] for result in self.results})
        return f"{size(self.median('memory_bytes'))} ({', '.join(names)})"

    def text(self, field, digits=0):
        values = self.values(field)
        return spread(values, digits) if values else "-"


def table(columns, rows):
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def glance(series):
    limit = series["limit"].seconds
    rows = []
    for way, one in series.items():
        idle = way == "idle"
        rows.append([
            NAMES[way], one.time(), "-" if idle else amount(one.seconds / limit, 2),
            "-" if idle else size(one.median("bytes")),
            "-" if idle else one.memory(), "-" if idle else size(one.median("disk_bytes")),
            one.text("stall_ms"), one.text("not_running_ms"), one.text("frozen_ms")])
    image = series["live"].median("bytes")
    print(f"\n## Into Glance: an image of {size(image)}\n")
    print(table(["way", "seconds", "to the limit", "image",
                 "peak memory of the largest process", "peak on disk", "longest guest stall, ms", "guest not running, ms",
                 "file systems frozen, ms"], rows))
    print("""
On disk: regular files in the way's folders, with the memory that libvirt saves; not Glance's store.
Stall: the longest time between two records that the guest writes, synced, all the time; by the
guest's clock, which stands still while the guest does not run, so that time is another column,
from libvirt's events. Frozen: from the call that freezes to the answer of the thaw.""")


def sink(series, speed):
    hashing = next(way for way in series if way in ("openssl", "sha512sum"))
    # Round by round, then the median, so that a slow moment of the machine counts for both.
    sums = [a + b for a, b in zip(series["nbdcopy"].values("seconds"), series[hashing].values("seconds"))]
    both, image = statistics.median(sums), series["file"].median("bytes")

    def row(name, seconds, text, memory, count):
        return [name, text, amount(count / 1e6 / seconds, 0), amount(seconds / both, 2), memory]

    rows = [row(NAMES[way], one.seconds, one.time(), one.memory(), one.median("bytes") or image)
            for way, one in series.items()]
    rows.append(row("limit: `nbdcopy`, then SHA-512", both, spread(sums, 2), "-", image))
    print(f"\n## Where the sink is not the limit: an image of {size(image)}\n")
    print(table(["way", "seconds", "MB/s of the image", "to the limit",
                 "peak memory of the largest process"], rows))
    print(f"\nThe sink takes {speed} MB/s from `curl -T`. The limit is read and hashed one after the other, "
          "which\nimage-create does at once.")


def sparse(series):
    guests = list(dict.fromkeys(guest for _, guest in series))
    rows = []
    for way, title in (("sink", NAMES["sink"]), ("live", "`image-create` to Glance")):
        small, large = (series[way, guest] for guest in guests)
        rows.append([title, small.time(), large.time(), f"{large.seconds - small.seconds:+.2f}",
                     size(small.median("memory_bytes")), size(large.median("memory_bytes")),
                     size(small.median("bytes")), size(large.median("bytes"))])
    print("\n## 1 GiB of data on a disk of 2 GiB and of 1 TiB\n")
    print(table(["way", "2 GiB, seconds", "1 TiB, seconds", "difference", "2 GiB, peak memory",
                 "1 TiB, peak memory", "2 GiB, image", "1 TiB, image"], rows))


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--table", required=True, choices=("glance", "sink", "sparse"))
    parser.add_argument("--results", required=True)
    parser.add_argument("--events", required=True)
    parser.add_argument("--records")
    parser.add_argument("--sink-speed")
    options = parser.parse_args()
    events = Events(options.events)
    records = Records(options.records) if options.records else None
    series = {}
    with open(options.results, encoding="utf-8") as file:
        for result in map(json.loads, file):
            if result["table"] != options.table or result["round"] == 0:
                continue
            if result["state"] == "running" and records:
                result["stall_ms"] = records.longest_gap(result["first"], result["last"] + BEHIND)
                result["not_running_ms"] = events.not_running(result["guest"], result["start"], result["end"])
            key = (result["way"], result["guest"]) if options.table == "sparse" else result["way"]
            series.setdefault(key, []).append(result)
    if not series:
        raise ValueError("there are no counted results")
    series = {key: Series(results) for key, results in series.items()}
    if options.table == "sink":
        sink(series, options.sink_speed)
    else:
        {"glance": glance, "sparse": sparse}[options.table](series)


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"report.py: {error!r}")
