# SPDX-License-Identifier: LGPL-2.1-or-later
"""Monitors, bindings and helpers that other people wrote, unmodified, each at its normal job. One that is not installed
is skipped; tests/clients/run-all installs them."""
import os
import socket
import subprocess

import pytest

from conftest import HERE, wait_for
from test_clients import SECTOR, disk, network, program, run  # noqa: F401

MUNIN = "/usr/share/munin/plugins"
EXAMPLES = "/usr/share/doc/libsys-virt-perl/examples"
GUESTS = "/usr/lib/libvirt/libvirt-guests.sh"
READ_ONLY = "read only access prevents virConnectGetDomainCapabilities"
AGENT = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
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


def machine(daemon, name="vm1", more="", **options):
    """A guest that runs, with a disk and a card."""
    path = raw(daemon)
    daemon.boot(name, current=2, extra=f"<disk type='file'><driver name='qemu' type='raw'/><source file='{path}'/>"
                                       f"<target dev='vda' bus='virtio'/></disk>{NIC}{more}", **options)
    return path


# ---- monitors ----

@pytest.mark.short
@pytest.mark.client("prometheus-libvirt-exporter", "prometheus-libvirt-exporter", "/metrics of a running guest")
def test_exporter_is_up(daemon, guest):
    exporter = program("prometheus-libvirt-exporter")
    machine(daemon)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([exporter, "--libvirt.uri", daemon.uri, "--web.listen-address", f"127.0.0.1:{port}"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def metrics():
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as s:
                s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                text = b""
                while piece := s.recv(65536):
                    text += piece
                return text.decode()
        except OSError:
            return ""
    try:
        text = wait_for(metrics, 20, "answer of the exporter")
        assert "libvirt_up 1" in text and 'libvirt_domain_block_stats_read_bytes_total{' in text
        assert 'libvirt_domain_info_virtual_cpus{domain="vm1"' in text, text[-3000:]
    finally:
        process.kill()
        process.wait()


@pytest.mark.client("munin", "munin-libvirt-plugins", "{plugin}")
@pytest.mark.parametrize("plugin", ("libvirt-blkstat", "libvirt-cputime", "libvirt-ifstat", "libvirt-mem"))
def test_munin(daemon, guest, plugin):
    machine(daemon)
    environment = {**os.environ, "uri": daemon.uri}
    for words in (["autoconf"], ["config"], []):
        done = subprocess.run(["/usr/bin/python3", installed(f"{MUNIN}/{plugin}"), *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, env=environment)
        assert done.returncode == 0 and not done.stderr, done
    if plugin != "libvirt-ifstat":  # a user's network has no end on the host
        assert "vm1" in done.stdout and ".value " in done.stdout


@pytest.mark.client("collectd", "collectd-core", "CPU, disk, memory, state, pins of a running guest")
def test_collectd(daemon, guest):
    machine(daemon)
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

@pytest.mark.client("libsys-virt-perl", "libsys-virt-perl", "example {example}")
@pytest.mark.parametrize("example, words, said", (
    ("auth", [], "VMM type: QEMU"), ("devices", [], ""), ("dom-stats", ["vm1"], "State: 1"),
    ("dump-info", [], "vm1"), ("dump-xml", ["vm1"], "<name>vm1</name>"), ("hv-stat", [], ""),
    ("iothreadinfo", [], ""), ("node-cpu", [], ""), ("send-key", ["vm1"], ""),
    ("vcpuinfo", [], ""), ("emulator-pin", [], ""),
    ("dom-ifinfo", ["vm1"], "")))
def test_perl_example(daemon, guest, example, words, said):
    machine(daemon)
    out = run(daemon, "perl", installed(f"{EXAMPLES}/{example}.pl"), daemon.uri, *words)
    assert said in out, out


@pytest.mark.client("libsys-virt-perl", "libsys-virt-perl", "example node-info")
def test_perl_node_info(daemon):
    """Its last part wants what no read-only connection may."""
    done = subprocess.run(["perl", installed(f"{EXAMPLES}/node-info.pl"), daemon.uri], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120)
    assert "Available CPU model names" in done.stdout and READ_ONLY in done.stderr, done
    pytest.xfail(f"names and free pages told, then: {READ_ONLY}")


@pytest.mark.client("libsys-virt-perl", "libsys-virt-perl", "examples dom-fsinfo and fs-freeze, the guest's agent there")
def test_perl_examples_of_the_agent(daemon, guest):
    if not os.path.exists(f"{guest}/initrd-agent"):
        pytest.skip("SKIP: no guest with an agent: scripts/make-guest makes it")
    machine(daemon, more=AGENT, initrd="initrd-agent")
    wait_for(lambda: agent_is_there(daemon, "vm1"), 60, "agent")
    for example, words in (("dom-fsinfo", ["vm1"]), ("fs-freeze", ["vm1", "/"])):
        run(daemon, "perl", installed(f"{EXAMPLES}/{example}.pl"), daemon.uri, *words)


@pytest.mark.client("libsys-virt-perl", "libsys-virt-perl", "examples node-devlist, vol-upload, vol-download, by their own URIs")
def test_perl_examples_with_uris_of_their_own(daemon):
    path, text = raw(daemon), f"{daemon.root}/text"
    daemon.virsh("pool-create-as", "files", "dir", "--target", daemon.root)
    with open(text, "wb") as f:
        f.write(os.urandom(100000))
    for example, words in (("node-devlist", []), ("vol-upload", [path, text]), ("vol-download", [path, f"{text}.back"])):
        run(daemon, f"{HERE}/at-system", daemon.socket, "perl", installed(f"{EXAMPLES}/{example}.pl"), *words)
    with open(text, "rb") as f, open(f"{text}.back", "rb") as g:
        assert g.read().startswith(f.read())


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


@pytest.mark.client("ruby-libvirt", "ruby-libvirt", "39 calls: looks, vCPUs, pins, statistics, devices, saving")
def test_ruby(daemon, guest):
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
if (!libvirt_domain_suspend($d)) die("suspend" . libvirt_get_last_error());
if (!libvirt_domain_resume($d)) die("resume" . libvirt_get_last_error());
if (!libvirt_domain_destroy($d)) die("destroy" . libvirt_get_last_error());
if (!libvirt_domain_undefine($d)) die("undefine" . libvirt_get_last_error());
echo "done";
"""


@pytest.mark.client("php-libvirt", "php8.2-libvirt-php", "looks, statistics, vCPUs, the end of a domain")
def test_php(daemon, guest):
    machine(daemon)
    if "libvirt" not in run(daemon, program("php"), "-m"):
        pytest.skip("SKIP: php8.2-libvirt-php is not installed: tests/clients/run-all installs it")
    assert "done" in run(daemon, "php", "-r", PHP, daemon.uri)


FOG_PROGRAM = f"{HERE}/fog-day.rb"


@pytest.mark.client("ruby-fog-libvirt", "ruby-fog-libvirt", "vagrant's and Foreman's work: volumes, upload, clone, a machine's life")
def test_fog(daemon, network):  # noqa: F811
    image = raw(daemon, "data.raw", SECTOR)
    os.makedirs(f"{daemon.root}/files")
    os.rename(image, f"{daemon.root}/files/data.raw")
    daemon.virsh("pool-create-as", "files", "dir", "--target", f"{daemon.root}/files")
    program("ruby")
    if subprocess.run(["ruby", "-rfog/libvirt", "-e", "1"], capture_output=True, timeout=120).returncode:
        pytest.skip("SKIP: ruby-fog-libvirt is not installed: tests/clients/run-all installs it")
    assert "ok destroy" in run(daemon, "ruby", FOG_PROGRAM, daemon.uri, f"{daemon.root}/files/data.raw")


@pytest.fixture(scope="session")
def go_day(tmp_path_factory):
    """The program, made once."""
    folder = tmp_path_factory.mktemp("go")
    installed("/usr/share/gocode/src/github.com/digitalocean/go-libvirt")
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": f"{folder}/cache",
                   "GOFLAGS": "", "HOME": str(folder)}
    subprocess.run([program("go"), "build", "-o", f"{folder}/go-day", f"{HERE}/go-day.go"], check=True, env=environment,
                   stdin=subprocess.DEVNULL, timeout=500)
    return f"{folder}/go-day"


@pytest.mark.client("go-libvirt", "golang-github-digitalocean-go-libvirt-dev", "looks, vCPUs, statistics, events, monitor, devices")
def test_go(daemon, guest, go_day):
    machine(daemon)
    daemon.virsh("pool-create-as", "files", "dir", "--target", daemon.root)
    assert "ok Disconnect" in run(daemon, go_day, daemon.socket)


@pytest.mark.short
@pytest.mark.client("libvirt-dbus", "libvirt-dbus", "lists, properties, statistics, vCPUs, devices, saving: 50 methods")
def test_libvirt_dbus(daemon, guest):
    path = machine(daemon)
    installed("/usr/sbin/libvirt-dbus")
    said = subprocess.run([f"{HERE}/at-system", daemon.socket, f"{HERE}/dbus-day", "vm1", path, daemon.root],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=500)
    failed = [line for line in said.stdout.splitlines() if line.startswith("FAILED")]
    assert said.returncode == 0 and not failed, f"{said.stderr[-2000:]} {said.stdout.count('ok ')} methods ok; {'; '.join(failed)}"


# ---- helpers ----

@pytest.mark.client("nbdkit", "nbdkit-plugin-libvirt", "copies the disk of a running guest")
def test_nbdkit_reads_a_disk(daemon, guest):
    path = machine(daemon)
    run(daemon, program("nbdkit"), "--exit-with-parent", "-U", "-", "libvirt", f"connect={daemon.uri}", "domain=vm1", "disk=vda",
        "--run", f"qemu-img convert -f raw -O raw $uri {daemon.root}/copy")
    with open(path, "rb") as a, open(f"{daemon.root}/copy", "rb") as b:
        assert a.read() == b.read()


@pytest.mark.client("libvirt-guests.sh", "libvirt-daemon-system", "saves what runs at the end, and starts it again")
def test_libvirt_guests(daemon, guest):
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


@pytest.mark.client("OpenNebula", "libvirt-clients", "the virsh commands of its KVM driver")
def test_opennebula_commands(daemon, guest):
    """What the scripts of OpenNebula's KVM driver run on a host, one after the other."""
    path = machine(daemon)
    more = disk(daemon, "more.qcow2")
    xml = f"{daemon.root}/vm1.xml"
    for words in (["nodeinfo"], ["capabilities"], ["domcapabilities"], ["list", "--all"], ["dominfo", "vm1"],
                  ["domstats", "--raw"], ["suspend", "vm1"], ["resume", "vm1"],
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


def agent_is_there(daemon, name):
    said = daemon.run("virsh", "qemu-agent-command", name, '{"execute":"guest-ping"}', ok=None)
    return said.returncode == 0


@pytest.mark.client("OpenNebula", "libvirt-clients", "its commands for a guest that runs: vCPUs, memory, disks, agent, migration")
def test_opennebula_live(daemon, other, guest):
    if not os.path.exists(f"{guest}/initrd-agent"):
        pytest.skip("SKIP: no guest with an agent: scripts/make-guest makes it")
    path, xml = f"{daemon.root}/vm1.xml", f"{daemon.root}/disk.xml"
    with open(path, "w") as f:
        f.write(daemon.xml("vm1", current=2, initrd="initrd-agent", extra=AGENT + NIC).replace(
            "<memballoon model='none'/>", "<memballoon model='virtio'/>"))
    with open(xml, "w") as f:
        f.write(f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{disk(daemon)}'/>"
                "<target dev='vdb' bus='virtio'/></disk>")
    for words in (["define", path], ["start", "vm1"]):
        daemon.virsh(*words)
    wait_for(lambda: agent_is_there(daemon, "vm1"), 60, "agent")
    for words in (["setvcpus", "vm1", "3", "--live", "--hotpluggable"], ["setmem", "vm1", "200M", "--live"],
                  ["attach-device", "vm1", xml, "--live"], ["detach-device", "vm1", xml, "--live"], ["domfsfreeze", "vm1"],
                  ["domfsthaw", "vm1"], ["domtime", "vm1"], ["nodememstats"], ["nodecpustats"], ["cpu-models", "x86_64"],
                  ["domstats", "vm1"], ["managedsave", "vm1"], ["start", "vm1"],
                  ["migrate", "--live", "vm1", other.uri, "--persistent", "--undefinesource"]):
        daemon.virsh(*words)
    assert other.virsh("domstate", "vm1").strip() == "running" and "3" in other.virsh("vcpucount", "vm1", "--live", "--current")
    assert daemon.virsh("list", "--all", "--name").split() == []


@pytest.mark.client("OpenNebula", "libvirt-clients", "its snapshot of a disk: snapshot-create-as, blockcommit")
def test_opennebula_snapshot(daemon, guest):
    machine(daemon)
    done = daemon.run("virsh", "snapshot-create-as", "vm1", "one", "--disk-only", "--no-metadata", "--diskspec",
                      f"vda,file={daemon.root}/overlay", ok=None)
    assert done.returncode == 0, done.stderr
    daemon.virsh("blockcommit", "vm1", "vda", "--active", "--pivot", "--wait")
