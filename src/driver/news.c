/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/news.h"

#include "domain/events.h"
#include "domain/files.h"
#include "qemu/devices/device.h"
#include "util/file.h"
#include "util/json.h"
#include "util/libvirt-numbers.h"

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

static void save(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    DomainJob job;

    if (domain_job_begin_for_run(domain, &job, "what QEMU told", domain_id(domain)) < 0)
        return;
    domain_save_status(domain, NULL); /* what cannot be written is written later */
    domain_job_end(domain, &job);
}

/* The next daemon is not told of it again. */
static void save_soon(Domain *domain) {
    domain_ref(domain);
    if (fiber_start("news", save, domain) < 0)
        domain_unref(domain);
}

/* ---- the events ---- */

static void on_rtc_change(Domain *domain, json_object *data, int number) {
    DomainDef *live = domain->run->live;
    int64_t offset = json_member_int(data, "offset", 0);
    char *text;

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

static void on_io_error(Domain *domain, json_object *data, int number) {
    const DiskDef *disk = disk_of_node(domain->run->live, json_member_string(data, "node-name"));
    DomainNews news = {.id = EVENT_ID_IO_ERROR,
                       .code = NUMBER_OF(error_actions, json_member_string(data, "action")),
                       .path = disk && disk->source.path ? disk->source.path : "",
                       .alias = disk && disk->info.alias ? disk->info.alias : "",
                       .reason = json_member_bool(data, "nospace", false) ? "enospc" : ""};

    events_news(domain, &news);
    news.id = EVENT_ID_IO_ERROR_REASON;
    events_news(domain, &news);
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
    DomainDef *live = domain->run->live;
    const char *id = json_member_string(data, "id");
    const bool open = json_member_bool(data, "tray-open", false);

    for (size_t i = 0; id && i < live->n_disks; i++) {
        DiskDef *disk = &live->disks[i];
        char *word = open ? strdup("open") : NULL;

        if (!streq_ptr(disk->info.alias, id) || (open && !word)) {
            free(word);
            continue;
        }
        free(disk->tray);
        disk->tray = word;
        save_soon(domain);
        events_news(domain, &(DomainNews){.id = EVENT_ID_TRAY_CHANGE,
                                          .code = open ? TRAY_OPENED : TRAY_CLOSED,
                                          .alias = disk->info.alias});
        return;
    }
}

/* The number is libvirt's of the event, which says nothing more. */
static void on_power(Domain *domain, json_object *data, int id) {
    events_news(domain, &(DomainNews){.id = id});
}

static void on_balloon_change(Domain *domain, json_object *data, int number) {
    const uint64_t kib = json_member_uint(data, "actual", 0) / 1024;

    if (!kib)
        return;
    domain->run->live->current_memory_kib = kib;
    events_news(domain, &(DomainNews){.id = EVENT_ID_BALLOON_CHANGE, .amount = (int64_t)kib});
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
    const char *id = json_member_string(data, "id");
    const uint64_t bytes = json_member_uint(data, "size", 0);

    for (size_t i = 0; id && i < live->n_memories; i++)
        if (streq_ptr(live->memories[i].info.alias, id)) {
            live->memories[i].current = (bytes + 1023) / 1024;
            save_soon(domain);
            events_news(domain, &(DomainNews){.id = EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE,
                                              .amount = (int64_t)bytes,
                                              .alias = id});
        }
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
