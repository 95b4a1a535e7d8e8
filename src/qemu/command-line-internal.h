/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The argv under construction; shared by the command-line-*.c files only. A failed allocation is
 * remembered in `failed` and reported once at the end. */
#pragma once

#include "qemu/command-line.h"

typedef struct ArgvBuilder {
    char **argv; /* NULL-terminated */
    size_t n, size;
    bool failed;
} ArgvBuilder;

void argv_add(ArgvBuilder *builder, const char *text);
void argv_add_option(ArgvBuilder *builder, const char *option, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* Takes the object. */
void argv_add_json(ArgvBuilder *builder, const char *option, json_object *object);
/* Doubles commas, as QEMU's option syntax wants it. Caller frees. */
char *argv_escape(const char *text);

/* -object and -numa of the guest's memory. A machine without NUMA cells has one backend, and needs
 * none of its own unless it is bound to host nodes. */
#define MAIN_BACKEND "ram"
bool qemu_has_main_backend(const DomainDef *def);
void argv_add_memory(ArgvBuilder *builder, const DomainDef *def);
void argv_add_iothreads(ArgvBuilder *builder, const DomainDef *def);
/* Controllers, chardevs, disks, interfaces, rng, balloon. */
int argv_add_devices(ArgvBuilder *builder, const DomainDef *def, Error **reterr);
/* The interrupt remapping device when it is needed, and what its attributes imply. */
void qemu_fill_iommu(DomainDef *def);
