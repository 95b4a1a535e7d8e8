/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/apparmor.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "util/child.h"
#include "util/directory.h"
#include "util/file.h"
#include "util/text.h"
#include "util/worker.h"
#include "util/fiber.h"

#define LOAD_USEC (10 * USEC_PER_SEC)  /* who waits for a domain gives up after 30 s */
#define PROFILES_MAX ((size_t)4 << 20) /* bytes of the kernel's list */
#define TEXT_MAX ((size_t)4 << 20)     /* bytes of a profile */
#define INTERFACE "kernel/security/apparmor"

/* ---- rules ---- */

void apparmor_rules_done(AppArmorRules *rules) {
    for (size_t i = 0; i < rules->n; i++)
        free(rules->items[i].path);
    free(rules->items);
    *rules = (AppArmorRules){0};
}

int apparmor_rules_add(AppArmorRules *rules, const char *path, unsigned access) {
    AppArmorRule *items;
    char *copy;

    if (!path || *path != '/')
        return 0;
    for (size_t i = 0; i < rules->n; i++)
        if (streq(rules->items[i].path, path)) {
            rules->items[i].access |= access;
            return 0;
        }
    copy = strdup(path);
    items = copy ? reallocarray(rules->items, rules->n + 1, sizeof(AppArmorRule)) : NULL;
    if (!items) {
        free(copy);
        return -ENOMEM;
    }
    rules->items = items;
    items[rules->n++] = (AppArmorRule){.path = copy, .access = access};
    return 0;
}

/* The way to a file that is to be made. */
static char *resolve_directory(const char *path) {
    CLEANUP_FREE char *directory = strdup(path), *real = NULL;
    char *slash = directory ? strrchr(directory, '/') : NULL;

    if (!slash || slash == directory)
        return NULL;
    *slash = '\0';
    real = realpath(directory, NULL);
    return real ? path_join(real, slash + 1) : NULL;
}

int apparmor_rules_resolve(AppArmorRules *rules) {
    const size_t n = rules->n;
    int r = 0;

    for (size_t i = 0; r >= 0 && i < n; i++) {
        CLEANUP_FREE char *real = realpath(rules->items[i].path, NULL);

        if (!real)
            real = resolve_directory(rules->items[i].path);
        r = apparmor_rules_add(rules, real, rules->items[i].access);
    }
    return r;
}

/* ---- text ---- */

/* What any QEMU opens, whatever its machine: its program and libraries, its firmware, what the host
 * says of itself, names of hosts. A signal comes from anybody whom the kernel lets: the daemon may
 * have a profile, too. `include if exists` is the administrator's own.
 *
 * AppArmor 3.0 has no pattern for the process itself (its @{pid} is any number): of other processes
 * of QEMU's user it can read what is named here, but not their command lines; their maps are behind
 * ptrace, which is not let. */
static const char common[] = "  include if exists <local/vireo-qemu>\n"
                             "  network inet,\n"
                             "  network inet6,\n"
                             "  network unix,\n"
                             "  network netlink raw,\n"
                             "  network vsock,\n"
                             "  capability dac_override,\n"
                             "  capability dac_read_search,\n"
                             "  signal (receive),\n"
                             "  ptrace (readby, tracedby),\n"
                             "  /{,usr/}lib{,32,64}/** rm,\n"
                             "  /usr/share/** r,\n"
                             "  /etc/{ld.so.cache,localtime,passwd,group,nsswitch.conf} r,\n"
                             "  /etc/{hosts,host.conf,resolv.conf,gai.conf,services} r,\n"
                             "  /etc/{ssl,pki,crypto-policies,gnutls,ceph,sasl2}/** r,\n"
                             "  /run/{systemd/resolve,udev/data}/** r,\n"
                             "  owner /proc/[0-9]*/{auxv,fd/,maps,mountinfo,mounts,smaps,stat,"
                             "statm,status,task/} r,\n"
                             "  owner /proc/[0-9]*/task/[0-9]*/comm w,\n"
                             "  /proc/{cpuinfo,meminfo,stat,filesystems} r,\n"
                             "  /proc/sys/** r,\n"
                             "  /sys/{bus,class,devices,module}/** r,\n"
                             "  /sys/kernel/mm/** r,\n";

/* What has a meaning in a pattern is itself behind a backslash. A backslash in front of the closing
 * quote would take that, too, however many there are: it is the one member of a set. */
static void write_path(FILE *out, const char *path, size_t len, bool quote_follows) {
    for (size_t i = 0; i < len; i++, path++) {
        if (*path == '\\' && i + 1 == len && quote_follows) {
            fputs("[\\\\]", out);
            continue;
        }
        if (strchr("*?[]{}^\"\\", *path))
            fputc('\\', out);
        fputc(*path, out);
    }
}

