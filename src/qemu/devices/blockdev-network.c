/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sources that are reached by a network: a driver of QEMU's each. */
#include "qemu/devices/blockdev-internal.h"

#include "util/json.h"

static json_object *inet_address(const StorageHost *host, const char *default_port, bool tagged) {
    Props props = props_new();

    if (host->socket) {
        props_text(&props, "type", "unix");
        props_text(&props, "path", host->socket);
        return props_take(&props);
    }
    if (tagged)
        props_text(&props, "type", "inet");
    props_text(&props, "host", host->name);
    props_text(&props, "port", host->port ? host->port : default_port);
    return props_take(&props);
}

static int nbd(const DeviceContext *context, const StorageSource *source, Props *node,
               Error **reterr) {
    if (source->n_hosts != 1)
        return device_refuse(context, reterr, "an nbd disk has one <host>, not %zu",
                             source->n_hosts);
    props_text(node, "driver", "nbd");
    props_add(node, "server", inet_address(&source->hosts[0], "10809", true));
    props_text(node, "export", source->path);
    return 0;
}

static int url(const DeviceContext *context, const StorageSource *source, Props *node,
               Error **reterr) {
    const StorageHost *host = source->hosts;

    if (source->n_hosts != 1)
        return device_refuse(context, reterr, "a disk of protocol '%s' has one <host>, not %zu",
                             source->protocol, source->n_hosts);
    props_text(node, "driver", source->protocol);
    props_textf(node, "url", "%s://%s%s%s/%s%s%s", source->protocol, host->name,
                host->port ? ":" : "", host->port ? host->port : "",
                source->path ? source->path + (*source->path == '/') : "", source->query ? "?" : "",
                source->query ? source->query : "");
    props_tristate(node, "sslverify", source->ssl_verify);
    if (source->readahead)
        props_uint(node, "readahead", source->readahead * 1024);
    if (source->timeout)
        props_uint(node, "timeout", source->timeout);
    return 0;
}

/* The name is "IQN/LUN". */
static int iscsi(const DeviceContext *context, const StorageSource *source, Props *node,
                 Error **reterr) {
    const char *slash = source->path ? strrchr(source->path, '/') : NULL;
    const StorageHost *host = source->hosts;

    if (source->n_hosts != 1 || !source->path)
        return device_refuse(context, reterr, "an iscsi disk has a name and one <host>");
    props_text(node, "driver", "iscsi");
    props_textf(node, "portal", "%s:%s", host->name, host->port ? host->port : "3260");
    if (slash)
        props_textf(node, "target", "%.*s", (int)(slash - source->path), source->path);
    else
        props_text(node, "target", source->path);
    props_uint(node, "lun", slash ? strtoul(slash + 1, NULL, 10) : 0);
    props_text(node, "transport", "tcp");
    props_text(node, "initiator-name", source->initiator);
    return 0;
}

/* The name is "POOL/IMAGE". */
static int rbd(const DeviceContext *context, const StorageSource *source, Props *node,
               Error **reterr) {
    const char *slash = source->path ? strchr(source->path, '/') : NULL;
    json_object *servers = source->n_hosts > 0 ? json_object_new_array() : NULL;

    if (!slash) {
        json_object_put(servers);
        return device_refuse(context, reterr, "an rbd disk's name is POOL/IMAGE, not '%s'",
                             source->path ? source->path : "");
    }
    props_text(node, "driver", "rbd");
    props_textf(node, "pool", "%.*s", (int)(slash - source->path), source->path);
    props_text(node, "image", slash + 1);
    props_text(node, "snapshot", source->snapshot);
    props_text(node, "conf", source->config);
    for (size_t i = 0; servers && i < source->n_hosts; i++)
        node->failed |= json_append(servers, inet_address(&source->hosts[i], "6789", false)) < 0;
    if (source->n_hosts > 0)
        props_add(node, "server", servers);
    return 0;
}

static int gluster(const DeviceContext *context, const StorageSource *source, Props *node,
                   Error **reterr) {
    const char *slash = source->path ? strchr(source->path, '/') : NULL;
    json_object *servers = json_object_new_array();

    if (!slash) {
        json_object_put(servers);
        return device_refuse(context, reterr, "a gluster disk's name is VOLUME/PATH");
    }
    props_text(node, "driver", "gluster");
    props_textf(node, "volume", "%.*s", (int)(slash - source->path), source->path);
    props_text(node, "path", slash + 1);
    for (size_t i = 0; servers && i < source->n_hosts; i++)
        node->failed |= json_append(servers, inet_address(&source->hosts[i], "24007", true)) < 0;
    props_add(node, "server", servers);
    return 0;
}

int blockdev_network(const DeviceContext *context, const StorageSource *source, Props *node,
                     Error **reterr) {
    static const struct {
        const char *protocol;
        int (*build)(const DeviceContext *, const StorageSource *, Props *, Error **);
    } protocols[] = {{"nbd", nbd},  {"http", url},    {"https", url}, {"ftp", url},
                     {"ftps", url}, {"iscsi", iscsi}, {"rbd", rbd},   {"gluster", gluster}};

    if (source->n_cookies > 0 || source->auth)
        return device_refuse(context, reterr,
                             "a network disk with <%s> cannot be started: there are no secrets",
                             source->auth ? "auth" : "cookies");
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
        if (streq_ptr(protocols[i].protocol, source->protocol))
            return protocols[i].build(context, source, node, reterr);
    return device_refuse(context, reterr, "a disk of protocol '%s' cannot be started",
                         source->protocol ? source->protocol : "");
}
