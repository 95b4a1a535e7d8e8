/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Block jobs: blockcommit and blockpull, which can wait for the job's end, and blockjob. */
#include <inttypes.h>
#include <signal.h>

#include "report.h"
#include "rpc/frame.h"
#include "size.h"
#include "tables.h"
#include "util/fiber.h"

#define INTERVAL_MS 250
/* How long the event of a job that is gone is waited for. */
#define LAST_EVENT_MS 10000

typedef remote_domain_get_block_job_info_ret JobInfo;

/* ---- calls ---- */

static int get_info(Tool *tool, const remote_domain *dom, const char *path, bool bytes,
                    JobInfo *ret, Error **reterr) {
    remote_domain_get_block_info_args call = {.dom = *dom, .path = (char *)path, .flags = bytes};

    *ret = (JobInfo){0};
    return CALL(tool, DOMAIN_GET_BLOCK_JOB_INFO, remote_domain_get_block_info_args, &call,
                remote_domain_get_block_job_info_ret, ret, reterr);
}

static int end_job(Tool *tool, const remote_domain *dom, const char *path, unsigned flags,
                   Error **reterr) {
    remote_domain_named_args call = {.dom = *dom, .name = (char *)path, .flags = flags};

    return CALL_VOID(tool, DOMAIN_BLOCK_JOB_ABORT, remote_domain_named_args, &call, reterr);
}

/* --bandwidth in MiB a second, or with --bytes in bytes: 1, 0 when not given; says what is wrong.
 */
static int get_bandwidth(const Args *args, uint64_t *ret) {
    long long number = 0;
    int r = args_has(args, "bytes") ? args_size(args, "bandwidth", 1, UINT64_MAX, ret)
                                    : args_number(args, "bandwidth", 0, INT64_MAX, &number);

    if (r < 0)
        return tool_bad_number(args, "bandwidth");
    if (!args_has(args, "bytes"))
        *ret = (uint64_t)number;
    return r;
}

/* ---- waiting ---- */

/* virConnectDomainEventBlockJobStatus */
enum { JOB_DONE = 0, JOB_FAILED = 1, JOB_ABORTED = 2, JOB_READY = 3 };

/* A job that is waited for. */
typedef struct Wait {
    Tool *tool;
    const remote_domain *dom;
    const char *label; /* "Block commit" */
    const char *path;  /* as the caller named the disk */
    int callbacks[2];  /* of the events by path and by target; -1: none */
    int outcome;       /* JOB_*; -1: not known yet */
    bool verbose, shown;
} Wait;

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
    interrupted = 1;
}

/* Both kinds: one names the disk by its source, the other by its target. */
static const int event_ids[] = {EVENT_ID_BLOCK_JOB, EVENT_ID_BLOCK_JOB_2};

static int register_events(Wait *wait, Error **reterr) {
    for (size_t i = 0; i < ARRAY_SIZE(event_ids); i++) {
        remote_connect_domain_event_callback_register_any_args call = {
            .eventID = event_ids[i], .dom = (remote_domain *)wait->dom};
        remote_connect_domain_event_callback_register_any_ret ret = {0};

        if (CALL(wait->tool, CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
                 remote_connect_domain_event_callback_register_any_args, &call,
                 remote_connect_domain_event_callback_register_any_ret, &ret, reterr) < 0)
            return -EIO;
        wait->callbacks[i] = ret.callbackID;
    }
    return 0;
}

static void deregister_events(const Wait *wait) {
    for (size_t i = 0; i < ARRAY_SIZE(event_ids); i++) {
        remote_connect_domain_event_callback_deregister_any_args call = {
            .callbackID = wait->callbacks[i]};

        if (wait->callbacks[i] >= 0)
            CALL_VOID(wait->tool, CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY,
                      remote_connect_domain_event_callback_deregister_any_args, &call, NULL);
    }
}

static void take_event(Wait *wait, const RpcEvent *event) {
    remote_domain_event_block_job_msg msg = {0};

    if (event->program != REMOTE_PROGRAM ||
        (event->procedure != REMOTE_PROC_DOMAIN_EVENT_CALLBACK_BLOCK_JOB &&
         event->procedure != REMOTE_PROC_DOMAIN_EVENT_BLOCK_JOB_2))
        return;
    if (frame_decode(event->payload, event->len, (xdrproc_t)xdr_remote_domain_event_block_job_msg,
                     &msg) == 0 &&
        streq(msg.disk, wait->path) && memcmp(msg.dom.uuid, wait->dom->uuid, 16) == 0)
        wait->outcome = msg.status;
    xdr_free((xdrproc_t)xdr_remote_domain_event_block_job_msg, (char *)&msg);
}

