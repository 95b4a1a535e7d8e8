/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looks each second whether something is going on. */
#include "idle.h"

#include <signal.h>

#include "util/log.h"

typedef struct Idle {
    Daemon *daemon;
    sd_event_source *timer;
    uint64_t timeout; /* microseconds */
    uint64_t since;   /* with nothing to do; 0: there is something */
    uint64_t n_came;  /* clients, when it was last looked */
} Idle;

static bool is_busy(Idle *idle) {
    const Daemon *daemon = idle->daemon;
    const uint64_t n_came = rpc_server_n_came(daemon->server) + rpc_server_n_came(daemon->admin);
    const bool came = n_came != idle->n_came;

    idle->n_came = n_came;
    if (came || rpc_server_n_sessions(daemon->server) > 0 ||
        rpc_server_n_sessions(daemon->admin) > 0)
        return true;
    for (const Domain *domain = driver_domains(daemon->driver); domain; domain = domain->next)
        if (domain->run || domain->jobs)
            return true;
    return false;
}

/* It stops as if it had been told to. */
static int on_second(sd_event_source *source, uint64_t usec, void *userdata) {
    Idle *idle = userdata;
    const uint64_t now = now_usec();

    if (is_busy(idle))
        idle->since = 0;
    else if (idle->since == 0)
        idle->since = now;
    if (idle->since && now - idle->since >= idle->timeout) {
        log_info("vireod: nothing to do for %llu s",
                 (unsigned long long)(idle->timeout / USEC_PER_SEC));
        kill(getpid(), SIGTERM);
        return 0;
    }
    sd_event_source_set_time_relative(source, USEC_PER_SEC);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int idle_set(Daemon *daemon, unsigned seconds) {
    Idle *idle;

    if (seconds == 0) {
        idle_free(TAKE_PTR(daemon->idle));
        return 0;
    }
    if (daemon->idle) {
        daemon->idle->timeout = seconds * USEC_PER_SEC;
        daemon->idle->since = 0;
        return 0;
    }
    idle = calloc(1, sizeof(Idle));
    if (!idle)
        return -ENOMEM;
    *idle = (Idle){.daemon = daemon, .timeout = seconds * USEC_PER_SEC};
    if (sd_event_add_time_relative(fiber_event(), &idle->timer, CLOCK_MONOTONIC, USEC_PER_SEC, 0,
                                   on_second, idle) < 0) {
        free(idle);
        return -ENOMEM;
    }
    daemon->idle = idle;
    return 0;
}

void idle_free(Idle *idle) {
    if (!idle)
        return;
    sd_event_source_disable_unref(idle->timer);
    free(idle);
}
