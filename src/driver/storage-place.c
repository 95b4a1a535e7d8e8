/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files of new volumes while they are made. qemu-img opens what has the name by then: in a
 * directory of the pool that is somebody else's that might be a link to a file of root's. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/storage-internal.h"
#include "host/file-owner.h"
#include "util/file.h"

/* Ours, and of nobody else. What an earlier daemon has left in it goes first. */
static int open_own(VolumePlace *place, const char *name) {
    struct stat info;

    if (unlink(place->directory) < 0 && errno != ENOENT && errno != EISDIR && errno != EPERM)
        return -errno;
    if (mkdir(place->directory, 0700) < 0 && errno != EEXIST)
        return -errno;
    place->fd = openat(place->way, strrchr(place->directory, '/') + 1,
                       O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (place->fd < 0 || fstat(place->fd, &info) < 0)
        return -errno;
    if (info.st_uid != geteuid() || (info.st_mode & 0077))
        return -EACCES;
    place->unfinished = strf("/proc/%d/fd/%d/%s", (int)getpid(), place->fd, name);
    if (!place->unfinished)
        return -ENOMEM;
    remove(place->unfinished);
    return 0;
}

int volume_place_open(const char *path, const char *name, VolumePlace *ret) {
    const char *slash;
    int r;

    *ret = (VolumePlace){.way = -1, .fd = -1};
    r = file_owner_hold_way(path, &ret->way, &ret->held);
    if (r < 0)
        return r;
    slash = strrchr(ret->held, '/');
    ret->directory = strf("%.*s/" VOLUME_UNFINISHED "%s", (int)(slash - ret->held), ret->held,
                          name);
    return ret->directory ? open_own(ret, name) : -ENOMEM;
}

int volume_place_settle(const VolumePlace *place, mode_t mode) {
    if (chmod(place->unfinished, mode) < 0)
        return -errno;
    return renameat2(AT_FDCWD, place->unfinished, AT_FDCWD, place->held, RENAME_NOREPLACE) < 0
               ? -errno
               : 0;
}

void volume_place_close(VolumePlace *place) {
    if (place->unfinished) {
        remove(place->unfinished);
        rmdir(place->directory);
    }
    if (place->fd >= 0)
        close(place->fd);
    if (place->way >= 0)
        close(place->way);
    free(place->held);
    free(place->directory);
    free(place->unfinished);
    *place = (VolumePlace){.way = -1, .fd = -1};
}

int volume_place_tell(const VolumePlace *place, const char *path, Error *error_consume,
                      Error **reterr) {
    CLEANUP_ERROR Error *error = error_consume;
    const char *at = error_message(error), *found;
    CLEANUP_FREE char *text = strdup("");

    for (; text && (found = strstr(at, place->unfinished));
         at = found + strlen(place->unfinished)) {
        char *longer = strf("%s%.*s%s", text, (int)(found - at), at, path);

        free(text);
        text = longer;
    }
    if (text) {
        char *longer = strf("%s%s", text, at);

        free(text);
        text = longer;
    }
    return text ? error_set_raw(reterr, error->from, error->code, text) : error_no_memory(reterr);
}
