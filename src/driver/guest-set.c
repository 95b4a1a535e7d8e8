/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the guest is told. Commands and members are those of QEMU's qga/qapi-schema.json. */
#include "driver/guest-set.h"

#include "domain/agent-link.h"
#include "driver/driver.h"
#include "qemu/agent.h"
#include "util/base64.h"
#include "util/json.h"

#define COMMAND_USEC (30 * USEC_PER_SEC)
#define NO_WAIT_USEC USEC_PER_MSEC

/* ---- time ---- */

/* A guest that was paused catches up with ticks it has missed, unless QEMU forgets them. */
static void forget_ticks(Domain *domain) {
    if (domain_check_active(domain, NULL) >= 0)
        monitor_run(domain->run->monitor, "rtc-reset-reinjection", NULL, deadline_in(COMMAND_USEC),
                    NULL, NULL);
}

int driver_set_guest_time(Domain *domain, int64_t seconds, unsigned nanoseconds, bool sync,
                          Error **reterr) {
    const int64_t second = INT64_C(1000000000);
    CLEANUP_JSON json_object *args = json_object_new_object();
    int r;

    if (!sync && (seconds < 0 || seconds > INT64_MAX / second || nanoseconds >= second))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "Time '%lld' is out of the range of the guest agent",
                            (long long)seconds);
    if (!args || (!sync && json_add_int(args, "time", seconds * second + nanoseconds) < 0))
        return error_no_memory(reterr);
    r = driver_agent_run(domain, "guest-set-time", TAKE_PTR(args), AGENT_DEFAULT, NULL, reterr);
    if (r >= 0)
        forget_ticks(domain);
    return r;
}

/* ---- users ---- */

int driver_set_user_password(Domain *domain, const char *user, const char *password, bool encrypted,
                             Error **reterr) {
    CLEANUP_JSON json_object *args = json_object_new_object();
    CLEANUP_FREE char *coded = base64_encode(password, strlen(password));

    if (!args || !coded || json_add_string(args, "username", user) < 0 ||
        json_add_string(args, "password", coded) < 0 ||
        json_add_bool(args, "crypted", encrypted) < 0)
        return error_no_memory(reterr);
    return driver_agent_run(domain, "guest-set-user-password", TAKE_PTR(args), AGENT_DEFAULT, NULL,
                            reterr);
}

int driver_get_ssh_keys(Domain *domain, const char *user, json_object **ret, Error **reterr) {
    CLEANUP_JSON json_object *args = json_object_new_object();

    if (!args || json_add_string(args, "username", user) < 0)
        return error_no_memory(reterr);
    return driver_agent_run(domain, "guest-ssh-get-authorized-keys", TAKE_PTR(args), AGENT_DEFAULT,
                            ret, reterr);
}

static json_object *key_list(char *const *keys, size_t n) {
    CLEANUP_JSON json_object *list = json_object_new_array();

    for (size_t i = 0; i < n; i++)
        if (!list || json_append_string(list, keys[i]) < 0)
            return NULL;
    return TAKE_PTR(list);
}

int driver_set_ssh_keys(Domain *domain, const char *user, char *const *keys, size_t n,
                        SshKeysChange how, Error **reterr) {
    const char *execute = how == SSH_KEYS_REMOVE ? "guest-ssh-remove-authorized-keys"
                                                 : "guest-ssh-add-authorized-keys";
    CLEANUP_JSON json_object *args = json_object_new_object();

    if (!args || json_add_string(args, "username", user) < 0 ||
        json_add(args, "keys", key_list(keys, n)) < 0 ||
        (how != SSH_KEYS_REMOVE && json_add_bool(args, "reset", how == SSH_KEYS_REPLACE) < 0))
        return error_no_memory(reterr);
    return driver_agent_run(domain, execute, TAKE_PTR(args), AGENT_DEFAULT, NULL, reterr);
}

/* ---- its end, sleep ---- */

int driver_agent_stop(Domain *domain, bool reboot, Error **reterr) {
    CLEANUP_JSON json_object *args = json_object_new_object();

    if (!args || json_add_string(args, "mode", reboot ? "reboot" : "powerdown") < 0)
        return error_no_memory(reterr);
    return driver_agent_run(domain, "guest-shutdown", TAKE_PTR(args), AGENT_NO_WAIT, NULL, reterr);
}

int driver_pm_suspend(Domain *domain, unsigned target, Error **reterr) {
    static const char *const commands[] = {"guest-suspend-ram", "guest-suspend-disk",
                                           "guest-suspend-hybrid"};

    if (target >= ARRAY_SIZE(commands))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "Invalid suspend target %u",
                            target);
    return driver_agent_run(domain, commands[target], NULL, AGENT_NO_WAIT, NULL, reterr);
}

int driver_pm_wakeup(Domain *domain, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, "wake-up", reterr);

    if (r < 0)
        return r;
    r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = monitor_run(domain->run->monitor, "system_wakeup", NULL, deadline_in(COMMAND_USEC),
                        NULL, reterr);
    domain_job_end(domain, &job);
    return r;
}

/* ---- patience ---- */

static uint64_t patience(int timeout) {
    switch (timeout) {
    case AGENT_BLOCK:
        return USEC_FOREVER;
    case AGENT_DEFAULT:
        return 0;
    case AGENT_NO_WAIT:
        return NO_WAIT_USEC;
    default:
        return (uint64_t)timeout * USEC_PER_SEC;
    }
}

int driver_set_agent_timeout(Domain *domain, int timeout, Error **reterr) {
    if (timeout < AGENT_BLOCK)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "guest agent timeout '%d' is less than the minimum '%d'", timeout,
                            AGENT_BLOCK);
    if (domain->run && !domain->run->agent)
        return error_report(reterr, FROM_QEMU, ERROR_ARGUMENT_UNSUPPORTED,
                            "QEMU guest agent is not configured");
    domain->agent_patience = patience(timeout);
    if (domain->run)
        agent_set_response_timeout(domain->run->agent, domain->agent_patience);
    return 0;
}
