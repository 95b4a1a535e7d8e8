/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/xml-cache.h"

XmlCache *xml_cache_new(void) {
    return calloc(1, sizeof(XmlCache));
}

void xml_cache_free(XmlCache *cache) {
    if (!cache)
        return;
    for (size_t i = 0; i < XML_CACHE_ENTRIES; i++)
        free(cache->entries[i].text);
    free(cache);
}

const char *xml_cache_get(const XmlCache *cache, uint64_t revision, unsigned flags) {
    const size_t place = revision % XML_CACHE_ENTRIES;

    return cache->entries[place].revision == revision && cache->entries[place].flags == flags
               ? cache->entries[place].text
               : NULL;
}

void xml_cache_put(XmlCache *cache, uint64_t revision, unsigned flags, const char *text) {
    const size_t place = revision % XML_CACHE_ENTRIES;
    char *copy = strnlen(text, XML_CACHE_LARGEST + 1) > XML_CACHE_LARGEST ? NULL : strdup(text);

    if (!copy)
        return;
    free(cache->entries[place].text);
    cache->entries[place].revision = revision;
    cache->entries[place].flags = flags;
    cache->entries[place].text = copy;
}
