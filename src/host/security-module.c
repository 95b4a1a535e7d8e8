/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/security-module.h"

#include <limits.h>
#include <stdio.h>

#include "util/file.h"

static const struct {
    const char *name, *file, *values; /* it is on when the file begins with one of them */
} modules[] = {
    [SECURITY_SELINUX] = {"SELinux", "fs/selinux/enforce", "01"},
    [SECURITY_APPARMOR] = {"AppArmor", "module/apparmor/parameters/enabled", "Y"},
};

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
