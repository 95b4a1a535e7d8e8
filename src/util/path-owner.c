/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way to a file, looked at twice: as it is written, whose links must be trusted, and as it is
 * without links. */
#include "util/path-owner.h"

#include <sys/stat.h>

#include "util/file.h"
#include "util/worker.h"

static bool is_trusted_uid(uid_t uid) {
    struct stat top;

    return uid == 0 || uid == geteuid() || (lstat("/", &top) == 0 && uid == top.st_uid);
}

/* Everybody may make files in a sticky directory, and nobody but the owner rename them. */
static bool is_open_to_all(const struct stat *info, bool is_end) {
    if (S_ISLNK(info->st_mode) || !(info->st_mode & S_IWOTH))
        return false;
    return is_end || !S_ISDIR(info->st_mode) || !(info->st_mode & S_ISVTX);
}

/* 1: there is no such part. */
static int check_part(const char *part, bool is_end, const char *path, const char *what,
                      Error **reterr) {
    struct stat info;

    if (lstat(part, &info) < 0)
        return errno == ENOENT
                   ? 1
                   : error_system(reterr, FROM_NONE, errno, "cannot look at '%s'", part);
    if (!is_trusted_uid(info.st_uid))
        return error_report(reterr, FROM_NONE, ERROR_OPERATION_DENIED,
                            "%s '%s' is not to be trusted: '%s' belongs to user %u; choose one "
                            "whose parts belong to root or to this user",
                            what, path, part, (unsigned)info.st_uid);
    if (is_open_to_all(&info, is_end))
        return error_report(reterr, FROM_NONE, ERROR_OPERATION_DENIED,
                            "%s '%s' is not to be trusted: everybody may write to '%s'", what, path,
                            part);
    return 0;
}

/* Every part of one way; 1: it ends before its end. */
static int check_way(const char *way, const char *path, const char *what, Error **reterr) {
    CLEANUP_FREE char *part = strdup(way);
    int r = part ? check_part("/", false, path, what, reterr) : error_no_memory(reterr);

    for (char *at = part + 1; r == 0 && at[-1] != '\0'; at++) {
        char saved = *at;

        if (saved != '/' && saved != '\0')
            continue;
        *at = '\0';
        r = check_part(part, saved == '\0', path, what, reterr);
        *at = saved;
        if (saved == '\0')
            break;
    }
    return r;
}

int path_check_owner(const char *path, const char *what, Error **reterr) {
    CLEANUP_FREE char *real = NULL;
    int r;

    assert(*path == '/');
    r = check_way(path, path, what, reterr);
    if (r != 0)
        return r < 0 ? r : 0;
    real = realpath(path, NULL);
    if (!real)
        return error_system(reterr, FROM_NONE, errno, "cannot look at '%s'", path);
    r = check_way(real, path, what, reterr);
    return r < 0 ? r : 0;
}

typedef struct Check {
    const char *path, *what;
    Error **reterr;
} Check;

static int run_check(void *arg) {
    const Check *check = arg;

    return path_check_owner(check->path, check->what, check->reterr);
}

int path_check_owner_worker(const char *path, const char *what, Error **reterr) {
    return worker_run(run_check, &(Check){path, what, reterr});
}
