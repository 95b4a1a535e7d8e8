# SPDX-License-Identifier: LGPL-2.1-or-later
"""virtinst's and libvirt's own programs, unmodified, each at its normal job. One that is not installed is skipped;
tests/clients/run-all installs them first."""
import glob
import os
import re
import shutil
import socket
import subprocess

import pytest

from conftest import CMDLINE, GUEST, SID, wait_for

# A boot sector for a disk and for a CD: it writes its words to the first serial port.
SECTOR = (bytes.fromhex("31c08ed8fc be167c ac 84c0 7406 baf803 ee ebf5 f4 ebfd") + b"ONLINE 0\r\n\0").ljust(510, b"\0") + b"\x55\xaa"
NETWORK = "<network><name>{}</name><bridge name='{}'/><dns enable='no'/></network>"


def program(name):
    if not shutil.which(name):
        pytest.skip(f"SKIP: {name} is not installed: tests/clients/run-all installs it")
    return shutil.which(name)


def run(daemon, *words, ok=True):
    result = subprocess.run(list(map(str, words)), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
                            env={**os.environ, "HOME": daemon.root})
    assert (result.returncode == 0) == ok, f"{words}: {result.stdout[-1000:]}{result.stderr[-1000:]}"
    return result.stdout


# ---- virt-install, virt-xml, virt-clone ----

def install(daemon, name, *words, memory=256, vcpus="2,maxvcpus=4"):
    return run(daemon, program("virt-install"), "--connect", daemon.uri, "--name", name, "--memory", memory, "--vcpus",
               vcpus, "--virt-type", "qemu", "--noautoconsole", "--serial", f"file,path={daemon.console(name)}", "--osinfo",
               "detect=off,require=off", *words)


LINUX = f"kernel={GUEST}/vmlinuz,initrd={GUEST}/initrd,kernel_args={CMDLINE}"


def disk(daemon, name="a.qcow2"):
    os.makedirs(f"{daemon.root}/disks", exist_ok=True)
    path = f"{daemon.root}/disks/{name}"
    subprocess.run(["qemu-img", "create", "-q", "-f", name.split(".")[-1], path, "64M"], check=True)
    return path


@pytest.mark.short
@pytest.mark.client("virt-install", "virtinst", "imports a disk, its guest runs")
def test_virt_install_imports_a_disk(daemon, guest):
    path = disk(daemon)
    install(daemon, "i1", "--import", "--disk", f"path={path}", "--network", "none", "--graphics", "none", "--boot", LINUX)
    daemon.wait_online("i1", "0-1")
    assert path in daemon.virsh("domblklist", "i1")
    assert "disks" in daemon.virsh("pool-list")  # it makes a pool of the disk's directory
    daemon.virsh("setvcpus", "i1", "3", "--live")
    daemon.wait_online("i1", "0-2")


@pytest.mark.client("virt-install", "virtinst", "makes a new disk, VNC graphics, user network")
def test_virt_install_makes_a_disk(daemon, guest):
    install(daemon, "i2", "--import", "--disk", f"size=1,path={daemon.root}/new.qcow2", "--network", "user",
            "--graphics", "vnc", "--boot", LINUX)
    assert os.path.exists(f"{daemon.root}/new.qcow2")
    assert "vnc" in daemon.virsh("domdisplay", "i2")
    daemon.wait_online("i2", "0-1")


def boot_cd(daemon):
    """The image of a CD that says SECTOR's words."""
    os.makedirs(f"{daemon.root}/cd")
    with open(f"{daemon.root}/cd/boot", "wb") as f:
        f.write(SECTOR.ljust(2048, b"\0"))
    subprocess.run([program("xorriso"), "-as", "mkisofs", "-quiet", "-b", "boot", "-no-emul-boot", "-o",
                    f"{daemon.root}/cd.iso", f"{daemon.root}/cd"], check=True, capture_output=True)
    return f"{daemon.root}/cd.iso"


