# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a real QEMU of the host needs when people's machines start: ports and passwords of displays."""
import re
import shutil
import socket
import subprocess

import pytest

EMULATOR = shutil.which("qemu-system-x86_64")


def define(daemon, name, devices, ok=True):
    path = f"{daemon.root}/{name}.xml"
    with open(path, "w") as f:
        f.write(f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices><emulator>{EMULATOR}</emulator>{devices}</devices></domain>""")
    return daemon.virsh("define", path, ok=ok)


def start(daemon, name, devices):
    define(daemon, name, devices)
    daemon.virsh("start", name, "--paused")


def port(daemon, name, kind):
    """Of the live XML."""
    return int(re.search(f"<graphics type='{kind}' port='(\\d+)' autoport='yes'", daemon.virsh("dumpxml", name))[1])


def accepts(number):
    with socket.socket() as client:
        client.settimeout(60)
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


def vnc_lets_in(number, password):
    """RFB 3.8 with VNC authentication, RFC 6143 7.2.2: DES of a challenge, each byte of the key mirrored."""
    key = "".join(f"{int(f'{byte:08b}'[::-1], 2):02x}" for byte in password.encode().ljust(8, b"\0")[:8])
    with socket.create_connection(("127.0.0.1", number), timeout=20) as client, client.makefile("rb") as answers:
        client.sendall(answers.read(12))
        assert 2 in answers.read(answers.read(1)[0])
        client.sendall(b"\2")
        response = subprocess.run(["openssl", "enc", "-des-ecb", "-nopad", "-K", key, "-provider", "legacy",
                                   "-provider", "default"], input=answers.read(16), capture_output=True, check=True)
        client.sendall(response.stdout)
        return answers.read(4) == bytes(4)


def said_nowhere(daemon, name, word):
    with open(f"/proc/{daemon.qemus()[name]}/cmdline", "rb") as f:
        assert word.encode() not in f.read()
    assert word not in daemon.log_text()
    assert word not in daemon.virsh("dumpxml", name)


def test_a_vnc_password_is_set_and_never_said(daemon, monkeypatch):
    if not shutil.which("openssl"):
        pytest.skip("SKIP: openssl is not installed: scripts/packages test")
    daemon.stop()
    monkeypatch.setenv("VIREO_QMP_DEBUG", "1")
    daemon.start()
    start(daemon, "locked", "<graphics type='vnc' autoport='yes' passwd='Xq7secre'/>")
    number = port(daemon, "locked", "vnc")
    assert vnc_lets_in(number, "Xq7secre")
    assert not vnc_lets_in(number, "Xq7wrong")
    assert '"set_password"' in daemon.log_text()
    said_nowhere(daemon, "locked", "Xq7secre")


def test_a_password_of_yesterday_lets_nobody_in(daemon):
    if not shutil.which("openssl"):
        pytest.skip("SKIP: openssl is not installed: scripts/packages test")
    start(daemon, "late", "<graphics type='vnc' port='-1' passwd='Xq7secre' passwdValidTo='2020-01-01T00:00:00'/>")
    assert not vnc_lets_in(port(daemon, "late", "vnc"), "Xq7secre")


def test_a_spice_password_is_set(daemon, monkeypatch):
    daemon.stop()
    monkeypatch.setenv("VIREO_QMP_DEBUG", "1")
    daemon.start()
    start(daemon, "locked", "<graphics type='spice' autoport='yes' passwd='Xq7secre'/>")
    assert '"auth": "spice"' in daemon.virsh("qemu-monitor-command", "locked", "--pretty", '{"execute":"query-spice"}')
    assert '"set_password"' in daemon.log_text()
    said_nowhere(daemon, "locked", "Xq7secre")


def test_a_validity_that_is_no_time_is_refused(daemon):
    odd = "<graphics type='vnc' port='-1' passwd='x' passwdValidTo='tomorrow'/>"
    assert "cannot parse password validity time" in define(daemon, "odd", odd, ok=False)
    assert daemon.virsh("list", "--all", "--name").strip() == ""


def test_an_edited_definition_keeps_its_password(daemon, monkeypatch):
    define(daemon, "edited", "<graphics type='spice' autoport='yes' passwd='Xq7secre'/>")
    assert "passwd=" not in daemon.virsh("dumpxml", "edited")
    assert "passwd='Xq7secre'" in daemon.virsh("dumpxml", "edited", "--security-info")
    monkeypatch.setenv("EDITOR", "sed -i -e s/65536/131072/g")
    daemon.virsh("edit", "edited")
    text = daemon.virsh("dumpxml", "edited", "--security-info")
    assert "131072" in text and "passwd='Xq7secre'" in text
