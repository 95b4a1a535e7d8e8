/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <iothreads>, <cputune>, <numatune> and <resource>. All but <resource> are read after everything
 * else: they speak of vCPUs, IO threads and NUMA cells by number. */
#include <ctype.h>
#include <inttypes.h>

#include "conf/domain-parse-internal.h"

#define PRIORITY_MIN 1u
#define PRIORITY_MAX 99u
#define TUNE_ITEMS_MAX                                                                             \
    1024u /* of one kind: each is compared with all others; no processor has as many */

/* A list attribute that must be there; it may be of nothing. */
static int attribute_map(Parser *parser, xmlNodePtr node, const char *name, Bitmap **ret) {
    CLEANUP_FREE char *text = node_attribute(node, name);
    CLEANUP_BITMAP Bitmap *map = NULL;
    int r;

    if (!text)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "missing attribute '%s' in element '%s' (line %ld)", name,
                            (const char *)node->name, xmlGetLineNo(node));
    r = bitmap_parse(text, BITMAP_MAX_BITS, &map);
    if (r == -ENOMEM)
        return error_no_memory(parser->reterr);
    if (r < 0)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_INVALID_ARG,
                            "Failed to parse bitmap '%.200s': the '%s' of element '%s' (line %ld)",
                            text, name, (const char *)node->name, xmlGetLineNo(node));
    *ret = TAKE_PTR(map);
    return 0;
}

/* The same with at least one member. */
static int attribute_list(Parser *parser, xmlNodePtr node, const char *name, Bitmap **ret) {
    CLEANUP_FREE char *text = node_attribute(node, name);
    CLEANUP_BITMAP Bitmap *map = NULL;
    int r = attribute_map(parser, node, name, &map);

    if (r < 0)
        return r;
    if (bitmap_is_empty(map))
        return error_report(
            parser->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
            "Invalid value of '%s': %.200s (element '%s' in line %ld): the list is empty", name,
            text ? text : "", (const char *)node->name, xmlGetLineNo(node));
    *ret = TAKE_PTR(map);
    return 0;
}

static int attribute_required(Parser *parser, xmlNodePtr node, const char *name, unsigned max,
                              unsigned *ret) {
    if (!xmlHasProp(node, BAD_CAST name))
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "missing attribute '%s' in element '%s' (line %ld)", name,
                            (const char *)node->name, xmlGetLineNo(node));
    return attribute_unsigned(parser, node, name, max, ret);
}

/* A whole number as an element's text. */
static int text_number(Parser *parser, xmlNodePtr node, bool is_signed, int64_t *ret) {
    CLEANUP_FREE char *text = node_text(node);
    char *at = text, *end = NULL;
    long long value;

    while (at && isspace((unsigned char)*at))
        at++;
    errno = 0;
    value = at ? strtoll(at, &end, 10) : 0;
    while (end && isspace((unsigned char)*end))
        end++;
    if (!at || errno || end == at || *end || (*at == '-' && !is_signed) || *at == '+')
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "can't parse cputune %s value '%.40s' (line %ld)",
                            (const char *)node->name, text ? text : "", xmlGetLineNo(node));
    *ret = value;
    return 0;
}

/* array_append with a limit; the sentence is made here. */
static void *append(Parser *parser, xmlNodePtr node, void *array, size_t *n, size_t size) {
    void *item = *n < TUNE_ITEMS_MAX ? array_append(array, n, size) : NULL;

    if (!item && *n >= TUNE_ITEMS_MAX)
        error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                     "more than %u <%s> elements (line %ld)", TUNE_ITEMS_MAX,
                     (const char *)node->name, xmlGetLineNo(node));
    else if (!item)
        error_no_memory(parser->reterr);
    return item;
}

/* ---- <iothreads> ---- */

static int text_count(Parser *parser, xmlNodePtr node, unsigned *ret) {
    CLEANUP_FREE char *text = node_text(node);
    char *end = NULL;
    unsigned long value = text ? strtoul(text, &end, 10) : 0;

    if (!text || end == text || *end || !isdigit((unsigned char)*text) || value > IOTHREAD_ID_MAX)
        return error_report(
            parser->reterr, FROM_DOMAIN, ERROR_XML,
            "invalid iothreads count '%.40s' (line %ld): a number up to %u is expected",
            text ? text : "", xmlGetLineNo(node), IOTHREAD_ID_MAX);
    *ret = value;
    return 0;
}

