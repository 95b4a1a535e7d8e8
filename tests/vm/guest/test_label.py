# SPDX-License-Identifier: LGPL-2.1-or-later
"""What AppArmor keeps a QEMU to: the kernel of the VM has it on."""
import json
import os
import re
import subprocess
from xml.sax.saxutils import quoteattr

import pytest

from conftest import run

PROFILES = "/sys/kernel/security/apparmor/profiles"
LOCAL = "/etc/apparmor.d/local/vireo-qemu"
USB = "<controller type='usb' model='qemu-xhci'/>"


def worn(pid):
    with open(f"/proc/{pid}/attr/current") as f:
        return f.read().strip("\0\n")


def loaded():
    with open(PROFILES) as f:
        return {line.rpartition(" ")[0] for line in f}


def image(path):
    with open(path, "wb") as f:
        f.truncate(1 << 20)
    os.chmod(path, 0o644)  # whatever denies it is not its mode
    return str(path)


def disk(path, target="sda"):
    return (f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file={quoteattr(path)}/>"
            f"<target dev='{target}' bus='usb'/></disk>")


def seclabel(text):
    return f"</devices>{text}<devices>"


def opens(daemon, name, path):
    """What QEMU says when it is told to open it: None when it could."""
    node = "n" + re.sub(r"\W", "", str(path))[-20:]
    add = {"execute": "blockdev-add", "arguments": {"driver": "file", "node-name": node, "filename": str(path), "read-only": True}}
    answer = json.loads(daemon.virsh("qemu-monitor-command", name, json.dumps(add)))
    if "error" in answer:
        return answer["error"]["desc"]
    daemon.virsh("qemu-monitor-command", name, json.dumps({"execute": "blockdev-del", "arguments": {"node-name": node}}))
    return None


def uuid(daemon, name):
    return daemon.virsh("domuuid", name).strip()


def test_said_where_asked(daemon):
    assert "each QEMU gets a label of AppArmor" in run("vireo", "doctor", ok=None).stdout
    xml = daemon.virsh("capabilities")
    assert re.findall("<model>(apparmor|dac)</model>", xml) == ["apparmor", "dac"]


def test_a_qemu_opens_what_it_needs(daemon, tmp_path):
    """Its own disk, one that comes, and no longer one that has gone; nothing of others that its user could read."""
    own, more, other = (image(tmp_path / name) for name in ("own.raw", "m o[r]e*\\,?\"{x}^@{y}.raw", "other.raw"))
    pid = daemon.paused("held", extra=USB + disk(own))
    theirs = daemon.paused("theirs", extra=USB + disk(other))
    profile = f"vireo-{uuid(daemon, 'held')}"
    assert worn(pid) == f"{profile} (enforce)" and worn(theirs) == f"vireo-{uuid(daemon, 'theirs')} (enforce)"
    xml = daemon.virsh("dumpxml", "held")
    assert f"<label>{profile}</label>" in xml and f"<imagelabel>{profile}</imagelabel>" in xml
    assert "type='dynamic' model='apparmor' relabel='yes'" in xml
    assert "apparmor" not in daemon.virsh("dumpxml", "held", "--inactive")
    said = daemon.virsh("dominfo", "held")
    assert re.search(rf"Security model: *apparmor\n.*\nSecurity label: *{profile} \(enforcing\)", said), said

    def denied(*paths):
        return {path for path in paths if "Permission denied" in (opens(daemon, "held", path) or "")}
    assert denied(own, more, other, "/etc/hostname", "/etc/shadow") == {more, other, "/etc/hostname", "/etc/shadow"}
    file = tmp_path / "disk.xml"
    file.write_text(disk(more, "sdb"))
    daemon.virsh("attach-device", "held", file, "--live")
    assert denied(own, more, other) == {other}
    daemon.virsh("setvcpus", "held", "2", "--live")
    pid_of_daemon = daemon.pid()
    run("systemctl", "restart", "vireod.service")
    assert daemon.pid() != pid_of_daemon and worn(pid) == f"{profile} (enforce)"
    assert denied(own, more, other) == {other}
    daemon.virsh("detach-device", "held", file, "--live")
    assert denied(own, more, other) == {more, other}
    assert profile in loaded()
    daemon.virsh("destroy", "held")
    assert profile not in loaded() and f"vireo-{uuid(daemon, 'theirs')}" in loaded()
    assert not os.path.exists(f"/run/vireo/apparmor/{profile}")


def test_what_a_definition_wants(daemon):
    """None of it, a profile of the administrator's, one that is not there."""
    pid = daemon.paused("free", extra=seclabel("<seclabel type='none' model='apparmor'/>"))
    assert worn(pid) == "unconfined" and opens(daemon, "free", "/etc/hostname") is None
    static = "<seclabel type='static' model='apparmor' relabel='no'><label>{}</label></seclabel>"
    daemon.define("lost", extra=seclabel(static.format("not-there")))
    assert "has no profile 'not-there'" in daemon.virsh("start", "lost", "--paused", ok=False)
    assert "domain 'lost'" in daemon.virsh("start", "lost", "--paused", ok=False)
    text = "profile vm-own flags=(attach_disconnected) { file, network, signal, ptrace, unix, }\n"
    subprocess.run(["apparmor_parser", "--replace"], input=text, text=True, check=True)
    try:
        pid = daemon.paused("given", extra=seclabel(static.format("vm-own")))
        assert worn(pid) == "vm-own (enforce)" and "<label>vm-own</label>" in daemon.virsh("dumpxml", "given")
        daemon.virsh("destroy", "given")
        assert "vm-own" in loaded()  # not ours to take out
    finally:
        subprocess.run(["apparmor_parser", "--remove"], input=text, text=True, check=True)


@pytest.fixture
def local():
    """The administrator's own part of each profile."""
    def write(text):
        os.makedirs(os.path.dirname(LOCAL), exist_ok=True)
        with open(LOCAL, "w") as f:
            f.write(text)
    yield write
    if os.path.exists(LOCAL):
        os.unlink(LOCAL)


def test_what_the_administrator_adds(daemon, local):
    local("/etc/hostname r,\n")
    daemon.paused("more")
    assert opens(daemon, "more", "/etc/hostname") is None and opens(daemon, "more", "/etc/fstab")
    daemon.virsh("destroy", "more")
    local("this is no rule\n")
    said = daemon.virsh("start", "more", "--paused", ok=False)
    assert "domain 'more'" in said and "its profile of AppArmor cannot be loaded" in said, said
    assert daemon.virsh("domstate", "more").strip() == "shut off"
    assert f"vireo-{uuid(daemon, 'more')}" not in loaded()
