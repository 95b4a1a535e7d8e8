# SPDX-License-Identifier: LGPL-2.1-or-later
"""How much a domain may have: memory, its limits, speeds and sizes of disks and interfaces, perf events."""
import json
import subprocess

import pytest

BALLOON = "<memballoon model='virtio'/>"


def disk(daemon, name, extra=""):
    path = f"{daemon.root}/{name}.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "8M"], check=True)
    return (f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{path}'/><target dev='{name}'/>"
            f"{extra}</disk>")


def ask(daemon, name, command):
    return json.loads(daemon.virsh("qemu-monitor-command", name, json.dumps(command)))["return"]


def machine(daemon, name, extra=""):
    """Paused, with a balloon, which the tests' own definition has not."""
    xml = daemon.xml(name, boot=False, extra=extra).replace("<memballoon model='none'/>", BALLOON)
    with open(f"{daemon.root}/{name}.xml", "w") as f:
        f.write(xml)
    daemon.virsh("define", f.name)
    daemon.virsh("start", name, "--paused")


def test_memory(daemon):
    machine(daemon, "m1")
    daemon.virsh("setmem", "m1", "32M", "--live", "--config")
    assert "<currentMemory unit='KiB'>32768<" in daemon.virsh("dumpxml", "m1", "--inactive")
    assert "higher than max memory" in daemon.virsh("setmem", "m1", "1G", "--live", ok=False)
    assert "cannot resize the maximum memory" in daemon.virsh("setmaxmem", "m1", "128M", "--live", ok=False)
    daemon.virsh("setmaxmem", "m1", "16M", "--config")
    assert "<memory unit='KiB'>16384<" in daemon.virsh("dumpxml", "m1", "--inactive")
    assert "<currentMemory unit='KiB'>16384<" in daemon.virsh("dumpxml", "m1", "--inactive")
    daemon.virsh("dommemstat", "m1", "--period", "7", "--live", "--config")
    assert "<stats period='7'/>" in daemon.virsh("dumpxml", "m1", "--inactive")
    path = {"path": "/machine/peripheral/balloon0", "property": "guest-stats-polling-interval"}
    assert ask(daemon, "m1", {"execute": "qom-get", "arguments": path}) == 7
    daemon.paused("m2")
    assert "<memballoon>" in daemon.virsh("setmem", "m2", "32M", "--live", ok=False)
    assert "read only" in daemon.run("virsh", "-r", "setmem", "m1", "32M", ok=False).stderr


def test_limits_of_memory_and_host_disks(daemon):
    daemon.define("d1", boot=False)
    assert daemon.virsh("memtune", "d1").count(": unlimited") == 3
    daemon.virsh("memtune", "d1", "--hard-limit", "200000", "--soft-limit", "100000", "--config")
    assert "<hard_limit unit='KiB'>200000<" in daemon.virsh("dumpxml", "d1")
    assert "swap_hard_limit" in daemon.virsh("memtune", "d1", "--swap-hard-limit", "100", "--config", ok=False)
    daemon.virsh("memtune", "d1", "--hard-limit", "0", "--swap-hard-limit", "100", "--config")
    assert "<hard_limit unit='KiB'>0<" in daemon.virsh("dumpxml", "d1")
    daemon.virsh("memtune", "d1", "--hard-limit", "-1", "--swap-hard-limit", "-1", "--config")
    assert "<hard_limit" not in daemon.virsh("dumpxml", "d1") and "<soft_limit" in daemon.virsh("dumpxml", "d1")
    daemon.virsh("blkiotune", "d1", "--weight", "500", "--device-weights", "/dev/sda,300,/dev/sdb,400", "--config")
    text = daemon.virsh("blkiotune", "d1")
    assert ": 500" in text and "/dev/sda,300,/dev/sdb,400" in text
    assert "PATH,NUMBER" in daemon.virsh("blkiotune", "d1", "--device-read-iops-sec", "/dev/sda,x", "--config", ok=False)
    daemon.virsh("perf", "d1", "--enable", "cmt", "--config")
    assert "<event name='cmt' enabled='yes'/>" in daemon.virsh("dumpxml", "d1")
    assert "cmt            : enabled" in daemon.virsh("perf", "d1")
    daemon.stop()
    daemon.start()
    assert ": 500" in daemon.virsh("blkiotune", "d1") and "cmt            : enabled" in daemon.virsh("perf", "d1")