static int attribute_u64(Parser *parser, xmlNodePtr node, const char *name, bool *ret_has,
                         uint64_t *ret) {
    CLEANUP_FREE char *text = node_attribute(node, name);
    char *end = NULL;

    if (!text)
        return 0;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    if (errno || !isdigit((unsigned char)*text) || *end)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "Invalid value for attribute '%s' in element '%s': '%.80s' (line %ld)",
                            name, (const char *)node->name, text, xmlGetLineNo(node));
    *ret_has = true;
    return 0;
}

static int parse_poll(Parser *parser, xmlNodePtr node, IothreadDef *iothread) {
    int r;

    if (!node)
        return 0;
    r = attribute_u64(parser, node, "max", &iothread->has_poll_max, &iothread->poll_max_ns);
    if (r >= 0)
        r = attribute_u64(parser, node, "grow", &iothread->has_poll_grow, &iothread->poll_grow);
    if (r >= 0)
        r = attribute_u64(parser, node, "shrink", &iothread->has_poll_shrink,
                          &iothread->poll_shrink);
    if (r >= 0 && iothread->has_poll_max && iothread->poll_max_ns > INT64_MAX)
        r = error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                         "poll max of iothread '%u' is beyond %" PRId64, iothread->id, INT64_MAX);
    return r;
}

static int parse_pool(Parser *parser, xmlNodePtr node, IothreadDef *iothread) {
    unsigned min = 0, max = 0;
    int r = attribute_unsigned(parser, node, "thread_pool_min", INT32_MAX, &min);

    if (r >= 0)
        r = attribute_unsigned(parser, node, "thread_pool_max", INT32_MAX, &max);
    if (r < 0)
        return r;
    if (xmlHasProp(node, BAD_CAST "thread_pool_min"))
        iothread->pool_min = (int)min;
    if (xmlHasProp(node, BAD_CAST "thread_pool_max"))
        iothread->pool_max = (int)max;
    return iothread_check_pool(iothread, parser->reterr);
}

static int parse_iothread(Parser *parser, xmlNodePtr node) {
    IothreadDef *iothread;
    unsigned id = 0;
    int r = attribute_required(parser, node, "id", IOTHREAD_ID_MAX, &id);

    if (r < 0)
        return r;
    if (id == 0)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "invalid iothread 'id' value of '0' (line %ld)", xmlGetLineNo(node));
    if (domain_def_iothread(parser->def, id))
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "duplicate iothread id '%u' found", id);
    iothread = domain_def_add_iothread(parser->def, id);
    if (!iothread)
        return error_no_memory(parser->reterr);
    r = parse_poll(parser, node_child(node, "poll"), iothread);
    return r < 0 ? r : parse_pool(parser, node, iothread);
}

/* Ids that are not written are the lowest free ones. */
static int parse_iothreads(Parser *parser, xmlNodePtr root) {
    static const ElementReader readers[] = {{"iothread", parse_iothread, false}};
    xmlNodePtr count = node_child(root, "iothreads"), ids = node_child(root, "iothreadids");
    DomainDef *def = parser->def;
    unsigned n = 0, id = 0;
    int r = count ? text_count(parser, count, &n) : 0;

    if (r >= 0 && ids)
        r = parse_children(parser, ids, readers, ARRAY_SIZE(readers));
    while (r >= 0 && def->n_iothreads < n) {
        IothreadDef *iothread;

        do
            id++;
        while (domain_def_iothread(def, id));
        iothread = domain_def_add_iothread(def, id);
        if (!iothread)
            return error_no_memory(parser->reterr);
        iothread->automatic = true;
    }
    return r;
}

/* ---- shares and bandwidth ---- */

static int parse_shares(Parser *parser, xmlNodePtr node) {
    int64_t value = 0;
    int r = text_number(parser, node, false, &value);

    parser->def->cputune.shares = (uint64_t)value;
    return r < 0 ? r : shares_check("shares", parser->def->cputune.shares, parser->reterr);
}

