/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <capabilities>: the host and its emulators, as libvirt's XML. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "conf/uuid.h"
#include "qemu/capabilities.h"
#include "util/bitmap.h"
#include "util/file.h"
#include "util/text.h"

static const char *const known_archs[] = {"x86_64", "i686", "ppc64", "s390x", "aarch64"};

static void file_closep(FILE **file) {
    if (*file)
        fclose(*file);
}

static Bitmap *read_cpus(const char *path) {
    CLEANUP_FREE char *text = NULL;
    Bitmap *cpus = NULL;

    if (file_read(path, 65536, &text, NULL) < 0 || bitmap_parse(text, BITMAP_MAX_BITS, &cpus) < 0)
        return NULL;
    return cpus;
}

static unsigned read_topology(unsigned cpu, const char *what) {
    CLEANUP_FREE char *path = strf("/sys/devices/system/cpu/cpu%u/topology/%s", cpu, what);
    CLEANUP_FREE char *text = NULL;

    return path && file_read(path, 4096, &text, NULL) >= 0 ? (unsigned)strtoul(text, NULL, 10) : 0;
}

static void write_cpu(FILE *out, unsigned cpu) {
    CLEANUP_FREE char *path = strf("/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list",
                                   cpu);
    CLEANUP_FREE char *siblings = NULL;

    if (!path || file_read(path, 4096, &siblings, NULL) < 0 || !*siblings) {
        fprintf(out, "          <cpu id='%u'/>\n", cpu);
        return;
    }
    siblings[strcspn(siblings, "\n")] = '\0';
    fprintf(out, "          <cpu id='%u' socket_id='%u' die_id='%u' core_id='%u' siblings='%s'/>\n",
            cpu, read_topology(cpu, "physical_package_id"), read_topology(cpu, "die_id"),
            read_topology(cpu, "core_id"), siblings);
}

static uint64_t node_memory_kib(int node) {
    CLEANUP_FREE char *path = strf("/sys/devices/system/node/node%d/meminfo", node);
    CLEANUP_FREE char *text = NULL;
    const char *at;

    if (path && file_read(path, 65536, &text, NULL) >= 0 && (at = strstr(text, "MemTotal:")))
        return strtoull(at + strlen("MemTotal:"), NULL, 10);
    free(text);
    text = NULL;
    if (file_read("/proc/meminfo", 65536, &text, NULL) >= 0 && (at = strstr(text, "MemTotal:")))
        return strtoull(at + strlen("MemTotal:"), NULL, 10);
    return 0;
}

#define HUGEPAGES "/sys/kernel/mm/hugepages"
#define SIZES_MAX 8u

static int compare_sizes(const void *a, const void *b) {
    const unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

    return (x > y) - (x < y);
}

/* Sizes of pages that the host has, in KiB, the smallest first. */
static size_t page_sizes(unsigned ret[SIZES_MAX]) {
    DIR *dir = opendir(HUGEPAGES);
    const struct dirent *entry;
    size_t n = 0;

    ret[n++] = (unsigned)(sysconf(_SC_PAGESIZE) / 1024);
    while (dir && n < SIZES_MAX && (entry = readdir(dir)))
        if (sscanf(entry->d_name, "hugepages-%ukB", &ret[n]) == 1)
            n++;
    if (dir)
        closedir(dir);
    qsort(ret, n, sizeof(*ret), compare_sizes);
    return n;
}

static uint64_t huge_pages(int node, unsigned size) {
    CLEANUP_FREE char *path = strf(
        "/sys/devices/system/node/node%d/hugepages/hugepages-%ukB/nr_hugepages", node, size);
    CLEANUP_FREE char *text = NULL;

    return path && file_read(path, 4096, &text, NULL) >= 0 ? strtoull(text, NULL, 10) : 0;
}

/* How many of each there are; those of the smallest size are what the others leave. */
static void write_pages(FILE *out, int node) {
    unsigned sizes[SIZES_MAX];
    size_t n = page_sizes(sizes);
    uint64_t counts[SIZES_MAX], left = node_memory_kib(node);

    for (size_t i = 1; i < n; i++) {
        counts[i] = huge_pages(node, sizes[i]);
        left -= MIN_OF(left, counts[i] * sizes[i]);
    }
    counts[0] = left / sizes[0];
    for (size_t i = 0; i < n; i++)
        fprintf(out, "          <pages unit='KiB' size='%u'>%llu</pages>\n", sizes[i],
                (unsigned long long)counts[i]);
}

static void write_page_sizes(FILE *out) {
    unsigned sizes[SIZES_MAX];
    size_t n = page_sizes(sizes);

    for (size_t i = 0; i < n; i++)
        fprintf(out, "      <pages unit='KiB' size='%u'/>\n", sizes[i]);
}

