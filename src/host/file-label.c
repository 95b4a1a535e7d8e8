/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/file-label.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "host/file-owner.h"
#include "util/file.h"

#define LABEL "security.selinux"
#define MARK "trusted.vireo.label"
#define LABEL_SIZE 4096u
#define MARK_SIZE (LABEL_SIZE + 64u)
#define BOOT_SIZE 37u

/* A file that is open with O_PATH, as a path for the calls that take one. */
typedef struct Pinned {
    int fd;
    char path[40];
    struct stat info;
} Pinned;

static void pinned_done(Pinned *pinned) {
    if (pinned->fd >= 0)
        close(pinned->fd);
}

static int pin(const char *path, Pinned *ret, Error **reterr) {
    *ret = (Pinned){.fd = file_owner_pin(path, reterr)};
    if (ret->fd < 0)
        return ret->fd;
    snprintf(ret->path, sizeof(ret->path), "/proc/self/fd/%d", ret->fd);
    if (fstat(ret->fd, &ret->info) < 0)
        return error_system(reterr, FROM_NONE, errno, "cannot look at '%s'", path);
    return 0;
}

/* NUL-terminated; "" for none. -errno. */
static int read_label(const Pinned *pinned, char text[LABEL_SIZE]) {
    ssize_t n = getxattr(pinned->path, LABEL, text, LABEL_SIZE - 1);

    if (n < 0 && errno != ENODATA)
        return -errno;
    text[MAX_OF(n, 0)] = '\0';
    return 0;
}

static int write_label(const Pinned *pinned, const char *label) {
    int r = label ? setxattr(pinned->path, LABEL, label, strlen(label) + 1, 0)
                  : removexattr(pinned->path, LABEL);

    return r < 0 && errno != ENODATA ? -errno : 0;
}

/* ---- the mark ---- */

typedef struct Mark {
    unsigned count;
    char label[LABEL_SIZE]; /* "" for none */
} Mark;

/* What an earlier boot gave nobody has any more. */
static void boot_id(char text[BOOT_SIZE]) {
    *text = '\0';
    file_read_once("/proc/sys/kernel/random/boot_id", text, BOOT_SIZE);
}

/* count 0: there is none. */
static void read_mark(const Pinned *pinned, Mark *ret) {
    char text[MARK_SIZE], boot[BOOT_SIZE] = "", now[BOOT_SIZE];
    ssize_t n = getxattr(pinned->path, MARK, text, sizeof(text) - 1);
    int label = 0;

    ret->count = 0;
    *ret->label = '\0';
    if (n < 0)
        return;
    text[n] = '\0';
    if (sscanf(text, "%u %36s %n", &ret->count, boot, &label) < 2 || !label)
        ret->count = 0;
    else
        snprintf(ret->label, sizeof(ret->label), "%s", text + label);
    boot_id(now);
    if (!streq(boot, now))
        ret->count = 0;
}

static void write_mark(const Pinned *pinned, const Mark *mark) {
    char text[MARK_SIZE], boot[BOOT_SIZE];
    int n;

    boot_id(boot);
    n = snprintf(text, sizeof(text), "%u %s %s", mark->count, boot, mark->label);
    if (mark->count)
        (void)!setxattr(pinned->path, MARK, text, (size_t)n, 0);
    else
        (void)!removexattr(pinned->path, MARK);
}

/* ---- the verbs ---- */

int file_label_look(const char *path, FileLabelled *ret, Error **reterr) {
    CLEANUP(pinned_done) Pinned pinned = {.fd = -1};
    char label[LABEL_SIZE];
    Mark mark;
    int r = pin(path, &pinned, reterr);

    if (r < 0)
        return r;
    r = read_label(&pinned, label);
    if (r == -EOPNOTSUPP)
        return 0;
    if (r < 0)
        return error_system(reterr, FROM_NONE, r, "cannot read the label of '%s'", path);
    read_mark(&pinned, &mark);
    *ret = (FileLabelled){.dev = pinned.info.st_dev, .ino = pinned.info.st_ino};
    if (mark.count)
        snprintf(label, sizeof(label), "%s", mark.label);
    ret->label = *label ? strdup(label) : NULL;
    return *label && !ret->label ? error_no_memory(reterr) : 1;
}