static int parse_bandwidth(Parser *parser, xmlNodePtr node) {
    CpuTuneDef *tune = &parser->def->cputune;
    const struct {
        const char *prefix;
        BandwidthDef *bandwidth;
    } all[] = {{"global_", &tune->global},
               {"emulator_", &tune->emulator},
               {"iothread_", &tune->iothread},
               {"", &tune->vcpu}};
    const char *name = (const char *)node->name;
    size_t i = 0;
    int64_t value = 0;
    int r;

    while (strncmp(name, all[i].prefix, strlen(all[i].prefix)) != 0)
        i++;
    if (streq(name + strlen(all[i].prefix), "period")) {
        r = text_number(parser, node, false, &value);
        all[i].bandwidth->period = (uint64_t)value;
        return r < 0 ? r : bandwidth_check_period(name, (uint64_t)value, parser->reterr);
    }
    r = text_number(parser, node, true, &value);
    all[i].bandwidth->quota = value;
    return r < 0 ? r : bandwidth_check_quota(name, value, parser->reterr);
}

/* ---- pins ---- */

static int parse_vcpupin(Parser *parser, xmlNodePtr node) {
    DomainDef *def = parser->def;
    CLEANUP_BITMAP Bitmap *cpus = NULL;
    unsigned id = 0;
    int r = attribute_required(parser, node, "vcpu", UINT32_MAX, &id);

    if (r >= 0)
        r = attribute_list(parser, node, "cpuset", &cpus);
    if (r < 0)
        return r;
    if (id >= def->n_vcpus_max) { /* as libvirt does: a lowered maximum must not make the rest
                                     unreadable */
        parse_warn(parser, node);
        return 0;
    }
    if (def->vcpus[id].pin)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_INTERNAL,
                            "duplicate vcpupin for vcpu '%u'", id);
    def->vcpus[id].pin = TAKE_PTR(cpus);
    return 0;
}

static int parse_emulatorpin(Parser *parser, xmlNodePtr node) {
    if (parser->def->cputune.emulator_pin)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "only one emulatorpin is supported (line %ld)", xmlGetLineNo(node));
    return attribute_list(parser, node, "cpuset", &parser->def->cputune.emulator_pin);
}

static int no_iothread(Parser *parser, xmlNodePtr node, unsigned id) {
    return error_report(parser->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                        "Cannot find 'iothread' : %u, which <%s> in line %ld names; <iothreads> or "
                        "<iothreadids> must "
                        "have it",
                        id, (const char *)node->name, xmlGetLineNo(node));
}

static int parse_iothreadpin(Parser *parser, xmlNodePtr node) {
    IothreadDef *iothread;
    unsigned id = 0;
    int r = attribute_required(parser, node, "iothread", IOTHREAD_ID_MAX, &id);

    if (r < 0)
        return r;
    iothread = domain_def_iothread(parser->def, id);
    if (!iothread)
        return no_iothread(parser, node, id);
    if (iothread->pin)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_INTERNAL,
                            "duplicate iothreadpin for same iothread '%u'", id);
    return attribute_list(parser, node, "cpuset", &iothread->pin);
}

/* ---- schedulers ---- */

static int parse_sched(Parser *parser, xmlNodePtr node, SchedDef *ret) {
    CLEANUP_FREE char *text = node_attribute(node, "scheduler");
    unsigned priority = 0;
    SchedDef sched = {.given = true, .policy = thread_policy_from_string(text)};
    int r;

    if (!text || sched.policy < 0 || sched.policy == THREAD_POLICY_OTHER)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "Invalid value for attribute 'scheduler' in element '%s': '%.40s' "
                            "(line %ld): batch, idle, "
                            "fifo or rr is expected",
                            (const char *)node->name, text ? text : "", xmlGetLineNo(node));
    r = attribute_unsigned(parser, node, "priority", UINT32_MAX, &priority);
    if (r < 0)
        return r;
    if (thread_policy_is_realtime(sched.policy) &&
        (priority < PRIORITY_MIN || priority > PRIORITY_MAX))
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "Missing or invalid scheduler priority in element '%s' (line %ld): %s "
                            "needs one from %u to "
                            "%u",
                            (const char *)node->name, xmlGetLineNo(node), text, PRIORITY_MIN,
                            PRIORITY_MAX);
    sched.priority = thread_policy_is_realtime(sched.policy) ? (int)priority : 0;
    *ret = sched;
    return 0;
}

