/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <iothreads>, <cputune>, <numatune> and <resource> to XML. */
#include <inttypes.h>

#include "conf/domain-enums.h"
#include "conf/domain-format-internal.h"

static void format_iothread(Writer *w, const IothreadDef *iothread) {
    bool poll = iothread->has_poll_max || iothread->has_poll_grow || iothread->has_poll_shrink;

    writer_start(w, "iothread");
    writer_number(w, "id", iothread->id);
    if (iothread->pool_min >= 0)
        writer_number(w, "thread_pool_min", iothread->pool_min);
    if (iothread->pool_max >= 0)
        writer_number(w, "thread_pool_max", iothread->pool_max);
    if (!poll) {
        writer_end_empty(w);
        return;
    }
    writer_end_open(w);
    writer_start(w, "poll");
    if (iothread->has_poll_max)
        writer_number(w, "max", iothread->poll_max_ns);
    if (iothread->has_poll_grow)
        writer_number(w, "grow", iothread->poll_grow);
    if (iothread->has_poll_shrink)
        writer_number(w, "shrink", iothread->poll_shrink);
    writer_end_empty(w);
    writer_close(w, "iothread");
}

/* Read back without being named, would it get its id? */
static bool is_plain(const IothreadDef *iothread, size_t at) {
    return iothread->automatic && iothread->id == at + 1 && !iothread->has_poll_max &&
           !iothread->has_poll_grow && !iothread->has_poll_shrink && iothread->pool_min < 0 &&
           iothread->pool_max < 0;
}

static void format_iothreads(Writer *w, const DomainDef *def) {
    bool plain = true;

    if (def->n_iothreads == 0)
        return;
    writer_line(w, "<iothreads>%zu</iothreads>", def->n_iothreads);
    for (size_t i = 0; i < def->n_iothreads; i++)
        plain &= is_plain(&def->iothreads[i], i);
    if (plain)
        return;
    writer_open(w, "iothreadids");
    for (size_t i = 0; i < def->n_iothreads; i++)
        format_iothread(w, &def->iothreads[i]);
    writer_close(w, "iothreadids");
}

/* ---- <cputune> ---- */

static void format_bandwidth(Writer *w, const char *prefix, const BandwidthDef *bandwidth) {
    if (bandwidth->period)
        writer_line(w, "<%speriod>%" PRIu64 "</%speriod>", prefix, bandwidth->period, prefix);
    if (bandwidth->quota)
        writer_line(w, "<%squota>%" PRId64 "</%squota>", prefix, bandwidth->quota, prefix);
}

static void format_sched_end(Writer *w, const SchedDef *sched) {
    writer_attribute(w, "scheduler", thread_policy_to_string(sched->policy));
    if (thread_policy_is_realtime(sched->policy))
        writer_number(w, "priority", sched->priority);
    writer_end_empty(w);
}

static bool same_sched(const SchedDef *a, const SchedDef *b) {
    return a->given == b->given && a->policy == b->policy && a->priority == b->priority;
}

/* vCPUs of one policy share a line. */
static void format_vcpu_scheds(Writer *w, const DomainDef *def) {
    CLEANUP_BITMAP Bitmap *done = bitmap_new();

    for (unsigned id = 0; done && id < def->n_vcpus_max; id++) {
        const SchedDef *sched = &def->vcpus[id].sched;
        CLEANUP_BITMAP Bitmap *alike = bitmap_new();

        if (!sched->given || bitmap_test(done, id))
            continue;
        for (unsigned other = id; alike && other < def->n_vcpus_max; other++)
            if (same_sched(sched, &def->vcpus[other].sched)) {
                bitmap_set(alike, other);
                bitmap_set(done, other);
            }
        writer_start(w, "vcpusched");
        writer_list(w, "vcpus", alike);
        format_sched_end(w, sched);
    }
}

static void format_iothread_scheds(Writer *w, const DomainDef *def) {
    for (size_t i = 0; i < def->n_iothreads; i++)
        if (def->iothreads[i].sched.given) {
            writer_start(w, "iothreadsched");
            writer_number(w, "iothreads", def->iothreads[i].id);
            format_sched_end(w, &def->iothreads[i].sched);
        }
    if (def->cputune.emulator_sched.given) {
        writer_start(w, "emulatorsched");
        format_sched_end(w, &def->cputune.emulator_sched);
    }
}

static void format_pins(Writer *w, const DomainDef *def) {
    for (unsigned id = 0; id < def->n_vcpus_max; id++)
        if (def->vcpus[id].pin) {
            writer_start(w, "vcpupin");
            writer_number(w, "vcpu", id);
            writer_list(w, "cpuset", def->vcpus[id].pin);
            writer_end_empty(w);
        }
    if (def->cputune.emulator_pin) {
        writer_start(w, "emulatorpin");
        writer_list(w, "cpuset", def->cputune.emulator_pin);
        writer_end_empty(w);
    }
    for (size_t i = 0; i < def->n_iothreads; i++)
        if (def->iothreads[i].pin) {
            writer_start(w, "iothreadpin");
            writer_number(w, "iothread", def->iothreads[i].id);
            writer_list(w, "cpuset", def->iothreads[i].pin);
            writer_end_empty(w);
        }
}

