# SPDX-License-Identifier: LGPL-2.1-or-later
"""Domain definitions that people published, made to fit on the machine of a test: what their hosts had and this one has
not is replaced or taken out, and each replacement has a name. What is left is as it came."""
import glob
import os
import shutil
import subprocess
import xml.etree.ElementTree as ET

EMULATOR = shutil.which("qemu-system-x86_64")
FOLDER = os.environ.get("VIREO_CORPUS") or os.path.join(os.path.dirname(__file__), "../../../shared/corpus")
OVMF = {True: "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", False: "/usr/share/OVMF/OVMF_CODE_4M.fd"}
QEMU = "{http://libvirt.org/schemas/domain/qemu/1.0}"
ET.register_namespace("qemu", QEMU[1:-1])
MEMORY_KIB = 256 * 1024


def files():
    return sorted(glob.glob(f"{FOLDER}/*.xml"))


class Fitted:
    """One definition; .xml is the text, .name the domain's, .replaced what was done to it."""

    def __init__(self, path, directory, kernel=None):
        self.path, self.directory, self.kernel = path, directory, kernel
        self.tree = ET.parse(path).getroot()
        self.devices = self.tree.find("devices")
        self.replaced = set()
        if self.devices is None:
            self.devices = ET.SubElement(self.tree, "devices")
        for fit in (self.virt, self.memory, self.threads, self.boot, self.disks, self.interfaces, self.passthrough,
                    self.characters, self.displays, self.folders, self.words):
            fit()
        self.name = self.tree.findtext("name")
        self.xml = ET.tostring(self.tree, encoding="unicode")

    # ---- small things ----

    def drop(self, parent, child, what):
        parent.remove(child)
        self.replaced.add(what)

    def drop_all(self, path, what, parent=None):
        parent = self.tree if parent is None else parent
        for child in parent.findall(path):
            self.drop(parent, child, what)

    def scratch(self, name):
        return os.path.join(self.directory, name)

    def image(self, kind):
        """A small image of that format."""
        path = self.scratch(f"image.{kind}")
        if not os.path.exists(path):
            subprocess.run(["qemu-img", "create", "-q", "-f", kind, path, "4M"], check=True)
        return path

    # ---- the host's processor and memory ----

    def virt(self):
        self.tree.set("type", "qemu")
        emulator = self.devices.find("emulator")
        if emulator is not None:
            emulator.text = EMULATOR
        for feature in self.tree.findall("cpu/feature"):
            if feature.get("policy") in ("force", "forbid"):
                feature.set("policy", "optional")

    def memory(self):
        cells = self.tree.findall("cpu/numa/cell")
        devices = self.devices.findall("memory")
        for cell in cells:
            cell.set("memory", str(MEMORY_KIB // len(cells)))
            cell.set("unit", "KiB")
        for memory in self.tree.findall("memory") + self.tree.findall("currentMemory"):
            if not devices:
                memory.text = str(MEMORY_KIB // max(len(cells), 1) * max(len(cells), 1))
                memory.set("unit", "KiB")
        backing = self.tree.find("memoryBacking")
        if backing is not None:
            self.drop_all("hugepages", "huge pages", backing)
            self.drop_all("locked", "locked memory", backing)

    def threads(self):
        """A host with other CPUs and nodes than theirs."""
        for name in ("cputune", "numatune"):
            self.drop_all(name, "pins to the host's CPUs and nodes")
        vcpu = self.tree.find("vcpu")
        if vcpu is not None and vcpu.attrib.pop("cpuset", None):
            self.replaced.add("pins to the host's CPUs and nodes")
        self.drop_all("resource", "cgroup partitions")

    # ---- what it boots ----

    def boot(self):
        system = self.tree.find("os")
        loader, nvram = system.find("loader"), system.find("nvram")
        if loader is not None and loader.text and not os.path.exists(loader.text.strip()):
            flash = loader.get("type") == "pflash"
            loader.text = OVMF[loader.get("secure") == "yes"] if flash else "/usr/share/seabios/bios-256k.bin"
            self.replaced.add("firmware by this host's")
        if nvram is not None:
            system.remove(nvram)
            if nvram.get("template") and os.path.exists(nvram.get("template")):
                system.append(nvram)
                nvram.text = self.scratch("variables.fd")
        for name in ("kernel", "initrd", "dtb"):
            found = system.find(name)
            if found is None or (found.text and os.path.exists(found.text.strip())):
                continue
            if name == "kernel" and self.kernel:
                found.text = self.kernel
                self.replaced.add("kernel by this host's")
            else:
                self.drop(system, found, "kernel by this host's")
        if system.find("kernel") is None:
            self.drop_all("cmdline", "kernel by this host's", system)
        smbios = system.find("smbios")
        if smbios is not None and smbios.get("mode") == "host" and not os.path.exists("/sys/class/dmi/id"):
            self.drop(system, smbios, "SMBIOS of the host")
        for entry in self.tree.findall("sysinfo/bios/entry"):
            if entry.get("name") == "release":
                entry.text = "1.0"
        for table in system.findall("acpi"):
            self.drop(system, table, "ACPI tables of the host")

    def disks(self):
        for disk in self.devices.findall("disk"):
            source, driver = disk.find("source"), disk.find("driver")
            kind = driver.get("type", "raw") if driver is not None else "raw"
            if source is None or disk.get("type") not in ("file", "block", "volume"):
                continue
            for child in list(source):
                if child.tag not in ("encryption", "auth", "reservations"):
                    source.remove(child)
            source.attrib.clear()
            disk.set("type", "file")
            if disk.get("device") == "lun":
                disk.set("device", "disk")
            source.set("file", self.image(kind))
            self.drop_all("backingStore", "disks by small images", disk)
            self.drop_all("mirror", "disks by small images", disk)
            self.replaced.add("disks by small images")
            if disk.get("device", "disk") == "disk" and disk.find("shareable") is None \
                    and disk.find("readonly") is None:
                copy = self.scratch(f"{self.tree.findtext('name')}-{disk.find('target').get('dev')}.{kind}")
                shutil.copy(self.image(kind), copy)
                source.set("file", copy)

    def interfaces(self):
        for interface in self.devices.findall("interface"):
            source, port = interface.find("source"), interface.find("virtualport")
            if interface.get("type") == "bridge":
                source.set("bridge", "br0")
            elif interface.get("type") == "network":
                source.attrib.clear()
                source.set("network", "br0")
            elif interface.get("type") == "direct":
                interface.set("type", "bridge")
                source.attrib.clear()
                source.set("bridge", "br0")
                self.replaced.add("macvtaps by bridges")
            elif interface.get("type") == "hostdev":
                self.drop(self.devices, interface, "devices of the host")
                continue
            if port is not None:
                self.drop(interface, port, "ports of a switch by those of a bridge")
                self.drop_all("vlan", "ports of a switch by those of a bridge", interface)
            target = interface.find("target")
            if target is not None and target.get("managed") == "no":
                self.drop(interface, target, "taps of somebody else")
            if interface.find("script") is not None:
                self.drop_all("script", "scripts", interface)

    # ---- what only their hosts have ----

    def passthrough(self):
        for hostdev in self.devices.findall("hostdev"):
            self.drop(self.devices, hostdev, "devices of the host")
        for device in self.devices.findall("input"):
            if device.get("type") in ("passthrough", "evdev"):
                self.drop(self.devices, device, "devices of the host")
        for tpm in self.devices.findall("tpm"):
            if tpm.find("backend").get("type") == "passthrough":
                self.drop(self.devices, tpm, "devices of the host")
        for rng in self.devices.findall("rng"):
            backend = rng.find("backend")
            if backend.get("model") == "random" and backend.text and not os.path.exists(backend.text.strip()):
                backend.text = "/dev/urandom"
        if not os.path.exists("/dev/vhost-vsock"):
            self.drop_all("vsock", "vsock of the host", self.devices)
        for video in self.devices.findall("video/model/acceleration"):
            video.set("accel3d", "no")
            video.attrib.pop("rendernode", None)
            self.replaced.add("3D")
        for rom in self.devices.iter("rom"):
            if rom.attrib.pop("file", None):
                self.replaced.add("ROM files")

    def characters(self):
        for kind in ("serial", "console", "channel", "parallel", "redirdev", "smartcard"):
            for device in self.devices.findall(kind):
                source = device.find("source")
                if device.get("type") == "dev":
                    device.set("type", "pty")
                    device.remove(source)
                    self.replaced.add("devices of the host")
                elif device.get("type") == "pty" and source is not None:
                    device.remove(source)
                elif source is not None and source.get("path"):
                    source.set("path", self.scratch(f"{kind}-{len(os.listdir(self.directory))}"))
                log = device.find("log")
                if log is not None:
                    log.set("file", self.scratch("log"))

    def displays(self):
        for graphics in self.devices.findall("graphics"):
            for listen in [graphics] + graphics.findall("listen"):
                address = listen.get("listen") or listen.get("address")
                if address and address not in ("127.0.0.1", "0.0.0.0", "::", "::1"):
                    listen.set("listen" if listen is graphics else "address", "127.0.0.1")
                    self.replaced.add("addresses of displays")
                if listen.tag == "listen" and listen.get("network"):
                    listen.attrib.clear()
                    listen.set("type", "address")
                    listen.set("address", "127.0.0.1")
            sockets = [listen for listen in [graphics] + graphics.findall("listen") if listen.get("socket")]
            for listen in sockets:
                listen.set("socket", self.scratch("display"))
            if not sockets:
                graphics.set("port", "-1")
                graphics.set("autoport", "yes")
            graphics.attrib.pop("tlsPort", None)
            if graphics.get("defaultMode") == "secure":
                del graphics.attrib["defaultMode"]
            for channel in graphics.findall("channel[@mode='secure']"):
                self.drop(graphics, channel, "certificates")
            graphics.attrib.pop("websocket", None)
            for gl in graphics.findall("gl"):
                self.drop(graphics, gl, "3D")
            if graphics.get("type") in ("sdl", "egl-headless"):
                self.drop(self.devices, graphics, "3D")
        for audio in self.devices.findall("audio"):
            if audio.get("type") not in ("none", "spice"):
                identity = audio.get("id", "1")
                audio.clear()
                audio.set("id", identity)
                audio.set("type", "none")
                self.replaced.add("sound of the host")

    def folders(self):
        for filesystem in self.devices.findall("filesystem"):
            source = filesystem.find("source")
            if source is not None and source.get("dir"):
                path = self.scratch("folder")
                os.makedirs(path, exist_ok=True)
                source.set("dir", path)
            for binary in filesystem.findall("binary"):
                binary.attrib.pop("path", None)
            target = filesystem.find("target")
            if len(target.get("dir")) > 31:  # a path where their hosts had a tag
                target.set("dir", "folder")
                self.replaced.add("tags of folders")
        for shmem in self.devices.findall("shmem"):
            shmem.set("name", f"vireo-test-{os.path.basename(self.directory)}")

    def words(self):
        """Words for QEMU that name files, or devices, of their hosts."""
        for line in self.tree.findall(f"{QEMU}commandline"):
            self.drop(self.tree, line, "words for QEMU")
        for override in self.tree.findall(f"{QEMU}override"):
            self.drop(self.tree, override, "words for QEMU")
