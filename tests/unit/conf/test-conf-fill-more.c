/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* More of what a define adds, and of old words that it takes: each row was compared with libvirt
 * 9.0's dumpxml --inactive. Defined again, the text stays the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "fill-rows.h"
#include "util/file.h"

typedef struct Row {
    /* Each line of wanted is in the output, in this order; with ! before it, it is nowhere. */
    const char *arch, *machine, *top, *devices, *wanted;
} Row;

#define Q35 "x86_64", "pc-q35-7.2", ""
#define PC "x86_64", "pc-i440fx-7.2", ""
#define PSERIES "ppc64", "pseries-7.2"
#define S390 "s390x", "s390-ccw-virtio-7.2", ""
#define VIRT "aarch64", "virt-7.2"
#define CHANNEL(mode, path)                                                                        \
    "<channel type='unix'><source mode='" mode "' path='" path "'/><target type='virtio' "         \
    "name='org.qemu.guest_agent.0'/></channel>"
#define USB2(model, index) "<controller type='usb' index='" index "' model='ich9-" model "'/>"
#define SCSI_OF_HOST(unit)                                                                         \
    "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host0'/>"                   \
    "<address bus='0' target='0' unit='" unit "'/></source></hostdev>"
#define DISK(more, dev)                                                                            \
    "<disk type='file'><source file='/d'/>" more "<target dev='" dev "'/></disk>"
#define NIC(more) "<interface type='bridge'><source bridge='b'/>" more "</interface>"
#define MODULE(model, size, label)                                                                 \
    "<memory model='" model "'><source><path>/m</path></source><target><size unit='KiB'>" size     \
    "</size>" label "</target></memory>"
#define ZPCI(slot, more)                                                                           \
    "<hostdev mode='subsystem' type='pci'><source><address bus='" slot "'/></source>"              \
    "<address type='pci'>" more "</address></hostdev>"