/* Waits for an event of the job, and takes all that are there. */
static int take_events(Wait *wait, int timeout_ms, Error **reterr) {
    RpcEvent event;
    int r;

    while ((r = rpc_client_next_event(wait->tool->client, timeout_ms, &event, reterr)) > 0) {
        take_event(wait, &event);
        free(event.payload);
        timeout_ms = 0;
    }
    return r == -EINTR ? 0 : r;
}

static void show(Wait *wait, double percent) {
    if (!wait->verbose)
        return;
    fprintf(stderr, "\r%s: [%5.2f %%]", wait->label, percent);
    fflush(stderr);
    wait->shown = true;
}

static bool is_over(const Wait *wait, bool active) {
    return (wait->outcome >= 0 && wait->outcome != JOB_READY) ||
           (active && wait->outcome == JOB_READY);
}

/* One look at the job. *ret_gone: there is none any more. */
static int look(Wait *wait, bool active, bool *ret_gone, Error **reterr) {
    JobInfo info;

    if (get_info(wait->tool, wait->dom, wait->path, false, &info, reterr) < 0)
        return -EIO;
    *ret_gone = !info.found;
    if (info.found && info.end > 0)
        show(wait, MIN_OF(info.cur == info.end ? 100.0 : 99.99,
                          100.0 * (double)info.cur / (double)info.end));
    /* A job that was ready before its event could be waited for. */
    if (active && info.found && info.cur == info.end)
        wait->outcome = JOB_READY;
    return 0;
}

/* 0: its outcome is known; 1: to be aborted, by Ctrl-C or the timeout. */
static int wait_for_job(Wait *wait, bool active, long long timeout_s, Error **reterr) {
    int64_t deadline = timeout_s ? (int64_t)(now_usec() / USEC_PER_MSEC) + timeout_s * 1000 : -1;
    bool gone = false;

    while (!is_over(wait, active)) {
        if (interrupted || (deadline >= 0 && (int64_t)(now_usec() / USEC_PER_MSEC) >= deadline))
            return 1;
        if (look(wait, active, &gone, reterr) < 0)
            return -EIO;
        if (is_over(wait, active))
            break;
        if (take_events(wait, gone ? LAST_EVENT_MS : INTERVAL_MS, reterr) < 0)
            return -EIO;
        if (gone && !is_over(wait, active))
            return error_report(reterr, FROM_NONE, ERROR_OPERATION_FAILED,
                                "the job of '%s' is gone, and nobody said how it ended; "
                                "'dumpxml' shows the images",
                                wait->path);
    }
    return 0;
}

static void end_progress(Wait *wait, bool done) {
    if (done)
        show(wait, 100.0);
    if (wait->shown)
        fputc('\n', stderr);
}

/* ---- a job from its begin to its end ---- */

typedef struct Job {
    const char *noun;  /* "Commit" */
    const char *label; /* "Block commit" */
    const char *begun; /* "Block Commit started" */
    bool active;
    int (*begin)(Tool *tool, const Args *args, const remote_domain *dom, uint64_t bandwidth,
                 Error **reterr);
} Job;

/* What was said of the end; also the JSON's "outcome". */
static int report_outcome(Tool *tool, const char *outcome, const char *text) {
    if (tool->json)
        report_text(tool, "outcome", outcome);
    else
        tool_say(tool, "%s", text);
    return 0;
}

/* The commit's images have the same: it is left so, or ended in one of the two ways. */
static int end_ready(const Wait *wait, const Args *args) {
    bool pivot = args_has(args, "pivot");
    unsigned async = args_has(args, "async") ? BLOCK_ABORT_ASYNC : 0u;
    CLEANUP_ERROR Error *error = NULL;

    if (!pivot && !args_has(args, "keep-overlay"))
        return report_outcome(wait->tool, "ready", "Now in synchronized phase");
    if (end_job(wait->tool, wait->dom, wait->path, (pivot ? BLOCK_ABORT_PIVOT : 0u) | async,
                &error) < 0)
        return tool_fail(
            error, pivot ? "failed to pivot job for disk %s" : "failed to finish job for disk %s",
            wait->path);
    return pivot ? report_outcome(wait->tool, "pivoted", "Successfully pivoted")
                 : report_outcome(wait->tool, "kept", "Commit complete, overlay image kept");
}

