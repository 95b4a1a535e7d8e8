# SPDX-License-Identifier: LGPL-2.1-or-later
"""What few machines have, by real QEMUs."""
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile

import pytest

from conftest import QEMU, VIREOD, Daemon, private_daemon, wait_for
from test_device_nodes import loop  # noqa: F401 (a fixture)

AARCH64 = "/usr/bin/qemu-system-aarch64"


def property_of(daemon, name, path, key):
    reply = json.loads(daemon.virsh("qemu-monitor-command", name, json.dumps(
        {"execute": "qom-get", "arguments": {"path": path, "property": key}})))
    return reply.get("return", reply)


# ---- IOMMUs ----

def test_a_virtio_iommu(daemon, guest):
    """It has the address of its definition, and what is behind it says so; the guest boots with it."""
    daemon.boot("g", extra="<iommu model='virtio'/><rng model='virtio'><backend model='random'/><driver iommu='on'/></rng>")
    kept, live = daemon.virsh("dumpxml", "--inactive", "g"), daemon.virsh("dumpxml", "g")
    address = re.search(r"<iommu model='virtio'>\s*(<address type='pci' domain='0x0000' bus='0x00' slot='0x(..)' "
                        r"function='0x0'/>)\s*</iommu>", kept)
    assert re.search(r"<iommu model='virtio'>\s*<alias name='iommu0'/>\s*" + re.escape(address[1]), live)
    assert property_of(daemon, "g", "/machine/peripheral/iommu0", "type") == "virtio-iommu-pci"
    assert property_of(daemon, "g", "/machine/peripheral/iommu0", "addr") == int(address[2], 16) << 3
    assert property_of(daemon, "g", "/machine/peripheral/rng0", "iommu_platform") is True


@pytest.mark.parametrize("model", ["smmuv3", "virtio"])
def test_an_iommu_of_arm(daemon, model):
    if not os.path.exists(AARCH64) or not os.path.exists("/usr/share/AAVMF"):
        pytest.skip("SKIP: qemu-system-arm and qemu-efi-aarch64 are not installed")
    path = f"{daemon.root}/arm.xml"
    with open(path, "w") as f:
        f.write(f"<domain type='qemu'><name>arm</name><memory unit='MiB'>64</memory><os firmware='efi'><type arch='aarch64' "
                f"machine='virt'>hvm</type></os><features><acpi/></features><devices><memballoon model='none'/>"
                f"<iommu model='{model}'/></devices></domain>")
    daemon.virsh("define", path)
    daemon.virsh("start", "arm", "--paused")
    if model == "smmuv3":
        assert property_of(daemon, "arm", "/machine", "iommu") == "smmuv3"
    else:  # one of another model that is asked for the first one ends QEMU 7.2
        assert property_of(daemon, "arm", "/machine/peripheral/iommu0", "type") == "virtio-iommu-pci"

# ---- USB devices of the host ----

USB = ("<hostdev mode='subsystem' type='usb'><source startupPolicy='{}'><vendor id='0x46d'/><product id='0xc52b'/>"
       "</source></hostdev>")
USB_AT = "<hostdev mode='subsystem' type='usb'><source startupPolicy='{}'><address bus='{}' device='{}'/></source></hostdev>"
PLUG = ("mkdir -p /sys/bus/usb/devices/{0}; cd /sys/bus/usb/devices/{0}; echo 046d >idVendor; echo c52b >idProduct; "
        "echo {1} >busnum; echo {2} >devnum; ")


@pytest.fixture
def host_with_usb(monkeypatch):
    """A vireod whose host has the USB devices that `plug` was told of: (name, bus, device) each."""
    if os.geteuid() or subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/sys/bus"],
                                      stderr=subprocess.DEVNULL).returncode:
        pytest.skip("SKIP: no mount namespaces here")
    made = []

    def plug(*devices):
        script = "mount -t tmpfs none /sys/bus; " + "".join(PLUG.format(*device) for device in devices)
        monkeypatch.setattr(Daemon, "command", ["unshare", "-m", "sh", "-c", script + 'exec "$@"', "sh", VIREOD])
        made.append(private_daemon())
        return next(made[-1])
    yield plug
    for daemon in made:
        next(daemon, None)



