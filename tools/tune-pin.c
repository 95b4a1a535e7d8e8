/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which host CPUs the threads of a domain may run on: shown and set. */
#include "cmd-tune.h"
#include "cmd-vcpu.h"
#include "util/bitmap.h"

/* ---- CPU lists ---- */

static int invalid_cpulist(const char *list, const char *why) {
    CLEANUP_ERROR Error *error = NULL;

    error_report(&error, FROM_NONE, ERROR_INVALID_ARG, "%s", why);
    return tool_fail(error, "Invalid cpulist '%s'", list);
}

/* "0-4,^2" or "r" as a map of n_cpus bits in fresh memory, for the call that sets it. */
static int read_cpulist(const Args *args, int n_cpus, char **ret) {
    const char *list = args_string(args, "cpulist");
    CLEANUP_BITMAP Bitmap *map = NULL;
    int r = 0, last;

    if (streq(list, "r"))
        map = bitmap_new_range((unsigned)n_cpus);
    else
        r = bitmap_parse(list, BITMAP_MAX_BITS, &map);
    if (r == -EINVAL || r == -ERANGE)
        return invalid_cpulist(
            list, "expected CPUs and ranges as in '0-4,^2', or 'r' for all CPUs of the host");
    if (!map)
        return tool_fail(NULL, "out of memory");
    last = bitmap_last(map);
    if (last < 0)
        return invalid_cpulist(list, "no CPU is left of it; at least one is needed");
    if (last >= n_cpus)
        return tool_fail(NULL, "CPU %d in cpulist '%s' exceed the maxcpu %d", last, list, n_cpus);
    *ret = calloc(1, vcpu_map_len(n_cpus));
    if (!*ret)
        return tool_fail(NULL, "out of memory");
    bitmap_to_bytes(map, (uint8_t *)*ret, vcpu_map_len(n_cpus));
    return 0;
}

/* ---- printing ---- */

/* A table of numbered threads with their maps, or the same as JSON. */
typedef struct PinList {
    const Tool *tool;
    const char *key; /* JSON's name for the number */
    size_t n_cpus;
    Table table;
    json_object *json;
} PinList;

static void pin_list_start(PinList *list, const Tool *tool, const char *title, const char *key,
                           int n_cpus) {
    const char *const titles[] = {title, "CPU Affinity"};

    *list = (PinList){.tool = tool, .key = key, .n_cpus = (size_t)n_cpus};
    list->json = tool->json ? json_object_new_array() : NULL;
    table_start(&list->table, ARRAY_SIZE(titles), titles);
}

static void pin_list_add(PinList *list, unsigned number, const uint8_t *map, size_t map_len) {
    CLEANUP_FREE char *text = text_format("%u", number);
    CLEANUP_FREE char *affinity = format_cpulist(map, map_len, list->n_cpus);
    const char *const cells[] = {text, affinity};
    json_object *object;

    table_add(&list->table, cells);
    if (!list->json)
        return;
    object = json_object_new_object();
    json_object_object_add(object, list->key, json_object_new_int64(number));
    json_object_object_add(object, "affinity", json_cpulist(map, map_len, list->n_cpus));
    json_object_array_add(list->json, object);
}

static void pin_list_print(PinList *list) {
    if (list->json)
        tool_print_json(list->json);
    else
        table_print(&list->table, !list->tool->quiet);
    table_done(&list->table);
}

/* ---- vcpupin ---- */

static int print_vcpu_pins(Tool *tool, const remote_domain *dom, long long only, int n_cpus,
                           unsigned flags) {
    CLEANUP(vcpu_pins_done) remote_domain_get_vcpu_pin_info_ret pins = {0};
    CLEANUP_ERROR Error *error = NULL;
    size_t map_len = vcpu_map_len(n_cpus);
    int n = vcpu_get_count(tool, dom, VCPU_MAXIMUM | flags, &error);
    PinList list;

    if (n < 0)
        return tool_fail(NULL, "%s", error_message(error));
    if (only >= n)
        return tool_fail(NULL, "vcpu %lld is out of range of %s cpu count %d", only,
                         (flags & VCPU_CONFIG) ||
                                 vcpu_ask(tool, REMOTE_PROC_DOMAIN_IS_ACTIVE, dom) != 1
                             ? "persistent"
                             : "live",
                         n);
    if (vcpu_get_pins(tool, dom, n, n_cpus, flags, &pins, &error) < 0)
        return tool_fail(NULL, "%s", error_message(error));
    pin_list_start(&list, tool, "VCPU", "vcpu", n_cpus);
    for (int id = 0; id < n; id++) {
        const uint8_t *map = vcpu_pin_of(&pins, (size_t)id, map_len);

        if (map && (only < 0 || only == id))
            pin_list_add(&list, (unsigned)id, map, map_len);
    }
    pin_list_print(&list);
    return 0;
}