static int end_wait(const Wait *wait, const Job *job, const Args *args, bool abort) {
    CLEANUP_FREE char *text = NULL;

    if (abort) {
        CLEANUP_ERROR Error *error = NULL;

        if (end_job(wait->tool, wait->dom, wait->path,
                    args_has(args, "async") ? BLOCK_ABORT_ASYNC : 0, &error) < 0)
            return tool_fail(error, "failed to abort job for disk %s", wait->path);
    }
    if (abort || wait->outcome == JOB_ABORTED)
        return tool_fail(NULL, "%s aborted", job->noun);
    if (wait->outcome == JOB_READY)
        return end_ready(wait, args);
    if (wait->outcome != JOB_DONE)
        return tool_fail(NULL, "%s failed", job->noun);
    text = text_format("%s complete", job->noun);
    return report_outcome(wait->tool, "completed", text);
}

/* Begins the job and waits, while Ctrl-C only asks for its end: a job that was begun is not left
 * to itself. As wait_for_job. */
static int begin_and_wait(Wait *wait, const Job *job, const Args *args, uint64_t bandwidth,
                          long long timeout_s, Error **reterr) {
    struct sigaction action = {.sa_handler = on_interrupt}, before;
    int r;

    interrupted = 0;
    sigaction(SIGINT, &action, &before);
    r = register_events(wait, reterr);
    if (r >= 0)
        r = job->begin(wait->tool, args, wait->dom, bandwidth, reterr);
    if (r >= 0)
        r = wait_for_job(wait, job->active, timeout_s, reterr);
    sigaction(SIGINT, &before, NULL);
    end_progress(wait, r == 0 && (wait->outcome == JOB_DONE || wait->outcome == JOB_READY));
    return r;
}

static int run_job(Tool *tool, const Args *args, const Job *job, bool waits) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    Wait wait = {.tool = tool,
                 .dom = &dom,
                 .label = job->label,
                 .path = args_string(args, "path"),
                 .callbacks = {-1, -1},
                 .outcome = -1,
                 .verbose = args_has(args, "verbose") && !tool->quiet && !tool->json};
    long long timeout_s = 0;
    uint64_t bandwidth = 0;
    int r = args_number(args, "timeout", 1, INT32_MAX / 1000, &timeout_s);

    if (r < 0)
        return tool_bad_number(args, "timeout");
    waits |= timeout_s > 0;
    if (get_bandwidth(args, &bandwidth) < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    r = waits ? begin_and_wait(&wait, job, args, bandwidth, timeout_s, &error)
              : job->begin(tool, args, &dom, bandwidth, &error);
    if (r < 0)
        tool_failed(error);
    else
        r = waits ? end_wait(&wait, job, args, r > 0) : report_outcome(tool, "started", job->begun);
    deregister_events(&wait);
    return r;
}

/* ---- blockcommit ---- */

static bool is_active(const Args *args) {
    return args_has(args, "active") || args_has(args, "pivot") || args_has(args, "keep-overlay");
}

static int begin_commit(Tool *tool, const Args *args, const remote_domain *dom, uint64_t bandwidth,
                        Error **reterr) {
    char *base = (char *)args_string(args, "base"), *top = (char *)args_string(args, "top");
    remote_domain_block_commit_args call = {
        .dom = *dom,
        .bandwidth = bandwidth,
        .disk = (char *)args_string(args, "path"),
        .base = base ? &base : NULL,
        .top = top ? &top : NULL,
        .flags = (args_has(args, "shallow") ? BLOCK_COMMIT_SHALLOW : 0u) |
                 (is_active(args) ? BLOCK_COMMIT_ACTIVE : 0u) |
                 (args_has(args, "bytes") ? BLOCK_COMMIT_BYTES : 0u)};

    return CALL_VOID(tool, DOMAIN_BLOCK_COMMIT, remote_domain_block_commit_args, &call, reterr);
}

