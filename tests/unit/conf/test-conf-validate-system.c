/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each rule of an architecture, a machine, or of several devices together: what breaks it is
 * refused with libvirt 9.0's code, and what is right beside it is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "conf/domain-fill.h"
#include "conf/domain-parse.h"
#include "conf/domain-validate-define.h"
#include "util/file.h"

#define NOT_SUPPORTED ERROR_CONFIG_UNSUPPORTED

/* `form` has a %s, for which `bad` is refused and `good` is taken. Without a form `bad` is the <os>
 * as far as its type, and `good` is what breaks it. */
typedef struct Row {
    const char *arch, *machine, *form, *bad, *good;
    ErrorCode code;
    const char *words;
} Row;

#define Q35 "x86_64", "pc-q35-7.2"
#define PC "x86_64", "pc-i440fx-7.2"
#define PSERIES "ppc64", "pseries-7.2"
#define S390 "s390x", "s390-ccw-virtio-7.2"
#define VIRT "aarch64", "virt-7.2"
#define DEVICES(text) "<devices>" text "</devices>"
#define SERIAL(type) DEVICES("<serial type='pty'><target type='" type "'/></serial>")
#define MDEV(uuid, more)                                                                           \
    "<hostdev mode='subsystem' type='mdev' " more "><source><address uuid='53764d0e-85a0-42b4-"    \
    "af5c-2046b460b1d" uuid "'/></source>%s</hostdev>"
#define SCSI(unit, place)                                                                          \
    "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host0'/>"                   \
    "<address bus='0' target='0' unit='" unit "'/></source>" place "</hostdev>"
#define DRIVE(unit) "<address type='drive' controller='0' bus='0' target='0' unit='" unit "'/>"
#define ISCSI(in_disk, in_source)                                                                  \
    "<disk type='network'>" in_disk                                                                \
    "<source protocol='iscsi' name='iqn.x:y/1'><host name='h'/>" in_source                         \
    "</source><target dev='vda'/></disk>"
#define AUTH(type) "<auth username='u'><secret type='" type "' usage='x'/></auth>"
#define LUKS "<encryption format='luks'><secret type='passphrase' usage='x'/></encryption>"
#define BOOT_DISK(word)                                                                            \
    DEVICES(                                                                                       \
        "<disk type='file'><source file='/f'/><target dev='vda'/><boot order='1' loadparm='" word  \
        "'/></disk>")
#define HUB(port) "<hub type='usb'><address type='usb' bus='0' port='" port "'/></hub>"

