/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening by parts with O_PATH, so that what was looked at is what is changed. */
#include "host/file-owner.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "util/file.h"

#define ATTRIBUTE "trusted.vireo.owner"
#define LINKS_MAX 16u
#define SELF_FD_BYTES 40u
#define MARK_BYTES 128u
#define BOOT_BYTES 37u
#define DENIED (error_to_errno(ERROR_OPERATION_DENIED)) /* of refuse */

/* ---- the way to a file ---- */

/* Where a walk is, and what it knows of the directory around that. */
typedef struct Walk {
    const char *path;   /* as it was asked for, for sentences */
    bool make;          /* the file, if it is missing */
    int fd;             /* O_PATH */
    struct stat info;   /* of fd */
    struct stat around; /* of the directory that fd is in */
    unsigned n_links;
    char *todo; /* what is left of the way */
} Walk;

static void walk_done(Walk *walk) {
    if (walk->fd >= 0)
        close(walk->fd);
    free(walk->todo);
}

static bool is_trusted(uid_t uid) {
    return uid == 0 || uid == geteuid();
}

/* Somebody who is not trusted can change what is in that directory. */
static bool is_open_directory(const struct stat *info) {
    return !is_trusted(info->st_uid) || (info->st_mode & S_IWOTH) ||
           ((info->st_mode & S_IWGRP) && info->st_gid != 0 && info->st_gid != getegid());
}

static int refuse(const char *path, const char *why, Error **reterr) {
    return error_report(reterr, FROM_NONE, ERROR_OPERATION_DENIED,
                        "'%s' is not given to QEMU's user: %s", path, why);
}

static int fail(const char *path, int error, Error **reterr) {
    return error_system(reterr, FROM_NONE, error, "cannot give '%s' to QEMU's user", path);
}

static int go_to_root(Walk *walk) {
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    if (walk->fd >= 0)
        close(walk->fd);
    walk->fd = fd;
    return fstat(fd, &walk->info) < 0 ? -errno : 0;
}

/* `name` in the directory of the walk is a link: its target goes before what is left. */
static int follow(Walk *walk, const char *name, const struct stat *link, Error **reterr) {
    char target[PATH_MAX];
    ssize_t n = readlinkat(walk->fd, name, target, sizeof(target) - 1);
    char *todo;

    if (n < 0)
        return fail(walk->path, errno, reterr);
    if (!is_trusted(link->st_uid) ||
        (is_open_directory(&walk->info) && !(walk->info.st_mode & S_ISVTX)))
        return refuse(walk->path, "a symbolic link on the way may be somebody else's", reterr);
    if (++walk->n_links > LINKS_MAX)
        return fail(walk->path, ELOOP, reterr);
    target[n] = '\0';
    todo = strf("%s/%s", target, walk->todo);
    if (!todo)
        return error_no_memory(reterr);
    free(walk->todo);
    walk->todo = todo;
    if (*target == '/' && go_to_root(walk) < 0)
        return fail(walk->path, errno, reterr);
    return 0;
}

