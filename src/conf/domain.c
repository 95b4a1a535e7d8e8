/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The whole <domain> as a table; copy, free, and what of it cannot be started. */
#include <ctype.h>

#include "conf/cputune.h"
#include "conf/domain-def.h"
#include "conf/domain-metadata.h"
#include "conf/xml-text.h"

#define NAME_MAX_BYTES 200u /* leaves room in a file name for a suffix */

const Words virt_types = WORDS("qemu", "kvm");
static const Words lifecycles = WORDS("destroy", "restart", "preserve", "rename-restart",
                                      "coredump-destroy", "coredump-restart");
static const Words lock_failures = WORDS("poweroff", "restart", "pause", "ignore");

/* ---- identity ---- */

int domain_check_name(const char *name, Error **reterr) {
    if (strchr(name, '\n'))
        return error_report(reterr, FROM_DOMAIN, ERROR_XML_DETAIL,
                            "invalid char in name: a newline");
    if (strchr(name, '/') || streq(name, ".") || streq(name, ".."))
        return error_report(reterr, FROM_DOMAIN, ERROR_XML, "name %.200s cannot contain '/'%s",
                            name, strchr(name, '/') ? "" : " or be a directory's");
    if (*name == '.')
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "name %.200s cannot begin with '.': its files would be hidden", name);
    if (name[strspn(name, " \t")] == '\0')
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "name must contain at least one character that is not a space");
    if (strlen(name) > NAME_MAX_BYTES)
        return error_report(reterr, FROM_DOMAIN, ERROR_XML, "the name is longer than %u bytes",
                            NAME_MAX_BYTES);
    if (!xml_is_text(name))
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "the name has a character that XML cannot have");
    return 0;
}

static int check_name(ElementReader *reader, xmlNodePtr node, void *object) {
    const char *name = ((DomainDef *)object)->name;

    return name ? domain_check_name(name, reader->reterr)
                : error_report(reader->reterr, FROM_DOMAIN, ERROR_NO_NAME, "%s", "");
}

/* An empty <uuid/> is none. */
static int read_uuid(ElementReader *reader, xmlNodePtr node, void *object) {
    DomainDef *def = object;
    CLEANUP_FREE char *text = NULL;
    int r = element_text(reader, node, &text);

    if (r < 0 || !*text)
        return r;
    if (uuid_parse(text, def->uuid) < 0)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_INTERNAL, "malformed uuid element");
    def->has_uuid = true;
    return 0;
}

static int make_uuid(ElementReader *reader, xmlNodePtr node, void *object) {
    DomainDef *def = object;
    int r = def->has_uuid ? 0 : uuid_make(def->uuid);

    return r < 0 ? error_system(reader->reterr, FROM_DOMAIN, r, "no random numbers for a uuid") : 0;
}

static void write_uuid(ElementWriter *w, const void *object) {
    char text[UUID_TEXT_SIZE];

    uuid_format(((const DomainDef *)object)->uuid, text);
    writer_element(w, "uuid", text);
}

static int check_title(ElementReader *reader, xmlNodePtr node, void *object) {
    const DomainDef *def = object;

    if (def->title && strchr(def->title, '\n'))
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "Domain title can't contain newlines");
    return 0;
}

static int read_metadata(ElementReader *reader, xmlNodePtr node, void *object) {
    DomainDef *def = object;

    element_claim(node);
    free(def->metadata);
    def->metadata = xml_text(node);
    if (!def->metadata)
        return error_no_memory(reader->reterr);
    return domain_metadata_parse(def, node, reader->reterr);
}

static void write_metadata(ElementWriter *w, const void *object) {
    const DomainDef *def = object;

    if (def->metadata)
        writer_verbatim(w, def->metadata);
}

/* ---- memory ---- */

static const Field memory_fields_[] = {
    FIELD_ON_OFF("@dumpCore", DomainDef, dump_core),
    FIELD_SIZE(".", DomainDef, memory_kib, .flags = FIELD_ALWAYS), FIELD_END};
