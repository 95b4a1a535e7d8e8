/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls that go on as streams of bytes: consoles, channels, pictures, volumes; and displays by a
 * file descriptor. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "driver/open-device.h"
#include "host/file-owner.h"
#include "remote-storage.h"
#include "rpc/stream.h"
#include "util/worker.h"

/* ---- consoles and channels: one client each ---- */

enum { OPEN_FORCE = 1, CONSOLE_SAFE = 2 };

typedef struct Opened {
    struct Opened *next;
    int id; /* of the run */
    char *alias;
    RpcStream *stream;
} Opened;

static Opened *all_opened;

static void opened_free(Opened *opened) {
    if (!opened)
        return;
    free(opened->alias);
    free(opened);
}
DEFINE_CLEANUP(Opened *, opened_free)

static void on_ended(bool complete, void *userdata) {
    Opened **at = &all_opened;

    while (*at && *at != userdata)
        at = &(*at)->next;
    if (*at)
        *at = (*at)->next;
    opened_free(userdata);
}

/* The one who has it goes when somebody else insists. */
static int make_free(int id, const char *alias, bool force, const char *what, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    Opened *at = all_opened;

    while (at && !(at->id == id && streq(at->alias, alias)))
        at = at->next;
    if (!at)
        return 0;
    if (!force)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "Active %s session exists for this domain", what);
    error_report(&error, FROM_STREAMS, ERROR_OPERATION_FAILED,
                 "another client has taken the %s '%s'", what, alias);
    rpc_stream_fail(at->stream, error);
    return 0;
}

/* Takes the descriptor. */
static int open_stream(RpcCall *call, const Domain *domain, const char *alias, int fd,
                       Error **reterr) {
    CLEANUP(opened_freep) Opened *opened = calloc(1, sizeof(Opened));
    RpcStream *stream = NULL;
    int r;

    if (!opened || !(opened->alias = strdup(alias))) {
        close(fd);
        return error_no_memory(reterr);
    }
    opened->id = domain_id(domain);
    r = rpc_stream_open(
        call, &(RpcStreamParams){.in = fd, .out = fd, .ended = on_ended, .userdata = opened},
        &stream, reterr);
    if (r < 0)
        return r;
    opened->stream = stream;
    opened->next = all_opened;
    all_opened = TAKE_PTR(opened);
    return 0;
}

/* Its end is looked at before it is opened: a socket takes one at a time. */
static int open_device(RpcCall *call, Domain *domain, const char *name, bool channel, bool force,
                       Error **reterr) {
    const char *alias = NULL;
    int fd = -1, r;

    r = channel ? driver_open_channel(domain, name, &fd, &alias, reterr)
                : driver_open_console(domain, name, &fd, &alias, reterr);
    if (r < 0)
        return r;
    r = make_free(domain_id(domain), alias, force, channel ? "channel" : "console", reterr);
    if (r < 0) {
        close(fd);
        return r;
    }
    return open_stream(call, domain, alias, fd, reterr);
}

HANDLER(open_console) {
    remote_domain_open_console_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_flags(args->flags, OPEN_FORCE | CONSOLE_SAFE, call->proc->api, reterr);

    if (r >= 0)
        r = dispatch_domain(session, &args->dom, &domain, reterr);
    return r < 0 ? r
                 : open_device(call, domain, dispatch_opt(args->dev_name), false,
                               args->flags & OPEN_FORCE, reterr);
}

HANDLER(open_channel) {
    remote_domain_open_channel_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_flags(args->flags, OPEN_FORCE, call->proc->api, reterr);

    if (r >= 0)
        r = dispatch_domain(session, &args->dom, &domain, reterr);
    return r < 0 ? r
                 : open_device(call, domain, dispatch_opt(args->name), true,
                               args->flags & OPEN_FORCE, reterr);
}

/* ---- the screen ---- */

static int picture_mime(remote_domain_screenshot_ret *ret, Error **reterr) {
    ret->mime = calloc(1, sizeof(*ret->mime));
    return ret->mime ? dispatch_string(ret->mime, "image/x-portable-pixmap", reterr)
                     : error_no_memory(reterr);
}

