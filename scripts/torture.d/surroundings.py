"""Everything that a snapshot must leave as it was, and what is not."""

import difflib
import re
import time

import host

SETTLE_SECONDS = 15  # for an agent that connects anew, or an NBD server that nobody reads any more
RECORD_SECONDS = 10


class Surroundings:
    """A look at a guest, the host and the image service. `facts` are compared one by one."""

    def __init__(self, variant, cloud):
        self.variant, self.guest, self.cloud = variant, variant.guest, cloud
        self.images = cloud.images()
        self.facts = self._facts()

    def _facts(self):
        name = self.guest.name
        info = dict(re.findall(r"^(.*?):\s+(.*)$", host.virsh("dominfo", name, check=False), re.M))
        facts = {key: info.get(key, "no such server")
                 for key in ("State", "Persistent", "Autostart", "Managed save")}
        facts["inactive XML"] = host.virsh("dumpxml", name, "--security-info", "--inactive",
                                           check=False)
        facts["files"] = host.files_in(self.variant.folders)
        facts["programs"] = {
            program: self.variant.programs(program) for program in ("qemu-img", "qemu-nbd")}
        if self.guest.state == "running":
            xml = host.virsh("dumpxml", name, "--security-info", check=False)
            facts["live XML"] = self._normalised(xml)
            facts["mirrors"] = re.findall(r"<mirror.*?>", xml)
            facts["job"] = host.virsh("domjobinfo", name, check=False)
            facts["block job"] = host.virsh("blockjob", name, "vda", "--raw", check=False)
            facts["file systems"] = self.guest.freeze_status()
        return facts

    def _normalised(self, xml):
        """The live XML without what legitimately changes. A libvirtd that was killed and started
        forgets the alias of the USB controller that isn't there. A start from a managed save image
        changes the domain's id, which is also part of the path of the agent's socket."""
        xml = re.sub(r"(<controller type='usb' index='0' model='none')>\s*<alias name='usb'/>"
                     r"\s*</controller>", r"\1/>", xml)
        if not self.variant.restarts:
            return xml
        xml = re.sub(r"^(<domain [^>]*) id='\d+'", r"\1", xml)
        return re.sub(r"/domain-\d+-", "/domain-ID-", xml)

    def is_clean(self):
        """Whether a case can begin here."""
        facts = self.facts
        return facts["State"] == self.guest.state and not facts["files"] \
            and not any(facts["programs"].values()) and facts.get("file systems", "thawed") == "thawed" \
            and not facts.get("mirrors")

    def deviations(self, images):
        """What is not as it was, one line for each; `images`: how many new ones there may be."""
        record = self.guest.record()
        after = Surroundings(self.variant, self.cloud)
        until = time.monotonic() + SETTLE_SECONDS
        while after._may_settle(self) and time.monotonic() < until:
            time.sleep(0.2)
            after = Surroundings(self.variant, self.cloud)
        found = [f"{key}: {_difference(value, after.facts[key])}"
                 for key, value in self.facts.items() if value != after.facts[key]]
        found += self._wrong_images(after.images, images)
        if self.guest.state == "running" and not host.wait_until(
                lambda: self.guest.record() != record, RECORD_SECONDS):
            found.append(f"the guest writes nothing: its last record was {record}")
        return found

    def _may_settle(self, before):
        """Whether nothing differs but what may take a moment after the end of a run: file systems
        of which the agent says nothing yet (not that they are frozen), the channel's state."""
        different = {key for key in self.facts if self.facts[key] != before.facts[key]}
        channel = re.sub("state='disconnected'", "state='connected'", self.facts.get("live XML", ""))
        if channel == before.facts.get("live XML", ""):
            different.discard("live XML")
        may = {"programs"} | ({"file systems"} if not self.facts.get("file systems") else set())
        return self.facts != before.facts and different <= may

    def _wrong_images(self, after, allowed):
        new = {image: status for image, status in after.items() if image not in self.images}
        for image in new:
            self.cloud.delete(image)
        found = [f"image {image} is gone" for image in self.images if image not in after]
        if len(new) not in allowed or set(new.values()) - {"active"}:
            allowed = " or ".join(str(number) for number in sorted(allowed))
            found.append(f"new images: {new}; there may be {allowed}, active")
        return found


def _difference(before, after):
    if isinstance(before, str) and "\n" in before and "\n" in after:
        lines = difflib.unified_diff(before.split("\n"), after.split("\n"), lineterm="", n=0)
        return "; ".join(line.strip() for line in list(lines)[2:])[:600]
    return f"{before!r} became {after!r}"[:600]