/* An empty file in the directory of the walk. */
static int make_file(const Walk *walk, const char *name) {
    CLEANUP_CLOSE int fd = openat(walk->fd, name,
                                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    return fd < 0 && errno != EEXIST ? -errno : 0;
}

static int enter(Walk *walk, const char *name, Error **reterr) {
    const bool is_last = walk->todo[strspn(walk->todo, "/")] == '\0';
    CLEANUP_CLOSE int fd = openat(walk->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat info;
    int r;

    if (fd < 0 && errno == ENOENT && is_last && walk->make) {
        r = make_file(walk, name);
        if (r < 0)
            return fail(walk->path, r, reterr);
        fd = openat(walk->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    }
    if (fd < 0 || fstat(fd, &info) < 0)
        return fail(walk->path, errno, reterr);
    if (S_ISLNK(info.st_mode))
        return follow(walk, name, &info, reterr);
    close(walk->fd);
    walk->fd = TAKE_FD(fd);
    walk->around = walk->info;
    walk->info = info;
    return 0;
}

/* The next part of the way in `name`, of NAME_MAX + 1 bytes; 0: there is none. */
static int next_part(Walk *walk, char *name, Error **reterr) {
    char *at = walk->todo + strspn(walk->todo, "/");
    size_t len = strcspn(at, "/");

    if (len > NAME_MAX)
        return fail(walk->path, ENAMETOOLONG, reterr);
    memcpy(name, at, len);
    name[len] = '\0';
    memmove(walk->todo, at + len, strlen(at + len) + 1);
    return len > 0;
}

/* To the end of the path; the caller ends the walk in every case. */
static int walk_path(const char *path, bool make, Walk *ret, Error **reterr) {
    char name[NAME_MAX + 1];
    int r;

    *ret = (Walk){.path = path, .make = make, .fd = -1, .todo = strdup(path)};
    if (!ret->todo)
        return error_no_memory(reterr);
    if (*path != '/')
        return refuse(path, "its path does not begin with '/'", reterr);
    r = go_to_root(ret);
    if (r < 0)
        return fail(path, r, reterr);
    while ((r = next_part(ret, name, reterr)) > 0) {
        r = streq(name, ".") ? 0 : enter(ret, name, reterr);
        if (r < 0)
            break;
    }
    return r;
}

/* ---- what is given ---- */

/* A file that somebody put there who could not have read it himself is not given. */
static int check_file(const Walk *walk, uid_t user, Error **reterr) {
    const struct stat *info = &walk->info, *around = &walk->around;

    const bool is_device = S_ISBLK(info->st_mode) || S_ISCHR(info->st_mode);

    if (!S_ISREG(info->st_mode) && !S_ISSOCK(info->st_mode) && !is_device)
        return refuse(walk->path, "it is no regular file, no socket and no device", reterr);
    if (!is_open_directory(around))
        return 0;
    if (!is_device && info->st_nlink > 1)
        return refuse(walk->path, "it has other names, and its directory is not root's alone",
                      reterr);
    if (!is_trusted(around->st_uid) && info->st_uid != around->st_uid && info->st_uid != user)
        return refuse(walk->path, "it is neither its directory's owner's nor QEMU's", reterr);
    return 0;
}

static const char *self_fd(int fd, char text[SELF_FD_BYTES]) {
    snprintf(text, SELF_FD_BYTES, "/proc/self/fd/%d", fd);
    return text;
}

static int open_file(const char *path, bool make, int flags) {
    CLEANUP(walk_done) Walk walk = {.fd = -1};
    char link[SELF_FD_BYTES];
    int r = walk_path(path, make, &walk, NULL), fd;

    if (r >= 0 && S_ISREG(walk.info.st_mode))
        r = check_file(&walk, geteuid(), NULL);
    if (r < 0)
        return r == DENIED ? -EACCES : r;
    fd = open(self_fd(walk.fd, link), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

/* O_TRUNC for what is a regular file only: the kernel passes over it for the others. */
int file_owner_open(const char *path) {
    return open_file(path, true, O_WRONLY | O_TRUNC);
}

int file_owner_open_existing(const char *path, int mode) {
    return open_file(path, false, mode);
}

int file_owner_pin(const char *path, Error **reterr) {
    CLEANUP(walk_done) Walk walk = {.fd = -1};
    int r = walk_path(path, false, &walk, reterr);

    if (r >= 0)
        r = check_file(&walk, walk.info.st_uid, reterr);
    return r < 0 ? r : TAKE_FD(walk.fd);
}

/* *ret is O_PATH. */
static int open_directory(const char *path, int *ret) {
    CLEANUP(walk_done) Walk walk = {.fd = -1};
    int r = walk_path(path, false, &walk, NULL);

    if (r < 0)
        return r == DENIED ? -EACCES : r;
    if (!S_ISDIR(walk.info.st_mode))
        return -ENOTDIR;
    *ret = TAKE_FD(walk.fd);
    return 0;
}

static int open_way(const char *path, int *ret) {
    CLEANUP_FREE char *directory = strdup(path);
    char *slash = directory ? strrchr(directory, '/') : NULL;

    if (!directory)
        return -ENOMEM;
    if (!slash)
        return -EINVAL;
    slash[1] = '\0';
    return open_directory(directory, ret);
}

int file_owner_check_way(const char *path) {
    CLEANUP_CLOSE int fd = -1;

    return open_way(path, &fd);
}

int file_owner_hold_way(const char *path, int *ret_fd, char **ret_path) {
    CLEANUP_CLOSE int fd = -1;
    CLEANUP_FREE char *held = NULL;
    int r = open_way(path, &fd);

    if (r < 0)
        return r;
    held = strf("/proc/%d/fd/%d/%s", (int)getpid(), fd, strrchr(path, '/') + 1);
    if (!held)
        return -ENOMEM;
    *ret_fd = TAKE_FD(fd);
    *ret_path = TAKE_PTR(held);
    return 0;
}

/* The directory `path`, which is made if it is missing. */
static int make_one(const char *path, mode_t mode, int *ret) {
    CLEANUP_CLOSE int way = -1;
    int r = open_directory(path, ret);

    if (r != -ENOENT)
        return r;
    r = open_way(path, &way);
    if (r < 0)
        return r;
    if (mkdirat(way, strrchr(path, '/') + 1, mode) < 0 && errno != EEXIST)
        return -errno;
    return open_directory(path, ret);
}

int file_owner_make_directory(const char *path, mode_t mode, int *ret_fd) {
    CLEANUP_FREE char *part = strdup(path);
    CLEANUP_CLOSE int fd = -1;
    size_t end = 0;
    int r;

    if (!part)
        return -ENOMEM;
    do {
        end += strspn(path + end, "/");
        end += strcspn(path + end, "/");
        memcpy(part, path, end);
        part[end] = '\0';
        if (fd >= 0)
            close(TAKE_FD(fd));
        r = make_one(part, mode, &fd);
    } while (r >= 0 && path[end] != '\0');
    if (r >= 0 && ret_fd)
        *ret_fd = TAKE_FD(fd);
    return r;
}

/* The thread as that user, as far as files are concerned. The kernel's calls are for one thread,
 * where the C library's are for all. */
static void be_user(const FileUser *user) {
    syscall(SYS_setgroups, user->n_groups, user->groups);
    syscall(SYS_setfsgid, user->gid);
    syscall(SYS_setfsuid, user->uid);
}

static void be_self(const gid_t *groups, int n_groups) {
    syscall(SYS_setfsuid, geteuid());
    syscall(SYS_setfsgid, getegid());
    syscall(SYS_setgroups, n_groups, groups);
}

/* Whether the user gets at the file by its path as it is: 0, or -errno. */
static int try_as_user(const char *path, FileUse use, const FileUser *user) {
    const int mode = use == FILE_USE_READ ? R_OK : R_OK | W_OK;
    gid_t groups[NGROUPS_MAX > 256 ? 256 : NGROUPS_MAX];
    int n = getgroups((int)ARRAY_SIZE(groups), groups), r;

    if (n < 0)
        return -errno;
    be_user(user);
    r = syscall(SYS_faccessat2, AT_FDCWD, path, mode, AT_EACCESS) < 0 ? -errno : 0;
    be_self(groups, n);
    return r;
}

/* Names the directory that the user cannot pass; NULL: there is none. Caller frees. */
static char *find_barrier(const char *path, const FileUser *user) {
    gid_t groups[256];
    int n = getgroups((int)ARRAY_SIZE(groups), groups);
    char *part = n < 0 ? NULL : strdup(path), *found = NULL;

    if (!part)
        return NULL;
    be_user(user);
    for (char *at = part + 1; (at = strchr(at, '/')) && !found; at++) {
        *at = '\0';
        if (syscall(SYS_faccessat2, AT_FDCWD, part, X_OK, AT_EACCESS) < 0)
            found = strdup(part);
        *at = '/';
    }
    be_self(groups, n);
    free(part);
    return found;
}

char *file_owner_barrier(const char *path, const FileUser *user) {
    CLEANUP_FREE char *directory = strf("%s/", path);

    return directory ? find_barrier(directory, user) : NULL;
}

/* ---- the mark ---- */

typedef struct Mark {
    unsigned count;
    unsigned uid, gid;
} Mark;

/* This boot of the host: what an earlier one gave nobody has any more. */
static void boot_id(char text[BOOT_BYTES]) {
    CLEANUP_FREE char *read = NULL;

    *text = '\0';
    if (file_read("/proc/sys/kernel/random/boot_id", 1024, &read, NULL) >= 0)
        snprintf(text, BOOT_BYTES, "%s", read);
}

/* -errno: there is none, or none can be had. */
static int read_mark(int fd, Mark *ret) {
    char path[SELF_FD_BYTES], text[MARK_BYTES], boot[BOOT_BYTES] = "", now[BOOT_BYTES];
    ssize_t n = getxattr(self_fd(fd, path), ATTRIBUTE, text, sizeof(text) - 1);

    if (n < 0)
        return -errno;
    text[n] = '\0';
    if (sscanf(text, "%u %u %u %36s", &ret->count, &ret->uid, &ret->gid, boot) < 3)
        return -EBADMSG;
    boot_id(now);
    if (!streq(boot, now))
        ret->count = 0;
    return 0;
}

static void write_mark(int fd, const Mark *mark) {
    char path[SELF_FD_BYTES], text[MARK_BYTES], boot[BOOT_BYTES];
    int n;

    boot_id(boot);
    n = snprintf(text, sizeof(text), "%u %u %u %s", mark->count, mark->uid, mark->gid, boot);
    self_fd(fd, path);
    if (mark->count)
        (void)!setxattr(path, ATTRIBUTE, text, (size_t)n, 0);
    else
        (void)!removexattr(path, ATTRIBUTE);
}

/* ---- the two verbs ---- */

static int change_owner(const Walk *walk, uid_t uid, gid_t gid) {
    return fchownat(walk->fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

/* 1: it is given already. */
static bool is_given(const Walk *walk, uid_t user, Mark *ret) {
    return walk->info.st_uid == user && read_mark(walk->fd, ret) >= 0;
}

int file_owner_look(const char *path, FileUse use, const FileUser *user, FileGiven *ret,
                    Error **reterr) {
    CLEANUP(walk_done) Walk walk = {.fd = -1};
    CLEANUP_FREE char *barrier = NULL;
    Mark mark;
    int r;

    if (use == FILE_USE_CONNECT && access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    r = walk_path(path, use == FILE_USE_MAKE, &walk, reterr);
    if (r >= 0)
        r = check_file(&walk, user->uid, reterr);
    if (r < 0)
        return r;
    *ret = (FileGiven){.dev = walk.info.st_dev,
                       .ino = walk.info.st_ino,
                       .uid = walk.info.st_uid,
                       .gid = walk.info.st_gid};
    if (is_given(&walk, user->uid, &mark)) {
        ret->uid = mark.uid;
        ret->gid = mark.gid;
        return 1;
    }
    if (try_as_user(path, use, user) >= 0)
        return 0;
    barrier = find_barrier(path, user);
    if (!barrier)
        return 1;
    return error_report(reterr, FROM_NONE, ERROR_OPERATION_DENIED,
                        "QEMU's user %u cannot reach '%s': it may not search the directory '%s'; "
                        "move the file, or let that user pass (chmod o+x)",
                        (unsigned)user->uid, path, barrier);
}

/* A file that is given already counts once more, with whom it belonged to at first. */
int file_owner_give(const char *path, const FileUser *user, const FileGiven *given,
                    Error **reterr) {
    CLEANUP(walk_done) Walk walk = {.fd = -1};
    Mark mark = {0};
    int r = walk_path(path, false, &walk, reterr);

    if (r >= 0)
        r = check_file(&walk, user->uid, reterr);
    if (r < 0)
        return r;
    if (walk.info.st_dev != given->dev || walk.info.st_ino != given->ino)
        return refuse(path, "it was replaced meanwhile", reterr);
    if (!is_given(&walk, user->uid, &mark))
        mark = (Mark){.uid = given->uid, .gid = given->gid};
    mark.count++;
    write_mark(walk.fd, &mark);
    r = change_owner(&walk, user->uid, user->gid);
    return r < 0 ? fail(path, r, reterr) : 0;
}

int file_owner_take_back(const char *path, uid_t user, const FileGiven *given) {
    CLEANUP(walk_done) Walk walk = {.fd = -1};
    Mark mark;
    int r = walk_path(path, false, &walk, NULL);

    if (r < 0)
        return r == -ENOMEM ? r : 0;
    if (walk.info.st_dev != given->dev || walk.info.st_ino != given->ino)
        return 0;
    if (read_mark(walk.fd, &mark) < 0 || mark.count == 0)
        mark = (Mark){.count = 1, .uid = given->uid, .gid = given->gid};
    mark.count--;
    write_mark(walk.fd, &mark);
    if (mark.count > 0 || walk.info.st_uid != user)
        return 0;
    return change_owner(&walk, mark.uid, mark.gid);
}
