/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/news.h"

#include "domain/events.h"
#include "domain/files.h"
#include "qemu/block-graph.h"
#include "qemu/devices/device.h"
#include "util/file.h"
#include "util/json.h"
#include "util/libvirt-numbers.h"
#include "util/log.h"

#define SAVE_USEC USEC_PER_SEC /* between two saves of what was told */
#define ASK_USEC (30 * USEC_PER_SEC)

/* libvirt's numbers of QEMU's words, by their places; the first when it is none of them. */
static const char *const watchdog_actions[] = {"none",     "pause", "reset",     "poweroff",
                                               "shutdown", "debug", "inject-nmi"};
static const char *const error_actions[] = {"ignore", "stop", "report"};
static const char *const address_families[] = {"ipv4", "ipv6", "unix"};
static const char *const failure_recipients[] = {"hypervisor", "guest"};
static const char *const failure_actions[] = {"ignore", "inject", "fatal", "reset"};

static int number_of(const char *const *words, size_t n, const char *word) {
    for (size_t i = 0; word && i < n; i++)
        if (streq(words[i], word))
            return (int)i;
    return 0;
}
#define NUMBER_OF(words, word) number_of(words, ARRAY_SIZE(words), word)

/* ---- what the definition keeps ---- */

/* The next daemon is not told of it again. One fiber at a time, and a save a second: a guest may
 * move its tray as often as it likes. What is due when the daemon stops is written then. */
static void save(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    const int id = domain_id(domain);
    DomainJob job;
    bool again = true, stops = false;

    while (again) {
        if (domain_job_begin_for_run(domain, &job, "what QEMU told", id) < 0)
            return;
        domain->run->news_due = false;
        domain_save_status(domain, NULL); /* what cannot be written is written later */
        domain_job_end(domain, &job);
        again = !stops;
        stops = stops || !domain->services || task_sleep(&domain->services->tasks, SAVE_USEC);
        if (domain_id(domain) != id)
            return;
        again = again && domain->run->news_due;
        domain->run->news_saving = again;
    }
}

static void save_soon(Domain *domain) {
    domain->run->news_due = true;
    if (domain->run->news_saving)
        return;
    domain_ref(domain);
    domain->run->news_saving = domain->services &&
                               task_start(&domain->services->tasks, "news", save, domain) >= 0;
    if (!domain->run->news_saving)
        domain_unref(domain);
}

/* Whether it was otherwise before. */
static bool set_tray(DiskDef *disk, bool open) {
    char *word = open ? strdup("open") : NULL;

    if (open == (disk->tray != NULL) || (open && !word)) {
        free(word);
        return false;
    }
    free(disk->tray);
    disk->tray = word;
    return true;
}

static DiskDef *disk_of_alias(const DomainDef *def, const char *alias) {
    for (size_t i = 0; alias && i < def->n_disks; i++)
        if (streq_ptr(def->disks[i].info.alias, alias))
            return &def->disks[i];
    return NULL;
}

static MemoryDef *memory_of_alias(const DomainDef *def, const char *alias) {
    for (size_t i = 0; alias && i < def->n_memories; i++)
        if (streq_ptr(def->memories[i].info.alias, alias))
            return &def->memories[i];
    return NULL;
}

static uint64_t plugged_virtio_mem(const DomainDef *def) {
    uint64_t kib = 0;

    for (size_t i = 0; i < def->n_memories; i++)
        if (def->memories[i].model == MEMORY_VIRTIO_MEM)
            kib += def->memories[i].current;
    return kib;
}

/* What QEMU says the balloon leaves is without virtio-mem. */
static void set_balloon(DomainDef *live, uint64_t bytes) {
    const uint64_t kib = bytes / 1024 + plugged_virtio_mem(live);

    live->current_memory_kib = MIN_OF(kib, live->memory_kib);
}

static void set_memory_size(DomainDef *live, MemoryDef *memory, uint64_t bytes) {
    const uint64_t kib = MIN_OF(bytes / 1024, memory->size), before = memory->current;
    const uint64_t rest = live->current_memory_kib - MIN_OF(before, live->current_memory_kib);

    memory->current = kib;
    live->current_memory_kib = MIN_OF(rest + kib, live->memory_kib);
}

