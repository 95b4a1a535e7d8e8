# SPDX-License-Identifier: LGPL-2.1-or-later
"""A full disk: each change of what runs is done or not done, also for the next daemon."""
import json
import os
import re
import signal
import subprocess

import libvirt
import pytest

from conftest import wait_for
from tuning import host_cpus, mounts, threads

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: a file system of its own needs root"),
    pytest.mark.skipif(len(host_cpus()) < 2, reason="SKIP: pins need two host CPUs"),
    pytest.mark.skipif(not {"cpu", "cpuset"} <= set(mounts()), reason="SKIP: no cgroup controllers cpu and cpuset"),
]

CHANGES = [
    ["vcpupin", "t", "0", "1"],
    ["emulatorpin", "t", "1"],
    ["iothreadpin", "t", "1", "1"],
    ["schedinfo", "t", "--set", "vcpu_quota=70000", "global_quota=90000"],
    ["numatune", "t", "--nodeset", "0"],
    ["iothreadset", "t", "1", "--poll-max-ns", "4096"],
    ["iothreadadd", "t", "3"],
]


@pytest.fixture
def small(daemon, request):
    """The directory of that name of the daemon's is a file system of 1 MiB; call it to fill and to empty it."""
    where = f"{daemon.root}/{request.param}"
    daemon.stop()
    kept = subprocess.run(["tar", "-C", where, "-c", "."], stdout=subprocess.PIPE, check=True).stdout
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", where], capture_output=True,
                             text=True, check=False)
    if mounted.returncode:
        daemon.start()
        pytest.skip(f"SKIP: no file system of its own: {mounted.stderr}")
    subprocess.run(["tar", "-C", where, "-x"], input=kept, check=True)

    def fill(full):
        if not full:
            os.unlink(f"{where}/filler")
            return
        with open(f"{where}/filler", "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass

    daemon.start()
    yield fill
    daemon.stop()
    subprocess.run(["umount", "-l", where], check=True)


def state(daemon):
    found = threads(daemon.qemus()["t"])
    kernel = {name: (thread.affinity(), thread.bandwidth()) for name, thread in found.items() if name != "emulator"}
    kernel["emulator"] = [thread.affinity() for thread in found["emulator"]][0]
    return kernel, daemon.virsh("dumpxml", "t"), daemon.virsh("domstats", "t", "--iothread")


@pytest.mark.parametrize("small", ["run"], indirect=True)
def test_live_changes(daemon, small):
    daemon.paused("t", maximum=2, current=2,
                  tune="<iothreads>1</iothreads><numatune><memory mode='restrictive' nodeset='0'/></numatune>")
    before = state(daemon)
    small(True)
    for change in CHANGES:
        result = daemon.run("virsh", *change, "--live", ok=None)
        after = state(daemon)
        if "pin" in change[0] and result.returncode == 0:  # the status file's last page has room for its line
            assert after != before, change
            before = after
        else:
            assert "No space left" in result.stderr, (change, result)
            assert after == before, change
    daemon.stop()
    daemon.start()
    daemon.virsh("domstate", "t")
    assert state(daemon) == before
    small(False)
    for change in CHANGES:
        daemon.virsh(*change, "--live")
    after = state(daemon)
    assert after[0]["vcpu0"] == ({1}, (70000, 100000)) and "iothread3" in after[0]
    daemon.stop()
    daemon.start()
    wait_for(lambda: state(daemon)[0] == after[0], 20, "what was done, after a restart")


@pytest.mark.parametrize("small", ["etc"], indirect=True)
def test_both_halves(daemon, small):
    """The definition cannot be written: what runs is as it was, too."""
    daemon.paused("t", maximum=2, current=2, tune="<iothreads>1</iothreads>")
    before, config = state(daemon), daemon.virsh("dumpxml", "t", "--inactive")
    small(True)
    for change in CHANGES[:4]:
        assert "No space left" in daemon.virsh(*change, "--live", "--config", ok=False)
        assert state(daemon) == before and daemon.virsh("dumpxml", "t", "--inactive") == config
    small(False)
    daemon.virsh(*CHANGES[0], "--live", "--config")
    assert "<vcpupin vcpu='0' cpuset='1'/>" in daemon.virsh("dumpxml", "t", "--inactive")


def test_pins_of_a_killed_daemon(daemon):
    """They stand behind the status file, which the first of them has not written again; a cut line is no harm."""
    daemon.paused("t", maximum=4, current=4, tune="<iothreads>1</iothreads>")
    path = f"{daemon.root}/run/domains/t.xml"
    inode = os.stat(path).st_ino
    for vcpu in range(4):
        daemon.virsh("vcpupin", "t", vcpu, vcpu % 2, "--live")
    daemon.virsh("iothreadpin", "t", "1", "1", "--live")
    daemon.virsh("emulatorpin", "t", "1", "--live")
    assert os.stat(path).st_ino == inode
    before = state(daemon)
    daemon.stop(signal.SIGKILL)
    with open(path, "a") as f:
        f.write("<?vcpupin 0 1")
    daemon.start()
    wait_for(lambda: state(daemon) == before, 20, "the pins, after a killed daemon")
    assert [before[0][f"vcpu{i}"][0] for i in range(4)] == [{0}, {1}, {0}, {1}]


# ---- every call that changes something ----

MAC = "52:54:00:12:34:56"
RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
SECRET = "6c1a0fd2-0a3f-4b7c-9d44-0c1b2a3d4e5f"
TEXTS = {
    "rng": RNG,
    "create": None,
    "net": "<network><name>new</name><forward mode='bridge'/><bridge name='none'/></network>",
    "pool": "<pool type='dir'><name>new</name><target><path>/no/new</path></target></pool>",
    "secret": "<secret><description>another</description></secret>",
}
UNSEEN = ["suspend", "resume", "reboot", "reset", "shutdown"]  # may change nothing that a client is shown
LIVE_CALLS = [
    ["setvcpus", "t", "3", "--live"],
    ["setvcpu", "t", "2", "--enable", "--live"],
    ["setvcpus", "t", "3", "--live", "--config"],
    ["iothreadadd", "t", "3", "--live"],
    ["iothreaddel", "t", "2", "--live"],
    ["iothreadset", "t", "1", "--poll-max-ns", "4096", "--live"],
    ["vcpupin", "t", "0", "1", "--live", "--config"],
    ["schedinfo", "t", "--live", "--set", "cpu_shares=77"],
    ["schedinfo", "t", "--live", "--config", "--set", "cpu_shares=78"],
    ["desc", "t", "--live", "--new-desc", "another"],
    ["desc", "t", "--live", "--config", "--new-desc", "a third"],
    ["metadata", "t", "http://x/y", "--live", "--key", "k", "--set", "<a/>"],
    ["metadata", "t", "http://x/y", "--live", "--config", "--key", "k", "--set", "<b/>"],
    ["iothreaddel", "t", "1", "--live", "--config"],
    ["numatune", "t", "--nodeset", "0", "--live", "--config"],
    ["set-lifecycle-action", "t", "crash", "preserve", "--live"],
    ["set-lifecycle-action", "t", "crash", "preserve", "--live", "--config"],
    ["set-lifecycle-action", "t", "reboot", "destroy", "--live", "--config"],
    ["blkdeviotune", "t", "vdx", "--total-bytes-sec", "1000000", "--live", "--config"],
    ["domif-setlink", "t", MAC, "down"],
    ["attach-device", "t", "@rng", "--live"],
    ["attach-device", "t", "@rng", "--live", "--config"],
    ["create", "@create", "--paused"],
    ["managedsave", "t"],
    ["save", "t", "@saved"],
    ["suspend", "t"],
    ["resume", "t"],
    ["reboot", "t"],
    ["reset", "t"],
    ["shutdown", "t"],
]
CONFIG_CALLS = [
    ["setvcpus", "t", "3", "--config"],
    ["setvcpus", "t", "3", "--live", "--config"],
    ["setvcpus", "t", "5", "--maximum", "--config"],
    ["setvcpu", "t", "2", "--enable", "--config"],
    ["iothreadadd", "t", "3", "--config"],
    ["iothreaddel", "t", "2", "--config"],
    ["vcpupin", "t", "0", "1", "--config"],
    ["emulatorpin", "t", "1", "--config"],
    ["iothreadpin", "t", "1", "1", "--config"],
    ["schedinfo", "t", "--config", "--set", "cpu_shares=77"],
    ["numatune", "t", "--nodeset", "0", "--config"],
    ["desc", "t", "--config", "--new-desc", "another"],
    ["metadata", "t", "http://x/y", "--config", "--key", "k", "--set", "<a/>"],
    ["metadata", "t", "http://x/y", "--live", "--config", "--key", "k", "--set", "<b/>"],
    ["desc", "t", "--live", "--config", "--new-desc", "a third"],
    ["set-lifecycle-action", "t", "crash", "preserve", "--config"],
    ["set-lifecycle-action", "t", "crash", "preserve", "--live", "--config"],
    ["autostart", "t"],
    ["domiftune", "u", MAC, "--inbound", "1000", "--config"],
    ["domrename", "u", "w"],
    ["setmaxmem", "t", "96M", "--config"],
    ["setmem", "t", "48M", "--config"],
    ["memtune", "t", "--hard-limit", "1000000", "--config"],
    ["blkiotune", "t", "--weight", "500", "--config"],
    ["blkdeviotune", "t", "vdx", "--total-bytes-sec", "1000000", "--config"],
    ["domif-setlink", "t", MAC, "down", "--config"],
    ["attach-device", "t", "@rng", "--config"],
    ["detach-interface", "t", "user", "--mac", MAC, "--config"],
    ["net-define", "@net"],
    ["net-autostart", "old"],
    ["pool-define", "@pool"],
    ["pool-autostart", "old"],
    ["secret-define", "@secret"],
    ["secret-set-value", SECRET, "bmV3"],
]


def all_of(daemon):
    connection = libvirt.open(daemon.uri)
    try:
        return everything(daemon, connection)
    finally:
        connection.close()


def everything(daemon, connection):
    domains = sorted(connection.listAllDomains(), key=lambda domain: domain.name())
    found = [(domain.XMLDesc(), domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE), domain.state()[0], domain.autostart(),
              domain.hasManagedSaveImage(), domain.isPersistent()) for domain in domains]
    others = sorted((re.sub("<(capacity|allocation|available) .*", "", each.XMLDesc()), each.autostart())
                    for each in connection.listAllNetworks() + connection.listAllStoragePools())
    secrets = sorted((secret.XMLDesc(), secret.value()) for secret in connection.listAllSecrets())
    tasks = threads(daemon.qemus()["t"])
    kernel = {name: (thread.affinity(), thread.bandwidth()) for name, thread in tasks.items() if name != "emulator"}
    return found, others, secrets, kernel, [domain.name() for domain in domains]


