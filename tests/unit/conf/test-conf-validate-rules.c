/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each rule of a device or of the machine: what breaks it is refused with libvirt 9.0's code, and
 * what is right beside it is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "conf/domain-fill.h"
#include "conf/domain-parse.h"
#include "conf/domain-validate-define.h"

#define NOT_SUPPORTED ERROR_CONFIG_UNSUPPORTED

/* `form` has a %s, for which `bad` is refused and `good` is taken (NULL: nothing near is). */
typedef struct Row {
    const char *form, *bad, *good;
    ErrorCode code;
    const char *words;
} Row;

#define DEVICES(text) "<devices>" text "</devices>"
#define DISK(attributes, target, bus)                                                              \
    DEVICES("<disk type='block' " attributes "><source dev='/dev/s'/>"                             \
            "<target dev='" target "' bus='" bus "'/>%s</disk>")
#define NIC(type, source)                                                                          \
    DEVICES("<interface type='" type "'><mac address='52:54:00:00:00:01'/>" source "%s</"          \
            "interface>")
#define PCI "<address type='pci' domain='0' bus='0' slot='9' function='0'/>"
#define DRIVE "<address type='drive' controller='0' bus='0' target='0' unit='1'/>"
#define USB "<address type='usb' bus='0' port='1'/>"

