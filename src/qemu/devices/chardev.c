/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Character devices: where their bytes go (device_chardev), and <serial>, <parallel>, <console>,
 * <channel>. */
#include "qemu/devices/device.h"

#include <stdio.h>

#include "qemu/argv.h"
#include "util/file.h"
#include "util/text.h"

/* ---- backends ---- */

/* A backend as an option's text and as chardev-add's data, filled beside each other. */
typedef struct Backend {
    FILE *out;
    Props data;
} Backend;

static void put_text(Backend *backend, const char *option, const char *key, const char *value) {
    CLEANUP_FREE char *escaped = value ? argv_escape(value) : NULL;

    if (!value)
        return;
    backend->data.failed |= !escaped;
    fprintf(backend->out, ",%s=%s", option, escaped ? escaped : "");
    if (key)
        props_text(&backend->data, key, value);
}

static void put_bool(Backend *backend, const char *option, bool value) {
    fprintf(backend->out, ",%s=%s", option, value ? "on" : "off");
    props_bool(&backend->data, option, value);
}

static json_object *wrap_address(const char *type, Props *data) {
    Props address = props_new();

    props_text(&address, "type", type);
    props_add(&address, "data", props_take(data));
    return props_take(&address);
}

static json_object *inet(const ChardevEnd *end) {
    Props data = props_new();

    props_text(&data, "host", end && end->host ? end->host : "");
    props_text(&data, "port", end && end->service ? end->service : "0");
    return wrap_address("inet", &data);
}

static void put_reconnect(Backend *backend, const char *enabled, unsigned seconds) {
    if (streq_ptr(enabled, "yes") && seconds) {
        fprintf(backend->out, ",reconnect=%u", seconds);
        props_uint(&backend->data, "reconnect", seconds);
    }
}

static void put_server(Backend *backend, bool server) {
    if (server) {
        put_bool(backend, "server", true);
        put_bool(backend, "wait", false);
    } else {
        props_bool(&backend->data, "server", false);
    }
}

static void put_unix(Backend *backend, const ChardevSource *source) {
    Props path = props_new();

    put_text(backend, "path", NULL, source->path);
    props_text(&path, "path", source->path);
    props_add(&backend->data, "addr", wrap_address("unix", &path));
    put_server(backend, source->listen);
    put_reconnect(backend, source->reconnect, source->reconnect_timeout);
}

static void put_tcp(Backend *backend, const ChardevSource *source) {
    const ChardevEnd *end = source->n_ends > 0 ? &source->ends[0] : NULL;
    bool telnet = streq_ptr(source->protocol, "telnet");

    put_text(backend, "host", NULL, end && end->host ? end->host : "");
    put_text(backend, "port", NULL, end && end->service ? end->service : "0");
    props_add(&backend->data, "addr", inet(end));
    if (telnet)
        put_bool(backend, "telnet", true);
    put_server(backend, end && streq_ptr(end->mode, "bind"));
    if (end)
        put_reconnect(backend, end->reconnect, end->reconnect_timeout);
}

static void put_udp(Backend *backend, const ChardevSource *source) {
    const ChardevEnd *to = NULL, *from = NULL;

    for (size_t i = 0; i < source->n_ends; i++)
        if (streq_ptr(source->ends[i].mode, "bind"))
            from = &source->ends[i];
        else
            to = &source->ends[i];
    put_text(backend, "host", NULL, to && to->host ? to->host : "");
    put_text(backend, "port", NULL, to && to->service ? to->service : "0");
    put_text(backend, "localaddr", NULL, from && from->host ? from->host : "");
    put_text(backend, "localport", NULL, from && from->service ? from->service : "0");
    props_add(&backend->data, "remote", inet(to));
    if (from)
        props_add(&backend->data, "local", inet(from));
}

/* QEMU's name of the backend; NULL: it cannot be had. */
static const char *put_source(Backend *backend, const ChardevSource *source) {
    switch (source->type) {
    case CHARDEV_PTY:
        return "pty";
    case CHARDEV_FILE:
        put_text(backend, "path", NULL, source->path);
        props_text(&backend->data, "out", source->path);
        put_bool(backend, "append", source->append == TRISTATE_YES);
        return "file";
    case CHARDEV_UNIX:
        put_unix(backend, source);
        return "socket";
    case CHARDEV_NULL:
    case CHARDEV_NONE_:
        return "null";
    case CHARDEV_VC:
        return "vc";
    case CHARDEV_DEV:
        put_text(backend, "path", "device", source->path);
        return "serial";
    case CHARDEV_PIPE:
        put_text(backend, "path", "device", source->path);
        return "pipe";
    case CHARDEV_STDIO:
        return "stdio";
    case CHARDEV_UDP:
        put_udp(backend, source);
        return "udp";
    case CHARDEV_TCP:
        put_tcp(backend, source);
        return "socket";
    case CHARDEV_SPICEVMC:
        put_text(backend, "name", "type", source->channel ? source->channel : "vdagent");
        return "spicevmc";
    case CHARDEV_SPICEPORT:
        put_text(backend, "name", "fqdn", source->channel);
        return "spiceport";
    case CHARDEV_QEMU_VDAGENT:
        put_text(backend, "name", "name", "vdagent");
        if (source->clipboard != TRISTATE_ABSENT)
            put_bool(backend, "clipboard", source->clipboard == TRISTATE_YES);
        if (source->mouse_mode)
            put_bool(backend, "mouse", streq(source->mouse_mode, "client"));
        return "qemu-vdagent";
    case CHARDEV_DBUS:
        put_text(backend, "name", "name", source->channel);
        return "dbus";
    case CHARDEV_NMDM:
    case CHARDEV_TYPE_MAX_:
        break;
    }
    return NULL;
}