@pytest.mark.parametrize("device", [USB, USB_AT], ids=["ids", "address"])
def test_a_usb_device_that_is_not_there(daemon, guest, device):
    for policy in ("mandatory", "requisite"):
        daemon.define("vm1", extra=device.format(policy, 1, 2))
        said = daemon.virsh("start", "vm1", ok=False)
        assert "Did not find USB device" in said and "startupPolicy='optional'" in said
        daemon.virsh("undefine", "vm1")
    daemon.boot("vm1", extra=device.format("optional", 1, 2))
    assert "<source startupPolicy='optional' missing='yes'>" in daemon.virsh("dumpxml", "vm1")
    assert "missing" not in daemon.virsh("dumpxml", "vm1", "--inactive")
    assert property_of(daemon, "vm1", "/machine/peripheral/hostdev0", "attached") is False
    daemon.stop()
    daemon.start()
    assert "missing='yes'" in daemon.virsh("dumpxml", "vm1")
    path = f"{daemon.root}/saved"
    daemon.virsh("save", "vm1", path)
    daemon.virsh("restore", path)
    assert "missing='yes'" in daemon.virsh("dumpxml", "vm1")
    with open(f"{daemon.root}/device.xml", "w") as f:
        f.write(device.format("optional", 1, 3))
    assert "Did not find USB device" in daemon.virsh("attach-device", "vm1", f.name, ok=False)
    daemon.virsh("detach-device-alias", "vm1", "hostdev0")
    wait_for(lambda: "<hostdev" not in daemon.virsh("dumpxml", "vm1"), 20, "an end of the device")


def test_a_usb_device_is_found_by_its_ids(host_with_usb):
    """QEMU, which has the host's own /sys, does not find it; it was told where it is."""
    daemon = host_with_usb(("1-3", 1, 4))
    daemon.define("vm1", boot=False, extra=USB.format("mandatory"))
    said = daemon.virsh("start", "vm1", "--paused", ok=False)
    assert "Did not find" not in said and "host" in said
    with open(f"{daemon.root}/log/qemu/vm1.log") as f:
        assert '"hostbus":1,"hostaddr":4' in f.read()


def test_two_usb_devices_of_the_same_ids(host_with_usb):
    daemon = host_with_usb(("1-3", 1, 4), ("2-1", 2, 9))
    daemon.define("vm1", boot=False, extra=USB.format("optional"))
    assert "Multiple USB devices for 046d:c52b" in daemon.virsh("start", "vm1", "--paused", ok=False)


def test_one_usb_device_that_is_meant_twice(host_with_usb):
    daemon = host_with_usb(("2-1", 2, 9))
    daemon.define("vm1", boot=False, extra=USB.format("optional") + USB_AT.format("optional", 2, 9))
    said = daemon.virsh("start", "vm1", "--paused", ok=False)
    assert "at bus 2, device 9 is in use by domain 'vm1'" in said


# ---- reservations of SCSI disks ----

# A loop device has no SCSI commands: QEMU has a disk on it where a lun would be.
LUN = ("<disk type='block' device='lun'><driver name='qemu' type='raw'/><source dev='{}'>{}</source>"
       "<target dev='sda' bus='scsi'/><alias name='ua-lun'/></disk>")
CONTROLLER = "<controller type='scsi' model='virtio-scsi'/>"
MANAGED = "<reservations managed='yes'/>"
NOT_MANAGED = "<reservations managed='no'><source type='unix' path='{}' mode='client'/></reservations>"
OVERRIDE = ("<qemu:override xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><qemu:device alias='ua-lun'><qemu:frontend>"
            "<qemu:property name='driver' type='string' value='scsi-hd'/></qemu:frontend></qemu:device></qemu:override>")
HELPER = "/usr/bin/qemu-pr-helper"
needs_helper = pytest.mark.skipif(not os.path.exists(HELPER) or os.geteuid() != 0, reason="SKIP: no qemu-pr-helper, or not root")