static int cmd_blockcommit(Tool *tool, const Args *args) {
    bool active = is_active(args);
    const Job job = {.noun = "Commit",
                     .label = "Block commit",
                     .begun = active ? "Active Block Commit started" : "Block Commit started",
                     .active = active,
                     .begin = begin_commit};

    if (tool_exclusive(args, "pivot", "keep-overlay") < 0 ||
        tool_exclusive(args, "base", "shallow") < 0)
        return -EINVAL;
    return run_job(tool, args, &job,
                   args_has(args, "wait") || args_has(args, "pivot") ||
                       args_has(args, "keep-overlay"));
}

/* ---- blockpull ---- */

static int begin_pull(Tool *tool, const Args *args, const remote_domain *dom, uint64_t bandwidth,
                      Error **reterr) {
    char *base = (char *)args_string(args, "base");
    remote_domain_block_rebase_args call = {.dom = *dom,
                                            .bandwidth = bandwidth,
                                            .path = (char *)args_string(args, "path"),
                                            .base = base ? &base : NULL,
                                            .flags = args_has(args, "bytes") ? BLOCK_REBASE_BYTES
                                                                             : 0u};

    return CALL_VOID(tool, DOMAIN_BLOCK_REBASE, remote_domain_block_rebase_args, &call, reterr);
}

static int cmd_blockpull(Tool *tool, const Args *args) {
    static const Job job = {
        .noun = "Pull", .label = "Block Pull", .begun = "Block Pull started", .begin = begin_pull};

    return run_job(tool, args, &job, args_has(args, "wait"));
}

/* ---- blockjob ---- */

static const char *job_name(int type) {
    static const char *const names[] = {"Unknown job", "Block Pull", "Block Copy", "Block Commit",
                                        "Active Block Commit"};

    return type >= 0 && (size_t)type < ARRAY_SIZE(names) ? names[type] : names[0];
}

static void print_info_json(const JobInfo *info) {
    json_object *object = json_object_new_object();

    if (info->found) {
        json_object_object_add(object, "type", json_object_new_string(job_name(info->type)));
        json_object_object_add(object, "bandwidth", json_object_new_uint64(info->bandwidth));
        json_object_object_add(object, "cur", json_object_new_uint64(info->cur));
        json_object_object_add(object, "end", json_object_new_uint64(info->end));
    }
    tool_print_json(object);
}

static void print_info(const JobInfo *info) {
    double share = info->end ? (double)info->cur / (double)info->end : 1;

    fflush(stdout);
    fprintf(stderr, "\r%s: [%5.2f %%]", job_name(info->type),
            MIN_OF(info->cur == info->end ? 100.0 : 99.99, 100.0 * share));
    if (info->bandwidth) {
        CLEANUP_FREE char *size = size_format(info->bandwidth);

        printf("    Bandwidth limit: %" PRIu64 " bytes/s (%s/s)", (uint64_t)info->bandwidth, size);
    }
    printf("\n");
}

/* The limit is shown in bytes a second, but for --raw without --bytes, whose MiB are virsh's. */
static int show_info(Tool *tool, const Args *args, const remote_domain *dom, const char *path) {
    bool raw = args_has(args, "raw"), bytes = !raw || tool->json || args_has(args, "bytes");
    CLEANUP_ERROR Error *error = NULL;
    JobInfo info;

    if (get_info(tool, dom, path, bytes, &info, &error) < 0)
        return tool_failed(error);
    if (tool->json)
        print_info_json(&info);
    else if (info.found && raw)
        printf(" type=%s\n bandwidth=%" PRIu64 "\n cur=%" PRIu64 "\n end=%" PRIu64 "\n",
               job_name(info.type), (uint64_t)info.bandwidth, (uint64_t)info.cur,
               (uint64_t)info.end);
    else if (info.found)
        print_info(&info);
    else if (!raw)
        tool_say(tool, "No current block job for %s", path);
    return 0;
}

static int set_speed(Tool *tool, const Args *args, const remote_domain *dom, const char *path,
                     uint64_t bandwidth) {
    remote_domain_block_pull_args call = {.dom = *dom,
                                          .path = (char *)path,
                                          .bandwidth = bandwidth,
                                          .flags = args_has(args, "bytes")};
    CLEANUP_ERROR Error *error = NULL;

    return CALL_VOID(tool, DOMAIN_BLOCK_JOB_SET_SPEED, remote_domain_block_pull_args, &call,
                     &error) < 0
               ? tool_failed(error)
               : 0;
}