static int parse_vcpusched(Parser *parser, xmlNodePtr node) {
    DomainDef *def = parser->def;
    CLEANUP_BITMAP Bitmap *ids = NULL;
    SchedDef sched;
    int r = attribute_list(parser, node, "vcpus", &ids);

    if (r >= 0)
        r = parse_sched(parser, node, &sched);
    for (int id = r < 0 ? -1 : bitmap_next(ids, 0); id >= 0; id = bitmap_next(ids, id + 1)) {
        if (id >= (int)def->n_vcpus_max)
            return error_report(
                parser->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                "vCPU '%d' is not present in domain definition, but in <vcpusched> (line %ld)", id,
                xmlGetLineNo(node));
        if (def->vcpus[id].sched.given)
            return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML_DETAIL,
                                "vcpusched attributes 'vcpus' must not overlap (vCPU '%d')", id);
        def->vcpus[id].sched = sched;
    }
    return r;
}

static int parse_iothreadsched(Parser *parser, xmlNodePtr node) {
    CLEANUP_BITMAP Bitmap *ids = NULL;
    SchedDef sched;
    int r = attribute_list(parser, node, "iothreads", &ids);

    if (r >= 0)
        r = parse_sched(parser, node, &sched);
    for (int id = r < 0 ? -1 : bitmap_next(ids, 0); id >= 0; id = bitmap_next(ids, id + 1)) {
        IothreadDef *iothread = domain_def_iothread(parser->def, (unsigned)id);

        if (!iothread)
            return no_iothread(parser, node, (unsigned)id);
        if (iothread->sched.given)
            return error_report(
                parser->reterr, FROM_DOMAIN, ERROR_XML_DETAIL,
                "iothreadsched attributes 'iothreads' must not overlap (iothread '%d')", id);
        iothread->sched = sched;
    }
    return r;
}

static int parse_emulatorsched(Parser *parser, xmlNodePtr node) {
    if (parser->def->cputune.emulator_sched.given)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "only one emulatorsched is supported (line %ld)", xmlGetLineNo(node));
    return parse_sched(parser, node, &parser->def->cputune.emulator_sched);
}

/* ---- <cachetune> and <memorytune> ---- */

/* A lowered maximum must not make the rest unreadable. */
static void clip_to_maximum(const Parser *parser, Bitmap *vcpus) {
    for (int id = bitmap_last(vcpus); id >= (int)parser->def->n_vcpus_max; id = bitmap_last(vcpus))
        bitmap_clear(vcpus, (unsigned)id);
}

/* The group of the vCPUs a <cachetune> or <memorytune> names: another element's if they are the
 * same ones, a new one if nobody has any of them. *ret is NULL where none of the vCPUs exists: then
 * the element means nothing. */
static int find_resctrl(Parser *parser, xmlNodePtr node, ResctrlDef **ret) {
    CpuTuneDef *tune = &parser->def->cputune;
    CLEANUP_BITMAP Bitmap *vcpus = NULL;
    ResctrlDef *resctrl;
    int r = attribute_map(parser, node, "vcpus", &vcpus);

    *ret = NULL;
    if (r < 0)
        return r;
    clip_to_maximum(parser, vcpus);
    if (bitmap_is_empty(vcpus)) {
        parse_warn(parser, node);
        return 0;
    }
    for (size_t i = 0; i < tune->n_resctrls; i++) {
        if (bitmap_equal(tune->resctrls[i].vcpus, vcpus)) {
            *ret = &tune->resctrls[i];
            return 0;
        }
        if (bitmap_overlaps(tune->resctrls[i].vcpus, vcpus))
            return error_report(
                parser->reterr, FROM_DOMAIN, ERROR_XML,
                "Overlapping vcpus in resctrls: the 'vcpus' of <%s> in line %ld must be those of "
                "another cachetune or memorytune, or none of them",
                (const char *)node->name, xmlGetLineNo(node));
    }
    resctrl = append(parser, node, &tune->resctrls, &tune->n_resctrls, sizeof(ResctrlDef));
    if (!resctrl)
        return -EINVAL;
    resctrl->vcpus = TAKE_PTR(vcpus);
    *ret = resctrl;
    return 0;
}