void news_carry(const DomainDef *from, DomainDef *to) {
    for (size_t i = 0; i < to->n_disks; i++) {
        const DiskDef *disk = disk_of_alias(from, to->disks[i].info.alias);

        if (disk)
            set_tray(&to->disks[i], disk->tray != NULL);
    }
    for (size_t i = 0; i < to->n_memories; i++) {
        const MemoryDef *memory = memory_of_alias(from, to->memories[i].info.alias);

        if (memory)
            to->memories[i].current = memory->current;
    }
    if (to->memory_kib == from->memory_kib) /* else a module has come or gone */
        to->current_memory_kib = from->current_memory_kib;
    if (to->clock == CLOCK_VARIABLE && from->clock == CLOCK_VARIABLE &&
        from->clock_details.adjustment) {
        char *text = strdup(from->clock_details.adjustment);

        if (text) {
            free(to->clock_details.adjustment);
            to->clock_details.adjustment = text;
        }
    }
}

/* ---- the events ---- */

static void on_rtc_change(Domain *domain, json_object *data, int number) {
    DomainDef *live = domain->run->live;
    int64_t offset = json_member_int(data, "offset", 0);
    char *text;

    if (offset < -CLOCK_SECONDS_MAX || offset > CLOCK_SECONDS_MAX)
        return; /* no clock of a machine goes there */
    /* QEMU counts from the time it was started with. */
    if (live->clock == CLOCK_VARIABLE) {
        offset += domain->run->clock_base;
        text = strf("%lld", (long long)offset);
        if (text) {
            free(live->clock_details.adjustment);
            live->clock_details.adjustment = text;
            save_soon(domain);
        }
    }
    events_news(domain, &(DomainNews){.id = EVENT_ID_RTC_CHANGE, .amount = offset});
}

static void on_watchdog(Domain *domain, json_object *data, int number) {
    const char *action = json_member_string(data, "action");

    events_news(domain, &(DomainNews){.id = EVENT_ID_WATCHDOG,
                                      .code = NUMBER_OF(watchdog_actions, action)});
}

/* Filters have names of their own above the disk's node; below it is the one with the bytes. */
static bool is_node_of(const DiskDef *disk, const char *node) {
    static const char *const above[] = {"cor-", "throttle-"};
    char own[96];

    device_disk_node(disk, own);
    if (streq(node, own))
        return true;
    device_disk_storage_node(disk, own);
    if (streq(node, own))
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(above); i++)
        if (strncmp(node, above[i], strlen(above[i])) == 0 &&
            (streq_ptr(disk->info.alias, node + strlen(above[i])) ||
             streq(disk->target, node + strlen(above[i]))))
            return true;
    return false;
}

static const DiskDef *disk_of_node(const DomainDef *def, const char *node) {
    for (size_t i = 0; node && i < def->n_disks; i++)
        if (is_node_of(&def->disks[i], node))
            return &def->disks[i];
    return NULL;
}

static void tell_io_error(Domain *domain, const DiskDef *disk, const char *alias, int action,
                          bool no_space) {
    DomainNews news = {.id = EVENT_ID_IO_ERROR,
                       .code = action,
                       .path = disk && disk->source.path ? disk->source.path : "",
                       .alias = alias,
                       .reason = no_space ? "enospc" : ""};

    events_news(domain, &news);
    news.id = EVENT_ID_IO_ERROR_REASON;
    events_news(domain, &news);
}

static void tell_held(Domain *domain) {
    IoErrors *errors = &domain->run->io_errors;
    const uint64_t now = now_usec();
    const IoError *error;
    unsigned n = 0;

    while ((error = io_errors_next(errors, now, &n))) {
        log_debug("domain '%s': disk '%s' had %u more I/O errors of a kind", domain_name(domain),
                  error->alias, n);
        tell_io_error(domain, disk_of_alias(domain->run->live, error->alias), error->alias,
                      error->action, error->no_space);
    }
}

/* One fiber at a time, as long as any are held. */
static void tell_held_later(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    const int id = domain_id(domain);
    bool stops = false;

    while (!stops && domain_id(domain) == id && io_errors_any(&domain->run->io_errors)) {
        stops = !domain->services || task_sleep(&domain->services->tasks, IO_ERROR_REPEAT_USEC);
        if (domain_id(domain) == id)
            tell_held(domain);
    }
    if (domain_id(domain) == id)
        domain->run->io_errors.due = false;
}

