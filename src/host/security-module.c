/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/security-module.h"

#include <limits.h>
#include <stdio.h>

#include "util/file.h"

#define LABEL_MAX 4096 /* bytes; libvirt's limit, too */

static const struct {
    const char *name, *file, *values; /* it is on when the file begins with one of them */
} modules[] = {
    [SECURITY_SELINUX] = {"SELinux", "fs/selinux/enforce", "01"},
    [SECURITY_APPARMOR] = {"AppArmor", "module/apparmor/parameters/enabled", "Y"},
};

/* A process's own directory for the module, else the one that they share. */
static int read_attribute(const char *own, pid_t pid, char *text, size_t size) {
    char path[PATH_MAX];
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%d/attr/%scurrent", (int)pid, own);
    n = file_read_once(path, text, size);
    if (n < 0 && *own)
        return read_attribute("", pid, text, size);
    return n < 0 ? (int)n : 0;
}

/* "NAME (enforce)", "unconfined" */
static bool split_mode(char *text) {
    char *mode = strstr(text, " (");
    const bool enforced = mode && strncmp(mode, " (enforce)", 10) == 0;

    if (mode)
        *mode = '\0';
    text[strcspn(text, "\n")] = '\0';
    return enforced;
}

static bool selinux_enforces(void) {
    char text[8];

    return file_read_once("/sys/fs/selinux/enforce", text, sizeof(text)) > 0 && *text == '1';
}

int security_module_label(SecurityModule module, pid_t pid, char **ret, bool *ret_enforced) {
    char text[LABEL_MAX];
    int r = read_attribute(module == SECURITY_APPARMOR ? "apparmor/" : "", pid, text, sizeof(text));

    if (r < 0)
        return r;
    *ret_enforced = module == SECURITY_APPARMOR ? split_mode(text) : selinux_enforces();
    *ret = *text && !streq(text, "unconfined") ? strdup(text) : NULL;
    return *text && !streq(text, "unconfined") && !*ret ? -ENOMEM : 0;
}

const char *security_module_name(SecurityModule module) {
    assert(module < SECURITY_MAX_);
    return modules[module].name;
}

bool security_module_is_on(const char *sysfs, SecurityModule module) {
    char path[PATH_MAX], text[16];

    assert(module < SECURITY_MAX_);
    snprintf(path, sizeof(path), "%s/%s", sysfs ? sysfs : "/sys", modules[module].file);
    return file_read_once(path, text, sizeof(text)) > 0 && strchr(modules[module].values, *text);
}
