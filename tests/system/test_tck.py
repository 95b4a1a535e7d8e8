# SPDX-License-Identifier: LGPL-2.1-or-later
"""What libvirt's TCK (libvirt/libvirt-tck) does and once failed at, a small test for each of its causes."""
import os
import shutil
import subprocess

import libvirt
import pytest

from conftest import QEMU, refused, wait_for
from test_confine import USER, owned, owner  # noqa: F401
from test_device import PORTS, peripherals

UUID = "44444444-2222-4111-8111-111111111111"
PASSPHRASE = b"Hello World"


@pytest.fixture(autouse=True)
def have_qemu_img():
    if not shutil.which("qemu-img"):
        pytest.skip("SKIP: qemu-img is not installed (package qemu-utils)")


def disk(path, form, target="vda", more=""):
    return (f"<disk type='file' device='disk'><driver name='qemu' type='{form}'/><source file='{path}'/>"
            f"<target dev='{target}' bus='virtio'/>{more}</disk>")


def pool_at(connection, path):
    os.makedirs(path, exist_ok=True)
    return connection.storagePoolCreateXML(f"<pool type='dir'><name>tck</name><target><path>{path}</path></target></pool>")


def volume(pool, name, form, backing="", target=""):
    return pool.createXML(f"<volume><name>{name}</name><capacity>1048576</capacity><allocation>0</allocation>"
                          f"<target><format type='{form}'/>{target}</target>{backing}</volume>")


def backing(path, form=""):
    return f"<backingStore><path>{path}</path>{form}</backingStore>"


# ---- set up: lists of what there is nothing of, and lookups ----

def test_both_forms_of_lists(connection):
    for name in ("Networks", "DefinedNetworks", "StoragePools", "DefinedStoragePools", "Interfaces", "DefinedInterfaces",
                 "DefinedDomains", "Secrets", "NWFilters"):
        n = getattr(connection, "numOf" + name)()
        assert n == len(getattr(connection, "list" + name)()), name
    refused(connection.networkLookupByName, libvirt.VIR_ERR_NO_NETWORK, "tck")
    refused(connection.storagePoolLookupByName, libvirt.VIR_ERR_NO_STORAGE_POOL, "tck")
    refused(connection.storageVolLookupByPath, libvirt.VIR_ERR_NO_STORAGE_VOL, "/tck")
    refused(connection.secretLookupByUUIDString, libvirt.VIR_ERR_NO_SECRET, UUID)


# ---- 081: a domain that is defined is created from XML ----

def test_create_over_a_definition(daemon, connection):
    text = connection.defineXML(daemon.xml("tck", boot=False)).XMLDesc()
    refused(connection.createXML, libvirt.VIR_ERR_OPERATION_FAILED, text.replace("<name>tck", "<name>other"))
    created = connection.createXML(text, libvirt.VIR_DOMAIN_START_PAUSED)
    assert created.isActive() and created.isPersistent()


# ---- 180, 200: an interface of a network that is not there ----

def test_a_network_that_is_not_there(daemon, connection):
    """Whether or not the machine has room for one more card; the definition may have it."""
    daemon.paused("tck")
    domain = connection.lookupByName("tck")
    card = "<interface type='network'><source network='tcknone'/></interface>"
    live, config = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG
    for flags in (live, live | config):
        refused(domain.attachDeviceFlags, libvirt.VIR_ERR_NO_NETWORK, card, flags)
    assert "tcknone" not in domain.XMLDesc() + domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    network = connection.networkDefineXML("<network><name>tcknone</name><bridge name='vttck0'/></network>")
    refused(domain.attachDeviceFlags, libvirt.VIR_ERR_OPERATION_INVALID, card, live)
    network.undefine()
    domain.attachDeviceFlags(card, config)
    domain.destroy()
    refused(domain.create, libvirt.VIR_ERR_NO_NETWORK)


# ---- 120, 121: counters of disks, their size, their bytes ----

