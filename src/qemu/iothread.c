/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* query-iothreads read. */
#include "qemu/iothread.h"

#include <stdio.h>

#include "util/json.h"

void iothread_list_done(IothreadList *iothreads) {
    free(iothreads->list);
    *iothreads = (IothreadList){0};
}

const Iothread *iothread_list_find(const IothreadList *iothreads, unsigned id) {
    for (size_t i = 0; i < iothreads->n; i++)
        if (iothreads->list[i].id == id)
            return &iothreads->list[i];
    return NULL;
}

static int compare(const void *a, const void *b) {
    const Iothread *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static int parse_row(json_object *row, IothreadList *to, Error **reterr) {
    const char *text = json_member_string(row, "id");
    Iothread iothread = {0};
    char rest;

    if (!text)
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                            "query-iothreads: QEMU named no 'id'");
    if (sscanf(text, "iothread%u%c", &iothread.id, &rest) != 1)
        return 0;
    iothread.tid = (pid_t)json_member_int(row, "thread-id", 0);
    if (iothread.tid <= 0)
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                            "query-iothreads: no 'thread-id' of '%.40s'", text);
    iothread.poll_max_ns = json_member_uint(row, "poll-max-ns", 0);
    iothread.poll_grow = json_member_uint(row, "poll-grow", 0);
    iothread.poll_shrink = json_member_uint(row, "poll-shrink", 0);
    to->list[to->n++] = iothread;
    return 0;
}

int iothread_list_parse(json_object *reply, IothreadList *ret, Error **reterr) {
    size_t n = json_length(reply);
    IothreadList list = {.list = calloc(n + 1, sizeof(Iothread))};
    int r = list.list ? 0 : error_no_memory(reterr);

    for (size_t i = 0; i < n && r >= 0; i++)
        r = parse_row(json_object_array_get_idx(reply, i), &list, reterr);
    if (r < 0) {
        iothread_list_done(&list);
        return r;
    }
    qsort(list.list, list.n, sizeof(Iothread), compare);
    *ret = list;
    return 0;
}
