# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks that are volumes of a storage pool, as provisioning tools write them, and devices of the host."""
import os
import re
import stat

import pytest

from conftest import PATIENT, wait_for

DISK = """<disk type='volume' device='{device}'>{driver}<source pool='{pool}' volume='{volume}'/>
<target dev='{target}' bus='{bus}'/></disk>"""


@pytest.fixture
def pool(daemon):
    daemon.configure(*PATIENT)
    path = f"{daemon.root}/images"
    os.mkdir(path)
    daemon.virsh("pool-define-as", "vols", "dir", "--target", path)
    daemon.virsh("pool-start", "vols")
    daemon.virsh("vol-create-as", "vols", "a.qcow2", "8M", "--format", "qcow2")
    daemon.virsh("vol-create-as", "vols", "b.img", "4M", "--format", "raw")
    return path


def disk(volume, target="vda", bus="virtio", device="disk", driver="", pool="vols"):
    return DISK.format(volume=volume, target=target, bus=bus, device=device, driver=driver, pool=pool)


def blocks(daemon, name):
    return daemon.virsh("qemu-monitor-command", name, '{"execute": "query-named-block-nodes"}')


def test_started(daemon, pool):
    """The machine has the volume's file in the volume's format; its definition has the volume. The next daemon knows it."""
    daemon.paused("v1", extra=disk("a.qcow2"))
    said = blocks(daemon, "v1")
    assert f"{pool}/a.qcow2" in said and '"drv":"qcow2"' in said.replace(" ", "")
    live = daemon.virsh("dumpxml", "v1")
    assert "<source pool='vols' volume='a.qcow2' index='1'/>" in live and "type='volume'" in live
    assert "Capacity:       8388608" in daemon.virsh("domblkinfo", "v1", "vda")
    uid = os.stat(f"/proc/{daemon.qemus()['v1']}").st_uid
    assert os.stat(f"{pool}/a.qcow2").st_uid == uid
    daemon.stop()
    daemon.start()
    assert "<source pool='vols' volume='a.qcow2' index='1'/>" in daemon.virsh("dumpxml", "v1")
    daemon.virsh("destroy", "v1")
    wait_for(lambda: os.stat(f"{pool}/a.qcow2").st_uid == os.geteuid(), 30, "the volume's owner as it was")


def test_attached(daemon, pool):
    daemon.paused("v1", extra=disk("a.qcow2") + "<controller type='scsi' model='virtio-scsi'/>")
    path = f"{daemon.root}/more.xml"
    with open(path, "w") as f:
        f.write(disk("b.img", "sda", "scsi"))
    daemon.virsh("attach-device", "v1", path, "--live")
    assert f"{pool}/b.img" in blocks(daemon, "v1")
    assert "<source pool='vols' volume='b.img' index='2'/>" in daemon.virsh("dumpxml", "v1")
    daemon.virsh("detach-disk", "v1", "sda", "--live")
    wait_for(lambda: "b.img" not in blocks(daemon, "v1"), 30, "a QEMU without the volume")


@pytest.mark.parametrize("given, sentence", [({"volume": "none.img"}, "no storage vol with matching name 'none.img'"),
                                             ({"volume": "a.qcow2", "pool": "nobody"},
                                              "no storage pool with matching name 'nobody'")])
def test_not_there(daemon, pool, given, sentence):
    daemon.define("v1", boot=False, extra=disk(**given))
    assert sentence in daemon.virsh("start", "v1", "--paused", ok=False)
    assert daemon.virsh("domstate", "v1").strip() == "shut off"


def test_pool_is_not_active(daemon, pool):
    daemon.define("v1", boot=False, extra=disk("a.qcow2"))
    daemon.virsh("pool-destroy", "vols")
    assert "storage pool 'vols' is not active" in daemon.virsh("start", "v1", "--paused", ok=False)
    daemon.virsh("pool-start", "vols")
    daemon.virsh("start", "v1", "--paused")


@pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: nodes are made by root")
def test_only_a_drive_is_asked_for_its_medium(daemon, tmp_path):
    """QEMU takes any other device in a CD-ROM drive for an empty one, if it is told to ask it."""
    drivers = {}
    for name, major in (("drive", 11), ("loop", 7)):
        os.mknod(tmp_path / name, 0o600 | stat.S_IFBLK, os.makedev(major, 0))
        xml = tmp_path / f"{name}.xml"
        xml.write_text(f"""<domain type='qemu'><name>{name}</name><memory>65536</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os><devices><disk type='block' device='cdrom'>
<source dev='{tmp_path / name}'/><target dev='sda' bus='sata'/></disk></devices></domain>""")
        words = daemon.virsh("domxml-to-native", "qemu-argv", xml)
        drivers[name] = re.search(r'"driver":"(host_\w+)"', words)[1]
    assert drivers == {"drive": "host_cdrom", "loop": "host_device"}