/* In the largest unit that gives a whole number, as a person would. */
static void format_cache(Writer *w, const ResctrlCacheRequest *cache) {
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = {{"GiB", UINT64_C(1) << 30}, {"MiB", UINT64_C(1) << 20}, {"KiB", 1024}, {"B", 1}};
    size_t unit = 0;

    while (cache->size % units[unit].bytes)
        unit++;
    writer_start(w, "cache");
    writer_number(w, "id", cache->id);
    writer_number(w, "level", cache->level);
    writer_attribute(w, "type", resctrl_type_names[cache->type]);
    writer_number(w, "size", cache->size / units[unit].bytes);
    writer_attribute(w, "unit", units[unit].name);
    writer_end_empty(w);
}

static void format_monitors(Writer *w, const ResctrlDef *resctrl, bool is_memory) {
    for (size_t i = 0; i < resctrl->n_monitors; i++)
        if (resctrl->monitors[i].is_memory == is_memory) {
            writer_start(w, "monitor");
            if (!is_memory)
                writer_number(w, "level", 3);
            writer_list(w, "vcpus", resctrl->monitors[i].vcpus);
            writer_end_empty(w);
        }
}

static void format_resctrl(Writer *w, const ResctrlDef *resctrl, bool is_memory) {
    const char *name = is_memory ? "memorytune" : "cachetune";

    if (!(is_memory ? resctrl->has_memorytune : resctrl->has_cachetune))
        return;
    writer_start(w, name);
    writer_list(w, "vcpus", resctrl->vcpus);
    writer_end_open(w);
    for (size_t i = 0; !is_memory && i < resctrl->n_caches; i++)
        format_cache(w, &resctrl->caches[i]);
    for (size_t i = 0; is_memory && i < resctrl->n_bandwidths; i++) {
        writer_start(w, "node");
        writer_number(w, "id", resctrl->bandwidths[i].id);
        writer_number(w, "bandwidth", resctrl->bandwidths[i].value);
        writer_end_empty(w);
    }
    format_monitors(w, resctrl, is_memory);
    writer_close(w, name);
}

static void format_cputune_children(Writer *w, const DomainDef *def) {
    const CpuTuneDef *tune = &def->cputune;

    if (tune->shares)
        writer_line(w, "<shares>%" PRIu64 "</shares>", tune->shares);
    format_bandwidth(w, "", &tune->vcpu);
    format_bandwidth(w, "global_", &tune->global);
    format_bandwidth(w, "emulator_", &tune->emulator);
    format_bandwidth(w, "iothread_", &tune->iothread);
    format_pins(w, def);
    format_vcpu_scheds(w, def);
    format_iothread_scheds(w, def);
    for (size_t i = 0; i < tune->n_resctrls; i++)
        format_resctrl(w, &tune->resctrls[i], false);
    for (size_t i = 0; i < tune->n_resctrls; i++)
        format_resctrl(w, &tune->resctrls[i], true);
}

/* Only with children: they are written aside first. */
static void format_cputune(Writer *w, const DomainDef *def) {
    CLEANUP_FREE char *text = NULL;
    size_t size = 0;
    Writer inner = {.out = open_memstream(&text, &size), .indent = w->indent + 2, .live = w->live};

    if (!inner.out)
        return;
    format_cputune_children(&inner, def);
    if (fclose(inner.out) == 0 && size > 0) {
        writer_line(w, "<cputune>");
        fputs(text, w->out);
        writer_line(w, "</cputune>");
    }
}

/* ---- <numatune> ---- */

static void format_numatune(Writer *w, const NumaTuneDef *tune) {
    if (!tune->given && tune->n_memnodes == 0)
        return;
    writer_open(w, "numatune");
    if (tune->given) {
        writer_start(w, "memory");
        writer_attribute(w, "mode", numa_mode_names[tune->mode]);
        if (tune->automatic)
            writer_attribute(w, "placement", "auto");
        else
            writer_list(w, "nodeset", tune->nodes);
        writer_end_empty(w);
    }
    for (size_t i = 0; i < tune->n_memnodes; i++) {
        writer_start(w, "memnode");
        writer_number(w, "cellid", tune->memnodes[i].cell);
        writer_attribute(w, "mode", numa_mode_names[tune->memnodes[i].mode]);
        writer_list(w, "nodeset", tune->memnodes[i].nodes);
        writer_end_empty(w);
    }
    writer_close(w, "numatune");
}

void format_tune(Writer *w, const DomainDef *def) {
    format_iothreads(w, def);
    format_cputune(w, def);
    format_numatune(w, &def->numatune);
    if (!def->partition)
        return;
    writer_open(w, "resource");
    writer_element(w, "partition", def->partition);
    writer_close(w, "resource");
}
