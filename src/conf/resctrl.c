/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <cachetune> and <memorytune>: the groups come in the order in which they are written, those of
 * <cachetune> first. */
#include "conf/cputune.h"
#include "conf/domain-def.h"

#define TUNE_ITEMS_MAX 1024u /* each is compared with all others; no processor has as many */

static const Words types = WORDS("both", "code", "data");

/* array_append with a limit; the sentence is made here. */
static void *append(ElementReader *reader, xmlNodePtr node, void *array, size_t *n, size_t size) {
    void *item = *n < TUNE_ITEMS_MAX ? array_append(array, n, size) : NULL;

    if (!item && *n >= TUNE_ITEMS_MAX)
        error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                     "more than %u <%s> elements (line %ld)", TUNE_ITEMS_MAX,
                     (const char *)node->name, xmlGetLineNo(node));
    else if (!item)
        error_no_memory(reader->reterr);
    return item;
}

/* append's failure as an errno. */
static int append_failed(size_t n) {
    return n >= TUNE_ITEMS_MAX ? -EINVAL : -ENOMEM;
}

/* A lowered maximum must not make the rest unreadable. */
static void clip_to_maximum(const DomainDef *def, Bitmap *vcpus) {
    for (int id = bitmap_last(vcpus); id >= (int)def->n_vcpus_max; id = bitmap_last(vcpus))
        bitmap_clear(vcpus, (unsigned)id);
}

typedef struct VcpusRow {
    Bitmap *vcpus;
    unsigned level;
} VcpusRow;

static void vcpus_row_done(VcpusRow *row) {
    bitmap_free(row->vcpus);
}

static const Field vcpus_fields[] = {
    FIELD_BITMAP("@vcpus", VcpusRow, vcpus, .flags = FIELD_REQUIRED | FIELD_EMPTY), FIELD_END};
static const Field monitor_fields[] = {
    FIELD_UINT("@level", VcpusRow, level, 0, UINT32_MAX, .flags = FIELD_REQUIRED),
    FIELD_GROUP(NULL, vcpus_fields), FIELD_END};

/* The group of the vCPUs a <cachetune> or <memorytune> names: another element's if they are the
 * same ones, a new one if nobody has any of them. *ret is NULL where none of the vCPUs exists: then
 * the element means nothing. */
static int find_resctrl(ElementReader *reader, xmlNodePtr node, DomainDef *def, ResctrlDef **ret) {
    CpuTuneDef *tune = &def->cputune;
    CLEANUP(vcpus_row_done) VcpusRow row = {0};
    ResctrlDef *resctrl;
    int r = element_read_fields(reader, vcpus_fields, node, &row);

    *ret = NULL;
    if (r < 0)
        return r;
    clip_to_maximum(def, row.vcpus);
    if (bitmap_is_empty(row.vcpus)) {
        element_note(reader, ELEMENT_UNKNOWN, node);
        element_claim(node);
        return 0;
    }
    for (size_t i = 0; i < tune->n_resctrls; i++) {
        if (bitmap_equal(tune->resctrls[i].vcpus, row.vcpus)) {
            *ret = &tune->resctrls[i];
            return 0;
        }
        if (bitmap_overlaps(tune->resctrls[i].vcpus, row.vcpus))
            return error_report(
                reader->reterr, FROM_DOMAIN, ERROR_XML,
                "Overlapping vcpus in resctrls: the 'vcpus' of <%s> in line %ld must be those of "
                "another cachetune or memorytune, or none of them",
                (const char *)node->name, xmlGetLineNo(node));
    }
    resctrl = append(reader, node, &tune->resctrls, &tune->n_resctrls, sizeof(ResctrlDef));
    if (!resctrl)
        return append_failed(tune->n_resctrls);
    resctrl->vcpus = TAKE_PTR(row.vcpus);
    *ret = resctrl;
    return 0;
}

/* ---- <cache> ---- */

typedef struct CacheRow {
    ResctrlCacheRequest cache;
    char *size, *unit;
    int type;
} CacheRow;

static void cache_row_done(CacheRow *row) {
    free(row->size);
    free(row->unit);
}

static const Field cache_fields[] = {
    FIELD_UINT("@id", CacheRow, cache.id, 0, UINT32_MAX, .flags = FIELD_REQUIRED),
    FIELD_UINT("@level", CacheRow, cache.level, 0, UINT32_MAX, .flags = FIELD_REQUIRED),
    FIELD_WORD("@type", CacheRow, type, types),
    FIELD_TEXT("@size", CacheRow, size),
    FIELD_TEXT("@unit", CacheRow, unit),
    FIELD_END};

