/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks for a job's progress beside the call that waits for it. */
#include "progress.h"

#include <fcntl.h>
#include <poll.h>

#include "util/fiber.h"

#define INTERVAL_MS 250
#define CALL_MS 5000

static void show(const Progress *progress, int percent) {
    fprintf(stderr, "\r%s: [%3d %%]", progress->label, percent);
    fflush(stderr);
}

static void ask(const Progress *progress, RpcClient *client) {
    remote_domain_args call = {.dom = progress->dom};
    remote_domain_get_job_info_ret ret = {0};
    uint64_t left;

    if (rpc_client_call(client, REMOTE_PROGRAM, REMOTE_PROC_DOMAIN_GET_JOB_INFO,
                        (xdrproc_t)xdr_remote_domain_args, &call,
                        (xdrproc_t)xdr_remote_domain_get_job_info_ret, &ret, CALL_MS, NULL) < 0 ||
        ret.dataTotal == 0)
        return;
    left = MIN_OF(ret.dataRemaining, ret.dataTotal);
    /* 100 is for the end of the call. */
    show(progress, (int)MIN_OF(99.0, 100.0 - 100.0 * (double)left / (double)ret.dataTotal));
}

static void hurry(Progress *progress, RpcClient *client) {
    remote_domain_flags_args with_flags = {.dom = progress->dom};
    remote_domain_args plain = {.dom = progress->dom};
    const bool suspend = progress->hurry == REMOTE_PROC_DOMAIN_SUSPEND;

    progress->hurry_at = USEC_FOREVER;
    rpc_client_call(client, REMOTE_PROGRAM, progress->hurry,
                    suspend ? (xdrproc_t)xdr_remote_domain_args
                            : (xdrproc_t)xdr_remote_domain_flags_args,
                    suspend ? (void *)&plain : (void *)&with_flags, NULL, NULL, CALL_MS, NULL);
}

static void *run(void *userdata) {
    Progress *progress = userdata;
    RpcClient *client = NULL;
    struct pollfd stop = {.fd = progress->stop[0], .events = POLLIN};

    if (rpc_client_open(progress->tool->uri, progress->hurry_at == USEC_FOREVER, &client, NULL) < 0)
        return NULL;
    while (poll(&stop, 1, INTERVAL_MS) == 0) {
        if (progress->shows)
            ask(progress, client);
        if (now_usec() >= progress->hurry_at)
            hurry(progress, client);
    }
    rpc_client_free(client);
    return NULL;
}

void progress_start(Progress *progress, const Tool *tool, const remote_domain *dom,
                    const char *label, bool wanted) {
    progress_start_until(progress, tool, dom, label, wanted, 0, 0);
}

void progress_start_until(Progress *progress, const Tool *tool, const remote_domain *dom,
                          const char *label, bool wanted, unsigned seconds, int procedure) {
    *progress = (Progress){.tool = tool,
                           .dom = *dom,
                           .label = label,
                           .shows = wanted && !tool->quiet && !tool->json,
                           .hurry_at = seconds ? deadline_in(seconds * USEC_PER_SEC) : USEC_FOREVER,
                           .hurry = procedure,
                           .stop = {-1, -1}};
    if ((!progress->shows && !seconds) || pipe2(progress->stop, O_CLOEXEC) < 0)
        return;
    progress->running = pthread_create(&progress->thread, NULL, run, progress) == 0;
}

void progress_stop(Progress *progress, bool done) {
    if (progress->stop[1] >= 0)
        close(progress->stop[1]);
    if (progress->running) {
        pthread_join(progress->thread, NULL);
        if (done && progress->shows)
            show(progress, 100);
        if (progress->shows)
            fputc('\n', stderr);
    }
    if (progress->stop[0] >= 0)
        close(progress->stop[0]);
}