static bool is_found(const Pinned *pinned, const FileLabelled *found) {
    return pinned->info.st_dev == found->dev && pinned->info.st_ino == found->ino;
}

/* The file that was found, and no other that has its name by now. */
static int pin_found(const char *path, const FileLabelled *found, Pinned *ret, Error **reterr) {
    int r = pin(path, ret, reterr);

    if (r < 0)
        return r;
    return is_found(ret, found)
               ? 0
               : error_report(reterr, FROM_NONE, ERROR_OPERATION_DENIED,
                              "'%s' gets no label: it was replaced meanwhile", path);
}

static int report_not_given(const char *path, const char *label, int r, Error **reterr) {
    return r < 0
               ? error_system(reterr, FROM_NONE, r, "cannot give '%s' the label '%s'", path, label)
               : 0;
}

int file_label_give(const char *path, const char *label, const FileLabelled *found,
                    Error **reterr) {
    CLEANUP(pinned_done) Pinned pinned = {.fd = -1};
    char current[LABEL_SIZE];
    Mark mark;
    int r = pin_found(path, found, &pinned, reterr);

    if (r < 0)
        return r;
    read_mark(&pinned, &mark);
    r = read_label(&pinned, current);
    if (r >= 0 && mark.count && !streq(current, label))
        return error_report(reterr, FROM_NONE, ERROR_OPERATION_INVALID,
                            "'%s' is in use with the label '%s' and cannot have '%s'; a disk of "
                            "several guests has to be <shareable/> or <readonly/> in all of them",
                            path, current, label);
    if (r >= 0) {
        if (!mark.count)
            snprintf(mark.label, sizeof(mark.label), "%s", found->label ? found->label : "");
        mark.count++;
        write_mark(&pinned, &mark);
        r = write_label(&pinned, label);
    }
    return report_not_given(path, label, r, reterr);
}

int file_label_change(const char *path, const char *label, const FileLabelled *found,
                      Error **reterr) {
    CLEANUP(pinned_done) Pinned pinned = {.fd = -1};
    char current[LABEL_SIZE];
    Mark mark;
    int r = pin_found(path, found, &pinned, reterr);

    if (r < 0)
        return r;
    read_mark(&pinned, &mark);
    r = read_label(&pinned, current);
    if (r >= 0 && streq(current, label))
        return 0;
    if (r >= 0 && mark.count > 1)
        return error_report(reterr, FROM_NONE, ERROR_OPERATION_INVALID,
                            "'%s' is in use by several guests with the label '%s' and cannot have "
                            "'%s': end the others, or detach it from them",
                            path, current, label);
    if (r >= 0)
        r = write_label(&pinned, label);
    return report_not_given(path, label, r, reterr);
}

int file_label_take_back(const char *path, const char *label, const FileLabelled *found) {
    CLEANUP(pinned_done) Pinned pinned = {.fd = -1};
    char current[LABEL_SIZE];
    Mark mark;
    int r = pin(path, &pinned, NULL);

    if (r < 0)
        return r == -ENOMEM ? r : 0;
    if (!is_found(&pinned, found))
        return 0;
    read_mark(&pinned, &mark);
    if (!mark.count) {
        mark.count = 1;
        snprintf(mark.label, sizeof(mark.label), "%s", found->label ? found->label : "");
    }
    mark.count--;
    write_mark(&pinned, &mark);
    if (mark.count > 0 || read_label(&pinned, current) < 0 || !streq(current, label))
        return 0;
    return write_label(&pinned, *mark.label ? mark.label : NULL);
}