static const Row disks[] = {
    {DEVICES("<disk><source file='/f'/><target dev='%s' bus='virtio'/></disk>"), "foo", "vda",
     ERROR_XML, "Unknown disk name and no address specified"},
    {DEVICES("<disk><source file='/f'/><target dev='foo' bus='virtio'/>%s</disk>"), "", PCI,
     ERROR_XML, "Unknown disk name and no address specified"},
    {DISK("", "fda", "fdc"), "", NULL, ERROR_INTERNAL, "Invalid bus type 'fdc'"},
    {DEVICES("<disk device='floppy'><source file='/f'/><target %s/></disk>"),
     "dev='sda' bus='sata'", "dev='fda' bus='fdc'", ERROR_INTERNAL, "for a floppy disk"},
    {DEVICES("<disk device='floppy'><source file='/f'/><target %s/></disk>"), "dev='vdb' bus='fdc'",
     "dev='fdb' bus='fdc'", ERROR_INTERNAL, "Invalid name"},
    {DEVICES("<disk><source file='/f'/><target %s/></disk>"), "dev='fda' bus='virtio'",
     "dev='vda' bus='virtio'", ERROR_INTERNAL, "Invalid name"},
    {DEVICES("<disk device='cdrom'><target dev='sda' bus='%s'/></disk>"), "sd", "sata",
     NOT_SUPPORTED, "ejectable media"},
    {DEVICES("<disk device='%s'><source file='/f'/><target dev='sda' bus='scsi'/></disk>"), "lun",
     "disk", NOT_SUPPORTED, "only valid for block type disk source"},
    {DEVICES("<disk type='block' device='lun'><source dev='/d'/><target %s/></disk>"),
     "dev='sda' bus='sata'", "dev='sda' bus='scsi'", NOT_SUPPORTED, "'lun' is not supported for"},
    {DEVICES("<disk><source file='/f'/><target dev='sda' %s/></disk>"), "bus='sata' tray='open'",
     "bus='sata' tray='closed'", NOT_SUPPORTED, "tray is only valid for cdrom and floppy"},
    {DEVICES("<disk><source file='/f'/><target dev='sda' %s/></disk>"), "bus='sata' removable='on'",
     "bus='usb' removable='on'", ERROR_XML, "only valid for usb"},
    {DEVICES("<disk><source file='/f'/><target dev='sda' %s/></disk>"),
     "bus='usb' rotation_rate='1'", "bus='sata' rotation_rate='1'", ERROR_INTERNAL,
     "rotation rate is only valid for SCSI/IDE/SATA bus: disk 'sda'"},
    {DEVICES("<disk %s><source file='/f'/><target dev='sda'/></disk>"),
     "model='virtio-transitional'", "", NOT_SUPPORTED, "a disk model is supported on the virtio"},
    {DISK("", "sda", "usb"), "<geometry cyls='9' heads='9' secs='9'/>", "", NOT_SUPPORTED,
     "CHS geometry can not be set"},
    {DISK("", "vda", "virtio"), "<geometry cyls='9' heads='9' secs='9' trans='lba'/>",
     "<geometry cyls='9' heads='9' secs='9'/>", NOT_SUPPORTED, "only be set for 'ide' bus"},
    {DEVICES(
         "<disk type='block' device='%s'><source dev='/d'><reservations managed='yes'/></source>"
         "<target dev='sda' bus='scsi'/></disk>"),
     "disk", "lun", NOT_SUPPORTED, "allowed only for lun devices"},
    {DISK("", "sda", "sd"), "<serial>a</serial>", "", ERROR_INTERNAL, "drive bus 'sd'"},
    {DISK("", "vda", "virtio"), "<serial>a,b</serial>", "<serial>A-b_ .+9</serial>", ERROR_INTERNAL,
     "unsafe characters"},
    {DISK("", "sda", "scsi"), "<serial>a:b</serial>", "<serial>a b</serial>", ERROR_INTERNAL,
     "unsafe characters: letters"},
    {DEVICES("<disk type='block' device='lun'><source dev='/d'/><target dev='sda' bus='scsi'/>%s"
             "</disk>"),
     "<serial>a</serial>", "", NOT_SUPPORTED, "do not support the serial property"},
    {DISK("", "sda", "scsi"), "<wwn>5000</wwn>", "<wwn>5000c500155ca7f1</wwn>", ERROR_INTERNAL,
     "Malformed wwn"},
    {DISK("", "sda", "sata"), "<wwn>5000c500155ca7f1</wwn>", "", NOT_SUPPORTED,
     "Only ide and scsi disk support wwn"},
    {DISK("", "sda", "scsi"), "<vendor>123456789</vendor>", "<vendor>12345678</vendor>",
     NOT_SUPPORTED, "disk vendor is more than 8"},
    {DISK("", "sda", "scsi"), "<product>12345678901234567</product>",
     "<product>1234567890123456</product>", NOT_SUPPORTED, "disk product is more than 16"},
    {DISK("", "sda", "sata"), "<product>p</product>", "", NOT_SUPPORTED, "Only scsi disk supports"},
    {DISK("", "vda", "virtio"), "<driver rerror_policy='enospace'/>",
     "<driver error_policy='enospace'/>", NOT_SUPPORTED, "disk read error policy"},
    {DISK("", "vda", "virtio"), "<driver type='luks'/>", "<driver type='raw'/>", NOT_SUPPORTED,
     "unknown driver format value 'luks'"},
    {DISK("", "vda", "virtio"), "<driver io='native' cache='writeback'/>",
     "<driver io='native' cache='none'/>", NOT_SUPPORTED, "io='native' needs"},
    {DISK("", "sda", "sata"), "<driver event_idx='on'/>", "", NOT_SUPPORTED, "event_idx mode"},
    {DISK("", "sda", "sata"), "<driver ioeventfd='on'/>", "", NOT_SUPPORTED, "ioeventfd mode"},
    {DISK("", "sda", "sata"), "<driver queues='2'/>", "", NOT_SUPPORTED, "queues attribute"},
    {DISK("", "sda", "sata"), "<driver iommu='on'/>", "", NOT_SUPPORTED, "iommu driver option"},
    {DISK("", "vda", "virtio"), "<driver copy_on_read='on'/><readonly/>",
     "<driver copy_on_read='on'/>", NOT_SUPPORTED, "not compatible with a read-only disk"},
    {DISK("", "vda", "virtio"), "<driver type='qcow2'/><shareable/>",
     "<driver type='raw'/><shareable/>", NOT_SUPPORTED, "supported storage format"},
    {DEVICES("<disk type='dir'><source dir='/d'/><target dev='vda'/>%s</disk>"), "", "<readonly/>",
     NOT_SUPPORTED, "can't be accessed in read-write mode"},
    {"<memoryBacking>%s</memoryBacking>" DEVICES(
         "<disk type='vhostuser'><source type='unix' path='/s'/><target dev='vda'/></disk>"),
     "", "<access mode='shared'/>", NOT_SUPPORTED, "'vhostuser' requires shared memory"},
    {DEVICES("<disk type='network'><source protocol='nfs' name='n'><host name='h' %s/></source>"
             "<target dev='vda'/></disk>"),
     "port='2049'", "", NOT_SUPPORTED, "port cannot be specified"},
    {DISK("", "vda", "virtio"), "<encryption format='qcow'/>", "<encryption format='luks'/>",
     NOT_SUPPORTED, "old qcow/qcow2 encryption"},
    {DEVICES("<disk><source file='/f'/><target dev='vda'/>%s</disk>"), "<readonly/><transient/>",
     "<transient shareBacking='yes'/>", NOT_SUPPORTED, "a transient disk must not be read-only"},
    {DEVICES("<disk device='%s'><source file='/f'/><target dev='fda'/><transient/></disk>"),
     "floppy", NULL, NOT_SUPPORTED, "supported only with device 'disk'"},
    {DEVICES("<disk type='block'><source dev='/d'/><target dev='vda'/>%s</disk>"), "<transient/>",
     "", NOT_SUPPORTED, "supported only with type 'file'"},
    {DISK("", "vda", "virtio"), DRIVE, PCI, NOT_SUPPORTED, "virtio disk cannot have an address"},
    {DISK("", "sda", "sata"), PCI, DRIVE, NOT_SUPPORTED, "Invalid address type for a disk"},
    {DISK("", "sda", "usb"), PCI, USB, ERROR_INTERNAL, "unexpected address type for usb disk"},
    {DISK("", "vda", "virtio"), "<address type='ccw' cssid='0xfe' ssid='0' devno='1'/>", "",
     NOT_SUPPORTED, "cannot use CCW address type"},
};

