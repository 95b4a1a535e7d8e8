# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host, and QEMUs, that take their time while vireod starts or stops, or a domain ends."""
import os
import signal
import time

import pytest

from conftest import BUILD, Daemon, client, daemon, end_of, wait_for  # noqa: F401 (a fixture)

SLOW_HOST = os.path.join(BUILD, "tests/system/slow-host.so")


@pytest.fixture
def slow(daemon):
    """Starts the daemon again on a host that is slow in that way."""
    names = []

    def start(**how):
        daemon.stop()
        for name, value in {"LD_PRELOAD": SLOW_HOST, "ASAN_OPTIONS": "verify_asan_link_order=0", **how}.items():
            os.environ[name] = str(value)
            names.append(name)
        try:
            daemon.start()
        finally:
            for name in names:
                os.environ.pop(name, None)

    return start


def test_stop_while_audit_takes_its_time(daemon, slow):
    """Who still waits for the auditor when the time for the end is over is given up, without a crash."""
    slow(SLOW_AUDIT_MS=1500)
    names = ["a1", "a2", "a3"]
    for name in names:
        daemon.define(name, boot=False)
    starts = [client(daemon, "start", name) for name in names]
    wait_for(lambda: sorted(daemon.qemus()) == names, 20, "all QEMUs")
    assert daemon.stop() == 0
    for process in starts:
        end_of(process)
    assert "have not ended and are given up" in daemon.log_text()
    daemon.start()


def test_clients_may_come_while_it_loads(daemon):
    """Its socket is there before its QEMUs are found again: who comes meanwhile is served afterwards."""
    daemon.paused("d1")
    pid = daemon.qemus()["d1"]
    early = False
    for _ in range(3):  # on a busy machine one of them is in time
        daemon.stop()
        before = len(daemon.log_text())
        os.kill(pid, signal.SIGSTOP)  # it is waited for
        try:
            daemon.start()
            early = "is ready on" not in daemon.log_text()[before:]
            asking = client(daemon, "domstate", "d1")
        finally:
            os.kill(pid, signal.SIGCONT)
        status, said = end_of(asking)
        assert status == 0 and "paused" in said, said
        if early:
            break
    assert early, "nobody can connect before all is loaded"


def test_stop_while_loading(daemon):
    """A daemon that is asked to stop while it still looks for its QEMUs serves nobody and starts nothing any more."""
    daemon.paused("d1")
    pid = daemon.qemus()["d1"]
    daemon.define("a1", boot=False)
    daemon.virsh("autostart", "a1")
    daemon.stop()
    if os.path.exists(f"{daemon.root}/run/autostarted"):
        os.unlink(f"{daemon.root}/run/autostarted")
    before = len(daemon.log_text())
    os.kill(pid, signal.SIGSTOP)  # it is waited for
    try:
        daemon.start()
        assert daemon.stop() == 0
    finally:
        os.kill(pid, signal.SIGCONT)
    said = daemon.log_text()[before:]
    assert "is ready on" not in said[said.index("vireod: stopping"):], said
    if "is ready on" not in said:
        assert "a1" not in daemon.qemus()
    daemon.start()
    assert "paused" in daemon.virsh("domstate", "d1")


def test_a_domain_that_ends_leaves_no_status(daemon, slow):
    """QEMU ends just after the start: whatever is still being written, no status file comes back behind it."""
    slow(SLOW_STATUS_MS=400)
    path, status = f"{daemon.root}/t1.xml", f"{daemon.root}/run/domains/t1.xml"
    with open(path, "w") as f:
        f.write(daemon.xml("t1", boot=False))
    creating = client(daemon, "create", path)
    wait_for(lambda: os.path.exists(status), 20, "a status file")
    os.kill(daemon.qemus()["t1"], signal.SIGKILL)
    end_of(creating)
    wait_for(lambda: "t1" not in daemon.virsh("list", "--all", "--name").split(), 20, "end of t1")
    time.sleep(0.6)  # what is being written is written by then
    assert not os.path.exists(status)


# It is asked for its capabilities until the file `gate` is there.
SLOW_PROBE = """#!/bin/sh
case "$*" in *guest=*) ;; *) while [ ! -e {gate} ]; do sleep 0.05; done;; esac
exec /usr/bin/qemu-system-x86_64 "$@"
"""


def test_own_probe_beside_a_stray(daemon):
    """A QEMU that is looked for because its status was lost is found and left alone; so is the daemon's own probe."""
    emulator, gate = f"{daemon.root}/slow-probe", f"{daemon.root}/gate"
    daemon.paused("d1")
    pid = daemon.qemus()["d1"]
    daemon.stop()
    with open(emulator, "w") as f:
        f.write(SLOW_PROBE.format(gate=gate))
    os.chmod(emulator, 0o755)
    os.unlink(f"{daemon.root}/run/domains/d1.xml")
    os.kill(pid, signal.SIGSTOP)
    daemon.start()
    try:
        asking = client(daemon, "domcapabilities", "--emulatorbin", emulator)
        wait_for(lambda: "is left alone" in daemon.log_text(), 20, "word of the stray")
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: "was found by its monitor" in daemon.log_text(), 20, "the stray's return")
    assert asking.poll() is None
    with open(gate, "w"):
        pass
    code, said = end_of(asking)
    assert code == 0, said
    assert daemon.qemus()["d1"] == pid
