/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a vCPU change would do, as text for a person. */
#include <stdio.h>
#include <unistd.h>

#include "domain/vcpu-config.h"
#include "domain/vcpu-request.h"
#include "driver/driver.h"
#include "qemu/agent.h"
#include "util/text.h"

static void print_entity(FILE *out, const VcpuEntity *entity, bool plug) {
    const char *props = entity->props ? entity->props : "{}";

    if (plug && entity->cpu_add)
        fprintf(out, "plug    vcpu%u: cpu-add %u", entity->first_id, entity->first_id);
    else if (plug)
        fprintf(out, "plug    vcpu%u: device_add %s %s", entity->first_id, entity->type, props);
    else
        fprintf(out, "unplug  %s: device_del, then the guest's evidence", entity->alias);
    if (entity->n_vcpus > 1)
        fprintf(out, " (%u vCPUs)", entity->n_vcpus);
    fputc('\n', out);
}

/* What it means for the host and the guest, and what should be known before. */
static void print_effects(FILE *out, const Domain *domain, const HotplugPlan *plan) {
    unsigned n = hotplug_plan_vcpus(&domain->run->vcpus, plan),
             online = domain_def_online_vcpus(domain->run->live);
    unsigned after = plan->plug ? online + n : online - n;
    CLEANUP_FREE char *warning = hotplug_warning(domain, plan->plug);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    fprintf(out, "host    %u threads %s, %u in all on %ld host CPUs\n", n,
            plan->plug ? "more" : "less", after, cpus);
    if (plan->plug && (long)after > cpus)
        fprintf(out, "warning more vCPUs than host CPUs: they will take turns\n");
    if (plan->plug && (!domain->run->agent || !agent_is_connected(domain->run->agent)))
        fprintf(
            out,
            "warning no guest agent is connected: the guest itself must bring the vCPUs online\n");
    if (warning)
        fprintf(out, "warning %s\n", warning);
}

int driver_plan_vcpus(Domain *domain, const VcpuRequest *request, char **ret, Error **reterr) {
    CLEANUP(hotplug_plan_done) HotplugPlan plan = {0};
    CLEANUP_DOMAIN_DEF DomainDef *wanted = NULL;
    bool live, config;
    FILE *out;
    int r;

    r = domain_resolve_affect(domain, request->flags, &live, &config, reterr);
    if (r >= 0)
        r = vcpu_request_check(domain, request, live, config, reterr);
    if (r >= 0 && config)
        r = vcpu_config_make(domain, request, &wanted, reterr);
    if (r >= 0 && live)
        r = vcpu_request_plan(domain, request, &plan, reterr);
    if (r >= 0 && config && !domain->config) /* nobody holds the job */
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                         "domain '%s' was undefined meanwhile", domain_name(domain));
    if (r < 0)
        return r;
    out = text_open(ret);
    if (!out)
        return error_no_memory(reterr);
    for (size_t i = 0; i < plan.n_entities; i++)
        print_entity(out, &domain->run->vcpus.entities[plan.entities[i]], plan.plug);
    if (plan.n_entities > 0)
        print_effects(out, domain, &plan);
    if (live)
        fprintf(out, "live    %u vCPUs online now, %zu entities to %s\n",
                domain_def_online_vcpus(domain->run->live), plan.n_entities,
                plan.plug ? "plug" : "unplug");
    if (config)
        fprintf(out, "config  %u of %u vCPUs, will be %u of %u\n",
                domain_def_online_vcpus(domain->config), domain->config->n_vcpus_max,
                domain_def_online_vcpus(wanted), wanted->n_vcpus_max);
    return fclose(out) == 0 ? 0 : error_no_memory(reterr);
}