static const Row rows[] = {
    /* machines */
    {VIRT, "<features><gic version='2'/></features>%s", NULL, "", 0, NULL},
    {"aarch64", "versatilepb", "<features>%s</features>", "<gic version='2'/>", "", NOT_SUPPORTED,
     "'gic'"},
    {"ppc64", "powernv9", "<features>%s</features>", "<hpt resizing='enabled'/>", "", NOT_SUPPORTED,
     "'hpt'"},
    {VIRT, "<cpu mode='maximum'><feature name='sve128'/>%s</cpu>",
     "<feature policy='disable' name='sve'/>", "<feature policy='require' name='sve'/>",
     NOT_SUPPORTED, "SVE disabled"},
    {S390, "<clock offset='utc'>%s</clock>", "<timer name='tsc'/>", "", NOT_SUPPORTED, "guests of"},
    {Q35, "<cpu mode='host-passthrough'><maxphysaddr mode='%s'/></cpu>", "passthrough' bits='42",
     "passthrough", NOT_SUPPORTED, "physical address bits"},
    {PSERIES, "<vcpu current='%s'>8</vcpu><cpu><topology sockets='1' cores='2' threads='4'/></cpu>",
     "2", "4", NOT_SUPPORTED, "hotplug granularity"},
    {Q35, "<memoryBacking><hugepages><page size='2048' nodeset='%s'/></hugepages></memoryBacking>",
     "1", "0", ERROR_XML_DETAIL, "not found among the cells"},
    {Q35, "<sysinfo type='smbios'><bios><entry name='date'>%s</entry></bios></sysinfo>",
     "999/999/123", "12/31/2026", ERROR_XML_DETAIL, "Invalid BIOS 'date' format"},
    {Q35, "<features><smm state='on'><tseg unit='KiB'>%s</tseg></smm></features>", "1025", "1024",
     NOT_SUPPORTED, "divisible by 1 MiB"},
    {PSERIES, DEVICES("<panic model='pseries'>%s</panic>"), "<address type='isa' iobase='0x505'/>",
     "", NOT_SUPPORTED, "panic device address"},
    {S390, DEVICES("%s"), "<parallel type='pty'/>", "", NOT_SUPPORTED, "parallel ports"},
    {Q35, SERIAL("%s"), "system-serial", "isa-serial", NOT_SUPPORTED, "'system-serial'"},
    {VIRT, SERIAL("%s"), "spapr-vio-serial", "pci-serial", NOT_SUPPORTED, "not compatible with"},
    {PSERIES, DEVICES("<serial type='pty'><address type='spapr-vio' reg='%s'/></serial>"),
     "0x100000000", "0xffffffff", NOT_SUPPORTED, "exceeds maximum"},
    {S390, BOOT_DISK("%s"), "SYS1?", "SYS1", ERROR_INTERNAL, "invalid loadparm value"},
    {S390, BOOT_DISK("%s"), "LOADPARM1", "LOADPARM", ERROR_INTERNAL, "invalid loadparm value"},
    /* firmware */
    {Q35, NULL, "<os firmware='bios'>%s", "<nvram>/v</nvram>", ERROR_XML_DETAIL,
     "Only EFI firmware permits NVRAM"},
    {Q35, NULL, "<os>%s", "<loader stateless='no'>/b</loader>", ERROR_XML_DETAIL,
     "Only pflash loader"},
    {Q35, NULL, "<os firmware='efi'>%s",
     "<firmware><feature enabled='yes' name='enrolled-keys'/><feature enabled='no' "
     "name='secure-boot'/></firmware>",
     ERROR_XML_DETAIL, "'enrolled-keys' cannot be enabled"},
    /* controllers */
    {PC, DEVICES("<controller type='pci' index='0' model='pci-root'>%s</controller>"),
     "<address type='pci' domain='0' bus='0' slot='0' function='0'/>", "", NOT_SUPPORTED,
     "should not have an address"},
    {PC, DEVICES("<controller type='pci' index='%s' model='pci-root'/>"), "1", "0", ERROR_XML,
     "should have index 0"},
    {PSERIES,
     DEVICES("<controller type='pci' index='0' model='pci-root'><target index='%s'/>"
             "</controller>"),
     "1", "0", NOT_SUPPORTED, "can have target index 0"},
    {PC, DEVICES("%s<controller type='usb' index='0' model='ich9-uhci2'/>"), "",
     "<controller type='usb' index='0' model='ich9-ehci1'/>", ERROR_XML_DETAIL, "No master USB"},
    /* disks */
    {Q35, DEVICES("<disk type='file'><source file='/f'/><target dev='%s'/></disk>"), "vdb1", "vdb",
     NOT_SUPPORTED, "partitions can't appear"},
    {Q35,
     DEVICES("<disk type='file'><driver type='%s'/><source file='/f'/><target dev='vda'/>"
             "</disk>"),
     "iso", "raw", NOT_SUPPORTED, "storage format is not supported"},
    {Q35,
     DEVICES("<disk type='file'><driver type='%s'/><source file='/f'>" LUKS "</source><target "
             "dev='vda'/></disk>"),
     "vmdk", "qcow2", NOT_SUPPORTED, "only with 'raw' and 'qcow2'"},
    {Q35,
     DEVICES("<disk type='file'><source file='/f'>" LUKS "</source><target dev='vda'/>%s"
             "</disk>"),
     LUKS, "", NOT_SUPPORTED, "an <encryption> definition already"},
    {Q35, DEVICES(ISCSI("%s", AUTH("iscsi"))), AUTH("iscsi"), "", NOT_SUPPORTED,
     "an <auth> definition already"},
    {Q35,
     DEVICES("<disk type='file'><source file='/f'><seclabel model='selinux' relabel='no'/>%s"
             "</source><target dev='vda'/></disk>"),
     "<seclabel model='selinux' relabel='no'/>", "<seclabel model='dac' relabel='no'/>",
     ERROR_XML_DETAIL, "one for each model"},
    /* devices of the host */
    {Q35, DEVICES(SCSI("0", "") "%s"), SCSI("0", ""), SCSI("1", ""), ERROR_XML, "already exists"},
    {Q35, DEVICES(SCSI("0", DRIVE("0")) "%s"), SCSI("1", DRIVE("0")), SCSI("1", DRIVE("1")),
     NOT_SUPPORTED, "in use by another device"},
    {Q35,
     DEVICES("<disk type='file'><source file='/f'/><target dev='sda' bus='scsi'/>" DRIVE(
         "0") "</disk>%s"),
     SCSI("1", DRIVE("0")), SCSI("1", DRIVE("1")), NOT_SUPPORTED, "in use by another device"},
    {Q35, DEVICES(MDEV("0", "model='vfio-pci'")), DRIVE("0"), "", ERROR_XML,
     "Unsupported address type"},
    {Q35,
     DEVICES("<hostdev mode='subsystem' type='scsi_host'><source protocol='vhost' "
             "wwpn='naa.5123456789abcde0'/>%s</hostdev>"),
     "<boot order='1'/>", "", NOT_SUPPORTED, "vhost SCSI devices"},
    /* places */
    {PC,
     DEVICES("<controller type='ide' index='0'/><memballoon model='virtio'><address type='pci' "
             "slot='1' function='%s'/></memballoon>"),
     "1", "3", ERROR_XML, "double use of PCI Address 0000:00:01.1"},
    {Q35,
     DEVICES("<controller type='pci' index='1' model='pcie-root-port'/><controller type='pci' "
             "index='2' model='dmi-to-pci-bridge'><address type='pci' bus='%s'/>"
             "</controller>"),
     "1", "0' slot='0x1e", ERROR_XML, "cannot be plugged into"},
    /* the others */
    {Q35,
     DEVICES("<serial type='tcp'><source mode='connect' host='h' service='1'><reconnect "
             "enabled='yes' timeout='%s'/></source></serial>"),
     "0", "1", ERROR_INVALID_ARG, "timeout cannot be '0'"},
    {Q35,
     DEVICES("<graphics type='spice'><gl enable='%s'/></graphics><graphics "
             "type='egl-headless'/>"),
     "yes", "no", NOT_SUPPORTED, "multiple OpenGL displays"},
    {PSERIES,
     DEVICES("<tpm model='tpm-spapr'><backend type='emulator'/></tpm><tpm model='%s'>"
             "<backend type='passthrough'><device path='/t'/></backend></tpm>"),
     "tpm-spapr", "spapr-tpm-proxy", NOT_SUPPORTED, "single TPM non-proxy"},
    {VIRT, DEVICES("<tpm model='tpm-tis'><backend type='emulator' version='%s'/></tpm>"), "1.2",
     "2.0", NOT_SUPPORTED, "TPM 1.2 is not supported on ARM"},
    {Q35, DEVICES("<video><model type='ramfb'/>%s</video>"), "<address type='pci' slot='2'/>", "",
     NOT_SUPPORTED, "video type ramfb"},
    {Q35,
     "<memoryBacking><access mode='shared'/></memoryBacking>" DEVICES(
         "<filesystem type='mount'><driver type='virtiofs'/><source dir='/a'/><target dir='t'/>%s"
         "</filesystem>"),
     "<readonly/>", "", NOT_SUPPORTED, "read-only mode"},
    {PC, DEVICES(HUB("1") HUB("1.1") HUB("1.1.1") HUB("1.1.1.1") "%s"), HUB("1.1.1.1.1"), "",
     ERROR_INTERNAL, "four hubs in a row"},
    {Q35, "<features><acpi/></features>" DEVICES("<iommu model='virtio'>%s</iommu>"),
     "<address type='pci' bus='1' slot='0'/>", "", ERROR_XML, "integrated device"},
};

