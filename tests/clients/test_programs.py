# SPDX-License-Identifier: LGPL-2.1-or-later
"""Monitors, bindings and helpers that other people wrote, unmodified, each at its normal job. One that is not installed
is skipped; tests/clients/run-all installs them."""
import os
import subprocess
import sys

import pytest

from test_clients import disk, program, run

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../system"))
from conftest import daemon, wait_for  # noqa: E402,F401

MUNIN = "/usr/share/munin/plugins"
EXAMPLES = "/usr/share/doc/libsys-virt-perl/examples"
GUESTS = "/usr/lib/libvirt/libvirt-guests.sh"
NIC = "<interface type='user'><mac address='52:54:00:11:22:33'/><model type='virtio'/></interface>"


def installed(path):
    if not os.path.exists(path):
        pytest.skip(f"SKIP: {path} is not installed: tests/clients/run-all installs it")
    return path


def raw(daemon, name="data.raw", words=b"what is on it"):
    path = f"{daemon.root}/{name}"
    with open(path, "wb") as f:
        f.write(words)
        f.truncate(1 << 20)
    return path


def machine(daemon, name="vm1", more=""):
    path = raw(daemon)
    daemon.paused(name, current=2, extra=f"<disk type='file'><driver name='qemu' type='raw'/><source file='{path}'/>"
                                         f"<target dev='vda' bus='virtio'/></disk>{NIC}{more}")
    return path


# ---- monitors ----