static const Field max_memory_fields[] = {
    FIELD_UINT("@slots", DomainDef, memory_slots, 0, UINT16_MAX),
    FIELD_SIZE(".", DomainDef, max_memory_kib), FIELD_END};

/* The cells, and modules on top, say how much there is. */
static int check_memory(ElementReader *reader, xmlNodePtr node, void *object) {
    DomainDef *def = object;
    uint64_t sum = 0;

    if (!def->memory_kib && def->cpu.n_cells == 0)
        return error_report(
            reader->reterr, FROM_DOMAIN, ERROR_XML,
            "Memory size must be specified via <memory> or in the <numa> configuration");
    for (size_t i = 0; i < def->cpu.n_cells; i++)
        sum += def->cpu.cells[i].memory_kib; /* 2^10 cells of 2^53 at most */
    for (size_t i = 0; def->cpu.n_cells && i < def->n_memories; i++) {
        sum += def->memories[i].size;
        if (sum > INT64_MAX / 1024)
            break;
    }
    if (sum > INT64_MAX / 1024)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "the memory of the NUMA cells is beyond any machine's");
    if (def->cpu.n_cells)
        def->memory_kib = sum;
    if (!def->current_memory_kib || def->current_memory_kib > def->memory_kib)
        def->current_memory_kib = def->memory_kib;
    return 0;
}

/* ---- <resource>, <idmap>, <perf>, <pm>, <clock>, <keywrap> ---- */

static int check_partition(ElementReader *reader, xmlNodePtr node, void *object) {
    const char *text = ((DomainDef *)object)->partition;

    if (!text || text[0] != '/')
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                            "resource partition '%.200s' must start with '/'", text ? text : "");
    if (strstr(text, "/../") || strstr(text, "/./") ||
        (strlen(text) >= 3 && streq(text + strlen(text) - 3, "/..")) || strlen(text) > 1024 ||
        strchr(text, '\n'))
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                            "resource partition '%.200s' is no plain path", text);
    return 0;
}

static const Field resource_fields[] = {
    FIELD_TEXT("partition", DomainDef, partition), FIELD_CODE("partition", check_partition, NULL),
    FIELD_TEXT("fibrechannel@appid", DomainDef, appid, .flags = FIELD_NOT_ACTED), FIELD_END};

static const Field range_fields[] = {
    FIELD_UINT("@start", IdmapRange, start, 0, UINT32_MAX, .flags = FIELD_ALWAYS),
    FIELD_UINT("@target", IdmapRange, target, 0, UINT32_MAX, .flags = FIELD_ALWAYS),
    FIELD_UINT("@count", IdmapRange, count, 0, UINT32_MAX, .flags = FIELD_ALWAYS), FIELD_END};
static const Element range_element = {"uid", sizeof(IdmapRange), range_fields, NULL, NULL};
static const Field idmap_fields[] = {
    FIELD_LIST("uid", DomainDef, uid_ranges, n_uid_ranges, range_element),
    FIELD_LIST("gid", DomainDef, gid_ranges, n_gid_ranges, range_element), FIELD_END};

static const Field clock_utc[] = {FIELD_PART(NULL, DomainDef, clock_details, clock_reset_fields),
                                  FIELD_END};
static const Field clock_variable[] = {
    FIELD_PART(NULL, DomainDef, clock_details, clock_variable_fields), FIELD_END};
static const Field clock_timezone[] = {
    FIELD_PART(NULL, DomainDef, clock_details, clock_timezone_fields), FIELD_END};
static const Field clock_absolute[] = {
    FIELD_PART(NULL, DomainDef, clock_details, clock_absolute_fields), FIELD_END};
static const Field *const clock_tables[CLOCK_OFFSET_MAX_] = {[CLOCK_UTC] = clock_utc,
                                                             [CLOCK_LOCALTIME] = clock_utc,
                                                             [CLOCK_VARIABLE] = clock_variable,
                                                             [CLOCK_TIMEZONE] = clock_timezone,
                                                             [CLOCK_ABSOLUTE] = clock_absolute};