static const Row interfaces[] = {
    {NIC("user", ""), "<model type='virtio'/><driver rx_queue_size='100'/>",
     "<model type='virtio'/><driver rx_queue_size='128'/>", NOT_SUPPORTED,
     "rx_queue_size has to be a power of two"},
    {DEVICES("<interface type='hostdev'><source>%s</source></interface>"), "",
     "<address type='pci' domain='0' bus='5' slot='0' function='0'/>", ERROR_XML,
     "missing source address type"},
    {NIC("bridge", "<source bridge='b'/>"), "<model type='e1000'/><teaming type='persistent'/>",
     "<model type='virtio'/><teaming type='persistent'/>", NOT_SUPPORTED, "teaming persistent"},
    {NIC("bridge", "<source bridge='b'/>"), "<teaming type='transient' persistent='ua-x'/>", "",
     NOT_SUPPORTED, "teaming transient"},
    {"<devices>%s<source network='n'/><teaming type='transient' persistent='ua-x'/></interface>"
     "</devices>",
     "<interface type='user'>", "<interface type='network'>", NOT_SUPPORTED, "teaming transient"},
    {NIC("bridge", "<source bridge='b'/>"),
     "<model type='virtio'/><teaming type='persistent' persistent='ua-x'/>",
     "<model type='virtio'/><teaming type='persistent'/>", NOT_SUPPORTED,
     "not allowed if teaming type is 'persistent'"},
    {"<devices><interface type='hostdev'><source><address type='pci' domain='0' bus='5' slot='0' "
     "function='0'/></source><teaming type='transient'%s/></interface></devices>",
     "", " persistent='ua-x'", NOT_SUPPORTED, "must be set if teaming type is 'transient'"},
    {DEVICES("<interface type='vhostuser'><source %s path='/s' mode='client'/><model "
             "type='virtio'/></interface>"),
     "", "type='unix'", ERROR_XML, "Missing required attribute 'type'"},
    {DEVICES("<interface type='vhostuser'><source type='%s' path='/s' mode='client'/><model "
             "type='virtio'/></interface>"),
     "tcp", "unix", NOT_SUPPORTED, "it is 'unix'"},
    {NIC("bridge", "<source bridge='b'/>"), "<bandwidth><inbound peak='5'/></bandwidth>",
     "<bandwidth><inbound average='5'/></bandwidth>", ERROR_XML_DETAIL, "mandatory average"},
    {NIC("bridge", "<source bridge='b'/>"),
     "<bandwidth><outbound average='5' floor='1'/></bandwidth>",
     "<bandwidth><outbound average='5'/></bandwidth>", NOT_SUPPORTED, "'floor' attribute"},
    {DEVICES("<interface type='%s'><source bridge='b'/><mtu size='1400'/></interface>"), "user",
     "bridge", NOT_SUPPORTED, "setting MTU is not supported"},
    {NIC("user", ""), "<port isolated='yes'/>", "<port isolated='no'/>", NOT_SUPPORTED,
     "isolated='yes'"},
    {NIC("user", ""), "<coalesce><rx><frames max='5'/></rx></coalesce>", "", NOT_SUPPORTED,
     "coalesce settings"},
    {NIC("user", ""), "<ip address='1.2.3.4'/><ip address='1.2.3.5'/>",
     "<ip address='1.2.3.4'/><ip address='fe80::1'/>", NOT_SUPPORTED, "Only one IPv4 address"},
    {NIC("user", ""), "<route address='1.2.3.0' gateway='1.2.3.1' prefix='24'/>", "", NOT_SUPPORTED,
     "guest-side IP route"},
    {NIC("bridge", "<source bridge='b'/>"), "<vlan/>", "<vlan><tag id='1'/></vlan>", ERROR_XML,
     "missing tag id"},
    {NIC("bridge", "<source bridge='b'/>"),
     "<vlan><tag id='1' nativeMode='tagged'/><tag id='2' nativeMode='tagged'/></vlan>",
     "<vlan><tag id='1' nativeMode='tagged'/><tag id='2'/></vlan>", ERROR_XML, "duplicate native"},
    {NIC("bridge", "<source bridge='b'/>"), "<vlan trunk='no'><tag id='1'/><tag id='2'/></vlan>",
     "<vlan trunk='yes'><tag id='1'/><tag id='2'/></vlan>", ERROR_XML, "invalid \"trunk='no'\""},
    {NIC("user", ""), "<virtualport type='openvswitch'/>", "", NOT_SUPPORTED, "<virtualport>"},
    {NIC("bridge", "<source bridge='b'/>"), "<virtualport type='midonet'/>",
     "<virtualport type='openvswitch'/>", ERROR_XML, "missing interfaceid"},
    {NIC("user", ""), "<rom enabled='no' bar='on'/>", "<rom enabled='no'/>", NOT_SUPPORTED,
     "ROM tuning is not supported"},
    {NIC("user", ""), "<address type='unassigned'/>", PCI, NOT_SUPPORTED, "only for hostdevs"},
    {NIC("user", ""), "<address type='virtio-serial' controller='0' bus='0' port='1'/>", PCI,
     ERROR_XML, "virtio serial controller of an address is missing"},
};