def paused_with(daemon, reservations, device):
    path = f"{daemon.root}/vm1.xml"
    with open(path, "w") as f:
        f.write(daemon.xml("vm1", boot=False, extra=CONTROLLER + LUN.format(device, reservations))
                .replace("</domain>", f"{OVERRIDE}</domain>"))
    daemon.virsh("define", path)
    daemon.virsh("start", "vm1", "--paused")


def managers(daemon):
    return json.loads(daemon.virsh("qemu-monitor-command", "vm1", '{"execute":"query-pr-managers"}'))["return"]


def helpers(daemon):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as f, open(f"/proc/{pid}/environ") as g:
                if f.read().startswith(HELPER) and daemon.root in g.read():
                    found.append(int(pid))
        except OSError:
            continue
    return found


@needs_helper
def test_managed_reservations(daemon, loop):  # noqa: F811
    """The helper is there with its disk, and goes with it."""
    paused_with(daemon, MANAGED, loop)
    live = daemon.virsh("dumpxml", "vm1")
    path = re.search(r"<reservations managed='yes'>\s*<source type='unix' path='(.*)' mode='client'/>\s*</reservations>", live)[1]
    assert MANAGED in daemon.virsh("dumpxml", "vm1", "--inactive")
    assert managers(daemon) == [{"id": "pr-helper-file-ua-lun", "connected": True}]
    assert len(helpers(daemon)) == 1 and os.path.exists(path)
    daemon.stop()
    daemon.start()
    daemon.virsh("detach-disk", "vm1", "sda", "--live")
    wait_for(lambda: not helpers(daemon), 20, "an end of the helper")
    assert managers(daemon) == []
    # of one that QEMU does not take nothing stays
    with open(f"{daemon.root}/lun.xml", "w") as f:
        f.write(LUN.format(loop, MANAGED))
    assert "SG_IO" in daemon.virsh("attach-device", "vm1", f.name, ok=False)
    assert managers(daemon) == [] and not helpers(daemon)
    daemon.virsh("destroy", "vm1")
    daemon.virsh("start", "vm1", "--paused")
    assert len(helpers(daemon)) == 1
    daemon.virsh("destroy", "vm1")
    wait_for(lambda: not helpers(daemon), 20, "an end of the helper")
    assert not os.path.exists(path)


def answers(path):
    """A helper says what it can do to whoever connects."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(path)
        return len(s.recv(4)) == 4


@needs_helper
def test_a_helper_that_dies_is_started_again(daemon, loop):  # noqa: F811
    """At the same socket, which is QEMU's user's; also by the next daemon, if there was none when it died; and not when its
    disk has gone."""
    paused_with(daemon, MANAGED, loop)
    path = re.search(r"<source type='unix' path='(.*)' mode='client'/>", daemon.virsh("dumpxml", "vm1"))[1]
    owner = os.stat(path).st_uid

    def replaced(old):
        wait_for(lambda: helpers(daemon) not in ([], old), 60, "another helper")
        new, = helpers(daemon)
        wait_for(lambda: os.path.exists(path) and os.stat(path).st_uid == owner, 20, "its socket in QEMU's hands")
        return [new]

    first = helpers(daemon)
    os.kill(first[0], signal.SIGKILL)
    second = replaced(first)
    assert "the qemu-pr-helper of disk 'ua-lun' has ended, and was started again" in daemon.log_text()
    daemon.stop(signal.SIGKILL)
    os.kill(second[0], signal.SIGKILL)
    wait_for(lambda: not helpers(daemon), 20, "its end")
    daemon.start()
    replaced(second)
    assert answers(path)
    daemon.virsh("detach-disk", "vm1", "sda", "--live")
    wait_for(lambda: not helpers(daemon), 20, "an end of the helper")
    daemon.virsh("destroy", "vm1")
    assert not helpers(daemon) and not os.path.exists(path)


@needs_helper
def test_reservations_by_somebody_else(daemon, loop, tmp_path):  # noqa: F811
    path = str(tmp_path / "pr.sock")
    with pytest.raises(AssertionError, match=path):
        paused_with(daemon, NOT_MANAGED.format(path), loop)
    helper = subprocess.Popen([HELPER, "-k", path, "-f", str(tmp_path / "pid")])
    try:
        wait_for(lambda: os.path.exists(path), 10, "the helper's socket")
        before = os.stat(path).st_uid
        daemon.virsh("start", "vm1", "--paused")
        assert managers(daemon) == [{"id": "pr-helper-file-ua-lun", "connected": True}]
        daemon.virsh("destroy", "vm1")
        assert os.stat(path).st_uid == before and helper.poll() is None
    finally:
        helper.kill()
        helper.wait()


# ---- what the guest reaches of the host ----

FORWARD = ("<channel type='unix'><source mode='bind' path='{}'/><target type='guestfwd' address='10.0.2.100' port='4600'/>"
           "</channel>")


@pytest.mark.parametrize("card", ["<interface type='user'><model type='e1000e'/></interface>", ""], ids=["card", "alone"])
def test_a_guestfwd_channel(daemon, tmp_path, card):
    """QEMU's network has it: one that asks for the address would get to the socket."""
    tmp_path.chmod(0o777)
    daemon.paused("vm1", extra=card + FORWARD.format(tmp_path / "forward"))
    said = json.loads(daemon.virsh("qemu-monitor-command", "vm1", '{"execute":"query-chardev"}'))["return"]
    assert [each["frontend-open"] for each in said if each["label"] == "charchannel0"] == [True]
    assert os.path.exists(tmp_path / "forward")
    for verb in ("attach", "detach"):
        with open(f"{daemon.root}/channel.xml", "w") as f:
            f.write(FORWARD.format(tmp_path / ("forward" if verb == "detach" else "other")))
        assert "guestfwd" in daemon.virsh(f"{verb}-device", "vm1", f.name, "--live", ok=False)