static int check_cache(ElementReader *reader, xmlNodePtr node, const CacheRow *row,
                       const ResctrlDef *resctrl) {
    const ResctrlCacheRequest *cache = &row->cache;

    if (cache->level != 2 && cache->level != 3)
        return error_report(
            reader->reterr, FROM_DOMAIN, ERROR_XML,
            "Invalid cache attribute 'level' value '%u' (line %ld): caches of level 2 and 3 can be "
            "divided",
            cache->level, xmlGetLineNo(node));
    if (cache->size == 0)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "Cache size of 0 is meaningless (line %ld)", xmlGetLineNo(node));
    for (size_t i = 0; i < resctrl->n_caches; i++) {
        const ResctrlCacheRequest *other = &resctrl->caches[i];

        if (other->level == cache->level && other->id == cache->id &&
            (other->type == cache->type || other->type == RESCTRL_BOTH ||
             cache->type == RESCTRL_BOTH))
            return error_report(
                reader->reterr, FROM_DOMAIN, ERROR_XML,
                "Colliding cache allocations for cache level '%u' id '%u', type '%s' (line %ld)",
                cache->level, cache->id, words_name(&types, cache->type), xmlGetLineNo(node));
    }
    return 0;
}

static int read_cache(ElementReader *reader, xmlNodePtr node, ResctrlDef *resctrl) {
    CLEANUP(cache_row_done) CacheRow row = {.type = -1};
    ResctrlCacheRequest *to;
    int r = element_read_fields(reader, cache_fields, node, &row);

    if (r < 0)
        return r;
    if (row.type < 0 || !row.size)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "Missing cache attribute '%s' (line %ld)",
                            row.type < 0 ? "type" : "size", xmlGetLineNo(node));
    row.cache.type = (ResctrlType)row.type;
    r = element_parse_size(reader, node, row.size, row.unit ? row.unit : "B", &row.cache.size);
    if (r >= 0)
        r = check_cache(reader, node, &row, resctrl);
    if (r < 0)
        return r;
    to = append(reader, node, &resctrl->caches, &resctrl->n_caches, sizeof(ResctrlCacheRequest));
    if (!to)
        return append_failed(resctrl->n_caches);
    *to = row.cache;
    return 0;
}

/* ---- <node> ---- */

static const Field node_fields[] = {
    FIELD_UINT("@id", ResctrlBandwidthRequest, id, 0, UINT32_MAX, .flags = FIELD_REQUIRED),
    FIELD_UINT("@bandwidth", ResctrlBandwidthRequest, value, 0, UINT32_MAX,
               .flags = FIELD_REQUIRED),
    FIELD_END};

static int read_node(ElementReader *reader, xmlNodePtr node, ResctrlDef *resctrl) {
    ResctrlBandwidthRequest bandwidth = {0}, *to;
    int r = element_read_fields(reader, node_fields, node, &bandwidth);

    if (r < 0)
        return r;
    for (size_t i = 0; i < resctrl->n_bandwidths; i++)
        if (resctrl->bandwidths[i].id == bandwidth.id)
            return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                                "Memory Bandwidth already defined for node %u (line %ld)",
                                bandwidth.id, xmlGetLineNo(node));
    to = append(reader, node, &resctrl->bandwidths, &resctrl->n_bandwidths,
                sizeof(ResctrlBandwidthRequest));
    if (!to)
        return append_failed(resctrl->n_bandwidths);
    *to = bandwidth;
    return 0;
}

/* ---- <monitor> ---- */

/* A monitor is the group's own, of all its vCPUs, or of some that no other of its kind has. */
static int check_monitor(ElementReader *reader, xmlNodePtr node, const ResctrlDef *resctrl,
                         const MonitorDef *monitor) {
    if (bitmap_is_empty(monitor->vcpus))
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_INVALID_ARG,
                            "vcpus is empty: <monitor> in line %ld watches nothing",
                            xmlGetLineNo(node));
    if (!bitmap_is_subset(monitor->vcpus, resctrl->vcpus))
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_INVALID_ARG,
                            "Monitor has vcpus conflict with allocation: those of <monitor> in "
                            "line %ld must be among its parent's",
                            xmlGetLineNo(node));
    for (size_t i = 0; i < resctrl->n_monitors; i++) {
        const MonitorDef *other = &resctrl->monitors[i];
        bool whole = bitmap_equal(other->vcpus, resctrl->vcpus) ||
                     bitmap_equal(monitor->vcpus, resctrl->vcpus);
        bool same = bitmap_equal(other->vcpus, monitor->vcpus);

        if (same && other->is_memory == monitor->is_memory)
            return error_report(reader->reterr, FROM_DOMAIN, ERROR_INVALID_ARG,
                                "Identical vcpu sets found in monitors (line %ld)",
                                xmlGetLineNo(node));
        if (!same && !whole && bitmap_overlaps(other->vcpus, monitor->vcpus))
            return error_report(reader->reterr, FROM_DOMAIN, ERROR_INVALID_ARG,
                                "Overlapping vcpus found in monitors (line %ld)",
                                xmlGetLineNo(node));
    }
    return 0;
}

