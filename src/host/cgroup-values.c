/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pure part of cgroup: names, units, ranges. */
#include <inttypes.h>

#include "host/cgroup-internal.h"

static const char *const controller_names[CGROUP_CONTROLLER_MAX] = {
    [CGROUP_CPU] = "cpu", [CGROUP_CPUACCT] = "cpuacct", [CGROUP_CPUSET] = "cpuset"};

const char *cgroup_controller_name(CgroupController controller) {
    assert(controller >= 0 && controller < CGROUP_CONTROLLER_MAX);
    return controller_names[controller];
}

#define WEIGHT_DEFAULT UINT64_C(100)
#define WEIGHT_MAX UINT64_C(10000)
#define SHARES_DEFAULT UINT64_C(1024)

uint64_t cgroup_shares_to_weight(uint64_t shares) {
    uint64_t weight;

    if (shares >= CGROUP_SHARES_MAX)
        return WEIGHT_MAX;
    weight = (shares * WEIGHT_DEFAULT + SHARES_DEFAULT / 2) / SHARES_DEFAULT;
    return MIN_OF(MAX_OF(weight, 1u), WEIGHT_MAX);
}

uint64_t cgroup_weight_to_shares(uint64_t weight) {
    weight = MIN_OF(weight, WEIGHT_MAX);
    return MAX_OF((weight * SHARES_DEFAULT + WEIGHT_DEFAULT / 2) / WEIGHT_DEFAULT,
                  CGROUP_SHARES_MIN);
}

static int out_of_range(const char *what, int64_t value, uint64_t low, uint64_t high,
                        Error **reterr) {
    return error_report(reterr, FROM_CGROUP, ERROR_INVALID_ARG,
                        "%s %" PRId64 " is out of range %" PRIu64 " to %" PRIu64, what, value, low,
                        high);
}

int cgroup_values_check(const CgroupValues *values, Error **reterr) {
    if (values->shares &&
        (values->shares < CGROUP_SHARES_MIN || values->shares > CGROUP_SHARES_MAX))
        return out_of_range("shares", values->shares, CGROUP_SHARES_MIN, CGROUP_SHARES_MAX, reterr);
    if (values->period &&
        (values->period < CGROUP_PERIOD_MIN || values->period > CGROUP_PERIOD_MAX))
        return out_of_range("period", values->period, CGROUP_PERIOD_MIN, CGROUP_PERIOD_MAX, reterr);
    if (values->quota > 0 && (values->quota < CGROUP_QUOTA_MIN || values->quota > CGROUP_QUOTA_MAX))
        return out_of_range("quota", values->quota, CGROUP_QUOTA_MIN, CGROUP_QUOTA_MAX, reterr);
    if (values->cpus && bitmap_is_empty(values->cpus))
        return error_report(reterr, FROM_CGROUP, ERROR_INVALID_ARG, "the set of CPUs is empty");
    if (values->mems && bitmap_is_empty(values->mems))
        return error_report(reterr, FROM_CGROUP, ERROR_INVALID_ARG,
                            "the set of memory nodes is empty");
    return 0;
}

void cgroup_state_done(CgroupState *state) {
    bitmap_free(state->cpus);
    bitmap_free(state->mems);
    bitmap_free(state->effective_cpus);
    bitmap_free(state->effective_mems);
    *state = (CgroupState){0};
}

uint64_t cgroup_stat_value(const char *text, const char *key) {
    size_t length = strlen(key);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && line[length] == ' ')
            return strtoull(line + length + 1, NULL, 10);
    }
    return 0;
}

bool cgroup_has_word(const char *list, const char *word) {
    size_t length = strlen(word);

    for (list += strspn(list, " \n"); *list; list += strspn(list, " \n")) {
        size_t n = strcspn(list, " \n");

        if (n == length && strncmp(list, word, n) == 0)
            return true;
        list += n;
    }
    return false;
}

size_t cgroup_path_next(const char *path, size_t length) {
    return path[length] == '\0' ? 0 : length + 1 + strcspn(path + length + 1, "/");
}
