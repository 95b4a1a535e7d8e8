# SPDX-License-Identifier: LGPL-2.1-or-later
"""Labels of SELinux, on a host that does not run it: a directory stands for its policy and for where a process asks for
its label (VIREOD_SELINUX); files have labels as this machine's file systems keep them."""
import os
import re
import signal
from xml.etree import ElementTree

import pytest

from conftest import wait_for

ATTRIBUTE = "security.selinux"
FOUND = "system_u:object_r:virt_var_lib_t:s0"
IMAGE = "system_u:object_r:svirt_image_t:s0"
CONTENT = "system_u:object_r:virt_content_t:s0"
PAIR = r"system_u:system_r:svirt_tcg_t:s0:(c\d+,c\d+)"


def label_of(path):
    try:
        return os.getxattr(path, ATTRIBUTE).decode().rstrip("\0")
    except OSError:
        return None


def can_label(path):
    try:
        with open(path, "w"):
            os.setxattr(path, ATTRIBUTE, FOUND.encode())
            os.setxattr(path, "trusted.vireo.trial", b"x")
        return os.geteuid() == 0
    except OSError:
        return False


@pytest.fixture
def selinux(daemon, monkeypatch):
    if os.path.exists("/sys/fs/selinux/enforce") or not can_label(f"{daemon.root}/trial"):
        pytest.skip("SKIP: only root on a host without SELinux can label files as it likes")
    host = f"{daemon.root}/selinux"
    os.makedirs(f"{host}/contexts")
    with open(f"{host}/contexts/virtual_domain_context", "w") as f:
        f.write("system_u:system_r:svirt_t:s0\nsystem_u:system_r:svirt_tcg_t:s0\n")
    with open(f"{host}/contexts/virtual_image_context", "w") as f:
        f.write(f"{IMAGE}\n{CONTENT}\n")
    with open(f"{host}/exec", "w"):
        pass
    monkeypatch.setenv("VIREOD_SELINUX", host)
    daemon.configure("security_driver = selinux")

    def asked():
        """What the last QEMU wrote; once: the next one writes over it, and may write less."""
        with open(f"{host}/exec", "r+") as f:
            text = f.read()
            f.truncate(0)
        return text
    daemon.asked = asked
    return daemon


def image(daemon, name, label=FOUND):
    path = f"{daemon.root}/{name}"
    with open(path, "wb") as f:
        f.truncate(1 << 20)
    if label:
        os.setxattr(path, ATTRIBUTE, label.encode() + b"\0")
    return path


def disk(path, target="vda", more="", bus="virtio"):
    return (f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{path}'/>"
            f"<target dev='{target}' bus='{bus}'/>{more}</disk>")


def seclabel(daemon, name, *flags):
    tree = ElementTree.fromstring(daemon.virsh("dumpxml", name, *flags))
    found = tree.find("seclabel[@model='selinux']")
    return None if found is None else (found.get("type"), found.findtext("label"), found.findtext("imagelabel"))


def test_a_pair_for_each(selinux):
    """The process asks for it, its files have it, and all is as before when it has ended."""
    own, plain, read, shared = (image(selinux, name) for name in ("own", "plain", "read", "shared"))
    os.removexattr(plain, ATTRIBUTE)
    more = disk(read, "vdc", "<readonly/>") + disk(shared, "vdd", "<shareable/>")
    selinux.paused("one", extra=disk(own) + disk(plain, "vdb") + more)
    kind, label, imagelabel = seclabel(selinux, "one")
    assert kind == "dynamic" and label == selinux.asked() and re.fullmatch(PAIR, label), label
    pair = re.fullmatch(PAIR, label)[1]
    assert imagelabel == f"{IMAGE}:{pair}" and seclabel(selinux, "one", "--inactive") is None
    assert [label_of(path) for path in (own, plain, read, shared)] == [f"{IMAGE}:{pair}", f"{IMAGE}:{pair}", CONTENT, IMAGE]
    with open(f"/proc/{selinux.qemus()['one']}/status") as f:
        assert "NoNewPrivs:\t1" in f.read()  # by QEMU's own sandbox
    selinux.paused("two", extra=disk(image(selinux, "other")) + more)
    assert seclabel(selinux, "two")[1] != label
    assert selinux.virsh("capabilities").count("<model>selinux</model>") == 1
    selinux.stop()
    selinux.start()
    selinux.virsh("destroy", "one")
    assert [label_of(path) for path in (own, plain, read, shared)] == [FOUND, None, CONTENT, IMAGE]
    selinux.virsh("destroy", "two")
    assert [label_of(path) for path in (read, shared, f"{selinux.root}/other")] == [FOUND] * 3