def test_disks(daemon, connection):
    pool = pool_at(connection, f"{daemon.root}/tck")
    raw, qcow2 = volume(pool, "raw", "raw").path(), volume(pool, "qcow2", "qcow2").path()
    daemon.paused("tck", extra=disk(raw, "raw") + disk(qcow2, "qcow2", "vdb"))
    domain = connection.lookupByName("tck")
    assert len(domain.blockStats("vda")) == 5
    assert domain.blockInfo("vda")[0] == domain.blockInfo("vdb")[0] == 1 << 20
    domain.blockResize("vda", 512)
    assert os.stat(raw).st_size == 512 << 10 and domain.blockInfo("vda")[0] == 512 << 10
    with open(raw, "r+b") as f:
        f.write(b"test")
    assert domain.blockPeek(raw, 0, 4) == b"test"
    refused(domain.blockPeek, libvirt.VIR_ERR_CONFIG_UNSUPPORTED, qcow2, 0, 3)


# ---- 301: the speed of migrations ----

def test_migration_speed(daemon, connection):
    daemon.paused("tck")
    domain = connection.lookupByName("tck")
    domain.migrateSetMaxSpeed(10000)
    assert domain.migrateGetMaxSpeed() == 10000


# ---- qemu/100: LUKS ----

def encryption(uuid=UUID):
    return f"<encryption format='luks'><secret type='passphrase' uuid='{uuid}'/></encryption>"


