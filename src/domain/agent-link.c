/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/agent-link.h"

#include "domain/events.h"
#include "qemu/agent.h"
#include "util/json.h"

#define AGENT_CHANNEL "org.qemu.guest_agent.0"
#define QUERY_USEC (5 * USEC_PER_SEC)

static const ChardevDef *find_channel(const DomainDef *def) {
    for (size_t i = 0; i < def->n_chardevs; i++) {
        const ChardevDef *chardev = &def->chardevs[i];

        if (chardev->kind == CHARDEV_CHANNEL && chardev->source.type == CHARDEV_UNIX &&
            chardev->source.path && streq_ptr(chardev->target_name, AGENT_CHANNEL))
            return chardev;
    }
    return NULL;
}

/* Whether the guest's end of the chardev is open: "frontend-open" of query-chardev. */
static bool frontend_open(json_object *list, const char *alias) {
    for (size_t i = 0; i < json_length(list); i++) {
        json_object *row = json_object_array_get_idx(list, i);
        const char *name = json_member_string(row, "label");

        if (name && strncmp(name, "char", 4) == 0 && streq(name + 4, alias))
            return json_member_bool(row, "frontend-open", false);
    }
    return false;
}

static void set_connected(Domain *domain, bool connected, int reason) {
    if (agent_is_connected(domain->run->agent) == connected)
        return;
    agent_set_connected(domain->run->agent, connected);
    events_agent_lifecycle(domain, connected, reason);
}

int agent_link_open(Domain *domain, Error **reterr) {
    const ChardevDef *channel = find_channel(domain->run->live);
    CLEANUP_JSON json_object *list = NULL;
    int r;

    agent_free(TAKE_PTR(domain->run->agent));
    if (!channel)
        return 0;
    r = agent_new(channel->source.path, domain_name(domain), &domain->run->agent);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot use the agent's channel '%s'",
                            channel->source.path);
    agent_set_response_timeout(domain->run->agent, domain->agent_patience);
    agent_set_connected(domain->run->agent, false);
    r = monitor_run(domain->run->monitor, "query-chardev", NULL, deadline_in(QUERY_USEC), &list,
                    reterr);
    if (r >= 0 && domain->run->agent && channel->info.alias &&
        frontend_open(list, channel->info.alias))
        set_connected(domain, true, AGENT_REASON_DOMAIN_STARTED);
    return r < 0 ? r : 0;
}

void agent_link_event(Domain *domain, json_object *data) {
    const ChardevDef *channel = find_channel(domain->run->live);
    const char *id = json_member_string(data, "id");
    json_object *open = json_member(data, "open");

    if (!domain->run->agent || !channel || !id || !open || !streq_ptr(id, channel->info.alias))
        return;
    set_connected(domain, json_object_get_boolean(open), AGENT_REASON_CHANNEL);
}

int agent_link_get(Domain *domain, struct Agent **ret, Error **reterr) {
    int r = domain_check_active(domain, reterr);

    if (r < 0)
        return r;
    if (domain->state != DOMAIN_RUNNING)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is not running");
    if (!domain->run->agent)
        return error_report(reterr, FROM_QEMU, ERROR_ARGUMENT_UNSUPPORTED,
                            "QEMU guest agent is not configured");
    if (!agent_is_connected(domain->run->agent))
        return error_report(reterr, FROM_QEMU, ERROR_AGENT_UNRESPONSIVE,
                            "QEMU guest agent is not connected");
    *ret = domain->run->agent;
    return 0;
}

int agent_link_vcpus(Domain *domain, AgentVcpus *ret, Error **reterr) {
    struct Agent *agent;
    int r = agent_link_get(domain, &agent, reterr);

    return r < 0 ? r : agent_get_vcpus(agent, ret, reterr);
}

int agent_link_change_vcpus(Domain *domain, AgentVcpus *vcpus, Error **reterr) {
    struct Agent *agent;
    int r = agent_link_get(domain, &agent, reterr);

    return r < 0 ? r : agent_set_vcpus(agent, vcpus, reterr);
}
