# SPDX-License-Identifier: LGPL-2.1-or-later
"""The USDT probes of the monitor, as a debugger that attaches to a running vireod sees them."""
import shutil
import subprocess

import pytest

from conftest import VIREOD, client, end_of, wait_for

# libvirt's, with their arguments' numbers (its src/qemu/libvirt_qemu_probes.d, as its documentation of probes
# lists them).
PROBES = {"qemu_monitor_new": 3, "qemu_monitor_close": 2, "qemu_monitor_send_msg": 3, "qemu_monitor_recv_reply": 2,
          "qemu_monitor_recv_event": 2, "qemu_monitor_io_process": 3, "qemu_monitor_io_read": 5,
          "qemu_monitor_io_write": 5}
COMMANDS = r"""
set pagination off
break -probe-stap vireo:qemu_monitor_send_msg
commands
silent
printf "SENT %s\n", (char *)$_probe_arg1
continue
end
break -probe-stap vireo:qemu_monitor_recv_reply
commands
silent
printf "REPLY %s\n", (char *)$_probe_arg1
continue
end
echo READY\n
continue
"""


def test_names_and_arguments():
    if not shutil.which("readelf"):
        pytest.skip("SKIP: readelf is not installed (package binutils)")
    notes = subprocess.run(["readelf", "-n", VIREOD], capture_output=True, text=True).stdout
    found = {}
    for note in notes.split("Provider: vireo")[1:]:
        name = note.split("Name: ")[1].split()[0]
        found[name] = len(note.split("Arguments:")[1].splitlines()[0].split())
    assert {name: found.get(name) for name in PROBES} == PROBES


def test_debugger_sees_the_conversation(daemon):
    if not shutil.which("gdb"):
        pytest.skip("SKIP: gdb is not installed")
    daemon.paused("g1")
    script, out = f"{daemon.root}/commands.gdb", f"{daemon.root}/gdb.out"
    with open(script, "w") as f:
        f.write(COMMANDS)
    with open(out, "wb") as log:
        gdb = subprocess.Popen(["gdb", "-q", "-nx", "-batch", "-p", str(daemon.pid()), "-x", script],
                               stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        def said():
            assert gdb.poll() is None, open(out).read()
            return "READY" in open(out).read()
        if not wait_or_none(said):
            pytest.skip("SKIP: gdb cannot attach here")
        change = client(daemon, "setvcpus", "g1", "2", "--live")
        assert end_of(change) == (0, "\n")
    finally:
        gdb.terminate()
        gdb.wait(20)
    text = open(out, errors="replace").read()
    assert 'SENT {"execute":"device_add"' in text and 'REPLY {"return":{},"id"' in text, text
    assert daemon.counts("g1")[("current", "live")] == 2


def wait_or_none(condition):
    try:
        return wait_for(condition, 30, "gdb")
    except AssertionError:
        return None