@pytest.mark.parametrize("form", ("raw", "qcow2"))
def test_encrypted_disk(owned, form):  # noqa: F811
    connection = libvirt.open(owned.uri)
    pool = pool_at(connection, f"{owned.root}/tck")
    refused(volume, libvirt.VIR_ERR_NO_SECRET, pool, "no-secret", form, "", encryption())
    secret = connection.secretDefineXML(f"<secret ephemeral='no' private='no'><uuid>{UUID}</uuid>"
                                        f"<usage type='volume'><volume>/tck</volume></usage></secret>")
    refused(volume, libvirt.VIR_ERR_NO_SECRET, pool, "no-value", form, "", encryption())
    secret.setValue(PASSPHRASE)
    made = volume(pool, "made", form, "", encryption())
    path = made.path()
    text = subprocess.check_output(["qemu-img", "info", path], text=True)
    assert "encrypted: yes" in text or "format: luks" in text, text
    assert f"<format type='{form}'/>" in made.XMLDesc() and "<encryption format='luks'>" in made.XMLDesc()
    pool.refresh()
    assert made.info()[1] == 1 << 20 and "<encryption format='luks'" in made.XMLDesc()

    refused(connection.createXML, libvirt.VIR_ERR_NO_SECRET,
            owned.xml("tck", boot=False, extra=disk(path, form, more=encryption(UUID[:-1] + "2"))))
    owned.paused("tck", extra=PORTS + disk(path, form, more=encryption()))
    domain = connection.lookupByName("tck")
    assert domain.blockInfo("vda")[0] == 1 << 20
    with open(f"/proc/{owned.qemus()['tck']}/cmdline", "rb") as f:
        assert PASSPHRASE not in f.read()
    second = disk(volume(pool, "second", form, "", encryption()).path(), form, "vdb", encryption())
    domain.attachDeviceFlags(second, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    assert domain.blockInfo("vdb")[0] == 1 << 20
    assert PASSPHRASE.decode() not in owned.log_text()
    owned.stop()
    owned.start()
    owned.virsh("destroy", "tck")
    connection.close()
    connection = libvirt.open(owned.uri)
    connection.secretLookupByUUIDString(UUID).setValue(b"another")
    assert "Invalid password" in owned.virsh("start", "tck", ok=False)
    log = subprocess.run(["grep", "-rlaF", PASSPHRASE.decode(), f"{owned.root}/log"], capture_output=True).stdout
    assert log == b""
    wiped = connection.storageVolLookupByPath(path)
    wiped.wipe(0)
    assert "<encryption" not in wiped.XMLDesc()
    connection.close()


# ---- qemu/200, 205, 210: files below a qcow2 image ----

def test_files_that_a_header_names(owned):  # noqa: F811
    """They are QEMU's for the run; what the header of one calls raw is not looked into."""
    connection = libvirt.open(owned.uri)
    pool = pool_at(connection, f"{owned.root}/tck")
    last = volume(pool, "last", "raw").path()
    back = volume(pool, "back", "qcow2", backing(last, "<format type='raw'/>")).path()
    both = volume(pool, "both", "qcow2", backing(back, "<format type='qcow2'/>")).path()
    main = volume(pool, "main", "qcow2", backing(back)).path()
    assert owner(last) == owner(back) == owner(main) == (0, 0)
    owned.paused("tck", extra=disk(main, "qcow2"))
    assert owner(main) == owner(back) == (USER, USER) and owner(last) == (0, 0)
    owned.virsh("destroy", "tck")
    assert owner(main) == owner(back) == (0, 0)
    owned.paused("whole", extra=disk(both, "qcow2"))
    assert owner(both) == owner(back) == owner(last) == (USER, USER)
    owned.virsh("destroy", "whole")
    assert owner(both) == owner(back) == owner(last) == (0, 0)
    owned.paused("raw", extra=disk(main, "raw"))
    assert owner(main) == (USER, USER) and owner(back) == (0, 0)
    connection.close()


def test_a_header_that_a_guest_wrote(owned):  # noqa: F811
    """It gets its QEMU nothing of other directories."""
    os.makedirs(f"{owned.root}/mine")
    foreign, image = f"{owned.root}/foreign", f"{owned.root}/mine/image.qcow2"
    with open(foreign, "wb") as f:
        f.truncate(1 << 20)
    os.chmod(foreign, 0o600)
    for name in (foreign, "../foreign"):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", name, "-F", "raw", image], check=True)
        owned.define(f"tck{len(name)}", boot=False, extra=disk(image, "qcow2"))
        assert "Permission denied" in owned.virsh("start", f"tck{len(name)}", ok=False)
        assert owner(foreign) == (0, 0)


# ---- qemu/200, 205, 210: whom QEMU is, by the pid that is in a file ----

def pid_in(path):
    with open(path) as f:
        return int(f.read())


@pytest.mark.parametrize("elsewhere", [False, True])
def test_pid_file(daemon, elsewhere):
    directory = f"{daemon.root}/pids" if elsewhere else f"{daemon.root}/run/qemu"
    if elsewhere:
        daemon.configure(f"pid_dir = {directory}")
    daemon.paused("tck")
    assert pid_in(f"{directory}/tck.pid") == daemon.qemus()["tck"]
    daemon.stop()
    os.unlink(f"{directory}/tck.pid")
    daemon.start()
    wait_for(lambda: os.path.exists(f"{directory}/tck.pid"), 5, "pid of a QEMU that was found again")
    assert pid_in(f"{directory}/tck.pid") == daemon.qemus()["tck"]
    daemon.virsh("destroy", "tck")
    assert not os.path.exists(f"{directory}/tck.pid")


# ---- 202: nodes for a domain that has none ----

def test_nodes_of_a_running_domain(daemon, connection):
    """A guest whose memory nothing binds is held by its cgroup alone: its nodes can change while it runs, and what
    is saved then can be restored."""
    daemon.define("tck", boot=False)
    domain = connection.lookupByName("tck")
    domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    live, config = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG
    refused(domain.setNumaParameters, libvirt.VIR_ERR_OPERATION_INVALID,
            {"numa_mode": libvirt.VIR_DOMAIN_NUMATUNE_MEM_INTERLEAVE, "numa_nodeset": "0"}, live)
    for flags in (live, live, config):
        domain.setNumaParameters({"numa_nodeset": "0"}, flags)
    assert domain.numaParameters(live)["numa_nodeset"] == "0"
    domain.save(f"{daemon.root}/saved")
    connection.restore(f"{daemon.root}/saved")
    assert domain.isActive()
    assert "mode='restrictive' nodeset='0'" in domain.XMLDesc()
    assert "mode='strict' nodeset='0'" in domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)


