/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <grp.h>
#include <stddef.h>
#include <sys/stat.h>

#include "settings-internal.h"
#include "util/log.h"

/* What stands at a setting's place. */
typedef enum SettingKind {
    SETTING_TEXT,   /* char *, owned, may be NULL */
    SETTING_NUMBER, /* unsigned, or what has its size */
    SETTING_YES,    /* bool */
} SettingKind;

typedef struct Setting {
    const char *name;
    SettingKind kind;
    size_t at; /* in Config */
    int (*set)(const struct Setting *setting, Config *config, const char *value);
    unsigned max; /* of set_number and set_mode */
    bool reloads; /* a daemon that runs takes a new value; no text does */
} Setting;

static_assert(sizeof(AuditLevel) == sizeof(unsigned) && sizeof(int) == sizeof(unsigned) &&
              sizeof(gid_t) == sizeof(unsigned));

static void *place(const Setting *setting, const Config *config) {
    return (char *)config + setting->at;
}

/* ---- values ---- */

/* A whole number up to max. */
static int parse_number(const char *text, int base, unsigned max, unsigned *ret) {
    char *end = NULL;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, base);
    if (errno || end == text || *end || value > max || *text == '-')
        return -EINVAL;
    *ret = value;
    return 0;
}

static int set_number(const Setting *setting, Config *config, const char *value) {
    return parse_number(value, 10, setting->max, place(setting, config));
}

static int set_mode(const Setting *setting, Config *config, const char *value) {
    return parse_number(value, 8, setting->max, place(setting, config));
}

static int set_yes(const Setting *setting, Config *config, const char *value) {
    bool *to = place(setting, config);

    if (!streq(value, "yes") && !streq(value, "no"))
        return -EINVAL;
    *to = streq(value, "yes");
    return 0;
}

static int set_level(const Setting *setting, Config *config, const char *value) {
    static const struct {
        const char *name;
        int level;
    } levels[] = {
        {"error", LOG_ERR}, {"warning", LOG_WARNING}, {"info", LOG_INFO}, {"debug", LOG_DEBUG}};

    for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
        if (streq(value, levels[i].name)) {
            *(int *)place(setting, config) = levels[i].level;
            return 0;
        }
    return -EINVAL;
}

/* A name; any text but none. */
static int set_name(const Setting *setting, Config *config, const char *value) {
    char **to = place(setting, config);
    char *copy;

    if (*value == '\0')
        return -EINVAL;
    copy = strdup(value);
    if (!copy)
        return -ENOMEM;
    free(*to);
    *to = copy;
    return 0;
}

static int set_path(const Setting *setting, Config *config, const char *value) {
    return *value == '/' ? set_name(setting, config, value) : -EINVAL;
}

static int set_path_or_none(const Setting *setting, Config *config, const char *value) {
    char **to = place(setting, config);

    if (!streq(value, "none"))
        return set_path(setting, config, value);
    free(TAKE_PTR(*to));
    return 0;
}

/* A group by its name, or by a number after "+". Its members come to the socket. */
static int set_socket_group(const Setting *setting, Config *config, const char *value) {
    const struct group *group = *value == '+' ? NULL : getgrnam(value);
    unsigned gid;

    if (*value == '+' ? parse_number(value + 1, 10, NO_SOCKET_GROUP - 1, &gid) < 0 : !group)
        return -EINVAL;
    config->socket_gid = group ? group->gr_gid : gid;
    config->socket_mode |= S_IRGRP | S_IWGRP;
    return 0;
}

static int set_port(const Setting *setting, Config *config, const char *value) {
    return streq(value, "0") ? -EINVAL : set_number(setting, config, value);
}

/* libvirt's word for nothing, and our own. */
static int set_tcp_auth(const Setting *setting, Config *config, const char *value) {
    if (!streq(value, "none") && !streq(value, "peer"))
        return -EINVAL;
    config->tcp_anybody = streq(value, "none");
    return 0;
}

/* With polkit anybody may come to the socket: what he may do there is asked. */
static int set_access(const Setting *setting, Config *config, const char *value) {
    if (!streq(value, "polkit") && !streq(value, "socket"))
        return -EINVAL;
    config->polkit = streq(value, "polkit");
    if (config->polkit)
        config->socket_mode = 0666;
    return 0;
}

