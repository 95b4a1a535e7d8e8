/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/snapshot-file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/file-owner.h"
#include "qemu/image.h"
#include "util/worker.h"

typedef enum Found { FOUND_NEW, FOUND_EMPTY, FOUND_FULL, FOUND_NODE } Found;

typedef struct Look {
    const char *path;
    bool reuse;
    Found found;
} Look;

static int run_look(void *arg) {
    Look *look = arg;
    struct stat info;
    int fd, r = file_owner_check_way(look->path);

    if (r < 0)
        return r;
    fd = look->reuse ? -1 : open(look->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
        look->found = FOUND_NEW;
        return 0;
    }
    if (!look->reuse && errno != EEXIST)
        return -errno;
    if (stat(look->path, &info) < 0)
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
    struct stat info;

    if (undo->is_made)
        return unlink(undo->path);
    if (lstat(undo->path, &info) < 0 || !S_ISREG(info.st_mode))
        return 0;
    return truncate(undo->path, 0);
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

int snapshot_file_make(const SnapshotFile *file, Error **reterr) {
    const ImageCreate create = {.path = file->path,
                                .format = "qcow2",
                                .size = file->size,
                                .backing = file->backing,
                                .backing_format = file->backing_format,
                                .blind = true};

    return file->reuse ? 0 : image_create(&create, reterr);
}
