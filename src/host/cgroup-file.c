/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files and directories of a hierarchy: one openat each, and sentences that name the controller,
 * the file and the group. */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "host/cgroup-library.h"
#include "util/file.h"

#define READ_LIMIT (256u * 1024)

static int open_file(const CgroupPlace *place, const char *child, const char *file, int flags) {
    char path[NAME_MAX * 2 + 2];
    int n = snprintf(path, sizeof(path), "%s%s%s", child ? child : "", child ? "/" : "", file), fd;

    if (n >= (int)sizeof(path))
        return -ENAMETOOLONG;
    fd = openat(place->fd, path, flags | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* One write: the kernel takes each one as a command of its own. */
int cgroup_write_quiet(const CgroupPlace *place, const char *child, const char *file,
                       const char *text) {
    CLEANUP_CLOSE int fd = open_file(place, child, file, O_WRONLY | O_TRUNC);
    ssize_t n;

    if (fd < 0)
        return fd;
    do
        n = write(fd, text, strlen(text));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return (size_t)n == strlen(text) ? 0 : -EIO;
}

int cgroup_read_quiet(const CgroupPlace *place, const char *child, const char *file, char **ret) {
    CLEANUP_CLOSE int fd = open_file(place, child, file, O_RDONLY);
    CLEANUP_FREE char *text = NULL;
    size_t len;
    int r = fd < 0 ? fd : file_read_fd(fd, READ_LIMIT, &text, &len);

    if (r < 0)
        return r;
    while (len > 0 && strchr(" \n", text[len - 1]))
        text[--len] = '\0';
    *ret = TAKE_PTR(text);
    return 0;
}

const char *cgroup_place_name(const CgroupPlace *place) {
    return place->path[0] ? place->path : "/";
}

/* "cpuset.cpus" belongs to cpuset, "cgroup.threads" to whatever the hierarchy has. */
static const char *controller_of(const CgroupPlace *place, const char *file) {
    CgroupController first = CGROUP_CONTROLLER_MAX;

    for (CgroupController c = CGROUP_CONTROLLER_MAX; c-- > 0;) {
        const char *name = cgroup_controller_name(c);

        if (place->hierarchy->controllers & CGROUP_BIT(c))
            first = c;
        if (strncmp(file, name, strlen(name)) == 0 && file[strlen(name)] == '.')
            return name;
    }
    return first == CGROUP_CONTROLLER_MAX ? "?" : cgroup_controller_name(first);
}

int cgroup_write_error(const CgroupPlace *place, const char *child, const char *file,
                       const char *text, int errnum, const char *hint, Error **reterr) {
    errnum = abs(errnum);
    if (errnum == EROFS)
        hint = "the file system is mounted read-only; mount it read-write for the daemon";
    else if (errnum == ENOENT && !*hint)
        hint = "the kernel or the group has no such file";
    return error_system(reterr, FROM_CGROUP, errnum,
                        "cannot write '%s' to %s of cgroup '%s%s%s' (controller %s at '%s')%s%s",
                        text, file, child && !place->path[0] ? "" : cgroup_place_name(place),
                        child ? "/" : "", child ? child : "", controller_of(place, file),
                        place->hierarchy->mount_point, *hint ? "; " : "", hint);
}

int cgroup_write(const CgroupPlace *place, const char *child, const char *file, const char *text,
                 Error **reterr) {
    int r = cgroup_write_quiet(place, child, file, text);

    return r < 0 ? cgroup_write_error(place, child, file, text, r, "", reterr) : 0;
}

int cgroup_write_u64(const CgroupPlace *place, const char *child, const char *file, uint64_t value,
                     Error **reterr) {
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, value);
    return cgroup_write(place, child, file, text, reterr);
}

int cgroup_read(const CgroupPlace *place, const char *child, const char *file, char **ret,
                Error **reterr) {
    int r = cgroup_read_quiet(place, child, file, ret);

    if (r == -ENOMEM)
        return error_no_memory(reterr);
    if (r < 0)
        return error_system(
            reterr, FROM_CGROUP, r, "cannot read %s of cgroup '%s%s%s' (controller %s at '%s')",
            file, child && !place->path[0] ? "" : cgroup_place_name(place), child ? "/" : "",
            child ? child : "", controller_of(place, file), place->hierarchy->mount_point);
    return 0;
}

int cgroup_read_stat(const CgroupPlace *place, const char *child, const char *controller,
                     char **ret, Error **reterr) {
    CLEANUP_FREE char *path = strf("%s%s%s", place->path, child ? "/" : "", child ? child : ""),
                      *file = strf("%s.stat", controller);

    if (!path || !file)
        return error_no_memory(reterr);
    if (place->hierarchy->library && *path && cgroup_library_stat(controller, path, ret))
        return 0;
    return cgroup_read(place, child, file, ret, reterr);
}

int cgroup_read_i64(const CgroupPlace *place, const char *child, const char *file, int64_t *ret,
                    Error **reterr) {
    CLEANUP_FREE char *text = NULL;
    int r = cgroup_read(place, child, file, &text, reterr);

    if (r < 0)
        return r;
    *ret = strtoll(text, NULL, 10);
    return 0;
}

int cgroup_read_list(const CgroupPlace *place, const char *child, const char *file, Bitmap **ret,
                     Error **reterr) {
    CLEANUP_FREE char *text = NULL;
    int r = cgroup_read(place, child, file, &text, reterr);

    if (r < 0)
        return r;
    r = bitmap_parse(text, BITMAP_MAX_BITS, ret);
    if (r == -ENOMEM)
        return error_no_memory(reterr);
    if (r < 0)
        return error_report(reterr, FROM_CGROUP, ERROR_INTERNAL,
                            "%s of cgroup '%s' is not a list: '%s'", file, cgroup_place_name(place),
                            text);
    return 0;
}

int cgroup_place_open(const CgroupHierarchy *hierarchy, const char *path, size_t length,
                      CgroupPlace *ret) {
    CLEANUP_CLOSE int fd = open(hierarchy->mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_FREE char *copy = strndup(path, length);

    if (!copy)
        return -ENOMEM;
    if (fd < 0)
        return -errno;
    for (size_t at = 0, next; (next = cgroup_path_next(copy, at)) > 0; at = next) {
        char name[NAME_MAX + 1];
        int below;

        if (next - at > sizeof(name))
            return -ENAMETOOLONG;
        snprintf(name, sizeof(name), "%.*s", (int)(next - at - 1), copy + at + 1);
        below = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below < 0)
            return -errno;
        close(fd);
        fd = below;
    }
    *ret = (CgroupPlace){.hierarchy = hierarchy,
                         .fd = TAKE_FD(fd),
                         .path = TAKE_PTR(copy),
                         .controllers = hierarchy->controllers,
                         .below = hierarchy->controllers};
    return 0;
}

void cgroup_place_done(CgroupPlace *place) {
    if (place->path && place->fd >= 0)
        close(TAKE_FD(place->fd));
    free(TAKE_PTR(place->path));
}
