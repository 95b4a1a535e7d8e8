/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pins of threads to host CPUs, as commands take and print them. */
#pragma once

#include "vcpu.h"

/* The option --cpulist, "0-4,^2" or "r", as a map of n_cpus bits in fresh memory, for the call that
 * sets it. */
int pin_read_cpulist(const Args *args, int n_cpus, char **ret);

/* A table of numbered threads with their maps, or the same as JSON. */
typedef struct PinList {
    const Tool *tool;
    const char *key; /* JSON's name for the number */
    size_t n_cpus;
    Table table;
    json_object *json;
} PinList;

/* `title` heads the column of the number, `key` is its name in JSON. */
void pin_list_start(PinList *list, const Tool *tool, const char *title, const char *key,
                    int n_cpus);
void pin_list_add(PinList *list, unsigned number, const uint8_t *map, size_t map_len);
/* Prints and frees. */
void pin_list_print(PinList *list);
