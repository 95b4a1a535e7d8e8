# SPDX-License-Identifier: LGPL-2.1-or-later
"""What fails in the middle of a migration, at each of its moments: one side has the guest, and nothing of it is lost."""
import contextlib
import glob
import json
import os
import re
import signal
import subprocess
import tempfile

import libvirt
import libvirt_qemu
import pytest

from conftest import BUILD, QEMU, VIREO, Daemon, passable, refused, wait_for
from migrate_stops import MOMENTS, Stops
from test_migrate import state

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="SKIP: a file system of its own needs root")

# A guest of QEMU 7.2 does not survive a move with a pending removal.
NEWER = f"{BUILD}/qemu-10.0/bin/qemu-system-x86_64"
EMULATOR = NEWER if os.access(NEWER, os.X_OK) else QEMU
PENDING = EMULATOR != QEMU


# ---- two daemons, each on a small disk ----

@contextlib.contextmanager
def on_small_disk():
    root = tempfile.mkdtemp(prefix="vireo-test.", dir="/tmp")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=755", "tmpfs", root], capture_output=True,
                             text=True, check=False)
    if mounted.returncode:
        os.rmdir(root)
        pytest.skip(f"SKIP: no file system of its own: {mounted.stderr}")
    instance = Daemon(root)
    try:
        os.makedirs(f"{root}/etc")
        with open(f"{root}/etc/vireod.conf", "w") as f:
            settings = instance.settings if passable(EMULATOR) else [*{*instance.settings, "user = root"}]
            f.write("\n".join([*settings, "unplug_timeout_ms = 300"]) + "\n")
        instance.start()
        yield instance
    finally:
        fill(instance, False)
        try:
            instance.clean_up()
        finally:
            subprocess.run(["umount", "-l", root], check=True)
            os.rmdir(root)


@pytest.fixture(scope="module")
def sides():
    libvirt.registerErrorHandler(lambda *_: None, None)
    with on_small_disk() as here, on_small_disk() as there:
        yield here, there


def fill(daemon, full):
    filler = f"{daemon.root}/filler"
    if not full:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(filler)
        return
    with open(filler, "wb", buffering=0) as f, contextlib.suppress(OSError):
        while True:
            f.write(b"x" * 4096)


# ---- the guest ----

@contextlib.contextmanager
def domain_of(daemon):
    """vm1 through the binding; virsh for each question would take most of the time."""
    connection = libvirt.open(daemon.uri)
    try:
        yield connection.lookupByName("vm1")
    finally:
        connection.close()


def runs(daemon):
    if "vm1" not in daemon.qemus():
        return "gone"
    try:
        with domain_of(daemon) as domain:
            answer = libvirt_qemu.qemuMonitorCommand(domain, '{"execute":"query-status"}', 0)
    except libvirt.libvirtError:
        return "unknown"
    status = json.loads(answer).get("return")  # one that is ending answers with an error
    return "unknown" if status is None else "runs" if status["running"] else "stands"


# A boot sector: it does what an operating system does that sets up ACPI's CPU hotplug (QEMU's docs/specs/
# acpi_cpu_hotplug: the first write to ICH9's 0xcd8), and halts: cli; xor ax,ax; mov dx,0xcd8; out dx,al; hlt.
SECTOR = bytes.fromhex("fa31c0bad80ceef4ebfd").ljust(510, b"\0") + b"\x55\xaa"
HALTED = "EIP=00007c08"