def texts(daemon):
    """Each of TEXTS in a file; what a call has in its place."""
    for name, text in TEXTS.items():
        with open(f"{daemon.root}/{name}.xml", "w") as f:
            f.write(text or daemon.xml("v", boot=False))
    return {f"@{name}": f"{daemon.root}/{name}.xml" for name in [*TEXTS, "saved"]}


def walk(daemon, calls, files):
    """Whether each was done or not done, and said so."""
    before = all_of(daemon)
    for call in calls:
        result = daemon.run("virsh", *[files.get(word, word) for word in call], ok=None)
        after = all_of(daemon)
        if result.returncode:
            assert "No space left" in result.stderr, (call, result)
            assert after == before, call
        else:
            assert after != before or call[0] in UNSEEN, call
        before = after
    return before


def restart(daemon, before):
    """The next daemon finds it as the last one left it, on a full disk, too."""
    daemon.stop()
    daemon.start()
    wait_for(lambda: all_of(daemon) == before, 10, "the same after a restart")


def running(daemon, name):
    with open(f"{daemon.root}/x.img", "wb") as f:
        f.truncate(1 << 20)
    devices = f"""<disk type='file'><source file='{f.name}'/><target dev='vdx' bus='virtio'/></disk>
<interface type='user'><mac address='{MAC}'/><model type='virtio'/></interface>"""
    daemon.define(name, boot=False, maximum=4, current=2, tune="<iothreads>2</iothreads>", extra=devices)
    daemon.virsh("start", name)