HANDLER(screenshot) {
    remote_domain_screenshot_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int fd = -1, r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    if (r >= 0)
        r = dispatch_domain(session, &args->dom, &domain, reterr);
    if (r >= 0)
        r = driver_screenshot(domain, args->screen, &fd, reterr);
    if (r >= 0)
        r = rpc_stream_open(call, &(RpcStreamParams){.in = fd, .out = -1, .is_file = true}, NULL,
                            reterr);
    return r < 0 ? r : picture_mime(ret_, reterr);
}

/* ---- displays ---- */

#define GRAPHICS_SKIP_AUTH 1

HANDLER(open_graphics) {
    remote_domain_open_graphics_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_flags(args->flags, GRAPHICS_SKIP_AUTH, call->proc->api, reterr);

    if (r >= 0 && call->n_fds != 1)
        r = error_report(reterr, FROM_RPC, ERROR_INVALID_ARG,
                         "one file descriptor is needed, %u came", call->n_fds);
    if (r >= 0)
        r = dispatch_domain(session, &args->dom, &domain, reterr);
    return r < 0 ? r
                 : driver_open_graphics(domain, args->idx, call->fds[0],
                                        args->flags & GRAPHICS_SKIP_AUTH, reterr);
}

HANDLER(open_graphics_fd) {
    remote_domain_open_graphics_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int pair[2], r = dispatch_flags(args->flags, GRAPHICS_SKIP_AUTH, call->proc->api, reterr);

    if (r >= 0 && *rpc_session_peer(session)->host)
        r = error_report(reterr, FROM_RPC, ERROR_OPERATION_UNSUPPORTED,
                         "a file descriptor cannot be passed on over TCP; use a unix socket");
    if (r >= 0)
        r = dispatch_domain(session, &args->dom, &domain, reterr);
    if (r < 0)
        return r;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_system(reterr, FROM_QEMU, errno, "cannot make a socket");
    r = driver_open_graphics(domain, args->idx, pair[1], args->flags & GRAPHICS_SKIP_AUTH, reterr);
    close(pair[1]);
    if (r < 0) {
        close(pair[0]);
        return r;
    }
    call->ret_fds[call->n_ret_fds++] = pair[0];
    return 0;
}

/* ---- volumes ---- */

typedef struct Opening {
    const char *path;
    int mode;
    uint64_t offset;
} Opening;

