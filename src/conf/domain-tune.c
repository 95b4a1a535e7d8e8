/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tuning part of a definition: its ranges and its memory. */
#include "conf/domain-tune.h"

#include <inttypes.h>

#include "conf/domain-copy.h"
#include "util/words.h"

static int out_of_range(const char *name, uint64_t min, uint64_t max, Error **reterr) {
    return error_report(reterr, FROM_DOMAIN, ERROR_INVALID_ARG,
                        "value of '%s' is out of range [%" PRIu64 ", %" PRIu64 "]", name, min, max);
}

int bandwidth_check_period(const char *name, uint64_t period, Error **reterr) {
    if (period && (period < CGROUP_PERIOD_MIN || period > CGROUP_PERIOD_MAX))
        return out_of_range(name, CGROUP_PERIOD_MIN, CGROUP_PERIOD_MAX, reterr);
    return 0;
}

int bandwidth_check_quota(const char *name, int64_t quota, Error **reterr) {
    if (quota > 0 && (quota < CGROUP_QUOTA_MIN || quota > CGROUP_QUOTA_MAX))
        return out_of_range(name, CGROUP_QUOTA_MIN, CGROUP_QUOTA_MAX, reterr);
    return 0;
}

int shares_check(const char *name, uint64_t shares, Error **reterr) {
    if (shares && (shares < CGROUP_SHARES_MIN || shares > CGROUP_SHARES_MAX))
        return out_of_range(name, CGROUP_SHARES_MIN, CGROUP_SHARES_MAX, reterr);
    return 0;
}

int iothread_check_pool(const IothreadDef *iothread, Error **reterr) {
    if (iothread->pool_min >= 0 && iothread->pool_max >= 0 &&
        iothread->pool_min > iothread->pool_max)
        return error_report(reterr, FROM_DOMAIN, ERROR_INVALID_ARG,
                            "thread_pool_min of iothread '%u' must be smaller or equal to "
                            "thread_pool_max (%d > %d)",
                            iothread->id, iothread->pool_min, iothread->pool_max);
    return 0;
}

static void resctrl_done(ResctrlDef *resctrl) {
    bitmap_free(resctrl->vcpus);
    free(resctrl->caches);
    free(resctrl->bandwidths);
    for (size_t i = 0; i < resctrl->n_monitors; i++)
        bitmap_free(resctrl->monitors[i].vcpus);
    free(resctrl->monitors);
}

static void clip(Bitmap *vcpus, unsigned max) {
    for (int id = bitmap_last(vcpus); id >= (int)max; id = bitmap_last(vcpus))
        bitmap_clear(vcpus, (unsigned)id);
}

void cputune_clip(CpuTuneDef *tune, unsigned max) {
    size_t n = 0;

    for (size_t i = 0; i < tune->n_resctrls; i++) {
        ResctrlDef *resctrl = &tune->resctrls[i];
        size_t n_monitors = 0;

        clip(resctrl->vcpus, max);
        for (size_t k = 0; k < resctrl->n_monitors; k++) {
            clip(resctrl->monitors[k].vcpus, max);
            if (bitmap_is_empty(resctrl->monitors[k].vcpus))
                bitmap_free(resctrl->monitors[k].vcpus);
            else
                resctrl->monitors[n_monitors++] = resctrl->monitors[k];
        }
        resctrl->n_monitors = n_monitors;
        if (bitmap_is_empty(resctrl->vcpus))
            resctrl_done(resctrl);
        else
            tune->resctrls[n++] = *resctrl;
    }
    tune->n_resctrls = n;
}

void cputune_done(CpuTuneDef *tune) {
    bitmap_free(tune->emulator_pin);
    for (size_t i = 0; i < tune->n_resctrls; i++)
        resctrl_done(&tune->resctrls[i]);
    free(tune->resctrls);
    *tune = (CpuTuneDef){0};
}

void iothreads_done(IothreadDef *iothreads, size_t n) {
    for (size_t i = 0; i < n; i++)
        bitmap_free(iothreads[i].pin);
    free(iothreads);
}

void numatune_done(NumaTuneDef *tune) {
    bitmap_free(tune->nodes);
    for (size_t i = 0; i < tune->n_memnodes; i++)
        bitmap_free(tune->memnodes[i].nodes);
    free(tune->memnodes);
    *tune = (NumaTuneDef){0};
}

static void resctrl_own(ResctrlDef *resctrl, bool *ok) {
    own_map(&resctrl->vcpus, ok);
    own_array(&resctrl->caches, sizeof(ResctrlCacheRequest), &resctrl->n_caches, ok);
    own_array(&resctrl->bandwidths, sizeof(ResctrlBandwidthRequest), &resctrl->n_bandwidths, ok);
    own_array(&resctrl->monitors, sizeof(MonitorDef), &resctrl->n_monitors, ok);
    for (size_t i = 0; i < resctrl->n_monitors; i++)
        own_map(&resctrl->monitors[i].vcpus, ok);
}

void cputune_own(CpuTuneDef *tune, bool *ok) {
    own_map(&tune->emulator_pin, ok);
    own_array(&tune->resctrls, sizeof(ResctrlDef), &tune->n_resctrls, ok);
    for (size_t i = 0; i < tune->n_resctrls; i++)
        resctrl_own(&tune->resctrls[i], ok);
}

void iothreads_own(IothreadDef **iothreads, size_t *n, bool *ok) {
    own_array(iothreads, sizeof(IothreadDef), n, ok);
    for (size_t i = 0; i < *n; i++)
        own_map(&(*iothreads)[i].pin, ok);
}

void numatune_own(NumaTuneDef *tune, bool *ok) {
    own_map(&tune->nodes, ok);
    own_array(&tune->memnodes, sizeof(MemnodeDef), &tune->n_memnodes, ok);
    for (size_t i = 0; i < tune->n_memnodes; i++)
        own_map(&tune->memnodes[i].nodes, ok);
}
