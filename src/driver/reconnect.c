/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The status file of a running domain (run/domains/NAME.xml) and how a new daemon finds its QEMUs.
 *
 *     <domstatus state='1' reason='1' pid='4711' start='123456' id='3' removed='0' threads='2'>
 *       <monitor path='...'/> <log path='...'/>
 *       <placement nodes='0'/>                                                    with
 * placement='auto' <limits partition='/machine' group='vireo-3-ol8' machine='vireo-3-ol8'/>   where
 * it has a cgroup, and a scope <domain ...>the live definition, with pending='removal' at a <vcpu>
 * the guest was asked to release</domain>
 *     </domstatus> */
#include <dirent.h>
#include <libxml/parser.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "conf/domain-format.h"
#include "conf/domain-parse.h"
#include "qemu/agent.h"
#include "qemu/command-line.h"
#include "driver/driver.h"
#include "domain/vcpu-change.h"
#include "qemu/unplug.h"
#include "util/file.h"
#include "util/log.h"

#define RECONNECT_USEC (5 * USEC_PER_SEC)
#define FIRST_TRIES_USEC                                                                           \
    (3 * USEC_PER_SEC) /* readiness waits no longer for a QEMU that does not answer */
#define RETRY_USEC (2 * USEC_PER_SEC)
#define COMMAND_USEC (10 * USEC_PER_SEC)

static void write_attribute(FILE *out, const char *name, const char *value) {
    xmlChar *escaped = value ? xmlEncodeSpecialChars(NULL, BAD_CAST value) : NULL;

    if (escaped)
        fprintf(out, " %s=\"%s\"", name, (char *)escaped);
    xmlFree(escaped);
}

/* The file's text; NULL: out of memory. Caller frees. */
static char *status_text(const Domain *domain, const char *xml) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    fprintf(out,
            "<domstatus state='%d' reason='%d' pid='%d' start='%llu' id='%d' removed='%d' "
            "threads='%u'>\n",
            domain->state, domain->reason, (int)domain->run->pid.pid,
            (unsigned long long)domain->run->pid.start_time, domain->run->id,
            domain->run->vcpu_was_removed,
            domain->run->n_vcpu_threads + domain->run->n_vcpu_threads_planned);
    fputs("  <monitor", out);
    write_attribute(out, "path", domain->run->monitor_path);
    fputs("/>\n  <log", out);
    write_attribute(out, "path", domain->run->log_path);
    fputs("/>\n", out);
    if (limits_partition(domain->run->limits)) {
        fputs("  <limits", out);
        write_attribute(out, "partition", limits_partition(domain->run->limits));
        write_attribute(out, "group", limits_group(domain->run->limits));
        write_attribute(out, "machine", limits_machine(domain->run->limits));
        fputs("/>\n", out);
    }
    if (domain->run->live->numatune.automatic && domain->run->live->numatune.nodes) {
        CLEANUP_FREE char *nodes = bitmap_format(domain->run->live->numatune.nodes);

        fputs("  <placement", out);
        write_attribute(out, "nodes", nodes);
        fputs("/>\n", out);
    }
    fprintf(out, "%s</domstatus>\n", xml);
    return fclose(out) == 0 ? text : NULL;
}

int driver_save_status(Domain *domain, Error **reterr) {
    CLEANUP_FREE char *path = NULL, *xml = NULL, *text = NULL;
    CLEANUP_BITMAP Bitmap *pending = NULL;
    int r;

    if (!domain->run || !domain->driver)
        return 0;
    path = driver_status_path(domain->driver, domain->run->live->name);
    pending = unplug_pending(&domain->run->vcpus);
    r = domain_format(
        domain->run->live,
        &(DomainFormatParams){
            .id = domain_id(domain), .indent = 2, .secrets = true, .pending = pending},
        &xml);
    if (!path || !pending || r < 0)
        return error_no_memory(reterr);
    text = status_text(domain, xml);
    if (!text)
        return error_no_memory(reterr);
    r = file_write_atomic_worker(path, text, strlen(text), 0600);
    return r < 0 ? error_system(reterr, FROM_QEMU, r, "cannot write '%s'", path) : 0;
}

static long long attribute(xmlNodePtr node, const char *name) {
    xmlChar *text = xmlGetProp(node, BAD_CAST name);
    long long value = text ? strtoll((const char *)text, NULL, 10) : 0;

    xmlFree(text);
    return value;
}

