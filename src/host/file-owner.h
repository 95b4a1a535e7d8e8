/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that are given to another user for a while, and taken back exactly.
 *
 * What a path leads to is opened part by part. A link on the way is followed only if nobody but
 * root and this process's user could have put it there; a file with several names, or of a third
 * user, only where nobody else could have put it. So no path makes this process change the owner of
 * something that its writer could not have read himself.
 *
 * A file that is given has an extended attribute with whose it was and how often it is given
 * (trusted.vireo.owner: "COUNT UID GID BOOT", of that boot of the host); where the file system has
 * none, or this process may not write it, the caller's own note has to do. All functions block: on
 * a worker. */
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include "util/error.h"
#include "util/macro.h"

/* One file as it was found. */
typedef struct FileGiven {
    dev_t dev;
    ino_t ino;
    uid_t uid; /* whose it was */
    gid_t gid;
} FileGiven;

typedef enum FileUse {
    FILE_USE_READ,
    FILE_USE_WRITE,
    FILE_USE_MAKE,    /* made, with mode 0600, if it is missing */
    FILE_USE_CONNECT, /* a socket that another program listens at; one that is missing is left so */
} FileUse;

typedef struct FileUser {
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t n_groups;
} FileUser;

/* Whether it has to be given. 1: yes, and *ret says whose it is; 0: that user can use it as it is.
 * Errors (ERROR_OPERATION_DENIED, or of the system) name the path and the part of it that is not to
 * be trusted, or that the user cannot pass. */
int file_owner_look(const char *path, FileUse use, const FileUser *user, FileGiven *ret,
                    Error **reterr);
/* The directory on the way to the path, or itself, that the user may not search; NULL: there is
 * none, or no memory. Caller frees. */
char *file_owner_barrier(const char *path, const FileUser *user);
/* Opens a file for writing from its beginning, made with mode 0600 if it is missing, on the same
 * terms; devices and pipes, too. Returns the descriptor, -errno; -EACCES: what is there may have
 * been put there by somebody else. */
int file_owner_open(const char *path);
/* The same of a file that is there, as it is, with O_WRONLY or O_RDWR. */
int file_owner_open_existing(const char *path, int mode);
/* One that is there, with O_PATH: a descriptor, which the caller closes. Errors name the path. */
int file_owner_pin(const char *path, Error **reterr);
/* Whether the directory of a file that is about to be made is reached by links of trusted people
 * alone, as it is there now: 0, -errno. */
int file_owner_check_way(const char *path);
/* Holds that directory: *ret_path is another name of the file, under which this process, and what
 * it runs as its own user, reach that directory whatever becomes of the way: "/proc/PID/fd/N/NAME".
 * It is good as long as *ret_fd is open; the caller closes and frees. -errno; -EACCES: the way may
 * be somebody else's. A path that ends in '/' is the directory itself. */
int file_owner_hold_way(const char *path, int *ret_fd, char **ret_path);
/* Makes a directory, and those on the way to it that are missing, on the same terms. *ret_fd (may
 * be NULL) is it, opened. -errno. */
int file_owner_make_directory(const char *path, mode_t mode, int *ret_fd);
/* Gives what was looked at. */
int file_owner_give(const char *path, const FileUser *user, const FileGiven *given, Error **reterr);
/* Takes it back from that user, unless somebody else has it still. A file that was replaced, has
 * gone, or is somebody else's by now is left alone: 0. -errno. */
int file_owner_take_back(const char *path, uid_t user, const FileGiven *given);
