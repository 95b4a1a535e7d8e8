/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <cputune> but for the groups of resctrl. */
#include "conf/cputune.h"

#include <inttypes.h>

#include "conf/domain-def.h"

#define PRIORITY_MIN 1u
#define PRIORITY_MAX 99u

/* ---- shares and bandwidth ---- */

/* A whole number as an element's text. */
static int text_number(ElementReader *reader, xmlNodePtr node, bool is_signed, int64_t *ret) {
    CLEANUP_FREE char *text = NULL;
    int r = element_text(reader, node, &text);
    char *at, *end = NULL;

    if (r < 0)
        return r;
    at = text + strspn(text, " \n\t\r");
    errno = 0;
    *ret = strtoll(at, &end, 10);
    end += strspn(end, " \n\t\r");
    if (errno || end == at || *end || (*at == '-' && !is_signed) || *at == '+')
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "can't parse cputune %s value '%.40s' (line %ld)",
                            (const char *)node->name, text, xmlGetLineNo(node));
    return 0;
}

static int out_of_range(ElementReader *reader, xmlNodePtr node, uint64_t min, uint64_t max) {
    return error_report(reader->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                        "Value of cputune '%s' must be in range [%" PRIu64 ", %" PRIu64
                        "] (line %ld)",
                        (const char *)node->name, min, max, xmlGetLineNo(node));
}

static int read_shares(ElementReader *reader, xmlNodePtr node, void *object) {
    CpuTuneDef *tune = &((DomainDef *)object)->cputune;
    int64_t value = 0;
    int r = text_number(reader, node, false, &value);

    tune->shares = (uint64_t)value;
    if (r >= 0 && shares_check("shares", tune->shares, NULL) < 0)
        return out_of_range(reader, node, CGROUP_SHARES_MIN, CGROUP_SHARES_MAX);
    return r;
}

typedef struct BandwidthRow {
    const char *period, *quota;
    size_t offset;
} BandwidthRow;

static const BandwidthRow bandwidths[] = {
    {"period", "quota", offsetof(CpuTuneDef, vcpu)},
    {"global_period", "global_quota", offsetof(CpuTuneDef, global)},
    {"emulator_period", "emulator_quota", offsetof(CpuTuneDef, emulator)},
    {"iothread_period", "iothread_quota", offsetof(CpuTuneDef, iothread)}};

static int read_bandwidth(ElementReader *reader, xmlNodePtr node, void *object) {
    char *tune = (char *)&((DomainDef *)object)->cputune;
    const char *name = (const char *)node->name;
    BandwidthDef *bandwidth;
    int64_t value = 0;
    size_t i = 0;
    bool period;
    int r;

    while (!streq(name, bandwidths[i].period) && !streq(name, bandwidths[i].quota))
        i++;
    bandwidth = (BandwidthDef *)(tune + bandwidths[i].offset);
    period = streq(name, bandwidths[i].period);
    r = text_number(reader, node, !period, &value);
    if (r < 0)
        return r;
    if (period) {
        bandwidth->period = (uint64_t)value;
        if (bandwidth_check_period(name, (uint64_t)value, NULL) < 0)
            return out_of_range(reader, node, CGROUP_PERIOD_MIN, CGROUP_PERIOD_MAX);
        return 0;
    }
    bandwidth->quota = value;
    return bandwidth_check_quota(name, value, NULL) < 0
               ? out_of_range(reader, node, CGROUP_QUOTA_MIN, CGROUP_QUOTA_MAX)
               : 0;
}

static void write_shares(ElementWriter *w, const void *object) {
    const CpuTuneDef *tune = &((const DomainDef *)object)->cputune;

    if (tune->shares)
        writer_elementf(w, "shares", "%" PRIu64, tune->shares);
    for (size_t i = 0; i < ARRAY_SIZE(bandwidths); i++) {
        const BandwidthDef *bandwidth = (const BandwidthDef *)((const char *)tune +
                                                               bandwidths[i].offset);

        if (bandwidth->period)
            writer_elementf(w, bandwidths[i].period, "%" PRIu64, bandwidth->period);
        if (bandwidth->quota)
            writer_elementf(w, bandwidths[i].quota, "%" PRId64, bandwidth->quota);
    }
}

/* ---- pins ---- */

typedef struct PinRow {
    unsigned id;
    Bitmap *cpus;
} PinRow;

static void pin_done(PinRow *row) {
    bitmap_free(row->cpus);
}

static const Field cpuset_fields[] = {
    FIELD_BITMAP("@cpuset", PinRow, cpus, .flags = FIELD_REQUIRED), FIELD_END};
static const Field vcpupin_fields[] = {
    FIELD_UINT("@vcpu", PinRow, id, 0, UINT32_MAX, .flags = FIELD_REQUIRED),
    FIELD_GROUP(NULL, cpuset_fields), FIELD_END};
static const Field iothreadpin_fields[] = {
    FIELD_UINT("@iothread", PinRow, id, 0, IOTHREAD_ID_MAX, .flags = FIELD_REQUIRED),
    FIELD_GROUP(NULL, cpuset_fields), FIELD_END};

