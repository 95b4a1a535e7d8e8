/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon's settings: directories and /etc/vireo/vireod.conf. */
#include <ctype.h>
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>

#include "daemon.h"
#include "util/file.h"
#include "util/log.h"
#include "util/path-owner.h"

#define CONFIG_MAX (1u << 20)
#define PARTITION_MAX 200u /* bytes of a directory in a cgroup's name */

/* A private instance keeps to a partition of its own, named after its directory: "/vireo-tmp-v" for
 * /tmp/v. */
static char *private_partition(const char *root) {
    size_t len = strlen(root);
    char *name = strf("/vireo%s%s", *root == '/' ? "" : "-",
                      len > PARTITION_MAX ? root + len - PARTITION_MAX : root);

    for (char *at = name ? name + 1 : NULL; at && *at; at++)
        if (*at == '/' || *at == '\n')
            *at = '-';
    return name;
}

/* The root without links and dots, made if it is missing: two names of one directory are one
 * daemon's, and one name in two working directories is two. */
static int resolve_root(const char *root, char **ret, Error **reterr) {
    CLEANUP_FREE char *here = *root == '/' ? NULL : getcwd(NULL, 0);
    CLEANUP_FREE char *path = *root == '/' ? strdup(root) : here ? path_join(here, root) : NULL;
    int r;

    if (!path)
        return error_no_memory(reterr);
    r = path_check_owner(path, "the root directory", reterr);
    if (r < 0)
        return r;
    r = dir_make(path, 0755);
    if (r < 0)
        return error_system(reterr, FROM_NONE, r, "cannot create directory '%s'", path);
    *ret = realpath(path, NULL);
    if (!*ret)
        return error_system(reterr, FROM_NONE, errno, "cannot look at '%s'", path);
    return path_check_owner(*ret, "the root directory", reterr);
}

/* Where everything is; true unless out of memory. */
static bool set_directories(Config *config) {
    const char *root = config->root;

    config->partition = root ? private_partition(root) : strdup("/machine");
    config->etc = root ? path_join(root, "etc") : strdup("/etc/vireo");
    config->lib = root ? path_join(root, "lib") : strdup("/var/lib/vireo");
    config->run = root ? path_join(root, "run") : strdup("/run/vireo");
    config->log = root ? path_join(root, "log") : strdup("/var/log/vireo");
    if (!config->partition || !config->etc || !config->lib || !config->run || !config->log)
        return false;
    config->socket = path_join(config->run, "vireo-sock");
    config->socket_ro = path_join(config->run, "vireo-sock-ro");
    config->default_pool = path_join(config->lib, "images");
    return config->socket && config->socket_ro && config->default_pool;
}

int config_init(Config *config, const char *root, Error **reterr) {
    *config = (Config){.socket_mode = 0600,
                       .socket_ro_mode = 0666,
                       .log_level = LOG_INFO,
                       .cgroups = true,
                       .scopes = !root,
                       .private_dev = true,
                       .dynamic_ownership = true,
                       .sandbox = true,
                       .audit_level = AUDIT_LEVEL_IF_AVAILABLE};
    int r = root ? resolve_root(root, &config->root, reterr) : 0;

    if (r < 0)
        return r;
    return set_directories(config) ? 0 : error_no_memory(reterr);
}

void config_done(Config *config) {
    free(config->root);
    free(config->etc);
    free(config->lib);
    free(config->run);
    free(config->log);
    free(config->socket);
    free(config->socket_ro);
    free(config->partition);
    free(config->resctrl);
    free(config->default_pool);
    free(config->metrics);
    free(config->user);
    free(config->group);
    *config = (Config){0};
}

static char *trim(char *text) {
    char *end;

    while (isspace((unsigned char)*text))
        text++;
    end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1]))
        *--end = '\0';
    return text;
}

/* Whole unsigned number in [0, max]. */
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

static int parse_level(const char *text, int *ret) {
    static const struct {
        const char *name;
        int level;
    } levels[] = {
        {"error", LOG_ERR}, {"warning", LOG_WARNING}, {"info", LOG_INFO}, {"debug", LOG_DEBUG}};

    for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
        if (streq(text, levels[i].name)) {
            *ret = levels[i].level;
            return 0;
        }
    return -EINVAL;
}

static int parse_yes(const char *text, bool *ret) {
    if (!streq(text, "yes") && !streq(text, "no"))
        return -EINVAL;
    *ret = streq(text, "yes");
    return 0;
}

/* libvirt's numbers: 0, 1 and 2. */
static int parse_audit(const char *text, AuditLevel *ret) {
    unsigned level;

    if (parse_number(text, 10, AUDIT_LEVEL_MAX - 1, &level) < 0)
        return -EINVAL;
    *ret = (AuditLevel)level;
    return 0;
}

static int set_path(char **to, const char *value) {
    char *copy;

    if (*value != '/')
        return -EINVAL;
    copy = strdup(value);
    if (!copy)
        return -ENOMEM;
    free(*to);
    *to = copy;
    return 0;
}

