# SPDX-License-Identifier: LGPL-2.1-or-later
"""Small calls that stock clients make: names, ends, the host's interfaces and firmware, files for a monitor command."""
import os
import shlex
import subprocess

from conftest import wait_for
from test_agent import CHANNEL, NOT_CONNECTED


def test_rename(daemon):
    daemon.define("old", boot=False)
    daemon.virsh("autostart", "old")
    daemon.virsh("domrename", "old", "new")
    assert daemon.virsh("list", "--all", "--name").split() == ["new"]
    assert "Autostart:      enable" in daemon.virsh("dominfo", "new")
    assert "already exists" in daemon.virsh("domrename", "new", "new", ok=False)
    for bad, words in (("a/b", "cannot contain '/'"), (".x", "cannot begin with '.'"), ("a\nb", "a newline"),
                       ("  ", "not a space"), ("a\x01b", "XML cannot have"), ("a" * 201, "longer than 200 bytes")):
        assert words in daemon.virsh("domrename", "new", bad, ok=False)
    assert sorted(os.listdir(f"{daemon.root}/etc/domains")) == ["new.xml"]
    daemon.stop()
    daemon.start()
    # It starts with the host: the first daemon of this boot had decided before it was marked.
    assert daemon.virsh("list", "--all", "--name").split() == ["new"]
    daemon.virsh("start", "new", "--paused")
    assert "cannot rename active domain" in daemon.virsh("domrename", "new", "other", ok=False)
    assert "read only" in daemon.run("virsh", "-r", "domrename", "new", "other", ok=False).stderr


def test_rename_takes_the_managed_save_along(daemon):
    daemon.paused("old")
    daemon.virsh("managedsave", "old")
    daemon.virsh("domrename", "old", "new")
    assert os.listdir(f"{daemon.root}/lib/save") == ["new.save"]
    daemon.virsh("start", "new")
    assert daemon.virsh("domstate", "new").strip() == "paused"


def test_logs_go_with_a_destroy(daemon):
    daemon.paused("vm1")
    log = f"{daemon.root}/log/qemu/vm1.log"
    daemon.virsh("destroy", "vm1")
    assert os.path.exists(log)
    daemon.virsh("start", "vm1", "--paused")
    daemon.virsh("destroy", "vm1", "--remove-logs")
    assert not os.path.exists(log) and "shut off" in daemon.virsh("domstate", "vm1")


def test_lifecycle_actions(daemon):
    daemon.paused("vm1")
    daemon.virsh("set-lifecycle-action", "vm1", "crash", "preserve", "--live", "--config")
    assert "<on_crash>preserve</on_crash>" in daemon.virsh("dumpxml", "vm1")
    assert "<on_crash>preserve</on_crash>" in daemon.virsh("dumpxml", "vm1", "--inactive")
    daemon.virsh("set-lifecycle-action", "vm1", "poweroff", "restart", "--live")
    assert "<on_poweroff>restart</on_poweroff>" in daemon.virsh("dumpxml", "vm1")
    assert "<on_poweroff>destroy</on_poweroff>" in daemon.virsh("dumpxml", "vm1", "--inactive")
    daemon.virsh("set-lifecycle-action", "vm1", "reboot", "destroy", "--live")
    assert "<on_reboot>destroy</on_reboot>" in daemon.virsh("dumpxml", "vm1")
    for what, words in (("coredump-restart", "event 'reboot' doesn't support 'coredump-restart'"),
                        ("rename-restart", "doesn't support the 'rename-restart' action")):
        assert words in daemon.virsh("set-lifecycle-action", "vm1", "reboot", what, "--config", ok=False)
    daemon.virsh("reset", "vm1")
    wait_for(lambda: not daemon.qemus(), 30, "the end of a machine whose reboot destroys it")


def test_interfaces_of_the_host(daemon):
    names = [line.split()[0] for line in daemon.virsh("iface-list", "--all").splitlines()[2:] if line.strip()]
    assert sorted(names) == sorted(os.listdir("/sys/class/net"))
    assert "<interface type='ethernet' name='lo'>" in daemon.virsh("iface-dumpxml", "lo")
    assert "couldn't find interface named '../lo'" in daemon.virsh("iface-dumpxml", "../lo", ok=False)
    assert "lo" in daemon.run("virsh", "-r", "iface-list", "--all").stdout


