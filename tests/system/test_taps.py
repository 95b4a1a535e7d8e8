# SPDX-License-Identifier: LGPL-2.1-or-later
"""Interfaces on bridges and taps, in a network namespace of the test's own."""
import ctypes
import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess

import pytest

from conftest import wait_for

EMULATOR = shutil.which("qemu-system-x86_64")
CLONE_NEWNET = 0x40000000
MAC = "52:54:00:aa:00:01"


def ip(*words, ok=True):
    result = subprocess.run(["ip", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert not ok or result.returncode == 0, f"ip {' '.join(words)}: {result.stderr}"
    return result.stdout


def links():
    return {name for _, name in socket.if_nameindex()}


@pytest.fixture(scope="module")
def namespace():
    """This process, and whoever it starts, has a network of its own with the bridge br0."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    if not os.path.exists("/dev/net/tun") or libc.unshare(CLONE_NEWNET) != 0:
        os.close(before)
        pytest.skip("SKIP: no network namespace of our own, or no /dev/net/tun")
    try:
        ip("link", "set", "lo", "up")
        ip("link", "add", "br0", "type", "bridge")
        ip("link", "set", "br0", "up")
        ip("address", "add", "192.0.2.1/24", "dev", "br0")  # spice asks whether the host has IPv4
        yield
    finally:
        libc.setns(before, CLONE_NEWNET)
        os.close(before)


@pytest.fixture
def host(namespace, daemon):
    return daemon


def define(daemon, name, interface, boot="<boot dev='hd'/>", extra=""):
    path = f"{daemon.root}/{name}.xml"
    with open(path, "w") as f:
        f.write(f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type>{boot}</os>
  <devices><emulator>{EMULATOR}</emulator>{extra}<memballoon model='none'/>{interface}</devices></domain>""")
    daemon.virsh("define", path)


def start(daemon, name, interface, *options, **more):
    define(daemon, name, interface, **more)
    daemon.virsh("start", name, *options)


def bridge(more="", model="virtio"):
    return f"<interface type='bridge'><mac address='{MAC}'/><source bridge='br0'/><model type='{model}'/>{more}</interface>"


def target(daemon, name):
    found = re.search(r"<target dev='([^']*)'/>", daemon.virsh("dumpxml", name))
    return found and found[1]


def test_a_packet_of_the_guest_comes_to_the_bridge(host):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as packets:
        packets.bind(("br0", 0))
        packets.settimeout(60)
        start(host, "net", bridge(), boot="<boot dev='network'/>")
        while packets.recv(2048)[6:12] != bytes.fromhex(MAC.replace(":", "")):
            continue


def test_a_tap_is_a_port_while_the_guest_runs(host):
    start(host, "one", bridge("<mtu size='1400'/>"), "--paused")
    name = target(host, "one")
    shown = ip("-d", "link", "show", name)
    assert name.startswith("vnet") and "master br0" in shown and "mtu 1400" in shown and "UP" in shown
    assert "link/ether fe:54:00:aa:00:01" in shown and "vnet_hdr on" in shown
    assert not re.search("<target dev=", host.virsh("dumpxml", "one", "--inactive"))
    assert host.virsh("domiflist", "one").split("\n")[2].split() == [name, "bridge", "br0", "virtio", MAC]
    host.virsh("destroy", "one")
    assert name not in links()


def test_queues_and_a_name(host):
    start(host, "many", bridge("<target dev='guest-lan'/><driver name='qemu' queues='4'/>"), "--paused")
    assert "multi_queue" in ip("-d", "link", "show", "guest-lan")
    assert host.virsh("dumpxml", "many", "--inactive").count("<target dev='guest-lan'/>") == 1
    netdev = host.virsh("qemu-monitor-command", "many", "--hmp", "info network")
    assert netdev.count("type=tap") == 4


def rx_frames(name):
    """rx-frames, as ethtool -c asks for it"""
    coalesce = ctypes.create_string_buffer(struct.pack("I", 0xe) + bytes(88))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asker:
        fcntl.ioctl(asker, 0x8946, struct.pack("16sP16x", name.encode(), ctypes.addressof(coalesce)))
    return struct.unpack_from("3I", coalesce)[2]


def test_frames_that_a_tap_holds_back(host):
    start(host, "held", bridge("<coalesce><rx><frames max='7'/></rx></coalesce>"), "--paused")
    assert rx_frames(target(host, "held")) == 7


def test_a_network_is_a_bridge_by_its_name(host):
    start(host, "named", f"<interface type='network'><mac address='{MAC}'/><source network='br0'/></interface>",
          "--paused")
    assert "master br0" in ip("link", "show", target(host, "named"))


def test_an_ethernet_interface_is_a_tap_alone(host):
    start(host, "alone", "<interface type='ethernet'><target dev='lonely'/><model type='e1000e'/></interface>",
          "--paused")
    shown = ip("-d", "link", "show", "lonely")
    assert "master" not in shown and "vnet_hdr off" in shown
    host.virsh("destroy", "alone")
    assert "lonely" not in links()


def test_a_tap_of_somebody_else_stays(host):
    ip("tuntap", "add", "theirs", "mode", "tap")
    try:
        start(host, "guest", "<interface type='ethernet'><target dev='theirs' managed='no'/>"
              "<model type='e1000e'/></interface>", "--paused")
        host.virsh("destroy", "guest")
        assert "theirs" in links()
    finally:
        ip("link", "del", "theirs")


def test_an_isolated_port_and_a_limit(host):
    start(host, "limited", bridge("<bandwidth><inbound average='1000' peak='2000' burst='512'/></bandwidth>"
                                  "<port isolated='yes'/>"), "--paused")
    name = target(host, "limited")
    assert "isolated on" in ip("-d", "link", "show", name)
    shown = subprocess.run(["tc", "class", "show", "dev", name], capture_output=True, text=True).stdout
    assert "htb 1:1 root" in shown and "rate 8Mbit ceil 16Mbit" in shown


@pytest.fixture
def tc(host, tmp_path, monkeypatch):
    """In the place of tc, whose kernel may not have every part: writes down what it is asked, and fails at the word
    that is in `fails`."""
    (tmp_path / "tc").write_text(f"""#!/bin/sh
[ ! -e {tmp_path}/fails ] || case "$*" in *$(cat {tmp_path}/fails)*) echo no; exit 1;; esac
echo "$*" >>{tmp_path}/asked
""")
    (tmp_path / "tc").chmod(0o755)
    host.stop()
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    host.start()
    return tmp_path


def asked(tc):
    lines = (tc / "asked").read_text().splitlines() if (tc / "asked").exists() else []
    (tc / "asked").write_text("")
    return lines


def test_a_limit_of_a_running_guest(host, tc):
    start(host, "limited", bridge(), "--paused")
    name = target(host, "limited")
    host.virsh("domiftune", "limited", name, "--live", "--inbound", "1000,2000,512", "--outbound", "30")
    words = asked(tc)
    assert any("rate 1000kbps ceil 2000kbps burst 512kb" in line for line in words), words
    assert any("police rate 30kbps burst 30kb" in line for line in words), words
    assert re.search("inbound.average *: 1000.*outbound.average *: 30", host.virsh("domiftune", "limited", name), re.S)
    host.virsh("domiftune", "limited", name, "--live", "--outbound", "40")
    words = asked(tc)
    assert words and not [line for line in words if "root" in line], words
    (tc / "fails").write_text("police")
    before = host.virsh("dumpxml", "limited")
    host.virsh("domiftune", "limited", name, "--live", "--inbound", "7", "--outbound", "50", ok=False)
    assert host.virsh("dumpxml", "limited") == before
    assert "rate 1000kbps" in asked(tc)[-1], "what was done is not undone"
    (tc / "fails").unlink()
    host.virsh("domiftune", "limited", name, "--live", "--inbound", "0", "--outbound", "0")
    assert f"qdisc del dev {name} root" in asked(tc) and "bandwidth" not in host.virsh("dumpxml", "limited")


def test_a_link_that_is_down(host, monkeypatch):
    host.stop()
    monkeypatch.setenv("VIREO_QMP_DEBUG", "1")
    host.start()
    start(host, "unplugged", bridge("<link state='down'/>"), "--paused")
    said = re.search('{[^\n]*"execute": *"set_link"[^\n]*', host.log_text())
    assert said and re.search('"name": *"net0"', said[0]) and re.search('"up": *false', said[0])


@pytest.mark.parametrize("interface, sentence", [
    ("<interface type='bridge'><source bridge='nowhere'/></interface>", "this host has no bridge 'nowhere'"),
    ("<interface type='bridge'><source bridge='lo'/></interface>", "the link 'lo' of this host is no bridge"),
    ("<interface type='network'><source network='default'/></interface>", "no network with matching name 'default'"),
    ("<interface type='direct'><source dev='nowhere'/></interface>", "this host has no link 'nowhere'"),
    ("<interface type='ethernet'><target dev='nowhere' managed='no'/></interface>", "this host has no tap 'nowhere'"),
    ("<interface type='bridge'><source bridge='br0'/><vlan><tag id='5'/></vlan></interface>",
     "<vlan> is for ports of Open vSwitch"),
])
def test_what_cannot_be_had_is_named_and_nothing_stays(host, interface, sentence):
    before = links()
    define(host, "refused", interface)
    failed = host.virsh("start", "refused", ok=False)
    assert "domain 'refused': its interface 52:54:00:" in failed and sentence in failed
    assert links() == before and host.virsh("domstate", "refused").strip() == "shut off"


def test_a_port_of_a_switch_has_its_native_vlan_and_profile(host, tmp_path, monkeypatch):
    """In the place of ovs-vsctl: writes down what it is asked."""
    (tmp_path / "ovs-vsctl").write_text(f"""#!/bin/sh\necho "$*" >>{tmp_path}/asked\n""")
    (tmp_path / "ovs-vsctl").chmod(0o755)
    host.stop()
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    host.start()
    start(host, "switched", bridge("<vlan><tag id='5'/><tag id='7' nativeMode='untagged'/></vlan><virtualport "
                                   "type='openvswitch'><parameters profileid='menial'/></virtualport>"), "--paused")
    name = target(host, "switched")
    words = (tmp_path / "asked").read_text()
    assert f"add-port br0 {name} trunks=5,7 vlan_mode=native-untagged tag=7 --" in words, words
    assert f'set Port {name} external-ids:port-profile="menial"' in words, words


@pytest.mark.skipif(shutil.which("ovs-vsctl"), reason="SKIP: Open vSwitch is installed")
def test_a_port_of_a_switch_needs_its_program(host):
    before = links()
    define(host, "switched", bridge("<virtualport type='openvswitch'/>"))
    failed = host.virsh("start", "switched", ok=False)
    assert "ovs-vsctl" in failed and "openvswitch-switch" in failed
    assert links() == before


def test_a_tap_outlives_the_daemon_and_not_the_guest(host):
    start(host, "long", bridge(), "--paused")
    name = target(host, "long")
    host.stop(signal.SIGKILL)
    assert name in links()
    host.start()
    assert target(host, "long") == name
    host.stop(signal.SIGKILL)
    os.kill(host.qemus()["long"], signal.SIGKILL)
    wait_for(lambda: name not in links(), 10, "end of the tap")
    host.start()
    wait_for(lambda: host.virsh("domstate", "long").strip() == "shut off", 10, "end of the domain")  # it may still be ending


def test_a_start_that_fails_leaves_no_tap(host):
    before = links()
    define(host, "odd", bridge() + "<interface type='bridge'><source bridge='nowhere'/></interface>")
    host.virsh("start", "odd", ok=False)
    assert links() == before
