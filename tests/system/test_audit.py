# SPDX-License-Identifier: LGPL-2.1-or-later
"""Records in a real auditd's log, found by ausearch: start, stop and each vCPU, when it went well and when not."""
import os
import re
import subprocess
import sys

from auditing import auditctl, auditd  # noqa: F401 (a fixture)
from conftest import PATIENT, wait_for

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../sim"))
import simulated  # noqa: E402


def uuid_of(daemon, name):
    return daemon.virsh("domuuid", name).strip()


def test_a_life(daemon, auditd, tmp_path):
    """Each record in libvirt's form, field by field."""
    (tmp_path / "disk").write_bytes(b"\0" * 65536)
    extra = (f"<disk type='file'><driver name='qemu' type='raw'/><source file='{tmp_path}/disk'/>"
             "<target dev='vda' bus='virtio'/></disk>"
             "<interface type='user'><mac address='52:54:00:11:22:33'/><model type='virtio'/></interface>")
    daemon.paused("ol8", maximum=4, current=2, extra=extra)
    uuid, pid = uuid_of(daemon, "ol8"), daemon.qemus()["ol8"]
    daemon.virsh("setvcpus", "ol8", "4", "--live")
    daemon.virsh("destroy", "ol8")
    auditd.wait_for("op=stop", "VIRT_CONTROL", about=uuid)
    resources = "\n".join(auditd.records("VIRT_RESOURCE", about=uuid))
    control = "\n".join(auditd.records("VIRT_CONTROL", about=uuid))
    for words in (f'resrc=disk reason=start vm="ol8" uuid={uuid} old-disk="?" new-disk="{tmp_path}/disk"',
                  f'resrc=net reason=start vm="ol8" uuid={uuid} old-net="?" new-net="52:54:00:11:22:33"',
                  f'resrc=mem reason=start vm="ol8" uuid={uuid} old-mem=0 new-mem=65536',
                  f'resrc=vcpu reason=start vm="ol8" uuid={uuid} old-vcpu=0 new-vcpu=2',
                  f'resrc=vcpu reason=update vm="ol8" uuid={uuid} old-vcpu=2 new-vcpu=3',
                  f'resrc=vcpu reason=update vm="ol8" uuid={uuid} old-vcpu=3 new-vcpu=4'):
        assert re.search(re.escape(f"msg='virt=qemu {words} exe=") + r'"[^"]+" hostname=\? addr=\? terminal=\? res=success',
                         resources), (words, resources)
    assert f"virt=qemu op=start reason=booted vm=\"ol8\" uuid={uuid} vm-pid={pid} " in control
    assert f"virt=qemu op=stop reason=destroyed vm=\"ol8\" uuid={uuid}" in control
    if os.geteuid() == 0:
        assert f'resrc=cgroup reason=allow vm="ol8" uuid={uuid} cgroup="{daemon.partition}/' in resources


def test_removal(daemon, auditd, guest):
    """The record comes with the guest's evidence: at once, or late."""
    daemon.configure(*PATIENT)
    daemon.boot("t", maximum=3, cmdline="vireo.deaf")
    daemon.virsh("setvcpus", "t", "3", "--live")
    daemon.wait_online("t", "0-2")
    uuid = uuid_of(daemon, "t")
    daemon.virsh("setvcpus", "t", "2", "--live")
    auditd.wait_for("reason=update vm=\"t\" uuid=" + uuid + " old-vcpu=3 new-vcpu=2", "VIRT_RESOURCE")
    daemon.deafen("t")
    daemon.configure("unplug_timeout_ms = 1000")
    daemon.virsh("setvcpus", "t", "1", "--live", ok=False)
    assert not [line for line in auditd.records("VIRT_RESOURCE", about=uuid) if "new-vcpu=1 " in line and "update" in line]
    daemon.wake("t")
    auditd.wait_for("old-vcpu=2 new-vcpu=1", "VIRT_RESOURCE", about=uuid, seconds=30)