# ---- PCI devices of s390x ----

S390X = "/usr/bin/qemu-system-s390x"
ZPCI = "<rng model='virtio'><backend model='random'/><address type='pci'>{}</address></rng>"


@pytest.mark.skipif(not os.path.exists(S390X), reason=f"SKIP: {S390X} is not installed")
def test_zpci(daemon):
    """A PCI device has its numbers, and they go with it."""
    path, numbered = f"{daemon.root}/z.xml", ZPCI.format("<zpci uid='0x0007' fid='0x00000027'/>")
    with open(path, "w") as f:
        f.write("<domain type='qemu'><name>z</name><memory unit='MiB'>64</memory><os><type arch='s390x' "
                "machine='s390-ccw-virtio'>hvm</type></os><devices><memballoon model='none'/>"
                f"{numbered}</devices></domain>")
    daemon.virsh("define", path)
    daemon.virsh("start", "z", "--paused")
    assert property_of(daemon, "z", "/machine/peripheral/zpci7", "target") == "rng0"
    assert property_of(daemon, "z", "/machine/peripheral/zpci7", "fid") == 0x27
    assert property_of(daemon, "z", "/machine/peripheral/rng0", "type") == "virtio-rng-pci"
    with open(f"{daemon.root}/rng.xml", "w") as f:
        f.write(ZPCI.format(""))
    daemon.virsh("attach-device", "z", f.name, "--live")
    assert "<zpci uid='0x0001' fid='0x00000000'/>" in daemon.virsh("dumpxml", "z")
    assert property_of(daemon, "z", "/machine/peripheral/zpci1", "target") == "rng1"


# ---- a window ----

def test_a_window_of_sdl(daemon):
    """QEMU makes it where the environment says, here on a screen that SDL only imagines."""
    if "sdl" not in subprocess.run([QEMU, "-display", "help"], capture_output=True, text=True).stdout.split():
        pytest.skip("SKIP: QEMU has no SDL (qemu-system-gui)")
    path = f"{daemon.root}/vm1.xml"
    with open(path, "w") as f:
        f.write(daemon.xml("vm1", boot=False, extra="<graphics type='sdl' display=':77' xauth='/nonexistent' fullscreen='yes'/>"
                           "<video><model type='vga'/></video>").replace(
            "</domain>", "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><qemu:env "
            "name='SDL_VIDEODRIVER' value='dummy'/></qemu:commandline></domain>"))
    daemon.virsh("define", path)
    daemon.virsh("start", "vm1", "--paused")
    with open(f"/proc/{daemon.qemus()['vm1']}/environ") as f, open(f"/proc/{daemon.qemus()['vm1']}/cmdline") as g:
        assert {"DISPLAY=:77", "XAUTHORITY=/nonexistent"} <= set(f.read().split("\0"))
        assert "\0-full-screen\0-display\0sdl\0" in g.read()


