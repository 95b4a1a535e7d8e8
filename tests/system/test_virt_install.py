# SPDX-License-Identifier: LGPL-2.1-or-later
"""What virt-install makes, for each of the combinations of options below: defined, it is what libvirt 9.0 makes of it,
and defined again it stays so. Where no libvirtd is installed, nothing is compared."""
import os
import re
import shlex
import shutil
import subprocess
import sys

import libvirt
import pytest

sys.path.append(os.path.join(os.path.dirname(__file__), "../bench"))
import private_libvirtd  # noqa: E402

VIRT_INSTALL = shutil.which("virt-install")
pytestmark = pytest.mark.skipif(not VIRT_INSTALL, reason="SKIP: no virt-install: package virtinst")
libvirt.registerErrorHandler(lambda *_: None, None)

# What differs is made up, or names a directory of the daemon.
MADE_UP = [(r"<uuid>[^<]*<", "<uuid><"), (r"<genid>[^<]*<", "<genid><"), (r"52:54:00:[0-9a-f:]{8}", "52:54:00:00:00:00"),
           (r"<nvram([^>]*)>[^<]*<", r"<nvram\1><"), (r"interfaceid='[^']*'", "interfaceid=''")]

COMBINATIONS = {
    "plain": "",
    "no osinfo": "--osinfo detect=off,require=off",
    "debian": "--osinfo debian11",
    "fedora": "--osinfo fedora37",
    "ubuntu": "--osinfo ubuntu22.04",
    "centos": "--osinfo centos-stream9",
    "windows 10": "--osinfo win10",
    "windows 11": "--osinfo win11",
    "windows server": "--osinfo win2k22",
    "windows 7": "--osinfo win7",
    "windows xp": "--osinfo winxp",
    "freebsd": "--osinfo freebsd13.1",
    "macos": "--osinfo macosx10.7",
    "old linux": "--osinfo rhel5.4",
    "pc": "--osinfo debian11 --machine pc",
    "q35": "--osinfo debian11 --machine q35",
    "uefi": "--osinfo debian11 --boot uefi",
    "uefi windows": "--osinfo win11 --boot uefi --tpm emulator",
    "loader": "--osinfo debian11 --boot loader=/c.fd,loader.readonly=yes,loader.type=pflash,nvram.template=/t.fd",
    "boot order": "--osinfo debian11 --boot network,hd,menu=on,useserial=on --serial pty",
    "kernel": "--osinfo debian11 --boot kernel=/k,initrd=/i,kernel_args=console=ttyS0",
    "memory and cpus": "--osinfo debian11 --memory 4096,maxmemory=8192 --vcpus 2,maxvcpus=8",
    "topology": "--osinfo debian11 --vcpus 8,sockets=1,cores=4,threads=2 --cpu host-passthrough,cache.mode=passthrough",
    "cpu model": "--osinfo debian11 --cpu qemu64,+vmx,-svm,check=partial",
    "host model": "--osinfo debian11 --cpu host-model,model.fallback=forbid",
    "numa": "--osinfo debian11 --memory 2048 --vcpus 4 --cpu qemu64,numa.cell0.id=0,numa.cell0.cpus=0-1,numa.cell0.memory="
            "1048576,numa.cell1.id=1,numa.cell1.cpus=2-3,numa.cell1.memory=1048576",
    "pins": "--osinfo debian11 --vcpus 2,cpuset=0-1 --cputune vcpupin0.vcpu=0,vcpupin0.cpuset=0,vcpupin1.vcpu=1,"
            "vcpupin1.cpuset=1,emulatorpin.cpuset=0,shares=2048 --iothreads 2",
    "huge pages": "--osinfo debian11 --memorybacking hugepages=on,nosharepages=on,access.mode=shared",
    "memfd": "--osinfo debian11 --memorybacking source.type=memfd,access.mode=shared --filesystem "
             "type=mount,accessmode=passthrough,driver.type=virtiofs,source=/srv,target=tag",
    "9p": "--osinfo debian11 --filesystem /srv,tag,mode=mapped",
    "disks": "--osinfo debian11 --disk path={d}/a.qcow2,format=qcow2,bus=virtio,cache=none,io=native,discard=unmap "
             "--disk path={d}/b.raw,format=raw,bus=sata,serial=S1,boot.order=1 --disk path={d}/c.raw,format=raw,bus=scsi",
    "cdrom and floppy": "--osinfo debian11 --disk device=cdrom,bus=sata --disk device=floppy",
    "iotune": "--osinfo debian11 --disk path={d}/a.raw,format=raw,bus=virtio,iotune.read_bytes_sec=1000,"
              "iotune.write_iops_sec=100,driver.iothread=1 --iothreads 1",
    "network disks": "--osinfo debian11 --disk source.protocol=nbd,source.host0.name=h,source.host0.port=10809,"
                     "source.name=x,type=network,driver.type=raw,target.bus=virtio",
    "scsi controller": "--osinfo debian11 --controller type=scsi,model=virtio-scsi,driver.queues=4 --disk "
                       "path={d}/a.raw,format=raw,bus=scsi,rotation_rate=1",
    "bridge": "--osinfo debian11 --network bridge=br0,model=virtio,mac=52:54:00:01:02:03,mtu.size=9000",
    "several cards": "--osinfo debian11 --network user,model=e1000 --network user,model=rtl8139 --network "
                     "bridge=br0,driver.name=vhost,driver.queues=4,link.state=down,filterref.filter=clean-traffic",
    "macvtap": "--osinfo debian11 --network type=direct,source=eth0,source.mode=bridge,model=virtio",
    "open vswitch": "--osinfo debian11 --network bridge=ovs0,virtualport.type=openvswitch",
    "vnc": "--osinfo debian11 --graphics vnc,port=5901,listen=0.0.0.0,password=x,keymap=de --video vga",
    "spice": "--osinfo debian11 --graphics spice,gl.enable=no,listen=127.0.0.1,image.compression=off --video qxl "
             "--channel spicevmc --redirdev usb,type=spicevmc --sound ich9",
    "spice 3D": "--osinfo debian11 --graphics spice,gl.enable=yes,listen=none --video virtio,accel3d=yes",
    "no display": "--osinfo debian11 --graphics none --console pty,target.type=virtio --serial file,path=/l",
    "serials": "--osinfo debian11 --serial tcp,host=:2222,source.mode=bind,protocol=telnet --serial "
               "unix,path=/s,mode=bind --parallel file,path=/p",
    "channels": "--osinfo debian11 --channel unix,target.type=virtio,target.name=org.qemu.guest_agent.0 --channel "
                "pty,target.type=virtio,target.name=x",
    "inputs": "--osinfo debian11 --input tablet,bus=usb --input keyboard,bus=virtio --input "
              "type=evdev,source.dev=/dev/input/event1,source.grab=all",
    "sound": "--osinfo debian11 --sound ac97 --sound model=ich9,codec0.type=micro --audio type=none,id=1",
    "watchdog, rng, panic": "--osinfo debian11 --watchdog i6300esb,action=reset --rng /dev/urandom --panic isa "
                            "--vsock cid.auto=yes --memballoon none",
    "tpm": "--osinfo debian11 --tpm model=tpm-crb,backend.type=emulator,backend.version=2.0",
    "iommu": "--osinfo debian11 --machine q35 --iommu model=intel,driver.intremap=on --features ioapic.driver=qemu",
}


