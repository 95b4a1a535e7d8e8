# SPDX-License-Identifier: LGPL-2.1-or-later
"""Devices that come and go: what QEMU has is the truth, the guest is who lets go."""
import json
import os
import re
import subprocess
import signal

import libvirt

from conftest import refused, wait_for

PORTS = ("<controller type='pci' model='pcie-root'/>" +
         "<controller type='pci' model='pcie-root-port'/>" * 6)
NIC = "<interface type='user'><mac address='52:54:00:aa:00:01'/><model type='virtio'/></interface>"


def peripherals(daemon, name):
    answer = daemon.virsh("qemu-monitor-command", name,
                          '{"execute":"qom-list","arguments":{"path":"/machine/peripheral"}}')
    return {item["name"] for item in json.loads(answer)["return"]} - {"type"}


def nodes(daemon, name):
    answer = daemon.virsh("qemu-monitor-command", name, '{"execute":"query-named-block-nodes"}')
    return [node["node-name"] for node in json.loads(answer)["return"]]


def operations(daemon):
    """The newest last."""
    return json.loads(daemon.vireo("ops", "list", "--all", "--json"))


def device(daemon, xml):
    path = os.path.join(daemon.root, "device.xml")
    with open(path, "w") as f:
        f.write(xml)
    return path


def disk(daemon, target="vdb"):
    path = os.path.join(daemon.root, f"{target}.img")
    with open(path, "wb") as f:
        f.truncate(1 << 20)
    return f"<disk type='file'><source file='{path}'/><target dev='{target}' bus='virtio'/></disk>"


def test_comes_and_goes(daemon, guest):
    """A disk and a card in a guest that runs: QEMU has them, the guest lets go of them."""
    daemon.boot("w1", extra=PORTS)
    before, blocks = peripherals(daemon, "w1"), len(nodes(daemon, "w1"))
    for xml in (disk(daemon), NIC):
        daemon.virsh("attach-device", "w1", device(daemon, xml), "--live")
    assert len(peripherals(daemon, "w1") - before) == 2
    live = daemon.virsh("dumpxml", "w1")
    assert "<target dev='vdb' bus='virtio'/>" in live and "52:54:00:aa:00:01" in live
    assert "vdb" not in daemon.virsh("dumpxml", "w1", "--inactive")
    assert "target 'vdb' duplicated" in daemon.virsh("attach-device", "w1", device(daemon, disk(daemon)), "--live",
                                                     ok=False)
    daemon.virsh("detach-device", "w1", device(daemon, NIC), "--live")
    daemon.virsh("detach-disk", "w1", "vdb", "--live")
    wait_for(lambda: peripherals(daemon, "w1") == before, 60, "the guest lets go of both")
    wait_for(lambda: "vdb" not in daemon.virsh("dumpxml", "w1") and
             "52:54:00:aa:00:01" not in daemon.virsh("dumpxml", "w1"), 20, "the XML follows")
    wait_for(lambda: len(nodes(daemon, "w1")) == blocks, 20, "its nodes are gone")


def test_definition(daemon):
    """The definition alone: an address at once, the same device not twice, out again."""
    daemon.define("w1")
    daemon.virsh("attach-device", "w1", device(daemon, disk(daemon)), "--config")
    text = daemon.virsh("dumpxml", "w1", "--inactive")
    assert re.search(r"<target dev='vdb' bus='virtio'/>\s+<address type='pci'", text)
    assert "operation is not valid: target vdb already exists" in daemon.virsh(
        "attach-device", "w1", device(daemon, disk(daemon)), "--config", ok=False)
    daemon.virsh("detach-disk", "w1", "vdb", "--config")
    assert "vdb" not in daemon.virsh("dumpxml", "w1", "--inactive")
    error = daemon.virsh("detach-device", "w1", device(daemon, NIC), "--config", ok=False)
    assert "no <interface> of the domain is as the XML says" in error


