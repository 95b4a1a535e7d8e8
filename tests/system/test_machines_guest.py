# SPDX-License-Identifier: LGPL-2.1-or-later
"""A machine of each kind that people have comes to its guest's console, does what it is for, and its vCPUs come, are pinned
and go."""
import re
import shutil
import subprocess

import pytest

from conftest import CPU, wait_for
from devices_guest import ARGUMENTS, boot_xml, devices_guest, wait_sees  # noqa: F401
from test_machines_vcpus import up_pin_down
from test_taps import namespace  # noqa: F401

pytestmark = pytest.mark.usefixtures("devices_guest", "namespace")
RED = "while :; do printf '\\033[41m\\033[2J' >/dev/tty1; sleep 1; done"


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