static const Row controllers[] = {
    {DEVICES("<controller type='scsi' index='0'/><controller type='scsi' index='%s'/>"), "0", "1",
     ERROR_XML, "Multiple controllers of a type with the same index"},
    {DEVICES("<controller type='%s'/>"), "ide", "sata", NOT_SUPPORTED,
     "IDE controllers are unsupported"},
    {DEVICES("<controller type='fdc' index='%s'/>"), "1", "0", ERROR_INTERNAL, "Only 1 fdc"},
    {DEVICES("<controller type='%s'/>"), "xenbus", "fdc", ERROR_INTERNAL, "QEMU has no controller"},
    {DEVICES("<controller type='usb' model='qemu-xhci' ports='%s'/>"), "16", "15", NOT_SUPPORTED,
     "up to '15' ports"},
};

static const Row chardevs[] = {
    {DEVICES("<serial type='pty'><target %s/></serial>"), "type='foo'", "type='isa-serial'",
     NOT_SUPPORTED, "unknown target type"},
    {DEVICES("<serial type='pty'><target type='isa-serial'><model name='%s'/></target></serial>"),
     "pci-serial", "isa-serial", NOT_SUPPORTED, "the target model is not of the target type"},
    {DEVICES("<serial type='pty'>%s</serial>"), PCI, "", NOT_SUPPORTED, "address type is not that"},
    {DEVICES("<serial type='tcp'><source mode='%s' host='h' service='1'>"
             "<reconnect enabled='yes' timeout='9'/></source></serial>"),
     "bind", "connect", ERROR_INTERNAL, "only for connect mode"},
    {DEVICES("<channel type='unix'><source mode='%s' path='/c'><reconnect enabled='yes' "
             "timeout='9'/></source><target type='virtio' name='a'/></channel>"),
     "bind", "connect", ERROR_INTERNAL, "only for connect mode"},
    {DEVICES("<serial type='tcp'><source %s host='h' service='1'>"
             "<reconnect enabled='yes' timeout='9'/></source></serial>"),
     "mode='bind'", "", ERROR_INTERNAL, "only for connect mode"},
    {DEVICES("<serial type='tcp'><source mode='connect' %s service='1'/></serial>"), "", "host='h'",
     ERROR_INTERNAL, "Missing source host"},
    {DEVICES("<console type='pty'><target type='%s'/></console>"), "foo", "virtio", NOT_SUPPORTED,
     "unknown target type"},
    {DEVICES("<console type='pty'><target type='%s'/></console>"), "uml", "serial", NOT_SUPPORTED,
     "unsupported console target type"},
    {DEVICES("<console type='pty'><target type='%s'/></console>"), "sclp", "serial", NOT_SUPPORTED,
     "sclpconsole is not supported"},
    {DEVICES("<serial type='pty'/><console type='pty'/><console type='pty'>%s</console>"), "",
     "<target type='virtio'/>", NOT_SUPPORTED, "Only the first console can be a serial port"},
    {DEVICES("<channel type='pty'><target type='guestfwd' port='80' %s/></channel>"), "",
     "address='10.0.2.1'", ERROR_XML, "does not define a target address"},
    {DEVICES("<channel type='pty'><target type='guestfwd' port='80' address='%s'/></channel>"),
     "::1", "10.0.2.1", NOT_SUPPORTED, "only supports IPv4"},
    {DEVICES("<channel type='pty'><target type='guestfwd' port='%s' address='10.0.2.1'/>"
             "</channel>"),
     "80-cmd:id", "80", ERROR_XML, "Invalid value for attribute 'port'"},
    {DEVICES("<channel type='pty'><target type='guestfwd' port='%s' address='10.0.2.1'/>"
             "</channel>"),
     "65536", "65535", ERROR_XML, "Invalid value for attribute 'port'"},
    {DEVICES("<channel type='pty'><target type='guestfwd' address='10.0.2.1' %s/></channel>"), "",
     "port='4600'", ERROR_XML, "Missing required attribute 'port'"},
};