static int read_monitor(ElementReader *reader, xmlNodePtr node, const DomainDef *def,
                        ResctrlDef *resctrl, bool is_memory) {
    CLEANUP(vcpus_row_done) VcpusRow row = {.level = 3};
    MonitorDef monitor = {.is_memory = is_memory}, *to;
    int r = element_read_fields(reader, is_memory ? vcpus_fields : monitor_fields, node, &row);

    if (r < 0)
        return r;
    if (row.level != 3)
        return error_report(
            reader->reterr, FROM_DOMAIN, ERROR_XML,
            "Invalid monitor cache level '%u' (line %ld): only level 3 can be monitored", row.level,
            xmlGetLineNo(node));
    if (!bitmap_is_empty(row.vcpus) && bitmap_next(row.vcpus, 0) >= (int)def->n_vcpus_max) {
        element_note(reader, ELEMENT_UNKNOWN, node);
        return 0;
    }
    clip_to_maximum(def, row.vcpus);
    monitor.vcpus = row.vcpus;
    r = check_monitor(reader, node, resctrl, &monitor);
    if (r < 0)
        return r;
    to = append(reader, node, &resctrl->monitors, &resctrl->n_monitors, sizeof(MonitorDef));
    if (!to)
        return append_failed(resctrl->n_monitors);
    *to = monitor;
    row.vcpus = NULL;
    return 0;
}

static int read_resctrl(ElementReader *reader, xmlNodePtr node, DomainDef *def, bool is_memory) {
    const char *child_name = is_memory ? "node" : "cache";
    ResctrlDef *resctrl = NULL;
    int r = find_resctrl(reader, node, def, &resctrl);

    if (r < 0 || !resctrl)
        return r;
    if (is_memory ? resctrl->has_memorytune : resctrl->has_cachetune)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "Identical vcpus in %ss found (line %ld)", (const char *)node->name,
                            xmlGetLineNo(node));
    *(is_memory ? &resctrl->has_memorytune : &resctrl->has_cachetune) = true;
    for (xmlNodePtr at = node->children; at && r >= 0; at = at->next)
        if (element_is(at, child_name)) {
            element_claim(at);
            r = is_memory ? read_node(reader, at, resctrl) : read_cache(reader, at, resctrl);
        } else if (element_is(at, "monitor")) {
            element_claim(at);
            r = read_monitor(reader, at, def, resctrl, is_memory);
        }
    return r;
}

static int read_cachetune(ElementReader *reader, xmlNodePtr node, void *object) {
    return read_resctrl(reader, node, object, false);
}

static int read_memorytune(ElementReader *reader, xmlNodePtr node, void *object) {
    return read_resctrl(reader, node, object, true);
}

/* ---- writing ---- */

static void write_cache(ElementWriter *w, const ResctrlCacheRequest *cache) {
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = {{"GiB", UINT64_C(1) << 30}, {"MiB", UINT64_C(1) << 20}, {"KiB", 1024}, {"B", 1}};
    size_t unit = 0;

    while (cache->size % units[unit].bytes)
        unit++;
    writer_open(w, "cache");
    writer_attributef(w, "id", "%u", cache->id);
    writer_attributef(w, "level", "%u", cache->level);
    writer_attribute(w, "type", words_name(&types, cache->type));
    writer_attributef(w, "size", "%llu", (unsigned long long)(cache->size / units[unit].bytes));
    writer_attribute(w, "unit", units[unit].name);
    writer_close(w, true);
}

static void write_monitors(ElementWriter *w, const ResctrlDef *resctrl, bool is_memory) {
    for (size_t i = 0; i < resctrl->n_monitors; i++)
        if (resctrl->monitors[i].is_memory == is_memory) {
            writer_open(w, "monitor");
            if (!is_memory)
                writer_attribute(w, "level", "3");
            writer_list(w, "vcpus", resctrl->monitors[i].vcpus);
            writer_close(w, true);
        }
}

static void write_resctrl(ElementWriter *w, const ResctrlDef *resctrl, bool is_memory) {
    if (!(is_memory ? resctrl->has_memorytune : resctrl->has_cachetune))
        return;
    writer_open(w, is_memory ? "memorytune" : "cachetune");
    writer_list(w, "vcpus", resctrl->vcpus);
    for (size_t i = 0; !is_memory && i < resctrl->n_caches; i++)
        write_cache(w, &resctrl->caches[i]);
    for (size_t i = 0; is_memory && i < resctrl->n_bandwidths; i++) {
        writer_open(w, "node");
        writer_attributef(w, "id", "%u", resctrl->bandwidths[i].id);
        writer_attributef(w, "bandwidth", "%u", resctrl->bandwidths[i].value);
        writer_close(w, true);
    }
    write_monitors(w, resctrl, is_memory);
    writer_close(w, true);
}

static void write_resctrls(ElementWriter *w, const void *object) {
    const CpuTuneDef *tune = &((const DomainDef *)object)->cputune;

    for (size_t i = 0; i < tune->n_resctrls; i++)
        write_resctrl(w, &tune->resctrls[i], false);
    for (size_t i = 0; i < tune->n_resctrls; i++)
        write_resctrl(w, &tune->resctrls[i], true);
}

const Field resctrl_fields[] = {
    FIELD_CODE("cachetune", read_cachetune, write_resctrls, .flags = FIELD_EACH),
    FIELD_CODE("memorytune", read_memorytune, NULL, .flags = FIELD_EACH), FIELD_END};