static xmlNodePtr child(xmlNodePtr node, const char *name) {
    for (xmlNodePtr at = node->children; at; at = at->next)
        if (at->type == XML_ELEMENT_NODE && xmlStrEqual(at->name, BAD_CAST name))
            return at;
    return NULL;
}

static char *child_attribute(xmlNodePtr root, const char *name, const char *attribute_name) {
    xmlNodePtr node = child(root, name);
    xmlChar *text = node ? xmlGetProp(node, BAD_CAST attribute_name) : NULL;
    char *copy = text ? strdup((const char *)text) : NULL;

    xmlFree(text);
    return copy;
}

/* The ids of <vcpus><vcpu pending=>. */
static int read_pending(xmlNodePtr domain, Bitmap **ret) {
    CLEANUP_BITMAP Bitmap *pending = bitmap_new();
    xmlNodePtr vcpus = child(domain, "vcpus");

    for (xmlNodePtr at = vcpus && pending ? vcpus->children : NULL; at; at = at->next)
        if (at->type == XML_ELEMENT_NODE && xmlHasProp(at, BAD_CAST "pending"))
            bitmap_set(pending,
                       (unsigned)attribute(at, "id")); /* an id out of range names no vCPU */
    *ret = TAKE_PTR(pending);
    return *ret ? 0 : -ENOMEM;
}

static int read_placement(xmlNodePtr root, DomainDef *live, Error **reterr) {
    CLEANUP_FREE char *text = child_attribute(root, "placement", "nodes");
    CLEANUP_BITMAP Bitmap *nodes = NULL;

    if (!text)
        return 0;
    if (bitmap_parse(text, BITMAP_MAX_BITS, &nodes) < 0)
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "no nodes in <placement> of the status file");
    return driver_place(live, nodes, reterr);
}

/* What the file says, without touching the world. */
static int read_status(xmlNodePtr root, Domain *domain, Error **reterr) {
    xmlNodePtr node = child(root, "domain");
    DomainDef *live = NULL;
    struct utsname host;
    DomainParseParams params = {.live = true};
    int r;

    uname(&host);
    params.default_arch = host.machine;
    if (!node)
        return error_report(reterr, FROM_DOMAIN, ERROR_XML, "no <domain> in the status file");
    r = domain_parse_node(node, &params, &live, reterr);
    if (r < 0)
        return r;
    domain->run = domain_run_new(0, live);
    if (!domain->run)
        return error_no_memory(reterr);
    if (read_pending(node, &domain->run->pending_removals) < 0)
        return error_no_memory(reterr);
    domain->run->monitor_path = child_attribute(root, "monitor", "path");
    domain->run->log_path = child_attribute(root, "log", "path");
    if (!domain->run->monitor_path || !domain->run->log_path)
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "no monitor or log path in the status file");
    r = read_placement(root, domain->run->live, reterr);
    if (r < 0)
        return r;
    domain->run->found.partition = child_attribute(root, "limits", "partition");
    domain->run->found.group = child_attribute(root, "limits", "group");
    domain->run->found.machine = child_attribute(root, "limits", "machine");
    domain->state = attribute(root, "state");
    domain->reason = attribute(root, "reason");
    domain->run->id = attribute(root, "id");
    domain->run->vcpu_was_removed = attribute(root, "removed");
    domain->run->n_vcpu_threads = attribute(root, "threads");
    domain->run->pid = (QemuPid){.pid = attribute(root, "pid"),
                                 .start_time = attribute(root, "start")};
    if (domain->run->pid.pid <= 1 || domain->run->id <= 0)
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "no usable pid or id in the status file");
    return 0;
}

static bool is_alive(void *userdata) {
    return qemu_process_alive(&((const Domain *)userdata)->run->pid);
}

/* QEMU's own word on whether it runs wins over the file's. */
static void sync_run_state(Domain *domain) {
    json_object *value = NULL, *running = NULL;

    if (monitor_run(domain->run->monitor, "query-status", NULL, deadline_in(COMMAND_USEC), &value,
                    NULL) < 0)
        return;
    if (json_object_object_get_ex(value, "running", &running)) {
        bool is = json_object_get_boolean(running);

        if (is != (domain->state == DOMAIN_RUNNING))
            domain_set_state(domain, is ? DOMAIN_RUNNING : DOMAIN_PAUSED,
                             is ? RUNNING_UNPAUSED : PAUSED_USER);
    }
    json_object_put(value);
}

/* QEMU's own word on its IO threads wins: one may have been added or deleted right before the
 * daemon was killed. */
