/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/confine-devices.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "domain/services.h"
#include "util/log.h"
#include "util/worker.h"

#define PTY_SLAVE_MAJOR 136 /* the first of eight, which Linux never goes beyond */

/* Caller frees; NULL: out of memory. */
static CgroupDevice *list_of(const ConfinePlan *plan, size_t *ret_n) {
    CgroupDevice *list = calloc(plan->n_nodes + 1, sizeof(CgroupDevice));

    if (!list)
        return NULL;
    for (size_t i = 0; i < plan->n_nodes; i++)
        list[i] = (CgroupDevice){.block = S_ISBLK(plan->nodes[i].mode),
                                 .major = major(plan->nodes[i].rdev),
                                 .minor = (int)minor(plan->nodes[i].rdev)};
    list[plan->n_nodes] = (CgroupDevice){.major = PTY_SLAVE_MAJOR, .minor = CGROUP_MINOR_ANY};
    *ret_n = plan->n_nodes + 1;
    return list;
}

static bool is_asked_for(const Domain *domain) {
    return domain->services->confinement->limit_devices &&
           limits_has_devices(domain->services->limits);
}

int confine_devices_begin(Domain *domain, const ConfinePlan *plan, Error **reterr) {
    CLEANUP_FREE CgroupDevice *list = NULL;
    CLEANUP_ERROR Error *error = NULL;
    size_t n;
    int r;

    assert(domain_job_is_mine(domain) && domain->run);
    if (!is_asked_for(domain))
        return 0;
    list = list_of(plan, &n);
    if (!list)
        return error_no_memory(reterr);
    r = limits_devices_begin(domain->run->limits, domain->run->pid.pid, list, n, &error);
    if (r == -ENOMEM)
        return error_propagate(reterr, TAKE_PTR(error));
    if (r < 0)
        log_warning("domain '%s' may use any device node of the host: %s", domain_name(domain),
                    error_message(error));
    return 0;
}

int confine_devices_add(Domain *domain, const ConfinePlan *plan, Error **reterr) {
    CLEANUP_FREE CgroupDevice *list = NULL;
    size_t n;

    assert(domain_job_is_mine(domain));
    if (!domain->run || !is_asked_for(domain))
        return 0;
    list = list_of(plan, &n);
    return list ? limits_devices_set(domain->run->limits, list, n, true, reterr)
                : error_no_memory(reterr);
}

/* ---- taken back ---- */

typedef struct Looking {
    ConfinePlan *plan;
    const DomainDef *def;
} Looking;

static int run_look(void *arg) {
    const Looking *looking = arg;

    confine_nodes_add(looking->plan, looking->def);
    return 0;
}

void confine_devices_settle(Domain *domain) {
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL; /* the run's may go meanwhile */
    CLEANUP_CONFINE_PLAN ConfinePlan plan = {0};
    CLEANUP_FREE CgroupDevice *list = NULL;
    CLEANUP_ERROR Error *error = NULL;
    size_t n;

    assert(domain_job_is_mine(domain));
    if (!domain->run || !is_asked_for(domain))
        return;
    def = domain_def_copy(domain->run->live);
    if (def)
        worker_run(run_look, &(Looking){&plan, def});
    if (!domain->run)
        return;
    list = def && !plan.failed ? list_of(&plan, &n) : NULL;
    if (!list || limits_devices_set(domain->run->limits, list, n, false, &error) < 0)
        log_warning("domain '%s': what its QEMU may open stays as it is: %s", domain_name(domain),
                    error ? error_message(error) : "out of memory");
}