def test_sysinfo(daemon):
    text = daemon.virsh("sysinfo")
    assert text.startswith("<sysinfo type='smbios'>") and "<system>" in text


def test_agent_calls_without_agent(daemon):
    daemon.paused("a1", extra=CHANNEL)
    daemon.paused("a2")
    for name in ("a1", "a2"):
        daemon.virsh("resume", name)
    for command in (["domtime", "{}", "--now"], ["domfsinfo", "{}"], ["guestinfo", "{}"],
                    ["set-user-password", "{}", "root", "secret"], ["get-user-sshkeys", "{}", "root"],
                    ["dompmsuspend", "{}", "mem"]):
        with_channel = daemon.virsh(*[word.format("a1") for word in command], ok=False)
        without = daemon.virsh(*[word.format("a2") for word in command], ok=False)
        assert NOT_CONNECTED in with_channel, command
        assert "QEMU guest agent is not configured" in without, command
    daemon.virsh("guest-agent-timeout", "a1", "--timeout", "7")
    assert "less than the minimum" in daemon.virsh("guest-agent-timeout", "a1", "--timeout", "-3", ok=False)
    assert "not configured" in daemon.virsh("guest-agent-timeout", "a2", ok=False)
    assert "not in suspended state" in daemon.virsh("dompmwakeup", "a2", ok=False)
    daemon.virsh("destroy", "a1")
    assert "not running" in daemon.virsh("guestinfo", "a1", ok=False)
    assert "read only" in daemon.run("virsh", "-r", "set-user-password", "a1", "u", "p", ok=False).stderr


def test_files_with_a_monitor_command(daemon):
    daemon.paused("vm1")
    said = subprocess.run(["/usr/bin/python3", "-c", """
import libvirt, libvirt_qemu, os, sys
domain = libvirt.open(sys.argv[1]).lookupByName("vm1")
fd = os.open("/dev/null", os.O_RDWR)
print(libvirt_qemu.qemuMonitorCommandWithFiles(domain, '{"execute":"add-fd","arguments":{"fdset-id":7}}', [fd], 0))
print(libvirt_qemu.qemuMonitorCommand(domain, '{"execute":"query-fdsets"}', 0))
""", daemon.uri], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert '"fdset-id":7' in said.stdout.splitlines()[0].replace(" ", ""), said.stderr
    assert '"fdset-id":7' in said.stdout.splitlines()[1].replace(" ", "")


def test_a_definition_as_a_command_line(daemon):
    """What is shown is what a start gives QEMU, but for what the host makes."""
    daemon.define("vm1", current=2, boot=False)
    shown = daemon.virsh("domxml-to-native", "qemu-argv", "--domain", "vm1")
    assert shown == daemon.vireo("domxml-to-native", "qemu-argv", "--domain", "vm1")
    path = f"{daemon.root}/vm1.xml"
    with open(path, "w") as f:
        f.write(daemon.virsh("dumpxml", "vm1").replace("<name>vm1", "<name>other").replace(
            "<devices>", "<devices><interface type='bridge'><source bridge='none-has-it'/><model type='virtio'/>"
            "<driver queues='2'/></interface><tpm><backend type='emulator'/></tpm>"))
    other = daemon.virsh("domxml-to-native", "qemu-argv", path)
    assert '"type":"tap"' in other and '"fds":"6:7"' in other and "-tpmdev emulator" in other
    assert daemon.virsh("list", "--all", "--name").split() == ["vm1"]
    daemon.virsh("start", "vm1", "--paused")
    with open(f"/proc/{daemon.qemus()['vm1']}/cmdline") as f:
        started = f.read().split("\0")[:-1]
    shown = shlex.split(shown)
    # the sandbox is of the process, and not of the machine
    del started[started.index("-sandbox"):started.index("-sandbox") + 2]
    assert shown == started
    assert "unsupported config type bogus" in daemon.virsh("domxml-to-native", "bogus", "--domain", "vm1", ok=False)
    assert "read only" in daemon.run("virsh", "-r", "domxml-to-native", "qemu-argv", path, ok=False).stderr