@pytest.mark.parametrize("began", ["", "<iotune><total_iops_sec>50</total_iops_sec></iotune>"])
def test_speed_of_a_disk(daemon, began):
    daemon.paused("s1", extra=disk(daemon, "vda", began))
    daemon.virsh("blkdeviotune", "s1", "vda", "--total-bytes-sec", "1000000", "--live", "--config")
    daemon.virsh("blkdeviotune", "s1", "vda", "--total-iops-sec", "70", "--live")
    text = daemon.virsh("blkdeviotune", "s1", "vda", "--live")
    assert "total_bytes_sec: 1000000" in text and "total_iops_sec : 70" in text
    # What QEMU has: of a disk that began with limits in its filter's group, else at the device.
    if began:
        group = {"path": "/objects/group-virtio-disk0", "property": "limits"}
        limits = ask(daemon, "s1", {"execute": "qom-get", "arguments": group})
        assert (limits["bps-total"], limits["iops-total"]) == (1000000, 70)
    else:
        inserted = ask(daemon, "s1", {"execute": "query-block"})[0]["inserted"]
        assert (inserted["bps"], inserted["iops"]) == (1000000, 70)
    kept = daemon.virsh("dumpxml", "s1", "--inactive")
    assert "<total_bytes_sec>1000000<" in kept and "<total_iops_sec>70<" not in kept
    assert "at the same time" in daemon.virsh("blkdeviotune", "s1", "vda", "--read-bytes-sec", "5", "--total-bytes-sec",
                                              "5", ok=False)
    assert "not found in domain" in daemon.virsh("blkdeviotune", "s1", "vdz", "--total-bytes-sec", "5", ok=False)
    for name in "total-bytes-sec", "total-iops-sec", "size-iops-sec", "total-iops-sec-max-length":
        for where in "--live", "--config":
            said = daemon.virsh("blkdeviotune", "s1", "vda", f"--{name}", "1000000000000001", where, ok=False)
            assert "argument unsupported: block I/O throttle limit value must be no more than 1000000000000000" in said


def test_size_of_a_disk(daemon):
    daemon.paused("s1", extra=disk(daemon, "vda"))
    daemon.virsh("blockresize", "s1", "vda", "16M")
    assert ask(daemon, "s1", {"execute": "query-block"})[0]["inserted"]["image"]["virtual-size"] == 16 << 20
    daemon.virsh("blockresize", "s1", f"{daemon.root}/vda.qcow2", "20000001B")
    assert ask(daemon, "s1", {"execute": "query-block"})[0]["inserted"]["image"]["virtual-size"] == 20000256
    assert "was not found" in daemon.virsh("blockresize", "s1", "vdz", "16M", ok=False)
    daemon.virsh("destroy", "s1")
    assert "not running" in daemon.virsh("blockresize", "s1", "vda", "16M", ok=False)


def test_speed_of_an_interface(daemon):
    nic = "<interface type='bridge'><mac address='52:54:00:0a:0b:0c'/><source bridge='br-none'/></interface>"
    daemon.define("n1", boot=False, extra=nic)
    daemon.virsh("domiftune", "n1", "52:54:00:0A:0B:0C", "--inbound", "100,200,300", "--config")
    assert "<inbound average='100' peak='200' burst='300'/>" in daemon.virsh("dumpxml", "n1")
    assert "inbound.peak   : 200" in daemon.virsh("domiftune", "n1", "52:54:00:0a:0b:0c")
    assert "not a known interface" in daemon.virsh("domiftune", "n1", "52:54:00:0a:0b:0d", ok=False)