static const Row displays[] = {
    {DEVICES("<graphics type='%s'/>"), "rdp", "vnc", NOT_SUPPORTED, "graphics of this type"},
    {DEVICES("<graphics type='vnc' passwd='%s'/>"), "123456789", "12345678", NOT_SUPPORTED,
     "VNC password is too long"},
    {DEVICES("<graphics type='vnc' passwd='a' passwdValidTo='%s'/>"), "tomorrow",
     "2026-11-26T12:00:00", ERROR_INTERNAL, "password validity time"},
    {DEVICES("<video><model type='%s'/></video>"), "xen", "vga", NOT_SUPPORTED, "this video model"},
    {DEVICES("<video><model type='vga'>%s</model></video>"), "<acceleration accel3d='yes'/>", "",
     NOT_SUPPORTED, "3d acceleration is supported only"},
    {DEVICES("<video><model type='virtio'><acceleration %s/></model></video>"), "accel2d='yes'",
     "accel3d='yes'", NOT_SUPPORTED, "accel2d"},
    {DEVICES("<video><model type='cirrus' heads='%s'/></video>"), "2", "1", NOT_SUPPORTED,
     "multiple 'heads'"},
    {DEVICES("<video><model type='qxl' vgamem='%s'/></video>"), "9000", "8192", NOT_SUPPORTED,
     "power of two"},
    {DEVICES("<video><model type='vga' vram='%s'/></video>"), "512", "1024", NOT_SUPPORTED,
     "at least 1 MiB"},
    {DEVICES("<audio id='1' type='none'/><audio id='%s' type='none'/>"), "1", "2", ERROR_XML,
     "used multiple times"},
    {DEVICES("<audio id='1' type='none'><output mixingEngine='%s' fixedSettings='yes'/></audio>"),
     "no", "yes", NOT_SUPPORTED, "requires mixing engine"},
    {DEVICES("<audio id='1' type='%s'/>"), "spice", "none", NOT_SUPPORTED,
     "without spice graphics"},
    {DEVICES("<audio id='1' type='none'/><sound model='ich9'><audio id='%s'/></sound>"), "3", "1",
     ERROR_XML, "no audio device"},
};

#define PCI_HOSTDEV(more)                                                                          \
    "<hostdev mode='subsystem' type='pci'><source><address domain='0' bus='1' slot='0' "           \
    "function='0'/></source>" more "</hostdev>"
#define TPM(model, version, more)                                                                  \
    "<tpm model='" model "'><backend type='emulator' version='" version "'>" more "</backend></"   \
    "tpm>"