# ---- spice with TLS ----

SPICE = "<graphics type='spice' {}<video><model type='qxl'/></video>"


@pytest.fixture
def certificates(daemon, tmp_path):
    """One that signs itself is the authority and the server."""
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=here", "-days", "2", "-keyout",
                           tmp_path / "server-key.pem", "-out", tmp_path / "server-cert.pem"], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    shutil.copy(tmp_path / "server-cert.pem", tmp_path / "ca-cert.pem")
    for path in tmp_path.iterdir():
        path.chmod(0o644)
    daemon.configure("spice_tls = yes", f"spice_tls_x509_cert_dir = {tmp_path}")
    return ssl.create_default_context(cafile=tmp_path / "ca-cert.pem")


def ports(daemon):
    tag = re.search(r"<graphics [^>]*>", daemon.virsh("dumpxml", "vm1"))[0]
    return [int(found[1]) if found else None for found in (re.search(fr" {name}='(\d+)'", tag) for name in ("port", "tlsPort"))]


def test_spice_with_tls(daemon, certificates):
    certificates.check_hostname = False
    daemon.paused("vm1", extra=SPICE.format("autoport='yes'/>"))
    plain, tls = ports(daemon)
    assert plain and tls and plain != tls
    with socket.create_connection(("127.0.0.1", tls)) as s, certificates.wrap_socket(s) as secure:
        assert dict(name[0] for name in secure.getpeercert()["subject"]) == {"commonName": "here"}
    assert f":{plain}?tls-port={tls}" in daemon.virsh("domdisplay", "vm1")
    assert "autoport='yes'" in daemon.virsh("dumpxml", "vm1", "--inactive") and str(tls) not in daemon.virsh(
        "dumpxml", "vm1", "--inactive")
    daemon.define("vm2", boot=False, extra=SPICE.format("autoport='yes' defaultMode='secure'/>"))
    daemon.virsh("start", "vm2", "--paused")
    assert " port=" not in re.search(r"<graphics [^>]*>", daemon.virsh("dumpxml", "vm2"))[0]


def test_spice_without_certificates(daemon):
    daemon.paused("vm1", extra=SPICE.format("autoport='yes'/>"))
    plain, tls = ports(daemon)
    assert plain and tls is None
    for number, words in enumerate(("port='5950' tlsPort='5951'/>", "port='5950' tlsPort='-1'/>", "autoport='yes' defaultMode='secure'/>",
                                    "autoport='yes'><channel name='main' mode='secure'/></graphics>")):
        daemon.define(f"other{number}", boot=False, extra=SPICE.format(words))
        assert "no certificates (the setting 'spice_tls')" in daemon.virsh("start", f"other{number}", ok=False)


# ---- vDPA ----

def test_vdpa(daemon, tmp_path):
    """Without such a device here: another one is opened and handed over, and QEMU finds that it is none."""
    def said(path):
        with open(f"{daemon.root}/vm1.xml", "w") as f:
            f.write(re.sub(r"<name>.*", lambda m: m[0] + "<uuid>11111111-2222-3333-4444-555555555555</uuid>", daemon.xml(
                "vm1", boot=False, extra=f"<interface type='vdpa'><source dev='{path}'/></interface>"), count=1))
        daemon.virsh("define", f.name)
        return daemon.virsh("start", "vm1", ok=False)
    assert "no vDPA device" in said(tmp_path)
    assert "cannot open its vDPA device '/dev/vhost-vdpa-77'" in said("/dev/vhost-vdpa-77")
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        assert "cannot open its vDPA device" in said(file.name)
    words = said("/dev/null")
    if "its memory cannot be locked" in words:
        return  # which the device would ask for
    assert "vhost-vdpa" in words
    with open(f"{daemon.root}/log/qemu/vm1.log") as f:
        assert re.search(r'"type":"vhost-vdpa","vhostfd":"\d+","id":"hostnet0"', f.read())
