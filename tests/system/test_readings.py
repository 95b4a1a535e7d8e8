# SPDX-License-Identifier: LGPL-2.1-or-later
"""What clients read of disks, memory and jobs, and the keys they press."""
import os
import signal
import subprocess
import time

import libvirt
import pytest

from conftest import wait_for

DISK = ("<disk type='file' device='disk'><driver name='qemu' type='{kind}'/><source file='{path}'/>"
        "<target dev='vda' bus='virtio'/></disk>")


def define(daemon, name, kind, path):
    """A domain with this disk and a balloon."""
    file = f"{daemon.root}/{name}.xml"
    with open(file, "w") as f:
        f.write(daemon.xml(name, boot=False, extra=DISK.format(kind=kind, path=path))
                .replace("<memballoon model='none'/>", "<memballoon model='virtio'/>"))
    daemon.virsh("define", file)


def paused(daemon, name, path):
    define(daemon, name, "raw", path)
    daemon.virsh("start", name, "--paused")


@pytest.fixture
def disk(daemon):
    path = f"{daemon.root}/disk.img"
    with open(path, "wb") as f:
        f.write(b"x" * 65536)
        f.truncate(1 << 20)
    paused(daemon, "d1", path)
    return path


def test_disks(daemon, disk):
    assert "vda rd_req " in daemon.virsh("domblkstat", "d1", "vda")
    assert "rd_bytes" in daemon.virsh("domblkstat", "d1", disk)
    assert "flush" in daemon.virsh("domblkstat", "d1", "vda", "--human").lower()
    assert "invalid path: vdz" in daemon.virsh("domblkstat", "d1", "vdz", ok=False)
    assert "Capacity:       1048576" in daemon.virsh("domblkinfo", "d1", "vda")
    assert "No errors found" in daemon.virsh("domblkerror", "d1")
    stats = daemon.virsh("domstats", "d1")
    assert "block.count=1" in stats and "block.0.name=vda" in stats and f"block.0.path={disk}" in stats
    assert "block.0.capacity=1048576" in stats and "block.0.rd.reqs=" in stats


def numbers(daemon, *words):
    """{name: value} of domstats."""
    said = daemon.virsh("domstats", "d1", *words)
    return dict(line.strip().split("=", 1) for line in said.splitlines() if "=" in line)


def test_a_threshold_that_is_passed(daemon, disk):
    """Told once, under both names of the disk; the number of its source is a name where a threshold is set."""
    libvirt.virEventRegisterDefaultImpl()
    connection = libvirt.open(daemon.uri)
    heard = []
    turn = libvirt.virEventAddTimeout(100, lambda _t, _o: None, None)
    connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_THRESHOLD,
                                      lambda _c, domain, *of, **_k: heard.append((domain.name(), *of[:-1])), None)
    for name in "vda[1]", disk:
        del heard[:]
        daemon.virsh("domblkthreshold", "d1", name, "65536")
        for at in 0, 65536, 131072:
            daemon.virsh("qemu-monitor-command", "d1", "--hmp",
                         f"qemu-io -d /machine/peripheral/virtio-disk0/virtio-backend \"write {at} 4096\"")
        wait_for(lambda: libvirt.virEventRunDefaultImpl() == 0 and len(heard) == 2, 20, "the events of a threshold")
        assert heard == [("d1", "vda", disk, 65536, 4096), ("d1", "vda[1]", disk, 65536, 4096)]
        assert "block.0.threshold" not in numbers(daemon, "--block")
    for name in "vda[2]", "vda[01]", "vda[1", "[1]":
        assert f"failed to find disk '{name}'" in daemon.virsh("domblkthreshold", "d1", name, "65536", ok=False)
    libvirt.virEventRemoveTimeout(turn)
    connection.close()