static const Row others[] = {
    {DEVICES("<input type='%s' bus='ps2'/>"), "tablet", "mouse", ERROR_INTERNAL, "ps2 bus"},
    {DEVICES("<input type='mouse' bus='%s'/>"), "xen", "usb", ERROR_INTERNAL, "unsupported input"},
    {DEVICES("<input type='passthrough' bus='%s'><source evdev='/e'/></input>"), "usb", "virtio",
     NOT_SUPPORTED, "'passthrough' input devices"},
    {DEVICES("<input type='mouse' bus='%s' model='virtio'/>"), "usb", "virtio", NOT_SUPPORTED,
     "for an input model"},
    {DEVICES("<input type='mouse' bus='virtio' model='%s'/>"), "virtio-transitional", "virtio",
     NOT_SUPPORTED, "(non-)transitional"},
    {DEVICES("<input type='tablet' bus='usb'>%s</input>"), PCI, USB, ERROR_XML,
     "Invalid address for a USB device"},
    {DEVICES(PCI_HOSTDEV("") "%s"), PCI_HOSTDEV(""), "", ERROR_XML, "Hostdev already exists"},
    {DEVICES(PCI_HOSTDEV("%s")), USB, PCI, ERROR_INTERNAL, "PCI host devices must use"},
    {DEVICES("<hostdev type='usb'><source><vendor id='1'/><product id='2'/></source>%s</hostdev>"),
     PCI, USB, NOT_SUPPORTED, "USB host device must use"},
    {DEVICES("<hostdev type='scsi_host'><source protocol='vhost' wwpn='%s'/></hostdev>"), "5001",
     "naa.50014057667280d8", ERROR_XML, "malformed 'wwpn'"},
    {DEVICES(TPM("tpm-crb", "%s", "")), "1.2", "2.0", NOT_SUPPORTED, "'tpm-crb' for TPM 1.2"},
    {DEVICES(TPM("tpm-tis", "%s", "<active_pcr_banks><sha1/></active_pcr_banks>")), "1.2", "2.0",
     ERROR_XML, "requires TPM version"},
    {DEVICES(TPM("tpm-tis", "2.0", "") "%s"), TPM("tpm-tis", "2.0", ""), "", NOT_SUPPORTED,
     "only a single TPM"},
    {DEVICES("<tpm model='%s'><backend type='emulator' version='2.0'/></tpm>"), "tpm-spapr",
     "tpm-tis", NOT_SUPPORTED, "does not support this TPM model"},
    {DEVICES(TPM("tpm-crb", "2.0", "<encryption secret='%s'/>")), "x",
     "11111111-2222-3333-4444-555555555555", ERROR_INTERNAL, "Unable to parse secret uuid"},
    {DEVICES("<watchdog model='%s'/>"), "diag288", "i6300esb", NOT_SUPPORTED, "s390x only"},
    {DEVICES("<watchdog model='i6300esb'>%s</watchdog>"), USB, PCI, NOT_SUPPORTED, "PCI bus"},
    {DEVICES("<panic model='isa'/><panic model='%s'/>"), "isa", "hyperv", ERROR_XML,
     "Multiple panic devices"},
    {DEVICES("<panic model='%s'/>"), "s390", "isa", NOT_SUPPORTED, "only S390 guests"},
    {DEVICES("<filesystem type='%s'><source name='n' dir='/d'/><target dir='t'/></filesystem>"),
     "template", "mount", NOT_SUPPORTED, "only supports mount"},
    {DEVICES("<filesystem accessmode='%s' fmode='0644'><source dir='/d'/><target dir='t'/>"
             "</filesystem>"),
     "passthrough", "mapped", NOT_SUPPORTED, "accessmode=mapped"},
    {DEVICES("<shmem name='s'><model type='%s'/></shmem>"), "ivshmem", "ivshmem-plain",
     NOT_SUPPORTED, "ivshmem device is not supported"},
    {DEVICES("<shmem name='s'><model type='ivshmem-doorbell'/>%s</shmem>"), "", "<server/>",
     NOT_SUPPORTED, "server option"},
    {"<features>%s</features>" DEVICES("<iommu model='virtio'/>"), "", "<acpi/>", NOT_SUPPORTED,
     "'virtio' requires ACPI"},
    {"<features><acpi/></features>" DEVICES("<iommu model='virtio'>%s</iommu>"),
     "<driver intremap='on'/>", "<driver/>", ERROR_XML, "no additional attributes"},
    {DEVICES("<iommu model='%s'/>"), "smmuv3", "intel", NOT_SUPPORTED, "ARM Virt machines"},
    {DEVICES("<memballoon model='%s'/>"), "xen", "virtio", ERROR_INTERNAL, "memory balloon"},
    {DEVICES("<graphics type='spice'/><redirdev bus='usb' type='spicevmc'>%s</redirdev>"), PCI, USB,
     ERROR_XML, "Invalid address for a USB device"},
    {DEVICES("<smartcard mode='host'>%s</smartcard>"), PCI,
     "<address type='ccid' controller='0' slot='0'/>", NOT_SUPPORTED, "'ccid' address type"},
};

#define CELL "<cpu><numa><cell id='0' cpus='0' memory='1024'/></numa></cpu>"
#define MAXIMUM "<maxMemory slots='1' unit='GiB'>4</maxMemory>"
#define DIMM(node, more)                                                                           \
    "<memory model='dimm'><target><size unit='MiB'>128</size>" node "</target>" more "</memory>"
#define SLOT(n) "<address type='dimm' slot='" n "'/>"

