/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon's settings: directories and /etc/vireo/vireod.conf. */
#include <ctype.h>
#include <stdio.h>

#include "rpc/client-address.h"
#include "settings.h"
#include "util/file.h"
#include "util/log.h"
#include "util/path-owner.h"

#define SPICE_TLS_DIRECTORY "/etc/pki/libvirt-spice" /* where people have them already */
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
    config->socket_admin = path_join(config->run, "vireo-admin-sock");
    config->listen_addr = strdup("127.0.0.1");
    config->security_driver = strdup("auto");
    config->spice_tls_dir = strdup(SPICE_TLS_DIRECTORY);
    config->default_pool = path_join(config->lib, "images");
    return config->socket && config->socket_ro && config->socket_admin && config->listen_addr &&
           config->security_driver && config->spice_tls_dir && config->default_pool;
}

int config_init(Config *config, const char *root, Error **reterr) {
    *config = (Config){.socket_mode = 0600,
                       .socket_ro_mode = 0666,
                       .tcp_port = RPC_TCP_PORT,
                       .socket_gid = NO_SOCKET_GROUP,
                       .log_level = LOG_INFO,
                       .cgroups = true,
                       .scopes = !root,
                       .private_dev = true,
                       .dynamic_ownership = true,
                       .sandbox = true,
                       .postcopy = true,
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
    settings_done(config);
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
        r = settings_set(config, key, value);
        if (r == -ENOENT)
            return error_report(reterr, FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
                                "%s:%u: unknown setting '%s'", path, number, key);
        if (r < 0)
            return error_report(reterr, FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
                                "%s:%u: '%s' is no value for '%s'", path, number, value, key);
    }
    return 0;
}

static void warn_of_fixed(const char *name) {
    log_warning("the setting '%s' has changed: it takes effect when vireod is started again", name);
}

void config_take_changed(Config *config, const Config *fresh) {
    settings_take(config, fresh, warn_of_fixed);
}