static int define(const Row *row, const char *word, Error **reterr) {
    char middle[4096], xml[8192];
    DomainParseParams params = {.default_arch = "x86_64"};
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    int r;

    snprintf(middle, sizeof(middle), row->form ? row->form : "%s", row->form ? word : "");
    snprintf(xml, sizeof(xml),
             "<domain type='qemu'><name>n</name><memory>262144</memory>"
             "%s<type arch='%s' machine='%s'>hvm</type>%s</os>%s%s</domain>",
             row->form ? "<os>" : row->bad, row->arch, row->machine, row->form ? "" : word, middle,
             row->form ? "" : "<features><acpi/></features>");
    r = domain_parse(xml, strlen(xml), &params, &def, reterr);
    if (r >= 0)
        r = domain_fill(def, &(DomainFillParams){.machine = row->machine}, reterr);
    return r < 0 ? r : domain_validate_define(def, reterr);
}

/* What `word` does to the row: taken, or refused as the row says. */
static unsigned try_word(size_t at, const char *word, bool refused) {
    const Row *row = &rows[at];
    CLEANUP_ERROR Error *error = NULL;
    const int r = define(row, word, &error);

    if (refused ? r < 0 && error->code == row->code && strstr(error_message(error), row->words)
                : r >= 0)
        return 0;
    printf("row %zu with \"%s\": %s\n", at, word, r < 0 ? error_message(error) : "is taken");
    return 1;
}

static void test_rows(void **state) {
    unsigned n_wrong = 0;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const bool os = rows[i].form == NULL; /* `bad` is the <os> then, and `good` breaks it */

        if (os || rows[i].bad)
            n_wrong += try_word(i, os ? rows[i].good : rows[i].bad, true);
        n_wrong += try_word(i, os ? "" : rows[i].good, false);
    }
    assert_int_equal(n_wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