def test_numbers_of_sources_and_thresholds(daemon, disk):
    """A source is known by a number as long as the domain runs, also to a daemon that comes later; a threshold is told
    until it is taken away."""
    path = f"{daemon.root}/second.img"
    with open(path, "wb") as f:
        f.truncate(1 << 20)
    assert numbers(daemon, "--block")["block.0.backingIndex"] == "1"
    daemon.virsh("attach-disk", "d1", path, "vdb", "--live")
    said = numbers(daemon, "--block")
    assert (said["block.0.backingIndex"], said["block.1.backingIndex"]) == ("1", "2")
    assert "block.0.threshold" not in said
    daemon.virsh("domblkthreshold", "d1", "vda", "65536")
    assert numbers(daemon, "--block")["block.0.threshold"] == "65536"
    daemon.stop()
    daemon.start()
    said = numbers(daemon, "--block")
    assert (said["block.0.backingIndex"], said["block.1.backingIndex"], said["block.0.threshold"]) == ("1", "2", "65536")
    daemon.virsh("domblkthreshold", "d1", "vda", "0")
    assert "block.0.threshold" not in numbers(daemon, "--block")
    assert 'index="2"' in daemon.virsh("dumpxml", "d1", "--xpath", "//disk[target/@dev='vdb']/source")
    assert "index=" not in daemon.virsh("dumpxml", "d1", "--inactive", "--xpath", "//disk/source")


def test_cpu_time_and_dirty_rate(daemon, disk):
    said = numbers(daemon, "--cpu-total")
    assert int(said["cpu.time"]) >= int(said["cpu.user"]) > 0 and "cpu.system" in said
    assert said["cpu.cache.monitor.count"] == "0" and said["cpu.haltpoll.success.time"] == "0"
    assert numbers(daemon, "--dirtyrate")["dirtyrate.calc_status"] == "0"
    daemon.virsh("domdirtyrate-calc", "d1", "--seconds", 1)
    wait_for(lambda: numbers(daemon, "--dirtyrate")["dirtyrate.calc_status"] == "2", 60, "end of the calculation")
    said = numbers(daemon, "--dirtyrate")
    assert said["dirtyrate.megabytes_per_second"] == "0" and said["dirtyrate.calc_mode"] == "page-sampling"


def test_dirty_rates_that_kvm_alone_has(daemon):
    """QEMU 7.2 would end, and the guest with it."""
    daemon.paused("t1")
    for mode in "dirty-ring", "dirty-bitmap":
        for client in daemon.virsh, daemon.vireo:
            assert f"{mode} calculation mode" in client("domdirtyrate-calc", "t1", "--mode", mode, ok=False)
    daemon.vireo("domdirtyrate-calc", "t1", "--mode", "page-sampling")
    assert daemon.virsh("domstate", "t1").strip() == "paused"


def test_a_dirty_rate_by_kvm(daemon, kvm):
    daemon.paused("k1", kind="kvm", cpu=kvm)
    daemon.virsh("domdirtyrate-calc", "k1", "--seconds", 1, "--mode", "dirty-bitmap")
    wait_for(lambda: "dirtyrate.calc_status=2" in daemon.virsh("domstats", "k1", "--dirtyrate"), 60, "end of the calculation")
    assert "dirtyrate.calc_mode=dirty-bitmap" in daemon.virsh("domstats", "k1", "--dirtyrate")
    said = daemon.virsh("domdirtyrate-calc", "k1", "--mode", "dirty-ring", ok=False)
    assert "dirty-ring calculation mode requires dirty-ring feature enabled" in said


