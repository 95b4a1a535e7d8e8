/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /proc/PID/root leads into the mount namespace of a process (proc(5)). */
#include "qemu/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "util/file.h"
#include "util/proc.h"

static int open_root(const char *pid) {
    CLEANUP_FREE char *path = strf("/proc/%s/root", pid), *mounts = strf("/proc/%s/ns/mnt", pid);
    struct stat its, ours;
    int fd;

    if (!path || !mounts)
        return -ENOMEM;
    if (stat(mounts, &its) < 0 || stat("/proc/self/ns/mnt", &ours) < 0)
        return -errno;
    if (its.st_ino == ours.st_ino)
        return -EXDEV;
    fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* The root directory of a process that sees other mounts than this daemon; -EXDEV: the same ones.
 * The caller closes it. */
static int root_of(pid_t pid) {
    char name[16];
    int r;

    snprintf(name, sizeof(name), "%d", (int)pid);
    r = proc_look_as_owner(name);
    if (r < 0)
        return r;
    r = open_root(name);
    proc_look_as_self();
    return r;
}

/* The directories on the way to a node; its last part is *ret_name in a directory that the caller
 * closes. -errno. */
static int open_way(int root, const char *path, const char **ret_name) {
    int at = fcntl(root, F_DUPFD_CLOEXEC, 0);

    while (at >= 0) {
        const char *slash;
        char part[NAME_MAX + 1];
        int next;

        path += strspn(path, "/");
        slash = strchr(path, '/');
        if (!slash) {
            *ret_name = path;
            return at;
        }
        if ((size_t)(slash - path) >= sizeof(part)) {
            close(at);
            return -ENAMETOOLONG;
        }
        memcpy(part, path, (size_t)(slash - path));
        part[slash - path] = '\0';
        if (mkdirat(at, part, 0755) == 0)
            fchmodat(at, part, 0755, 0); /* whatever the umask is */
        next = openat(at, part, O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        close(at);
        at = next;
        path = slash;
    }
    return -errno;
}

/* A file system without labels needs none. */
static void label_node(int directory, const char *name, const QemuNode *node) {
    char path[NAME_MAX + 40];

    snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", directory, name);
    if (node->label)
        (void)!lsetxattr(path, "security.selinux", node->label, strlen(node->label) + 1, 0);
}

static int add_node(int root, const QemuConfine *confine, const QemuNode *node) {
    const char *name = NULL;
    CLEANUP_CLOSE int directory = open_way(root, node->path, &name);

    if (directory < 0)
        return directory;
    if (mknodat(directory, name, node->mode, node->rdev) < 0)
        return errno == EEXIST ? 0 : -errno;
    label_node(directory, name, node);
    if (fchmodat(directory, name, node->mode & 07777, 0) < 0 ||
        (node->given && confine->has_user &&
         fchownat(directory, name, confine->uid, confine->gid, AT_SYMLINK_NOFOLLOW) < 0))
        return -errno;
    return 0;
}

static int add_nodes(pid_t pid, const QemuConfine *confine) {
    int r = root_of(pid);
    CLEANUP_CLOSE int root = r < 0 ? -1 : r;

    if (r == -EXDEV)
        return 0;
    for (size_t i = 0; i < confine->n_nodes && r >= 0; i++)
        r = add_node(root, confine, &confine->nodes[i]);
    return r < 0 ? r : 1;
}

static int raise_memlock(pid_t pid, uint64_t bytes) {
    const struct rlimit limit = {.rlim_cur = bytes, .rlim_max = bytes};
    struct rlimit is;

    if (prlimit(pid, RLIMIT_MEMLOCK, NULL, &is) < 0)
        return -errno;
    if (is.rlim_cur == RLIM_INFINITY || is.rlim_cur >= bytes)
        return 0;
    return prlimit(pid, RLIMIT_MEMLOCK, &limit, NULL) < 0 ? -errno : 0;
}

int qemu_confine_add(pid_t pid, const QemuConfine *confine) {
    int r = confine->memlock_max ? raise_memlock(pid, confine->memlock_max) : 0;

    return r < 0 || !confine->private_dev ? r : add_nodes(pid, confine);
}
