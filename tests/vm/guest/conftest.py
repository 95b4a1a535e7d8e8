# SPDX-License-Identifier: LGPL-2.1-or-later
"""vireod as the system's service, started anew for each test, and its machines."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

SOCKET = "/run/vireo/vireo-sock"
UNITS = ["vireod.service", "vireod.socket", "vireod-ro.socket", "vireod-admin.socket"]
QEMU = "/usr/bin/qemu-system-x86_64"
LINUX = "/payload/linux"
BUILD = "/payload"
CONFIG = "/etc/vireo/vireod.conf"
DEBUG = "log_level = debug"
# As in tests/system, and without what takes long: the boot of a guest in a guest.
CMDLINE = "console=ttyS0 quiet maxcpus=1 cryptomgr.notests lsm= nokaslr"
BUSY = 4  # as in tests/system: how much longer things may take on a busy machine
PATIENT = ["unplug_timeout_ms = 20000"]  # as in tests/system


def run(*command, ok=True, seconds=240):
    """ok=None: whatever its exit status."""
    result = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=seconds)
    if ok is not None:
        assert (result.returncode == 0) == ok, f"{command}: {result.returncode} {result.stdout}{result.stderr}"
    return result


def wait_for(condition, seconds, what):
    """Polls until condition() is true; its value. Fails naming what was waited for (a text, or what makes one then).
    The seconds are an idle machine's; a busy one gets a multiple: only a test that fails waits for it."""
    seconds *= BUSY
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"no {what() if callable(what) else what} within {seconds} s")


def unit(name, what):
    """A property of a unit."""
    return run("systemctl", "show", "--property", what, "--value", name).stdout.strip()


class Daemon:
    """vireod.service, its clients and its machines: what tests/system calls by the same names does the same."""

    uri = f"qemu+unix:///system?socket={SOCKET}"
    partition = "/machine.slice"

    def start(self):
        run("systemctl", "start", *UNITS)

    def configure(self, *lines):
        """Starts again with these settings."""
        self.stop()
        with open(CONFIG, "w") as f:
            f.write("\n".join([DEBUG, *lines]) + "\n")
        self.start()

    def stop(self):
        run("systemctl", "stop", *UNITS)

    def run(self, program, *arguments, ok=True):
        return run(program, "-c", self.uri, *arguments, ok=ok)

    def virsh(self, *arguments, ok=True):
        """stdout when it shall succeed, stderr when it shall fail."""
        result = run("virsh", "-c", self.uri, *arguments, ok=ok)
        return result.stdout if ok else result.stderr

    def vireo(self, *arguments, ok=True):
        result = run("vireo", "-c", SOCKET, *arguments, ok=ok)
        return result.stdout if ok else result.stderr

    def pid(self):
        return int(unit("vireod.service", "MainPID"))

    def qemus(self):
        """{domain name: pid} of the QEMUs here."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline") as f:
                    words = f.read().split("\0")
            except OSError:
                continue
            names = [word for word in words if word.startswith("guest=")]
            if words[0] == QEMU and names:
                found[names[0].split("=")[1].split(",")[0]] = int(pid)
        return found

    def __init__(self):
        shown = run("journalctl", "-n", "0", "--show-cursor", ok=None).stdout
        self.cursor = ["--after-cursor", shown.split("cursor: ")[1].strip()] if "cursor: " in shown else []

    def log(self, lines=30):
        """What vireod said since the test began."""
        return run("journalctl", *self.cursor, "-u", "vireod.service", "--no-pager", "-o", "cat", "-n", lines,
                   ok=None).stdout

    def log_text(self):
        return self.log("all")

    def xml(self, name, maximum=4, current=1, tune="", extra="", boot=False):
        """A small machine, with boot the embedded guest; tune goes behind <vcpu>, extra to the devices."""
        os_xml = (f"<kernel>{LINUX}/vmlinuz</kernel><initrd>{LINUX}/initrd</initrd>"
                  f"<cmdline>{CMDLINE}</cmdline>") if boot else ""
        return f"""<domain type='qemu'>
  <name>{name}</name><memory unit='MiB'>{256 if boot else 64}</memory>
  <vcpu current='{current}'>{maximum}</vcpu>{tune}
  <os><type arch='x86_64' machine='q35'>hvm</type>{os_xml}</os>
  <features><acpi/><apic/></features>
  <cpu mode='maximum'><feature policy='disable' name='monitor'/></cpu>
  <devices><emulator>{QEMU}</emulator><serial type='file'><source path='/run/{name}.console'/></serial>
    <memballoon model='none'/>{extra}</devices>
