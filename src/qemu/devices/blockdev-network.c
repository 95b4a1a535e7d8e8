/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sources that are reached by a network: a driver of QEMU's each. */
#include "qemu/devices/blockdev-internal.h"

#include "util/file.h"
#include "util/json.h"

/* ---- hosts ---- */

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

/* "HOST:PORT"; a name with colons is an address of IPv6. */
static char *host_text(const StorageHost *host, const char *default_port) {
    const bool v6 = strchr(host->name, ':') != NULL;

    return strf("%s%s%s:%s", v6 ? "[" : "", host->name, v6 ? "]" : "",
                host->port ? host->port : default_port);
}

/* Whether each has what its transport needs, and a transport that the driver has. */
static int check_hosts(const RemoteSource *remote, bool has_sockets, Error **reterr) {
    const StorageSource *source = remote->source;

    for (size_t i = 0; i < source->n_hosts; i++) {
        const StorageHost *host = &source->hosts[i];
        const bool is_unix = streq_ptr(host->transport, "unix");

        if ((host->transport && !is_unix) || (is_unix && !has_sockets))
            return device_refuse(remote->context, reterr,
                                 "a disk of protocol '%s' is not reached by transport '%s'",
                                 source->protocol, host->transport);
        if (is_unix ? !host->socket : !host->name)
            return device_refuse(remote->context, reterr,
                                 "a <host> of a disk of protocol '%s' has no %s", source->protocol,
                                 is_unix ? "socket" : "name");
    }
    return 0;
}

static int check_one_host(const RemoteSource *remote, bool has_sockets, Error **reterr) {
    if (remote->source->n_hosts != 1)
        return device_refuse(remote->context, reterr,
                             "a disk of protocol '%s' has one <host>, not %zu",
                             remote->source->protocol, remote->source->n_hosts);
    return check_hosts(remote, has_sockets, reterr);
}

/* ---- drivers ---- */

static int nbd(const RemoteSource *remote, Props *node, Error **reterr) {
    const StorageSource *source = remote->source;
    int r = check_one_host(remote, true, reterr);

    if (r < 0)
        return r;
    props_text(node, "driver", "nbd");
    props_add(node, "server", inet_address(&source->hosts[0], "10809", true));
    props_text(node, "export", source->path);
    return 0;
}

static int url(const RemoteSource *remote, Props *node, Error **reterr) {
    const StorageSource *source = remote->source;
    const char *path = source->path ? source->path : "";
    CLEANUP_FREE char *host = NULL;
    char secret[DISK_SECRET_ID_SIZE];
    int r = check_one_host(remote, false, reterr);

    if (r < 0)
        return r;
    host = host_text(&source->hosts[0], storage_default_port(source->protocol));
    if (!host)
        return error_no_memory(reterr);
    props_text(node, "driver", source->protocol);
    props_textf(node, "url", "%s://%s/%s%s%s", source->protocol, host, path + (*path == '/'),
                source->query ? "?" : "", source->query ? source->query : "");
    if (remote->auth) {
        blockdev_auth_secret(remote->storage, secret);
        props_text(node, "username", remote->auth->username);
        props_text(node, "password-secret", secret);
    }
    if (source->protocol[strlen(source->protocol) - 1] == 's')
        props_tristate(node, "sslverify", source->ssl_verify);
    if (source->n_cookies > 0) {
        blockdev_cookie_secret(remote->storage, secret);
        props_text(node, "cookie-secret", secret);
    }
    if (source->readahead)
        props_uint(node, "readahead", source->readahead);
    if (source->timeout)
        props_uint(node, "timeout", source->timeout);
    return 0;
}

