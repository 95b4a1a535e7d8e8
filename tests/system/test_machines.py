# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real QEMUs of other machines: many vCPUs, POWER and s390x cores, machines that have no CPU hotplug.

VIREO_QEMU_BIN names the directory of other QEMUs than the installed ones."""
import contextlib
import json
import os
import re
import subprocess
import time

import libvirt
import pytest

from conftest import wait_for

BIN = os.environ.get("VIREO_QEMU_BIN", "/usr/bin")
CORES = "<cpu><topology sockets='1' cores='2' threads='4'/></cpu>"
LIVE = libvirt.VIR_DOMAIN_AFFECT_LIVE
UNSUPPORTED, CONFIG_UNSUPPORTED = libvirt.VIR_ERR_OPERATION_UNSUPPORTED, libvirt.VIR_ERR_CONFIG_UNSUPPORTED


@pytest.fixture(autouse=True)
def trace(monkeypatch):
    """vireod's own record of what it said to QEMU, in its log."""
    monkeypatch.setenv("VIREO_QMP_DEBUG", "1")


@pytest.fixture
def connection(daemon):
    libvirt.registerErrorHandler(lambda *_: None, None)
    connection = libvirt.open(daemon.uri)
    yield connection
    connection.close()


def qemu(arch):
    path = f"{BIN}/qemu-system-{arch}"
    if not os.path.exists(path):
        pytest.skip(f"SKIP: {path} is not installed: scripts/packages test")
    return path