static bool is_number(const char *text) {
    if (*text == '-' || *text == '+')
        text++;
    return *text && text[strspn(text, "0123456789")] == '\0';
}

/* A variable clock says from what and how far; UTC or local time with seconds is one. The others
 * only say whether it starts anew. */
static int check_clock(ElementReader *reader, xmlNodePtr node, void *object) {
    DomainDef *def = object;
    ClockDef *clock = &def->clock_details;

    if (clock->adjustment && !is_number(clock->adjustment) &&
        !(streq(clock->adjustment, "reset") && def->clock != CLOCK_VARIABLE))
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "unknown clock adjustment '%.80s' (line %ld)", clock->adjustment,
                            xmlGetLineNo(node));
    if (clock->adjustment && *clock->adjustment == '+')
        memmove(clock->adjustment, clock->adjustment + 1, strlen(clock->adjustment));
    if (clock->adjustment && is_number(clock->adjustment)) {
        if (def->clock == CLOCK_LOCALTIME && !clock->basis && !(clock->basis = strdup("localtime")))
            return error_no_memory(reader->reterr);
        if (def->clock == CLOCK_UTC || def->clock == CLOCK_LOCALTIME)
            def->clock = CLOCK_VARIABLE;
    }
    if (def->clock != CLOCK_VARIABLE)
        return 0;
    if (!clock->adjustment && !(clock->adjustment = strdup("0")))
        return error_no_memory(reader->reterr);
    if (!clock->basis && !(clock->basis = strdup("utc")))
        return error_no_memory(reader->reterr);
    return 0;
}

static const Field clock_fields[] = {
    FIELD_WORD("@offset", DomainDef, clock, clock_offsets),
    FIELD_SWITCH(NULL, DomainDef, clock, clock_tables),
    FIELD_LIST("timer", DomainDef, timers, n_timers, timer_element, .limit = 64),
    FIELD_CODE(NULL, check_clock, NULL), FIELD_END};

static const Field pm_fields[] = {
    FIELD_YESNO("suspend-to-mem@enabled", DomainDef, suspend_to_mem),
    FIELD_YESNO("suspend-to-disk@enabled", DomainDef, suspend_to_disk), FIELD_END};
static const Field event_fields[] = {FIELD_TEXT("@name", PerfEvent, name, .flags = FIELD_REQUIRED),
                                     FIELD_TEXT("@enabled", PerfEvent, enabled), FIELD_END};
static const Element event_element = {"event", sizeof(PerfEvent), event_fields, NULL, NULL};
static const Field perf_fields[] = {
    FIELD_LIST("event", DomainDef, perf_events, n_perf_events, event_element, .limit = 256),
    FIELD_END};
static const Field keywrap_fields[] = {
    FIELD_LIST("cipher", DomainDef, keywraps, n_keywraps, keywrap_cipher_element, .limit = 16),
    FIELD_END};

/* ---- <os>, <features>, <cpu> ---- */

static int check_os(ElementReader *reader, xmlNodePtr node, void *object) {
    OsDef *os = &((DomainDef *)object)->os;
    const char *default_arch = reader->context;

    if (!os->type)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "an os <type> must be specified: <os><type>hvm</type></os>");
    if (streq(os->type, "linux")) /* the old word */
        memcpy(os->type, "hvm", sizeof("hvm"));
    if (!streq(os->type, "hvm"))
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                            "os type '%.40s' is not supported; use hvm", os->type);
    if (!os->arch)
        os->arch = strdup(default_arch);
    return os->arch ? 0 : error_no_memory(reader->reterr);
}

/* ---- devices ---- */

#define DEVICES_MAX 4096u /* some checks compare each device with all others */