/* The name is "IQN/LUN". */
static int iscsi(const RemoteSource *remote, Props *node, Error **reterr) {
    const StorageSource *source = remote->source;
    const char *slash = source->path ? strrchr(source->path, '/') : NULL;
    CLEANUP_FREE char *portal = NULL;
    char secret[DISK_SECRET_ID_SIZE];
    int r = check_one_host(remote, false, reterr);

    if (r >= 0 && !source->path)
        r = device_refuse(remote->context, reterr, "an iscsi disk has a name: IQN/LUN");
    if (r < 0)
        return r;
    portal = host_text(&source->hosts[0], "3260");
    if (!portal)
        return error_no_memory(reterr);
    props_text(node, "driver", "iscsi");
    props_text(node, "portal", portal);
    if (slash)
        props_textf(node, "target", "%.*s", (int)(slash - source->path), source->path);
    else
        props_text(node, "target", source->path);
    props_uint(node, "lun", slash ? strtoul(slash + 1, NULL, 10) : 0);
    props_text(node, "transport", "tcp");
    if (remote->auth) {
        blockdev_auth_secret(remote->storage, secret);
        props_text(node, "user", remote->auth->username);
        props_text(node, "password-secret", secret);
    }
    props_text(node, "initiator-name", source->initiator);
    return 0;
}

static void add_servers(const RemoteSource *remote, const char *port, bool tagged, Props *node) {
    json_object *servers = json_object_new_array();

    for (size_t i = 0; servers && i < remote->source->n_hosts; i++)
        node->failed |= json_append(servers,
                                    inet_address(&remote->source->hosts[i], port, tagged)) < 0;
    props_add(node, "server", servers);
}

/* cephx needs a user and his key; who has none there is asked for none. */
static void add_ceph_user(const RemoteSource *remote, Props *node) {
    json_object *modes = json_object_new_array();
    char secret[DISK_SECRET_ID_SIZE];

    blockdev_auth_secret(remote->storage, secret);
    props_text(node, "user", remote->auth->username);
    node->failed |= !modes || json_append(modes, json_object_new_string("cephx")) < 0 ||
                    json_append(modes, json_object_new_string("none")) < 0;
    props_add(node, "auth-client-required", modes);
    props_text(node, "key-secret", secret);
}

/* The name is "POOL/IMAGE". A monitor without a port is found at both of Ceph's. */
static int rbd(const RemoteSource *remote, Props *node, Error **reterr) {
    const StorageSource *source = remote->source;
    const char *slash = source->path ? strchr(source->path, '/') : NULL;
    int r = check_hosts(remote, false, reterr);

    if (r >= 0 && !slash)
        r = device_refuse(remote->context, reterr, "an rbd disk's name is POOL/IMAGE, not '%s'",
                          source->path ? source->path : "");
    if (r < 0)
        return r;
    props_text(node, "driver", "rbd");
    props_textf(node, "pool", "%.*s", (int)(slash - source->path), source->path);
    props_text(node, "image", slash + 1);
    props_text(node, "snapshot", source->snapshot);
    props_text(node, "conf", source->config);
    if (source->n_hosts > 0)
        add_servers(remote, "0", false, node);
    if (remote->auth)
        add_ceph_user(remote, node);
    return 0;
}

static int gluster(const RemoteSource *remote, Props *node, Error **reterr) {
    const StorageSource *source = remote->source;
    const char *slash = source->path ? strchr(source->path, '/') : NULL;
    int r = check_hosts(remote, true, reterr);

    if (r >= 0 && !slash)
        r = device_refuse(remote->context, reterr, "a gluster disk's name is VOLUME/PATH");
    if (r < 0)
        return r;
    props_text(node, "driver", "gluster");
    props_textf(node, "volume", "%.*s", (int)(slash - source->path), source->path);
    props_text(node, "path", slash + 1);
    add_servers(remote, "24007", true, node);
    return 0;
}

/* QEMU's ssh offers the keys of its agent, and its user's own; the host's key is to be among those
 * that its user knows. */
