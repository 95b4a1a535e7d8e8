# SPDX-License-Identifier: LGPL-2.1-or-later
"""What runs machines for an operator: Ansible's modules, Pacemaker's resource agent, fencing, libguestfs with its appliance
in the daemon. Unmodified; one that is not installed is skipped; tests/clients/run-all installs them."""
import glob
import json
import os
import re
import socket
import subprocess

import pytest

from conftest import HERE, system, wait_for
from test_clients import program, run
from test_programs import installed, machine, raw

COLLECTION = "/usr/lib/python3/dist-packages/ansible_collections/community/libvirt"
AGENT = "/usr/lib/ocf/resource.d/heartbeat/VirtualDomain"
APPLIANCE = f"{system.BUILD}/appliance"  # a kernel with its modules, made by run-all
DEBIAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}  # these programs are for Debian's own python3


def say(daemon, *words, status=0, **environment):
    """The program's words; it must end with that status."""
    done = subprocess.run(list(map(str, words)), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=500,
                          env={**os.environ, **DEBIAN, "HOME": daemon.root, "LC_ALL": "C.UTF-8", **environment})
    assert done.returncode == status, f"{words}: {done.returncode}: {done.stdout[-1500:]}{done.stderr[-1500:]}"
    return done.stdout


# ---- Ansible ----

@pytest.mark.client("ansible", "ansible", "community.libvirt: a pool, a network, a machine from definition to the end")
def test_ansible(daemon, guest):
    installed(COLLECTION)
    with open(f"{daemon.root}/vm.xml", "w") as f:
        f.write(daemon.xml("vm1", extra="<interface type='network'><source network='anslab'/></interface>"))
    bridge = f"an{os.getpid()}"
    try:
        said = say(daemon, program("ansible-playbook"), "-i", "localhost,", "-e", f"uri={daemon.uri}", "-e",
                   f"root={daemon.root}", "-e", f"bridge={bridge}", "-e", "ansible_python_interpreter=/usr/bin/python3",
                   f"{HERE}/ansible-day.yml")
    finally:
        subprocess.run(["ip", "link", "del", bridge], capture_output=True)
    assert re.search(r"failed=0", said) and not daemon.qemus()
    assert not daemon.virsh("list", "--all", "--name").split() and "ans" not in daemon.virsh("pool-list", "--all")


@pytest.mark.client("ansible", "ansible", "community.libvirt: the inventory of what runs")
def test_ansible_inventory(daemon, guest):
    installed(COLLECTION)
    machine(daemon)
    daemon.define("vm2")
    path = f"{daemon.root}/lab.libvirt.yml"
    with open(path, "w") as f:
        f.write(f"plugin: community.libvirt.libvirt\nuri: '{daemon.uri}'\n")
    hosts = json.loads(say(daemon, program("ansible-inventory"), "-i", path, "--list"))["_meta"]["hostvars"]
    assert {name: hosts[name]["info"]["state"] for name in hosts} == {"vm1": "running", "vm2": "shutoff"}
    assert "<name>vm1</name>" in hosts["vm1"]["xml_desc"] and hosts["vm1"]["info"]["nrVirtCpu"] == 2


# ---- Pacemaker ----

class Resource:
    """The resource agent as a cluster's node calls it."""

    def __init__(self, daemon, config):
        self.daemon = daemon
        os.makedirs(f"{daemon.root}/ocf", exist_ok=True)
        self.environment = {
            "OCF_ROOT": "/usr/lib/ocf", "OCF_RESOURCE_TYPE": "VirtualDomain", "OCF_RESOURCE_INSTANCE": "vm1",
            "OCF_RESOURCE_PROVIDER": "heartbeat", "HA_RSCTMP": f"{daemon.root}/ocf", "HA_LOGFACILITY": "none",
            "HA_LOGFILE": f"{daemon.root}/ocf/log", "OCF_RESKEY_CRM_meta_timeout": "240000",
            "OCF_RESKEY_CRM_meta_interval": "0", "OCF_RESKEY_config": config, "OCF_RESKEY_hypervisor": daemon.uri}

    def __call__(self, action, status=0, **more):
        say(self.daemon, AGENT, action, status=status, **self.environment, **more)


NOT_RUNNING = 7


def resource(daemon, name="vm1", extra=""):
    installed(AGENT)
    config = f"{daemon.root}/{name}.xml"
    with open(config, "w") as f:
        f.write(daemon.xml(name, boot=False, extra=extra).replace("<memory", "\n<memory"))  # it looks for a line with <name>
    return Resource(daemon, config)


@pytest.mark.client("Pacemaker", "resource-agents", "VirtualDomain: start, monitor, stop, also by force")
def test_pacemaker(daemon):
    act = resource(daemon)
    act("validate-all")
    act("monitor", NOT_RUNNING)
    for _ in range(2):
        act("start")
        act("monitor")
    assert list(daemon.qemus()) == ["vm1"]
    act("stop", OCF_RESKEY_force_stop="true")
    act("monitor", NOT_RUNNING)
    act("stop")
    assert not daemon.qemus() and daemon.virsh("list", "--all", "--name").split() == []


