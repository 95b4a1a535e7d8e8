# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each test is one client at one job: `pytest.mark.client(client, package, job)`. It runs on a private vireod and, when
run-all asks for that (VIREO_BESIDE=1), once more on a private libvirtd, whose failures are told and fail nothing; a test
with `beside="why not"` does not. At the end stands the table of both."""
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../system"), os.path.join(HERE, "../bench")]


def module_at(name, path):
    """tests/system/conftest.py is called as this file is."""
    spec = importlib.util.spec_from_file_location(name, path)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


system = module_at("system_conftest", os.path.join(HERE, "../system/conftest.py"))
CMDLINE, GUEST, Daemon, guest, wait_for = system.CMDLINE, system.GUEST, system.Daemon, system.guest, system.wait_for
import private_libvirtd  # noqa: E402

SID = os.path.join(system.BUILD, "virsh-sid/bin/virsh")
BESIDE = os.environ.get("VIREO_BESIDE") == "1"
SIDES = ("vireod", "libvirtd")
REASON_MAX = 150


class Libvirtd(Daemon):
    """A private libvirtd with what a test asks a Daemon for."""

    side = "libvirtd"

    def __init__(self, kvm):
        self.server = private_libvirtd.Libvirtd(kvm)
        self.process = self.server.process
        super().__init__(self.server.root)
        self.socket, self.uri, self.process = f"{self.root}/libvirt-sock", self.server.uri, self.server.process
        self.admin = f"{self.root}/libvirt-admin-sock"
        self.partition = "/nothing-of-libvirtd"

    def log_text(self):
        with open(f"{self.root}/log", errors="replace") as f:
            return f.read()

    def qemus(self):
        found = {}
        for pid in self.server.qemus():
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                name = re.search(r"guest=([^,\0]+)", f.read().decode(errors="replace"))
            if name:
                found[name[1]] = pid
        return found

    def kill(self):
        self.server.stop()

    def clean_up(self):
        Daemon.live.discard(self)
        self.server.stop()


class Vireod(Daemon):
    side = "vireod"

    def __init__(self, root, kvm):
        super().__init__(root)
        if not kvm:
            self.command = ["env", "VIREOD_KVM=/none", system.VIREOD]
        self.admin = f"{root}/run/vireo-admin-sock"


def private_daemon(side, kvm=True):
    """One of the side that is wanted, for a fixture to yield; without KVM for a client that takes a host's KVM and CPU
    when they are there: QEMU 7.2 ends itself with the CPUs of some hosts' KVM."""
    if side == "libvirtd":
        if not private_libvirtd.LIBVIRTD:
            pytest.skip("SKIP: libvirtd is not installed: tests/clients/run-all installs it")
        instance = Libvirtd(kvm)
    else:
        root = tempfile.mkdtemp(prefix="vireo-test.", dir="/tmp")
        os.chmod(root, 0o755)
        instance = Vireod(root, kvm)
    try:
        if side == "vireod":
            instance.start()
        yield instance
    finally:
        instance.clean_up()


@pytest.fixture
def daemon(request):
    mark = request.node.get_closest_marker("client")
    yield from private_daemon(request.param, mark.kwargs.get("kvm", True))


@pytest.fixture
def other(daemon):
    """A second one of its kind on this host."""
    yield from private_daemon(daemon.side)


# ---- the table ----

def interrupt(*_):
    raise KeyboardInterrupt  # what was started is ended as after a test


def pytest_configure(config):
    signal.signal(signal.SIGTERM, interrupt)
    config.addinivalue_line("markers", "short: part of ./check's suite clients")
    config.addinivalue_line("markers", "client(name, package, job, beside=None, kvm=True): a row of the table")


def pytest_generate_tests(metafunc):
    if "daemon" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("client")
        both = BESIDE and mark and not mark.kwargs.get("beside")
        metafunc.parametrize("daemon", SIDES if both else SIDES[:1], indirect=True)


def row_of(item):
    """(client, package, job), with what a parametrized test is about, and the side."""
    mark = item.get_closest_marker("client")
    values = dict(item.callspec.params) if hasattr(item, "callspec") else {}
    side = values.pop("daemon", "vireod")
    name, package, job = mark.args
    return (name, package, job.format(**values)), side


def reason_of(report):
    """The end of what a test died of."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash else str(report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr)
    errors = re.findall(r"(?:error|Error|ERROR|FAILED)\b.*", text)
    text = re.sub(r"\s+", " ", errors[-1] if errors else text).split("\\n")[0]  # one line of what a program said
    return re.sub(r"/tmp/vireo-\w+\.\w+", "DIR", text)[:REASON_MAX]


class Table:
    def __init__(self):
        self.rows = {}  # {row: {side: result}}

    def add(self, row, side, result):
        self.rows.setdefault(row, {})[side] = re.sub(r"\s+", " ", result)[:REASON_MAX]

    def note(self, item, report):
        row, side = row_of(item)
        results = self.rows.setdefault(row, {})
        if hasattr(report, "wasxfail"):
            results[side] = "fails: " + report.wasxfail.removeprefix("reason: ")
        elif report.skipped:
            results[side] = "cannot be run: " + reason_of(report).removeprefix("Skipped: ").removeprefix("SKIP: ")
        elif report.failed:
            results[side] = "fails: " + reason_of(report)
        elif report.when == "call":
            results[side] = "ok"
        beside = item.get_closest_marker("client").kwargs.get("beside")
        if beside:
            results["libvirtd"] = "-: " + beside

    def lines(self):
        yield "| client | job | vireod | libvirtd |"
        yield "|---|---|---|---|"
        for (name, package, job), results in sorted(self.rows.items()):
            yield f"| {name} {version(package)} | {job} | " + " | ".join(
                results.get(side, "").replace("|", "/") for side in SIDES) + " |"
        for side in SIDES:
            told = [results.get(side, "") for results in self.rows.values()]
            yield (f"{side} {version('libvirt-daemon') if side == 'libvirtd' else commit()}: {told.count('ok')} ok, "
                   f"{sum(t.startswith('fails') for t in told)} fail, "
                   f"{sum(t[:1] in ('c', '-') for t in told)} cannot be run there")


def version(package):
    """Of an installed package, '' without one; "name=1.2" has its own."""
    if not package or "=" in package:
        return package.partition("=")[2] if package else ""
    done = subprocess.run(["dpkg-query", "-W", "-f=${Version}", package], capture_output=True, text=True)
    return re.split(r"[-+~]", done.stdout.split(":")[-1])[0] if done.returncode == 0 else ""


def commit():
    done = subprocess.run(["git", "-C", HERE, "describe", "--always", "--dirty"], capture_output=True, text=True)
    return done.stdout.strip()


TABLE = Table()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if not item.get_closest_marker("client"):
        return
    if report.when == "call" or not report.passed:
        TABLE.note(item, report)
    if report.failed and row_of(item)[1] == "libvirtd":  # it is told, no more
        report.longrepr = (str(item.fspath), 0, f"libvirtd: {reason_of(report)}")
        report.outcome = "skipped"


def pytest_terminal_summary(terminalreporter):
    if TABLE.rows:
        terminalreporter.write_line("")
        for line in TABLE.lines():
            terminalreporter.write_line(line)


def picture(source):
    """Keeps a picture of a screen in the folder that VIREO_PICTURES names."""
    folder = os.environ.get("VIREO_PICTURES")
    if folder:
        os.makedirs(folder, exist_ok=True)
        shutil.copy(source, folder)