static bool tell_soon(Domain *domain) {
    IoErrors *errors = &domain->run->io_errors;

    if (errors->due)
        return true;
    domain_ref(domain);
    errors->due = domain->services &&
                  task_start(&domain->services->tasks, "io-errors", tell_held_later, domain) >= 0;
    if (!errors->due)
        domain_unref(domain);
    return errors->due;
}

/* One that stops the guest is a new state, and told at once. */
static void on_io_error(Domain *domain, json_object *data, int number) {
    const DiskDef *disk = disk_of_node(domain->run->live, json_member_string(data, "node-name"));
    const char *word = json_member_string(data, "action");
    const char *alias = disk && disk->info.alias ? disk->info.alias : "";
    const bool no_space = json_member_bool(data, "nospace", false);
    const int action = NUMBER_OF(error_actions, word);

    if (streq_ptr(word, "stop") ||
        !io_errors_hold(&domain->run->io_errors, alias, action, no_space, now_usec()) ||
        !tell_soon(domain))
        tell_io_error(domain, disk, alias, action, no_space);
}

static NewsAddress address(json_object *data, const char *member) {
    json_object *side = json_member(data, member);
    const char *node = json_member_string(side, "host");
    const char *service = json_member_string(side, "service"); /* of VNC */

    if (!service)
        service = json_member_string(side, "port");
    return (NewsAddress){NUMBER_OF(address_families, json_member_string(side, "family")),
                         node ? node : "", service ? service : ""};
}

enum { PHASE_CONNECT, PHASE_INITIALIZE, PHASE_DISCONNECT };

/* The same members for VNC and SPICE. */
static void on_graphics(Domain *domain, json_object *data, int phase) {
    json_object *client = json_member(data, "client");
    const char *auth = json_member_string(json_member(data, "server"), "auth");
    const char *x509 = json_member_string(client, "x509_dname");
    const char *sasl = json_member_string(client, "sasl_username");
    DomainNews news = {.id = EVENT_ID_GRAPHICS,
                       .code = phase,
                       .local = address(data, "server"),
                       .remote = address(data, "client"),
                       .reason = auth ? auth : ""};

    if (x509)
        news.identities[news.n_identities++] = (NewsIdentity){"x509dname", x509};
    if (sasl)
        news.identities[news.n_identities++] = (NewsIdentity){"saslUsername", sasl};
    events_news(domain, &news);
}

enum { TRAY_OPENED, TRAY_CLOSED };

static void on_tray_moved(Domain *domain, json_object *data, int number) {
    const bool open = json_member_bool(data, "tray-open", false);
    DiskDef *disk = disk_of_alias(domain->run->live, json_member_string(data, "id"));

    if (!disk || !disk_is_removable(disk) || !set_tray(disk, open))
        return;
    save_soon(domain);
    events_news(domain, &(DomainNews){.id = EVENT_ID_TRAY_CHANGE,
                                      .code = open ? TRAY_OPENED : TRAY_CLOSED,
                                      .alias = disk->info.alias});
}

/* The number is libvirt's of the event, which says nothing more. */
static void on_power(Domain *domain, json_object *data, int id) {
    events_news(domain, &(DomainNews){.id = id});
}

static void on_balloon_change(Domain *domain, json_object *data, int number) {
    DomainDef *live = domain->run->live;
    const int64_t bytes = json_member_int(data, "actual", 0);

    if (bytes <= 0)
        return;
    set_balloon(live, (uint64_t)bytes);
    save_soon(domain);
    events_news(domain, &(DomainNews){.id = EVENT_ID_BALLOON_CHANGE,
                                      .amount = (int64_t)live->current_memory_kib});
}

static void on_memory_failure(Domain *domain, json_object *data, int number) {
    json_object *flags = json_member(data, "flags");
    const char *recipient = json_member_string(data, "recipient");

    events_news(domain, &(DomainNews){.id = EVENT_ID_MEMORY_FAILURE,
                                      .code = NUMBER_OF(failure_recipients, recipient),
                                      .action = NUMBER_OF(failure_actions,
                                                          json_member_string(data, "action")),
                                      .flags = json_member_bool(flags, "action-required", false) |
                                               json_member_bool(flags, "recursive", false) << 1});
}

