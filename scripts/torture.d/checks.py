"""Group `checks`: the comparison itself. Breaks one thing by hand each and expects it to be seen."""

import os
import subprocess
import tempfile

import host
from program import Outcome
from surroundings import Surroundings
from variants import ALL

VARIANT = ALL[0]
GUEST = VARIANT.guest
SPOOLED = f"{host.FOLDERS[0]}/torture-left"
# QEMU's user can write here.
SCRATCH = "/var/tmp/image-create-torture-scratch"
SOCKET = "/var/tmp/image-create-torture-socket"
BACKUP = f"""<domainbackup mode='pull'><server transport='unix' socket='{SOCKET}'/><disks>
<disk name='vda' type='file'><scratch file='{SCRATCH}'/></disk></disks></domainbackup>"""


def _virsh(verb, *arguments):
    return lambda *_: host.virsh(verb, GUEST.name, *arguments)


def _undefine():
    xml = host.virsh("dumpxml", GUEST.name, "--inactive", "--security-info")
    host.virsh("undefine", GUEST.name)
    return xml


def _define(xml):
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write(xml + "\n")
        file.flush()
        host.virsh("define", file.name)
    host.virsh("autostart", GUEST.name)


def _begin_backup():
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write(BACKUP)
        file.flush()
        host.virsh("backup-begin", GUEST.name, file.name)


def _start_program():
    with open(SPOOLED, "wb") as file:
        file.truncate(1 << 20)
    return subprocess.Popen(["qemu-nbd", "--format=raw", f"--socket={SOCKET}", SPOOLED])


def _end_program(process):
    process.kill()
    process.wait()
    os.remove(SPOOLED)


def _breaks(cloud):
    """What is broken: the fact that must show it, what breaks it, what mends it."""
    return [
        ("frozen", "file systems", _virsh("domfsfreeze"), _virsh("domfsthaw")),
        ("silent", "the guest writes nothing", _virsh("domfsfreeze"), _virsh("domfsthaw")),
        ("paused", "State", _virsh("suspend"), _virsh("resume")),
        ("no autostart", "Autostart", _virsh("autostart", "--disable"), _virsh("autostart")),
        ("undefined", "Persistent", _undefine, _define),
        ("other definition", "inactive XML", _virsh("desc", "--config", "other"),
         _virsh("desc", "--config", "image-create lab")),
        ("other live XML", "live XML", _virsh("desc", "--live", "other"),
         _virsh("desc", "--live", "image-create lab")),
        ("backup", "job", _begin_backup, _virsh("domjobabort")),
        ("mirror", "mirrors",
         _virsh("blockcopy", "vda", SCRATCH, "--format", "qcow2", "--transient-job"),
         _virsh("blockjob", "vda", "--abort")),
        ("mirror's job", "block job",
         _virsh("blockcopy", "vda", SCRATCH, "--format", "qcow2", "--transient-job"),
         _virsh("blockjob", "vda", "--abort")),
        ("file", "files", lambda: os.mkdir(SPOOLED), lambda _: os.rmdir(SPOOLED)),
        ("program", "programs", _start_program, _end_program),
        ("queued image", "new images", lambda: cloud.create("image-create-torture"), lambda _: None),
    ]


def checks(torture):
    """A break that is not seen, or is seen still when it is mended, is a survivor."""
    row = torture.row("checks", "each by hand")
    for name, fact, damage, mend in _breaks(torture.cloud):
        torture.case(row, name, VARIANT,
                     lambda log: Outcome(1, _unseen(torture.cloud, log, fact, damage, mend)))


def _unseen(cloud, log, fact, damage, mend):
    before = Surroundings(VARIANT, cloud)
    kept = damage()
    try:
        seen = before.deviations(images={0})
    finally:
        mend(kept)
        for path in (SCRATCH, SOCKET):
            host.wait_until(lambda: not host.virsh("blockjob", GUEST.name, "vda", "--raw", check=False), 10)
            if os.path.exists(path):
                os.remove(path)
    log.writelines(f"seen: {line}\n" for line in seen)
    return [] if any(line.startswith(fact) for line in seen) else [f"{fact}: not seen"]
