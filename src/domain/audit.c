/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Audit records of a domain, built on the loop and sent by a worker. */
#include "domain/audit.h"

#include "driver/driver.h"
#include "util/file.h"
#include "util/log.h"
#include "util/worker.h"

typedef struct AuditRecord {
    AuditType type;
    char *text;
    bool success;
} AuditRecord;

typedef struct Sending {
    Auditor *auditor;
    const AuditRecords *records;
    Error *error;
} Sending;

static bool is_active(const Domain *domain) {
    return domain->driver && domain->driver->auditor && auditor_is_active(domain->driver->auditor);
}

static void add(AuditRecords *records, AuditType type, char *text, bool success) {
    AuditRecord *bigger = text ? reallocarray(records->list, records->n + 1, sizeof(AuditRecord))
                               : NULL;

    if (!bigger) {
        free(text);
        records->failed = true;
        return;
    }
    records->list = bigger;
    records->list[records->n++] = (AuditRecord){.type = type, .text = text, .success = success};
}

static void records_done(AuditRecords *records) {
    for (size_t i = 0; i < records->n; i++)
        free(records->list[i].text);
    free(records->list);
    *records = (AuditRecords){0};
}

static AuditVm vm_of(const Domain *domain, char uuid[UUID_TEXT_SIZE]) {
    const DomainDef *def = domain_def(domain);

    uuid_format(def->uuid, uuid);
    return (AuditVm){
        .virt = def->virt == DOMAIN_VIRT_KVM ? "kvm" : "qemu", .name = def->name, .uuid = uuid};
}

static int run_send(void *arg) {
    Sending *sending = arg;
    int r = 0;

    for (size_t i = 0; i < sending->records->n; i++) {
        const AuditRecord *record = &sending->records->list[i];
        int one = auditor_send(sending->auditor, record->type, record->text, record->success,
                               sending->error ? NULL : &sending->error);

        r = r < 0 ? r : one;
    }
    return r;
}

/* One at a time: an auditor is not for two threads. */
static int send_all(AuditRecords *records, Driver *driver, Error **reterr) {
    Sending sending = {.records = records};
    int r;

    while (driver->auditing)
        fiber_cond_wait(&driver->audit_cond, USEC_FOREVER);
    driver->auditing = true;
    sending.auditor = driver->auditor; /* it may have become another meanwhile */
    r = worker_run(run_send, &sending);
    driver->auditing = false;
    fiber_cond_broadcast(&driver->audit_cond);
    if (r < 0)
        error_propagate(reterr, sending.error);
    return r;
}

void audit_records_add_vcpus(AuditRecords *records, const Domain *domain, unsigned old_count,
                             unsigned new_count, bool success) {
    char uuid[UUID_TEXT_SIZE];
    AuditVm vm;

    if (!is_active(domain))
        return;
    vm = vm_of(domain, uuid);
    add(records, AUDIT_TYPE_RESOURCE, audit_count_text(&vm, "vcpu", "update", old_count, new_count),
        success);
}

void audit_records_send(AuditRecords *records, Domain *domain) {
    CLEANUP_ERROR Error *error = NULL;

    if (records->failed)
        log_error("domain '%s': an audit record could not be built: out of memory",
                  domain_name(domain));
    if (records->n > 0 && domain->driver && send_all(records, domain->driver, &error) < 0)
        log_error("domain '%s': %s", domain_name(domain), error_message(error));
    records_done(records);
}

static void add_resources(AuditRecords *records, const Domain *domain, const AuditVm *vm) {
    const DomainDef *def = domain->run->live;
    const char *partition = limits_partition(domain->run->limits);

    for (size_t i = 0; i < def->n_disks; i++)
        if (def->disks[i].source.path)
            add(records, AUDIT_TYPE_RESOURCE,
                audit_device_text(vm, "disk", "start", NULL, def->disks[i].source.path), true);
    for (size_t i = 0; i < def->n_interfaces; i++)
        add(records, AUDIT_TYPE_RESOURCE,
            audit_device_text(vm, "net", "start", NULL, def->interfaces[i].mac), true);
    for (size_t i = 0; i < def->n_rngs; i++)
        add(records, AUDIT_TYPE_RESOURCE,
            audit_device_text(vm, "rng", "start", NULL,
                              def->rngs[i].backend ? def->rngs[i].backend : "/dev/urandom"),
            true);
    add(records, AUDIT_TYPE_RESOURCE, audit_count_text(vm, "mem", "start", 0, def->memory_kib),
        true);
    add(records, AUDIT_TYPE_RESOURCE,
        audit_count_text(vm, "vcpu", "start", 0, domain_def_online_vcpus(def)), true);
    if (partition) {
        CLEANUP_FREE char *path = strf("%s/%s", streq(partition, "/") ? "" : partition,
                                       limits_group(domain->run->limits));

        add(records, AUDIT_TYPE_RESOURCE,
            path ? audit_cgroup_text(vm, "allow", path, NULL, NULL) : NULL, true);
    }
}

int audit_domain_start(Domain *domain, bool success, Error **reterr) {
    CLEANUP(records_done) AuditRecords records = {0};
    char uuid[UUID_TEXT_SIZE];
    AuditVm vm;

    if (!is_active(domain))
        return 0;
    vm = vm_of(domain, uuid);
    if (success)
        add_resources(&records, domain, &vm);
    add(&records, AUDIT_TYPE_CONTROL,
        audit_control_text(&vm, "start", "booted", domain->run->pid.pid), success);
    if (records.failed)
        return error_no_memory(reterr);
    return send_all(&records, domain->driver, reterr);
}

void audit_domain_stop(Domain *domain, const char *reason) {
    AuditRecords records = {0};
    char uuid[UUID_TEXT_SIZE];
    AuditVm vm;

    if (!is_active(domain))
        return;
    vm = vm_of(domain, uuid);
    add(&records, AUDIT_TYPE_CONTROL, audit_control_text(&vm, "stop", reason, domain->run->pid.pid),
        true);
    audit_records_send(&records, domain);
}
