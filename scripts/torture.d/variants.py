"""The ways of a snapshot that are tortured."""

import dataclasses

import host
from guest import ClonedGuest, Guest

GUEST = Guest("torture")
OFF = Guest("torture-off", state="shut off")
CLONED = ClonedGuest("torture-xfs", model=GUEST)


@dataclasses.dataclass(frozen=True)
class Variant:
    """One way: its name in the table, the guest it takes, and image-create's arguments."""

    name: str
    guest: Guest
    arguments: tuple
    restarts: bool = False  # libvirt gives a server that was saved a new id

    def command(self):
        """The arguments with the server and an image's name."""
        spool = ["--spool-dir", f"{self.guest.mounted}/spool"] if self.guest is CLONED else []
        return [*self.arguments, *spool, self.guest.name, "image-create-torture"]

    @property
    def folders(self):
        """Folders that must be empty after it."""
        return host.FOLDERS + ([f"{self.guest.mounted}/spool"] if self.guest is CLONED else [])

    def programs(self, name):
        """Pids of a program that a run has started: its arguments are files of the run."""
        return host.programs(name, *self.folders, f"{host.GUEST_DIR}/{self.guest.name}.")


def _way(name, *arguments, guest=GUEST, restarts=False):
    return Variant(name, guest, arguments, restarts)


ALL = [
    _way("backup-stream", "--mechanism", "backup", "--stream"),
    _way("backup-spool", "--mechanism", "backup", "--spool"),
    _way("copy-stream", "--mechanism", "copy", "--stream"),
    _way("rebase-stream", "--mechanism", "rebase", "--stream"),
    _way("rebase-spool", "--mechanism", "rebase", "--spool"),
    _way("managedSave-spool", "--cold", "--spool", restarts=True),
    _way("managedSave-stream", "--cold", "--stream", restarts=True),
    _way("managedSave-clone", "--cold", guest=CLONED, restarts=True),
    _way("offline-stream", "--mechanism", "offline", "--stream", guest=OFF),
    _way("offline-spool", "--mechanism", "offline", "--spool", guest=OFF),
]

BOUNDED = ("backup-stream", "rebase-stream", "managedSave-spool")


def guests_of(variants):
    """The guests these take, each once; the first is the model of its clone, and what the groups
    take that have no variants."""
    wanted = {variant.guest for variant in variants}
    return [GUEST] + [guest for guest in (OFF, CLONED) if guest in wanted]
