/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's guest agent: found by the name of its channel, open or not by QEMU's word. Takes no
 * domain job: an agent that is stuck must not hold up a change, nor a change an agent. */
#include "qemu/agent-vcpu.h"
#include "domain/domain.h"
#include "driver/driver.h"
#include "util/file.h"
#include "util/log.h"

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
    for (size_t i = 0;
         json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++) {
        json_object *row = json_object_array_get_idx(list, i), *label = NULL, *open = NULL;
        const char *name;

        if (!json_object_object_get_ex(row, "label", &label) ||
            !json_object_object_get_ex(row, "frontend-open", &open))
            continue;
        name = json_object_get_string(label);
        if (name && strncmp(name, "char", 4) == 0 && streq(name + 4, alias))
            return json_object_get_boolean(open);
    }
    return false;
}

static void set_connected(Domain *domain, bool connected, int reason) {
    const DriverEvents *events = domain->driver->events;

    if (agent_is_connected(domain->run->agent) == connected)
        return;
    agent_set_connected(domain->run->agent, connected);
    if (events && events->agent_lifecycle)
        events->agent_lifecycle(domain, connected, reason, domain->driver->userdata);
}

int driver_agent_open(Domain *domain, Error **reterr) {
    const ChardevDef *channel = find_channel(domain->run->live);
    json_object *list = NULL;
    int r;

    agent_free(TAKE_PTR(domain->run->agent));
    if (!channel)
        return 0;
    r = agent_new(channel->source.path, domain_name(domain), &domain->run->agent);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot use the agent's channel '%s'",
                            channel->source.path);
    agent_set_connected(domain->run->agent, false);
    r = monitor_run(domain->run->monitor, "query-chardev", NULL, deadline_in(QUERY_USEC), &list,
                    reterr);
    if (r >= 0 && domain->run->agent && channel->info.alias &&
        frontend_open(list, channel->info.alias))
        set_connected(domain, true, AGENT_REASON_DOMAIN_STARTED);
    json_object_put(list);
    return r < 0 ? r : 0;
}

void driver_agent_event(Domain *domain, json_object *data) {
    const ChardevDef *channel = find_channel(domain->run->live);
    json_object *id = NULL, *open = NULL;

    if (!domain->run->agent || !channel || !json_object_object_get_ex(data, "id", &id) ||
        !json_object_object_get_ex(data, "open", &open) ||
        !streq_ptr(json_object_get_string(id), channel->info.alias))
        return;
    set_connected(domain, json_object_get_boolean(open), AGENT_REASON_CHANNEL);
}

static int get_agent(Domain *domain, Error **reterr) {
    int r = domain_check_active(domain, reterr);

    if (r < 0)
        return r;
    if (!domain->run->agent)
        return error_report(reterr, FROM_QEMU, ERROR_ARGUMENT_UNSUPPORTED,
                            "QEMU guest agent is not configured");
    if (!agent_is_connected(domain->run->agent))
        return error_report(reterr, FROM_QEMU, ERROR_AGENT_UNRESPONSIVE,
                            "QEMU guest agent is not connected");
    if (domain->state != DOMAIN_RUNNING)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain is not running: its guest agent cannot answer");
    return 0;
}

int driver_agent_command(Domain *domain, const char *command, int timeout, char **ret,
                         Error **reterr) {
    int r = get_agent(domain, reterr);

    return r < 0 ? r : agent_command(domain->run->agent, command, timeout, ret, reterr);
}

int driver_agent_run(Domain *domain, const char *execute, json_object *arguments, int timeout,
                     json_object **ret, Error **reterr) {
    int r = get_agent(domain, reterr);

    if (r < 0)
        json_object_put(arguments);
    return r < 0 ? r : agent_run(domain->run->agent, execute, arguments, timeout, ret, reterr);
}

int driver_agent_vcpus(Domain *domain, AgentVcpus *ret, Error **reterr) {
    int r = get_agent(domain, reterr);

    return r < 0 ? r : agent_get_vcpus(domain->run->agent, ret, reterr);
}

int driver_agent_change(Domain *domain, AgentVcpus *vcpus, Error **reterr) {
    int r = get_agent(domain, reterr);

    return r < 0 ? r : agent_set_vcpus(domain->run->agent, vcpus, reterr);
}

int driver_agent_set_count(Domain *domain, unsigned count, Error **reterr) {
    CLEANUP_AGENT_VCPUS AgentVcpus vcpus = {0};
    int r = driver_agent_vcpus(domain, &vcpus, reterr);

    if (r >= 0)
        r = agent_vcpus_plan(&vcpus, count, reterr);
    return r < 0 ? r : driver_agent_change(domain, &vcpus, reterr);
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
    r = driver_agent_vcpus(domain, &vcpus, reterr);
    if (r >= 0)
        r = agent_vcpus_select(&vcpus, ids, online, reterr);
    return r < 0 ? r : driver_agent_change(domain, &vcpus, reterr);
}