static int parse_cache(Parser *parser, xmlNodePtr node, ResctrlDef *resctrl) {
    CLEANUP_FREE char *size = node_attribute(node, "size"), *unit = node_attribute(node, "unit");
    ResctrlCacheRequest cache = {0}, *to;
    int type = -1, r = attribute_required(parser, node, "id", UINT32_MAX, &cache.id);

    if (r >= 0)
        r = attribute_required(parser, node, "level", UINT32_MAX, &cache.level);
    if (r >= 0)
        r = attribute_enum(parser, node, "type", resctrl_type_names, RESCTRL_TYPE_MAX, &type);
    if (r < 0)
        return r;
    if (cache.level != 2 && cache.level != 3)
        return error_report(
            parser->reterr, FROM_DOMAIN, ERROR_XML,
            "Invalid cache attribute 'level' value '%u' (line %ld): caches of level 2 and 3 can be "
            "divided",
            cache.level, xmlGetLineNo(node));
    if (type < 0 || !size)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "Missing cache attribute '%s' (line %ld)", type < 0 ? "type" : "size",
                            xmlGetLineNo(node));
    cache.type = (ResctrlType)type;
    r = parse_size_bytes(parser, node, size, unit ? unit : "B", &cache.size);
    if (r < 0)
        return r;
    if (cache.size == 0)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "Cache size of 0 is meaningless (line %ld)", xmlGetLineNo(node));
    for (size_t i = 0; i < resctrl->n_caches; i++) {
        const ResctrlCacheRequest *other = &resctrl->caches[i];

        if (other->level == cache.level && other->id == cache.id &&
            (other->type == cache.type || other->type == RESCTRL_BOTH ||
             cache.type == RESCTRL_BOTH))
            return error_report(
                parser->reterr, FROM_DOMAIN, ERROR_XML,
                "Colliding cache allocations for cache level '%u' id '%u', type '%s' (line %ld)",
                cache.level, cache.id, resctrl_type_names[cache.type], xmlGetLineNo(node));
    }
    to = append(parser, node, &resctrl->caches, &resctrl->n_caches, sizeof(ResctrlCacheRequest));
    if (!to)
        return -EINVAL;
    *to = cache;
    return 0;
}

static int parse_node(Parser *parser, xmlNodePtr node, ResctrlDef *resctrl) {
    ResctrlBandwidthRequest bandwidth = {0}, *to;
    int r = attribute_required(parser, node, "id", UINT32_MAX, &bandwidth.id);

    if (r >= 0)
        r = attribute_required(parser, node, "bandwidth", UINT32_MAX, &bandwidth.value);
    if (r < 0)
        return r;
    for (size_t i = 0; i < resctrl->n_bandwidths; i++)
        if (resctrl->bandwidths[i].id == bandwidth.id)
            return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                                "Memory Bandwidth already defined for node %u (line %ld)",
                                bandwidth.id, xmlGetLineNo(node));
    to = append(parser, node, &resctrl->bandwidths, &resctrl->n_bandwidths,
                sizeof(ResctrlBandwidthRequest));
    if (!to)
        return -EINVAL;
    *to = bandwidth;
    return 0;
}

/* A monitor is the group's own, of all its vCPUs, or of some that no other of its kind has. */
static int check_monitor(Parser *parser, xmlNodePtr node, const ResctrlDef *resctrl,
                         const MonitorDef *monitor) {
    if (bitmap_is_empty(monitor->vcpus))
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_INVALID_ARG,
                            "vcpus is empty: <monitor> in line %ld watches nothing",
                            xmlGetLineNo(node));
    if (!bitmap_is_subset(monitor->vcpus, resctrl->vcpus))
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_INVALID_ARG,
                            "Monitor has vcpus conflict with allocation: those of <monitor> in "
                            "line %ld must be among "
                            "its parent's",
                            xmlGetLineNo(node));
    for (size_t i = 0; i < resctrl->n_monitors; i++) {
        const MonitorDef *other = &resctrl->monitors[i];
        bool whole = bitmap_equal(other->vcpus, resctrl->vcpus) ||
                     bitmap_equal(monitor->vcpus, resctrl->vcpus);
        bool same = bitmap_equal(other->vcpus, monitor->vcpus);

        if (same && other->is_memory == monitor->is_memory)
            return error_report(parser->reterr, FROM_DOMAIN, ERROR_INVALID_ARG,
                                "Identical vcpu sets found in monitors (line %ld)",
                                xmlGetLineNo(node));
        if (!same && !whole && bitmap_overlaps(other->vcpus, monitor->vcpus))
            return error_report(parser->reterr, FROM_DOMAIN, ERROR_INVALID_ARG,
                                "Overlapping vcpus found in monitors (line %ld)",
                                xmlGetLineNo(node));
    }
    return 0;
}