@pytest.mark.client("virt-install", "virtinst", "boots from a CD")
def test_virt_install_boots_a_cd(daemon):
    install(daemon, "i3", "--cdrom", boot_cd(daemon), "--disk", f"path={disk(daemon)}", "--network", "none",
            "--graphics", "none", memory=64)
    assert "cd.iso" in daemon.virsh("domblklist", "i3")
    daemon.wait_online("i3", "0")


@pytest.mark.client("virt-install", "virtinst", "boots a raw disk")
def test_virt_install_boots_a_disk(daemon):
    path = disk(daemon, "a.raw")
    with open(path, "r+b") as f:
        f.write(SECTOR)
    install(daemon, "i4", "--import", "--disk", f"path={path}", "--network", "none", "--graphics", "none", memory=64)
    daemon.wait_online("i4", "0")


@pytest.mark.client("virt-install", "virtinst", "boots by network")
def test_virt_install_boots_by_network(daemon):
    install(daemon, "i5", "--pxe", "--disk", "none", "--network", "user", "--graphics", "none", memory=64)
    assert "user" in daemon.virsh("domiflist", "i5") and daemon.virsh("domstate", "i5").strip() == "running"


@pytest.fixture
def network(daemon):
    """An isolated network that is active, of its daemon's own."""
    path, bridge = f"{daemon.root}/network.xml", f"vc{os.getpid()}"
    with open(path, "w") as f:
        f.write(NETWORK.format("lab", bridge))
    daemon.virsh("net-define", path)
    daemon.virsh("net-start", "lab")
    yield bridge
    for domain in daemon.virsh("list", "--name").split():
        daemon.run("virsh", "destroy", domain, ok=None)
    daemon.run("virsh", "net-destroy", "lab", ok=None)
    subprocess.run(["ip", "link", "del", bridge], capture_output=True)


@pytest.mark.client("virt-install", "virtinst", "a card in a network")
def test_virt_install_uses_a_network(daemon, guest, network):
    install(daemon, "i6", "--import", "--disk", "none", "--network", "network=lab,model=virtio", "--graphics", "none",
            "--boot", LINUX)
    daemon.wait_online("i6", "0-1")
    card = re.search(r"(vnet\d+)\s+network\s+lab", daemon.virsh("domiflist", "i6"))
    assert card and os.path.exists(f"/sys/class/net/{network}/brif/{card[1]}")


@pytest.mark.client("virt-install", "virtinst", "boots with UEFI")
def test_virt_install_boots_with_uefi(daemon, guest):
    if not glob.glob("/usr/share/qemu/firmware/*"):
        pytest.skip("SKIP: ovmf is not installed: tests/clients/run-all installs it")
    install(daemon, "i7", "--import", "--disk", f"path={disk(daemon)}", "--network", "none", "--graphics", "none",
            "--boot", f"uefi,{LINUX}", "--machine", "q35")
    daemon.wait_online("i7", "0-1", 120)
    assert "OVMF" in daemon.virsh("dumpxml", "i7")


@pytest.mark.short
@pytest.mark.client("virt-xml", "virtinst", "edits vCPUs and title, adds a disk and a card, plugs one into a guest")
def test_virt_xml_changes_a_definition(daemon, guest):
    daemon.boot("vm1")
    edit = [program("virt-xml"), "-c", daemon.uri, "vm1"]
    run(daemon, *edit, "--edit", "--vcpus", "3", "--define")
    run(daemon, *edit, "--edit", "--metadata", "title=edited", "--define")
    run(daemon, *edit, "--add-device", "--network", "user", "--define")
    run(daemon, *edit, "--add-device", "--disk", f"path={disk(daemon)},target.bus=virtio", "--define")
    xml = daemon.virsh("dumpxml", "vm1", "--inactive")
    assert ">3</vcpu>" in xml and "<title>edited</title>" in xml and "<interface type='user'>" in xml and "a.qcow2" in xml
    run(daemon, *edit, "--add-device", "--rng", "/dev/urandom", "--update")
    assert "<rng model='virtio'>" in daemon.virsh("dumpxml", "vm1")


