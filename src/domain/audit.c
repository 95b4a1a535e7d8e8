/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/audit.h"

#include "domain/services.h"
#include "util/file.h"
#include "util/log.h"

static bool is_active(const Domain *domain) {
    return domain->services && audit_queue_is_active(domain->services->audit);
}

static AuditVm vm_of(const Domain *domain, char uuid[UUID_TEXT_SIZE]) {
    const DomainDef *def = domain_def(domain);

    uuid_format(def->uuid, uuid);
    return (AuditVm){
        .virt = def->virt == DOMAIN_VIRT_KVM ? "kvm" : "qemu", .name = def->name, .uuid = uuid};
}

void audit_records_add_vcpus(AuditRecords *records, const Domain *domain, unsigned old_count,
                             unsigned new_count, bool success) {
    char uuid[UUID_TEXT_SIZE];
    AuditVm vm;

    if (!is_active(domain))
        return;
    vm = vm_of(domain, uuid);
    audit_records_add(records, AUDIT_TYPE_RESOURCE,
                      audit_count_text(&vm, "vcpu", "update", old_count, new_count), success);
}

void audit_records_send(AuditRecords *records, Domain *domain) {
    CLEANUP_ERROR Error *error = NULL;

    if (records->failed)
        log_error("domain '%s': an audit record could not be built: out of memory",
                  domain_name(domain));
    if (records->n > 0 && domain->services &&
        audit_queue_send(domain->services->audit, records, &error) < 0)
        log_error("domain '%s': %s", domain_name(domain), error_message(error));
    audit_records_done(records);
}

static void add_resources(AuditRecords *records, const Domain *domain, const AuditVm *vm) {
    const DomainDef *def = domain->run->live;
    const char *partition = limits_partition(domain->run->limits);

    for (size_t i = 0; i < def->n_disks; i++)
        if (def->disks[i].source.path)
            audit_records_add(
                records, AUDIT_TYPE_RESOURCE,
                audit_device_text(vm, "disk", "start", NULL, def->disks[i].source.path), true);
    for (size_t i = 0; i < def->n_interfaces; i++)
        audit_records_add(records, AUDIT_TYPE_RESOURCE,
                          audit_device_text(vm, "net", "start", NULL, def->interfaces[i].mac),
                          true);
    for (size_t i = 0; i < def->n_rngs; i++)
        audit_records_add(
            records, AUDIT_TYPE_RESOURCE,
            audit_device_text(vm, "rng", "start", NULL,
                              def->rngs[i].backend ? def->rngs[i].backend : "/dev/urandom"),
            true);
    audit_records_add(records, AUDIT_TYPE_RESOURCE,
                      audit_count_text(vm, "mem", "start", 0, def->memory_kib), true);
    audit_records_add(records, AUDIT_TYPE_RESOURCE,
                      audit_count_text(vm, "vcpu", "start", 0, domain_def_online_vcpus(def)), true);
    if (partition) {
        CLEANUP_FREE char *path = strf("%s/%s", streq(partition, "/") ? "" : partition,
                                       limits_group(domain->run->limits));

        audit_records_add(records, AUDIT_TYPE_RESOURCE,
                          path ? audit_cgroup_text(vm, "allow", path, NULL, NULL) : NULL, true);
    }
}

int audit_domain_start(Domain *domain, bool success, Error **reterr) {
    CLEANUP(audit_records_done) AuditRecords records = {0};
    char uuid[UUID_TEXT_SIZE];
    AuditVm vm;

    assert(domain->run);
    if (!is_active(domain))
        return 0;
    vm = vm_of(domain, uuid);
    if (success)
        add_resources(&records, domain, &vm);
    audit_records_add(&records, AUDIT_TYPE_CONTROL,
                      audit_control_text(&vm, "start", "booted", domain->run->pid.pid), success);
    if (records.failed)
        return error_no_memory(reterr);
    return audit_queue_send(domain->services->audit, &records, reterr);
}

void audit_domain_stop(Domain *domain, const char *reason) {
    AuditRecords records = {0};
    char uuid[UUID_TEXT_SIZE];
    AuditVm vm;

    assert(domain->run);
    if (!is_active(domain))
        return;
    vm = vm_of(domain, uuid);
    audit_records_add(&records, AUDIT_TYPE_CONTROL,
                      audit_control_text(&vm, "stop", reason, domain->run->pid.pid), true);
    audit_records_send(&records, domain);
}

void audit_call(AuditQueue *queue, const Domain *domain, const char *api, const AuditCaller *caller,
                bool success) {
    AuditRecords records = {0};
    CLEANUP_ERROR Error *error = NULL;
    char uuid[UUID_TEXT_SIZE];
    AuditVm vm;

    if (!audit_queue_is_active(queue))
        return;
    if (domain)
        vm = vm_of(domain, uuid);
    audit_records_add(&records, AUDIT_TYPE_CALL, audit_call_text(domain ? &vm : NULL, api, caller),
                      success);
    if (records.failed)
        log_error("%s: an audit record could not be built: out of memory", api);
    else if (audit_queue_send(queue, &records, &error) < 0)
        log_error("%s: %s", api, error_message(error));
    audit_records_done(&records);
}
