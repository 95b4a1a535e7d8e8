/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What SELinux's policy has for virtual machines, and labels made of it: two categories tell the
 * guests of a host apart. Files of the policy: selinux(8), virtual_domain_context(5),
 * virtual_image_context(5). */
#pragma once

#include "util/error.h"
#include "util/macro.h"

#define SELINUX_CATEGORIES 1024u /* c0 to c1023 */
#define SELINUX_PAIRS (SELINUX_CATEGORIES * (SELINUX_CATEGORIES - 1) / 2)

typedef struct SelinuxContexts {
    char *domain, *domain_tcg; /* of QEMU, with KVM and without */
    char *image, *content;     /* of what it writes, and only reads */
} SelinuxContexts;

void selinux_contexts_done(SelinuxContexts *contexts);
#define CLEANUP_SELINUX_CONTEXTS CLEANUP(selinux_contexts_done)

/* The directory of the policy's contexts, by the configuration in `etc` ("/etc/selinux"). Caller
 * frees; NULL: out of memory. Blocks. */
char *selinux_directory(const char *etc);
/* Reads them. ERROR_CONFIG_UNSUPPORTED names a file that is missing or has no context. Blocks. */
int selinux_contexts_read(const char *directory, SelinuxContexts *ret, Error **reterr);

/* Pairs of categories that are taken. */
typedef struct SelinuxPairs {
    uint8_t taken[(SELINUX_PAIRS + 7) / 8];
    unsigned n;
} SelinuxPairs;

/* The pair of a label that ends with one, ":cA,cB", is taken; another label takes none. */
void selinux_take(SelinuxPairs *pairs, const char *label);
/* Takes those of all processes, by /proc in `procfs`. Blocks. */
void selinux_take_running(SelinuxPairs *pairs, const char *procfs);
/* A pair that is free, from about `start` on, which should be random; ret[0] < ret[1]. -ENOSPC. */
int selinux_pick(const SelinuxPairs *pairs, uint32_t start, unsigned ret[2]);

/* "USER:ROLE:TYPE:LEVEL" of the first, with the level of the second. Caller frees; NULL: one of
 * them is no context, or no memory. */
char *selinux_with_level(const char *context, const char *level_of);
bool selinux_is_context(const char *text);
