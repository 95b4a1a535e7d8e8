/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's network links as /sys/class/net has them: read only. */
#pragma once

#include "util/macro.h"

typedef struct LinkInfo {
    char name[16];
    char mac[24];   /* "" of a link without one */
    bool up;        /* it carries something; "lo", which says nothing of it, is never up */
    char state[20]; /* the kernel's word: "up", "down", "unknown" */
    bool is_bridge;
    unsigned mtu;
} LinkInfo;

/* All of them, by name; those that go meanwhile are left out. The caller frees *ret. -errno. */
int link_list(LinkInfo **ret, size_t *ret_n);
/* -ENODEV. */
int link_look(const char *name, LinkInfo *ret);