def begin(daemon):
    """A machine whose guest never answers, with vCPUs that were plugged out of order, a pin, and a pending removal."""
    forget(daemon)
    with open(f"{daemon.root}/sector", "wb") as f:
        f.write(SECTOR.ljust(1 << 20, b"\0"))
    disk = f"""<disk type='file' device='disk'><source file='{f.name}'/><target dev='vda' bus='virtio'/><readonly/></disk>"""
    xml = re.sub("<serial.*</serial>", disk, daemon.xml("vm1", maximum=6, boot=False, emulator=EMULATOR))
    connection = libvirt.open(daemon.uri)
    domain = connection.defineXML(xml)
    domain.create()
    # SeaBIOS waits for as many CPUs as there were when it looked.
    wait_for(lambda: HALTED in libvirt_qemu.qemuMonitorCommand(domain, "info registers", 1), 10, "boot sector that halts")
    for vcpu in "3", "1", "2":
        domain.setVcpu(vcpu, 1, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    domain.pinVcpuFlags(3, (True,), libvirt.VIR_DOMAIN_AFFECT_LIVE)
    if PENDING:
        refused(domain.setVcpu, libvirt.VIR_ERR_OPERATION_TIMEOUT, "2", 0, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    connection.close()


def online_ids(domain):
    return [vcpu[0] for vcpu in domain.vcpus()[0]]


def check_whole(daemon):
    """The guest there has what it had, and its vireod can go on with it."""
    with domain_of(daemon) as domain:
        assert online_ids(domain) == [0, 1, 2, 3]
        assert "<vcpupin vcpu='3' cpuset='0'/>" in domain.XMLDesc()
        with open(f"{daemon.root}/run/domains/vm1.xml") as f:
            text = f.read()
        assert re.findall(r"<vcpu id='(\d+)'[^>]*pending='removal'", text) == ["2"] * PENDING, text
        domain.setVcpu("5", 1, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        assert online_ids(domain) == [0, 1, 2, 3, 5]


def left_over(daemon):
    """What is there of a guest that is not."""
    found = [path for kind in ("run/births/*", "run/domains/*", "run/operations/*", "run/*.migrate", "lib/monitors/*",
                               "lib/save/*") for path in glob.glob(f"{daemon.root}/{kind}")]
    for base in f"/sys/fs/cgroup/*{daemon.partition}", f"/sys/fs/cgroup{daemon.partition}":
        found += glob.glob(f"{base}/*vm1*")
    return found + list(daemon.qemus())


def forget(daemon):
    """The end of a case."""
    with contextlib.suppress(libvirt.libvirtError), domain_of(daemon) as domain:
        if domain.isActive():
            domain.destroy()
        if domain.isPersistent():
            domain.undefine()


# ---- what fails, and who has the guest then ----

def kill_daemon(daemon):
    daemon.stop(signal.SIGKILL)


def kill_qemu(daemon):
    if pid := daemon.qemus().get("vm1"):
        with contextlib.suppress(ProcessLookupError):  # one that is being ended
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: "vm1" not in daemon.qemus(), 5, "end of QEMU")


FAULTS = {
    "source vireod": lambda stops: kill_daemon(stops.here),
    "destination vireod": lambda stops: kill_daemon(stops.there),
    "source QEMU": lambda stops: kill_qemu(stops.here),
    "destination QEMU": lambda stops: kill_qemu(stops.there),
    "client": lambda stops: stops.cut_calls(),
    "state": lambda stops: stops.cut_state(),
    "source disk": lambda stops: fill(stops.here, True),
    "destination disk": lambda stops: fill(stops.there, True),
}
HERE, THERE, NOBODY = ("runs", "gone"), ("gone", "runs"), ("gone", "gone")
HANDED_OVER = ("stands", "runs")  # the source's vireod cannot know, and leaves it paused
UNKNOWN = ("stands", "gone")


def expected(fault, moment, p2p):
    """Who may have it afterwards."""
    at = MOMENTS.index(moment)
    ready, yours, done = (MOMENTS.index(name) for name in ("ready", "yours", "done"))
    if fault == "source QEMU":
        # From "finishing" on its vireod may say "yours" before it notices: all of the guest is there by then.
        return [NOBODY] if at < MOMENTS.index("finishing") else [NOBODY, THERE] if at < yours else [THERE]
    if fault == "destination QEMU":
        return [HERE if at < done else NOBODY]
    if fault == "source vireod":
        return [HERE] if at < yours else [HANDED_OVER] if at == yours else [HANDED_OVER, THERE]
    if fault == "destination vireod":
        return [HERE] if at < yours else [UNKNOWN] if at == yours else [THERE]
    if fault == "state":
        return [HERE] if at < yours or (at == yours and p2p) else [UNKNOWN] if at == yours else [THERE]
    if fault == "destination disk":
        return [HERE] if at < MOMENTS.index("prepared") else [HERE, THERE] if at < done else [THERE]
    return [HERE] if at < ready else [HERE, THERE] if at == ready else [THERE]


def cases():
    for p2p in False, True:
        for fault in FAULTS:
            for moment in MOMENTS:
                if p2p and moment in ("begun", "performed", "confirming"):
                    continue  # the source's vireod makes these calls to itself
                if moment in ("begun", "preparing") and fault in ("destination QEMU", "state"):
                    continue  # which is not there yet
                yield pytest.param(p2p, fault, moment, id=f"{'p2p' if p2p else 'direct'}-{fault}-{moment}".replace(" ", "-"))


@pytest.mark.parametrize("p2p, fault, moment", cases())
def test_a_fault(sides, p2p, fault, moment):
    here, there = sides
    forget(there)
    begin(here)
    definition = here.virsh("dumpxml", "vm1", "--inactive")
    with contextlib.closing(Stops(here, there, moment, FAULTS[fault])) as stops:
        said = subprocess.run(["virsh", "-c", stops.uris[0], "migrate", "--live", "vm1", stops.uris[1]] + ["--p2p"] * p2p,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
        assert stops.done.wait(60), f"{moment} did not come: {said}"
        assert stops.error is None, stops.error
        for side in sides:
            fill(side, False)
            if side.process.poll() is not None:
                side.start()
        outcomes = expected(fault, moment, p2p)
        wait_for(lambda: (runs(here), runs(there)) in outcomes, 15,
                 lambda: f"{outcomes} but {runs(here)}, {runs(there)}; {said}; {[l for l in here.log_text().splitlines() if 'MonitorCommand' not in l][-25:]}; {there.log_text()[-2000:]}")
    outcome = runs(here), runs(there)
    assert said.returncode or outcome in (THERE, HANDED_OVER, NOBODY), said
    if outcome == HANDED_OVER:
        assert state(here, "vm1") == "paused (migrating)"
        assert "has not said whether it runs there" in here.run(VIREO, "doctor", "vm1", ok=None).stdout
        here.virsh("destroy", "vm1")
    elif outcome == UNKNOWN:
        here.virsh("resume", "vm1")
    for side in sides:
        if runs(side) == "runs":
            check_whole(side)
            assert side is there or ("pending" in side.vireo("ops")) == PENDING
        else:
            wait_for(lambda side=side: not left_over(side), 10, lambda side=side: f"end of {left_over(side)}")
    assert here.virsh("dumpxml", "vm1", "--inactive") == definition
    # A Prepare of a source that has gone comes, and goes.
    wait_for(lambda: ("vm1" in there.virsh("list", "--all")) == (runs(there) == "runs"), 10, "destination that has what runs")
    for side in sides:
        forget(side)
        wait_for(lambda side=side: not left_over(side), 10, lambda side=side: f"end of {left_over(side)}")


# ---- inside of a vireod ----

@pytest.mark.parametrize("side, step, outcome", [
    ("source", "migrate-begun", HERE),
    ("source", "migrate-moved", HERE),
    ("source", "migrate-given", UNKNOWN),
    ("destination", "migrate-ready", HERE),
    ("destination", "migrate-yours", UNKNOWN),
    ("destination", "restore-loaded", ("stands", "stands")),  # given to it, and written down so
])
def test_a_killed_daemon(sides, side, step, outcome):
    here, there = sides
    victim = here if side == "source" else there
    victim.stop()
    os.environ["VIREOD_CRASH_AT"] = step
    try:
        victim.start()
    finally:
        del os.environ["VIREOD_CRASH_AT"]
    begin(here)
    here.run("virsh", "migrate", "--live", "vm1", there.uri, ok=None)
    assert victim.process.wait(60) == -signal.SIGKILL
    victim.start()
    wait_for(lambda: (runs(here), runs(there)) == outcome, 15,
             lambda: f"{outcome}: {runs(here)}, {runs(there)}; {state(here, 'vm1')}")
    for daemon in sides:
        forget(daemon)


# ---- what the destination had, and what it does not know ----

def migrate_at(sides, moment, action, *flags):
    """Moves vm1, with the action at the moment; what virsh said."""
    with contextlib.closing(Stops(*sides, moment, action)) as stops:
        said = subprocess.run(["virsh", "-c", stops.uris[0], "migrate", "--live", "vm1", stops.uris[1], *flags],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
        assert stops.done.wait(60) and stops.error is None, f"{moment}: {stops.error}; {said}"
        return said


def test_a_definition_stays_until_the_guest_runs(sides):
    """That of a domain which is defined at the destination, too."""
    here, there = sides
    forget(there)
    begin(here)
    path = f"{there.root}/defined.xml"
    with open(path, "w") as f:
        f.write(here.virsh("dumpxml", "vm1", "--inactive").replace("<memory", "<title>before</title><memory", 1))
    there.virsh("define", path)
    before = there.virsh("dumpxml", "vm1", "--inactive")
    assert migrate_at(sides, "ready", FAULTS["state"], "--persistent").returncode
    wait_for(lambda: (runs(here), runs(there)) == HERE, 15, lambda: f"{runs(here)}, {runs(there)}")
    assert there.virsh("dumpxml", "vm1", "--inactive") == before
    there.stop()
    there.start()
    assert there.virsh("dumpxml", "vm1", "--inactive") == before
    here.virsh("migrate", "--live", "--persistent", "vm1", there.uri)
    assert "<title>before" not in there.virsh("dumpxml", "vm1", "--inactive")
    for side in sides:
        forget(side)


def test_a_destination_that_does_not_know(sides):
    """Its QEMU was told to let the guest run and says nothing: neither side ends anything, and it goes on there."""
    here, there = sides
    forget(there)
    begin(here)
    stopped = []

    def stop(_):
        stopped.append(there.qemus()["vm1"])
        os.kill(stopped[0], signal.SIGSTOP)

    said = migrate_at(sides, "yours", stop, "--p2p")
    assert said.returncode and "it is not known whether domain 'vm1' runs here" in said.stderr, said
    assert state(here, "vm1") == "paused (migrating)" and runs(here) == "stands"
    assert "is not settled" in there.run(VIREO, "doctor", "vm1", ok=None).stdout or "vm1" in there.qemus()
    os.kill(stopped[0], signal.SIGCONT)
    wait_for(lambda: (runs(here), runs(there)) == HANDED_OVER, 60,
             lambda: f"{runs(here)}, {runs(there)}: {there.log_text()[-2000:]}")
    wait_for(lambda: state(there, "vm1").startswith("running"), 60, lambda: state(there, "vm1"))
    here.virsh("destroy", "vm1")
    wait_for(lambda: "vm1" in there.qemus() and 5 not in online(there), 5, "guest that is whole")
    check_whole(there)
    for side in sides:
        forget(side)
        wait_for(lambda side=side: not left_over(side), 10, lambda side=side: f"end of {left_over(side)}")


def online(daemon):
    with domain_of(daemon) as domain:
        return online_ids(domain)
