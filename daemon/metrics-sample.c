/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "metrics-sample-internal.h"

#include "domain/store.h"

#define GAPS 8u /* between scrapes, remembered: two or three that scrape in turn are understood */
#define GAP_MIN USEC_PER_SEC /* for whoever comes more often none is taken ahead */
#define WAIT_USEC (10 * USEC_PER_SEC)
#define GAP_MAX (10 * 60 * USEC_PER_SEC)
/* Ahead of a scrape by several times what the last sample took, so that it is there. */
#define LEAD_FACTOR 4u
#define LEAD_MIN (USEC_PER_SEC / 2)
#define LEAD_MAX (SAMPLE_MAX_USEC * 3 / 4)
#define SAME_PART 8u /* gaps that differ by less than this part are the same */

struct Sampler {
    Daemon *daemon;
    sd_event_source *timer; /* takes a sample; when there is one, throws it away */
    uint64_t last;          /* scrape */
    uint64_t gaps[GAPS];    /* newest first */
    size_t n_gaps;
    uint64_t took; /* the last sample */
    Sample *ahead; /* or NULL */
    bool sampling;
    FiberCond sampled;
};

/* ---- a sample ---- */

void sample_free(Sample *sample) {
    if (!sample)
        return;
    driver_readings_free(sample->readings, sample->n);
    free(sample);
}

static int sample_take(const DomainStore *store, Sample **ret) {
    CLEANUP_FREE Domain **domains = calloc(store->n + 1, sizeof(Domain *));
    CLEANUP_FREE Sample *sample = calloc(1, sizeof(Sample));

    if (!domains || !sample)
        return -ENOMEM;
    for (Domain *at = store->domains; at; at = at->next)
        domains[sample->n++] = at;
    sample->taken = now_usec();
    if (driver_read_stats(domains, sample->n, READ_QUICK | READ_VCPUS, true, &sample->readings,
                          NULL) < 0)
        return -ENOMEM;
    *ret = TAKE_PTR(sample);
    return 0;
}

/* A vCPU that was out and came back has another thread. */
static bool has_its_threads(const DomainRun *run, const DomainReading *reading) {
    for (size_t i = 0; i < reading->n_vcpus; i++)
        if (vcpu_map_tid(&run->vcpus, reading->vcpus[i].id) != reading->tids[i])
            return false;
    return reading->n_vcpus == domain_def_online_vcpus(run->live);
}

static bool is_as_it_was(const Domain *domain, const DomainReading *reading) {
    const DomainRun *run = domain->run;

    if (reading->domain != domain || reading->active != (run && run->pid.pid > 0))
        return false;
    return !reading->active || (reading->pid == run->pid.pid && has_its_threads(run, reading));
}

static bool is_true_still(const Sample *sample, const DomainStore *store) {
    size_t i = 0;

    if (now_usec() - sample->taken > SAMPLE_MAX_USEC || sample->n != store->n)
        return false;
    for (const Domain *at = store->domains; at; at = at->next, i++)
        if (!is_as_it_was(at, &sample->readings[i]))
            return false;
    return true;
}

/* ---- ahead of a scrape ---- */

static void arm(Sampler *sampler, uint64_t usec) {
    sd_event_source_set_time_relative(sampler->timer, usec);
    sd_event_source_set_enabled(sampler->timer, SD_EVENT_ONESHOT);
}

/* With `sampling` set: one at a time, the workers have other things to do. */
static int sample_now(Sampler *sampler, Sample **ret) {
    int r = sample_take(sampler->daemon->driver->services.store, ret);

    if (r >= 0)
        sampler->took = now_usec() - (*ret)->taken;
    sampler->sampling = false;
    fiber_cond_broadcast(&sampler->sampled);
    return r;
}

static void run_ahead(void *userdata) {
    Sampler *sampler = userdata;
    Sample *sample = NULL;

    if (sample_now(sampler, &sample) < 0)
        return;
    assert(!sampler->ahead);
    sampler->ahead = sample;
    arm(sampler, SAMPLE_MAX_USEC);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Sampler *sampler = userdata;

    if (sampler->ahead) {
        sample_free(TAKE_PTR(sampler->ahead));
        return 0;
    }
    if (sampler->sampling)
        return 0;
    sampler->sampling = task_start(&sampler->daemon->tasks, "sample", run_ahead, sampler) >= 0;
    return 0;
}

static bool is_same(uint64_t a, uint64_t b) {
    return (a > b ? a - b : b - a) < MAX_OF(a, b) / SAME_PART;
}

uint64_t sampler_guess(const uint64_t *gaps, size_t n) {
    for (size_t i = 1; i < n; i++)
        if (is_same(gaps[0], gaps[i]))
            return gaps[i - 1];
    return 0;
}

static void remember(Sampler *sampler) {
    const uint64_t now = now_usec();

    if (sampler->last) {
        memmove(sampler->gaps + 1, sampler->gaps, (GAPS - 1) * sizeof(uint64_t));
        sampler->gaps[0] = now - sampler->last;
        sampler->n_gaps = MIN_OF(sampler->n_gaps + 1, (size_t)GAPS);
    }
    sampler->last = now;
}

static void expect_next(Sampler *sampler) {
    const uint64_t gap = sampler_guess(sampler->gaps, sampler->n_gaps);
    const uint64_t lead = MIN_OF(MAX_OF(sampler->took * LEAD_FACTOR, LEAD_MIN), LEAD_MAX);

    if (gap >= GAP_MIN && gap <= GAP_MAX)
        arm(sampler, gap - MIN_OF(gap * 3 / 4, lead));
}

int sampler_take(Sampler *sampler, Sample **ret) {
    const uint64_t deadline = deadline_in(WAIT_USEC);
    CLEANUP(sample_freep) Sample *ahead = NULL;

    remember(sampler);
    while (sampler->sampling) {
        int r = fiber_cond_wait(&sampler->sampled, deadline);

        if (r < 0)
            return r;
    }
    ahead = TAKE_PTR(sampler->ahead);
    sd_event_source_set_enabled(sampler->timer, SD_EVENT_OFF);
    expect_next(sampler);
    if (ahead && is_true_still(ahead, sampler->daemon->driver->services.store)) {
        *ret = TAKE_PTR(ahead);
        return 0;
    }
    sampler->sampling = true;
    return sample_now(sampler, ret);
}

/* ---- life ---- */

int sampler_new(Daemon *daemon, Sampler **ret) {
    CLEANUP(sampler_freep) Sampler *sampler = calloc(1, sizeof(Sampler));
    int r;

    if (!sampler)
        return -ENOMEM;
    sampler->daemon = daemon;
    r = sd_event_add_time_relative(fiber_event(), &sampler->timer, CLOCK_MONOTONIC, 0, 0, on_timer,
                                   sampler);
    if (r >= 0)
        r = sd_event_source_set_enabled(sampler->timer, SD_EVENT_OFF);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(sampler);
    return 0;
}

void sampler_free(Sampler *sampler) {
    if (!sampler)
        return;
    assert(!sampler->sampling);
    sd_event_source_disable_unref(sampler->timer);
    sample_free(sampler->ahead);
    fiber_cond_done(&sampler->sampled);
    free(sampler);
}