@pytest.mark.client("virt-clone", "virtinst", "clones a machine with its disk, the clone runs")
def test_virt_clone_copies_a_disk(daemon, guest):
    path = disk(daemon)
    daemon.define("vm1", extra=f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{path}'/>"
                               "<target dev='vda'/></disk>")
    run(daemon, program("virt-clone"), "--connect", daemon.uri, "--original", "vm1", "--name", "vm2", "--auto-clone")
    clones = [p for p in glob.glob(f"{daemon.root}/disks/*") if p != path]
    assert len(clones) == 1 and clones[0] in daemon.virsh("domblklist", "vm2")
    daemon.virsh("start", "vm2")
    daemon.wait_online("vm1", "0")  # the clone has the serial port of the original


# ---- libvirt's own ----

@pytest.mark.client("virsh", "libvirt-clients", "a guest's day: vCPUs up and down, a disk, suspend, save, reboot")
def test_virsh(daemon, guest):
    day_of_virsh(daemon, "virsh")


def day_of_virsh(daemon, virsh):
    path = disk(daemon)
    daemon.boot("vm1", maximum=4, current=2)

    def say(*words):
        return run(daemon, virsh, "-c", daemon.uri, *words)
    say("setvcpus", "vm1", "4", "--live")
    daemon.wait_online("vm1", "0-3")
    say("vcpupin", "vm1", "3", "0", "--live")
    assert say("vcpucount", "vm1", "--live", "--current").strip() == "4" or "4" in say("vcpucount", "vm1")
    say("attach-disk", "vm1", path, "vdb", "--subdriver", "qcow2", "--live")
    assert path in say("domblklist", "vm1")
    assert "block.count=1" in say("domstats", "vm1")
    say("suspend", "vm1")
    assert say("domstate", "vm1").strip() == "paused"
    say("resume", "vm1")
    say("save", "vm1", f"{daemon.root}/saved")
    assert say("domstate", "vm1").strip() == "shut off"
    say("restore", f"{daemon.root}/saved")
    assert say("domstate", "vm1").strip() == "running"
    say("destroy", "vm1")
    say("undefine", "vm1")


@pytest.fixture
def sid():
    if not os.access(SID, os.X_OK):
        pytest.skip("SKIP: no virsh of Debian sid: scripts/make-virsh gets it")
    return SID


@pytest.mark.client("virsh", "=12.8 of sid", "a guest's day: vCPUs up and down, a disk, suspend, save, reboot")
def test_virsh_of_sid(daemon, guest, sid):
    day_of_virsh(daemon, sid)


@pytest.mark.client("virsh", "=12.8 of sid", "--async unplug that the guest fulfils late, awaited, told by an event",
                    beside="9.0 has neither: setvcpus --async and the event vcpu-removed are of 12")
