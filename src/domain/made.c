/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/made.h"

#include "util/file.h"
#include "util/json.h"

#define FILE_MAX ((size_t)1 << 20) /* bytes */

static const char *const kinds[MADE_KIND_MAX_] = {
    [MADE_MACVTAP] = "macvtap", [MADE_SWITCH_PORT] = "port",      [MADE_PROCESS] = "process",
    [MADE_PCI] = "pci",         [MADE_OWNER] = "owner",           [MADE_JOB_OWNER] = "job-owner",
    [MADE_LABEL] = "label",     [MADE_FILE_LABEL] = "file-label", [MADE_OVERLAY] = "overlay"};

void made_done(MadeList *list) {
    for (size_t i = 0; i < list->n; i++) {
        free(list->items[i].name);
        free(list->items[i].detail);
    }
    free(list->items);
    *list = (MadeList){0};
}

static int append(MadeList *list, const Made *item) {
    Made *items = realloc(list->items, (list->n + 1) * sizeof(Made)), *copy;

    if (!items)
        return -ENOMEM;
    list->items = items;
    copy = &items[list->n];
    *copy = (Made){.kind = item->kind,
                   .name = strdup(item->name),
                   .detail = item->detail ? strdup(item->detail) : NULL,
                   .pid = item->pid};
    list->n++;
    return copy->name && (copy->detail || !item->detail) ? 0 : -ENOMEM;
}

static char *format(const MadeList *list) {
    CLEANUP_JSON json_object *whole = json_object_new_object();
    json_object *array = json_object_new_array();

    if (!whole || json_add(whole, "made", array) < 0)
        return NULL;
    for (size_t i = 0; i < list->n; i++) {
        const Made *item = &list->items[i];
        json_object *row = json_object_new_object();

        if (json_append(array, row) < 0 || json_add_string(row, "kind", kinds[item->kind]) < 0 ||
            json_add_string(row, "name", item->name) < 0 ||
            (item->detail && json_add_string(row, "detail", item->detail) < 0) ||
            (item->pid.pid && (json_add_int(row, "pid", item->pid.pid) < 0 ||
                               json_add_uint(row, "start", item->pid.start_time) < 0)))
            return NULL;
    }
    return json_text(whole);
}

static int read_row(json_object *row, MadeList *list) {
    const char *kind = json_member_string(row, "kind");
    Made item = {.name = (char *)json_member_string(row, "name"),
                 .detail = (char *)json_member_string(row, "detail"),
                 .pid = {.pid = (pid_t)json_member_int(row, "pid", 0),
                         .start_time = json_member_uint(row, "start", 0)}};

    while (item.kind < MADE_KIND_MAX_ && !streq_ptr(kind, kinds[item.kind]))
        item.kind++;
    if (item.kind == MADE_KIND_MAX_ || !item.name)
        return -EBADMSG;
    return append(list, &item);
}

int made_read(const char *path, MadeList *ret) {
    CLEANUP(made_done) MadeList list = {0};
    CLEANUP_JSON json_object *whole = NULL;
    CLEANUP_FREE char *text = NULL;
    json_object *array;
    size_t len;
    int r = file_read(path, FILE_MAX, &text, &len);

    if (r >= 0)
        r = json_parse(text, len, &whole);
    if (r < 0)
        return r;
    array = json_member(whole, "made");
    for (size_t i = 0; r >= 0 && i < json_length(array); i++)
        r = read_row(json_object_array_get_idx(array, i), &list);
    if (r < 0)
        return r;
    *ret = list;
    list = (MadeList){0};
    return 0;
}

/* The last of that kind, name and detail (NULL: any); NULL: there is none. */
static Made *find(const MadeList *list, MadeKind kind, const char *name, const char *detail) {
    for (size_t i = list->n; i-- > 0;) {
        Made *item = &list->items[i];

        if (item->kind == kind && streq(item->name, name) &&
            (!detail || streq_ptr(item->detail, detail)))
            return item;
    }
    return NULL;
}

bool made_has(const MadeList *list, MadeKind kind, const char *name) {
    return find(list, kind, name, NULL) != NULL;
}

static int write_list(const char *path, const MadeList *list) {
    CLEANUP_FREE char *text = format(list);

    return text ? file_write_atomic_worker(path, text, strlen(text), 0600) : -ENOMEM;
}

int made_change(const char *path, MadeKind from, const char *name, MadeKind to) {
    CLEANUP(made_done) MadeList list = {0};
    Made *found;
    int r = made_read(path, &list);

    if (r < 0)
        return r;
    found = find(&list, from, name, NULL);
    if (!found)
        return -ENOENT;
    found->kind = to;
    return write_list(path, &list);
}

int made_take(const char *path, MadeKind kind, const char *name, const char *detail, Made *ret) {
    CLEANUP(made_done) MadeList list = {0};
    Made item, *found;
    int r = made_read(path, &list);

    if (r < 0)
        return r;
    found = find(&list, kind, name, detail);
    if (!found)
        return -ENOENT;
    item = *found;
    list.n--;
    memmove(found, found + 1, (size_t)(&list.items[list.n] - found) * sizeof(Made));
    r = write_list(path, &list);
    if (r >= 0) {
        *ret = item;
        return 0;
    }
    free(item.name);
    free(item.detail);
    return r;
}

int made_add(const char *path, const Made *item, Error **reterr) {
    CLEANUP(made_done) MadeList list = {0};
    int r = made_read(path, &list);

    if (r < 0 && r != -ENOENT)
        return error_system(reterr, FROM_QEMU, r, "cannot read '%s'", path);
    r = append(&list, item) < 0 ? -ENOMEM : write_list(path, &list);
    if (r == -ENOMEM)
        return error_no_memory(reterr);
    return r < 0 ? error_system(reterr, FROM_QEMU, r, "cannot write '%s'", path) : 0;
}
