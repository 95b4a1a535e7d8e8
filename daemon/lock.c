/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lock files. Their text, the process's number, is for people; the lock is the truth. */
#include "lock.h"

#include <fcntl.h>
#include <stdio.h>

#include "util/file.h"

/* The process that has the lock; 0 when it has gone meanwhile, or is in another pid namespace. */
static pid_t owner_of(int fd) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
}

static int report_owner(int fd, const char *directory, Error **reterr) {
    CLEANUP_FREE char *process = strf(" (process %d)", (int)owner_of(fd));

    if (!process)
        return error_no_memory(reterr);
    return error_report(reterr, FROM_NONE, ERROR_OPERATION_INVALID,
                        "another vireod%s has the directory '%s'; stop it, or use another --root",
                        streq(process, " (process 0)") ? "" : process, directory);
}

static int lock_one(const char *directory, Error **reterr) {
    const struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CLEANUP_FREE char *path = path_join(directory, "vireod.lock");
    CLEANUP_CLOSE int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;

    if (!path)
        return error_no_memory(reterr);
    if (fd < 0)
        return error_system(reterr, FROM_NONE, errno, "cannot open the lock file '%s'", path);
    if (fcntl(fd, F_SETLK, &lock) < 0)
        return errno == EACCES || errno == EAGAIN
                   ? report_owner(fd, directory, reterr)
                   : error_system(reterr, FROM_NONE, errno, "cannot lock '%s'", path);
    if (ftruncate(fd, 0) == 0)
        dprintf(fd, "%d\n", (int)getpid());
    TAKE_FD(fd); /* open to the end of the process: closing it would end the lock */
    return 0;
}

int lock_directories(const char *const *directories, size_t n, Error **reterr) {
    for (size_t i = 0; i < n; i++) {
        int r = lock_one(directories[i], reterr);

        if (r < 0)
            return r;
    }
    return 0;
}
