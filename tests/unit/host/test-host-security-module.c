/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hosts with and without SELinux and AppArmor, as directories in the place of /sys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "host/security-module.h"
#include "util/file.h"

static char sysfs[] = "/tmp/vireo-sysfs-XXXXXX";

static void put(const char *dir, const char *name, const char *text) {
    CLEANUP_FREE char *path = strf("%s/%s", sysfs, dir), *file = strf("%s/%s/%s", sysfs, dir, name);

    assert_int_equal(dir_make(path, 0700), 0);
    assert_int_equal(file_write_atomic(file, text, strlen(text), 0600), 0);
}

static void check(bool selinux, bool apparmor) {
    assert_int_equal(security_module_is_on(sysfs, SECURITY_SELINUX), selinux);
    assert_int_equal(security_module_is_on(sysfs, SECURITY_APPARMOR), apparmor);
}

static void test_hosts(void **state) {
    static const char apparmor[] = "module/apparmor/parameters";

    check(false, false); /* a kernel without either */
    put(apparmor, "enabled", "N\n");
    check(false, false);
    put(apparmor, "enabled", "Y\n");
    check(false, true);
    put("fs/selinux", "enforce", "0");
    check(true, true);
    put("fs/selinux", "enforce", "1");
    put(apparmor, "enabled", "");
    check(true, false);
}

static int make(void **state) {
    return mkdtemp(sysfs) ? 0 : -1;
}

static int clean(void **state) {
    static const char *const names[] = {"module/apparmor/parameters/enabled",
                                        "module/apparmor/parameters",
                                        "module/apparmor",
                                        "module",
                                        "fs/selinux/enforce",
                                        "fs/selinux",
                                        "fs",
                                        ""};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        CLEANUP_FREE char *path = strf("%s/%s", sysfs, names[i]);

        if (unlink(path) < 0)
            rmdir(path);
    }
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_hosts, make, clean)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
