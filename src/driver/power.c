/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/power.h"

#include "util/json.h"
#include "util/libvirt-numbers.h"

#define COMMAND_USEC (10 * USEC_PER_SEC)
#define LINUX_SAME_MAX 83u /* up to here Linux has the codes of XT keyboards */

/* virKeycodeSet, as far as QEMU's "number" can say it. */
enum { KEYCODES_LINUX = 0, KEYCODES_XT = 1, KEYCODES_QNUM = 9 };

/* Runs one command under the domain's job. Consumes args; NULL of a builder is -ENOMEM. */
static int command(Domain *domain, const char *what, const char *execute, json_object *args,
                   bool has_args, Error **reterr) {
    DomainJob job;
    int r;

    if (has_args && !args)
        return error_no_memory(reterr);
    r = domain_job_begin(domain, &job, what, reterr);
    if (r < 0) {
        json_object_put(args);
        return r;
    }
    r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = monitor_run(domain->run->monitor, execute, args, deadline_in(COMMAND_USEC), NULL,
                        reterr);
    else
        json_object_put(args);
    domain_job_end(domain, &job);
    return r;
}

/* linux/input-event-codes.h to QEMU's numbers: scan codes of set 1, those behind 0xe0 with bit 7.
 */
static int from_linux(unsigned key, unsigned *ret) {
    static const struct {
        uint8_t key, number;
    } others[] = {{87, 0x57},  {88, 0x58},  {96, 0x9c},  {97, 0x9d},  {98, 0xb5},  {99, 0x54},
                  {100, 0xb8}, {102, 0xc7}, {103, 0xc8}, {104, 0xc9}, {105, 0xcb}, {106, 0xcd},
                  {107, 0xcf}, {108, 0xd0}, {109, 0xd1}, {110, 0xd2}, {111, 0xd3}, {119, 0xc6},
                  {125, 0xdb}, {126, 0xdc}, {127, 0xdd}};

    *ret = key;
    if (key >= 1 && key <= LINUX_SAME_MAX)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (others[i].key == key) {
            *ret = others[i].number;
            return 0;
        }
    return -EINVAL;
}

static json_object *key_json(unsigned number) {
    CLEANUP_JSON json_object *key = json_object_new_object();

    if (!key || json_add_string(key, "type", "number") < 0 ||
        json_add_uint(key, "data", number) < 0)
        return NULL;
    return TAKE_PTR(key);
}

static json_object *keys_args(const unsigned *numbers, size_t n, unsigned holdtime_ms) {
    CLEANUP_JSON json_object *args = json_object_new_object(), *list = json_object_new_array();

    for (size_t i = 0; i < n; i++)
        if (!list || json_append(list, key_json(numbers[i])) < 0)
            return NULL;
    if (!args || json_add(args, "keys", TAKE_PTR(list)) < 0 ||
        (holdtime_ms && json_add_uint(args, "hold-time", holdtime_ms) < 0))
        return NULL;
    return TAKE_PTR(args);
}

int driver_send_key(Domain *domain, unsigned codeset, unsigned holdtime_ms, const unsigned *keys,
                    size_t n_keys, Error **reterr) {
    enum { KEYS_MAX = 16 };
    unsigned numbers[KEYS_MAX];

    assert(n_keys <= KEYS_MAX);
    if (codeset != KEYCODES_LINUX && codeset != KEYCODES_XT && codeset != KEYCODES_QNUM)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "key codes of set %u are not known; use linux, xt or qnum", codeset);
    for (size_t i = 0; i < n_keys; i++) {
        numbers[i] = keys[i];
        if (codeset == KEYCODES_LINUX && from_linux(keys[i], &numbers[i]) < 0)
            return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                                "cannot translate the linux key code %u for QEMU", keys[i]);
    }
    return command(domain, "send-key", "send-key", keys_args(numbers, n_keys, holdtime_ms), true,
                   reterr);
}

int driver_inject_nmi(Domain *domain, Error **reterr) {
    return command(domain, "inject-nmi", "inject-nmi", NULL, false, reterr);
}