@pytest.mark.parametrize("plugin", ("libvirt-blkstat", "libvirt-cputime", "libvirt-ifstat", "libvirt-mem"))
def test_munin(daemon, plugin):  # noqa: F811
    machine(daemon)
    environment = {**os.environ, "uri": daemon.uri}
    for words in (["autoconf"], ["config"], []):
        done = subprocess.run(["/usr/bin/python3", installed(f"{MUNIN}/{plugin}"), *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, env=environment)
        assert done.returncode == 0 and not done.stderr, done
    if plugin != "libvirt-ifstat":  # a user's network has no end on the host
        assert "vm1" in done.stdout and ".value " in done.stdout


def test_collectd(daemon):  # noqa: F811
    machine(daemon)
    daemon.virsh("resume", "vm1")  # of one that is paused it reads the state alone
    config = f"{daemon.root}/collectd.conf"
    with open(config, "w") as f:
        f.write(f"""BaseDir "{daemon.root}"
PIDFile "{daemon.root}/collectd.pid"
TypesDB "/usr/share/collectd/types.db"
Interval 1
LoadPlugin logfile
LoadPlugin csv
LoadPlugin virt
<Plugin logfile>
  File "{daemon.root}/collectd.log"
</Plugin>
<Plugin csv>
  DataDir "{daemon.root}/csv"
</Plugin>
<Plugin virt>
  Connection "{daemon.uri}"
  RefreshInterval 10
  ExtraStats "cpu_util disk domain_state memory pcpu vcpu vcpupin"
</Plugin>
""")

    def kinds():
        return {name.split("-20")[0] for _, _, names in os.walk(f"{daemon.root}/csv") for name in names}
    collectd = subprocess.Popen([program("collectd"), "-f", "-C", config], stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wanted = {"disk_octets-vda", "disk_ops-vda", "memory-total", "virt_cpu_total", "virt_vcpu-0", "domain_state",
                  "cpu_affinity-vcpu_0-cpu_0"}
        wait_for(lambda: wanted <= kinds(), 60, f"values of collectd: {wanted}")
    finally:
        collectd.terminate()
        collectd.wait(30)
    with open(f"{daemon.root}/collectd.log") as f:
        assert "error" not in f.read().lower()


# ---- bindings ----

@pytest.mark.parametrize("example, words, said", (
    ("auth", [], "VMM type: QEMU"), ("devices", [], ""), ("dom-stats", ["vm1"], "State: 3"),
    ("dump-info", [], "vm1"), ("dump-xml", ["vm1"], "<name>vm1</name>"), ("hv-stat", [], ""),
    ("iothreadinfo", [], ""), ("node-cpu", [], ""), ("send-key", ["vm1"], ""),
    ("vcpuinfo", [], ""), ("emulator-pin", [], "")))
def test_perl_example(daemon, example, words, said):  # noqa: F811
    machine(daemon)
    out = run(daemon, "perl", installed(f"{EXAMPLES}/{example}.pl"), daemon.uri, *words)
    assert said in out, out


RUBY = """
require "libvirt"
c = Libvirt::open(ARGV[0])
d = c.lookup_domain_by_name("vm1")
info = [c.type, c.hostname, c.node_get_info.cpus, c.list_domains.length, d.info.nr_virt_cpu, d.vcpus.length]
d.pin_vcpu(1, [0])
d.block_stats("vda").rd_req
d.memory_stats
d.blockinfo("vda").capacity == 1 << 20 or raise "capacity"
d.attach_device("<interface type='user'><model type='e1000e'/></interface>") rescue puts "slots"
d.vcpus_flags = 3, 1 rescue d.vcpus = 3
d.info.nr_virt_cpu == 3 or raise "vcpus"
d.block_peek("vda", 0, 4) == "what" or raise "peek"
c.node_cpu_stats
c.node_memory_stats
c.sys_info rescue puts "no DMI"
d.send_key(0, 0, [28])
d.managed_save
d.create
d.suspend rescue puts "paused"
d.destroy
d.undefine
puts "done"
"""


def test_ruby(daemon):  # noqa: F811
    machine(daemon)
    try:
        subprocess.run([program("ruby"), "-rlibvirt", "-e", "1"], check=True, capture_output=True, timeout=60)
    except subprocess.CalledProcessError:
        pytest.skip("SKIP: ruby-libvirt is not installed: tests/clients/run-all installs it")
    assert "done" in run(daemon, "ruby", "-e", RUBY, daemon.uri)


PHP = """
$c = libvirt_connect($argv[1], false);
$d = libvirt_domain_lookup_by_name($c, "vm1");
foreach (["libvirt_domain_get_info", "libvirt_domain_memory_stats"] as $f)
    if ($f($d) === false) die($f . libvirt_get_last_error());
if (libvirt_domain_get_block_info($d, "vda")["capacity"] != 1 << 20) die("capacity" . libvirt_get_last_error());
if (libvirt_domain_block_stats($d, "vda") === false) die("stats" . libvirt_get_last_error());
if (libvirt_node_get_cpu_stats($c) === false) die("cpu" . libvirt_get_last_error());
if (libvirt_node_get_mem_stats($c) === false) die("mem" . libvirt_get_last_error());
if (!libvirt_domain_change_vcpus($d, 3)) die("vcpus" . libvirt_get_last_error());
if (libvirt_domain_get_info($d)["nrVirtCpu"] != 3) die("count");
if (!libvirt_domain_resume($d)) die("resume" . libvirt_get_last_error());
if (!libvirt_domain_destroy($d)) die("destroy" . libvirt_get_last_error());
if (!libvirt_domain_undefine($d)) die("undefine" . libvirt_get_last_error());
echo "done";
"""


def test_php(daemon):  # noqa: F811
    machine(daemon)
    if "libvirt" not in run(daemon, program("php"), "-d", "extension=libvirt-php", "-m"):
        pytest.skip("SKIP: php-libvirt-php is not installed: tests/clients/run-all installs it")
    assert "done" in run(daemon, "php", "-d", "extension=libvirt-php", "-r", PHP, daemon.uri)


# ---- helpers ----

def test_nbdkit_reads_a_disk(daemon):  # noqa: F811
    path = machine(daemon)
    run(daemon, program("nbdkit"), "--exit-with-parent", "-U", "-", "libvirt", f"connect={daemon.uri}", "domain=vm1", "disk=vda",
        "--run", f"qemu-img convert -f raw -O raw $uri {daemon.root}/copy")
    with open(path, "rb") as a, open(f"{daemon.root}/copy", "rb") as b:
        assert a.read() == b.read()


def test_libvirt_guests(daemon):  # noqa: F811
    """libvirt's own service saves what runs, and starts it again."""
    own, settings = f"{daemon.root}/own", f"{daemon.root}/own/default/libvirt-guests"
    with open(installed(GUESTS)) as f:
        script = f.read().replace('sysconfdir="/etc"', f'sysconfdir="{own}"').replace('statedir="/var"', f'statedir="{own}"')
    for path in ("default", "lib/libvirt", "lock"):
        os.makedirs(f"{own}/{path}")
    with open(settings, "w") as f:
        f.write(f"URIS='{daemon.uri}'\nON_SHUTDOWN=suspend\nON_BOOT=start\n")
    with open(f"{own}/guests", "w") as f:
        f.write(script)
    machine(daemon)

    def guests(what):
        return subprocess.run(["sh", f"{own}/guests", what], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=120)
    done = guests("stop")
    assert done.returncode == 0 and daemon.qemus() == {}, done
    assert daemon.virsh("list", "--all", "--with-managed-save", "--name").split() == ["vm1"]
    done = guests("start")
    assert done.returncode == 0 and list(daemon.qemus()) == ["vm1"], done


def test_opennebula_commands(daemon):  # noqa: F811
    """What the scripts of OpenNebula's KVM driver run on a host, one after the other."""
    path = machine(daemon)
    more = disk(daemon, "more.qcow2")
    xml = f"{daemon.root}/vm1.xml"
    for words in (["nodeinfo"], ["capabilities"], ["domcapabilities"], ["list", "--all"], ["dominfo", "vm1"],
                  ["domstats", "--raw"], ["resume", "vm1"], ["suspend", "vm1"],
                  ["setvcpus", "vm1", "3", "--live"],
                  ["attach-disk", "--domain", "vm1", "--source", more, "--target", "vdb", "--targetbus", "virtio",
                   "--driver", "qemu", "--subdriver", "qcow2", "--config"],
                  ["detach-disk", "--domain", "vm1", "--target", "vdb", "--config"],
                  ["blockresize", "vm1", path, "2M"], ["domblkinfo", "vm1", path], ["domblklist", "vm1"],
                  ["save", "vm1", f"{daemon.root}/checkpoint"], ["restore", f"{daemon.root}/checkpoint"],
                  ["reset", "vm1"], ["dumpxml", "vm1", "--migratable"], ["destroy", "vm1"]):
        daemon.virsh(*words)
    with open(xml, "w") as f:
        f.write(daemon.virsh("dumpxml", "vm1"))
    daemon.virsh("undefine", "vm1")
    daemon.virsh("create", xml, "--paused")  # its deploy script
    assert daemon.virsh("domstate", "vm1").strip() == "paused"
    daemon.virsh("destroy", "vm1")
    assert daemon.virsh("list", "--all", "--name").split() == []
