/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The XML of the domains that were asked for last, for those who ask again and again. An entry is
 * found by the revision of its domain (domain_touch), which no other domain and no other moment
 * has: so nothing has to be taken out when a domain changes or goes. */
#pragma once

#include "domain/domain.h"

#define XML_CACHE_ENTRIES 128u /* at most one in each place */
/* 1: what it has is made again and compared, as in every build for tests: a change that forgot
 * domain_touch ends the daemon there. */
#ifndef XML_CACHE_CHECKED
#define XML_CACHE_CHECKED 0
#endif
#define XML_CACHE_LARGEST (1u << 14) /* bytes of a text: longer ones are not kept */

typedef struct XmlCache {
    struct {
        uint64_t revision; /* 0: empty */
        unsigned flags;
        char *text;
    } entries[XML_CACHE_ENTRIES];
} XmlCache;

/* NULL: out of memory. xml_cache_free takes NULL. */
XmlCache *xml_cache_new(void);
void xml_cache_free(XmlCache *cache);

/* Borrowed until the next xml_cache_put; NULL when it is not there. `flags` are those that the text
 * was made with. */
const char *xml_cache_get(const XmlCache *cache, uint64_t revision, unsigned flags);
/* Keeps a copy in the place of another. Without memory, or when it is too long, it does not. */
void xml_cache_put(XmlCache *cache, uint64_t revision, unsigned flags, const char *text);
