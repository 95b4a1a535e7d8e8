/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is written to schemata, mode and tasks, by the rules of the kernel. */
#include "resctrl-fuse.h"

#include <errno.h>

static bool overlaps(int group, unsigned id, uint64_t mask, bool only_exclusive) {
    for (size_t i = 0; i < GROUPS_MAX; i++) {
        if (!groups[i].used || (int)i == group || groups[i].parent >= 0 ||
            (only_exclusive && !groups[i].exclusive))
            continue;
        for (Line line = LINE_L3; line <= LINE_CODE; line++)
            if (line_exists(line) && groups[i].values[line][id] & mask)
                return true;
    }
    return false;
}

static int check_mask(int group, unsigned id, const char *text, uint64_t *ret) {
    char *end;
    uint64_t value = strtoull(text, &end, 16), low;

    if (end == text || *end)
        return fail(EINVAL, "Non-hex character in the mask %s\n", text);
    if ((host.min_bits > 0 && value == 0) || value > host.mask)
        return fail(EINVAL, "Mask out of range\n");
    low = value & -value;
    if ((value + low) & value)
        return fail(EINVAL, "The mask %lx has non-consecutive 1-bits\n", value);
    if ((unsigned)__builtin_popcountll(value) < host.min_bits)
        return fail(EINVAL, "Need at least %u bits in the mask\n", host.min_bits);
    if (overlaps(group, id, value, true))
        return fail(EINVAL, "Overlaps with exclusive group\n");
    if (groups[group].exclusive && overlaps(group, id, value, false))
        return fail(EINVAL, "Overlaps with other group\n");
    *ret = value;
    return 0;
}

static int check_bandwidth(const char *text, uint64_t *ret) {
    char *end;
    uint64_t value = strtoull(text, &end, 10);

    if (end == text || *end)
        return fail(EINVAL, "Invalid MB value %s\n", text);
    if (value < 10 || value > 100)
        return fail(EINVAL, "MB value %lu out of range [10,100]\n", value);
    *ret = (value + 9) / 10 * 10;
    return 0;
}

static char *trim(char *text) {
    text += strspn(text, " \t");
    for (size_t n = strlen(text); n > 0 && strchr(" \t", text[n - 1]); n--)
        text[n - 1] = '\0';
    return text;
}

/* "0=f;1=ff" into the staged values. */
static int parse_items(int group, Line line, char *items, uint64_t staged[LINE_MAX][IDS_MAX],
                       bool seen[LINE_MAX][IDS_MAX]) {
    for (char *item; items && *items && (item = strsep(&items, ";"));) {
        char *id_text = strsep(&item, "="), *end;
        unsigned long id = strtoul(id_text, &end, 10);
        int r;

        if (!item || end == id_text || *end)
            return fail(EINVAL, "Missing '=' or non-numeric domain\n");
        if (id >= host.n_ids)
            return -EINVAL; /* the kernel says nothing */
        if (seen[line][id])
            return fail(EINVAL, "Duplicate domain %lu\n", id);
        item = trim(item);
        r = line == LINE_MB ? check_bandwidth(item, &staged[line][id])
                            : check_mask(group, id, item, &staged[line][id]);
        if (r < 0)
            return r;
        seen[line][id] = true;
    }
    return 0;
}

int write_schemata(int group, char *text) {
    uint64_t staged[LINE_MAX][IDS_MAX];
    bool seen[LINE_MAX][IDS_MAX] = {{false}};
    size_t n = strlen(text);

    if (n == 0 || text[n - 1] != '\n')
        return -EINVAL;
    text[n - 1] = '\0';
    memcpy(staged, groups[group].values, sizeof(staged));
    for (char *items; (items = strsep(&text, "\n"));) {
        char *name = trim(strsep(&items, ":"));
        Line line = 0;
        int r;

        if (!items)
            return fail(EINVAL, "Missing ':'\n");
        if (!*items)
            return fail(EINVAL, "Missing '%s' value\n", name);
        while (line < LINE_MAX && !(line_exists(line) && streq(line_names[line], name)))
            line++;
        if (line == LINE_MAX)
            return fail(EINVAL, "Unknown or unsupported resource name '%s'\n", name);
        r = parse_items(group, line, items, staged, seen);
        if (r < 0)
            return r;
    }
    memcpy(groups[group].values, staged, sizeof(staged));
    return 0;
}

int write_mode(int group, const char *text) {
    if (streq(text, "shareable\n")) {
        groups[group].exclusive = false;
        return 0;
    }
    if (!streq(text, "exclusive\n"))
        return fail(EINVAL, "Unknown or unsupported mode\n");
    for (Line line = LINE_L3; line <= LINE_CODE; line++)
        for (unsigned id = 0; id < host.n_ids && line_exists(line); id++)
            if (overlaps(group, id, groups[group].values[line][id], false))
                return fail(EINVAL, "Schemata overlaps\n");
    groups[group].exclusive = true;
    return 0;
}

static int move_task(int group, pid_t tid) {
    int control = is_monitor(group) ? groups[group].parent : group;
    size_t i = 0;

    if (!is_alive(tid))
        return fail(ESRCH, "No task %d\n", tid);
    while (i < n_tasks && tasks[i].tid != tid)
        i++;
    if (i == TASKS_MAX)
        return -ENOMEM;
    if (is_monitor(group) && control != (i < n_tasks ? tasks[i].group : 0))
        return fail(EINVAL, "Can't move task to different control group\n");
    tasks[i].tid = tid;
    tasks[i].group = control;
    tasks[i].monitor = is_monitor(group) ? group : -1;
    n_tasks = MAX_OF(n_tasks, i + 1);
    return 0;
}

int write_tasks(int group, char *text) {
    text[strcspn(text, "\n")] = '\0';
    for (char *item; (item = strsep(&text, ","));) {
        char *end;
        long tid = strtol(trim(item), &end, 10);
        int r;

        if (*trim(item) == '\0' || *end || tid < 0)
            return fail(EINVAL, "Task list parsing error pid %s\n", item);
        r = move_task(group, tid);
        if (r < 0)
            return r;
    }
    return 0;
}
