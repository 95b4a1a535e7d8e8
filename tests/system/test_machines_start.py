# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a real QEMU of the host needs when people's machines start: ports of displays."""
import re
import shutil
import socket

import pytest

EMULATOR = shutil.which("qemu-system-x86_64")


def define(daemon, name, devices):
    path = f"{daemon.root}/{name}.xml"
    with open(path, "w") as f:
        f.write(f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices><emulator>{EMULATOR}</emulator>{devices}</devices></domain>""")
    daemon.virsh("define", path)


def start(daemon, name, devices):
    define(daemon, name, devices)
    daemon.virsh("start", name, "--paused")


def port(daemon, name, kind):
    """Of the live XML."""
    return int(re.search(f"<graphics type='{kind}' port='(\\d+)' autoport='yes'", daemon.virsh("dumpxml", name))[1])


def accepts(number):
    with socket.socket() as client:
        client.settimeout(10)
        return client.connect_ex(("127.0.0.1", number)) == 0


@pytest.mark.parametrize("kind", ["vnc", "spice"])
def test_a_display_gets_a_free_port(daemon, kind):
    device = f"<graphics type='{kind}' autoport='yes'/>"
    start(daemon, "one", device)
    start(daemon, "two", device)
    one, two = port(daemon, "one", kind), port(daemon, "two", kind)
    assert 5900 <= one < two
    assert accepts(one) and accepts(two)
    shown = f":{one - 5900}" if kind == "vnc" else f":{one}"
    assert daemon.virsh("domdisplay", "one").strip().endswith(shown)
    assert f"port='{one}'" not in daemon.virsh("dumpxml", "one", "--inactive")
    daemon.virsh("destroy", "one")
    assert f"port='{one}'" not in daemon.virsh("dumpxml", "one")
    assert not accepts(one)


def test_a_port_of_somebody_else_is_passed_over(daemon):
    start(daemon, "first", "<graphics type='vnc' port='-1'/>")
    free = port(daemon, "first", "vnc")
    daemon.virsh("destroy", "first")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", free))
        other.listen()
        daemon.virsh("start", "first", "--paused")
        assert port(daemon, "first", "vnc") > free


def test_a_restarted_daemon_knows_the_ports(daemon):
    device = "<graphics type='spice' autoport='yes'/>"
    start(daemon, "one", device)
    held = port(daemon, "one", "spice")
    daemon.stop()
    daemon.start()
    assert port(daemon, "one", "spice") == held
    start(daemon, "two", device)
    assert port(daemon, "two", "spice") != held


def test_an_address_of_another_host_is_refused(daemon):
    define(daemon, "far", "<graphics type='vnc' autoport='yes' listen='192.0.2.1'/>")
    failed = daemon.virsh("start", "far", ok=False)
    assert "domain 'far': its vnc display cannot listen at '192.0.2.1'" in failed
    assert daemon.virsh("domstate", "far").strip() == "shut off"