static const Row machines[] = {
    {"<perf><event name='%s' enabled='yes'/></perf>", "zap", "cmt", NOT_SUPPORTED,
     "a name that is no event's"},
    {"<cpu%s><feature policy='require' name='vmx'/></cpu>", "", " mode='host-model'", ERROR_XML,
     "Non-empty feature list specified without CPU model"},
    {"<clock offset='absolute' %s/>", "", "start='0'", ERROR_XML, "missing 'start'"},
    {"<os firmware='efi'><loader readonly='yes' type='pflash'>%s</loader></os>"
     "<features><acpi/></features>",
     "", "/chosen.fd", ERROR_XML_DETAIL, "'readonly' cannot be specified"},
    {"%s" CELL DEVICES(DIMM("<node>0</node>", "")), "", MAXIMUM, NOT_SUPPORTED, "'maxMemory' is"},
    {MAXIMUM CELL DEVICES(DIMM("%s", "")), "", "<node>0</node>", NOT_SUPPORTED, "target NUMA node"},
    {MAXIMUM CELL DEVICES(DIMM("<node>%s</node>", "")), "9", "0", ERROR_XML_DETAIL,
     "not a <cell> of <numa>"},
    {MAXIMUM CELL DEVICES(DIMM("<node>0</node>", "") "%s"), DIMM("<node>0</node>", ""), "",
     ERROR_INTERNAL, "empty memory slot"},
    {"<maxMemory slots='2' unit='GiB'>4</maxMemory>" CELL DEVICES(
         DIMM("<node>0</node>", SLOT("1")) DIMM("<node>0</node>", SLOT("%s"))),
     "1", "0", NOT_SUPPORTED, "slot is already being used"},
    {"<memoryBacking><hugepages><page size='4'/>%s</hugepages></memoryBacking>",
     "<page size='8' nodeset='0'/>", "", ERROR_XML_DETAIL, "two master hugepages"},
    {"<blkiotune><device><path>/a</path></device><device><path>%s</path></device></blkiotune>",
     "/a", "/b", NOT_SUPPORTED, "duplicate blkio device path"},
    {"<os firmware='efi'><loader %s/></os><features><acpi/></features>", "readonly='yes'", "",
     ERROR_XML_DETAIL, "'readonly' cannot be specified"},
    {"<os firmware='efi'/><features>%s</features>", "", "<acpi/>", NOT_SUPPORTED,
     "UEFI requires ACPI"},
    {"<os %s><firmware><feature enabled='yes' name='secure-boot'/></firmware></os><features><acpi/>"
     "</features>",
     "", "firmware='efi'", ERROR_XML_DETAIL, "feature-based firmware"},
    {"<os firmware='efi'><firmware><feature enabled='yes' name='%s'/></firmware></os><features>"
     "<acpi/></features>",
     "foo", "secure-boot", ERROR_XML, "Invalid firmware feature"},
    {"<os><loader type='pflash' readonly='yes' secure='yes'>/l</loader></os><features><acpi/>%s"
     "</features>",
     "", "<smm state='on'/>", NOT_SUPPORTED, "Secure boot requires SMM"},
    {"<os><loader type='pflash' readonly='yes' secure='yes'>/l</loader></os><features><acpi/>"
     "<smm state='on'/></features><!-- %s -->",
     "pc", "q35", NOT_SUPPORTED, "q35 machine types only"},
    {"<features><smm state='on'><tseg unit='MiB'>48</tseg></smm></features><!-- %s -->", "pc",
     "q35", NOT_SUPPORTED, "SMM TSEG"},
    {"<features>%s</features>", "<tcg><tb-cache unit='MiB'>128</tb-cache></tcg>", "", NOT_SUPPORTED,
     "incompatible with domain type 'kvm'"},
    {"<os><bios useserial='yes'/></os>" DEVICES("%s"), "", "<serial type='pty'/>", ERROR_XML,
     "need at least one serial port"},
    {"<os><acpi><table type='%s'>/t</table></acpi></os>", "foo", "slic", ERROR_XML,
     "Unknown acpi table type"},
    {"<os>%s</os>" DEVICES("<interface type='user'><boot order='1'/></interface>"),
     "<boot dev='hd'/>", "", NOT_SUPPORTED, "per-device boot elements"},
    {"<features>%s</features>", "<htm state='on'/>", "<pmu state='on'/>", NOT_SUPPORTED,
     "The 'htm' feature is not supported"},
    {"<features><hyperv><spinlocks state='on' %s/></hyperv></features>", "", "retries='8191'",
     ERROR_XML, "'retries'"},
    {"<features><hyperv><vendor_id state='on' %s/></hyperv></features>", "", "value='a'", ERROR_XML,
     "missing 'value'"},
    {"<features><hyperv><vendor_id state='on' value='%s'/></hyperv></features>", "a,b", "ab",
     ERROR_XML, "vendor_id value is invalid"},
    {"<clock offset='utc'><timer name='%s'/></clock>", "platform", "rtc", NOT_SUPPORTED,
     "unsupported timer type: timer 'platform'"},
    {"<clock offset='utc'><timer name='%s'/></clock>", "armvtimer", "pit", NOT_SUPPORTED,
     "Configuring this timer"},
    {"<clock offset='utc'><timer name='rtc' tickpolicy='%s'/></clock>", "merge", "catchup",
     NOT_SUPPORTED, "unsupported rtc timer tickpolicy"},
    {"<clock offset='utc'><timer name='pit' tickpolicy='%s'/></clock>", "merge", "delay",
     NOT_SUPPORTED, "unsupported pit tickpolicy"},
    {"<cpu mode='%s'><cache mode='passthrough'/></cpu>", "host-model", "host-passthrough",
     NOT_SUPPORTED, "CPU cache mode 'passthrough'"},
    {"<cpu mode='host-passthrough'><cache %s/></cpu>", "mode='emulate'", "mode='emulate' level='3'",
     NOT_SUPPORTED, "cache level for mode 'emulate'"},
    {"<cpu mode='host-passthrough'><cache %s/></cpu>", "mode='disable' level='3'", "mode='disable'",
     NOT_SUPPORTED, "only mode 'emulate' has one"},
    {"<cpu mode='host-passthrough'><maxphysaddr mode='emulate' %s/></cpu>", "", "bits='42'",
     NOT_SUPPORTED, "bits= must be specified"},
    {"<cpu mode='%s' migratable='on'/>", "host-model", "host-passthrough", NOT_SUPPORTED,
     "Attribute migratable"},
    {"<uuid>6c1a0fd2-8f10-4b3f-9b80-3f1d26b0a00b</uuid><sysinfo type='smbios'><system><entry "
     "name='uuid'>%s</entry></system></sysinfo>",
     "7c1a0fd2-8f10-4b3f-9b80-3f1d26b0a00b", "6c1a0fd2-8f10-4b3f-9b80-3f1d26b0a00b",
     ERROR_XML_DETAIL, "UUID mismatch"},
    {"<sysinfo type='fwcfg'><entry name='%s'>v</entry></sysinfo>", "x", "opt/x", NOT_SUPPORTED,
     "Invalid firmware name"},
    {"<on_crash>%s</on_crash>", "rename-restart", "restart", NOT_SUPPORTED, "'rename-restart'"},
    {"<on_poweroff>restart</on_poweroff><on_reboot>%s</on_reboot>", "destroy", "restart",
     NOT_SUPPORTED, "'onReboot' set to 'destroy'"},
    {"<seclabel type='dynamic' model='dac'/><seclabel type='dynamic' model='%s'/>", "dac",
     "apparmor", ERROR_XML_DETAIL, "seclabel for a model"},
};