static void write_cell(FILE *out, int node, const Bitmap *online) {
    CLEANUP_FREE char *path = strf("/sys/devices/system/node/node%d/cpulist", node);
    CLEANUP_BITMAP Bitmap *cpus = path ? read_cpus(path) : NULL;

    if (!cpus)
        cpus = bitmap_copy(online);
    if (!cpus)
        return;
    fprintf(out, "        <cell id='%d'>\n          <memory unit='KiB'>%llu</memory>\n", node,
            (unsigned long long)node_memory_kib(node));
    write_pages(out, node);
    fprintf(out, "          <cpus num='%u'>\n", bitmap_count(cpus));
    for (int cpu = bitmap_next(cpus, 0); cpu >= 0; cpu = bitmap_next(cpus, cpu + 1))
        write_cpu(out, cpu);
    fputs("          </cpus>\n        </cell>\n", out);
}

/* That of its firmware, which root may read, or one made of the machine id, which is the same after
 * each start and gives that id away to nobody. */
static bool host_uuid(uint8_t uuid[16]) {
    static const sd_id128_t program = SD_ID128_MAKE(5c, 9e, 21, 77, 0b, 83, 4d, 0e, a3, 6f, 1c, d2,
                                                    48, e7, 90, 3b);
    CLEANUP_FREE char *text = NULL;
    sd_id128_t id;

    if (file_read("/sys/class/dmi/id/product_uuid", 4096, &text, NULL) >= 0 &&
        uuid_parse(text, uuid) >= 0)
        return true;
    if (sd_id128_get_machine_app_specific(program, &id) < 0)
        return false;
    memcpy(uuid, id.bytes, sizeof(id.bytes));
    return true;
}

static void write_host_uuid(FILE *out) {
    char text[UUID_TEXT_SIZE];
    uint8_t uuid[16];

    if (!host_uuid(uuid))
        return;
    uuid_format(uuid, text);
    fprintf(out, "    <uuid>%s</uuid>\n", text);
}

static void write_host(FILE *out, const char *arch, const char *models) {
    CLEANUP_BITMAP Bitmap *online = read_cpus("/sys/devices/system/cpu/online");
    CLEANUP_BITMAP Bitmap *nodes = read_cpus("/sys/devices/system/node/online");

    if (!online)
        online = bitmap_new_range(1);
    if (!nodes)
        nodes = bitmap_new_range(1);
    if (!online || !nodes)
        return;
    fputs("  <host>\n", out);
    write_host_uuid(out);
    fprintf(out, "    <cpu>\n      <arch>%s</arch>\n", arch);
    write_page_sizes(out);
    fputs("    </cpu>\n", out);
    fprintf(out, "    <topology>\n      <cells num='%u'>\n", bitmap_count(nodes));
    for (int node = bitmap_next(nodes, 0); node >= 0; node = bitmap_next(nodes, node + 1))
        write_cell(out, node, online);
    fprintf(out, "      </cells>\n    </topology>\n%s  </host>\n\n", models);
}

static void write_guest(FILE *out, const QemuCaps *caps, const char *arch) {
    bool wide = !streq(arch, "i686");

    fprintf(out, "  <guest>\n    <os_type>hvm</os_type>\n    <arch name='%s'>\n", arch);
    fprintf(out, "      <wordsize>%d</wordsize>\n      <emulator>%s</emulator>\n", wide ? 64 : 32,
            caps->binary);
    for (size_t i = 0; i < caps->n_machines; i++) {
        const QemuMachine *machine = &caps->machines[i];

        fprintf(out, "      <machine maxCpus='%u'>%s</machine>\n", machine->cpu_max, machine->name);
        if (machine->alias)
            fprintf(out, "      <machine canonical='%s' maxCpus='%u'>%s</machine>\n", machine->name,
                    machine->cpu_max, machine->alias);
    }
    fputs("      <domain type='qemu'/>\n", out);
    if (caps->kvm)
        fputs("      <domain type='kvm'/>\n", out);
    fputs("    </arch>\n    <features>\n      <acpi default='on' toggle='yes'/>\n"
          "      <apic default='on' toggle='no'/>\n    </features>\n  </guest>\n\n",
          out);
}

int qemu_caps_xml(QemuCapsCache *cache, const char *models, char **ret, Error **reterr) {
    CLEANUP_FREE char *text = NULL;
    CLEANUP(file_closep) FILE *out = NULL;
    struct utsname host;

    uname(&host);
    out = text_open(&text);
    if (!out)
        return error_no_memory(reterr);
    fputs("<capabilities>\n\n", out);
    write_host(out, host.machine, models);
    for (size_t i = 0; i < ARRAY_SIZE(known_archs); i++) {
        CLEANUP(qemu_caps_unrefp) QemuCaps *caps = NULL;
        CLEANUP_FREE char *binary = qemu_default_emulator(known_archs[i]);

        /* An emulator that is not there, or that fails its probe, offers nothing. */
        if (binary && qemu_caps_get(cache, binary, &caps, NULL) >= 0)
            write_guest(out, caps, known_archs[i]);
    }
    fputs("</capabilities>\n", out);
    if (fclose(TAKE_PTR(out)) != 0)
        return error_no_memory(reterr);
    *ret = TAKE_PTR(text);
    return 0;
}