/* Whether somebody on the way could not read along, as the definition asks. */
static bool wants_tls(const ChardevSource *source) {
    bool tls = streq_ptr(source->protocol, "tls") || streq_ptr(source->protocol, "telnets");

    for (size_t i = 0; i < source->n_ends; i++)
        tls |= source->ends[i].tls == TRISTATE_YES;
    return tls;
}

/* `printer`: what QEMU says of a device of the host that is no serial line. */
static int add_backend(const DeviceContext *context, const ChardevSource *source, bool printer,
                       const char *alias, char ret_id[96], DeviceSteps *steps, Error **reterr) {
    CLEANUP_FREE char *rest = NULL;
    Backend backend = {0};
    Props wrapped, all;
    const char *type;

    if (wants_tls(source))
        return device_refuse(context, reterr,
                             "the character device '%s' is to be encrypted (TLS), and there are no "
                             "certificates; give it tls='no' and <protocol type='raw'/>, or "
                             "'telnet'",
                             alias);
    snprintf(ret_id, 96, "char%.88s", alias);
    backend.data = props_new();
    wrapped = props_new();
    all = props_new();
    backend.out = text_open(&rest);
    type = backend.out ? put_source(&backend, source) : "null";
    if (printer && source->type == CHARDEV_DEV)
        type = "parallel";
    if (backend.out && source->log_file) {
        put_text(&backend, "logfile", "logfile", source->log_file);
        put_bool(&backend, "logappend", source->log_append != TRISTATE_NO);
    }
    if (!backend.out || fclose(backend.out) != 0)
        all.failed = true;
    props_text(&wrapped, "type", type);
    props_add(&wrapped, "data", props_take(&backend.data));
    props_text(&all, "id", ret_id);
    props_add(&all, "backend", props_take(&wrapped));
    if (!type) {
        json_object_put(props_take(&all));
        return device_refuse(context, reterr, "a character device of type '%s' cannot be had",
                             words_name(&chardev_types, source->type));
    }
    steps_chardev(steps, all.failed ? NULL : strf("%s,id=%s%s", type, ret_id, rest ? rest : ""),
                  props_take(&all));
    return 0;
}

int device_chardev(const DeviceContext *context, const ChardevSource *source, const char *alias,
                   char ret_id[96], DeviceSteps *steps, Error **reterr) {
    return add_backend(context, source, false, alias, ret_id, steps, reterr);
}

/* ---- devices ---- */

static int build_serial(const DeviceContext *context, const ChardevDef *chardev, const char *id,
                        DeviceSteps *steps, Error **reterr) {
    const char *model = chardev->target_model;
    Props props;

    if (!model && device_is_x86(context->def))
        model = streq_ptr(chardev->target_type, "pci-serial")   ? "pci-serial"
                : streq_ptr(chardev->target_type, "usb-serial") ? "usb-serial"
                                                                : "isa-serial";
    if (!model || streq(model, "pl011") || streq(model, "16550a")) {
        steps_option(steps, "-serial", "chardev:%s", id);
        return 0;
    }
    if (streq(model, "isa-debugcon") || streq(model, "isa-serial") || streq(model, "pci-serial") ||
        streq(model, "usb-serial") || streq(model, "spapr-vty") || streq(model, "sclpconsole") ||
        streq(model, "sclplmconsole")) {
        props = device_props(context, streq(model, "sclplmconsole") ? "sclplmconsole" : model,
                             &chardev->info);
        props_text(&props, "chardev", id);
        if (streq(model, "isa-serial"))
            props_uint(&props, "index", chardev->port);
        steps_props(steps, STEP_DEVICE, &props);
        return 0;
    }
    return device_refuse(context, reterr, "a <serial> of model '%s' cannot be had", model);
}