static void align_iothreads(Domain *domain) {
    DomainDef *live = domain->run->live;

    for (size_t i = live->n_iothreads; i-- > 0;)
        if (!iothread_list_find(&domain->run->iothreads, live->iothreads[i].id)) {
            log_info("domain '%s': its IO thread %u is gone", domain_name(domain),
                     live->iothreads[i].id);
            domain_def_remove_iothread(live, live->iothreads[i].id);
        }
    for (size_t i = 0; i < domain->run->iothreads.n; i++)
        if (!domain_def_iothread(live, domain->run->iothreads.list[i].id))
            domain_def_add_iothread(live, domain->run->iothreads.list[i].id);
}

/* What an operation under way had not come to when the daemon was killed: cgroups of vCPUs that are
 * gone, threads that are not where they belong. */
static void resume_limits(Domain *domain) {
    CLEANUP_BITMAP Bitmap *offline = bitmap_new();
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *mended = NULL;
    LimitsSubject subject = domain_subject(domain);
    int r = driver_resume_limits(domain, &error);

    for (unsigned id = 0; offline && id < domain->run->live->n_vcpus_max; id++)
        if (!domain->run->live->vcpus[id].online)
            bitmap_set(offline, id);
    if (r >= 0 && offline)
        limits_drop_vcpus(domain->run->limits, &subject, offline);
    if (r >= 0)
        r = limits_reconcile(domain->run->limits, &subject, &mended, &error);
    if (r > 0)
        driver_tell_drift(domain, (unsigned)r, mended);
    else if (r < 0)
        log_warning("domain '%s': its threads cannot be tuned: %s", domain_name(domain),
                    error_message(error));
}

/* The vCPUs that the status file says are there. */
static Bitmap *known_vcpus(const DomainDef *live) {
    CLEANUP_BITMAP Bitmap *known = bitmap_new();

    for (unsigned id = 0; known && id < live->n_vcpus_max; id++)
        if (live->vcpus[id].online && bitmap_set(known, id) < 0)
            return NULL;
    return TAKE_PTR(known);
}

/* The map, and at once what was asked of the guest before: an answer that comes now must find it.
 */
static int resume_vcpus(Domain *domain, Error **reterr) {
    CLEANUP_BITMAP Bitmap *known = known_vcpus(domain->run->live);
    int r = known ? domain_refresh_vcpus(domain, reterr) : error_no_memory(reterr);

    if (r >= 0)
        unplug_resume(&domain->run->vcpus, known, domain->run->pending_removals);
    return r;
}

static int reconnect(Domain *domain, Error **reterr) {
    CLEANUP_FREE char *channels = path_join(domain->driver->paths.lib, "channel");
    uint64_t deadline = deadline_in(RECONNECT_USEC);
    int r;

    if (!channels)
        return error_no_memory(reterr);
    if (!qemu_process_alive(&domain->run->pid))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "its QEMU (process %d) has ended", (int)domain->run->pid.pid);
    r = monitor_connect(domain->run->monitor_path, domain_name(domain), &driver_monitor_ops, domain,
                        is_alive, deadline, &domain->run->monitor, reterr);
    if (r >= 0)
        r = driver_handshake(domain, deadline, reterr);
    if (r >= 0 && qemu_assign_aliases(domain->run->live, channels) < 0)
        r = error_no_memory(reterr);
    if (r >= 0)
        r = driver_watch(domain, reterr);
    if (r >= 0)
        r = driver_agent_open(domain, reterr);
    qemu_caps_unref(
        TAKE_PTR(domain->run->caps)); /* what the map is built by; without them it is a guess */
    qemu_caps_get(domain->driver->caps, domain->run->live->emulator, &domain->run->caps, NULL);
    if (r >= 0)
        r = resume_vcpus(domain, reterr);
    if (r < 0)
        return r;
    r = domain_refresh_iothreads(domain, true, domain->run->live->n_iothreads ? reterr : NULL);
    if (r < 0 && (domain->run->live->n_iothreads || domain_check_active(domain, reterr) < 0))
        return r;
    if (r >= 0) /* a QEMU that is too old for the question has none */
        align_iothreads(domain);
    resume_limits(domain);
    /* That took its time, and an event of what this daemon has not asked for is passed over. */
    r = domain_refresh_vcpus(domain, reterr);
    if (r < 0)
        return r;
    bitmap_free(TAKE_PTR(domain->run->pending_removals));
    vcpu_change_watch_pending(domain);
    sync_run_state(domain);
    return 0;
}

