# SPDX-License-Identifier: LGPL-2.1-or-later
"""What AppArmor keeps a QEMU to: the kernel of the VM has it on."""
import json
import os
import re
import subprocess
from xml.sax.saxutils import quoteattr

import libvirt
import libvirt_qemu
import pytest

from conftest import run, wait_for

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


def tell(daemon, name, *commands):
    """QMP's answers; in this process, for each virsh takes its time here."""
    connection = libvirt.open(daemon.uri)
    try:
        domain = connection.lookupByName(name)
        return [json.loads(libvirt_qemu.qemuMonitorCommand(domain, json.dumps(command), 0)) for command in commands]
    finally:
        connection.close()


def opens(daemon, name, *paths):
    """What QEMU says when it is told to open each: None where it could."""
    commands = []
    for path in paths:
        add = {"driver": "file", "node-name": "tried", "filename": str(path), "read-only": True}
        commands += [{"execute": "blockdev-add", "arguments": add}, {"execute": "blockdev-del", "arguments": {"node-name": "tried"}}]
    return [answer.get("error", {}).get("desc") for answer in tell(daemon, name, *commands)[::2]]


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
        return {path for path, said in zip(paths, opens(daemon, "held", *paths)) if "Permission denied" in (said or "")}
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


def test_a_transient_disk(daemon, tmp_path):
    """Its QEMU writes to the overlay and reads the image."""
    own = image(tmp_path / "own.raw")
    daemon.paused("passes", extra=USB + disk(own).replace("<target", "<transient/><target"))
    tries = [{"driver": "file", "node-name": "tried", "filename": path, "read-only": reading, "auto-read-only": False}
             for path, reading in ((own, True), (own, False), (own + ".TRANSIENT-passes", False))]
    said = [answer.get("error", {}).get("desc", "") for answer in tell(daemon, "passes", *[
        command for add in tries for command in ({"execute": "blockdev-add", "arguments": add},
                                                 {"execute": "blockdev-del", "arguments": {"node-name": "tried"}})])[::2]]
    assert said[0] == said[2] == "" and "Permission denied" in said[1], said
    daemon.virsh("destroy", "passes")
    assert os.listdir(tmp_path) == ["own.raw"]


def test_a_state_that_is_saved(daemon, tmp_path):
    """Its QEMU writes it where it is told to, and to no other file there."""
    daemon.paused("kept")
    daemon.virsh("save", "kept", tmp_path / "state")
    daemon.virsh("restore", tmp_path / "state", "--paused")
    assert opens(daemon, "kept", image(tmp_path / "other"))[0]
    daemon.virsh("managedsave", "kept")
    daemon.virsh("start", "kept")
    daemon.virsh("destroy", "kept")


def test_what_a_definition_wants(daemon):
    """None of it, a profile of the administrator's, one that is not there."""
    pid = daemon.paused("free", extra=seclabel("<seclabel type='none' model='apparmor'/>"))
    assert worn(pid) == "unconfined" and opens(daemon, "free", "/etc/hostname") == [None]
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


def test_a_profile_that_somebody_takes_out(daemon):
    """As aa-remove-unknown does: the next daemon says so, and the profile is there for what the guest has next."""
    pid = daemon.paused("bare")
    profile = f"vireo-{uuid(daemon, 'bare')}"
    with open("/sys/kernel/security/apparmor/.remove", "w") as f:
        f.write(profile)
    assert worn(pid) == "unconfined" and profile not in loaded()
    run("systemctl", "restart", "vireod.service")
    wait_for(lambda: f"does not wear the label '{profile}' any more" in daemon.log("all"), 20, "a warning")
    wait_for(lambda: profile in loaded(), 20, "the profile")


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
    hostname, version = opens(daemon, "more", "/etc/hostname", "/etc/debian_version")
    assert hostname is None and "Permission denied" in version
    daemon.virsh("destroy", "more")
    local("this is no rule\n")
    said = daemon.virsh("start", "more", "--paused", ok=False)
    assert "domain 'more'" in said and "its profile of AppArmor cannot be loaded" in said, said
    assert daemon.virsh("domstate", "more").strip() == "shut off"
    assert f"vireo-{uuid(daemon, 'more')}" not in loaded()