static int parse_monitor(Parser *parser, xmlNodePtr node, ResctrlDef *resctrl, bool is_memory) {
    MonitorDef monitor = {.is_memory = is_memory}, *to;
    unsigned level = 3;
    int r = is_memory ? 0 : attribute_required(parser, node, "level", UINT32_MAX, &level);

    if (r >= 0 && level != 3)
        r = error_report(
            parser->reterr, FROM_DOMAIN, ERROR_XML,
            "Invalid monitor cache level '%u' (line %ld): only level 3 can be monitored", level,
            xmlGetLineNo(node));
    if (r >= 0)
        r = attribute_map(parser, node, "vcpus", &monitor.vcpus);
    if (r < 0)
        return r;
    if (!bitmap_is_empty(monitor.vcpus) &&
        bitmap_next(monitor.vcpus, 0) >= (int)parser->def->n_vcpus_max) {
        bitmap_free(monitor.vcpus);
        parse_warn(parser, node);
        return 0;
    }
    clip_to_maximum(parser, monitor.vcpus);
    r = check_monitor(parser, node, resctrl, &monitor);
    to = r < 0 ? NULL
               : append(parser, node, &resctrl->monitors, &resctrl->n_monitors, sizeof(MonitorDef));
    if (!to) {
        bitmap_free(monitor.vcpus);
        return -EINVAL;
    }
    *to = monitor;
    return 0;
}

static int parse_resctrl(Parser *parser, xmlNodePtr node, bool is_memory) {
    const char *child_name = is_memory ? "node" : "cache";
    ResctrlDef *resctrl = NULL;
    int r = find_resctrl(parser, node, &resctrl);

    if (r < 0 || !resctrl)
        return r;
    if (is_memory ? resctrl->has_memorytune : resctrl->has_cachetune)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "Identical vcpus in %ss found (line %ld)", (const char *)node->name,
                            xmlGetLineNo(node));
    if (is_memory)
        resctrl->has_memorytune = true;
    else
        resctrl->has_cachetune = true;
    for (xmlNodePtr at = node->children; at && r >= 0; at = at->next) {
        if (at->type != XML_ELEMENT_NODE)
            continue;
        if (node_is(at, child_name))
            r = is_memory ? parse_node(parser, at, resctrl) : parse_cache(parser, at, resctrl);
        else if (node_is(at, "monitor"))
            r = parse_monitor(parser, at, resctrl, is_memory);
        else
            parse_warn(parser, at);
    }
    return r;
}

static int parse_cachetune(Parser *parser, xmlNodePtr node) {
    return parse_resctrl(parser, node, false);
}

static int parse_cputune(Parser *parser, xmlNodePtr node) {
    static const ElementReader readers[] = {
        {"shares", parse_shares, false},
        {"period", parse_bandwidth, false},
        {"quota", parse_bandwidth, false},
        {"global_period", parse_bandwidth, false},
        {"global_quota", parse_bandwidth, false},
        {"emulator_period", parse_bandwidth, false},
        {"emulator_quota", parse_bandwidth, false},
        {"iothread_period", parse_bandwidth, false},
        {"iothread_quota", parse_bandwidth, false},
        {"vcpupin", parse_vcpupin, false},
        {"emulatorpin", parse_emulatorpin, false},
        {"iothreadpin", parse_iothreadpin, false},
        {"vcpusched", parse_vcpusched, false},
        {"iothreadsched", parse_iothreadsched, false},
        {"emulatorsched", parse_emulatorsched, false},
        {"cachetune", parse_cachetune, false},
        {"memorytune", NULL, false}, /* after all of <cachetune> */
        {"energytune", NULL, true},
    };
    int r = parse_children(parser, node, readers, ARRAY_SIZE(readers));

    /* The groups come in the order in which they are written: those of <cachetune> first. */
    for (xmlNodePtr at = node->children; at && r >= 0; at = at->next)
        if (node_is(at, "memorytune"))
            r = parse_resctrl(parser, at, true);
    return r;
}