static int ssh(const RemoteSource *remote, Props *node, Error **reterr) {
    const StorageSource *source = remote->source;
    int r = check_one_host(remote, false, reterr);

    if (r >= 0 && !source->path)
        r = device_refuse(remote->context, reterr, "an ssh disk has a name: the path at its host");
    if (r >= 0 && source->ssh_agent && remote->context->plugged)
        r = device_refuse(
            remote->context, reterr,
            "an ssh disk with <identity agentsock=> can only be there from the start: "
            "QEMU finds its agent when it is started");
    if (r < 0)
        return r;
    props_text(node, "driver", "ssh");
    props_text(node, "path", source->path);
    props_add(node, "server", inet_address(&source->hosts[0], "22", false));
    props_text(node, "user", source->ssh_user);
    return 0;
}

/* "1000" or "+1000" of <identity>; names are the server's, and not known here. */
static int add_number(const RemoteSource *remote, const char *name, const char *text, Props *node,
                      Error **reterr) {
    const char *digits = text && *text == '+' ? text + 1 : text;

    if (!text)
        return 0;
    if (!*digits || digits[strspn(digits, "0123456789")] || strlen(digits) > 9)
        return device_refuse(remote->context, reterr,
                             "an nfs disk's <identity %s='%s'> is no number: give the number", name,
                             text);
    props_uint(node, name, strtoul(digits, NULL, 10));
    return 0;
}

static int nfs(const RemoteSource *remote, Props *node, Error **reterr) {
    const StorageSource *source = remote->source;
    Props server;
    int r = check_one_host(remote, false, reterr);

    if (r >= 0 && (!source->path || *source->path != '/'))
        r = device_refuse(remote->context, reterr, "an nfs disk has a name: /EXPORT/PATH");
    if (r < 0)
        return r;
    server = props_new();
    props_text(&server, "type", "inet");
    props_text(&server, "host", source->hosts[0].name);
    props_text(node, "driver", "nfs");
    props_add(node, "server", props_take(&server));
    props_text(node, "path", source->path);
    r = add_number(remote, "user", source->nfs_user, node, reterr);
    return r < 0 ? r : add_number(remote, "group", source->nfs_group, node, reterr);
}

typedef struct Protocol {
    const char *name;
    int (*build)(const RemoteSource *, Props *, Error **);
    bool has_auth, has_cookies;
} Protocol;

static const Protocol protocols[] = {
    {"nbd", nbd},
    {"http", url, .has_auth = true, .has_cookies = true},
    {"https", url, .has_auth = true, .has_cookies = true},
    {"ftp", url, .has_auth = true},
    {"ftps", url, .has_auth = true},
    {"iscsi", iscsi, .has_auth = true},
    {"rbd", rbd, .has_auth = true},
    {"gluster", gluster},
    {"ssh", ssh},
    {"nfs", nfs},
};

static int refuse_part(const RemoteSource *remote, const char *part, Error **reterr) {
    return device_refuse(remote->context, reterr,
                         "a disk of protocol '%s' with <%s> cannot be started: QEMU's driver has "
                         "no such option",
                         remote->source->protocol, part);
}

int blockdev_network(const RemoteSource *remote, Props *node, Error **reterr) {
    const StorageSource *source = remote->source;

    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        if (!streq_ptr(protocols[i].name, source->protocol))
            continue;
        if (remote->auth && !protocols[i].has_auth)
            return refuse_part(remote, "auth", reterr);
        if (streq_ptr(source->tls, "yes"))
            return device_refuse(remote->context, reterr,
                                 "a disk of protocol '%s' with tls='yes' cannot be started: there "
                                 "are no certificates; it is not opened without",
                                 source->protocol);
        if (source->n_cookies > 0 && !protocols[i].has_cookies)
            return refuse_part(remote, "cookies", reterr);
        return protocols[i].build(remote, node, reterr);
    }
    return device_refuse(remote->context, reterr, "a disk of protocol '%s' cannot be started",
                         source->protocol ? source->protocol : "");
}
