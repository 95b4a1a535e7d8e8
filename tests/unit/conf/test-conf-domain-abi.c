/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What another definition of a guest that runs may change, and what not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "conf/domain-abi.h"
#include "conf/domain-parse.h"
#include "util/file.h"

static const char machine[] =
    "<domain type='kvm'><name>a</name><uuid>a75aca4b-a02f-2bcb-4a91-c93cd848c34b</uuid>"
    "<memory unit='KiB'>1048576</memory><currentMemory>524288</currentMemory>"
    "<vcpu cpuset='0-3' current='2'>4</vcpu>"
    "<cputune><shares>512</shares><vcpupin vcpu='0' cpuset='1'/></cputune>"
    "<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type><kernel>/k</kernel></os>"
    "<features><acpi/><apic/></features>"
    "<cpu mode='custom' match='exact' check='none'><model>qemu64</model></cpu>"
    "<on_crash>destroy</on_crash>"
    "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>"
    "<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/>"
    "<source file='/d/one'/><target dev='vda' bus='virtio'/><serial>S1</serial>"
    "<address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></disk>"
    "<controller type='usb' index='0' model='qemu-xhci' ports='8'>"
    "<address type='pci' domain='0x0000' bus='0x02' slot='0x00' function='0x0'/></controller>"
    "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/>"
    "<target dev='tap3'/><model type='virtio'/>"
    "<address type='pci' domain='0x0000' bus='0x03' slot='0x00' function='0x0'/></interface>"
    "<serial type='file'><source path='/log'/><target type='isa-serial' port='0'/></serial>"
    "<graphics type='vnc' port='5901' listen='127.0.0.1'/>"
    "<video><model type='vga' vram='16384' heads='1' primary='yes'/>"
    "<address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x0'/></video>"
    "<watchdog model='i6300esb' action='reset'/>"
    "<memballoon model='none'/>"
    "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
    "</devices></domain>";

/* A part of it, what stands there instead, and the path that is named; NULL: it may differ. */
static const struct {
    const char *from, *to, *path;
} rows[] = {
    {"<name>a</name>", "<name>b</name>", NULL},
    {"524288", "1048576", NULL},
    {"cpuset='0-3'", "cpuset='4-7'", NULL},
    {"<shares>512</shares>", "", NULL},
    {"cpuset='1'", "cpuset='2'", NULL},
    {"<kernel>/k</kernel>", "<kernel>/there/k</kernel>", NULL},
    {" check='none'", "", NULL},
    {"<on_crash>destroy", "<on_crash>restart", NULL},
    {"/usr/bin/qemu", "/opt/qemu", NULL},
    {"cache='none'", "cache='writeback'", NULL},
    {"/d/one", "/there/one", NULL},
    {"bridge='br0'", "bridge='br7'", NULL},
    {"tap3", "tap4", NULL},
    {"type='file'><source path='/log'/>", "type='null'>", NULL},
    {"5901", "5999", NULL},
    {"action='reset'", "action='poweroff'", NULL},
    {"/dev/urandom", "/dev/hwrng", NULL},
    {"type='kvm'", "type='qemu'", "@type"},
    {">1048576<", ">2097152<", "memory"},
    {">4</vcpu>", ">6</vcpu>", "vcpu"},
    {"x86_64' machine", "i686' machine", "os/type@arch"},
    {"<apic/>", "", "features/apic"},
    {"<model>qemu64", "<model>kvm64", "cpu/model"},
    {"dev='vda'", "dev='vdb'", "devices/disk[1]/target@dev"},
    {"bus='virtio'", "bus='scsi'", "devices/disk[1]/target@bus"},
    {"S1", "S2", "devices/disk[1]/serial"},
    {"bus='0x01'", "bus='0x04'", "devices/disk[1]/address@bus"},
    {"ports='8'", "ports='4'", "devices/controller[1]@ports"},
    {"00:01'", "00:02'", "devices/interface[1]/mac@address"},
    {"<model type='virtio'/>", "<model type='e1000'/>", "devices/interface[1]/model@type"},
    {"isa-serial", "pci-serial", "devices/chardev[1]/target@type"},
    {"type='vga'", "type='cirrus'", "devices/video[1]/model@type"},
    {"vram='16384'", "vram='8192'", "devices/video[1]/model@vram"},
    {"i6300esb", "ib700", "devices/watchdog[1]@model"},
    {"<memballoon model='none'/>", "<memballoon model='virtio'/>", "devices/memballoon@model"},
    {"<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>", "",
     "devices/rng[1]"},
};

static DomainDef *parse(const char *text) {
    const DomainParseParams params = {.default_arch = "x86_64", .live = true};
    CLEANUP_ERROR Error *error = NULL;
    DomainDef *def = NULL;

    if (domain_parse(text, strlen(text), &params, &def, &error) < 0)
        fail_msg("%s in %s", error_message(error), text);
    return def;
}

static char *replace(const char *from, const char *to) {
    const char *at = strstr(machine, from);

    assert_non_null(at);
    return strf("%.*s%s%s", (int)(at - machine), machine, to, at + strlen(from));
}

static void test_what_may_differ(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *def = parse(machine);

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_FREE char *text = replace(rows[i].from, rows[i].to);
        CLEANUP_DOMAIN_DEF DomainDef *other = parse(text);
        char path[ELEMENT_PATH_SIZE];
        bool equal = domain_abi_equal(def, other, path);

        if (equal != !rows[i].path)
            fail_msg("%s instead of %s: %s", rows[i].to, rows[i].from, equal ? "equal" : path);
        if (rows[i].path)
            assert_string_equal(path, rows[i].path);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_may_differ)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