static int read_vcpupin(ElementReader *reader, xmlNodePtr node, void *object) {
    DomainDef *def = object;
    CLEANUP(pin_done) PinRow row = {0};
    int r = element_read_fields(reader, vcpupin_fields, node, &row);

    if (r < 0)
        return r;
    if (row.id >= def->n_vcpus_max) { /* as libvirt does: a lowered maximum must not make the rest
                                         unreadable */
        element_note(reader, ELEMENT_UNKNOWN, node);
        return 0;
    }
    if (def->vcpus[row.id].pin)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_INTERNAL,
                            "duplicate vcpupin for vcpu '%u'", row.id);
    def->vcpus[row.id].pin = TAKE_PTR(row.cpus);
    return 0;
}

static int read_emulatorpin(ElementReader *reader, xmlNodePtr node, void *object) {
    CpuTuneDef *tune = &((DomainDef *)object)->cputune;
    CLEANUP(pin_done) PinRow row = {0};
    int r;

    if (tune->emulator_pin)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "only one emulatorpin is supported (line %ld)", xmlGetLineNo(node));
    r = element_read_fields(reader, cpuset_fields, node, &row);
    tune->emulator_pin = TAKE_PTR(row.cpus);
    return r;
}

static int no_iothread(ElementReader *reader, xmlNodePtr node, unsigned id) {
    return error_report(reader->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                        "Cannot find 'iothread' : %u, which <%s> in line %ld names; <iothreads> or "
                        "<iothreadids> must have it",
                        id, (const char *)node->name, xmlGetLineNo(node));
}

static int read_iothreadpin(ElementReader *reader, xmlNodePtr node, void *object) {
    CLEANUP(pin_done) PinRow row = {0};
    IothreadDef *iothread;
    int r = element_read_fields(reader, iothreadpin_fields, node, &row);

    if (r < 0)
        return r;
    iothread = domain_def_iothread(object, row.id);
    if (!iothread)
        return no_iothread(reader, node, row.id);
    if (iothread->pin)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_INTERNAL,
                            "duplicate iothreadpin for same iothread '%u'", row.id);
    iothread->pin = TAKE_PTR(row.cpus);
    return 0;
}

static void write_pin(ElementWriter *w, const char *name, const char *key, unsigned id,
                      const Bitmap *cpus) {
    if (!cpus)
        return;
    writer_open(w, name);
    if (key)
        writer_attributef(w, key, "%u", id);
    writer_list(w, "cpuset", cpus);
    writer_close(w, true);
}

static void write_pins(ElementWriter *w, const void *object) {
    const DomainDef *def = object;

    for (unsigned id = 0; id < def->n_vcpus_max; id++)
        write_pin(w, "vcpupin", "vcpu", id, def->vcpus[id].pin);
    write_pin(w, "emulatorpin", NULL, 0, def->cputune.emulator_pin);
    for (size_t i = 0; i < def->n_iothreads; i++)
        write_pin(w, "iothreadpin", "iothread", def->iothreads[i].id, def->iothreads[i].pin);
}

/* ---- schedulers ---- */

typedef struct SchedRow {
    Bitmap *ids;
    char *scheduler;
    unsigned priority;
} SchedRow;

static void sched_row_done(SchedRow *row) {
    bitmap_free(row->ids);
    free(row->scheduler);
}

static const Field sched_fields[] = {FIELD_TEXT("@scheduler", SchedRow, scheduler),
                                     FIELD_UINT("@priority", SchedRow, priority, 0, UINT32_MAX),
                                     FIELD_END};
static const Field vcpusched_fields[] = {
    FIELD_BITMAP("@vcpus", SchedRow, ids, .flags = FIELD_REQUIRED), FIELD_GROUP(NULL, sched_fields),
    FIELD_END};
static const Field iothreadsched_fields[] = {
    FIELD_BITMAP("@iothreads", SchedRow, ids, .flags = FIELD_REQUIRED),
    FIELD_GROUP(NULL, sched_fields), FIELD_END};

static int read_sched(ElementReader *reader, xmlNodePtr node, const Field *fields, SchedRow *row,
                      SchedDef *ret) {
    int r = element_read_fields(reader, fields, node, row);
    SchedDef sched = {.given = true, .policy = thread_policy_from_string(row->scheduler)};

    if (r < 0)
        return r;
    if (!row->scheduler || sched.policy < 0 || sched.policy == THREAD_POLICY_OTHER)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "Invalid value for attribute 'scheduler' in element '%s': '%.40s' "
                            "(line %ld): batch, idle, fifo or rr is expected",
                            (const char *)node->name, row->scheduler ? row->scheduler : "",
                            xmlGetLineNo(node));
    if (thread_policy_is_realtime(sched.policy)) {
        if (row->priority < PRIORITY_MIN || row->priority > PRIORITY_MAX)
            return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                                "Missing or invalid scheduler priority in element '%s' (line %ld): "
                                "%s needs one from %u to %u",
                                (const char *)node->name, xmlGetLineNo(node), row->scheduler,
                                PRIORITY_MIN, PRIORITY_MAX);
        sched.priority = (int)row->priority;
    }
    *ret = sched;
    return 0;
}