def test_asynchronous_unplug(daemon, guest, sid):
    """The guest does not hear of the unplug at first: the call is over before it does, the event comes after."""
    daemon.boot("vm1", cmdline="vireo.deaf")
    daemon.virsh("setvcpus", "vm1", "3", "--live")
    daemon.wait_online("vm1", "0-2")
    daemon.deafen("vm1")
    words = [sid, "-c", daemon.uri]
    with subprocess.Popen([*words, "event", "vm1", "--event", "vcpu-removed", "--timeout", "600"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True) as waiting, \
            subprocess.Popen([*words, "await", "vm1", "--condition", "domain-inactive", "--timeout", "600"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as awaiting:
        try:
            wait_for(lambda: registered(daemon) >= 2, 20, "virsh that waits for events")
            run(daemon, *words, "setvcpus", "vm1", "2", "--live", "--async")
            assert "pending" in daemon.virsh("dumpxml", "vm1") or daemon.counts("vm1")["current", "live"] == 3
            daemon.wake("vm1")
            assert "event 'vcpu-removed' for domain 'vm1'" in waiting.communicate(timeout=300)[0]
            wait_for(lambda: daemon.counts("vm1")["current", "live"] == 2, 20, "two vCPUs")
            run(daemon, *words, "setvcpu", "vm1", "1", "--disable", "--live", "--async")
            wait_for(lambda: daemon.counts("vm1")["current", "live"] == 1, 60, "one vCPU")
            run(daemon, *words, "destroy", "vm1")
            assert awaiting.wait(300) == 0
        finally:
            waiting.kill()
            awaiting.kill()


def registered(daemon):
    """How many clients are connected."""
    said = run(daemon, program("virt-admin"), "-c", f"libvirtd:///system?socket={daemon.admin}", "client-list", daemon.side)
    return len([line for line in said.splitlines()[2:] if line.strip()])


@pytest.mark.client("virt-admin", "libvirt-clients", "servers, clients, a limit set")
def test_virt_admin(daemon):
    admin = [program("virt-admin"), "-c", f"libvirtd:///system?socket={daemon.admin}"]
    servers = run(daemon, *admin, "server-list")
    assert daemon.side in servers
    assert "nclients_max" in run(daemon, *admin, "server-clients-info", daemon.side)
    run(daemon, *admin, "server-clients-set", daemon.side, "--max-clients", "100")
    assert re.search(r"nclients_max\s*: 100", run(daemon, *admin, "server-clients-info", daemon.side))
    assert "minWorkers" in run(daemon, *admin, "server-threadpool-info", daemon.side)
    with subprocess.Popen(["virsh", "-c", daemon.uri, "event", "--all", "--loop"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as waiting:
        try:
            def clients():
                return [line.split()[0] for line in run(daemon, *admin, "client-list", daemon.side).splitlines()[2:] if line]
            number = wait_for(clients, 20, "client in the list")[0]
            assert "unix" in run(daemon, *admin, "client-info", daemon.side, number)
            run(daemon, *admin, "client-disconnect", daemon.side, number)
            waiting.wait(60)
        finally:
            waiting.kill()


@pytest.mark.client("virt-host-validate", "libvirt-clients", "checks the host", beside="it asks no daemon")
def test_virt_host_validate(daemon):
    said = subprocess.run([program("virt-host-validate"), "qemu"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert "QEMU: Checking" in said.stdout  # its status is the host's


@pytest.mark.client("virt-xml-validate", "libvirt-clients", "domain, capabilities, domcapabilities are valid")
def test_what_is_told_is_valid(daemon, guest):
    validate = program("virt-xml-validate")
    daemon.boot("vm1", maximum=4, current=2)
    for schema, command in (("domain", ["dumpxml", "vm1"]), ("capability", ["capabilities"]),
                            ("domaincaps", ["domcapabilities"])):
        path = f"{daemon.root}/{schema}.xml"
        with open(path, "w") as f:
            f.write(daemon.virsh(*command))
        run(daemon, validate, path, schema)


@pytest.mark.client("virt-qemu-qmp-proxy", "libvirt-clients-qemu", "QMP of a running guest")
def test_qmp_proxy(daemon, guest):
    proxy = program("virt-qemu-qmp-proxy")
    daemon.boot("vm1")
    path = f"{daemon.root}/qmp.sock"
    process = subprocess.Popen(["/usr/bin/python3", proxy, "-c", daemon.uri, "vm1", path], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: os.path.exists(path), 20, "socket of the proxy")
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(120)
            s.connect(path)
            talk = s.makefile("rw")
            assert "QMP" in talk.readline()
            for command in ("qmp_capabilities", "query-status", "query-cpus-fast"):
                talk.write(f'{{"execute":"{command}"}}\n')
                talk.flush()
                answer = talk.readline()
                assert '"return"' in answer, answer
    finally:
        process.kill()
        process.wait()