static void write_rule(FILE *out, const AppArmorRule *rule) {
    const bool tree = rule->access & APPARMOR_TREE;
    size_t len = strlen(rule->path);

    while (tree && len > 0 && rule->path[len - 1] == '/')
        len--; /* two slashes in a row match nothing */
    fputs("  \"", out);
    write_path(out, rule->path, len, !tree);
    fprintf(out, "%s\" %s%s%s%s,\n", tree ? "/{,**}" : "", rule->access & APPARMOR_READ ? "r" : "",
            rule->access & APPARMOR_WRITE ? "w" : "", rule->access & APPARMOR_LOCK ? "k" : "",
            rule->access & APPARMOR_MAP ? "m" : "");
}

static bool can_be_named(const char *path) {
    for (; *path; path++)
        if ((unsigned char)*path < ' ' || *path == 0x7f)
            return false;
    return true;
}

int apparmor_profile(const char *name, const AppArmorRules *rules, char **ret, Error **reterr) {
    CLEANUP_FREE char *text = NULL;
    FILE *out;

    for (size_t i = 0; i < rules->n; i++)
        if (!can_be_named(rules->items[i].path))
            return error_report(reterr, FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
                                "a profile of AppArmor cannot name '%s': it has a control "
                                "character; rename the file",
                                rules->items[i].path);
    out = text_open(&text);
    if (!out)
        return error_no_memory(reterr);
    fprintf(out,
            "profile %s flags=(attach_disconnected) {\n%s"
            "  signal (send) peer=%s,\n",
            name, common, name);
    if (rules->terminals)
        fputs("  owner /dev/pts/[0-9]* rw,\n", out);
    for (size_t i = 0; i < rules->n; i++)
        write_rule(out, &rules->items[i]);
    fputs("}\n", out);
    if (fclose(out) != 0)
        return error_no_memory(reterr);
    *ret = TAKE_PTR(text);
    return 0;
}

/* ---- the kernel ---- */

typedef struct Loaded {
    const char *path, *text;
} Loaded;

/* Whether that is what was loaded last, and still is. A file of that name is there only while it
 * is what the kernel has: it goes before another one is loaded, and the next one gets the name once
 * it is in the kernel. Whatever ends a load in between leaves none, and the next load is done. */
static int run_is_loaded(void *arg) {
    const Loaded *loaded = arg;
    const char *name = strrchr(loaded->path, '/');
    CLEANUP_FREE char *text = NULL;

    return name && file_read(loaded->path, TEXT_MAX, &text, NULL) >= 0 &&
           streq(text, loaded->text) && apparmor_has(NULL, name + 1);
}

typedef struct Rename {
    const char *from, *to;
} Rename;

static int run_rename(void *arg) {
    const Rename *names = arg;

    return rename(names->from, names->to) < 0 ? -errno : 0;
}

int apparmor_load(const char *path, const char *text, Error **reterr) {
    CLEANUP_FREE char *loading = strf("%s" APPARMOR_LOADING, path);
    const char *const argv[] = {"apparmor_parser", "--replace", "--skip-cache", loading, NULL};
    int r;

    if (!loading)
        return error_no_memory(reterr);
    if (worker_run(run_is_loaded, &(Loaded){path, text}))
        return 0;
    r = file_remove_worker(path);
    if (r >= 0 || r == -ENOENT)
        r = file_write_atomic_worker(loading, text, strlen(text), 0600);
    if (r < 0)
        return error_system(reterr, FROM_NONE, r, "cannot write '%s'", loading);
    r = child_run_checked(argv, deadline_in(LOAD_USEC), "apparmor",
                          "its profile of AppArmor cannot be loaded", NULL, reterr);
    if (r < 0)
        return r;
    r = worker_run(run_rename, &(Rename){loading, path});
    return r < 0 ? error_system(reterr, FROM_NONE, r, "cannot rename '%s'", loading) : 0;
}

int apparmor_remove(const char *sysfs, const char *name) {
    CLEANUP_FREE char *path = path_join(sysfs ? sysfs : "/sys", INTERFACE "/.remove");
    CLEANUP_CLOSE int fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;
    ssize_t n;

    if (!path)
        return -ENOMEM;
    if (fd < 0)
        return -errno;
    n = write(fd, name, strlen(name));
    return n >= 0 || errno == ENOENT ? 0 : -errno;
}

bool apparmor_has(const char *sysfs, const char *name) {
    CLEANUP_FREE char *path = path_join(sysfs ? sysfs : "/sys", INTERFACE "/profiles");
    CLEANUP_FREE char *text = NULL;
    const size_t len = strlen(name);

    if (!path || file_read(path, PROFILES_MAX, &text, NULL) < 0)
        return false;
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0 && strncmp(line + len, " (", 2) == 0)
            return true;
    }
    return false;
}
