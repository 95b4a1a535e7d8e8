/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/power.h"

#include "util/json.h"
#include "util/libvirt-numbers.h"

#define COMMAND_USEC (10 * USEC_PER_SEC)
#define LINUX_SAME_MAX 83u /* up to here Linux has the codes of XT keyboards */

/* virKeycodeSet, as far as QEMU's "number" can say it. */
enum {
    KEYCODES_LINUX = 0,
    KEYCODES_XT = 1,
    KEYCODES_ATSET1 = 2,
    KEYCODES_USB = 7,
    KEYCODES_QNUM = 9
};

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
    if (key <= LINUX_SAME_MAX)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (others[i].key == key) {
            *ret = others[i].number;
            return 0;
        }
    return -EINVAL;
}

/* Scan codes of set 1; with a prefix they are 0xe0NN. */
static int from_scan_code(unsigned key, unsigned *ret) {
    if (key > 0xff && (key & ~0x7fu) != 0xe000)
        return -EINVAL;
    *ret = key > 0xff ? (key & 0x7f) | 0x80 : key;
    return 0;
}

/* Usages of the HID's keyboard page to Linux' codes: letters, digits, the rows around them, the
 * keypad, then modifiers. */
static int from_usb(unsigned key, unsigned *ret) {
    static const uint8_t from_a[] = {
        30, 48, 46, 32, 18, 33, 34, 35, 23,  36,  37,  38,  50,  49,  24,  25,  16,  19,  31,  20,
        22, 47, 17, 45, 21, 44, 2,  3,  4,   5,   6,   7,   8,   9,   10,  11,  28,  1,   14,  15,
        57, 12, 13, 26, 27, 43, 43, 39, 40,  41,  51,  52,  53,  58,  59,  60,  61,  62,  63,  64,
        65, 66, 67, 68, 87, 88, 99, 70, 119, 110, 102, 104, 111, 107, 109, 106, 105, 108, 103, 69,
        98, 55, 74, 78, 96, 79, 80, 81, 75,  76,  77,  71,  72,  73,  82,  83,  86,  127};
    static const uint8_t modifiers[] = {29, 42, 56, 125, 97, 54, 100, 126};
    enum { USAGE_A = 4, USAGE_LEFT_CONTROL = 0xe0 };

    if (key < USAGE_A) { /* "no event" and errors */
        *ret = 0;
        return 0;
    }
    if (key - USAGE_A < ARRAY_SIZE(from_a))
        return from_linux(from_a[key - USAGE_A], ret);
    return key >= USAGE_LEFT_CONTROL && key - USAGE_LEFT_CONTROL < ARRAY_SIZE(modifiers)
               ? from_linux(modifiers[key - USAGE_LEFT_CONTROL], ret)
               : -EINVAL;
}

static int from_qnum(unsigned key, unsigned *ret) {
    *ret = key;
    return 0;
}

typedef int (*Translate)(unsigned key, unsigned *ret);

static Translate translate_of(unsigned codeset) {
    static const Translate sets[] = {[KEYCODES_LINUX] = from_linux,
                                     [KEYCODES_XT] = from_scan_code,
                                     [KEYCODES_ATSET1] = from_scan_code,
                                     [KEYCODES_USB] = from_usb,
                                     [KEYCODES_QNUM] = from_qnum};

    return codeset < ARRAY_SIZE(sets) ? sets[codeset] : NULL;
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
    const Translate translate = translate_of(codeset);
    unsigned numbers[KEYS_MAX];

    assert(n_keys <= KEYS_MAX);
    if (!translate)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "key codes of set %u are not known; use linux, xt, atset1, usb or qnum",
                            codeset);
    for (size_t i = 0; i < n_keys; i++)
        if (translate(keys[i], &numbers[i]) < 0)
            return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                                "cannot translate the key code %u of set %u for QEMU", keys[i],
                                codeset);
    return command(domain, "send-key", "send-key", keys_args(numbers, n_keys, holdtime_ms), true,
                   reterr);
}

int driver_inject_nmi(Domain *domain, Error **reterr) {
    return command(domain, "inject-nmi", "inject-nmi", NULL, false, reterr);
}