# ---- 205: a SCSI disk for a machine without a SCSI controller, which comes with it ----

CONTROLLER = "<controller type='scsi' index='0' model='lsilogic'"


@pytest.fixture
def pc(daemon, connection):
    """On i440fx a slot is free for it."""
    return connection.createXML(f"""<domain type='qemu'><name>tck</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
  <devices><emulator>{QEMU}</emulator></devices></domain>""",
                                libvirt.VIR_DOMAIN_START_PAUSED)


def scsi_disk(daemon, target):
    path = f"{daemon.root}/{target}.img"
    with open(path, "wb") as f:
        f.truncate(1 << 20)
    return f"<disk type='file'><source file='{path}'/><target dev='{target}'/></disk>"


def test_a_scsi_disk_brings_its_controller(daemon, pc):
    for target in ("sdb", "sda"):
        pc.attachDevice(scsi_disk(daemon, target))
    live = pc.XMLDesc()
    assert live.count("<controller type='scsi'") == 1 and CONTROLLER in live
    assert live.index("dev='sda'") < live.index("dev='sdb'")
    assert "scsi0" in peripherals(daemon, "tck")
    refused(pc.attachDevice, libvirt.VIR_ERR_OPERATION_FAILED, CONTROLLER + "/>")
    refused(pc.detachDevice, libvirt.VIR_ERR_OPERATION_FAILED, CONTROLLER + "/>")
    pc.attachDevice("<controller type='scsi' model='virtio-scsi'/>")
    assert "<controller type='scsi' index='1' model='virtio-scsi'" in pc.XMLDesc()
    assert {"scsi0", "scsi1"} <= peripherals(daemon, "tck")
    refused(pc.attachDevice, libvirt.VIR_ERR_OPERATION_UNSUPPORTED, "<controller type='usb' model='qemu-xhci'/>")
    daemon.stop()
    daemon.start()
    assert "<controller type='scsi' index='1' model='virtio-scsi'" in daemon.virsh("dumpxml", "tck")


CONFIG = libvirt.VIR_DOMAIN_AFFECT_CONFIG


def test_a_controller_of_the_definition(daemon, connection):
    daemon.define("tck", boot=False)
    domain = connection.lookupByName("tck")
    before, one = domain.XMLDesc(), "<controller type='scsi' index='0' model='virtio-scsi'/>"
    domain.attachDeviceFlags(one, CONFIG)
    assert "<controller type='scsi' index='0' model='virtio-scsi'" in domain.XMLDesc()
    domain.detachDeviceFlags(one, CONFIG)
    assert domain.XMLDesc() == before
    domain.attachDeviceFlags(one, CONFIG)
    domain.attachDeviceFlags(scsi_disk(daemon, "sda"), CONFIG)
    domain.detachDeviceFlags(one, CONFIG)
    assert "<controller type='scsi' index='0'" in domain.XMLDesc(), "its disk has no controller"


# ---- storage/051, 200 ----

def test_a_pool_without_a_definition_does_not_start_by_itself(daemon, connection):
    refused(pool_at(connection, f"{daemon.root}/tck").setAutostart, libvirt.VIR_ERR_INTERNAL_ERROR, 1)


def test_a_volume_that_has_grown_is_copied(daemon, connection):
    """The copy has the size of the file by now, and vmdk cannot be resized."""
    pool = pool_at(connection, f"{daemon.root}/tck")
    source = volume(pool, "source", "raw")
    os.truncate(source.path(), (1 << 20) + 4096)
    copy = pool.createXMLFrom("<volume><name>copy</name><capacity>1052672</capacity><target><format type='vmdk'/></target>"
                              "</volume>", source)
    assert copy.info()[1] == (1 << 20) + 4096