def test_an_image_of_two(selinux):
    """Not shareable: the second guest is refused by name, and the first one's label stays."""
    path = image(selinux, "both")
    selinux.paused("first", extra=disk(path))
    before = label_of(path)
    selinux.define("second", boot=False, extra=disk(path))
    said = selinux.virsh("start", "second", "--paused", ok=False)
    assert "domain 'second'" in said and f"'{path}' is in use with the label '{before}'" in said, said
    assert label_of(path) == before
    selinux.virsh("destroy", "first")
    assert label_of(path) == FOUND


def test_what_a_definition_wants(selinux):
    path = image(selinux, "disk")
    text = "</devices><seclabel type='{}' model='selinux'{}<devices>"
    own = "system_u:system_r:mine_t:s0:c7,c8"

    def again(extra):
        selinux.virsh("undefine", "wants")
        selinux.define("wants", boot=False, extra=extra)
    selinux.define("wants", boot=False, extra=disk(path) + text.format("none", "/>"))
    selinux.virsh("start", "wants", "--paused")
    assert selinux.asked() == "" and label_of(path) == FOUND
    selinux.virsh("destroy", "wants")
    for relabel, label in (("no", FOUND), ("yes", f"{IMAGE}:c7,c8")):
        again(disk(path) + text.format("static", f" relabel='{relabel}'><label>{own}</label></seclabel>"))
        selinux.virsh("start", "wants", "--paused")
        assert selinux.asked() == own and label_of(path) == label
        selinux.virsh("destroy", "wants")
        assert label_of(path) == FOUND
    base = text.format("dynamic", "><baselabel>system_u:system_r:base_t:s0</baselabel></seclabel>")
    again(disk(path) + base)
    selinux.virsh("start", "wants", "--paused")
    first = seclabel(selinux, "wants")[1]
    assert first.startswith("system_u:system_r:base_t:s0:c") and selinux.asked() == first
    selinux.virsh("managedsave", "wants", "--paused")
    assert label_of(path) == FOUND
    selinux.virsh("start", "wants", "--paused")  # its label is made anew
    assert label_of(path) == f"{IMAGE}:{seclabel(selinux, 'wants')[1].split(':s0:')[1]}" and selinux.asked() == seclabel(selinux, "wants")[1]
    selinux.virsh("destroy", "wants")
    again(text.format("static", "><label>no context</label></seclabel>"))
    assert "'no context' is no context of SELinux" in selinux.virsh("start", "wants", "--paused", ok=False)


def test_a_disk_that_comes_and_goes(selinux):
    path, xml = image(selinux, "more"), f"{selinux.root}/disk.xml"
    selinux.paused("grows", extra="<controller type='usb' model='qemu-xhci'/>" + disk(image(selinux, "first")))
    with open(xml, "w") as f:
        f.write(disk(path, "sda", bus="usb"))
    selinux.virsh("attach-device", "grows", xml, "--live")
    assert label_of(path) == label_of(f"{selinux.root}/first") == seclabel(selinux, "grows")[2]
    selinux.virsh("detach-device", "grows", xml, "--live")
    assert label_of(path) == FOUND
    selinux.virsh("attach-device", "grows", xml, "--live")
    selinux.stop(signal.SIGKILL)
    os.kill(selinux.qemus()["grows"], signal.SIGKILL)
    selinux.start()
    wait_for(lambda: label_of(path) == FOUND and label_of(f"{selinux.root}/first") == FOUND, 20, "labels that are back")


def test_a_node_has_its_label(selinux):
    """That of the host's node, in QEMU's own /dev."""
    node = f"/dev/vireo-test-{os.getpid()}"
    try:
        os.mknod(node, 0o20666, os.makedev(1, 9))
        os.setxattr(node, ATTRIBUTE, b"system_u:object_r:urandom_device_t:s0\0")
    except OSError as error:
        pytest.skip(f"SKIP: no node with a label here: {error}")
    try:
        selinux.paused("node", extra=f"<rng model='virtio'><backend model='random'>{node}</backend></rng>")
        pid = selinux.qemus()["node"]
        if os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt"):
            assert label_of(f"/proc/{pid}/root{node}") == "system_u:object_r:urandom_device_t:s0"
    finally:
        os.unlink(node)


def test_auto_does_not_use_it(selinux):
    """No host that runs it has been seen: whoever wants it says so."""
    selinux.configure("security_driver = auto")
    assert "<model>selinux</model>" not in selinux.virsh("capabilities")
    assert "'security_driver = selinux' is set" in selinux.log_text()
