/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a client asks of a guest's agent. */
#include "domain/agent-link.h"
#include "driver/driver.h"
#include "qemu/agent.h"

int driver_agent_command(Domain *domain, const char *command, int timeout, char **ret,
                         Error **reterr) {
    struct Agent *agent;
    int r = agent_link_get(domain, &agent, reterr);

    return r < 0 ? r : agent_command(agent, command, timeout, ret, reterr);
}

int driver_agent_run(Domain *domain, const char *execute, json_object *arguments, int timeout,
                     json_object **ret, Error **reterr) {
    struct Agent *agent;
    int r = agent_link_get(domain, &agent, reterr);

    if (r < 0)
        json_object_put(arguments);
    return r < 0 ? r : agent_run(agent, execute, arguments, timeout, ret, reterr);
}

int driver_agent_vcpus(Domain *domain, AgentVcpus *ret, Error **reterr) {
    return agent_link_vcpus(domain, ret, reterr);
}

int driver_agent_set_count(Domain *domain, unsigned count, Error **reterr) {
    CLEANUP_AGENT_VCPUS AgentVcpus vcpus = {0};
    int r = agent_link_vcpus(domain, &vcpus, reterr);

    if (r >= 0)
        r = agent_vcpus_plan(&vcpus, count, reterr);
    return r < 0 ? r : agent_link_change_vcpus(domain, &vcpus, reterr);
}

int driver_agent_set_vcpus(Domain *domain, const char *list, bool online, Error **reterr) {
    CLEANUP_AGENT_VCPUS AgentVcpus vcpus = {0};
    CLEANUP_BITMAP Bitmap *ids = NULL;
    int r = bitmap_parse(list, AGENT_VCPUS_MAX, &ids);

    if (r == -ENOMEM)
        return error_no_memory(reterr);
    if (r < 0 || bitmap_is_empty(ids))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "Failed to parse bitmap '%s'",
                            list);
    r = agent_link_vcpus(domain, &vcpus, reterr);
    if (r >= 0)
        r = agent_vcpus_select(&vcpus, ids, online, reterr);
    return r < 0 ? r : agent_link_change_vcpus(domain, &vcpus, reterr);
}