def test_refusals(daemon):
    """What cannot be plugged is refused by name, and nothing is left in QEMU."""
    daemon.define("off")
    for verb, xml, words in (("attach", daemon.xml("off"), "unsupported configuration: unknown device type 'domain'"),
                             ("update", "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
                              "persistent update of device 'rng' is not supported")):
        assert words in daemon.virsh(f"{verb}-device", "off", device(daemon, xml), "--config", ok=False)
    daemon.paused("w1")
    before = peripherals(daemon, "w1")
    for xml, words in (
            ("<tpm model='tpm-tis'><backend type='emulator'/></tpm>", "live attach of device 'tpm' is not supported"),
            ("<interface type='bridge'><source bridge='b'/><model type='virtio'/></interface>",
             "no bridge 'b'"),
            ("<sound model='bogus'/>", "bogus"),
            ("<memballoon model='none'/>", "live attach of device 'memballoon' is not supported"),
            ("<input type='mouse' bus='ps2'/>", "input device on bus 'ps2' cannot be hot plugged"),
            (disk(daemon, "sdx").replace("virtio", "sata"), "disk bus 'sata' cannot be hotplugged"),
            (NIC.replace("</", "<address type='pci' domain='0' bus='0' slot='9' function='0'/></"),
             "cannot be hot plugged into PCI bus 0"),
            (disk(daemon).replace("vdb.img", "missing.img"), "missing.img")):
        assert words in daemon.virsh("attach-device", "w1", device(daemon, xml), "--live", ok=False)
    assert peripherals(daemon, "w1") == before
    assert "vdb" not in daemon.virsh("dumpxml", "w1")
    for flag, words in (("--config", "persistent"), ("--live", "live")):
        tpm = device(daemon, "<tpm model='tpm-tis'><backend type='emulator'/></tpm>")
        assert f"{words} detach of device 'tpm' is not supported" in daemon.virsh("detach-device", "w1", tpm, flag, ok=False)
    vnc = device(daemon, "<graphics type='vnc' port='-1'/>")
    daemon.define("w2", boot=False, extra="<graphics type='vnc' port='-1'/>")
    daemon.virsh("start", "w2", "--paused")
    before = daemon.virsh("vncdisplay", "w2")
    assert "live detach of device 'graphics' is not supported" in daemon.virsh("detach-device", "w2", vnc, "--live", ok=False)
    assert daemon.virsh("vncdisplay", "w2") == before
    assert not operations(daemon) or operations(daemon)[-1]["state"] == "undone"


def medium(daemon, name):
    """What QEMU has in its drives."""
    answer = daemon.virsh("qemu-monitor-command", name, '{"execute":"query-block"}')
    return [drive["inserted"]["file"] for drive in json.loads(answer)["return"] if "inserted" in drive]


def cdrom(daemon, name):
    path = os.path.join(daemon.root, name)
    with open(path, "wb") as f:
        f.truncate(1 << 20)
    return f"<disk type='file' device='cdrom'><source file='{path}'/><target dev='sdc' bus='sata'/><readonly/></disk>"


def test_a_medium_is_changed(daemon):
    """By an update or, as with virsh attach-disk, by one more attach; a vireod that is killed meanwhile is no hindrance."""
    daemon.paused("w1", extra=cdrom(daemon, "a.iso"))
    for verb, flags in (("attach-device", ["--live"]), ("update-device", ["--live", "--config"]), ("update-device", ["--current"])):
        name = f"{verb}{len(flags)}{flags[0][2]}.iso"
        daemon.virsh(verb, "w1", device(daemon, cdrom(daemon, name)), *flags)
        assert medium(daemon, "w1") == [f"{daemon.root}/{name}"]
        assert name in daemon.virsh("dumpxml", "w1")
        assert (name in daemon.virsh("dumpxml", "w1", "--inactive")) == ("--config" in flags)
    for step in ("journaled", "sent", "saved"):
        assert daemon.crash_at(step, "update-device", "w1", device(daemon, cdrom(daemon, step + ".iso")), "--live"), step
        wait_for(lambda: operations(daemon)[-1]["state"] == "done", 20, "an outcome")
        assert medium(daemon, "w1") == [f"{daemon.root}/{step}.iso"]
        assert step + ".iso" in daemon.virsh("dumpxml", "w1")


def test_a_medium_that_is_not_there(daemon):
    """It is refused before the drive is opened, also where no file becomes QEMU's first; a definition may name it."""
    daemon.configure("user = root")
    daemon.paused("w1", extra=cdrom(daemon, "a.iso"))
    connection = libvirt.open(daemon.uri)
    domain = connection.lookupByName("w1")
    gone = cdrom(daemon, "a.iso").replace("a.iso", "gone.iso")
    live, config = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG
    for call, flags in ((domain.updateDeviceFlags, live), (domain.updateDeviceFlags, live | config), (domain.attachDeviceFlags, live)):
        assert "gone.iso" in refused(call, libvirt.VIR_ERR_SYSTEM_ERROR, gone, flags)
    monitor = json.loads(daemon.virsh("qemu-monitor-command", "w1", '{"execute": "query-block"}'))["return"]
    assert [drive["tray_open"] for drive in monitor if "tray_open" in drive] == [False]
    assert medium(daemon, "w1") == [f"{daemon.root}/a.iso"]
    assert "gone.iso" not in domain.XMLDesc() + domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    domain.updateDeviceFlags(gone, config)
    assert "gone.iso" in domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    connection.close()