def test_what_is_not_there(daemon):
    """Clients know how to go on by the code, of which the sentence's beginning is a part."""
    daemon.paused("a1", extra=disk(daemon, "vda"))
    for words, answer in ((["snapshot-info", "a1", "x"], "Domain snapshot not found: "),
                          (["checkpoint-info", "a1", "x"], "Domain checkpoint not found: "),
                          (["backup-dumpxml", "a1"], "Domain backup job id not found: "),
                          (["blockjob", "a1", "vda", "--abort"], "does not have an active block job"),
                          (["nwfilter-binding-dumpxml", "x"], "Network filter binding not found: "),
                          (["blockcopy", "a1", "vda", "/none"], "Operation not supported: "),
                          (["snapshot-create-as", "a1", "--memspec", "/none"], "Operation not supported: "),
                          (["iface-begin"], "not supported by the connection driver: virInterfaceChangeBegin")):
        assert answer in daemon.virsh(*words, ok=False), words
    assert daemon.virsh("domlaunchsecinfo", "a1").strip() == ""
    assert "Security model: none" in daemon.virsh("dominfo", "a1")


MODULES = """<domain type='qemu'><name>modules</name><maxMemory slots='4' unit='GiB'>2</maxMemory>
  <memory>219100</memory><vcpu>2</vcpu><os><type arch='x86_64' machine='pc'>hvm</type><boot dev='fd'/></os>
  <features><acpi/></features>
  <cpu mode='maximum'><numa><cell id='0' cpus='0' memory='109550'/><cell id='1' cpus='1' memory='109550'/></numa></cpu>
  <devices>
    <disk type='file' device='floppy'><source file='{image}'/><target dev='fda'/></disk>
    <controller type='virtio-serial' index='1'/>
    <channel type='pty'><target type='virtio' name='c'/><address type='virtio-serial' controller='1' bus='0' port='3'/>
    </channel>
    <memory model='dimm'><target><size>130000</size><node>0</node></target></memory>
    <memory model='virtio-mem'><target><size unit='MiB'>128</size><node>1</node><block unit='MiB'>2</block>
      <requested unit='MiB'>64</requested></target></memory>
  </devices></domain>"""
ODD = """<domain type='qemu'><name>odd</name><memory>219100</memory><memoryBacking><access mode='shared'/></memoryBacking>
  <os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"""


def test_memory_from_the_start(daemon):
    """Modules are no part of what the machine begins with, and sizes are such that QEMU takes them. A floppy that is
    booted and a bus that is not number 0 are in the way of nothing."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "raw", f"{daemon.root}/floppy", "1440K"], check=True)
    for name, xml in (("modules", MODULES.format(image=f"{daemon.root}/floppy")), ("odd", ODD)):
        with open(f"{daemon.root}/{name}.xml", "w") as f:
            f.write(xml)
        daemon.virsh("define", f.name)
        daemon.virsh("start", name, "--paused")
    modules = ask(daemon, "modules", {"execute": "query-memory-devices"})
    assert {m["type"]: m["data"].get("max-size", m["data"]["size"]) for m in modules} \
        == {"dimm": 128 << 20, "virtio-mem": 128 << 20}
    assert ask(daemon, "modules", {"execute": "query-memory-size-summary"})["base-memory"] == 2 * 107 << 20
    live = daemon.virsh("dumpxml", "modules")
    assert "<memory unit='KiB'>481280<" in live and "memory='109568'" in live and ">131072</size>" in live
    assert "<size unit='KiB'>130000<" in daemon.virsh("dumpxml", "modules", "--inactive")
    assert ask(daemon, "odd", {"execute": "query-memory-size-summary"})["base-memory"] == 214 << 20