@pytest.mark.parametrize("small", ["run"], indirect=True)
def test_every_live_call(daemon, small):
    running(daemon, "t")
    daemon.define("u", boot=False)
    files = texts(daemon)
    small(True)
    before = walk(daemon, LIVE_CALLS, files)
    assert "No space left" in daemon.virsh("start", "u", ok=False)
    assert "shut off" in daemon.virsh("domstate", "u") and set(daemon.qemus()) == {"t"}
    restart(daemon, before)
    restart(daemon, walk(daemon, [["undefine", "t"]], files))  # needs no room
    daemon.virsh("destroy", "t")
    daemon.stop()
    daemon.start()
    assert not daemon.virsh("list", "--name").split() and not daemon.qemus()
    small(False)
    daemon.virsh("start", "u", "--paused")


@pytest.mark.parametrize("small", ["etc"], indirect=True)
def test_every_config_call(daemon, small):
    running(daemon, "t")
    daemon.define("u", boot=False, extra=f"""<interface type='bridge'><mac address='{MAC}'/><source bridge='none'/>
<model type='virtio'/></interface>""")
    files = texts(daemon)
    for kind in ("net", "pool"):
        with open(f"{daemon.root}/old.xml", "w") as f:
            f.write(TEXTS[kind].replace("new", "old"))
        daemon.virsh(f"{kind}-define", f.name)
    with open(f"{daemon.root}/old.xml", "w") as f:
        f.write(f"<secret ephemeral='no' private='no'><uuid>{SECRET}</uuid></secret>")
    daemon.virsh("secret-define", f.name)
    daemon.virsh("secret-set-value", SECRET, "b2xk")
    small(True)
    before = walk(daemon, CONFIG_CALLS, files)
    daemon.virsh("setvcpus", "t", "5", "--config", ok=False)
    file = daemon.root + "/run/new.xml"
    for xml in (daemon.virsh("dumpxml", "t", "--inactive").replace("</name>", "</name><title>another</title>"),
                daemon.xml("new", boot=False)):
        with open(file, "w") as f:
            f.write(xml)
        assert "No space left" in daemon.virsh("define", file, ok=False)
        assert all_of(daemon) == before
    restart(daemon, before)
    daemon.virsh("undefine", "t")  # needs no room
    assert "no" in re.search("Persistent: *(.*)", daemon.virsh("dominfo", "t"))[1]
    restart(daemon, all_of(daemon))