static const Row rows[] = {
    /* a channel's path that libvirt has made, wherever its directory is */
    {Q35, CHANNEL("bind", "/run/x/domain-3-n/org.qemu.guest_agent.0"), "!/run/x"},
    {Q35, CHANNEL("bind", "/run/x/domain-3-n/other"), "path='/run/x/domain-3-n/other'"},
    {Q35, CHANNEL("connect", "/run/x/domain-3-n/org.qemu.guest_agent.0"), "path='/run/x/domain-3-"},
    /* a USB 2 controller is before its companions */
    {Q35, USB2("uhci1", "0") USB2("uhci2", "0") USB2("ehci1", "0"),
     "model='ich9-ehci1'>\nmodel='ich9-uhci1'>\nmodel='ich9-uhci2'>"},
    /* a console without a serial is one; the next is the second */
    {VIRT, "",
     "<console type='pty'/><console type='pty'><target type='virtio' port='0'/></console>",
     "<target type='system-serial' port='0'>\n<target type='virtio' port='1'/>"},
    /* the old word for the machine's own serial port */
    {VIRT, "", "<serial type='pty'><target type='isa-serial'/></serial>",
     "<target type='system-serial' port='0'>\n<model name='pl011'/>\n!isa-serial"},
    {PSERIES, "", "<serial type='pty'><target type='isa-serial'/></serial>",
     "<target type='spapr-vio-serial' port='0'>\n<model name='spapr-vty'/>\n!isa-serial"},
    /* a tablet is a mouse, too */
    {PSERIES, "", "<graphics type='vnc'/><input type='tablet' bus='usb'/>",
     "type='keyboard' bus='usb'\n!type='mouse'"},
    /* an empty drive is a file's */
    {Q35, "<disk type='network' device='cdrom'><target dev='sda' bus='sata'/></disk>",
     "<disk type='file' device='cdrom'>"},
    {Q35, "<disk type='volume' device='cdrom'><target dev='sda' bus='sata'/></disk>",
     "<disk type='file' device='cdrom'>"},
    {Q35,
     DISK("<backingStore type='file'><format type='qcow2'><metadata_cache><max_size "
          "unit='MiB'>1</max_size></metadata_cache></format><source file='/b'/><backingStore/>"
          "</backingStore>",
          "vda"),
     "<format type='qcow2'>\n<max_size unit='bytes'>1048576</max_size>"},
    {Q35, "<disk type='file'><source file='/d' fdgroup='g'/><target dev='vda'/></disk>",
     "<source file='/d' fdgroup='g'/>"},
    {S390, DISK("<address type='ccw'/>", "vda"),
     "<address type='ccw' cssid='0xfe' ssid='0x0' devno='0x0000'/>"},
    {Q35,
     "<disk type='network'><source protocol='http' name='f'><host name='h'/><cookies><cookie "
     "name='c'>\"v\"</cookie></cookies></source><target dev='vda'/></disk>",
     "<cookie name='c'>"},
    /* cards */
    {Q35, NIC("<model type='ViRtIo'/><driver queues='1'/>"), "<model type='virtio'/>\n!<driver"},
    {Q35, NIC("<model type='virtio'/><coalesce><rx><frames max='0'/></rx></coalesce>"),
     "!<coalesce"},
    {Q35,
     "<interface type='hostdev'><source><address type='pci' bus='1'/></source><driver "
     "name='vfio' queues='4'/></interface>",
     "<driver name='vfio'/>"},
    {Q35, NIC("<model type='virtio'/><rom file=''/>"), "<rom file=''/>"},
    /* devices of the host */
    {Q35,
     "<hostdev mode='subsystem' type='scsi'><source protocol='iscsi' name='iqn.x:y'><host "
     "name='h'/></source></hostdev>",
     "name='iqn.x:y/0'"},
    {Q35,
     "<controller type='scsi' index='0' model='virtio-scsi'/>" SCSI_OF_HOST("0") SCSI_OF_HOST("1")
         SCSI_OF_HOST("2") SCSI_OF_HOST("3") SCSI_OF_HOST("4") SCSI_OF_HOST("5") SCSI_OF_HOST("6")
             SCSI_OF_HOST("7"),
     "type='scsi' index='1' model='virtio-scsi'"},
    {S390, ZPCI("1", "<zpci uid='0x0001'/>") ZPCI("2", "") ZPCI("3", "<zpci fid='0x7'/>"),
     "<zpci uid='0x0001' fid='0x00000000'/>\n<zpci uid='0x0003' fid='0x00000001'/>\n"
     "<zpci uid='0x0002' fid='0x00000007'/>"},
    {S390, "<controller type='usb' index='0'/>", "type='usb' index='0' model='none'"},
    /* others */
    {PC, "<video><model type='cirrus'/><acpi index='17'/></video>", "<acpi index='17'/>"},
    {PC, "<controller type='scsi' index='0' model='ibmvscsi'/>",
     "<address type='spapr-vio' reg='0x00002000'/>"},
    {PC, "<shmem name='s'><model type='ivshmem-plain'/></shmem>", "<size unit='M'>4</size>"},
    {PC, "<shmem name='s'><model type='ivshmem-doorbell'/><server path='/s'/></shmem>",
     "<msi ioeventfd='on'/>"},
    {PC,
     "<rng><backend model='egd' type='tcp'><source mode='connect' host='h' service='1'/>"
     "</backend></rng>",
     "<protocol type='raw'/>"},
    {PC,
     "<redirfilter><usbdev class='-1' vendor='-1' product='-1' version='-1' allow='no'/>"
     "<usbdev version='1.1' allow='yes'/></redirfilter>",
     "<usbdev allow='no'/>\n<usbdev version='1.10' allow='yes'/>"},
    {PC, "<redirdev bus='usb' type='dbus'/>", "<source channel='org.qemu.usbredir'/>"},
    {PC, "<graphics type='vnc' passwd=''/>", "passwd=''"},
    {PSERIES, "",
     "<tpm model='spapr-tpm-proxy'><backend type='passthrough'><device "
     "path='/dev/tpmrm0'/></backend></tpm>",
     "<tpm model='spapr-tpm-proxy'>"},
    /* PowerPC's memory comes in pieces of 256 MiB; a file's end is not exceeded */
    {PSERIES, "<maxMemory slots='2' unit='GiB'>4</maxMemory>",
     MODULE("dimm", "300000", "") MODULE("nvdimm", "550000", "<label><size>128</size></label>"),
     "<size unit='KiB'>524288</size>\n<size unit='KiB'>524416</size>"},
    /* the machine */
    {"x86_64", "pc-q35-7.2", "<features><smm state='on'><tseg>48</tseg></smm></features>", "",
     "<tseg unit='MiB'>48</tseg>"},
    {"x86_64", "pc-q35-7.2",
     "<numatune><memory mode='strict' placement='auto'/></numatune><cputune><emulatorpin "
     "cpuset='1'/></cputune>",
     "", "<vcpu placement='static'>1</vcpu>"},
    {"x86_64", "pc-q35-7.2", "<clock offset='variable' adjustment='+60'/>", "",
     "<clock offset='variable' adjustment='60' basis='utc'/>"},
    /* what is in two sections of a name */
    {"x86_64", "pc-q35-7.2",
     "<devices>" DISK("",
                      "vda") "</devices><features><acpi/></features><features><pae/></features>",
     DISK("", "vdb"), "<acpi/>\n<pae/>\ndev='vda'\ndev='vdb'"},
    {VIRT, "<cpu mode='host-passthrough'/>", "", "<cpu mode='host-passthrough' check='none'/>"},
    {VIRT, "<cpu mode='maximum'><feature name='sve128'/></cpu>", "",
     "name='sve128'/>\n<feature policy='require' name='sve'/>"},
    {PSERIES, "<cpu mode='host-model'><model>power9</model></cpu>", "",
     "<model fallback='allow'>power9</model>"},
};

static char *define(const Row *row) {
    CLEANUP_FREE char *made = strf(
        "<domain type='qemu'><name>n</name><memory>262144</memory>"
        "<os><type arch='%s' machine='%s'>hvm</type></os>%s<devices>%s</devices></domain>",
        row->arch, row->machine, row->top, row->devices);

    return fill_text(made, row->machine);
}

static void test_rows(void **state) {
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_FREE char *first = define(&rows[i]);
        CLEANUP_FREE char *second = fill_text(first, rows[i].machine);

        fill_check(i, first, rows[i].wanted);
        assert_string_equal(first, second);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