def images(directory):
    for name in "disk.qcow2", "a.qcow2", "a.raw", "b.raw", "c.raw":
        subprocess.run(["qemu-img", "create", "-q", "-f", name.split(".")[1], f"{directory}/{name}", "1M"], check=True)


def make(uri, options, directory):
    words = shlex.split(options.replace("{d}", directory))
    if "--memory" not in words:
        words += ["--memory", "1024"]
    if not any(word in words for word in ("--disk", "--filesystem")):
        words += ["--disk", f"path={directory}/disk.qcow2,format=qcow2"]
    if "--network" not in words:
        words += ["--network", "user"]
    if "--osinfo" not in words:
        words += ["--osinfo", "debian11"]
    made = subprocess.run([VIRT_INSTALL, "--connect", uri, "--name", "made", "--virt-type", "qemu", "--import",
                           "--check", "all=off", "--dry-run", "--print-xml", *words],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert made.returncode == 0, made.stderr
    return made.stdout


def define(connection, xml):
    """What is kept, and whether a second define keeps all of it."""
    flags = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
    domain = connection.defineXML(xml)
    text = domain.XMLDesc(flags)
    again = connection.defineXML(text).XMLDesc(flags)
    domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
    return text, again


def normal(text):
    for pattern, by in MADE_UP:
        text = re.sub(pattern, by, text)
    return text.splitlines()


def test_what_virt_install_makes(daemon):
    ours = libvirt.open(daemon.uri)
    other = private_libvirtd.Libvirtd() if private_libvirtd.LIBVIRTD and os.geteuid() == 0 else None
    refused, changed, different = [], [], []
    directory = f"{daemon.root}/images"
    os.mkdir(directory)
    images(directory)
    try:
        theirs = libvirt.open(other.uri) if other else None
        for name, options in COMBINATIONS.items():
            xml = make(other.uri if other else daemon.uri, options, directory)
            wanted = define(theirs, xml)[0] if theirs else None
            try:
                text, again = define(ours, xml)
            except libvirt.libvirtError as error:
                refused.append(f"{name}: {error}")
                continue
            if text != again:
                changed.append(name)
            if wanted and normal(text) != normal(wanted):
                different.append((name, sorted(set(normal(wanted)) ^ set(normal(text)))[:6]))
    finally:
        if other:
            other.stop()
    n = len(COMBINATIONS)
    print(f"virt-install: {n - len(refused)} of {n} combinations define, {n - len(changed)} stay when defined again, "
          + (f"{n - len(refused) - len(different)} are as libvirtd keeps them" if other else "no libvirtd to compare with"))
    assert n >= 40 and not refused and not changed and not different, (refused, changed, different)