/* ---- <numatune> ---- */

static int parse_numa_mode(Parser *parser, xmlNodePtr node, NumaMode *ret) {
    int mode = NUMA_STRICT;
    int r = attribute_enum(parser, node, "mode", numa_mode_names, NUMA_MODE_MAX_, &mode);

    *ret = (NumaMode)mode;
    return r;
}

static int parse_numa_memory(Parser *parser, xmlNodePtr node) {
    NumaTuneDef *tune = &parser->def->numatune;
    CLEANUP_FREE char *placement = node_attribute(node, "placement");
    int r = parse_numa_mode(parser, node, &tune->mode);

    if (r < 0)
        return r;
    if (tune->given)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "only one <memory> is supported in <numatune>");
    if (placement && !streq(placement, "static") && !streq(placement, "auto"))
        return error_report(
            parser->reterr, FROM_DOMAIN, ERROR_XML,
            "Invalid value for attribute 'placement' in element 'memory': '%.40s' (line %ld)",
            placement, xmlGetLineNo(node));
    tune->given = true;
    tune->automatic = placement
                          ? streq(placement, "auto")
                          : parser->def->placement_auto && !xmlHasProp(node, BAD_CAST "nodeset");
    if (tune->automatic)
        return 0;
    if (!xmlHasProp(node, BAD_CAST "nodeset"))
        return error_report(
            parser->reterr, FROM_DOMAIN, ERROR_XML,
            "nodeset for NUMA memory tuning must be set if 'placement' is 'static'");
    return attribute_list(parser, node, "nodeset", &tune->nodes);
}

static int parse_memnode(Parser *parser, xmlNodePtr node) {
    NumaTuneDef *tune = &parser->def->numatune;
    MemnodeDef *memnode;
    unsigned cell = 0;
    int r = attribute_required(parser, node, "cellid", UINT32_MAX, &cell);

    if (r < 0)
        return r;
    if (cell >= parser->def->cpu.n_cells)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "Argument 'cellid' in memnode element must correspond to existing "
                            "guest's NUMA cell: there "
                            "is no cell %u",
                            cell);
    for (size_t i = 0; i < tune->n_memnodes; i++)
        if (tune->memnodes[i].cell == cell)
            return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                                "Multiple memnode elements with cellid %u", cell);
    memnode = array_append(&tune->memnodes, &tune->n_memnodes, sizeof(MemnodeDef));
    if (!memnode)
        return error_no_memory(parser->reterr);
    memnode->cell = cell;
    r = parse_numa_mode(parser, node, &memnode->mode);
    return r < 0 ? r : attribute_list(parser, node, "nodeset", &memnode->nodes);
}

static int parse_numatune(Parser *parser, xmlNodePtr node) {
    static const ElementReader readers[] = {{"memory", parse_numa_memory, false},
                                            {"memnode", parse_memnode, false}};

    return parse_children(parser, node, readers, ARRAY_SIZE(readers));
}

/* ---- <resource> ---- */

static int parse_partition(Parser *parser, xmlNodePtr node) {
    CLEANUP_FREE char *text = node_text(node);

    if (!text || text[0] != '/')
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                            "resource partition '%.200s' must start with '/'", text ? text : "");
    if (strstr(text, "/../") || strstr(text, "/./") ||
        (strlen(text) >= 3 && streq(text + strlen(text) - 3, "/..")) || strlen(text) > 1024 ||
        strchr(text, '\n'))
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                            "resource partition '%.200s' is no plain path", text);
    free(parser->def->partition);
    parser->def->partition = TAKE_PTR(text);
    return 0;
}

int parse_resource(Parser *parser, xmlNodePtr node) {
    static const ElementReader readers[] = {{"partition", parse_partition, false}};

    return parse_children(parser, node, readers, ARRAY_SIZE(readers));
}

int parse_tune(Parser *parser, xmlNodePtr root) {
    xmlNodePtr cputune = node_child(root, "cputune"), numatune = node_child(root, "numatune");
    int r = parse_iothreads(parser, root);

    if (r >= 0 && cputune)
        r = parse_cputune(parser, cputune);
    if (r >= 0 && numatune)
        r = parse_numatune(parser, numatune);
    return r;
}