static int run_open(void *arg) {
    const Opening *work = arg;
    int fd = work->mode == O_RDONLY
                 ? open(work->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
                 : file_owner_open_existing(work->path, work->mode);

    if (fd < 0)
        return work->mode == O_RDONLY ? -errno : fd;
    if (work->offset > INT64_MAX || lseek(fd, (off_t)work->offset, SEEK_SET) < 0) {
        const int r = work->offset > INT64_MAX ? -EINVAL : -errno;

        close(fd);
        return r;
    }
    return fd;
}

static int open_volume(RpcSession *session, const remote_storage_vol *wire, const Opening *how,
                       Pool **ret_pool, int *ret, Error **reterr) {
    Pool *pool = storage_pool_by_name(storage_of(session), wire->pool, reterr);
    const VolumeDef *volume = NULL;
    CLEANUP_FREE char *path = NULL;
    Opening work = *how;
    int r = pool ? pool_check_active(pool, reterr) : -ENOENT;

    if (r < 0)
        return r;
    volume = pool_volume(pool, wire->name, reterr);
    if (!volume)
        return -ENOENT;
    path = strdup(volume->path);
    if (!path)
        return error_no_memory(reterr);
    *ret_pool = pool_ref(pool);
    work.path = path;
    *ret = worker_run(run_open, &work);
    return *ret < 0 ? error_system(reterr, FROM_STORAGE, *ret, "cannot open volume '%s'", path) : 0;
}

#define SPARSE_STREAM 1 /* virStorageVolDownloadFlags, virStorageVolUploadFlags */

HANDLER(download) {
    remote_storage_vol_download_args *args = args_;
    CLEANUP_POOL Pool *pool = NULL;
    int fd = -1, r = dispatch_flags(args->flags, SPARSE_STREAM, call->proc->api, reterr);

    if (r >= 0)
        r = open_volume(session, &args->vol, &(Opening){.mode = O_RDONLY, .offset = args->offset},
                        &pool, &fd, reterr);
    return r < 0 ? r
                 : rpc_stream_open(call,
                                   &(RpcStreamParams){.in = fd,
                                                      .out = -1,
                                                      .is_file = true,
                                                      .sparse = args->flags & SPARSE_STREAM,
                                                      .limit = args->length},
                                   NULL, reterr);
}

/* The volume that was written to is looked at again. */
typedef struct Upload {
    Pool *pool;
    char *name;
} Upload;

static void upload_free(Upload *upload) {
    if (!upload)
        return;
    if (upload->pool)
        pool_unref(upload->pool);
    free(upload->name);
    free(upload);
}
DEFINE_CLEANUP(Upload *, upload_free)

static void look_again(void *userdata) {
    CLEANUP(upload_freep) Upload *upload = userdata;

    pool_look_at_volume(upload->pool, upload->name, NULL);
}

static void on_uploaded(bool complete, void *userdata) {
    if (fiber_start("uploaded", look_again, userdata) < 0)
        upload_free(userdata);
}

HANDLER(upload) {
    remote_storage_vol_upload_args *args = args_;
    CLEANUP(upload_freep) Upload *upload = calloc(1, sizeof(Upload));
    RpcStreamParams params;
    int fd = -1, r = dispatch_flags(args->flags, SPARSE_STREAM, call->proc->api, reterr);

    if (r >= 0 && (!upload || !(upload->name = strdup(args->vol.name))))
        r = error_no_memory(reterr);
    if (r >= 0)
        r = open_volume(session, &args->vol, &(Opening){.mode = O_WRONLY, .offset = args->offset},
                        &upload->pool, &fd, reterr);
    if (r < 0)
        return r;
    params = (RpcStreamParams){.in = -1,
                               .out = fd,
                               .is_file = true,
                               .sparse = args->flags & SPARSE_STREAM,
                               .limit = args->length,
                               .ended = on_uploaded,
                               .userdata = upload};
    r = rpc_stream_open(call, &params, NULL, reterr);
    if (r >= 0)
        TAKE_PTR(upload);
    return r;
}

#define ON_DOMAIN (RPC_PROC_WRITE | RPC_PROC_ON_DOMAIN)

const RpcProc stream_procs[] = {
    {REMOTE_PROC_DOMAIN_OPEN_CONSOLE, "virDomainOpenConsole", ON_DOMAIN, open_console,
     XDR_OF(remote_domain_open_console_args), NO_XDR},
    {REMOTE_PROC_DOMAIN_OPEN_CHANNEL, "virDomainOpenChannel", ON_DOMAIN, open_channel,
     XDR_OF(remote_domain_open_channel_args), NO_XDR},
    {REMOTE_PROC_DOMAIN_SCREENSHOT, "virDomainScreenshot", ON_DOMAIN, screenshot,
     XDR_OF(remote_domain_screenshot_args), XDR_OF(remote_domain_screenshot_ret)},
    {REMOTE_PROC_DOMAIN_OPEN_GRAPHICS, "virDomainOpenGraphics", ON_DOMAIN, open_graphics,
     XDR_OF(remote_domain_open_graphics_args), NO_XDR},
    {REMOTE_PROC_DOMAIN_OPEN_GRAPHICS_FD, "virDomainOpenGraphicsFD", ON_DOMAIN, open_graphics_fd,
     XDR_OF(remote_domain_open_graphics_args), NO_XDR},
    {REMOTE_PROC_STORAGE_VOL_DOWNLOAD, "virStorageVolDownload", RPC_PROC_WRITE, download,
     XDR_OF(remote_storage_vol_download_args), NO_XDR},
    {REMOTE_PROC_STORAGE_VOL_UPLOAD, "virStorageVolUpload", RPC_PROC_WRITE, upload,
     XDR_OF(remote_storage_vol_upload_args), NO_XDR},
};
const size_t stream_n_procs = ARRAY_SIZE(stream_procs);