static int check_devices(ElementReader *reader, xmlNodePtr node, void *object) {
    if (xmlChildElementCount(node) > DEVICES_MAX)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "more than %u devices (line %ld)", DEVICES_MAX, xmlGetLineNo(node));
    return 0;
}

static bool mirrors_serial(const ChardevDef *console) {
    return !console->target_type || streq(console->target_type, "serial");
}

/* Serials without a port come behind the highest of all, parallel ports behind the highest before
 * them. Consoles are numbered as they come, but keep what they say behind a first one that is a
 * serial of the text seen again: so libvirt writes them. */
static void number_ports(DomainDef *def) {
    unsigned next[4] = {0}, n_consoles = 0;
    bool mirrored = false, serial = false;

    for (size_t i = 0; i < def->n_chardevs; i++) {
        if (def->chardevs[i].kind != CHARDEV_SERIAL)
            continue;
        serial = true;
        if (def->chardevs[i].has_port)
            next[CHARDEV_SERIAL] = MAX_OF(next[CHARDEV_SERIAL], def->chardevs[i].port + 1);
    }
    for (size_t i = 0; i < def->n_chardevs; i++) {
        ChardevDef *chardev = &def->chardevs[i];

        if (chardev->kind == CHARDEV_CHANNEL)
            continue;
        if (chardev->kind == CHARDEV_CONSOLE) {
            mirrored |= serial && n_consoles == 0 && mirrors_serial(chardev);
            if (!chardev->has_port || !mirrored)
                chardev->port = n_consoles;
            n_consoles++;
        } else if (!chardev->has_port) {
            chardev->port = next[chardev->kind];
        }
        chardev->has_port = true;
        next[chardev->kind] = MAX_OF(next[chardev->kind], chardev->port + 1);
    }
}

static const ChardevDef *first_serial(const DomainDef *def) {
    for (size_t i = 0; i < def->n_chardevs; i++)
        if (def->chardevs[i].kind == CHARDEV_SERIAL)
            return &def->chardevs[i];
    return NULL;
}

/* libvirt's rule: the first <console> of target serial is the first serial seen again. */
static int pair_consoles(ElementReader *reader, xmlNodePtr node, void *object) {
    DomainDef *def = object;
    const ChardevDef *serial;

    number_ports(def);
    serial = first_serial(def);
    for (size_t i = 0; i < def->n_chardevs; i++) {
        ChardevDef *console = &def->chardevs[i];

        if (console->kind != CHARDEV_CONSOLE)
            continue;
        console->is_serial_alias = serial && mirrors_serial(console);
        if (console->is_serial_alias)
            console->port = serial->port;
        break;
    }
    return 0;
}

/* A console that mirrors serial 0 shows the serial's source and place. */
static void write_consoles(ElementWriter *w, const void *object) {
    const DomainDef *def = object;
    const ChardevDef *serial = first_serial(def);

    for (size_t i = 0; i < def->n_chardevs; i++) {
        ChardevDef shown = def->chardevs[i];

        if (shown.kind != CHARDEV_CONSOLE)
            continue;
        if (shown.is_serial_alias && serial) {
            shown.source = serial->source;
            shown.info = serial->info;
        }
        if (!shown.target_type)
            shown.target_type = (char *)(uintptr_t) "serial";
        element_write(w, &console_element, &shown);
    }
}

static int read_console(ElementReader *reader, xmlNodePtr node, void *object) {
    DomainDef *def = object;
    ChardevDef *console = array_append(&def->chardevs, &def->n_chardevs, sizeof(ChardevDef));

    if (!console)
        return error_no_memory(reader->reterr);
    console->kind = CHARDEV_CONSOLE;
    return element_read(reader, &console_element, node, console);
}

static void done_consoles(void *object) {
    DomainDef *def = object;

    for (size_t i = 0; i < def->n_chardevs; i++)
        if (def->chardevs[i].kind == CHARDEV_CONSOLE)
            element_done(&console_element, &def->chardevs[i]);
}