static int read_vcpusched(ElementReader *reader, xmlNodePtr node, void *object) {
    DomainDef *def = object;
    CLEANUP(sched_row_done) SchedRow row = {0};
    SchedDef sched;
    int r = read_sched(reader, node, vcpusched_fields, &row, &sched);

    for (int id = r < 0 ? -1 : bitmap_next(row.ids, 0); id >= 0;
         id = bitmap_next(row.ids, id + 1)) {
        if (id >= (int)def->n_vcpus_max)
            return error_report(
                reader->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                "vCPU '%d' is not present in domain definition, but in <vcpusched> (line %ld)", id,
                xmlGetLineNo(node));
        if (def->vcpus[id].sched.given)
            return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML_DETAIL,
                                "vcpusched attributes 'vcpus' must not overlap (vCPU '%d')", id);
        def->vcpus[id].sched = sched;
    }
    return r;
}

static int read_iothreadsched(ElementReader *reader, xmlNodePtr node, void *object) {
    CLEANUP(sched_row_done) SchedRow row = {0};
    SchedDef sched;
    int r = read_sched(reader, node, iothreadsched_fields, &row, &sched);

    for (int id = r < 0 ? -1 : bitmap_next(row.ids, 0); id >= 0;
         id = bitmap_next(row.ids, id + 1)) {
        IothreadDef *iothread = domain_def_iothread(object, (unsigned)id);

        if (!iothread)
            return no_iothread(reader, node, (unsigned)id);
        if (iothread->sched.given)
            return error_report(
                reader->reterr, FROM_DOMAIN, ERROR_XML_DETAIL,
                "iothreadsched attributes 'iothreads' must not overlap (iothread '%d')", id);
        iothread->sched = sched;
    }
    return r;
}

static int read_emulatorsched(ElementReader *reader, xmlNodePtr node, void *object) {
    CpuTuneDef *tune = &((DomainDef *)object)->cputune;
    CLEANUP(sched_row_done) SchedRow row = {0};

    if (tune->emulator_sched.given)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "only one emulatorsched is supported (line %ld)", xmlGetLineNo(node));
    return read_sched(reader, node, sched_fields, &row, &tune->emulator_sched);
}

static void write_sched(ElementWriter *w, const char *name, const char *key, unsigned id,
                        const SchedDef *sched) {
    if (!sched->given)
        return;
    writer_open(w, name);
    if (key)
        writer_attributef(w, key, "%u", id);
    writer_attribute(w, "scheduler", thread_policy_to_string(sched->policy));
    if (thread_policy_is_realtime(sched->policy))
        writer_attributef(w, "priority", "%d", sched->priority);
    writer_close(w, true);
}

static void write_scheds(ElementWriter *w, const void *object) {
    const DomainDef *def = object;

    write_sched(w, "emulatorsched", NULL, 0, &def->cputune.emulator_sched);
    for (unsigned id = 0; id < def->n_vcpus_max; id++)
        write_sched(w, "vcpusched", "vcpus", id, &def->vcpus[id].sched);
    for (size_t i = 0; i < def->n_iothreads; i++)
        write_sched(w, "iothreadsched", "iothreads", def->iothreads[i].id,
                    &def->iothreads[i].sched);
}

/* ---- the whole ---- */

static void done_cputune(void *object) {
    cputune_done(&((DomainDef *)object)->cputune);
}

static void own_cputune(void *object, bool *ok) {
    cputune_own(&((DomainDef *)object)->cputune, ok);
}

#define EACH(name, function) FIELD_CODE(name, function, NULL, .flags = FIELD_EACH)

static const Field children[] = {
    FIELD_CODE("shares", read_shares, write_shares, .done = done_cputune, .own = own_cputune),
    FIELD_CODE("period", read_bandwidth, NULL),
    FIELD_CODE("quota", read_bandwidth, NULL),
    FIELD_CODE("global_period", read_bandwidth, NULL),
    FIELD_CODE("global_quota", read_bandwidth, NULL),
    FIELD_CODE("emulator_period", read_bandwidth, NULL),
    FIELD_CODE("emulator_quota", read_bandwidth, NULL),
    FIELD_CODE("iothread_period", read_bandwidth, NULL),
    FIELD_CODE("iothread_quota", read_bandwidth, NULL),
    FIELD_CODE("vcpupin", read_vcpupin, write_pins, .flags = FIELD_EACH),
    EACH("emulatorpin", read_emulatorpin),
    EACH("iothreadpin", read_iothreadpin),
    FIELD_CODE("vcpusched", read_vcpusched, write_scheds, .flags = FIELD_EACH),
    EACH("iothreadsched", read_iothreadsched),
    EACH("emulatorsched", read_emulatorsched),
    FIELD_GROUP(NULL, resctrl_fields),
    FIELD_VERBATIM("energytune", DomainDef, energytune, .flags = FIELD_NOT_ACTED),
    FIELD_END};

const Field cputune_fields[] = {FIELD_GROUP("cputune", children), FIELD_END};