def test_what_xml_says_of_a_run(daemon):
    """Whom QEMU runs as, where a display listens, and where a chain of images ends; none of it in the definition."""
    alone, below, top = (f"{daemon.root}/{name}.qcow2" for name in ("alone", "below", "top"))
    for words in ([alone, "1M"], [below, "1M"], ["-F", "qcow2", "-b", below, top]):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *words], check=True, stdin=subprocess.DEVNULL)
    file = f"{daemon.root}/x.xml"
    with open(file, "w") as f:
        f.write(daemon.xml("x", boot=False, extra=DISK.format(kind="qcow2", path=alone) +
                           DISK.format(kind="qcow2", path=top).replace("vda", "vdb") +
                           "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk><graphics type='vnc'/>"))
    daemon.virsh("define", file)
    daemon.virsh("start", "x", "--paused")
    shown, kept = daemon.virsh("dumpxml", "x"), daemon.virsh("dumpxml", "x", "--inactive")
    pid = daemon.qemus()["x"]
    uid, gid = os.stat(f"/proc/{pid}").st_uid, os.stat(f"/proc/{pid}").st_gid
    assert f"<label>+{uid}:+{gid}</label>" in shown and "listen type='address' address='127.0.0.1'" in shown
    assert shown.count("<backingStore/>") == 1 and "<driver name='qemu'/>" in shown and "<alias name='ide'/>" in shown
    for text in ("<label>", "127.0.0.1", "<backingStore", "index='1'/>\n      <target", "<driver name='qemu'/>"):
        assert text not in kept, text


def test_disks_of_a_domain_that_is_off(daemon):
    path = f"{daemon.root}/off.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "5M"], check=True, stdin=subprocess.DEVNULL)
    define(daemon, "off", "qcow2", path)
    assert "Capacity:       5242880" in daemon.virsh("domblkinfo", "off", "vda")
    assert "domain is not running" in daemon.virsh("domblkstat", "off", "vda", ok=False)
    assert "block.0.capacity=5242880" in daemon.virsh("domstats", "off")
    os.unlink(path)
    os.mkfifo(path)  # what would make a reader wait for ever
    assert "cannot read the size" in daemon.virsh("domblkinfo", "off", "vda", ok=False)


@pytest.mark.parametrize("on", [False, True])
def test_images_below_a_disk(daemon, on):
    """Each is a block of its own, in the order of the chain, with its own sizes; counters are the disk's."""
    base, top = f"{daemon.root}/base.qcow2", f"{daemon.root}/top.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", base, "5M"], check=True, stdin=subprocess.DEVNULL)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", top, "7M"], check=True,
                   stdin=subprocess.DEVNULL)
    chain = f"<backingStore type='file'><format type='qcow2'/><source file='{base}'/><backingStore/></backingStore>"
    drive = "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"
    file = f"{daemon.root}/d1.xml"
    with open(file, "w") as f:
        f.write(daemon.xml("d1", boot=False, extra=DISK.format(kind="qcow2", path=top)
                           .replace("<target", f"{chain}<target") + drive))
    daemon.virsh("define", file)
    if on:
        daemon.virsh("start", "d1", "--paused")
    said = numbers(daemon, "--block", "--backing")
    names = [(said[f"block.{i}.name"], said.get(f"block.{i}.path"), said.get(f"block.{i}.capacity"))
             for i in range(int(said["block.count"]))]
    assert names == [("vda", top, str(7 << 20)), ("vda", base, str(5 << 20)), ("sda", None, None)]
    assert [f"block.{i}.rd.reqs" in said for i in range(3)] == [on, False, on]
    indexes = [said.get(f"block.{i}.backingIndex") for i in range(2)]
    assert (None not in indexes and indexes[0] != indexes[1]) if on else indexes == [None, None]
    assert numbers(daemon, "--block")["block.count"] == "2"


def test_memory_and_jobs(daemon, disk):
    assert "actual " in daemon.virsh("dommemstat", "d1") and "rss " in daemon.virsh("dommemstat", "d1")
    daemon.virsh("dommemstat", "d1", "--period", 5, "--live")
    assert "balloon.rss=" in daemon.virsh("domstats", "d1", "--balloon")
    assert "None" in daemon.virsh("domjobinfo", "d1")
    assert "no job is active" in daemon.virsh("domjobabort", "d1", ok=False)