def test_failures(daemon, auditd):
    """A start, a plug and a removal that fail: res=failed, with what had been wanted."""
    daemon.define("b", boot=False, tune="<cputune><vcpusched vcpus='0' scheduler='batch'/></cputune>",
                  emulator="/bin/false")
    daemon.virsh("start", "b", ok=False)
    daemon.define("c", boot=False, cpu="<cpu mode='custom'><model>no-such-model</model></cpu>")
    daemon.virsh("start", "c", ok=False)
    auditd.wait_for("res=failed", "VIRT_CONTROL", about=f"op=start reason=booted vm=\"c\" uuid={uuid_of(daemon, 'c')}")
    simulated.start(daemon, "s", {"add_error": 1})
    uuid = uuid_of(daemon, "s")
    assert "no room for another CPU" in daemon.virsh("setvcpus", "s", "4", "--live", ok=False)
    lines = "\n".join(auditd.wait_for("res=failed", "VIRT_RESOURCE", about=uuid))
    assert "resrc=vcpu reason=update" in lines and "old-vcpu=1 new-vcpu=2" in lines, lines
    simulated.start(daemon, "d", {"del_error": 1})
    uuid = uuid_of(daemon, "d")
    daemon.virsh("setvcpus", "d", "3", "--live")
    daemon.virsh("setvcpus", "d", "2", "--live", ok=False)
    assert "old-vcpu=3 new-vcpu=2" in auditd.wait_for("res=failed", "VIRT_RESOURCE", about=uuid)[0]


def test_levels(daemon, auditd):
    """0: no records. 2: no audit, no daemon; and a start that cannot be recorded is none."""
    daemon.configure("audit_level = 0")
    daemon.paused("quiet")
    daemon.virsh("destroy", "quiet")
    daemon.configure("audit_level = 2")
    daemon.paused("loud")
    auditd.wait_for("op=start", "VIRT_CONTROL", about=uuid_of(daemon, "loud"))
    assert not auditd.records("VIRT_CONTROL", about=uuid_of(daemon, "quiet"))
    auditctl("-e", "0")
    daemon.define("never", boot=False)
    assert "auditctl -e 1" in daemon.virsh("start", "never", "--paused", ok=False)
    wait_for(lambda: "never" not in daemon.qemus(), 10, "end of QEMU")
    daemon.stop()
    try:
        daemon.start()
    except AssertionError:
        assert "audit" in daemon.log_text()
    else:
        raise AssertionError("vireod starts without the audit that is required")
    finally:
        daemon.process.wait(10)
        auditctl("-e", "1")
        with open(f"{daemon.root}/etc/vireod.conf", "w") as f:
            f.write("audit_level = 1\n")
        daemon.start()


def test_who_called(daemon, auditd):
    """Each call that changes something, with the process that made it, its user and its login; none that only looks."""
    daemon.define("called", boot=False)
    uuid = uuid_of(daemon, "called")
    client = subprocess.Popen(["virsh", "-c", daemon.uri, "autostart", "called"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL)
    client.wait()
    daemon.virsh("dominfo", "called")
    daemon.virsh("destroy", "called", ok=False)
    login, session = (open(f"/proc/self/{name}").read() for name in ("loginuid", "sessionid"))
    by = f"caller-uid={os.getuid()} caller-auid={login} caller-ses={session} "
    auditd.wait_for("op=virDomainDestroy", "TRUSTED_APP", about=uuid)
    records = auditd.records("TRUSTED_APP", about=uuid)
    assert len(records) == 2, records
    assert f'op=virDomainSetAutostart reason=call vm="called" uuid={uuid} caller-pid={client.pid} {by}' in records[0]
    assert f'op=virDomainDestroy reason=call vm="called" uuid={uuid} caller-pid=' in records[1] and by in records[1]
    assert "res=success" in records[0] and "res=failed" in records[1]
    auditd.wait_for("op=virDomainDefineXML", "TRUSTED_APP", about='vm="?" uuid=? caller-pid=')