static int show_vcpu_pins(Tool *tool, const Args *args, const remote_domain *dom, long long only,
                          int n_cpus, unsigned flags) {
    if (tool_exclusive(args, "live", "config") < 0)
        return -EINVAL;
    if ((flags & VCPU_LIVE) && vcpu_ask(tool, REMOTE_PROC_DOMAIN_IS_ACTIVE, dom) == 0)
        return tool_fail(NULL, "cannot get vcpupin for offline domain");
    if ((flags & VCPU_CONFIG) && vcpu_ask(tool, REMOTE_PROC_DOMAIN_IS_PERSISTENT, dom) == 0)
        return tool_fail(NULL, "cannot get vcpupin for transient domain");
    return print_vcpu_pins(tool, dom, only, n_cpus, flags);
}

static int pin_vcpu(Tool *tool, const Args *args, const remote_domain *dom, unsigned vcpu,
                    int n_cpus, unsigned flags) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *map = NULL;
    remote_domain_pin_vcpu_flags_args call = {.dom = *dom, .vcpu = vcpu, .flags = flags};
    remote_domain_pin_vcpu_args plain = {.dom = *dom, .vcpu = vcpu};
    int r;

    if (read_cpulist(args, n_cpus, &map) < 0)
        return -EINVAL;
    call.cpumap.cpumap_val = plain.cpumap.cpumap_val = map;
    call.cpumap.cpumap_len = plain.cpumap.cpumap_len = (u_int)vcpu_map_len(n_cpus);
    /* Without any option the old call: the running domain. */
    if (flags == 0 && !args_has(args, "current"))
        r = CALL_VOID(tool, DOMAIN_PIN_VCPU, remote_domain_pin_vcpu_args, &plain, &error);
    else
        r = CALL_VOID(tool, DOMAIN_PIN_VCPU_FLAGS, remote_domain_pin_vcpu_flags_args, &call,
                      &error);
    return r < 0 ? tool_fail(NULL, "%s", error_message(error)) : 0;
}

