# SPDX-License-Identifier: LGPL-2.1-or-later
"""A private vireod per test, its clients, its guests; nothing of it outlives the test."""
import glob
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

BUILD = os.environ.get("VIREO_BUILD") or os.path.join(os.path.dirname(__file__), "../../build")
VIREOD = os.path.join(BUILD, "daemon/vireod")
VIREO = os.path.join(BUILD, "tools/vireo")
GUEST = os.environ.get("VIREO_GUEST") or os.path.join(os.path.dirname(__file__), "../../build/guest")
# maxcpus=1: QEMU's TCG before 8.1 can go on for ever with what a kernel that changes its own code has replaced while
# another CPU was translating it (seen: int3 of the jump labels). So one CPU boots; init brings the others.
CMDLINE = "console=ttyS0 quiet maxcpus=1"
# What the daemon's own warning of a missing vCPU below others advises for QEMU 7.2 without KVM (QUIRK_LOST_INTERRUPTS).
HOLES = "possible_cpus=9"
# The guests of scripts/make-guest that boot with nothing special on their command line.
ORDINARY = ("initrd-ordinary", "initrd-offline")
# Without mwait an idle CPU of a TCG guest wakes up at once.
CPU = "<cpu mode='maximum'><feature policy='disable' name='monitor'/></cpu>"
QEMU = "/usr/bin/qemu-system-x86_64"
# What a firmware writes on the console before the guest's first line: the cursor's moves.
FIRMWARE = re.compile(r"\x1b\[[0-9;=?]*[A-Za-z]")
# How much longer things may take on a busy machine.
BUSY = 5
# Settings for tests that are not about the deadline: on a busy machine a guest under TCG takes its time.
PATIENT = ["unplug_timeout_ms = 20000"]


def wait_for(condition, seconds, what):
    """Polls until condition() is true; its value. Fails naming what was waited for (a text, or what makes one then).
    The seconds are an idle machine's; a busy one gets a multiple: only a test that fails waits for it."""
    seconds *= BUSY
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"no {what() if callable(what) else what} within {seconds} s")


def passable(path):
    """Whether everybody may search the directories on the way to it. What is not there yet hinders nobody."""
    path = os.path.realpath(path)
    while path != "/":
        path = os.path.dirname(path)
        if os.path.exists(path) and not os.stat(path).st_mode & 1:
            return False
    return True


