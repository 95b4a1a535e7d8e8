/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/overlay-file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "host/file-mark.h"
#include "host/file-owner.h"
#include "qemu/image-lock.h"
#include "util/file.h"

#define FILE_MODE 0600
#define CONTENT_MAX ((size_t)64 << 20) /* bytes; an empty image of 16 TiB has half a MiB */

void overlay_file_done(OverlayFile *file) {
    if (file->directory >= 0)
        close(file->directory);
    if (file->fd >= 0)
        close(file->fd);
    free(file->content);
    free(file->detail);
}

/* Without a time where the file system knows of none. */
typedef struct Known {
    uint64_t dev, ino;
    int64_t seconds; /* when it was made */
    uint32_t nanoseconds;
} Known;

/* With an empty path the file is fd itself; a link is not followed. */
static int know(int fd, const char *path, Known *ret, struct statx *info) {
    if (statx(fd, path, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME,
              info) < 0)
        return -errno;
    *ret = (Known){.dev = makedev(info->stx_dev_major, info->stx_dev_minor), .ino = info->stx_ino};
    if (info->stx_mask & STATX_BTIME) {
        ret->seconds = info->stx_btime.tv_sec;
        ret->nanoseconds = info->stx_btime.tv_nsec;
    }
    return 0;
}

/* What this domain's run had when the host ended. */
static bool is_left(const OverlayFile *file) {
    CLEANUP_CLOSE int fd = -1;

    if (!file_mark_is_of_earlier_boot(file->path, file->owner))
        return false;
    fd = open(file->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && image_lock_is_held(fd) == 0;
}

int overlay_file_look(void *arg) {
    const OverlayFile *file = arg;
    struct stat info;

    if (lstat(file->path, &info) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISREG(info.st_mode) || !is_left(file))
        return -EEXIST;
    return unlink(file->path) < 0 ? -errno : 0;
}

/* By its directory, which nobody exchanges meanwhile for another one. */
static int open_new(OverlayFile *file) {
    const char *name = strrchr(file->path, '/') + 1;
    CLEANUP_FREE char *directory = strndup(file->path, (size_t)(name - file->path));

    if (!directory)
        return -ENOMEM;
    file->directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (file->directory < 0)
        return -errno;
    file->fd = openat(file->directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                      FILE_MODE);
    return file->fd < 0 ? -errno : 0;
}

int overlay_file_make(void *arg) {
    OverlayFile *file = arg;
    struct statx info;
    Known known;
    int r = file_owner_check_way(file->path);

    if (r >= 0)
        r = open_new(file);
    if (r < 0)
        return r;
    file_mark_write(file->fd, file->owner);
    r = know(file->fd, "", &known, &info);
    if (r < 0)
        return r;
    file->detail = strf("%" PRIu64 " %" PRIu64 " %" PRId64 " %" PRIu32, known.dev, known.ino,
                        known.seconds, known.nanoseconds);
    return file->detail ? 0 : -ENOMEM;
}

int overlay_file_fill(void *arg) {
    const OverlayFile *file = arg;
    CLEANUP_FREE char *data = NULL;
    size_t len = 0, done = 0;
    int r = file_read(file->content, CONTENT_MAX, &data, &len);

    unlink(file->content);
    while (r >= 0 && done < len) {
        ssize_t n = pwrite(file->fd, data + done, len - done, (off_t)done);

        if (n < 0 && errno != EINTR)
            r = -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return r;
}

int overlay_file_give(void *arg) {
    const OverlayFile *file = arg;
    struct stat info;

    if (fstat(file->directory, &info) < 0)
        return -errno;
    return info.st_uid != geteuid() && fchown(file->fd, info.st_uid, info.st_gid) < 0 ? -errno : 0;
}

/* Of what was about to be made. */
static bool may_be_ours(const struct statx *info) {
    return S_ISREG(info->stx_mode) && info->stx_size == 0 && info->stx_uid == geteuid() &&
           info->stx_nlink == 1 && (info->stx_mode & 07777) == FILE_MODE;
}

static bool is_same(const Known *a, const Known *b) {
    return a->dev == b->dev && a->ino == b->ino && a->seconds == b->seconds &&
           a->nanoseconds == b->nanoseconds;
}

int overlay_file_remove(const char *path, const char *detail) {
    struct statx info;
    Known known, found;
    int r;

    if (detail && sscanf(detail, "%" SCNu64 " %" SCNu64 " %" SCNd64 " %" SCNu32, &known.dev,
                         &known.ino, &known.seconds, &known.nanoseconds) != 4)
        return -EBADMSG;
    r = know(AT_FDCWD, path, &found, &info);
    if (r < 0)
        return r == -ENOENT || r == -ENOTDIR ? 0 : r;
    if (detail && !is_same(&found, &known))
        return -ESTALE;
    if (!detail && !may_be_ours(&info))
        return 0;
    return unlink(path) < 0 ? -errno : 0;
}