static void build_port(const DeviceContext *context, const ChardevDef *chardev, const char *driver,
                       const char *id, DeviceSteps *steps) {
    Props props = device_props(context, driver, &chardev->info);

    char bus[96];

    device_bus(context, CONTROLLER_VIRTIO_SERIAL, 0, bus);
    if (chardev->info.address.type != ADDRESS_VIRTIO_SERIAL)
        props_textf(&props, "bus", "%s.0", bus);
    props_text(&props, "chardev", id);
    if (chardev->kind == CHARDEV_CHANNEL)
        props_text(&props, "name",
                   chardev->source.type == CHARDEV_SPICEVMC && !chardev->target_name
                       ? "com.redhat.spice.0"
                       : chardev->target_name);
    steps_props(steps, STEP_DEVICE, &props);
}

static int build_console(const DeviceContext *context, const ChardevDef *chardev, const char *id,
                         DeviceSteps *steps, Error **reterr) {
    Props props;

    if (streq_ptr(chardev->target_type, "virtio")) {
        build_port(context, chardev, "virtconsole", id, steps);
        return 0;
    }
    if (streq_ptr(chardev->target_type, "sclp") || streq_ptr(chardev->target_type, "sclplm")) {
        props = device_props(context,
                             streq(chardev->target_type, "sclp") ? "sclpconsole" : "sclplmconsole",
                             &chardev->info);
        props_text(&props, "chardev", id);
        steps_props(steps, STEP_DEVICE, &props);
        return 0;
    }
    return build_serial(context, chardev, id, steps, reterr);
}

static bool is_forward(const ChardevDef *chardev) {
    return chardev->kind == CHARDEV_CHANNEL && streq_ptr(chardev->target_type, "guestfwd") &&
           chardev->target_address && chardev->target_port;
}

const InterfaceDef *device_forwarding_card(const DomainDef *def) {
    for (size_t i = 0; i < def->n_interfaces; i++)
        if (def->interfaces[i].type == INTERFACE_USER)
            return &def->interfaces[i];
    return NULL;
}

void device_add_guestfwd(const DomainDef *def, const ChardevDef *channel, Props *netdev) {
    json_object *list = json_object_new_array();

    for (size_t i = 0; list && i < def->n_chardevs; i++) {
        const ChardevDef *each = &def->chardevs[i];
        Props row;

        if (!is_forward(each) || (channel && channel != each))
            continue;
        row = props_new();
        props_textf(&row, "str", "tcp:%s:%s-chardev:char%.88s", each->target_address,
                    each->target_port, each->info.alias);
        netdev->failed |= json_append(list, props_take(&row)) < 0;
    }
    if (list && json_object_array_length(list) == 0)
        json_object_put(list);
    else
        props_add(netdev, "guestfwd", list);
}

/* What nobody reaches who has no card of QEMU's network is there all the same. */
static void build_forward(const DeviceContext *context, const ChardevDef *chardev,
                          DeviceSteps *steps) {
    Props netdev;

    if (device_forwarding_card(context->def))
        return;
    netdev = props_new();
    props_text(&netdev, "type", "user");
    device_add_guestfwd(context->def, chardev, &netdev);
    props_text(&netdev, "id", chardev->info.alias);
    steps_props(steps, STEP_NETDEV, &netdev);
}

static int build_channel(const DeviceContext *context, const ChardevDef *chardev, const char *id,
                         DeviceSteps *steps, Error **reterr) {
    if (is_forward(chardev)) {
        build_forward(context, chardev, steps);
        return 0;
    }
    if (chardev->target_type && !streq(chardev->target_type, "virtio"))
        return device_refuse(context, reterr, "a <channel> with target type '%s' cannot be started",
                             chardev->target_type);
    build_port(context, chardev, "virtserialport", id, steps);
    return 0;
}

static int build(const DeviceContext *context, const void *device, DeviceSteps *steps,
                 Error **reterr) {
    const ChardevDef *chardev = device;
    Props props;
    char id[96];
    int r;

    if (chardev->is_serial_alias)
        return 0;
    r = add_backend(context, &chardev->source, chardev->kind == CHARDEV_PARALLEL,
                    chardev->info.alias, id, steps, reterr);
    if (r < 0)
        return r;
    switch (chardev->kind) {
    case CHARDEV_SERIAL:
        return build_serial(context, chardev, id, steps, reterr);
    case CHARDEV_CONSOLE:
        return build_console(context, chardev, id, steps, reterr);
    case CHARDEV_CHANNEL:
        return build_channel(context, chardev, id, steps, reterr);
    case CHARDEV_PARALLEL:
        props = device_props(context, "isa-parallel", &chardev->info);
        props_text(&props, "chardev", id);
        steps_props(steps, STEP_DEVICE, &props);
        return 0;
    }
    return 0;
}

const DeviceKind chardev_kind = {DEVICE_KIND_LIST("chardev", chardevs, n_chardevs, ChardevDef),
                                 .build = build};