/* Moves what the status file said into the listed domain of the same uuid, or lists a new one. */
static Domain *adopt(Driver *driver, Domain *found) {
    Domain *listed = driver_find_uuid(driver, found->run->live->uuid, NULL, NULL);

    if (!listed) {
        driver_list_add(driver, found);
        return domain_ref(found);
    }
    if (listed->run)
        return NULL;
    listed->run = TAKE_PTR(found->run);
    listed->state = found->state;
    listed->reason = found->reason;
    return domain_ref(listed);
}

/* Undoes a try that failed; the QEMU is left alone. */
static void disconnect(Domain *domain) {
    domain->run->pid_watch = sd_event_source_disable_unref(domain->run->pid_watch);
    monitor_free(TAKE_PTR(domain->run->monitor));
    vcpu_map_done(&domain->run->vcpus);
}

/* True when there is nothing more to try: connected, or gone. */
static bool try_reconnect(Domain *domain, bool first) {
    CLEANUP_ERROR Error *error = NULL;
    DomainJob job;
    bool over = true;

    if (domain_job_begin(domain, &job, "reconnecting to QEMU", &error) < 0)
        return domain->driver == NULL;
    if (!domain->run || domain->run->monitor) {
        /* destroyed meanwhile, or started anew */
    } else if (!qemu_process_alive(&domain->run->pid)) {
        log_info("domain '%s': its QEMU (process %d) ended while vireod was away",
                 domain_name(domain), (int)domain->run->pid.pid);
        driver_end_run(domain, SHUTOFF_UNKNOWN, STOPPED_FAILED);
    } else if (reconnect(domain, &error) >= 0) {
        driver_save_status(domain, NULL);
        log_info("domain '%s' found running, %u vCPUs", domain_name(domain),
                 domain_def_online_vcpus(domain->run->live));
        driver_resume_operations(domain);
    } else {
        disconnect(domain);
        over = false;
        if (first)
            log_warning("domain '%s': QEMU (process %d) runs but does not answer, trying on: %s",
                        domain_name(domain), (int)domain->run->pid.pid, error_message(error));
    }
    domain_job_end(domain, &job);
    return over;
}

/* A QEMU that lives is never given up: it may be stopped, or its host be swapping. */
static void keep_reconnecting(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    Driver *driver = domain->driver;
    bool over = try_reconnect(domain, true);

    driver->n_first_tries--;
    fiber_cond_broadcast(&driver->tasks.changed);
    while (!over && domain->driver && !task_sleep(&driver->tasks, RETRY_USEC))
        over = try_reconnect(domain, false);
}

/* False when the file says nothing that can be used: then nobody knows whose QEMU is whose. */
static bool take_up(Driver *driver, const char *path) {
    CLEANUP_DOMAIN Domain *found = domain_new(driver), *domain = NULL;
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *text = NULL;
    size_t len = 0;
    xmlDocPtr doc;
    int r;

    r = file_read(path, DOMAIN_XML_MAX * 2, &text, &len);
    if (!found || r < 0)
        return false;
    doc = xmlReadMemory(text, (int)len, path, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR);
    if (!doc || !xmlDocGetRootElement(doc)) {
        log_warning("status file '%s' cannot be read, ignoring", path);
        xmlFreeDoc(doc);
        return false;
    }
    r = read_status(xmlDocGetRootElement(doc), found, &error);
    xmlFreeDoc(doc);
    if (r < 0) {
        log_warning("status file '%s', ignoring: %s", path, error_message(error));
        return false;
    }
    domain = adopt(driver, found);
    if (!domain)
        return true;
    if (domain->run->id >= driver->next_id)
        driver->next_id = domain->run->id + 1;
    driver->n_first_tries++;
    if (task_start(&driver->tasks, "reconnect", keep_reconnecting, domain_ref(domain)) < 0) {
        driver->n_first_tries--;
        domain_unref(domain);
    }
    return true;
}

void driver_reconnect_all(Driver *driver) {
    CLEANUP_FREE char *dir = path_join(driver->paths.run, "domains");
    struct dirent *entry;
    DIR *d = dir ? opendir(dir) : NULL;
    uint64_t deadline;

    if (!d)
        return;
    while ((entry = readdir(d))) {
        size_t n = strlen(entry->d_name);
        CLEANUP_FREE char *path = path_join(dir, entry->d_name);

        if (path && n > 4 && streq(entry->d_name + n - 4, ".xml"))
            take_up(driver, path);
    }
    closedir(d);
    deadline = deadline_in(FIRST_TRIES_USEC);
    while (driver->n_first_tries > 0 && !driver->tasks.stopping &&
           fiber_cond_wait(&driver->tasks.changed, deadline) >= 0)
        ;
}
