# SPDX-License-Identifier: LGPL-2.1-or-later
"""Machines with the guest that has all drivers (scripts/make-guest --devices), which says what it sees of its devices."""
import os
import re
import subprocess

import pytest

from conftest import CPU, FIRMWARE, GUEST, QEMU, wait_for

# Debian's own kernel tests its ciphers for seconds where there is no KVM.
ARGUMENTS = "console=ttyS0 quiet nohz=off maxcpus=1 possible_cpus=9 cryptomgr.notests"
CELLS = ("<numa><cell id='0' cpus='0-1' memory='192' unit='MiB'/><cell id='1' cpus='2-3' memory='192' unit='MiB'/>"
         "</numa>")
MEMFD = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"


@pytest.fixture
def devices_guest():
    if not os.path.exists(f"{GUEST}/initrd-devices"):
        pytest.skip(f"SKIP: no guest for devices in {GUEST}: scripts/make-guest --devices makes it")


def initrd(daemon, script):
    """The guest's initrd, with the script as what it runs beside (guest-init-devices)."""
    if not script:
        return f"{GUEST}/initrd-devices"
    path = f"{daemon.root}/initrd-with-test"
    with open(f"{daemon.root}/test", "w") as f:
        f.write("#!/bin/sh\n" + script)
    os.chmod(f"{daemon.root}/test", 0o755)
    more = subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], cwd=daemon.root, input=b"test\n", capture_output=True,
                          check=True)
    with open(path, "wb") as f, open(f"{GUEST}/initrd-devices", "rb") as g:
        first = g.read()
        f.write(first + bytes(-len(first) % 4) + more.stdout)  # the kernel looks for the second at a multiple of 4
    return path


def boot_xml(daemon, script=None):
    return (f"<kernel>{GUEST}/vmlinuz-devices</kernel><initrd>{initrd(daemon, script)}</initrd>"
            f"<cmdline>{ARGUMENTS}</cmdline>")


def define(daemon, name, devices="", memory="", numa=CELLS, attributes="", os_xml="", features="", script=None, vcpus=4):
    path = f"{daemon.root}/{name}.xml"
    cpu = CPU.replace("</cpu>", numa + "</cpu>")
    with open(path, "w") as f:
        f.write(f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>384</memory>{memory}
  <vcpu current='1'>{vcpus}</vcpu>
  <os {attributes}><type arch='x86_64' machine='q35'>hvm</type>{os_xml}{boot_xml(daemon, script)}</os>
  <features><acpi/><apic/>{features}</features>{cpu}
  <devices><emulator>{QEMU}</emulator><serial type='file'><source path='{daemon.console(name)}'/></serial>
    <memballoon model='none'/>{devices}</devices></domain>""")
    daemon.virsh("define", path)


def boot(daemon, name, **parts):
    define(daemon, name, **parts)
    daemon.virsh("start", name)
    daemon.wait_online(name, "0", 120)
    wait_for(lambda: sees(daemon, name), 30, "a guest that says what it sees")


def sees(daemon, name):
    """Its newest words."""
    with open(daemon.console(name), errors="replace") as f:
        whole = FIRMWARE.sub("", f.read().rpartition("\n")[0])
    lines = [line for line in whole.splitlines() if line.startswith("SEES ")]
    return lines[-1].split()[1:] if lines else []


def wait_sees(daemon, name, word, seconds=60):
    """A word that the whole pattern matches."""
    wait_for(lambda: any(re.fullmatch(word, each) for each in sees(daemon, name)), seconds,
             lambda: f"'{word}' among what the guest sees: {sees(daemon, name)}")


def wait_said(daemon, name, word, seconds=60):
    wait_for(lambda: daemon.said(name, word), seconds, lambda: f"'{word}' on the console of '{name}'")