static int cmd_blockjob(Tool *tool, const Args *args) {
    static const char *const enders[] = {"abort", "async", "pivot"};
    static const char *const others[] = {"raw", "info", "bandwidth"};
    bool async = args_has(args, "async"), pivot = args_has(args, "pivot");
    bool ends = args_has(args, "abort") || async || pivot;
    const char *path = args_string(args, "path");
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    uint64_t bandwidth = 0;
    int limited = get_bandwidth(args, &bandwidth);

    if (limited < 0)
        return limited;
    for (size_t i = 0; i < ARRAY_SIZE(enders); i++)
        for (size_t k = 0; k < ARRAY_SIZE(others); k++)
            if (tool_exclusive(args, others[k], enders[i]) < 0)
                return -EINVAL;
    if (tool_exclusive(args, "info", "bandwidth") < 0 ||
        tool_exclusive(args, "raw", "bandwidth") < 0)
        return -EINVAL;
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (limited)
        return set_speed(tool, args, &dom, path, bandwidth);
    if (!ends)
        return show_info(tool, args, &dom, path);
    if (end_job(tool, &dom, path,
                (async ? BLOCK_ABORT_ASYNC : 0u) | (pivot ? BLOCK_ABORT_PIVOT : 0u), &error) < 0)
        return tool_failed(error);
    return 0;
}

/* ---- tables ---- */

#define OPTION_PATH                                                                                \
    { "path", OPTION_STRING, true, "target or source of the disk" }
#define OPTION_BANDWIDTH                                                                           \
    { "bandwidth", OPTION_STRING, false, "limit in MiB a second; 0: none" }
#define OPTION_BYTES                                                                               \
    { "bytes", OPTION_FLAG, false, "the limit is in bytes a second, and can have a unit" }
#define WAIT_OPTIONS                                                                               \
    {"wait", OPTION_FLAG, false, "wait for the job's end, or until both images have the same"},    \
        {"verbose", OPTION_FLAG, false, "show the progress while waiting"},                        \
        {"timeout", OPTION_NUMBER, false, "wait at most so many seconds, then abort the job"}, {   \
        "async", OPTION_FLAG, false, "do not wait for the end of an abort or a pivot"              \
    }

static const Option blockcommit_options[] = {
    OPTION_DOMAIN,
    OPTION_PATH,
    OPTION_BANDWIDTH,
    {"base", OPTION_STRING, false, "image that is written into; else the lowest"},
    {"shallow", OPTION_FLAG, false, "into the image right below"},
    {"top", OPTION_STRING, false, "image whose content goes down; else the highest"},
    {"active", OPTION_FLAG, false, "of the image that the guest writes to"},
    WAIT_OPTIONS,
    {"pivot", OPTION_FLAG, false, "wait, then go on with the lower image alone"},
    {"keep-overlay", OPTION_FLAG, false, "wait, then go on with the upper image"},
    OPTION_BYTES,
    OPTION_END};
static const Option blockjob_options[] = {
    OPTION_DOMAIN,
    OPTION_PATH,
    {"abort", OPTION_FLAG, false, "end the job"},
    {"async", OPTION_FLAG, false, "the same, without waiting for the end"},
    {"pivot", OPTION_FLAG, false, "go on with the lower image alone"},
    {"info", OPTION_FLAG, false, "show the job"},
    OPTION_BYTES,
    {"raw", OPTION_FLAG, false, "show the job's numbers"},
    OPTION_BANDWIDTH,
    OPTION_END};
static const Option blockpull_options[] = {
    OPTION_DOMAIN,    OPTION_PATH,
    OPTION_BANDWIDTH, {"base", OPTION_STRING, false, "image that stays below; else none"},
    WAIT_OPTIONS,     OPTION_BYTES,
    OPTION_END};

const Command commands_block_job[] = {{.name = "blockcommit",
                                       .help = "move what a disk's image has into one below it",
                                       .options = blockcommit_options,
                                       .json = true,
                                       .run = cmd_blockcommit},
                                      {.name = "blockjob",
                                       .help = "show, limit or end a disk's job",
                                       .options = blockjob_options,
                                       .json = true,
                                       .run = cmd_blockjob},
                                      {.name = "blockpull",
                                       .help = "move what is below a disk's image into it",
                                       .options = blockpull_options,
                                       .json = true,
                                       .run = cmd_blockpull},
                                      {0}};
