/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads and prints CPU lists of threads. */
#include "pin.h"

#include "util/bitmap.h"

/* ---- CPU lists ---- */

static int invalid_cpulist(const char *list, const char *why) {
    CLEANUP_ERROR Error *error = NULL;

    error_report(&error, FROM_NONE, ERROR_INVALID_ARG, "%s", why);
    return tool_fail(error, "Invalid cpulist '%s'", list);
}

int pin_read_cpulist(const Args *args, int n_cpus, char **ret) {
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

void pin_list_start(PinList *list, const Tool *tool, const char *title, const char *key,
                    int n_cpus) {
    const char *const titles[] = {title, "CPU Affinity"};

    *list = (PinList){.tool = tool, .key = key, .n_cpus = (size_t)n_cpus};
    list->json = tool->json ? json_object_new_array() : NULL;
    table_start(&list->table, ARRAY_SIZE(titles), titles);
}

void pin_list_add(PinList *list, unsigned number, const uint8_t *map, size_t map_len) {
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

void pin_list_print(PinList *list) {
    if (list->json)
        tool_print_json(list->json);
    else
        table_print(&list->table, !list->tool->quiet);
    table_done(&list->table);
}