int cmd_vcpupin(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    long long vcpu = -1;
    unsigned flags = 0;
    int n_cpus;

    if (tool_affect_flags(args, &flags) < 0)
        return -EINVAL;
    if (args_number(args, "vcpu", 0, UINT32_MAX, &vcpu) < 0)
        return tool_bad_number(args, "vcpu");
    if (args_has(args, "cpulist") && vcpu < 0)
        return tool_fail(NULL, "vcpupin: Missing vCPU number in pin mode.");
    n_cpus = vcpu_host_cpus(tool);
    if (n_cpus < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    return args_has(args, "cpulist") ? pin_vcpu(tool, args, &dom, (unsigned)vcpu, n_cpus, flags)
                                     : show_vcpu_pins(tool, args, &dom, vcpu, n_cpus, flags);
}

/* ---- emulatorpin ---- */

static int show_emulator_pin(Tool *tool, const remote_domain *dom, int n_cpus, unsigned flags) {
    remote_domain_get_emulator_pin_info_args call = {
        .dom = *dom, .maplen = (int)vcpu_map_len(n_cpus), .flags = flags};
    remote_domain_get_emulator_pin_info_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    const uint8_t *map;

    if (CALL(tool, DOMAIN_GET_EMULATOR_PIN_INFO, remote_domain_get_emulator_pin_info_args, &call,
             remote_domain_get_emulator_pin_info_ret, &ret, &error) < 0)
        return tool_fail(NULL, "%s", error_message(error));
    map = (uint8_t *)ret.cpumaps.cpumaps_val;
    if (tool->json) {
        json_object *object = json_object_new_object();

        json_object_object_add(object, "affinity",
                               json_cpulist(map, ret.cpumaps.cpumaps_len, (size_t)n_cpus));
        tool_print_json(object);
    } else {
        CLEANUP_FREE char *affinity = format_cpulist(map, ret.cpumaps.cpumaps_len, (size_t)n_cpus);

        tool_say(tool, "emulator: CPU Affinity\n----------------------------------\n       *: ");
        printf("%s\n", affinity);
    }
    xdr_free((xdrproc_t)xdr_remote_domain_get_emulator_pin_info_ret, (char *)&ret);
    return 0;
}

int cmd_emulatorpin(Tool *tool, const Args *args) {
    remote_domain_pin_emulator_args call = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *map = NULL;
    unsigned flags = 0;
    int n_cpus;

    if (tool_affect_flags(args, &flags) < 0)
        return -EINVAL;
    if (!args_has(args, "cpulist") && tool_exclusive(args, "live", "config") < 0)
        return -EINVAL;
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    n_cpus = vcpu_host_cpus(tool);
    if (n_cpus < 0)
        return n_cpus;
    if (!args_has(args, "cpulist"))
        return show_emulator_pin(tool, &dom, n_cpus, flags);
    if (read_cpulist(args, n_cpus, &map) < 0)
        return -EINVAL;
    call = (remote_domain_pin_emulator_args){
        .dom = dom,
        .cpumap = {.cpumap_val = map, .cpumap_len = (u_int)vcpu_map_len(n_cpus)},
        .flags = flags};
    if (CALL_VOID(tool, DOMAIN_PIN_EMULATOR, remote_domain_pin_emulator_args, &call, &error) < 0)
        return tool_fail(NULL, "%s", error_message(error));
    return 0;
}

/* ---- IO threads ---- */

static void print_iothreads(Tool *tool, const remote_domain_get_iothread_info_ret *ret,
                            int n_cpus) {
    PinList list;

    if (ret->info.info_len == 0 && !tool->json) {
        /* The end of the line is the one that every command prints. */
        tool_say(tool, "No IOThreads found for the domain");
        return;
    }
    pin_list_start(&list, tool, "IOThread ID", "iothread", n_cpus);
    for (u_int i = 0; i < ret->info.info_len; i++) {
        const remote_iothread_info *info = &ret->info.info_val[i];

        pin_list_add(&list, info->iothread_id, (uint8_t *)info->cpumap.cpumap_val,
                     info->cpumap.cpumap_len);
    }
    pin_list_print(&list);
}

int cmd_iothreadinfo(Tool *tool, const Args *args) {
    remote_domain_get_iothread_info_ret ret = {0};
    remote_domain_flags_args call = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    int n_cpus;

    if (tool_affect_flags(args, &call.flags) < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    n_cpus = vcpu_host_cpus(tool);
    if (n_cpus < 0)
        return n_cpus;
    call.dom = dom;
    if (CALL(tool, DOMAIN_GET_IOTHREAD_INFO, remote_domain_flags_args, &call,
             remote_domain_get_iothread_info_ret, &ret, &error) < 0)
        return tool_fail(error, "Unable to get domain IOThreads information");
    print_iothreads(tool, &ret, n_cpus);
    xdr_free((xdrproc_t)xdr_remote_domain_get_iothread_info_ret, (char *)&ret);
    return 0;
}

int cmd_iothreadpin(Tool *tool, const Args *args) {
    remote_domain_pin_vcpu_flags_args call = {0}; /* the same on the wire */
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *map = NULL;
    long long id = 0;
    int n_cpus;

    if (tool_affect_flags(args, &call.flags) < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (args_number(args, "iothread", 0, UINT32_MAX, &id) < 0)
        return tool_bad_number(args, "iothread");
    n_cpus = vcpu_host_cpus(tool);
    if (n_cpus < 0 || read_cpulist(args, n_cpus, &map) < 0)
        return -EIO;
    call.dom = dom;
    call.vcpu = (unsigned)id;
    call.cpumap.cpumap_val = map;
    call.cpumap.cpumap_len = (u_int)vcpu_map_len(n_cpus);
    if (CALL_VOID(tool, DOMAIN_PIN_IOTHREAD, remote_domain_pin_vcpu_flags_args, &call, &error) < 0)
        return tool_fail(NULL, "%s", error_message(error));
    return 0;
}
