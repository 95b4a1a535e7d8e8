/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host offers, and whether a request could be granted at all: files in, structs out, no
 * changes. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "util/file.h"
#include "host/resctrl-internal.h"

static const char *const suffixes[RESCTRL_TYPE_MAX] = {
    [RESCTRL_BOTH] = "", [RESCTRL_CODE] = "CODE", [RESCTRL_DATA] = "DATA"};

const char *resctrl_type_suffix(ResctrlType type) {
    assert(type >= 0 && type < RESCTRL_TYPE_MAX);
    return suffixes[type];
}

bool resctrl_cache_name(const char *name, unsigned *ret_level, ResctrlType *ret_type) {
    if (name[0] != 'L' || !isdigit(name[1]))
        return false;
    for (ResctrlType type = 0; type < RESCTRL_TYPE_MAX; type++)
        if (streq(name + 2, suffixes[type])) {
            *ret_level = name[1] - '0';
            *ret_type = type;
            return true;
        }
    return false;
}

/* "    L3:0=fffff;1=fffff\n": the kernel pads names to one width and may pad values. */
int resctrl_each(const char *text, ResctrlEach func, void *userdata) {
    CLEANUP_FREE char *copy = strdup(text);
    char *rest = copy;

    if (!copy)
        return -ENOMEM;
    for (char *line; (line = strsep(&rest, "\n"));) {
        char *name = strsep(&line, ":");

        name += strspn(name, " \t");
        for (char *item; line && (item = strsep(&line, ";"));) {
            char *id = strsep(&item, "="), *end;
            unsigned long number = strtoul(id, &end, 10);
            int r;

            if (!item || end == id || *end)
                continue;
            r = func(name, number, item + strspn(item, " "), userdata);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

int resctrl_id_index(const unsigned *ids, size_t n_ids, unsigned id) {
    for (size_t i = 0; i < n_ids; i++)
        if (ids[i] == id)
            return i;
    return -1;
}

static const ResctrlCache *find_cache(const Resctrl *resctrl, unsigned level, ResctrlType type) {
    for (size_t i = 0; i < resctrl->n_caches; i++)
        if (resctrl->caches[i].level == level && resctrl->caches[i].type == type)
            return &resctrl->caches[i];
    return NULL;
}

/* Reading info/
 * ------------------------------------------------------------------------------------------ */

static int read_text(const Resctrl *resctrl, const char *name, char **ret) {
    CLEANUP_FREE char *path = path_join(resctrl->root, name);
    int r = path ? file_read(path, RESCTRL_FILE_LIMIT, ret, NULL) : -ENOMEM;

    if (r >= 0)
        for (size_t n = strlen(*ret); n > 0 && (*ret)[n - 1] == '\n'; n--)
            (*ret)[n - 1] = '\0';
    return r;
}

static int read_number(const Resctrl *resctrl, const char *resource, const char *name, int base,
                       uint64_t *ret) {
    CLEANUP_FREE char *path = strf("info/%s/%s", resource, name), *text = NULL;
    char *end;
    int r = path ? read_text(resctrl, path, &text) : -ENOMEM;

    if (r < 0)
        return r;
    *ret = strtoull(text, &end, base);
    return end == text ? -EINVAL : 0;
}

static int add_cache(Resctrl *resctrl, const char *name, unsigned level, ResctrlType type) {
    uint64_t mask = 0, min_bits = 0, n_closids = 0;
    ResctrlCache *bigger;
    int r = read_number(resctrl, name, "cbm_mask", 16, &mask);

    if (r == -ENOENT) /* a resource that can be watched only */
        return 0;
    if (r >= 0)
        r = read_number(resctrl, name, "min_cbm_bits", 10, &min_bits);
    if (r >= 0)
        r = read_number(resctrl, name, "num_closids", 10, &n_closids);
    if (r < 0)
        return r;
    bigger = realloc(resctrl->caches, (resctrl->n_caches + 1) * sizeof(ResctrlCache));
    if (!bigger)
        return -ENOMEM;
    resctrl->caches = bigger;
    /* AMD says 0: any mask goes there, but one without a bit is of no use to us. */
    bigger[resctrl->n_caches++] = (ResctrlCache){.level = level,
                                                 .type = type,
                                                 .mask = mask,
                                                 .min_bits = MAX_OF(min_bits, 1u),
                                                 .n_closids = n_closids};
    return 0;
}

static int read_caches(Resctrl *resctrl) {
    for (unsigned level = 2; level <= 3; level++)
        for (ResctrlType type = 0; type < RESCTRL_TYPE_MAX; type++) {
            char name[16];
            int r;

            snprintf(name, sizeof(name), "L%u%s", level, suffixes[type]);
            r = add_cache(resctrl, name, level, type);
            if (r < 0)
                return r;
        }
    return 0;
}

static int read_bandwidth(Resctrl *resctrl) {
    uint64_t min = 0, granularity = 0, linear = 0, n_closids = 0;
    int r = read_number(resctrl, "MB", "min_bandwidth", 10, &min);

    if (r == -ENOENT)
        return 0;
    if (r >= 0)
        r = read_number(resctrl, "MB", "bandwidth_gran", 10, &granularity);
    if (r >= 0)
        r = read_number(resctrl, "MB", "num_closids", 10, &n_closids);
    if (r < 0)
        return r;
    read_number(resctrl, "MB", "delay_linear", 10, &linear);
    resctrl->bandwidth = (ResctrlBandwidth){.present = true,
                                            .linear = linear,
                                            .min = min,
                                            .n_closids = n_closids,
                                            .granularity = MAX_OF(granularity, 1u)};
    return 0;
}

/* One word per line, to be one line; what configures an event is no event. */
static int read_monitoring(Resctrl *resctrl) {
    CLEANUP_FREE char *text = NULL;
    uint64_t n_rmids = 0;
    char *rest, *features = strdup("");
    int r = read_text(resctrl, "info/L3_MON/mon_features", &text);

    resctrl->monitor_features = features;
    if (!features)
        return -ENOMEM;
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    read_number(resctrl, "L3_MON", "num_rmids", 10, &n_rmids);
    resctrl->n_rmids = n_rmids;
    rest = text;
    for (char *word; (word = strsep(&rest, "\n"));) {
        if (!*word || strstr(word, "_config"))
            continue;
        features = strf("%s%s%s", resctrl->monitor_features, *resctrl->monitor_features ? " " : "",
                        word);
        if (!features)
            return -ENOMEM;
        free(resctrl->monitor_features);
        resctrl->monitor_features = features;
    }
    return 0;
}

static int add_id(unsigned **ids, size_t *n_ids, unsigned id) {
    unsigned *bigger = realloc(*ids, (*n_ids + 1) * sizeof(unsigned));

    if (!bigger)
        return -ENOMEM;
    *ids = bigger;
    bigger[(*n_ids)++] = id;
    return 0;
}

static ResctrlCache *cache_by_name(Resctrl *resctrl, const char *name) {
    ResctrlType type;
    unsigned level;

    return resctrl_cache_name(name, &level, &type)
               ? (ResctrlCache *)find_cache(resctrl, level, type)
               : NULL;
}

/* From the root's schemata: the ids, and for now the number of bits that it has. */
static int take_schemata(const char *name, unsigned id, const char *value, void *userdata) {
    Resctrl *resctrl = userdata;
    ResctrlCache *cache = cache_by_name(resctrl, name);
    uint64_t *bigger;

    if (streq(name, "MB")) {
        /* Above 100 it is no percentage: mounted with mba_MBps, or AMD's eighths of GB/s. */
        if (strtoull(value, NULL, 10) > 100)
            resctrl->bandwidth.linear = false;
        return add_id(&resctrl->bandwidth.ids, &resctrl->bandwidth.n_ids, id);
    }
    if (!cache)
        return 0;
    bigger = realloc(cache->granule, (cache->n_ids + 1) * sizeof(uint64_t));
    if (!bigger)
        return -ENOMEM;
    cache->granule = bigger;
    cache->granule[cache->n_ids] = __builtin_popcountll(strtoull(value, NULL, 16));
    return add_id(&cache->ids, &cache->n_ids, id);
}

/* From the root's size, which has the bytes of those bits. */
static int take_size(const char *name, unsigned id, const char *value, void *userdata) {
    ResctrlCache *cache = cache_by_name(userdata, name);
    int i = cache ? resctrl_id_index(cache->ids, cache->n_ids, id) : -1;

    if (i >= 0 && cache->granule[i] > 0)
        cache->granule[i] = strtoull(value, NULL, 10) / cache->granule[i];
    return 0;
}

static int read_root_group(Resctrl *resctrl) {
    CLEANUP_FREE char *schemata = NULL, *size = NULL;
    int r = read_text(resctrl, "schemata", &schemata);

    if (r == -ENOENT && resctrl->n_caches == 0 && !resctrl->bandwidth.present)
        return 0; /* monitoring alone */
    if (r >= 0)
        r = resctrl_each(schemata, take_schemata, resctrl);
    if (r >= 0)
        r = read_text(resctrl, "size", &size);
    return r >= 0 ? resctrl_each(size, take_size, resctrl) : r;
}

int resctrl_new(const char *root, Resctrl **ret, Error **reterr) {
    CLEANUP(resctrl_freep) Resctrl *resctrl = calloc(1, sizeof(Resctrl));
    CLEANUP_FREE char *info = NULL;
    int r;

    if (!resctrl || !(resctrl->root = strdup(root ? root : "/sys/fs/resctrl")) ||
        !(info = path_join(resctrl->root, "info")))
        return error_no_memory(reterr);
    if (access(info, F_OK) < 0)
        return error_report(
            reterr, FROM_RESCTRL, ERROR_CONFIG_UNSUPPORTED,
            "there is no resctrl file system at '%s': the host's CPU or kernel has none, or "
            "it is not mounted (mount -t resctrl resctrl %s)",
            resctrl->root, resctrl->root);
    r = read_caches(resctrl);
    if (r >= 0)
        r = read_bandwidth(resctrl);
    if (r >= 0)
        r = read_monitoring(resctrl);
    if (r >= 0)
        r = read_root_group(resctrl);
    if (r == -ENOMEM)
        return error_no_memory(reterr);
    if (r < 0)
        return error_system(reterr, FROM_RESCTRL, r, "cannot read what '%s' offers", resctrl->root);
    *ret = TAKE_PTR(resctrl);
    return 0;
}

void resctrl_free(Resctrl *resctrl) {
    if (!resctrl)
        return;
    for (size_t i = 0; i < resctrl->n_caches; i++) {
        free(resctrl->caches[i].ids);
        free(resctrl->caches[i].granule);
    }
    free(resctrl->caches);
    free(resctrl->bandwidth.ids);
    free(resctrl->monitor_features);
    free(resctrl->root);
    free(resctrl);
}

/* Requests ----------------------------------------------------------------------------------------
 */

int resctrl_find_run(uint64_t mask, uint64_t used, unsigned n_bits, uint64_t *ret) {
    uint64_t free_bits = mask & ~used;
    unsigned best = 65, best_start = 0;

    for (unsigned start = 0; start < 64;) {
        unsigned length = 0;

        while (start + length < 64 && free_bits >> (start + length) & 1)
            length++;
        if (length >= n_bits && length < best) {
            best = length;
            best_start = start;
        }
        start += length + 1;
    }
    if (best > 64 || n_bits == 0)
        return -ENOSPC;
    *ret = (n_bits == 64 ? UINT64_MAX : (UINT64_C(1) << n_bits) - 1) << best_start;
    return 0;
}

static int check_cache(const Resctrl *resctrl, const ResctrlCacheRequest *request, Error **reterr) {
    const ResctrlCache *cache = find_cache(resctrl, request->level, request->type);
    const char *suffix = suffixes[request->type];
    int i = cache ? resctrl_id_index(cache->ids, cache->n_ids, request->id) : -1;
    uint64_t granule, bits;

    if (!cache)
        return error_report(
            reterr, FROM_RESCTRL, ERROR_CONFIG_UNSUPPORTED,
            "this host cannot divide the cache 'L%u%s'; code and data apart need the mount "
            "option cdp, both together need its absence",
            request->level, suffix);
    if (i < 0)
        return error_report(reterr, FROM_RESCTRL, ERROR_CONFIG_UNSUPPORTED,
                            "this host has no cache 'L%u%s' with the id %u", request->level, suffix,
                            request->id);
    granule = cache->granule[i];
    bits = granule ? request->size / granule : 0;
    if (!granule || request->size % granule || request->size == 0)
        return error_report(reterr, FROM_RESCTRL, ERROR_CONFIG_UNSUPPORTED,
                            "%" PRIu64
                            " bytes of cache 'L%u%s' %u cannot be had: it is divided in steps of "
                            "%" PRIu64 " bytes",
                            request->size, request->level, suffix, request->id, granule);
    if (bits < cache->min_bits)
        return error_report(
            reterr, FROM_RESCTRL, ERROR_CONFIG_UNSUPPORTED,
            "%" PRIu64 " bytes of cache 'L%u%s' %u are too few: the least is %" PRIu64 " byte"
            "s",
            request->size, request->level, suffix, request->id, cache->min_bits * granule);
    if (bits >= (uint64_t)__builtin_popcountll(cache->mask))
        return error_report(reterr, FROM_RESCTRL, ERROR_CONFIG_UNSUPPORTED,
                            "%" PRIu64
                            " bytes of cache 'L%u%s' %u are all of it: something has to be left "
                            "for the others",
                            request->size, request->level, suffix, request->id);
    return 0;
}

static int check_bandwidth(const Resctrl *resctrl, const ResctrlBandwidthRequest *request,
                           Error **reterr) {
    const ResctrlBandwidth *bandwidth = &resctrl->bandwidth;

    if (!bandwidth->present)
        return error_report(reterr, FROM_RESCTRL, ERROR_CONFIG_UNSUPPORTED,
                            "this host cannot limit the memory bandwidth");
    if (resctrl_id_index(bandwidth->ids, bandwidth->n_ids, request->id) < 0)
        return error_report(reterr, FROM_RESCTRL, ERROR_CONFIG_UNSUPPORTED,
                            "this host has no memory bandwidth with the id %u", request->id);
    if (bandwidth->linear && request->value > 100)
        return error_report(reterr, FROM_RESCTRL, ERROR_CONFIG_UNSUPPORTED,
                            "memory bandwidth %u of node %u is more than 100 percent",
                            request->value, request->id);
    if (request->value < bandwidth->min)
        return error_report(reterr, FROM_RESCTRL, ERROR_CONFIG_UNSUPPORTED,
                            "memory bandwidth %u of node %u is less than the least, %u",
                            request->value, request->id, bandwidth->min);
    if (bandwidth->linear && request->value % bandwidth->granularity)
        return error_report(reterr, FROM_RESCTRL, ERROR_CONFIG_UNSUPPORTED,
                            "memory bandwidth %u of node %u is no multiple of %u", request->value,
                            request->id, bandwidth->granularity);
    return 0;
}

int resctrl_check(const Resctrl *resctrl, const ResctrlRequest *request, Error **reterr) {
    int r = 0;

    for (size_t i = 0; i < request->n_caches && r >= 0; i++)
        r = check_cache(resctrl, &request->caches[i], reterr);
    for (size_t i = 0; i < request->n_bandwidths && r >= 0; i++)
        r = check_bandwidth(resctrl, &request->bandwidths[i], reterr);
    return r;
}
