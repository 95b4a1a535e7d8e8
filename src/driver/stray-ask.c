/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/stray-ask.h"

#include <sys/socket.h>

#include "conf/uuid.h"
#include "host/listeners.h"
#include "qemu/monitor.h"
#include "util/file.h"
#include "util/json.h"
#include "util/unix-socket.h"
#include "util/worker.h"

#define ASK_USEC (3 * USEC_PER_SEC)

typedef struct Look {
    const char *path;
    pid_t pid; /* who listens there; 0: nobody */
    bool listens;
} Look;

static int run_look(void *arg) {
    Look *look = arg;
    CLEANUP_FREE char *directory = strdup(look->path);
    CLEANUP(unix_listeners_done) UnixListeners listeners = {0};
    UnixListener *found;
    char *slash = directory ? strrchr(directory, '/') : NULL;

    if (!slash)
        return -ENOMEM;
    *slash = '\0';
    if (unix_listeners_find(directory, &listeners) < 0)
        return 0;
    found = unix_listeners_at(&listeners, look->path);
    look->listens = found != NULL;
    if (!found)
        return 0;
    found->wanted = true;
    unix_listeners_find_owners(&listeners); /* without memory nobody's */
    look->pid = found->pid;
    return 0;
}

static int read_answer(Monitor *monitor, uint64_t deadline, StrayAnswer *ret, Error **reterr) {
    CLEANUP_JSON json_object *uuid = NULL, *status = NULL;
    const char *text;
    int r = monitor_run(monitor, "query-uuid", NULL, deadline, &uuid, reterr);

    if (r >= 0)
        r = monitor_run(monitor, "query-status", NULL, deadline, &status, reterr);
    if (r < 0)
        return r;
    text = json_member_string(uuid, "UUID");
    if (!text || uuid_parse(text, ret->uuid) < 0)
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL, "QEMU does not say its uuid");
    text = json_member_string(status, "status");
    ret->status = strdup(text ? text : "");
    return ret->status ? 0 : error_no_memory(reterr);
}

/* Connected, but QEMU has only one place in its queue: what is not refused at once may be busy. */
static bool is_refused(const char *path) {
    CLEANUP_CLOSE int fd = -1;
    int r = unix_socket_connect(path, SOCK_NONBLOCK, &fd);

    return r == -ENOENT || r == -ECONNREFUSED;
}

static bool still_listens(void *userdata) {
    return !is_refused(userdata);
}

StrayFate stray_ask(const char *monitor_path, StrayAnswer *ret, Error **reterr) {
    CLEANUP(monitor_freep) Monitor *monitor = NULL;
    const uint64_t deadline = deadline_in(ASK_USEC);
    Look look = {.path = monitor_path};
    int r;

    worker_run(run_look, &look);
    if (!look.listens && is_refused(monitor_path))
        return STRAY_GONE;
    r = monitor_connect(monitor_path, "stray", NULL, (void *)monitor_path, still_listens, deadline,
                        &monitor, reterr);
    if (r >= 0)
        r = monitor_handshake(monitor, deadline, reterr);
    if (r >= 0)
        r = read_answer(monitor, deadline, ret, reterr);
    if (look.pid > 0 && qemu_process_identify(look.pid, &ret->pid) < 0)
        ret->pid = (QemuPid){0};
    return r < 0 ? STRAY_SILENT : STRAY_ANSWERS;
}

void stray_answer_done(StrayAnswer *answer) {
    free(TAKE_PTR(answer->status));
}