def test_messages(daemon, disk):
    """Whose command QEMU has followed is told as long as it runs, also by a daemon that comes later."""
    assert "tainted" not in daemon.virsh("dominfo", "d1")
    daemon.virsh("qemu-monitor-command", "d1", '{"execute":"query-status"}')

    def kept():
        with open(f"{daemon.root}/run/domains/d1.xml") as f:
            return "commanded='1'" in f.read()
    wait_for(kept, 20, "the status file")
    daemon.stop()
    daemon.start()
    assert "tainted: custom monitor control commands issued" in daemon.virsh("dominfo", "d1")
    daemon.virsh("destroy", "d1")
    daemon.virsh("start", "d1", "--paused")
    assert "tainted" not in daemon.virsh("dominfo", "d1")


def test_keys(daemon, disk):
    daemon.virsh("send-key", "d1", "KEY_LEFTCTRL", "KEY_LEFTALT", "KEY_DELETE")
    daemon.virsh("send-key", "d1", "--codeset", "xt", "--holdtime", 50, "30")
    assert "65535" in daemon.virsh("send-key", "d1", "65535", ok=False)
    for codeset, codes, bad in (("usb", ("224", "76"), "400"), ("atset1", ("30", "57372"), "500"), ("xt", ("0",), "500")):
        daemon.virsh("send-key", "d1", "--codeset", codeset, *codes)
        assert bad in daemon.virsh("send-key", "d1", "--codeset", codeset, bad, ok=False)
    assert "atset1, usb or qnum" in daemon.virsh("send-key", "d1", "--codeset", "os_x", "30", ok=False)
    daemon.virsh("inject-nmi", "d1")


def test_a_hung_qemu_delays_no_reader(daemon, disk):
    """Its disks are missing for a while; everybody else's are there, within a second or so."""
    path = f"{daemon.root}/other.img"
    with open(path, "wb") as f:
        f.truncate(4096)
    paused(daemon, "d2", path)
    pid = daemon.qemus()["d1"]
    os.kill(pid, signal.SIGSTOP)
    try:
        connection = libvirt.open(daemon.uri)
        start = time.monotonic()
        stats = {domain.name(): values for domain, values in connection.getAllDomainStats()}
        assert time.monotonic() - start < 10
        assert "block.0.rd.reqs" in stats["d2"] and "block.0.rd.reqs" not in stats["d1"]
        took = []
        for _ in range(3):  # one of them finds a machine that is not busy
            start = time.monotonic()
            connection.getAllDomainStats()
            took.append(time.monotonic() - start)
        assert min(took) < 0.9
        connection.close()
    finally:
        os.kill(pid, signal.SIGCONT)


def reads(daemon):
    """read(2) calls of the loop's own thread, which are those of files and of its timers."""
    with open(f"/proc/{daemon.pid()}/task/{daemon.pid()}/io") as f:
        return int(next(line.split()[1] for line in f if line.startswith("syscr")))


def test_readers_open_nothing_on_the_loop(daemon, disk):
    """What is asked of running domains is read by workers, or costs no file."""
    connection = libvirt.open(daemon.uri)
    domain = connection.lookupByName("d1")
    # One for each worker that has ended, of which a call has two at most; domain.vcpus also asks for the node's CPUs.
    calls = {domain.info: 0, domain.state: 0, domain.maxVcpus: 0, domain.XMLDesc: 0, domain.vcpuPinInfo: 2,
             domain.vcpus: 4, domain.schedulerParameters: 2, lambda: domain.getCPUStats(True): 2,
             connection.getAllDomainStats: 2}
    for call in calls:
        call()
    for call, most in calls.items():
        before = reads(daemon)
        for _ in range(20):
            call()
        assert reads(daemon) - before <= 20 * most + 9, call  # a timer or a child that ends meanwhile
    connection.close()


def test_many_domains_are_one_errand(daemon):
    """What workers read of a few dozen domains is read in one go, not in a turn for each."""
    connection = libvirt.open(daemon.uri)
    for i in range(40):
        connection.defineXML(daemon.xml(f"d{i}", boot=False))
    connection.getAllDomainStats()
    taken = []
    for _ in range(3):  # one of them without a timer, or a child that ends meanwhile
        before = reads(daemon)
        assert len(connection.getAllDomainStats()) == 40
        taken.append(reads(daemon) - before)
    assert min(taken) < 10, taken
    connection.close()
