/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/snapshot-file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/file-owner.h"
#include "qemu/image.h"
#include "util/file.h"
#include "util/worker.h"

#define CONTENT_MAX ((size_t)64 << 20) /* bytes, of an image that is empty */

typedef enum Found { FOUND_NEW, FOUND_EMPTY, FOUND_FULL, FOUND_NODE } Found;

typedef struct Look {
    const char *path;
    bool reuse;
    Found found;
} Look;

static int run_look(void *arg) {
    Look *look = arg;
    CLEANUP_CLOSE int way = -1;
    CLEANUP_FREE char *held = NULL;
    struct stat info;
    int fd, r = file_owner_hold_way(look->path, &way, &held);

    if (r < 0)
        return r;
    fd = look->reuse ? -1 : open(held, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
        look->found = FOUND_NEW;
        return 0;
    }
    if (!look->reuse && errno != EEXIST)
        return -errno;
    if (stat(held, &info) < 0)
        return -errno;
    look->found = S_ISBLK(info.st_mode) ? FOUND_NODE : info.st_size > 0 ? FOUND_FULL : FOUND_EMPTY;
    return S_ISBLK(info.st_mode) || S_ISREG(info.st_mode) ? 0 : -EINVAL;
}

typedef struct Undo {
    const char *path;
    bool is_made;
} Undo;

static int run_undo(void *arg) {
    const Undo *undo = arg;
    CLEANUP_CLOSE int way = -1, fd = -1;
    CLEANUP_FREE char *held = NULL;
    struct stat info;
    int r = file_owner_hold_way(undo->path, &way, &held);

    if (r < 0)
        return r;
    if (undo->is_made)
        return unlink(held);
    if (lstat(held, &info) < 0 || !S_ISREG(info.st_mode))
        return 0;
    fd = file_owner_open(undo->path);
    return MIN_OF(fd, 0);
}

void snapshot_file_undo(const char *path, bool is_made) {
    worker_run(run_undo, &(Undo){path, is_made});
}

static int check_found(const SnapshotFile *file, Found found, Error **reterr) {
    if (found == FOUND_FULL && !file->reuse)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "external snapshot file for disk %s already exists and is not a block "
                            "device: %s",
                            file->disk, file->path);
    if ((found == FOUND_NODE) != file->is_node)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "the new image '%s' of disk '%s' is %sa block device; its type has to "
                            "say so",
                            file->path, file->disk, file->is_node ? "not " : "");
    return 0;
}

int snapshot_file_look(SnapshotFile *file, Error **reterr) {
    Look look = {.path = file->path, .reuse = file->reuse};
    int r = worker_run(run_look, &look);

    if (r == -ENOENT && file->reuse)
        return error_system(reterr, FROM_QEMU, r, "missing existing file for disk %s: %s",
                            file->disk, file->path);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot make the new image '%s' of disk '%s'",
                            file->path, file->disk);
    file->is_made = look.found == FOUND_NEW;
    r = check_found(file, look.found, reterr);
    if (r < 0 && file->is_made)
        snapshot_file_undo(file->path, true);
    return r;
}

typedef struct Fill {
    const char *path;
    int from; /* the new image, in memory */
} Fill;

/* Of an image that is empty there are some clusters. */
static int run_fill(void *arg) {
    const Fill *fill = arg;
    CLEANUP_FREE char *data = NULL;
    CLEANUP_CLOSE int fd = -1;
    size_t len = 0, done = 0;
    int r = file_read_fd(fill->from, CONTENT_MAX, &data, &len);

    if (r < 0)
        return r;
    fd = file_owner_open(fill->path);
    while (fd >= 0 && done < len) {
        ssize_t n = write(fd, data + done, len - done);

        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return fd < 0 ? fd : fsync(fd) < 0 ? -errno : 0;
}

/* qemu-img opens what has the name by then, which in a directory of somebody else's may be a link:
 * it writes to memory, which goes into what is opened here. */
int snapshot_file_make(const SnapshotFile *file, Error **reterr) {
    CLEANUP_CLOSE int memory = file->reuse ? -1 : memfd_create("snapshot", MFD_CLOEXEC);
    CLEANUP_FREE char *path = strf("/proc/%d/fd/%d", (int)getpid(), memory);
    const ImageCreate create = {.path = path,
                                .format = "qcow2",
                                .size = file->size,
                                .backing = file->backing,
                                .backing_format = file->backing_format,
                                .blind = true};
    int r;

    if (file->reuse)
        return 0;
    if (!path || memory < 0)
        return error_no_memory(reterr);
    r = image_create(&create, reterr);
    if (r < 0) {
        error_prefix(reterr, "cannot make the new image '%s' of disk '%s'", file->path, file->disk);
        return r;
    }
    r = worker_run(run_fill, &(Fill){file->path, memory});
    return r < 0 ? error_system(reterr, FROM_QEMU, r, "cannot make the new image '%s' of disk '%s'",
                                file->path, file->disk)
                 : 0;
}