@pytest.mark.client("Pacemaker", "resource-agents", "VirtualDomain: live migration to another node")
def test_pacemaker_migrates(daemon, other):
    here = resource(daemon)
    there = resource(other)
    there.environment["OCF_RESKEY_config"] = here.environment["OCF_RESKEY_config"]
    here("start")
    here("migrate_to", OCF_RESKEY_CRM_meta_migrate_target="other", OCF_RESKEY_remoteuri=other.uri)
    there("migrate_from", OCF_RESKEY_CRM_meta_migrate_source="here")
    there("monitor")
    here("monitor", NOT_RUNNING)
    assert not daemon.qemus() and list(other.qemus()) == ["vm1"]
    there("stop", OCF_RESKEY_force_stop="true")


# ---- fencing ----

@pytest.mark.client("fence_virt", "fence-virtd", "its daemon on libvirt: list, status, off, on")
def test_fencing(daemon, guest):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    daemon.boot("vm1")
    key, config = f"{daemon.root}/key", f"{daemon.root}/fence.conf"
    with open(key, "wb") as f:
        f.write(os.urandom(64))
    with open(config, "w") as f:
        f.write(f"""fence_virtd {{ listener = "tcp"; backend = "libvirt"; wait_for_init = "yes";
  module_path = "/usr/lib/x86_64-linux-gnu/fence-virt"; }}
listeners {{ tcp {{ key_file = "{key}"; address = "127.0.0.1"; port = "{port}"; }} }}
backends {{ libvirt {{ uri = "{daemon.uri}"; }} }}
""")
    process = subprocess.Popen([program("fence_virtd"), "-F", "-f", config, "-p", f"{daemon.root}/fence.pid"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def listens():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def fence(action, status=0):
        return say(daemon, program("fence_virt"), "-T", "127.0.0.1", "-p", port, "-k", key, "-o", action, "-H", "vm1",
                   status=status)
    try:
        wait_for(listens, 20, "fence_virtd that listens")
        assert "vm1" in fence("list")
        fence("status")
        fence("off")
        assert not daemon.qemus()
        fence("status", 2)
        fence("on")
        assert list(daemon.qemus()) == ["vm1"]
        fence("status")
    finally:
        process.kill()
        process.wait()


# ---- libguestfs ----

@pytest.fixture
def appliance(daemon):
    """What makes libguestfs run its appliance in that daemon."""
    more = {}
    kernels = glob.glob(f"{APPLIANCE}/boot/vmlinuz-*")
    if kernels:
        number = kernels[0].rpartition("vmlinuz-")[2]
        more = {"SUPERMIN_KERNEL": kernels[0], "SUPERMIN_KERNEL_VERSION": number,
                "SUPERMIN_MODULES": f"{APPLIANCE}/lib/modules/{number}"}
    elif not glob.glob("/boot/vmlinuz-*"):
        pytest.skip("SKIP: no kernel for an appliance: tests/clients/run-all gets one")
    os.makedirs("/var/tmp", exist_ok=True)
    return {**more, "LIBGUESTFS_BACKEND": f"libvirt:{daemon.uri}", "LIBGUESTFS_BACKEND_SETTINGS": "force_tcg",
            "LIBGUESTFS_CACHEDIR": os.path.realpath(APPLIANCE) if kernels else "/var/tmp"}


@pytest.mark.client("libguestfs", "guestfish", "its appliance is the daemon's: makes a disk, reads a machine's", kvm=False)
def test_guestfish(daemon, appliance):
    path = f"{daemon.root}/fs.img"
    say(daemon, program("guestfish"), "-N", f"{path}=fs:ext4:64M", "-m", "/dev/sda1", "write", "/hello", "words on it",
        **appliance)
    wait_for(lambda: not daemon.qemus(), 20, "end of the appliance")
    daemon.define("vm1", boot=False, extra=f"<disk type='file'><driver name='qemu' type='raw'/><source file='{path}'/>"
                                           "<target dev='vda' bus='virtio'/></disk>")
    assert "words on it" in say(daemon, "guestfish", "-c", daemon.uri, "--ro", "-d", "vm1", "run", ":", "mount", "/dev/sda1",
                                "/", ":", "cat", "/hello", **appliance)
    assert "vm1:/dev/sda1" in say(daemon, program("virt-df"), "-c", daemon.uri, "-d", "vm1", **appliance)
    assert daemon.virsh("list", "--all", "--name").split() == ["vm1"]


@pytest.mark.client("libguestfs", "guestfish", "ends without a word, and its appliance with it", kvm=False)
def test_guestfish_is_killed(daemon, appliance):
    process = subprocess.Popen([program("guestfish"), "-a", raw(daemon), "run", ":", "sleep", "3600"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env={**os.environ, **DEBIAN, "HOME": daemon.root, **appliance})
    try:
        wait_for(lambda: daemon.virsh("list", "--name").split(), 120, "appliance")
    finally:
        process.kill()
        process.wait()
    wait_for(lambda: not daemon.virsh("list", "--all", "--name").split(), 20, "end of the appliance")
    assert run(daemon, "virsh", "-c", daemon.uri, "version", "--daemon")
