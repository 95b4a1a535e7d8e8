# SPDX-License-Identifier: LGPL-2.1-or-later
"""A machine of each kind that people have comes to its guest's console, does what it is for, and its vCPUs come, are pinned
and go; their cells are what the definition says."""
import ctypes
import json
import os
import re
import shutil
import subprocess
import time

import pytest

from conftest import CPU, wait_for
from devices_guest import ARGUMENTS, MEMFD, boot, boot_xml, define, devices_guest, wait_said, wait_sees  # noqa: F401
from test_machines_vcpus import CODE, PLAIN_EFI, SECBOOT, up_pin_down
from test_taps import bridge, namespace  # noqa: F401

pytestmark = pytest.mark.usefixtures("devices_guest", "namespace")
TPM = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>"
RED = "while :; do printf '\\033[41m\\033[2J' >/dev/tty1; sleep 1; done"


def nodes(daemon, name):
    """Plugged vCPUs are in the cells of the definition."""
    def look():
        answer = daemon.virsh("qemu-monitor-command", name, '{"execute":"query-hotpluggable-cpus"}')
        there = [entity["props"]["node-id"] for entity in json.loads(answer)["return"] if "qom-path" in entity]
        assert sorted(there) == [0, 0, 1, 1]
    return look


def virt_install(daemon, name, *words, script=None):
    """What it makes of these words, started up to the guest's console."""
    if not shutil.which("virt-install"):
        pytest.skip("SKIP: virt-install is not installed: package virtinst")
    boot = boot_xml(daemon, script)
    kernel, initrd = re.search("<kernel>(.*)</kernel><initrd>(.*)</initrd>", boot).groups()
    made = subprocess.run(
        ["virt-install", "--connect", daemon.uri, "--name", name, "--memory", "384", "--vcpus", "1,maxvcpus=4", "--import",
         "--virt-type", "qemu", "--machine", "q35", "--osinfo", "debian11",
         "--serial", f"file,path={daemon.console(name)}", "--network", "user,model=virtio",
         "--boot", f"kernel={kernel},initrd={initrd},kernel_args={ARGUMENTS}", "--print-xml", *words],
        stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    path = f"{daemon.root}/{name}.xml"
    with open(path, "w") as f:
        f.write(re.sub("<cpu .*</cpu>|<cpu [^>]*/>", "", made.stdout, flags=re.S).replace("<vcpu", CPU + "<vcpu", 1))
    daemon.virsh("define", path)
    daemon.virsh("start", name)
    daemon.wait_online(name, "0", 120)


def picture(daemon, name):
    """The part of the screen that is red."""
    path = f"{daemon.root}/screen.ppm"
    daemon.virsh("screenshot", name, path)
    with open(path, "rb") as f:
        magic, width, height, depth = f.readline().strip(), *map(int, f.readline().split()), f.readline().strip()
        pixels = f.read()
    assert (magic, depth) == (b"P6", b"255") and len(pixels) == 3 * width * height
    red = sum(1 for i in range(0, len(pixels), 3) if pixels[i] > 100 and pixels[i + 1] < 60 and pixels[i + 2] < 60)
    return red / (width * height)


def test_a_server_of_virt_install(daemon):
    image = f"{daemon.root}/server.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "1G"], check=True)
    virt_install(daemon, "server", "--disk", f"path={image},bus=virtio", "--graphics", "none")
    wait_sees(daemon, "server", "disk:vda:2097152")
    wait_sees(daemon, "server", "rng:virtio_rng.*")
    up_pin_down(daemon, "server")


def test_a_desktop_with_spice(daemon):
    virt_install(daemon, "desktop", "--disk", "none", "--graphics", "spice", "--video", "qxl", "--sound", "ich9",
                 "--channel", "spicevmc", "--redirdev", "usb,type=spicevmc", "--input", "tablet,bus=usb", script=RED)
    live = daemon.virsh("dumpxml", "desktop")
    assert "<graphics type='spice' port='59" in live and "type='qxl'" in live and "<redirdev bus='usb'" in live
    wait_sees(daemon, "desktop", "usb:QEMU_USB_Tablet")
    wait_sees(daemon, "desktop", "port:com.redhat.spice.0")
    wait_for(lambda: picture(daemon, "desktop") > 0.9, 60, "the guest's red screen")
    up_pin_down(daemon, "desktop")


@pytest.mark.skipif(not os.path.exists(CODE) or not shutil.which("swtpm"), reason="SKIP: no OVMF or swtpm: scripts/packages test")
def test_uefi_with_a_tpm(daemon):
    boot(daemon, "uefi", attributes="firmware='efi'", os_xml=PLAIN_EFI, devices=TPM)
    wait_sees(daemon, "uefi", "efi")
    wait_sees(daemon, "uefi", "tpm:2")
    up_pin_down(daemon, "uefi", nodes(daemon, "uefi"))


@pytest.mark.skipif(not os.path.exists(CODE), reason="SKIP: no OVMF: scripts/packages test")
def test_uefi_with_smm(daemon):
    """Without KVM no vCPU can come to it (QUIRK_SMM_PLUG), and one that tries does not harm it; test_machines_vcpus has those
    that were there before."""
    boot(daemon, "smm", attributes="firmware='efi'", os_xml=SECBOOT)
    assert re.search("<smm state='on'", daemon.virsh("dumpxml", "smm"))
    wait_sees(daemon, "smm", "efi")
    assert "its firmware uses SMM" in daemon.virsh("setvcpus", "smm", "4", "--live", ok=False)
    path = f"{daemon.root}/tablet.xml"
    with open(path, "w") as f:
        f.write("<input type='tablet' bus='usb'/>")
    daemon.virsh("attach-device", "smm", path, "--live")
    wait_sees(daemon, "smm", "usb:QEMU_USB_Tablet")


@pytest.mark.skipif(not os.path.exists(CODE), reason="SKIP: no OVMF: scripts/packages test")
def test_vcpus_that_come_while_the_firmware_runs(daemon):
    """All at once, at its reset vector and some way into it: the guest comes up and has them."""
    define(daemon, "early", attributes="firmware='efi'", os_xml=PLAIN_EFI)
    for delay in (0, 1.5, 4):
        daemon.virsh("start", "early")
        time.sleep(delay)  # any moment will do
        daemon.virsh("setvcpus", "early", "4", "--live")
        assert daemon.counts("early")[("current", "live")] == 4
        daemon.wait_online("early", "0-3", 120)
        daemon.virsh("destroy", "early")
        os.unlink(daemon.console("early"))


def test_a_card_on_a_bridge(daemon):
    """Packets pass, there and back."""
    boot(daemon, "lan", devices=bridge(), script="""
ip link set eth0 up; ip address add 192.0.2.2/24 dev eth0
until ping -c 1 -w 5 192.0.2.1; do sleep 1; done
echo PINGED""")
    wait_said(daemon, "lan", "PINGED")
    answered = subprocess.run(["ping", "-c", "3", "-w", "60", "192.0.2.2"], capture_output=True, text=True) \
        if shutil.which("ping") else None
    assert answered is None or answered.returncode == 0, answered.stdout
    up_pin_down(daemon, "lan", nodes(daemon, "lan"))


@pytest.mark.skipif(not os.path.exists("/usr/lib/qemu/virtiofsd"), reason="SKIP: no virtiofsd")
def test_a_folder_of_the_host(daemon):
    share = f"{daemon.root}/share"
    os.mkdir(share)
    with open(f"{share}/from-host", "w") as f:
        f.write("a-word-of-the-host\n")
    boot(daemon, "share", memory=MEMFD, devices="<filesystem type='mount'><driver type='virtiofs'/>"
         f"<source dir='{share}'/><target dir='tag'/></filesystem>", script="""
until mount -t virtiofs tag /mnt; do sleep 1; done
cat /mnt/from-host
echo a-word-of-the-guest >/mnt/from-guest
sync
echo WRITTEN""")
    wait_said(daemon, "share", "WRITTEN")
    assert daemon.said("share", "a-word-of-the-host")
    with open(f"{share}/from-guest") as f:
        assert f.read() == "a-word-of-the-guest\n"
    up_pin_down(daemon, "share", nodes(daemon, "share"))


@pytest.fixture
def huge_pages():
    """384 MiB of huge pages, and a mount of them for whoever wants one."""
    path = "/sys/kernel/mm/hugepages/hugepages-2048kB"
    mount = f"/tmp/vireo-test-hugepages.{os.getpid()}"

    def pages(file):
        with open(f"{path}/{file}") as f:
            return int(f.read())

    def reserve(n):
        subprocess.run(["sh", "-c", f"echo {n} > {path}/nr_hugepages"], check=True)

    if not os.path.isdir(path) or os.geteuid() != 0:
        pytest.skip("SKIP: no huge pages of 2 MiB")
    before = pages("nr_hugepages")
    os.mkdir(mount)
    libc = ctypes.CDLL(None, use_errno=True)
    mounted = libc.mount(b"hugetlbfs", mount.encode(), b"hugetlbfs", 0, b"pagesize=2M") == 0
    try:
        reserve(before + 192)
        if pages("free_hugepages") < 192:
            pytest.skip("SKIP: this host has no 384 MiB of huge pages to spare")
        yield pages
    finally:
        reserve(before)
        if mounted:
            libc.umount2(mount.encode(), 0)
        os.rmdir(mount)


def test_huge_pages_in_cells(daemon, huge_pages):
    free = huge_pages("free_hugepages")
    boot(daemon, "huge", memory="<memoryBacking><hugepages><page size='2' unit='MiB'/></hugepages></memoryBacking>")
    with open(f"/proc/{daemon.qemus()['huge']}/smaps") as f:
        sizes = re.findall(r"^Size: +(\d+) kB\nKernelPageSize: +2048 kB", f.read(), re.M)
    assert sum(map(int, sizes)) == 384 * 1024
    assert huge_pages("free_hugepages") <= free - 192
    up_pin_down(daemon, "huge", nodes(daemon, "huge"))
    daemon.virsh("destroy", "huge")
    wait_for(lambda: huge_pages("free_hugepages") >= free, 10, "free huge pages")
