# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files of ./differ that only virsh-odd-lines.txt and virsh-bad-lines.txt name: devices, networks, volumes, CPUs, and
domains of which one thing is wrong. @ is the directory they are in."""

ODD = {
    "watchdog.xml": "<watchdog model='i6300esb' action='reset'/>",
    "sound.xml": "<sound model='ich9'/>",
    "input.xml": "<input type='tablet' bus='usb'/>",
    "hostdev.xml":
        "<hostdev mode='subsystem' type='pci' managed='yes'><source>"
        "<address domain='0' bus='0xff' slot='0x1f' function='7'/></source></hostdev>",
    "tpm.xml": "<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>",
    "vsock.xml": "<vsock model='virtio'><cid auto='no' address='77'/></vsock>",
    "controller.xml": "<controller type='scsi' index='0' model='virtio-scsi'/>",
    "fs.xml": "<filesystem type='mount'><source dir='@/pool'/><target dir='tag'/></filesystem>",
    "lease.xml": "<lease><lockspace>l</lockspace><key>k</key><target path='/x'/></lease>",
    "redirdev.xml": "<redirdev bus='usb' type='spicevmc'/>",
    "memory.xml": "<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>",
    "console.xml": "<console type='pty'><target type='virtio'/></console>",
    "video.xml": "<video><model type='virtio'/></video>",
    "graphics.xml": "<graphics type='vnc' port='-1'/>",
    "balloon.xml": "<memballoon model='virtio'><stats period='5'/></memballoon>",
    "panic.xml": "<panic model='isa'/>",
    "iommu.xml": "<iommu model='intel'/>",
    "notdomain.xml": "<a/>",
    "caps.xml": "<capabilities><host><cpu><arch>x86_64</arch><model>qemu64</model></cpu></host></capabilities>",
    "cpu-empty.xml": "<cpu/>",
    "cpu-feature.xml": "<cpu><arch>x86_64</arch><model>qemu64</model><feature name='bogus'/></cpu>",
    "cpu-arm.xml": "<cpu><arch>aarch64</arch><model>cortex-a57</model></cpu>",
    "net-isolated.xml":
        "<network><name>isolated</name><uuid>22222222-1111-4111-8111-111111111112</uuid><bridge name='vntest1'/>"
        "<ip address='10.77.7.1' netmask='255.255.255.0'/></network>",
    "net-samebridge.xml": "<network><name>samebridge</name><bridge name='vntest1'/></network>",
    "net-sameuuid.xml":
        "<network><name>sameuuid</name><uuid>22222222-1111-4111-8111-111111111112</uuid><bridge name='vntest2'/>"
        "</network>",
    "net-noname.xml": "<network><bridge name='vntest3'/></network>",
    "net-badip.xml":
        "<network><name>badip</name><bridge name='vntest4'/><ip address='10.77.7.300' netmask='255.255.255.0'/>"
        "</network>",
    "net-badforward.xml": "<network><name>badforward</name><forward mode='bogus'/></network>",
    "net-badmac.xml": "<network><name>badmac</name><bridge name='vntest5'/><mac address='x'/></network>",
    "net-badbridge.xml": "<network><name>badbridge</name><forward mode='bridge'/></network>",
    "net-nonet.xml": "<a/>",
    "net-empty.xml": "<network><name>net-empty</name><bridge name='vntest6'/></network>",
    "pool.xml":
        "<pool type='dir'><name>pp</name><uuid>22222222-1111-4111-8111-1111111111aa</uuid><target>"
        "<path>@/pool</path></target></pool>",
    "pool-sametarget.xml": "<pool type='dir'><name>pq</name><target><path>@/pool</path></target></pool>",
    "pool-noname.xml": "<pool type='dir'><target><path>@/pool2</path></target></pool>",
    "pool-notarget.xml": "<pool type='dir'><name>pr</name></pool>",
    "pool-badtype.xml": "<pool type='bogus'><name>ps</name></pool>",
    "pool-badmode.xml":
        "<pool type='dir'><name>pt</name><target><path>@/pool3</path><permissions><mode>999</mode></permissions>"
        "</target></pool>",
    "vol.xml": "<volume><name>vx</name><capacity unit='MiB'>2</capacity></volume>",
    "vol-noname.xml": "<volume><capacity>5</capacity></volume>",
    "vol-nocapacity.xml": "<volume><name>v1</name></volume>",
    "vol-badformat.xml":
        "<volume><name>v1</name><capacity>5</capacity><target><format type='bogus'/></target></volume>",
    "vol-badname.xml": "<volume><name>..</name><capacity>5</capacity></volume>",
    "vol-slash.xml": "<volume><name>a/b</name><capacity>5</capacity></volume>",
    "vol-dir.xml":
        "<volume type='dir'><name>vdir</name><capacity>5</capacity><target><format type='dir'/></target></volume>",
    "vol-backing.xml":
        "<volume><name>vback</name><capacity unit='MiB'>2</capacity><target><format type='qcow2'/></target>"
        "<backingStore><path>@/pool/vx</path><format type='raw'/></backingStore></volume>",
    "vol-badunit.xml": "<volume><name>v1</name><capacity unit='bogus'>2</capacity></volume>",
    "vol-feature.xml":
        "<volume><name>vfeat</name><capacity unit='MiB'>2</capacity><target><format type='qcow2'/>"
        "<compat>1.1</compat><features><lazy_refcounts/></features></target></volume>",
    "vol-mode.xml":
        "<volume><name>vmode</name><capacity unit='MiB'>2</capacity><target><permissions><mode>0640</mode>"
        "<owner>0</owner><group>0</group></permissions></target></volume>",
    "vol-copy.xml": "<volume><name>vcopy</name><capacity unit='MiB'>2</capacity></volume>",
    "vol-copy2.xml": "<volume><name>vcopy2</name><capacity unit='MiB'>2</capacity></volume>",
    "secret-vol2.xml":
        "<secret ephemeral='no' private='no'><uuid>33333333-1111-4111-8111-111111111113</uuid><usage type='volume'>"
        "<volume>/v/3</volume></usage></secret>",
    "secret-ceph.xml":
        "<secret ephemeral='yes' private='no'><uuid>33333333-1111-4111-8111-111111111114</uuid><usage type='ceph'>"
        "<name>c</name></usage></secret>",
    "secret-badusage.xml": "<secret><usage type='bogus'/></secret>",
    "secret-nousage.xml": "<secret ephemeral='yes'><uuid>33333333-1111-4111-8111-111111111115</uuid></secret>",
    "secret-badeph.xml": "<secret ephemeral='maybe'/>",
    "secret-tls.xml":
        "<secret ephemeral='yes'><uuid>33333333-1111-4111-8111-111111111116</uuid><usage type='tls'><name>t</name>"
        "</usage></secret>",
    "c1.xml": "<cpu mode='custom' match='exact'><model>qemu64</model></cpu>",
    "c2.xml": "<cpu><arch>x86_64</arch><model>qemu64</model><feature name='bogus'/></cpu>",
    "c3.xml": "<cpu match='exact'><model>qemu64</model></cpu>",
    "c4.xml": "<cpu mode='host-passthrough'/>",
    "c5.xml": "<cpu><arch>bogus</arch><model>qemu64</model></cpu>",
    "c6.xml": "<cpu><arch>x86_64</arch></cpu>",
    "c7.xml": "<cpu match='bogus'><model>qemu64</model></cpu>",
    "c8.xml": "<cpu><arch>x86_64</arch><model>qemu64</model><feature/></cpu>",
    "c9.xml": "<cpu><arch>x86_64</arch><model>qemu64</model><feature name='vmx' policy='bogus'/></cpu>",
    "c12.xml": "<cpu><arch>x86_64</arch><model>qemu64</model><topology sockets='1' cores='2' threads='1'/></cpu>",
    "c13.xml": "<cpu><arch>x86_64</arch><model>qemu64</model><feature name='vmx'/><feature name='vmx'/></cpu>",
    "c14.xml": "<cpu><arch>s390x</arch><model>z13</model></cpu>",
    "c15.xml": "<cpu><arch>i686</arch><model>qemu32</model></cpu>",
    "c16.xml": "<cpu match='minimum'><model>qemu64</model></cpu>",
    "c17.xml": "<cpu><arch>x86_64</arch><model>qemu64</model><feature policy='require' name='vmx'/></cpu>",
    "c18.xml": "<cpu><model>qemu64</model></cpu>",
}

USER_NIC = "<interface type='user'><mac address='52:54:00:11:11:11'/></interface>"
RNG = "<rng model='virtio'>{}<backend model='random'/></rng>"
SERIAL = "<serial type='pty'/>"
FAR = RNG.format("<address type='pci' domain='0' bus='0x77' slot='0x55' function='0'/>")

# The name, what of the definition goes, and what comes instead.
BAD_DOMAINS = {
    "a/b": ("badname.xml", "", ""),
    "badmem": ("badmemory.xml", ">64<", ">x<"),
    "hugemem": ("hugemem.xml", ">64<", ">99999999999999999<"),
    "badarch": ("badarch.xml", "x86_64", "bogus"),
    "badmachine": ("badmachine.xml", "pc-q35-7.2", "bogus"),
    "badcpu": ("badcpu.xml", "<model>qemu64</model>", "<model>bogus</model>"),
    "badboot": ("badboot.xml", "hvm</type>", "hvm</type><boot dev='bogus'/>"),
    "dupmac": ("dupmac.xml", SERIAL, USER_NIC + SERIAL),
    "dupalias": ("dupalias.xml", SERIAL, 2 * RNG.format("<alias name='ua-x'/>") + SERIAL),
    "badaddr": ("badaddr.xml", SERIAL, FAR + SERIAL),
    "badiothread": ("badiothread.xml", "type='qcow2'/>", "type='qcow2' iothread='5'/>"),
    "badvcpus": ("badvcpus.xml", "current='2'>4", "current='2'>99999"),
    "badnuma": ("badnuma.xml", "<model>qemu64</model>",
                "<model>qemu64</model><numa><cell id='0' cpus='0-9' memory='65536'/></numa>"),
    "badclock": ("badclock.xml", "<devices>", "<clock offset='bogus'/><devices>"),
    "badfeature": ("badfeature.xml", "<acpi/>", "<acpi/><bogus/>"),
}


def odd_files(domain, uuid):
    """All of them by name; `domain` is a definition that is right, whose uuid is `uuid`."""
    files = dict(ODD)
    files["nouuid.xml"] = domain.replace("<name>off", "<name>nouuid").replace(f"<uuid>{uuid}</uuid>", "")
    for number, (name, (file, old, new)) in enumerate(BAD_DOMAINS.items()):
        own = domain.replace("<name>off", f"<name>{name}").replace(uuid, f"{uuid[:-2]}{0x20 + number:02x}")
        assert old in own
        files[file] = own.replace(old, new, 1) if old else own
    return files
