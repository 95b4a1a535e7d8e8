/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Confining the calling process, in the order in which each step still may be done. */
#include "qemu/confine.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DEV_OPTIONS "mode=755,size=1m"
#define PATH_BYTES 512u /* of a node below /dev */

const char *qemu_confine_step_text(QemuConfineStep step) {
    static const char *const texts[CONFINE_STEP_MAX_] = {
        [CONFINE_LIMITS] = "cannot set its limits",
        [CONFINE_LABEL] = "cannot give it its security label",
        [CONFINE_MOUNT] = "cannot give it a mount namespace",
        [CONFINE_DEV] = "cannot make a /dev for it",
        [CONFINE_CAPABILITIES] = "cannot take its capabilities away",
        [CONFINE_USER] = "cannot change its user",
        [CONFINE_NO_NEW_PRIVS] = "cannot forbid it to gain privileges",
    };

    return step < CONFINE_STEP_MAX_ ? texts[step] : "cannot confine it";
}

/* ---- limits ---- */

/* A soft limit, and a hard one where that is lower than what there is: raising needs a privilege
 * that the daemon may not have. */
static int set_limit(int resource, rlim_t value) {
    struct rlimit limit;

    if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
        return -errno;
    limit.rlim_cur = value;
    if (value > limit.rlim_max || resource == RLIMIT_CORE)
        limit.rlim_max = value;
    return setrlimit((__rlimit_resource_t)resource, &limit) < 0 ? -errno : 0;
}

static int set_limits(const QemuConfine *confine) {
    struct rlimit core;
    int r = 0;

    if (getrlimit(RLIMIT_CORE, &core) < 0)
        return -errno;
    if (confine->core_max < core.rlim_max)
        r = set_limit(RLIMIT_CORE, confine->core_max);
    if (r >= 0 && confine->memlock_max)
        r = set_limit(RLIMIT_MEMLOCK, confine->memlock_max);
    return r;
}

/* ---- label ---- */

/* Who is unconfined may also take a profile with no_new_privs set; who is not has to ask before
 * (Linux's security/apparmor/domain.c). Its own capabilities may be looked at, too. */