static int validate(const char *form, const char *text, char *xml, size_t size, Error **reterr) {
    const DomainParseParams params = {.default_arch = "x86_64"};
    const DomainFillParams fill = {.emulator = "/usr/bin/qemu-system-x86_64",
                                   .machine = streq(text, "pc") ? "pc-i440fx-7.2" : "pc-q35-7.2"};
    CLEANUP(domain_def_freep) DomainDef *def = NULL;
    char body[1536];
    const char *os = strstr(form, "<os") ? "" : "<os><type>hvm</type></os>";
    int r;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(body, sizeof(body), form, text);
#pragma GCC diagnostic pop
    if (!*os) { /* its own, which has no type */
        char *at = strstr(body, "<os"), *end = strchr(at, '>');
        size_t to = (size_t)(end - body) + 1;

        assert_true(strlen(body) + 64 < sizeof(body));
        if (end[-1] == '/') {
            memmove(body + to + 22, body + to, strlen(body + to) + 1);
            memcpy(end - 1, "><type>hvm</type></os> ", 23);
        } else {
            memmove(body + to + 16, body + to, strlen(body + to) + 1);
            memcpy(body + to, "<type>hvm</type>", 16);
        }
    }
    snprintf(xml, size, "<domain type='kvm'><name>n</name><memory>1024</memory>%s%s</domain>", os,
             body);
    r = domain_parse(xml, strlen(xml), &params, &def, reterr);
    if (r >= 0)
        r = domain_fill(def, &fill, reterr);
    return r < 0 ? r : domain_validate_define(def, reterr);
}

static void check(const Row *rows, size_t n) {
    char xml[2048];

    for (size_t i = 0; i < n; i++) {
        CLEANUP_ERROR Error *error = NULL, *good = NULL;

        if (validate(rows[i].form, rows[i].bad, xml, sizeof(xml), &error) >= 0)
            fail_msg("row %zu is taken: %s", i, xml);
        if (error->code != rows[i].code || !strstr(error_message(error), rows[i].words))
            fail_msg("row %zu: %d, %s: %s", i, (int)error->code, error_message(error), xml);
        if (rows[i].good && validate(rows[i].form, rows[i].good, xml, sizeof(xml), &good) < 0)
            fail_msg("row %zu: %s: %s", i, error_message(good), xml);
    }
}

static void test_disks(void **state) {
    check(disks, ARRAY_SIZE(disks));
}

static void test_interfaces(void **state) {
    check(interfaces, ARRAY_SIZE(interfaces));
}

static void test_controllers(void **state) {
    check(controllers, ARRAY_SIZE(controllers));
}

static void test_chardevs(void **state) {
    check(chardevs, ARRAY_SIZE(chardevs));
}

static void test_displays(void **state) {
    check(displays, ARRAY_SIZE(displays));
}

static void test_others(void **state) {
    check(others, ARRAY_SIZE(others));
}

static void test_machines(void **state) {
    check(machines, ARRAY_SIZE(machines));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disks),       cmocka_unit_test(test_interfaces),
        cmocka_unit_test(test_controllers), cmocka_unit_test(test_chardevs),
        cmocka_unit_test(test_displays),    cmocka_unit_test(test_others),
        cmocka_unit_test(test_machines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
