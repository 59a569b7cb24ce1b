"""One case: something bad happens to a run, recovery, comparison, and repair where that failed."""

import dataclasses
import os
import sys
import time

import host
from program import recover
from surroundings import Surroundings


@dataclasses.dataclass
class Survivor:
    """A case after which something was not as before."""

    case: str
    deviations: list
    log: str


@dataclasses.dataclass
class Row:
    """A line of the table."""

    group: str
    name: str
    cases: int = 0
    survivors: list = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    notes: list = dataclasses.field(default_factory=list)


class Torture:
    """Does cases and counts them."""

    def __init__(self, cloud, folder):
        self.cloud, self.folder, self.rows = cloud, folder, []
        os.makedirs(folder, exist_ok=True)

    def row(self, group, name):
        """That line of the table."""
        for row in self.rows:
            if (row.group, row.name) == (group, name):
                return row
        self.rows.append(Row(group, name))
        return self.rows[-1]

    def case(self, row, name, variant, act, recovers=True):
        """Does one. `act(log)` gives the run's outcome; then `--recover` is run if it recovers."""
        begin = time.monotonic()
        path = f"{self.folder}/{row.group}-{row.name}-{name}.log".replace(" ", "-")
        with open(path, "w", encoding="utf-8") as log:
            try:
                found = self._deviations(variant, act, log, recovers)
            except host.Failure as failure:
                found = [f"the lab: {failure}"]
            log.writelines(f"deviation: {line}\n" for line in found)
        row.cases += 1
        if found:
            row.survivors.append(Survivor(f"{row.group} {row.name} {name}", found, path))
            say("\n  ".join([f"SURVIVOR {row.group} {row.name} {name}", *found, f"log: {path}"]))
            self.repair(variant)
        else:
            os.remove(path)
        seconds = time.monotonic() - begin
        row.seconds += seconds
        say(f"{row.group} {row.name} {name}: {seconds:.1f} s")

    def _deviations(self, variant, act, log, recovers):
        before = self._look(variant)
        outcome = act(log)
        log.write(f"exit status {outcome.status}\n")
        recovered = recover(log) if recovers else 0
        if recovered != 0:
            outcome.wrong.append("--recover hung" if recovered is None
                                 else f"--recover: exit status {recovered}")
        return outcome.wrong + before.deviations(outcome.images)

    def _look(self, variant):
        """How it is before a case; repaired where a case can't begin."""
        variant.guest.resume()
        looks = []

        def is_clean():
            looks.append(Surroundings(variant, self.cloud))
            return looks[-1].is_clean()

        if not host.wait_until(is_clean, 10, pause=0.2):
            facts = {key: value for key, value in looks[-1].facts.items() if "XML" not in key}
            say(f"{variant.guest.name} is not fit for a case and is built anew: {facts}")
            self.repair(variant)
            is_clean()
        return looks[-1]

    def repair(self, variant):
        """Everything away that a survivor left, and a new guest."""
        for name in ("qemu-img", "qemu-nbd"):
            host.kill(*variant.programs(name))
        variant.guest.remove()
        for path in reversed(host.files_in(host.FOLDERS)):
            (os.rmdir if os.path.isdir(path) and not os.path.islink(path) else os.remove)(path)
        for image, status in self.cloud.images().items():
            if status != "active":
                self.cloud.delete(image)
        variant.guest.up()


def say(text):
    """Progress, for whoever watches."""
    print(f"torture: {text}", file=sys.stderr, flush=True)