/* The row of the serials has made the array; what is in its consoles is still borrowed. */
static void own_consoles(void *object, bool *ok) {
    DomainDef *def = object;

    for (size_t i = 0; i < def->n_chardevs; i++) {
        ChardevDef *console = &def->chardevs[i], borrowed = *console;

        if (console->kind != CHARDEV_CONSOLE)
            continue;
        *console = (ChardevDef){.kind = CHARDEV_CONSOLE};
        if (*ok && element_copy(&console_element, &borrowed, console) < 0) {
            *console = (ChardevDef){.kind = CHARDEV_CONSOLE};
            *ok = false;
        }
    }
}

#define CHARDEVS(name, kind_, of)                                                                  \
    FIELD_LIST(name, DomainDef, chardevs, n_chardevs, of, .tag = offsetof(ChardevDef, kind) + 1,   \
               .tag_value = kind_)
#define DEVICES(name, member, of, ...)                                                             \
    FIELD_LIST(name, DomainDef, member, n_##member, of, ##__VA_ARGS__)
#define NOT_STARTED .flags = FIELD_NOT_STARTED

static const Field device_fields[] = {
    FIELD_CODE(NULL, check_devices, NULL),
    FIELD_TEXT("emulator", DomainDef, emulator),
    DEVICES("disk", disks, disk_element),
    DEVICES("controller", controllers, controller_element),
    DEVICES("lease", leases, lease_element, NOT_STARTED),
    DEVICES("filesystem", filesystems, filesystem_element),
    DEVICES("interface", interfaces, interface_element),
    DEVICES("smartcard", smartcards, smartcard_element),
    CHARDEVS("serial", CHARDEV_SERIAL, serial_element),
    DEVICES("parallel", chardevs, parallel_element, .tag = offsetof(ChardevDef, kind) + 1,
            .tag_value = CHARDEV_PARALLEL),
    FIELD_CODE("console", read_console, write_consoles, .flags = FIELD_EACH, .done = done_consoles,
               .own = own_consoles),
    CHARDEVS("channel", CHARDEV_CHANNEL, channel_element),
    FIELD_CODE(NULL, pair_consoles, NULL),
    DEVICES("input", inputs, input_element),
    DEVICES("tpm", tpms, tpm_element),
    DEVICES("graphics", graphics, graphics_element),
    DEVICES("sound", sounds, sound_element),
    DEVICES("audio", audios, audio_element),
    DEVICES("video", videos, video_element),
    DEVICES("hostdev", hostdevs, hostdev_element),
    DEVICES("redirdev", redirdevs, redirdev_element),
    FIELD_ONE("redirfilter", DomainDef, redirfilter, redirfilter_element),
    DEVICES("hub", hubs, hub_element),
    DEVICES("watchdog", watchdogs, watchdog_element),
    FIELD_ONE("memballoon", DomainDef, memballoon, memballoon_element, .flags = FIELD_SINGLE),
    DEVICES("rng", rngs, rng_element),
    FIELD_ONE("nvram", DomainDef, nvram, nvram_element),
    DEVICES("panic", panics, panic_element),
    DEVICES("shmem", shmems, shmem_element),
    DEVICES("memory", memories, memory_device_element),
    DEVICES("crypto", cryptos, crypto_element),
    FIELD_PART("iommu", DomainDef, iommu, iommu_fields, FIELD_GIVEN(DomainDef, iommu.given),
               .flags = FIELD_SINGLE),
    FIELD_ONE("vsock", DomainDef, vsock, vsock_element, .flags = FIELD_SINGLE),
    FIELD_END};

/* ---- the whole ---- */

static void write_namespaces(ElementWriter *w, const void *object) {
    if (w->id > 0)
        writer_attributef(w, "id", "%d", w->id);
    if (qemu_namespace_is_used(&((const DomainDef *)object)->qemu))
        writer_attribute(w, "xmlns:qemu", QEMU_NAMESPACE_URI);
}

static int refuse_bootloader(ElementReader *reader, xmlNodePtr node, void *object) {
    xmlNodePtr bootloader = element_child(node, "bootloader");

    if (!bootloader || !bootloader->children) /* one without a name is none */
        return 0;
    return error_report(reader->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                        "bootloader is not supported by QEMU: give <kernel> in <os> (line %ld)",
                        xmlGetLineNo(bootloader));
}

static const Words other_hypervisors = WORDS("kqemu", "xen", "lxc", "uml", "openvz", "test",
                                             "vmware", "hyperv", "vbox", "phyp", "parallels",
                                             "bhyve", "vz", "hvf");

/* Hypervisors that QEMU is not, each a type that a client may ask for. */
static int refuse_hypervisor(ElementReader *reader, xmlNodePtr node, void *object) {
    xmlNodePtr devices = element_child(node, "devices"),
               emulator = devices ? element_child(devices, "emulator") : NULL;
    CLEANUP_FREE char *type = NULL, *path = NULL;
    int r = element_attribute(reader, node, "type", &type);

    if (r < 0 || !type || words_find(&other_hypervisors, type) < 0)
        return r;
    if (emulator && element_text(reader, emulator, &path) < 0)
        return error_no_memory(reader->reterr);
    return error_report(reader->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                        "Emulator '%.200s' does not support virt type '%s'",
                        path ? path : "of QEMU", type);
}

static const Field domain_fields[] = {
    FIELD_CODE(NULL, refuse_hypervisor, NULL),
    FIELD_WORD("@type", DomainDef, virt, virt_types, .flags = FIELD_REQUIRED),
    FIELD_ALSO("@id"),
    FIELD_CODE(NULL, NULL, write_namespaces),
    FIELD_TEXT("name", DomainDef, name),
    FIELD_CODE(NULL, check_name, NULL),
    FIELD_CODE("uuid", read_uuid, write_uuid),
    FIELD_CODE(NULL, make_uuid, NULL),
    FIELD_TEXT("genid", DomainDef, genid, FIELD_GIVEN(DomainDef, has_genid), .flags = FIELD_EMPTY),
    FIELD_TEXT("title", DomainDef, title, .flags = FIELD_UNCOMPARED),
    FIELD_CODE(NULL, check_title, NULL),
    FIELD_TEXT("description", DomainDef, description, .flags = FIELD_UNCOMPARED),
    FIELD_STORED(DomainDef, metadata, .flags = FIELD_UNCOMPARED),
    FIELD_CODE("metadata", read_metadata, write_metadata),
    FIELD_GROUP("maxMemory", max_memory_fields),
    FIELD_GROUP("memory", memory_fields_),
    FIELD_SIZE("currentMemory", DomainDef, current_memory_kib),
    FIELD_PART("blkiotune", DomainDef, blkiotune, blkiotune_fields, .flags = FIELD_NOT_ACTED),
    FIELD_PART("memtune", DomainDef, memtune, memtune_fields, .flags = FIELD_NOT_ACTED),
    FIELD_PART("memoryBacking", DomainDef, memory_backing, memory_backing_fields),
    FIELD_GROUP(NULL, vcpu_fields),
    FIELD_GROUP(NULL, iothread_fields),
    FIELD_GROUP(NULL, cputune_fields),
    FIELD_CODE(NULL, NULL, numatune_write),
    FIELD_GROUP("resource", resource_fields),
    FIELD_CODE(NULL, refuse_bootloader, NULL),
    DEVICES("sysinfo", sysinfos, sysinfo_element),
    FIELD_PART("os", DomainDef, os, os_fields),
    FIELD_GROUP("idmap", idmap_fields, .flags = FIELD_NOT_ACTED),
    FIELD_PART("features", DomainDef, features, features_fields),
    FIELD_PART("cpu", DomainDef, cpu, cpu_fields),
    FIELD_GROUP(NULL, numatune_fields), /* names the cells of <cpu> */
    FIELD_GROUP("clock", clock_fields),
    FIELD_WORD("on_poweroff", DomainDef, on_poweroff, lifecycles),
    FIELD_WORD("on_reboot", DomainDef, on_reboot, lifecycles),
    FIELD_WORD("on_crash", DomainDef, on_crash, lifecycles),
    FIELD_CHOICE("on_lockfailure", DomainDef, on_lockfailure, lock_failures,
                 .flags = FIELD_NOT_ACTED),
    FIELD_GROUP("pm", pm_fields),
    FIELD_GROUP("perf", perf_fields, .flags = FIELD_NOT_ACTED),
    FIELD_GROUP("devices", device_fields, .flags = FIELD_ALWAYS),
    FIELD_CODE(NULL, check_memory, NULL),
    FIELD_CODE(NULL, check_os, NULL),
    DEVICES("seclabel", seclabels, seclabel_element),
    FIELD_GROUP("keywrap", keywrap_fields, .flags = FIELD_NOT_STARTED),
    FIELD_ONE("launchSecurity", DomainDef, launch_security, launch_security_element,
              .flags = FIELD_NOT_STARTED),
    FIELD_PART(NULL, DomainDef, qemu, qemu_namespace_fields),
    FIELD_END};

static void init(void *object) {
    DomainDef *def = object;

    def->on_poweroff = LIFECYCLE_DESTROY;
    def->on_reboot = LIFECYCLE_RESTART;
    def->on_crash = LIFECYCLE_DESTROY;
    def->default_pool_min = def->default_pool_max = -1;
}

const Element domain_element = {"domain", sizeof(DomainDef), domain_fields, init, NULL};

void domain_def_free(DomainDef *def) {
    if (!def)
        return;
    element_done(&domain_element, def);
    free(def);
}

DomainDef *domain_def_copy(const DomainDef *from) {
    DomainDef *def = malloc(sizeof(DomainDef));

    if (def && element_copy(&domain_element, from, def) < 0)
        free(TAKE_PTR(def));
    return def;
}

DomainDef *domain_def_copy_as(const DomainDef *def, const char *name) {
    CLEANUP_DOMAIN_DEF DomainDef *copy = domain_def_copy(def);
    char *own = copy ? strdup(name) : NULL;

    if (!own)
        return NULL;
    free(copy->name);
    copy->name = own;
    return TAKE_PTR(copy);
}

/* Tells of what the domain cannot be started with, in the order of the text. -ENOMEM. */
static int tell_unsupported(const DomainDef *def, ElementRefusal refusal, void *userdata) {
    ElementWriter writer = {.refusal = refusal, .userdata = userdata};
    CLEANUP_FREE char *text = NULL;

    element_write(&writer, &domain_element, def);
    text = element_writer_take(&writer);
    return text ? 0 : -ENOMEM;
}

typedef struct FirstRefusal {
    char path[ELEMENT_PATH_SIZE], what[64];
    unsigned line, n;
} FirstRefusal;

static void keep_first(const char *path, const char *what, unsigned line, void *userdata) {
    FirstRefusal *first = userdata;

    if (first->n++)
        return;
    snprintf(first->path, sizeof(first->path), "%s", path);
    snprintf(first->what, sizeof(first->what), "%s", what);
    first->line = line;
}

int domain_def_check_start(const DomainDef *def, Error **reterr) {
    FirstRefusal first = {.n = 0};

    if (tell_unsupported(def, keep_first, &first) < 0)
        return error_no_memory(reterr);
    if (first.n == 0)
        return 0;
    return error_report(reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                        "domain '%s' cannot be started with '%s'%s%s%s (line %u of dumpxml "
                        "--inactive)%s: it is kept in the definition and not supported yet",
                        def->name, first.path, *first.what ? " of '" : "", first.what,
                        *first.what ? "'" : "", first.line, first.n > 1 ? " and others" : "");
}