def version(arch):
    out = subprocess.run([qemu(arch), "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return tuple(int(n) for n in re.search(r"version (\d+)\.(\d+)", out.stdout).groups())


def define(daemon, name, arch, machine, maximum=4, current=1, inner="", features="", emulator=None,
           memory=256):
    path = f"{daemon.root}/{name}.xml"
    with open(path, "w") as f:
        f.write(f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>{memory}</memory>
  <vcpu current='{current}'>{maximum}</vcpu><os><type arch='{arch}' machine='{machine}'>hvm</type></os>
  {features}{inner}
  <devices><emulator>{emulator or qemu(arch)}</emulator><memballoon model='none'/></devices></domain>""")
    daemon.virsh("define", path)


def start(daemon, name, *arguments, **options):
    define(daemon, name, *arguments, **options)
    daemon.virsh("start", name, "--paused")


def vcpus(states):
    """<vcpus> from (enabled, hotpluggable, order or None) by id."""
    return "<vcpus>" + "".join(f"<vcpu id='{i}' enabled='{'yes' if on else 'no'}' "
                               f"hotpluggable='{'yes' if hot else 'no'}'{f' order={chr(39)}{order}{chr(39)}' if order else ''}/>"
                               for i, (on, hot, order) in enumerate(states)) + "</vcpus>"


def online(daemon, name):
    return [int(i) for i in re.findall(r"<vcpu id='(\d+)' enabled='yes'", daemon.virsh("dumpxml", name))]


def rows(daemon, name):
    """(id, enabled, hotpluggable, order) of the live XML."""
    found = re.findall(r"<vcpu id='(\d+)' enabled='(\w+)' hotpluggable='(\w+)'(?: order='(\d+)')?/>",
                       daemon.virsh("dumpxml", name))
    return [(int(i), on == "yes", hot == "yes", int(order or 0)) for i, on, hot, order in found]


def ask(daemon, name, command):
    return json.loads(daemon.virsh("qemu-monitor-command", name, command))["return"]


def threads(daemon, name):
    """The threads QEMU says its vCPUs have."""
    return {cpu["thread-id"] for cpu in ask(daemon, name, "query-cpus-fast")}


def sent(daemon):
    """Every command about a vCPU that QEMU was ever sent, with its arguments."""
    lines = re.findall(r"^[\d.]+ > \S+ (\{.*\})\s*$", daemon.log_text(), re.M)
    commands = [json.loads(line) for line in lines]
    return [(c["execute"], c["arguments"]) for c in commands if c["execute"] in ("device_add", "device_del", "cpu-add")]


@contextlib.contextmanager
def refused(daemon, name, code, *words):
    """The call inside fails so, at once, and neither QEMU nor the XML hears of it."""
    def state():
        entities = daemon.run("virsh", "qemu-monitor-command", name, "query-hotpluggable-cpus", ok=None).stdout
        return (re.sub(r'"id":"[^"]*"', "", entities), threads(daemon, name), sent(daemon),
                daemon.virsh("dumpxml", name), daemon.virsh("dumpxml", name, "--inactive"))

    before, begun = state(), time.monotonic()
    with pytest.raises(libvirt.libvirtError) as caught:
        yield
    assert time.monotonic() - begun < 8  # a removal would wait 10
    for word in words:
        assert word in str(caught.value)
    assert caught.value.get_error_code() == code, str(caught.value)
    assert state() == before


def start_refused(daemon, name, code, *words):
    """It does not start, and no QEMU was."""
    connection = libvirt.open(daemon.uri)
    with pytest.raises(libvirt.libvirtError) as caught:
        connection.lookupByName(name).create()
    connection.close()
    for word in words:
        assert word in str(caught.value)
    assert caught.value.get_error_code() == code, str(caught.value)
    assert "shut off" in daemon.virsh("domstate", name) and name not in daemon.qemus()


# ---- POWER ----

def test_power_cores(daemon):
    """Plugged, found again, and, before the guest runs, taken away at once."""
    start(daemon, "p1", "ppc64", "pseries")
    daemon.virsh("setvcpus", "p1", "3", "--live", "--config")
    assert online(daemon, "p1") == [0, 1, 2] and len(threads(daemon, "p1")) == 3
    daemon.virsh("setvcpu", "p1", "3", "--enable", "--live")
    assert daemon.counts("p1")[("current", "live")] == 4
    assert len(re.findall(r"^VCPU:", daemon.virsh("vcpuinfo", "p1"), re.M)) == 4
    daemon.stop()
    daemon.start()
    assert online(daemon, "p1") == [0, 1, 2, 3]
    daemon.virsh("setvcpus", "p1", "1", "--live")
    assert online(daemon, "p1") == [0] and len(threads(daemon, "p1")) == 1
    assert [(command, a["id"]) for command, a in sent(daemon)] == \
        [("device_add", f"vcpu{i}") for i in (1, 2, 3)] + [("device_del", f"vcpu{i}") for i in (3, 2, 1)]


def test_power_command_line(daemon):
    """What only x86 has is not asked of it."""
    start(daemon, "p1", "ppc64le", "pseries", emulator=qemu("ppc64"), features="""<features><acpi/><apic/>
        <smm state='on'/><vmport state='off'/><kvm><hidden state='on'/></kvm></features><clock offset='utc'>
        <timer name='hpet' present='no'/><timer name='pit' tickpolicy='delay'/>
        <timer name='rtc' tickpolicy='catchup'/></clock>""")
    assert "paused" in daemon.virsh("domstate", "p1")


@pytest.mark.parametrize("current", [6, 3])
def test_power_has_whole_cores(daemon, current):
    with pytest.raises(AssertionError, match="granularity, the threads of a core"):
        define(daemon, "p1", "ppc64", "pseries", maximum=8, current=current, inner=CORES)
    assert daemon.virsh("list", "--all", "--name").split() == []


def test_power_starts_with_whole_cores(daemon):
    states = [(True, False, 0)] + [(True, True, 0)] * 3 + [(False, True, 0)] * 4
    define(daemon, "p1", "ppc64", "pseries", maximum=8, current=8, inner=CORES + vcpus(states))
    start_refused(daemon, "p1", CONFIG_UNSUPPORTED, "granularity (4)")
    assert not os.path.exists(f"{daemon.root}/log/qemu/p1.log")


@pytest.fixture
def smt(daemon):
    """Cores of four threads, one of two there."""
    if version("ppc64") < (8, 1):
        pytest.skip("SKIP: QEMU's TCG has cores of several threads from 8.1 on (tests/sim/test_cores.py has them too)")
    start(daemon, "p1", "ppc64", "pseries", maximum=8, current=4, inner=CORES)


def test_power_cores_of_four_threads(daemon, smt, connection):
    domain = connection.lookupByName("p1")
    for change, code, words in (
            (lambda: domain.setVcpusFlags(6, LIVE), CONFIG_UNSUPPORTED, ("granularity", "4 vcpus")),
            (lambda: domain.setVcpu("5", 1, LIVE), CONFIG_UNSUPPORTED, ("vcpu 4", "4 vcpus", "name all of them")),
            (lambda: domain.setVcpu("4-6", 1, LIVE), CONFIG_UNSUPPORTED, ("name all of them",)),
            (lambda: domain.setVcpu("2-5", 1, LIVE), UNSUPPORTED, ("only one hotpluggable entity",)),
            (lambda: domain.setVcpu("0-3", 0, LIVE), UNSUPPORTED, ("can't be unplugged",)),
            (lambda: domain.setVcpusFlags(3, LIVE), CONFIG_UNSUPPORTED, ("can't be unplugged",))):
        with refused(daemon, "p1", code, *words):
            change()
    daemon.virsh("setvcpus", "p1", "8", "--live")
    assert rows(daemon, "p1") == [(i, True, i >= 4, 1 if i < 4 else 2) for i in range(8)]
    assert len(threads(daemon, "p1")) == 8
    with refused(daemon, "p1", CONFIG_UNSUPPORTED, "granularity", "4 vcpus"):
        domain.setVcpusFlags(6, LIVE)
    with refused(daemon, "p1", CONFIG_UNSUPPORTED, "name all of them"):
        domain.setVcpu("7", 0, LIVE)
    assert re.findall(r"^VCPU: +(\d+)", daemon.virsh("vcpuinfo", "p1"), re.M) == [str(i) for i in range(8)]
    daemon.virsh("setvcpu", "p1", "4-7", "--disable", "--live")
    assert online(daemon, "p1") == [0, 1, 2, 3] and len(threads(daemon, "p1")) == 4
    assert [(command, a["id"]) for command, a in sent(daemon)] == [("device_add", "vcpu4"), ("device_del", "vcpu4")]


@pytest.mark.parametrize("second, words", [
    ([(True, True, 2)] * 3 + [(False, True, 0)], "granularity"),
    ([(True, True, 2)] * 3 + [(True, True, 3)], "one hotpluggable entity"),
    ([(True, True, 1)] * 4, "duplicate vcpu order '1'")])
def test_power_cores_are_whole_in_the_definition(daemon, second, words):
    if version("ppc64") < (8, 1):
        pytest.skip("SKIP: QEMU's TCG has cores of several threads from 8.1 on")
    define(daemon, "p1", "ppc64", "pseries", maximum=8, inner=CORES + vcpus([(True, False, 1)] * 4 + second))
    start_refused(daemon, "p1", CONFIG_UNSUPPORTED, words)
    assert sent(daemon) == []


def test_power_removal_without_an_answer(daemon):
    """Once the machine was reset a core is the guest's: a removal waits for it, 10 s here. The next reset
    completes it, and vireod, which nobody asks any more, hears of that."""
    define(daemon, "p1", "ppc64", "pseries")
    daemon.virsh("start", "p1")  # the firmware runs, and knows nothing of a removal
    daemon.virsh("setvcpus", "p1", "2", "--live")
    daemon.virsh("reset", "p1")
    begun = time.monotonic()
    error = daemon.virsh("setvcpus", "p1", "1", "--live", "--config", ok=False)
    assert "unplug request timed out" in error
    assert 9.5 < time.monotonic() - begun < 40
    assert online(daemon, "p1") == [0, 1]
    assert [op["state"] for op in json.loads(daemon.vireo("ops", "list", "--all", "--json"))][-1] == "pending"
    daemon.virsh("reset", "p1")
    wait_for(lambda: online(daemon, "p1") == [0], 10, "end of the pending removal")
    assert daemon.counts("p1")[("current", "config")] == 1
    assert len(threads(daemon, "p1")) == 1


# ---- s390x ----

def test_s390x_cores(daemon, connection):
    """They come and never go: QEMU cannot take one away there, and that is said before it is asked."""
    start(daemon, "z1", "s390x", "s390-ccw-virtio")
    daemon.virsh("setvcpus", "z1", "3", "--live")
    assert rows(daemon, "z1") == [(0, True, False, 1), (1, True, True, 2), (2, True, True, 3), (3, False, True, 0)]
    assert len(threads(daemon, "z1")) == 3
    domain = connection.lookupByName("z1")
    for change in (lambda: domain.setVcpusFlags(2, LIVE), lambda: domain.setVcpu("2", 0, LIVE)):
        with refused(daemon, "z1", UNSUPPORTED, "'z1'", "s390x", "cannot be removed", "--config"):
            change()
    daemon.virsh("setvcpus", "z1", "2", "--config")
    assert daemon.counts("z1")[("current", "config")] == 2


# ---- machines without CPU hotplug ----

@pytest.mark.parametrize("arch, machine, maximum, current, wanted", [
    ("x86_64", "microvm", 2, 2, 1), ("x86_64", "microvm", 2, 1, 2), ("ppc64", "powernv9", 2, 2, 1)])
def test_without_hotplug(daemon, connection, arch, machine, maximum, current, wanted):
    start(daemon, "e1", arch, machine, maximum=maximum, current=current,
          memory=2048 if machine == "powernv9" else 256)  # the least it takes
    domain = connection.lookupByName("e1")
    with refused(daemon, "e1", UNSUPPORTED, "'e1'", "hotplug", machine):
        domain.setVcpusFlags(wanted, LIVE)
    with refused(daemon, "e1", UNSUPPORTED, "'e1'", "hotplug", machine):
        domain.setVcpu("1", int(wanted > current), LIVE)
    daemon.virsh("setvcpus", "e1", current, "--live")  # nothing to change, nothing to refuse
    assert sent(daemon) == []
    daemon.virsh("setvcpus", "e1", wanted, "--config")


# ---- at start ----

def test_plugged_at_boot_in_their_order(daemon):
    """Sparse, ordered, hotpluggable vCPUs: there before the guest runs, in the order the definition gives."""
    states = [(True, False, 1), (True, True, 4), (False, True, 0), (True, True, 2), (True, True, 3)]
    start(daemon, "b1", "x86_64", "q35", maximum=5, inner=vcpus(states), features="<features><acpi/></features>")
    assert rows(daemon, "b1") == [(i, *state) for i, state in enumerate(states)]
    assert [(command, a["id"]) for command, a in sent(daemon)] == [("device_add", f"vcpu{i}") for i in (3, 4, 1)]
    assert "paused" in daemon.virsh("domstate", "b1")


@pytest.mark.parametrize("arch, machine, states, words", [
    ("ppc64", "powernv9", [(True, False, 0), (False, True, 0)], "vcpu '1' is not enabled, but QEMU starts with it"),
    ("x86_64", "microvm", [(True, False, 0), (True, True, 0)], "vcpu '1' is to be hotplugged at start")])
def test_what_cannot_be_at_start(daemon, arch, machine, states, words):
    define(daemon, "b1", arch, machine, maximum=len(states), inner=vcpus(states), memory=2048)
    start_refused(daemon, "b1", CONFIG_UNSUPPORTED, words)
    assert sent(daemon) == []


def test_a_hole_that_no_start_can_have_is_refused_at_define(daemon):
    """QEMU starts with the first vCPUs, and only hotpluggable ones come later."""
    states = [(True, False, 0), (False, True, 0), (True, False, 0)]
    with pytest.raises(AssertionError, match="vcpu '2' is online and not hotpluggable, but follows vcpu '1'"):
        define(daemon, "b1", "x86_64", "q35", maximum=3, inner=vcpus(states))
    assert daemon.virsh("list", "--all", "--name").split() == []


def test_order_is_of_one_entity(daemon):
    states = [(True, False, 1), (True, True, 2), (True, True, 2)]
    define(daemon, "b1", "x86_64", "q35", maximum=3, inner=vcpus(states))
    start_refused(daemon, "b1", CONFIG_UNSUPPORTED, "duplicate vcpu order '2'")
    assert sent(daemon) == []


# ---- many ----

def limit(daemon, emulator):
    """What the emulator says of q35."""
    xml = daemon.virsh("domcapabilities", "--emulatorbin", emulator, "--machine", "q35")
    return int(re.search(r"<vcpu max='(\d+)'/>", xml).group(1))


def test_more_than_255(daemon, kvm):
    """With the interrupt remapping that takes; asked for, or added."""
    emulator = qemu("x86_64")
    daemon.paused("k288", maximum=288, kind="kvm", cpu=kvm, emulator=emulator)
    daemon.virsh("setvcpus", "k288", "288", "--live")
    assert daemon.counts("k288")[("current", "live")] == 288 and len(threads(daemon, "k288")) == 288
    added = "<driver intremap='on' eim='on'/>"
    assert added in daemon.virsh("dumpxml", "k288") and "iommu" not in daemon.virsh("dumpxml", "k288", "--inactive")
    own = f"<iommu model='intel'>{added}</iommu>"
    every = "<driver intremap='on' caching_mode='on' eim='on' iotlb='on' aw_bits='48'/>" # QEMU takes each of them
    daemon.paused("own", maximum=256, kind="kvm", cpu=kvm, emulator=emulator, extra=own.replace(added, every))
    daemon.virsh("setvcpus", "own", "256", "--live")
    assert every in daemon.virsh("dumpxml", "own")
    daemon.stop()
    daemon.start()
    assert added in daemon.virsh("dumpxml", "k288") and daemon.counts("k288")[("current", "live")] == 288
    daemon.define("off", maximum=256, kind="kvm", cpu=kvm, boot=False, emulator=emulator,
                  extra=own.replace("eim='on'", "eim='off'"))
    start_refused(daemon, "off", CONFIG_UNSUPPORTED, "more than 255 vCPUs require extended interrupt mode", "eim='on'")


def test_more_than_the_machine_has(daemon):
    emulator = qemu("x86_64")
    most = limit(daemon, emulator)
    daemon.define("m1", maximum=most + 1, boot=False, emulator=emulator)
    start_refused(daemon, "m1", CONFIG_UNSUPPORTED, "Maximum CPUs greater than specified machine type limit",
                  f"'m1' asks for {most + 1}", str(most))


def test_more_than_255_without_kvm(daemon):
    emulator = qemu("x86_64")
    if version("x86_64") < (9, 0):
        daemon.define("t288", maximum=288, boot=False, emulator=emulator)
        start_refused(daemon, "t288", CONFIG_UNSUPPORTED, "more than 255 vCPUs", "without KVM", "type='kvm'")
        return
    daemon.paused("t288", maximum=288, emulator=emulator)
    daemon.virsh("setvcpus", "t288", "288", "--live")
    assert daemon.counts("t288")[("current", "live")] == 288 and len(threads(daemon, "t288")) == 288


def test_dies_and_nodes_are_passed_back(daemon):
    """die-id and node-id go to device_add as QEMU gave them; QEMU refuses a vCPU of another node."""
    cpu = ("<cpu mode='maximum'><topology sockets='2' dies='2' cores='2' threads='2'/><numa>"
           "<cell id='0' cpus='0-7' memory='32' unit='MiB'/><cell id='1' cpus='8-15' memory='32' unit='MiB'/>"
           "</numa></cpu>")
    daemon.paused("n1", maximum=16, cpu=cpu, emulator=qemu("x86_64"))
    offered = ask(daemon, "n1", "query-hotpluggable-cpus")
    daemon.virsh("setvcpus", "n1", "16", "--live")
    entities = ask(daemon, "n1", "query-hotpluggable-cpus")
    assert all("qom-path" in entity for entity in entities) and len(entities) == 16
    assert {(e["props"]["socket-id"], e["props"]["node-id"]) for e in entities} == {(0, 0), (1, 1)}
    assert {e["props"]["die-id"] for e in entities} == {0, 1}
    plugged = [{k: v for k, v in a.items() if k not in ("driver", "id")} for _, a in sent(daemon)]
    assert sorted(map(str, map(sorted, map(dict.items, plugged)))) == \
        sorted(str(sorted(e["props"].items())) for e in offered if "qom-path" not in e)
    assert rows(daemon, "n1") == [(i, True, i > 0, i + 1) for i in range(16)]


# ---- vCPUs without threads of their own ----

def test_one_thread_for_all(daemon):
    """TCG's thread=single: vCPUs come, and nothing is claimed of threads."""
    path = f"{daemon.root}/qemu-single"
    with open(path, "w") as f:
        f.write(f"""#!/bin/bash
for a; do
    case $a in *,accel=tcg*) set -- "$@" "${{a/,accel=tcg/}}" -accel tcg,thread=single ;; *) set -- "$@" "$a" ;; esac
    shift
done
exec {qemu("x86_64")} "$@"
""")
    os.chmod(path, 0o755)
    start(daemon, "s1", "x86_64", "q35", current=2, emulator=path, features="<features><acpi/></features>")
    assert "thread=single" in open(f"/proc/{daemon.qemus()['s1']}/cmdline").read()
    assert len(threads(daemon, "s1")) == 1
    daemon.virsh("setvcpus", "s1", "4", "--live")
    assert online(daemon, "s1") == [0, 1, 2, 3] and len(threads(daemon, "s1")) == 1
    assert daemon.virsh("vcpuinfo", "s1").count("VCPU:") == 4


def test_places_on_a_virt_machine(daemon):
    """Devices of a machine without ACPI's or a PC's places have addresses from the definition on, and keep them."""
    def places():
        return re.findall(r"<interface .*?<address type='pci' ([^/]*)/>", daemon.virsh("dumpxml", "riscv"), re.S)

    define(daemon, "riscv", "riscv64", "virt", memory=128)
    nic = f"{daemon.root}/nic.xml"
    with open(nic, "w") as f:
        f.write("<interface type='user'><model type='virtio'/></interface>")
    daemon.virsh("attach-device", "riscv", nic, "--config")
    first = places()
    daemon.virsh("start", "riscv", "--paused")
    assert places() == first and "bus='0x01'" in first[0]
    daemon.virsh("attach-device", "riscv", nic, "--live", "--config")
    both = places()
    assert len(set(both)) == 2 and both[0] == first[0]
    daemon.virsh("destroy", "riscv")
    assert places() == both