</domain>
"""

    def wait_online(self, name, cpus, seconds=0):
        """Until the guest's console says that it uses these CPUs; a guest in a guest takes its time."""
        def console():
            with open(f"/run/{name}.console", errors="replace") as f:
                return f.read().rpartition("\n")[0].splitlines()  # the last line may be half written

        def online():
            lines = [line.split()[1] for line in console() if line.startswith("ONLINE ")]
            return lines and lines[-1] == cpus
        wait_for(online, max(seconds, 100),
                 lambda: f"'ONLINE {cpus}' on the console of '{name}', which says {console()[-5:]}")

    def boot(self, name, current=1, **options):
        self.define(name, boot=True, current=current, **options)
        self.virsh("start", name)
        self.wait_online(name, "0" if current == 1 else f"0-{current - 1}")

    def define(self, name, **options):
        path = f"/run/{name}.define.xml"
        with open(path, "w") as f:
            f.write(self.xml(name, **options))
        self.virsh("define", path)

    def paused(self, name, **options):
        """A machine whose vCPU threads are there and do not run: its QEMU's pid."""
        self.define(name, **options)
        self.virsh("start", name, "--paused")
        return self.qemus()[name]

    def counts(self, name):
        """vcpucount as a dict, ('current', 'live') -> 2."""
        rows = [line.split() for line in self.virsh("vcpucount", name).splitlines() if line.strip()]
        return {(row[0], row[1]): int(row[2]) for row in rows}


@pytest.fixture
def daemon():
    """The service runs; afterwards its machines and what it had written are gone."""
    instance = Daemon()
    run("systemctl", "reset-failed", *UNITS, ok=None)
    os.makedirs("/etc/vireo", exist_ok=True)
    with open(CONFIG, "w") as f:
        f.write(DEBUG + "\n")
    run("systemctl", "start", *UNITS)
    try:
        yield instance
    finally:
        for name in instance.qemus():
            instance.vireo("destroy", name, ok=None)
        run("systemctl", "stop", *UNITS)
        left = instance.qemus()
        for pid in left.values():
            os.kill(pid, signal.SIGKILL)
        for directory in ("/etc/vireo", "/run/vireo/domains", "/run/vireo/operations"):
            shutil.rmtree(directory, ignore_errors=True)
        assert not left, f"machines that could not be ended: {left}\n{instance.log()}"


def slice_state():
    """What is in machine.slice, and what systemd thinks of it."""
    lines = [run("systemctl", "list-units", "--all", "--no-legend", "machine-*", ok=None).stdout]
    for path, _, names in os.walk("/sys/fs/cgroup/machine.slice"):
        for name in sorted({"cgroup.events", "cgroup.threads"} & set(names)):
            try:
                with open(f"{path}/{name}") as f:
                    lines.append(f"{path}/{name}: {' '.join(f.read().split())}")
            except OSError as error:
                lines.append(f"{path}/{name}: {error.strerror}")
    return "\n".join(lines)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What vireod and systemd said, and where the machines' cgroups are, with a test that failed."""
    report = (yield).get_result()
    if report.failed and "daemon" in getattr(item, "funcargs", {}):
        daemon = item.funcargs["daemon"]
        said = run("journalctl", *daemon.cursor, "_PID=1", "--no-pager", "-o", "cat", "-n", 30, ok=None).stdout
        report.sections += [("journal of vireod.service", daemon.log()), ("journal of systemd", said),
                            ("machine.slice", slice_state())]


@pytest.fixture
def tmp_path():
    """As pytest's own, but that QEMU's user comes there, too."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="vireo-test-files.", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def guest():
    if not os.path.exists(f"{LINUX}/vmlinuz"):
        pytest.skip("SKIP: no embedded guest: scripts/make-guest makes it")


@pytest.fixture
def kvm():
    pytest.skip("SKIP: no KVM in the system VM")
