/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The IO threads of a running QEMU, as query-iothreads tells (QEMU's qapi/misc.json, IOThreadInfo).
 */
#pragma once

#include <json-c/json.h>
#include <sys/types.h>

#include "util/error.h"
#include "util/macro.h"

typedef struct Iothread {
    unsigned id;
    pid_t tid;
    uint64_t poll_max_ns, poll_grow, poll_shrink;
} Iothread;

/* In order of their ids. */
typedef struct IothreadList {
    Iothread *list;
    size_t n;
} IothreadList;

void iothread_list_done(IothreadList *iothreads);
/* NULL when there is none of that id. */
const Iothread *iothread_list_find(const IothreadList *iothreads, unsigned id);
/* From QEMU's reply; objects that are not "iothreadN" are passed over. ERROR_INTERNAL naming what
 * is missing. */
int iothread_list_parse(json_object *reply, IothreadList *ret, Error **reterr);