def test_what_is_below_a_medium_goes_with_it(daemon):
    """A disc of one file has nothing below it; the next one has, and is read through what it stands on."""
    daemon.paused("w2", extra=cdrom(daemon, "alone.iso"))
    assert "<backingStore/>" in daemon.virsh("dumpxml", "w2").split("alone.iso")[1].split("</disk>")[0]
    base, overlay = f"{daemon.root}/base.raw", f"{daemon.root}/overlay.qcow2"
    with open(base, "wb") as f:
        f.truncate(1 << 20)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", overlay], check=True,
                   stdin=subprocess.DEVNULL)
    xml = cdrom(daemon, "alone.iso").replace(f"{daemon.root}/alone.iso", overlay).replace(
        "<source", "<driver name='qemu' type='qcow2'/><source")
    daemon.virsh("update-device", "w2", device(daemon, xml), "--live")
    disc = daemon.virsh("dumpxml", "w2").split("overlay.qcow2")[1].split("</disk>")[0]
    assert "<backingStore/>" not in disc, disc
    answer = daemon.virsh("qemu-monitor-command", "w2", '{"execute":"query-block"}')
    inserted = [drive["inserted"] for drive in json.loads(answer)["return"] if "inserted" in drive]
    assert [one.get("backing_file") for one in inserted] == [base]
    daemon.virsh("change-media", "w2", "sdc", "--eject", "--live")
    assert "<backingStore" not in daemon.virsh("dumpxml", "w2").split("device='cdrom'")[1].split("</disk>")[0]


def test_a_file_of_two_devices(daemon):
    """What one of them gives back stays QEMU's while the other has it."""
    shared = disk(daemon).replace("<source", "<driver name='qemu' type='raw'/><source").replace("</disk>", "<shareable/></disk>")
    daemon.paused("w1", extra=PORTS)
    owner = os.stat(f"{daemon.root}/vdb.img").st_uid
    daemon.virsh("attach-device", "w1", device(daemon, shared), "--live")
    given = os.stat(f"{daemon.root}/vdb.img").st_uid
    second = device(daemon, shared.replace("'vdb'", "'sdx'").replace("'virtio'", "'usb'"))
    daemon.virsh("attach-device", "w1", second, "--live")
    daemon.virsh("detach-device", "w1", second, "--live")
    wait_for(lambda: "sdx" not in daemon.virsh("dumpxml", "w1"), 20, "QEMU lets go of it")
    assert os.stat(f"{daemon.root}/vdb.img").st_uid == given
    for step in ("journaled", "sent"):
        assert daemon.crash_at(step, "attach-device", "w1", second, "--live"), step
        wait_for(lambda: operations(daemon)[-1]["state"] == "undone", 20, "an outcome")
        assert os.stat(f"{daemon.root}/vdb.img").st_uid == given, step
    assert given != owner or daemon.settings  # QEMU is root then
    daemon.virsh("destroy", "w1")
    assert os.stat(f"{daemon.root}/vdb.img").st_uid == owner


def test_silence_and_a_new_daemon(daemon):
    """A guest that does not answer keeps the device, and the next daemon knows it. What went while
    no daemon was there is found."""
    daemon.boot("w1", extra=PORTS)
    daemon.virsh("suspend", "w1")
    before = peripherals(daemon, "w1")
    daemon.virsh("attach-device", "w1", device(daemon, NIC), "--live")
    alias = (peripherals(daemon, "w1") - before).pop()
    daemon.virsh("detach-device", "w1", device(daemon, NIC), "--live")
    assert "52:54:00:aa:00:01" in daemon.virsh("dumpxml", "w1")
    assert [op["state"] for op in operations(daemon)] == ["done", "pending"]
    daemon.stop()
    daemon.start()
    assert f"<alias name='{alias}'/>" in daemon.virsh("dumpxml", "w1")
    daemon.stop(signal.SIGKILL)
    daemon.start()
    daemon.virsh("resume", "w1")
    wait_for(lambda: alias not in peripherals(daemon, "w1"), 60, "the guest lets go of it")
    wait_for(lambda: "52:54:00:aa:00:01" not in daemon.virsh("dumpxml", "w1"), 20, "the XML follows")
    wait_for(lambda: operations(daemon)[-1]["state"] == "done", 20, "the operation ends with it")


def test_an_attach_that_is_cut_short(daemon):
    """vireod is killed at each step of an attach: the next one finishes it, or nothing of it is left."""
    daemon.paused("w1", extra=PORTS)
    for step, there in (("journaled", False), ("sent", False), ("answered", True), ("saved", True)):
        before, blocks = peripherals(daemon, "w1"), len(nodes(daemon, "w1"))
        target = "vd" + step[0]
        assert daemon.crash_at(step, "attach-device", "w1", device(daemon, disk(daemon, target)), "--live"), step
        wait_for(lambda: operations(daemon)[-1]["state"] in ("done", "undone"), 20, "an outcome")
        assert operations(daemon)[-1]["state"] == ("done" if there else "undone"), step
        assert (f"<target dev='{target}'" in daemon.virsh("dumpxml", "w1")) == there, step
        assert (len(peripherals(daemon, "w1") - before) == 1) == there, step
        assert (len(nodes(daemon, "w1")) > blocks) == there, step
