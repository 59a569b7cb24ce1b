"""The guests that are snapshotted."""

import json
import os
import re
import tempfile

import host

# The smallest that the lab can make.
SIZES = {"LAB_DISK_MB": "184", "LAB_FILL_MB": "24"}


class Guest:
    """A guest of the lab in a state that every case begins and must end with."""

    def __init__(self, name, state="running"):
        self.name, self.state = name, state

    def up(self):
        """Brings it into its state, anew if it can't be helped otherwise."""
        if self.name not in host.virsh("list", "--all", "--name").split("\n"):
            self._add()
        if self.state == "running":
            if host.virsh("domstate", self.name) == "shut off":
                host.virsh("start", self.name)
            host.lab("guest", "wait", self.name)
        elif host.virsh("domstate", self.name) != "shut off":
            host.virsh("destroy", self.name)
        if self.state == "running":  # the flag is kept where it is set and where it is not
            host.virsh("autostart", self.name)

    def _add(self):
        mode = [] if self.state == "running" else ["--off"]
        host.lab("guest", "add", self.name, "overlay", *mode, **SIZES)

    def remove(self):
        """Removes it with everything it has."""
        host.lab("guest", "remove", self.name)

    def rebuild(self):
        """A new one in its place, for the cases after a survivor."""
        self.remove()
        self.up()

    def rest(self):
        """Takes no processor time any more."""
        host.virsh("suspend", self.name, check=False)

    def resume(self):
        """Goes on after a rest."""
        if host.virsh("domstate", self.name) == "paused":
            host.virsh("resume", self.name)

    def record(self):
        """The last record that its console says is on disk."""
        # The console is rotated now and then, and its new file has no record at first.
        for file in (".serial", ".serial.0"):
            numbers = re.findall(r"^record (\d+)\r?$", _end_of(f"{host.GUEST_DIR}/{self.name}{file}"),
                                 re.M)
            if numbers:
                return int(numbers[-1])
        return 0

    def freeze_status(self):
        """What its agent says of its file systems, or nothing where it doesn't answer."""
        answer = host.virsh("qemu-agent-command", self.name, "--timeout", "3",
                            '{"execute":"guest-fsfreeze-status"}', check=False, seconds=40)
        return json.loads(answer)["return"] if answer else ""

    def process(self):
        """The pid of its QEMU."""
        return int(host.text_of(f"/run/libvirt/qemu/{self.name}.pid") or 0)

    def kill_agent(self):
        """SIGKILL for the agent, from inside; the guest starts it again a second later."""
        command = {"execute": "guest-exec", "arguments": {
            "path": "/bin/sh", "arg": ["-c", "usleep 100000; kill -KILL $(pidof qemu-ga)"]}}
        host.virsh("qemu-agent-command", self.name, "--timeout", "3", json.dumps(command),
                   check=False)


class ClonedGuest(Guest):
    """A guest whose disk lies on a file system with reflinks, which is made for it."""

    def __init__(self, name, model):
        super().__init__(name)
        self.model, self.folder = model, None

    def _add(self):
        self.folder = tempfile.mkdtemp(prefix="image-create-torture-", dir="/var/tmp")
        os.chmod(self.folder, 0o711)
        mounted = self.mounted
        os.mkdir(mounted)
        host.run("truncate", "-s", "600M", f"{self.folder}/xfs")
        host.run("mkfs.xfs", "-q", "-m", "reflink=1", f"{self.folder}/xfs")
        host.run("mount", "-o", "loop", f"{self.folder}/xfs", mounted)
        disk = f"{mounted}/disk.qcow2"
        # Not while it is written; its base is read-only and may lie elsewhere.
        self.model.rest()
        host.run("cp", "--sparse=always", f"{host.GUEST_DIR}/{self.model.name}.qcow2", disk)
        self.model.resume()
        os.chmod(disk, 0o666)
        xml = host.virsh("dumpxml", self.model.name, "--inactive", "--security-info")
        xml = re.sub(r"<uuid>.*</uuid>", "", xml)
        xml = xml.replace(f"{host.GUEST_DIR}/{self.model.name}.qcow2", disk)
        xml = xml.replace(f"<name>{self.model.name}<", f"<name>{self.name}<")
        xml = xml.replace(f"{self.model.name}.serial", f"{self.name}.serial")
        with open(f"{self.folder}/domain.xml", "w", encoding="utf-8") as file:
            file.write(xml)
        host.virsh("define", f"{self.folder}/domain.xml")

    @property
    def mounted(self):
        """Where disk and spool folder lie."""
        return f"{self.folder}/mounted"

    def remove(self):
        super().remove()
        if self.folder:
            host.run("umount", "-l", self.mounted)
            host.run("rm", "-r", self.folder)
            self.folder = None


def _end_of(path):
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - 8192))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