/* A user or group, by name or number. */
static int set_name(char **to, const char *value) {
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

static int set_default_pool(Config *config, const char *value) {
    if (!streq(value, "none"))
        return set_path(&config->default_pool, value);
    free(TAKE_PTR(config->default_pool));
    return 0;
}

/* What QEMU is kept to. */
static int set_confinement(Config *config, const char *key, const char *value) {
    if (streq(key, "user"))
        return set_name(&config->user, value);
    if (streq(key, "group"))
        return set_name(&config->group, value);
    if (streq(key, "private_dev"))
        return parse_yes(value, &config->private_dev);
    if (streq(key, "dynamic_ownership"))
        return parse_yes(value, &config->dynamic_ownership);
    if (streq(key, "sandbox"))
        return parse_yes(value, &config->sandbox);
    if (streq(key, "max_core_mib"))
        return parse_number(value, 10, UINT32_MAX, &config->max_core_mib);
    return -ENOENT;
}

/* A group by its name, or by a number after "+". Its members come to the socket. */
static int set_socket_group(Config *config, const char *value) {
    const struct group *group = *value == '+' ? NULL : getgrnam(value);
    unsigned gid;

    if (*value == '+' ? parse_number(value + 1, 10, UINT32_MAX - 1, &gid) < 0 : !group)
        return -EINVAL;
    config->socket_gid = group ? group->gr_gid : gid;
    config->has_socket_gid = true;
    config->socket_mode |= S_IRGRP | S_IWGRP;
    return 0;
}

/* With polkit anybody may come to the socket: what he may do there is asked. */
static int set_access(Config *config, const char *value) {
    if (!streq(value, "polkit") && !streq(value, "socket"))
        return -EINVAL;
    config->polkit = streq(value, "polkit");
    if (config->polkit)
        config->socket_mode = 0666;
    return 0;
}

static int set(Config *config, const char *key, const char *value) {
    if (streq(key, "socket"))
        return set_path(&config->socket, value);
    if (streq(key, "socket_ro"))
        return set_path(&config->socket_ro, value);
    if (streq(key, "socket_mode"))
        return parse_number(value, 8, 0777, &config->socket_mode);
    if (streq(key, "access"))
        return set_access(config, value);
    if (streq(key, "socket_group"))
        return set_socket_group(config, value);
    if (streq(key, "socket_ro_mode"))
        return parse_number(value, 8, 0777, &config->socket_ro_mode);
    if (streq(key, "unplug_timeout_ms"))
        return parse_number(value, 10, 3600000, &config->unplug_timeout_ms);
    if (streq(key, "partition"))
        return set_path(&config->partition, value);
    if (streq(key, "resctrl"))
        return set_path(&config->resctrl, value);
    if (streq(key, "default_pool"))
        return set_default_pool(config, value);
    if (streq(key, "metrics"))
        return set_name(&config->metrics, value);
    if (streq(key, "cgroups"))
        return parse_yes(value, &config->cgroups);
    if (streq(key, "scopes"))
        return parse_yes(value, &config->scopes);
    if (streq(key, "audit_level"))
        return parse_audit(value, &config->audit_level);
    if (streq(key, "log_level"))
        return parse_level(value, &config->log_level);
    return set_confinement(config, key, value);
}

/* Whoever can write the settings decides what is run as the daemon's user. */
static int check_file(const char *path, Error **reterr) {
    CLEANUP_FREE char *real = realpath(path, NULL);

    if (!real)
        return error_system(reterr, FROM_NONE, errno, "cannot look at '%s'", path);
    return path_check_owner(*path == '/' ? path : real, "the configuration file", reterr);
}

int config_load(Config *config, const char *path, bool must_exist, Error **reterr) {
    CLEANUP_FREE char *text = NULL;
    char *rest, *line;
    unsigned number = 0;
    int r = file_read(path, CONFIG_MAX, &text, NULL);

    if (r == -ENOENT && !must_exist)
        return 0;
    if (r >= 0)
        r = check_file(path, reterr);
    else
        error_system(reterr, FROM_NONE, r, "cannot read the configuration file '%s'", path);
    if (r < 0)
        return r;
    for (rest = text; (line = strsep(&rest, "\n"));) {
        char *key, *value;

        number++;
        key = trim(line);
        if (*key == '\0' || *key == '#')
            continue;
        value = strchr(key, '=');
        if (!value)
            return error_report(reterr, FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
                                "%s:%u: expected \"key = value\"", path, number);
        *value++ = '\0';
        key = trim(key);
        value = trim(value);
        r = set(config, key, value);
        if (r == -ENOENT)
            return error_report(reterr, FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
                                "%s:%u: unknown setting '%s'", path, number, key);
        if (r < 0)
            return error_report(reterr, FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
                                "%s:%u: '%s' is no value for '%s'", path, number, value, key);
    }
    return 0;
}

/* "socket" and the like of two Configs, for a sentence; NULL: they agree. */
static const char *first_fixed_difference(const Config *a, const Config *b) {
    if (a->has_socket_gid != b->has_socket_gid || a->socket_gid != b->socket_gid)
        return "socket_group";
    if (a->polkit != b->polkit)
        return "access";
    if (!streq(a->socket, b->socket) || a->socket_mode != b->socket_mode)
        return "socket";
    if (!streq(a->socket_ro, b->socket_ro) || a->socket_ro_mode != b->socket_ro_mode)
        return "socket_ro";
    if (!streq(a->partition, b->partition))
        return "partition";
    if (!streq_ptr(a->resctrl, b->resctrl))
        return "resctrl";
    if (!streq_ptr(a->user, b->user) || !streq_ptr(a->group, b->group))
        return "user";
    if (!streq_ptr(a->metrics, b->metrics))
        return "metrics";
    if (a->private_dev != b->private_dev || a->sandbox != b->sandbox)
        return a->sandbox != b->sandbox ? "sandbox" : "private_dev";
    if (a->cgroups != b->cgroups)
        return "cgroups";
    return a->scopes != b->scopes ? "scopes" : NULL;
}

void config_take_changed(Config *config, const Config *fresh) {
    const char *fixed = first_fixed_difference(config, fresh);

    if (fixed)
        log_warning("the setting '%s' has changed: it takes effect when vireod is started again",
                    fixed);
    config->unplug_timeout_ms = fresh->unplug_timeout_ms;
    config->audit_level = fresh->audit_level;
    config->log_level = fresh->log_level;
}