/* ---- the table ---- */

#define AT(member) offsetof(Config, member)

static const Setting settings[] = {
    {"socket", SETTING_TEXT, AT(socket), set_path},
    {"socket_ro", SETTING_TEXT, AT(socket_ro), set_path},
    {"socket_admin", SETTING_TEXT, AT(socket_admin), set_path},
    {"socket_mode", SETTING_NUMBER, AT(socket_mode), set_mode, 0777},
    {"socket_ro_mode", SETTING_NUMBER, AT(socket_ro_mode), set_mode, 0777},
    {"socket_group", SETTING_NUMBER, AT(socket_gid), set_socket_group},
    {"access", SETTING_YES, AT(polkit), set_access},
    {"listen_tcp", SETTING_YES, AT(listen_tcp), set_yes},
    {"listen_addr", SETTING_TEXT, AT(listen_addr), set_name},
    {"tcp_port", SETTING_NUMBER, AT(tcp_port), set_port, UINT16_MAX},
    {"tcp_auth", SETTING_YES, AT(tcp_anybody), set_tcp_auth},
    {"unplug_timeout_ms", SETTING_NUMBER, AT(unplug_timeout_ms), set_number, 3600000, true},
    {"answer_timeout_ms", SETTING_NUMBER, AT(answer_timeout_ms), set_number, 3600000, true},
    {"postcopy", SETTING_YES, AT(postcopy), set_yes},
    {"partition", SETTING_TEXT, AT(partition), set_path},
    {"cgroups", SETTING_YES, AT(cgroups), set_yes},
    {"scopes", SETTING_YES, AT(scopes), set_yes},
    {"resctrl", SETTING_TEXT, AT(resctrl), set_path},
    {"default_pool", SETTING_TEXT, AT(default_pool), set_path_or_none},
    {"pid_dir", SETTING_TEXT, AT(pid_dir), set_path},
    {"metrics", SETTING_TEXT, AT(metrics), set_name},
    {"user", SETTING_TEXT, AT(user), set_name},
    {"group", SETTING_TEXT, AT(group), set_name},
    {"private_dev", SETTING_YES, AT(private_dev), set_yes},
    {"dynamic_ownership", SETTING_YES, AT(dynamic_ownership), set_yes},
    {"spice_tls", SETTING_YES, AT(spice_tls), set_yes},
    {"spice_tls_x509_cert_dir", SETTING_TEXT, AT(spice_tls_dir), set_path},
    {"security_driver", SETTING_TEXT, AT(security_driver), set_name},
    {"sandbox", SETTING_YES, AT(sandbox), set_yes},
    {"max_core_mib", SETTING_NUMBER, AT(max_core_mib), set_number, UINT32_MAX},
    /* libvirt's numbers: 0, 1 and 2. */
    {"audit_level", SETTING_NUMBER, AT(audit_level), set_number, AUDIT_LEVEL_MAX - 1, true},
    {"log_level", SETTING_NUMBER, AT(log_level), set_level, .reloads = true},
};

int settings_set(Config *config, const char *key, const char *value) {
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        if (streq(key, settings[i].name))
            return settings[i].set(&settings[i], config, value);
    return -ENOENT;
}

static bool is_same(const Setting *setting, const Config *a, const Config *b) {
    const void *left = place(setting, a), *right = place(setting, b);

    if (setting->kind == SETTING_TEXT)
        return streq_ptr(*(char *const *)left, *(char *const *)right);
    return memcmp(left, right, setting->kind == SETTING_YES ? sizeof(bool) : sizeof(unsigned)) == 0;
}

void settings_take(Config *config, const Config *fresh, void (*differs)(const char *name)) {
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        const Setting *setting = &settings[i];

        if (is_same(setting, config, fresh))
            continue;
        if (setting->reloads)
            memcpy(place(setting, config), place(setting, fresh), sizeof(unsigned));
        else
            differs(setting->name);
    }
}

void settings_done(Config *config) {
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        if (settings[i].kind == SETTING_TEXT)
            free(TAKE_PTR(*(char **)place(&settings[i], config)));
}

const char *settings_name(size_t i) {
    return i < ARRAY_SIZE(settings) ? settings[i].name : NULL;
}
