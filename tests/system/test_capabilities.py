# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a client may ask for: valid by libvirt's own schemas, and what orchestrators decide by is there."""
import glob
import json
import shutil
import subprocess
import xml.etree.ElementTree

import pytest

from conftest import QEMU


def check_valid(daemon, text, kind):
    path = f"{daemon.root}/{kind}.xml"
    with open(path, "w") as f:
        f.write(text)
    if shutil.which("virt-xml-validate"):
        subprocess.run(["virt-xml-validate", path, kind], check=True, stdin=subprocess.DEVNULL, timeout=60)


@pytest.mark.parametrize("arguments", [[], ["--machine", "q35"], ["--virttype", "qemu"], ["--machine", "pc"]])
def test_domain_capabilities(daemon, arguments):
    text = daemon.virsh("domcapabilities", *arguments)
    check_valid(daemon, text, "domaincaps")
    root = xml.etree.ElementTree.fromstring(text)
    assert root.find("iothreads").get("supported") == "yes"
    for device in ("disk", "graphics", "video", "tpm", "rng", "hostdev", "channel"):
        assert root.find(f"devices/{device}").get("supported") == "yes", device
    words = [value.text for value in root.findall("devices/video/enum[@name='modelType']/value")]
    assert "virtio" in words and "none" in words
    assert len(root.findall("cpu/mode[@name='custom']/model")) > 10
    known = [json.load(open(path)) for path in glob.glob("/usr/share/qemu/firmware/*.json")]
    q35 = any("pc-q35-*" in target["machines"] for one in known for target in one["targets"])
    firmware = [value.text for value in root.findall("os/enum[@name='firmware']/value")]
    assert ("efi" in firmware) == bool(root.findall("os/loader/value")), text  # virt-install --boot uefi asks for it
    assert "efi" in firmware or not q35 or "--machine q35" not in " ".join(arguments)


def displays_of(emulator):
    """The words of -display that the emulator was built with, by its own schema."""
    asked = subprocess.run([emulator, "-machine", "none", "-display", "none", "-qmp", "stdio"], capture_output=True, text=True,
                           timeout=60, input="".join(f'{{"execute": "{word}"}}\n' for word in
                                                     ("qmp_capabilities", "query-qmp-schema", "quit")))
    schema = next(answer["return"] for answer in map(json.loads, asked.stdout.splitlines()) if answer.get("return"))
    named = {row["name"]: row for row in schema}
    return {row["case"] for row in named[named["query-display-options"]["ret-type"]]["variants"]}


def test_displays(daemon):
    """Each that QEMU has is named, in libvirt's order; also by a daemon that has asked it before."""
    has = displays_of(QEMU)
    for _ in range(2):
        root = xml.etree.ElementTree.fromstring(daemon.virsh("domcapabilities"))
        types = [value.text for value in root.findall("devices/graphics/enum[@name='type']/value")]
        order = ("sdl", "vnc", "spice", "egl-headless", "dbus")
        assert [word for word in order if word in types] == types
        assert {"sdl", "egl-headless"} & set(types) == {"sdl", "egl-headless"} & has
        daemon.stop()
        daemon.start()


def test_capabilities(daemon):
    text = daemon.virsh("capabilities")
    check_valid(daemon, text, "capability")
    uuid = xml.etree.ElementTree.fromstring(text).find("host/uuid")  # by which clients tell hosts from each other
    assert uuid is not None and len(uuid.text) == 36, text
    daemon.stop()
    daemon.start()
    assert f"<uuid>{uuid.text}</uuid>" in daemon.virsh("capabilities")


def test_empty_classes(daemon):
    """Both forms of lists, and each look-up says not found in its own words."""
    for command in ("net-list", "pool-list", "iface-list", "nodedev-list", "secret-list", "nwfilter-list"):
        daemon.virsh(command)
    for command, words in (("net-info", "network"), ("iface-dumpxml", "interface"), ("nodedev-dumpxml", "device"),
                           ("nwfilter-dumpxml", "nwfilter"), ("vol-info", "vol")):
        assert words in daemon.virsh(command, "/nowhere" if command == "vol-info" else "nowhere", ok=False).lower()