class Daemon:
    """vireod --root DIR, with what a test needs to know of it."""

    command = [VIREOD]
    live = set()
    # With every start. QEMU is a user of its own, as everywhere, unless the tests' guest is where only root comes.
    settings = [] if passable(f"{GUEST}/initrd") else ["user = root"]

    def __init__(self, root, verbose=True, own_session=False):
        Daemon.live.add(self)
        self.root, self.own_session = root, own_session
        self.verbose = ["-v"] if verbose else []
        self.socket = f"{root}/run/vireo-sock"
        self.uri = f"qemu+unix:///system?socket={self.socket}"
        self.partition = "/vireo" + root.replace("/", "-")
        self.process = None

    def start(self):
        config = f"{self.root}/etc/vireod.conf"
        if self.settings and not os.path.exists(config):
            os.makedirs(os.path.dirname(config), exist_ok=True)
            with open(config, "w") as f:
                f.write("\n".join(self.settings) + "\n")
        self.log = open(f"{self.root}/vireod.log", "ab")
        self.process = subprocess.Popen([*self.command, "--root", self.root, *self.verbose], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, start_new_session=self.own_session)
        wait_for(self.answers, 20, "vireod that answers: " + self.log_text()[-2000:])

    def configure(self, *lines):
        """Starts again with these settings."""
        self.stop()
        with open(f"{self.root}/etc/vireod.conf", "w") as f:
            f.write("\n".join([*self.settings, *lines]) + "\n")
        self.start()

    def crash_at(self, step, *command, seconds=15):
        """Runs virsh with these words under a vireod that kills itself at that step of an operation (HACKING.md);
        then a new one is there. Whether it came to that step."""
        self.stop()
        os.environ["VIREOD_CRASH_AT"] = step
        try:
            self.start()
        finally:
            del os.environ["VIREOD_CRASH_AT"]
        self.run("virsh", *command, ok=None)
        try:
            self.process.wait(seconds)
            crashed = True
        except subprocess.TimeoutExpired:
            self.stop()
            crashed = False
        self.start()
        return crashed

    def answers(self):
        assert self.process.poll() is None, "vireod ended: " + self.log_text()[-3000:]
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(self.socket)
                return True
        except OSError:
            return False

    def stop(self, sig=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            try:
                status = self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("vireod did not stop within 20 s")
            self.log.close()
            return status
        return None

    def log_text(self):
        try:
            with open(f"{self.root}/vireod.log", errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def pid(self):
        return self.process.pid

    def qemus(self):
        """{domain name: pid} of the QEMUs below this root."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f, open(f"/proc/{pid}/environ", "rb") as g:
                    line, environment = f.read().decode(errors="replace"), g.read().decode(errors="replace")
            except OSError:
                continue
            if "qemu-system" in line.split("\0")[0] and f"VIREO_MONITOR={self.root}/" in environment:
                name = re.search(r"guest=([^,\0]+)", line)
                found[name.group(1) if name else "probe"] = int(pid)
        return found

    def remove_groups(self):
        """The cgroups of machines that were ended without their vireod; a process that was killed takes a moment."""
        end = time.monotonic() + 5
        for path in glob.glob(f"/sys/fs/cgroup/*{self.partition}/") + glob.glob(f"/sys/fs/cgroup{self.partition}/"):
            while os.path.isdir(path) and time.monotonic() < end:
                for directory, _, _ in os.walk(path, topdown=False):
                    try:
                        os.rmdir(directory)
                    except OSError:
                        time.sleep(0.01)

    def kill(self):
        """The end without questions, for a test run that is itself being ended."""
        if self.process and self.process.poll() is None:
            self.process.kill()
        for pid in self.qemus().values():
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.root, ignore_errors=True)
        self.remove_groups()

    def no_qemus(self):
        """Whether none is left; kills those that are, two of one name one after the other."""
        left = self.qemus()
        for pid in left.values():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return not left

    def clean_up(self):
        failure = None
        ended = self.process.poll() if self.process else None
        if ended not in (None, 0, -signal.SIGKILL):  # whoever kills it on purpose kills it so
            failure = f"vireod ended by itself with status {ended}"
        try:
            status = self.stop()
            if status not in (None, 0):
                failure = f"vireod ended with status {status}"
        except AssertionError as error:
            failure = str(error)
        wait_for(self.no_qemus, 10, "end of all QEMUs")
        self.remove_groups()
        log = self.log_text()
        shutil.rmtree(self.root, ignore_errors=True)
        Daemon.live.discard(self)
        assert failure is None, failure + "\n" + log[-3000:]
        assert "AddressSanitizer" not in log and "runtime error" not in log, log[-6000:]

    # ---- clients ----

    def run(self, program, *arguments, ok=True):
        result = subprocess.run([program, "-c", self.uri, *map(str, arguments)], stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=300)
        if ok is not None:
            assert (result.returncode == 0) == ok, f"{arguments}: {result.stdout}{result.stderr}"
        return result

    def virsh(self, *arguments, ok=True):
        """stdout when it shall succeed, stderr when it shall fail."""
        result = self.run("virsh", *arguments, ok=ok)
        return result.stdout if ok else result.stderr

    def vireo(self, *arguments, ok=True):
        result = self.run(VIREO, *arguments, ok=ok)
        return result.stdout if ok else result.stderr

    def both(self, *arguments):
        """What virsh and vireo make of it: status, stdout, stderr."""
        results = [self.run(program, *arguments, ok=None) for program in ("virsh", VIREO)]
        return [(result.returncode, result.stdout, result.stderr) for result in results]

    # ---- domains ----

    def console(self, name):
        return f"{self.root}/{name}.console"

    def online(self, name):
        """The last list of CPUs the guest printed on its console, '' before it booted."""
        try:
            with open(self.console(name), errors="replace") as f:
                whole = FIRMWARE.sub("", f.read().rpartition("\n")[0])  # the last line may be half written
            # The kernel's own lines may begin in the middle of one: "ONLINE 0-2[   12.3] ...".
            lines = [re.match(r"[-0-9,]*", line[7:])[0] for line in whole.splitlines() if line.startswith("ONLINE ")]
        except OSError:
            return ""
        return lines[-1] if lines else ""

    def wait_online(self, name, cpus, seconds=60):
        wait_for(lambda: self.online(name) == cpus, seconds,
                 lambda: f"'ONLINE {cpus}' on the console of '{name}', which says '{self.online(name)}'")

    def xml(self, name, maximum=4, current=1, kind="qemu", boot=True, cpu=CPU,
            extra="", cmdline="", **replace):
        kernel = replace.get("kernel", f"{GUEST}/vmlinuz")
        initrd = replace.get("initrd", "initrd")
        line = CMDLINE if initrd not in ORDINARY else "console=ttyS0"
        boot_xml = (f"<kernel>{kernel}</kernel><initrd>{GUEST}/{initrd}</initrd>"
                    f"<cmdline>{line} {cmdline}</cmdline>") if boot else ""
        return f"""<domain type='{kind}'>
  <name>{name}</name>{replace.get("metadata", "")}<memory unit='MiB'>{256 if boot else 64}</memory>
  <vcpu current='{current}'>{maximum}</vcpu>{replace.get("tune", "")}
  <os><type arch='x86_64' machine='q35'>hvm</type>{boot_xml}</os>
  <features><acpi/><apic/></features>{cpu}
  <devices><emulator>{replace.get("emulator", QEMU)}</emulator>
    <serial type='file'><source path='{self.console(name)}'/></serial>
    <memballoon model='none'/>{extra}</devices>
</domain>
"""

    def define(self, name, **options):
        path = f"{self.root}/{name}.define.xml"
        with open(path, "w") as f:
            f.write(self.xml(name, **options))
        self.virsh("define", path)
        return path

    def boot(self, name, **options):
        """Defines and starts a Linux guest under TCG and waits until it is up."""
        self.define(name, **options)
        self.bring_up(name, options.get("current", 1))

    def bring_up(self, name, vcpus):
        """Starts its guest and waits for its CPUs. One that TCG has lost (CMDLINE) spins in place: it is started once
        more. One that does nothing, or is lost again, is a failure."""
        online = "0" if vcpus == 1 else f"0-{vcpus - 1}"
        self.virsh("start", name)
        try:
            self.wait_online(name, online, 15)
        except AssertionError as error:
            if not self.spins(name):
                self.wait_online(name, online, 30)
                return
            print(f"{error}; QEMU spins, starting it once more")
            self.virsh("destroy", name)
            self.virsh("start", name)
            self.wait_online(name, online)

    def spins(self, name):
        """Whether its QEMU uses at least half a host CPU."""
        def seconds():
            with open(f"/proc/{self.qemus()[name]}/stat") as f:
                return int(f.read().rsplit(")", 1)[1].split()[11]) / os.sysconf("SC_CLK_TCK")
        before = seconds()
        time.sleep(2)
        return seconds() - before > 1

    def said(self, name, word):
        """How often the guest printed the word."""
        with open(self.console(name), errors="replace") as f:
            return f.read().split().count(word)

    def press_button(self, name, word):
        """The power button, and the guest's word for having felt it."""
        wait_for(lambda: self.said(name, "BUTTON"), 30, "a guest that listens to its power button")
        before = self.said(name, word)
        self.virsh("shutdown", name)
        wait_for(lambda: self.said(name, word) > before, 30, f"'{word}' on the console of '{name}'")

    def deafen(self, name):
        """The guest (booted with cmdline='vireo.deaf') does not hear of CPU events any more."""
        self.press_button(name, "DEAF")

    def wake(self, name):
        """It hears them again, also those it missed."""
        self.press_button(name, "AWAKE")

    def paused(self, name, **options):
        """A paused machine without a guest: vCPU threads without waiting for a boot."""
        self.define(name, boot=False, **options)
        self.virsh("start", name, "--paused")

    def counts(self, name):
        """vcpucount as a dict, ('current', 'live') -> 2."""
        rows = [line.split() for line in self.virsh("vcpucount", name).splitlines() if line.strip()]
        return {(row[0], row[1]): int(row[2]) for row in rows}


def client(daemon, *arguments, program="virsh"):
    """One that runs beside the test."""
    return subprocess.Popen([program, "-c", daemon.uri, *arguments], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def end_of(process, seconds=30):
    out, _ = process.communicate(timeout=seconds * BUSY)
    return process.returncode, out


def quick(daemon, *arguments, seconds=10):
    """The call succeeds without queueing behind anything."""
    start = time.monotonic()
    out = daemon.virsh(*arguments)
    assert time.monotonic() - start < seconds, f"{arguments} took {time.monotonic() - start:.1f} s"
    return out


def silent(daemon, name):
    """A Linux guest with three vCPUs that does not hear of an eject until daemon.wake(name)."""
    daemon.boot(name, cmdline="vireo.deaf")
    daemon.virsh("setvcpus", name, "3", "--live")
    daemon.wait_online(name, "0-2")
    daemon.deafen(name)


def private_daemon():
    """A vireod in a directory of its own, for a fixture to yield."""
    root = tempfile.mkdtemp(prefix="vireo-test.", dir="/tmp")
    os.chmod(root, 0o755)
    instance = Daemon(root)
    try:
        instance.start()
        yield instance
    finally:
        instance.clean_up()


@pytest.fixture
def daemon():
    yield from private_daemon()


@pytest.fixture
def connection(daemon):
    """The daemon through the Python binding."""
    import libvirt
    connection = libvirt.open(daemon.uri)
    yield connection
    connection.close()


def refused(call, code, *arguments):
    """Libvirt's words for a call of the Python binding that must end with this error."""
    import libvirt
    with pytest.raises(libvirt.libvirtError) as error:
        call(*arguments)
    assert error.value.get_error_code() == code, error.value
    return str(error.value)


@pytest.fixture
def tmp_path():
    """As pytest's own, but that QEMU's user comes there, too."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="vireo-test-files.", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def guest():
    if not os.path.exists(f"{GUEST}/vmlinuz") or not os.path.exists(f"{GUEST}/initrd"):
        pytest.skip(f"SKIP: no embedded guest in {GUEST}: scripts/make-guest makes it")
    return GUEST


@pytest.fixture
def kvm(daemon):
    """Whether vCPU threads can be had from KVM here."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        pytest.skip("SKIP: /dev/kvm cannot be used")
    return "<cpu mode='custom'><model>kvm64</model></cpu>"


def pytest_configure(config):
    """Whoever runs pytest himself and has it ended leaves nothing behind either; run-pytest.py has a handler of its own."""
    def end(*_):
        for daemon in list(Daemon.live):
            daemon.kill()
        os._exit(1)

    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end)