static void on_memory_size(Domain *domain, json_object *data, int number) {
    DomainDef *live = domain->run->live;
    MemoryDef *memory = memory_of_alias(live, json_member_string(data, "id"));
    const int64_t bytes = json_member_int(data, "size", -1);

    if (!memory || bytes < 0)
        return;
    set_memory_size(live, memory, (uint64_t)bytes);
    save_soon(domain);
    events_news(domain, &(DomainNews){.id = EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE,
                                      .amount = bytes,
                                      .alias = memory->info.alias});
}

/* ---- what was told while nobody listened ---- */

static json_object *ask(Domain *domain, const char *command) {
    json_object *value = NULL;

    if (domain_check_active(domain, NULL) >= 0 &&
        monitor_run(domain->run->monitor, command, NULL, deadline_in(ASK_USEC), &value, NULL) < 0)
        log_debug("domain '%s': no answer to '%s'", domain_name(domain), command);
    return value;
}

static void take_trays(DomainDef *live, json_object *rows) {
    for (size_t i = 0; i < live->n_disks; i++) {
        DiskDef *disk = &live->disks[i];
        bool open;

        if (disk_is_removable(disk) && disk->info.alias &&
            block_tray(rows, disk->info.alias, &open))
            set_tray(disk, open);
    }
}

static void take_memories(DomainDef *live, json_object *rows) {
    for (size_t i = 0; i < json_length(rows); i++) {
        json_object *data = json_member(json_object_array_get_idx(rows, i), "data");
        MemoryDef *memory = memory_of_alias(live, json_member_string(data, "id"));
        const int64_t bytes = json_member_int(data, "size", -1);

        if (memory && memory->model == MEMORY_VIRTIO_MEM && bytes >= 0)
            memory->current = MIN_OF((uint64_t)bytes / 1024, memory->size);
    }
}

static bool has_drive(const DomainDef *def) {
    for (size_t i = 0; i < def->n_disks; i++)
        if (disk_is_removable(&def->disks[i]))
            return true;
    return false;
}

static bool has_virtio_mem(const DomainDef *def) {
    for (size_t i = 0; i < def->n_memories; i++)
        if (def->memories[i].model == MEMORY_VIRTIO_MEM)
            return true;
    return false;
}

void news_recall(Domain *domain) {
    const DomainDef *live = domain->run->live;
    CLEANUP_JSON json_object *blocks = has_drive(live) ? ask(domain, "query-block") : NULL;
    CLEANUP_JSON json_object *memories = domain->run && has_virtio_mem(domain->run->live)
                                             ? ask(domain, "query-memory-devices")
                                             : NULL;
    CLEANUP_JSON json_object *balloon = domain->run &&
                                                memballoon_is_there(domain->run->live->memballoon)
                                            ? ask(domain, "query-balloon")
                                            : NULL;
    const int64_t bytes = json_member_int(balloon, "actual", 0);

    if (!domain->run)
        return;
    take_trays(domain->run->live, blocks);
    take_memories(domain->run->live, memories);
    if (bytes > 0)
        set_balloon(domain->run->live, (uint64_t)bytes);
}

void news_on_event(Domain *domain, const char *name, json_object *data) {
    static const struct {
        const char *name;
        void (*func)(Domain *domain, json_object *data, int number);
        int number;
    } rows[] = {
        {"RTC_CHANGE", on_rtc_change},
        {"WATCHDOG", on_watchdog},
        {"BLOCK_IO_ERROR", on_io_error},
        {"VNC_CONNECTED", on_graphics, PHASE_CONNECT},
        {"VNC_INITIALIZED", on_graphics, PHASE_INITIALIZE},
        {"VNC_DISCONNECTED", on_graphics, PHASE_DISCONNECT},
        {"SPICE_CONNECTED", on_graphics, PHASE_CONNECT},
        {"SPICE_INITIALIZED", on_graphics, PHASE_INITIALIZE},
        {"SPICE_DISCONNECTED", on_graphics, PHASE_DISCONNECT},
        {"DEVICE_TRAY_MOVED", on_tray_moved},
        {"WAKEUP", on_power, EVENT_ID_PMWAKEUP},
        {"SUSPEND", on_power, EVENT_ID_PMSUSPEND},
        {"SUSPEND_DISK", on_power, EVENT_ID_PMSUSPEND_DISK},
        {"BALLOON_CHANGE", on_balloon_change},
        {"MEMORY_FAILURE", on_memory_failure},
        {"MEMORY_DEVICE_SIZE_CHANGE", on_memory_size},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (streq(name, rows[i].name))
            rows[i].func(domain, data, rows[i].number);
}