# ---- values that QEMU keeps ----

AMOUNTS = [
    ["blkdeviotune", "t", "vdx", "--total-bytes-sec", "1000000", "--live"],
    ["setmem", "t", "48M", "--live"],
    ["dommemstat", "t", "--period", "7", "--live"],
]


def amounts(daemon):
    """What QEMU says of them."""
    def ask(name, **arguments):
        text = daemon.virsh("qemu-monitor-command", "t", json.dumps({"execute": name, "arguments": arguments}))
        return json.loads(text)["return"]
    inserted = [d["inserted"] for d in ask("query-block") if d.get("inserted")]
    return ([(d["bps"], d["iops"]) for d in inserted], ask("query-balloon")["actual"],
            ask("qom-get", path="/machine/peripheral/balloon0", property="guest-stats-polling-interval"))


def with_balloon(daemon, disk):
    path = f"{daemon.root}/x.img"
    with open(path, "wb") as f:
        f.truncate(1 << 20)
    file = f"{daemon.root}/t.xml"
    xml = daemon.xml("t", boot=False, extra=f"<disk type='file'><source file='{path}'/>{disk}</disk>")
    with open(file, "w") as f:
        f.write(xml.replace("<memballoon model='none'/>", "<memballoon model='virtio'/>"))
    daemon.virsh("define", file)
    daemon.virsh("start", "t", "--paused")


@pytest.mark.parametrize("small", ["run"], indirect=True)
def test_amounts(daemon, small):
    """What cannot be written down has not been told to QEMU."""
    with_balloon(daemon, "<target dev='vdx' bus='virtio'/>")
    small(True)
    before = amounts(daemon), daemon.virsh("dumpxml", "t"), daemon.virsh("dumpxml", "t", "--inactive")
    for change in AMOUNTS:
        assert "No space left" in daemon.virsh(*change, "--config", ok=False)
        assert (amounts(daemon), daemon.virsh("dumpxml", "t"), daemon.virsh("dumpxml", "t", "--inactive")) == before
    small(False)
    for change in AMOUNTS:
        daemon.virsh(*change)
    assert amounts(daemon) == ([(1000000, 0)], before[0][1], 7)


def test_refused_by_qemu(daemon):
    """The status file is as it was: a later daemon doesn't believe in limits that QEMU hasn't."""
    with_balloon(daemon, "<target dev='vdx' bus='virtio'/>")
    path = f"{daemon.root}/run/domains/t.xml"
    alias = json.dumps({"execute": "device_del", "arguments": {"id": "balloon0"}})
    with open(path) as f:
        before = f.read().replace("'>\n", "' commanded='1'>\n", 1)
    daemon.virsh("qemu-monitor-command", "t", alias)
    daemon.virsh("qemu-monitor-command", "t", '{"execute": "system_reset"}')
    assert daemon.virsh("dommemstat", "t", "--period", "7", "--live", "--config", ok=False)
    assert "period" not in daemon.virsh("dumpxml", "t") + daemon.virsh("dumpxml", "t", "--inactive")
    with open(path) as f:
        assert f.read() == before
