/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of settings: a value is taken or refused whole, what cannot change is named, and the
 * man page describes each row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "settings-internal.h"
#include "util/file.h"

#define CLEANUP_CONFIG CLEANUP(config_done)

static void load_defaults(Config *config) {
    assert_int_equal(config_init(config, NULL, NULL), 0);
    assert_true(config->postcopy);
}

static void test_values(void **state) {
    static const struct {
        const char *key, *value;
        int r;
    } rows[] = {
        {"socket", "/run/s", 0},
        {"socket", "run/s", -EINVAL},
        {"socket", "", -EINVAL},
        {"socket_mode", "0660", 0},
        {"socket_mode", "0888", -EINVAL},
        {"socket_mode", "01000", -EINVAL},
        {"socket_group", "+7", 0},
        {"socket_group", "+4294967295", -EINVAL},
        {"socket_group", "7", -EINVAL},
        {"access", "polkit", 0},
        {"access", "all", -EINVAL},
        {"unplug_timeout_ms", "3600000", 0},
        {"unplug_timeout_ms", "3600001", -EINVAL},
        {"unplug_timeout_ms", "-1", -EINVAL},
        {"unplug_timeout_ms", "1 s", -EINVAL},
        {"answer_timeout_ms", "3600001", -EINVAL},
        {"postcopy", "perhaps", -EINVAL},
        {"cgroups", "yes", 0},
        {"cgroups", "true", -EINVAL},
        {"default_pool", "none", 0},
        {"default_pool", "here", -EINVAL},
        {"user", "+107", 0},
        {"user", "", -EINVAL},
        {"max_core_mib", "4294967295", 0},
        {"max_core_mib", "4294967296", -EINVAL},
        {"audit_level", "2", 0},
        {"audit_level", "3", -EINVAL},
        {"log_level", "debug", 0},
        {"log_level", "loud", -EINVAL},
        {"sockets", "/run/s", -ENOENT},
        {"", "", -ENOENT},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_CONFIG Config config = {0};

        load_defaults(&config);
        print_message("%s = %s\n", rows[i].key, rows[i].value);
        assert_int_equal(settings_set(&config, rows[i].key, rows[i].value), rows[i].r);
    }
}

static void test_refused_values_change_nothing(void **state) {
    CLEANUP_CONFIG Config config = {0};

    load_defaults(&config);
    assert_int_equal(settings_set(&config, "socket", "/run/s"), 0);
    assert_int_equal(settings_set(&config, "socket", "s"), -EINVAL);
    assert_string_equal(config.socket, "/run/s");
    assert_int_equal(settings_set(&config, "unplug_timeout_ms", "20"), 0);
    assert_int_equal(settings_set(&config, "unplug_timeout_ms", "many"), -EINVAL);
    assert_int_equal(config.unplug_timeout_ms, 20);
}

static char differed[256];

static void note(const char *name) {
    strncat(differed, name, sizeof(differed) - strlen(differed) - 1);
    strncat(differed, " ", sizeof(differed) - strlen(differed) - 1);
}

/* Values that are not the defaults. */
static const char *const changed[][2] = {
    {"socket", "/run/s"},
    {"socket_ro", "/run/r"},
    {"socket_admin", "/run/a"},
    {"listen_tcp", "yes"},
    {"listen_addr", "::1"},
    {"tcp_port", "4711"},
    {"tcp_auth", "none"},
    {"socket_mode", "0640"},
    {"socket_ro_mode", "0600"},
    {"partition", "/p"},
    {"cgroups", "no"},
    {"scopes", "no"},
    {"resctrl", "/r"},
    {"default_pool", "none"},
    {"pid_dir", "/run/p"},
    {"metrics", "/m"},
    {"user", "+1"},
    {"group", "+1"},
    {"private_dev", "no"},
    {"dynamic_ownership", "no"},
    {"spice_tls", "yes"},
    {"spice_tls_x509_cert_dir", "/x"},
    {"security_driver", "none"},
    {"sandbox", "no"},
    {"max_core_mib", "1"},
    {"access", "polkit"},
    {"socket_group", "+1"},
    {"unplug_timeout_ms", "7"},
    {"answer_timeout_ms", "7"},
    {"postcopy", "no"},
    {"audit_level", "0"},
    {"log_level", "debug"},
};

/* Of each setting it is known whether it changes: it is taken, or it is named. */
static void test_new_settings(void **state) {
    for (size_t i = 0; settings_name(i); i++) {
        CLEANUP_CONFIG Config config = {0}, fresh = {0};
        const char *value = NULL;
        Config before;

        for (size_t at = 0; at < ARRAY_SIZE(changed); at++)
            if (streq(changed[at][0], settings_name(i)))
                value = changed[at][1];
        print_message("%s\n", settings_name(i));
        assert_non_null(value);
        load_defaults(&config);
        load_defaults(&fresh);
        assert_int_equal(settings_set(&fresh, settings_name(i), value), 0);
        before = config;
        *differed = '\0';
        settings_take(&config, &fresh, note);
        if (memcmp(&before, &config, sizeof(config)) == 0)
            assert_non_null(strstr(differed, settings_name(i)));
        else
            assert_string_equal(differed, "");
        *differed = '\0';
        settings_take(&config, &config, note);
        assert_string_equal(differed, "");
    }
}

/* True when a paragraph's head names it: ".B socket, socket_ro" or ".B user\fR, \fBgroup". */
static bool is_described(const char *page, const char *name) {
    for (const char *line = page; (line = strstr(line, "\n.B ")); line++) {
        CLEANUP_FREE char *head = strndup(line + 4, strcspn(line + 4, "\n"));

        for (char *rest = head, *word; (word = strsep(&rest, " ,"));) {
            if (strncmp(word, "\\fB", 3) == 0)
                word += 3;
            word[strcspn(word, "\\")] = '\0';
            if (streq(word, name))
                return true;
        }
    }
    return false;
}

static void test_man_page(void **state) {
    CLEANUP_FREE char *page = NULL;

    assert_int_equal(file_read(MAN_PAGE, 1u << 20, &page, NULL), 0);
    for (size_t i = 0; settings_name(i); i++) {
        print_message("%s\n", settings_name(i));
        assert_true(is_described(page, settings_name(i)));
    }
    assert_false(is_described(page, "socket_r"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_refused_values_change_nothing),
        cmocka_unit_test(test_new_settings),
        cmocka_unit_test(test_man_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