static int set_label(const QemuLabel *label) {
    int fd = open(label->attributes[0], O_WRONLY | O_CLOEXEC), r = 0;

    if (fd < 0)
        fd = open(label->attributes[1], O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (write(fd, label->text, strlen(label->text)) < 0)
        r = -errno;
    close(fd);
    return r;
}

/* ---- /dev ---- */

/* What is mounted below /dev and goes on to be there. */
static const char *const kept[] = {"/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/hugepages"};

static int open_mount(const char *path) {
    return (int)syscall(SYS_open_tree, AT_FDCWD, path,
                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
}

static int put_mount(int fd, const char *path) {
    if (mkdir(path, 0755) < 0 ||
        syscall(SYS_move_mount, fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return -errno;
    return 0;
}

/* The directories on the way to a node. */
static int make_way(const char *path) {
    char way[PATH_BYTES];
    size_t len = strlen(path);

    if (len >= sizeof(way))
        return -ENAMETOOLONG;
    memcpy(way, path, len + 1);
    for (char *at = way + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (mkdir(way, 0755) < 0 && errno != EEXIST)
            return -errno;
        *at = '/';
    }
    return 0;
}

static int make_node(const QemuConfine *confine, const QemuNode *node) {
    int r = make_way(node->path);

    if (r < 0)
        return r;
    if (mknod(node->path, node->mode, node->rdev) < 0)
        return errno == EEXIST ? 0 : -errno;
    if (node->label) /* a file system without labels needs none */
        (void)!lsetxattr(node->path, "security.selinux", node->label, strlen(node->label) + 1, 0);
    if (chmod(node->path, node->mode & 07777) < 0 ||
        (node->given && confine->has_user && lchown(node->path, confine->uid, confine->gid) < 0))
        return -errno;
    return 0;
}

static int make_links(void) {
    static const struct {
        const char *to, *path;
    } links[] = {{"/proc/self/fd", "/dev/fd"},
                 {"/proc/self/fd/0", "/dev/stdin"},
                 {"/proc/self/fd/1", "/dev/stdout"},
                 {"/proc/self/fd/2", "/dev/stderr"}};

    for (size_t i = 0; i < ARRAY_SIZE(links); i++)
        if (symlink(links[i].to, links[i].path) < 0)
            return -errno;
    return 0;
}

static int fill_dev(const QemuConfine *confine, const int mounts[ARRAY_SIZE(kept)]) {
    int r = make_links();

    for (size_t i = 0; i < ARRAY_SIZE(kept) && r >= 0; i++)
        if (mounts[i] >= 0)
            r = put_mount(mounts[i], kept[i]);
    for (size_t i = 0; i < confine->n_nodes && r >= 0; i++)
        r = make_node(confine, &confine->nodes[i]);
    return r;
}

/* The host's mounts go on to appear; what is mounted here is seen by nobody else. */
static int make_namespace(void) {
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return -errno;
    return 0;
}

static int make_dev(const QemuConfine *confine) {
    int mounts[ARRAY_SIZE(kept)], r;

    for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
        mounts[i] = open_mount(kept[i]); /* negative: there is none */
    r = mount("vireo", "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, DEV_OPTIONS) < 0
            ? -errno
            : fill_dev(confine, mounts);
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
        if (mounts[i] >= 0)
            close(mounts[i]);
    return r;
}

/* ---- who it is ---- */

/* A QEMU that stays root opens images that are other people's, as it does without a daemon: their
 * owners are only changed for a user of its own. */
static bool is_kept(const QemuConfine *confine, int cap) {
    return !confine->has_user && geteuid() == 0 && cap == CAP_DAC_OVERRIDE;
}

/* What an exec could gain. */
static int drop_bounding_set(const QemuConfine *confine) {
    for (int cap = 0; cap < 64; cap++)
        if (!is_kept(confine, cap) && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 &&
            prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            return errno == EPERM ? 0 : -errno; /* no_new_privs and the empty sets remain */
    return 0;
}

static int drop_capabilities(const QemuConfine *confine) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct left[2] = {{0}};

    if (is_kept(confine, CAP_DAC_OVERRIDE))
        left[0].effective = left[0].permitted = 1u << CAP_DAC_OVERRIDE;
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &header, left) < 0 ? -errno : 0;
}

static int change_user(const QemuConfine *confine) {
    if (!confine->has_user)
        return 0;
    /* the process has one thread: the kernel's own calls do */
    if (syscall(SYS_setgroups, confine->n_groups, confine->groups) < 0 ||
        syscall(SYS_setresgid, confine->gid, confine->gid, confine->gid) < 0 ||
        syscall(SYS_setresuid, confine->uid, confine->uid, confine->uid) < 0)
        return -errno;
    return 0;
}

int qemu_confine_self(const QemuConfine *confine, QemuConfineStep *ret_step) {
    int r;

    *ret_step = CONFINE_LIMITS;
    r = set_limits(confine);
    if (r >= 0 && confine->label.text) {
        *ret_step = CONFINE_LABEL;
        r = set_label(&confine->label);
    }
    if (r >= 0 && confine->private_dev) {
        *ret_step = CONFINE_MOUNT;
        r = make_namespace();
    }
    if (r >= 0 && confine->private_dev) {
        *ret_step = CONFINE_DEV;
        r = make_dev(confine);
    }
    if (r >= 0) {
        *ret_step = CONFINE_CAPABILITIES;
        r = drop_bounding_set(confine);
    }
    if (r >= 0) {
        *ret_step = CONFINE_USER;
        r = change_user(confine);
    }
    if (r >= 0) {
        *ret_step = CONFINE_CAPABILITIES;
        r = drop_capabilities(confine);
    }
    if (r >= 0 && !confine->leaves_privs) {
        *ret_step = CONFINE_NO_NEW_PRIVS;
        r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
    }
    return r;
}

/* ---- trying ---- */

int qemu_confine_try(const QemuConfine *confine, QemuConfineStep *ret_step) {
    struct {
        int error;
        QemuConfineStep step;
    } report = {0};
    int channel[2], r = 0;
    ssize_t n;
    pid_t pid;

    if (pipe2(channel, O_CLOEXEC) < 0)
        return -errno;
    pid = fork();
    if (pid == 0) {
        report.error = qemu_confine_self(confine, &report.step);
        _exit(write(channel[1], &report, sizeof(report)) < 0);
    }
    close(channel[1]);
    if (pid < 0)
        r = -EAGAIN;
    n = read(channel[0], &report, sizeof(report));
    close(channel[0]);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    if (r >= 0)
        r = n == sizeof(report) ? report.error : -EIO;
    *ret_step = report.step;
    return r;
}
