/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <graphics>: vnc, spice, egl-headless, sdl and the others that QEMU has. Passwords are no part of
 * a command line: the display asks for one, and the daemon sets it on the monitor. */
#include "qemu/devices/device.h"

#include <stdio.h>

#include "qemu/argv.h"
#include "util/file.h"
#include "util/text.h"

/* Ports by us begin here. */
#define VNC_BASE 5900

static const char *listen_socket(const GraphicsDef *graphics) {
    for (size_t i = 0; i < graphics->n_listens; i++)
        if (graphics->listens[i].type == LISTEN_SOCKET)
            return graphics->listens[i].socket;
    return graphics->socket;
}

static bool listens_nowhere(const GraphicsDef *graphics) {
    return graphics->n_listens > 0 && graphics->listens[0].type == LISTEN_NONE;
}

static int build_vnc(const DeviceContext *context, const GraphicsDef *graphics, FILE *out,
                     Error **reterr) {
    const char *path = listen_socket(graphics), *address = graphics_address(graphics);
    CLEANUP_FREE char *escaped = path ? argv_escape(path) : NULL;
    bool six = strchr(address, ':') != NULL;

    if (escaped) {
        fprintf(out, "unix:%s", escaped);
    } else if (listens_nowhere(graphics)) {
        fputs("none", out);
    } else if (graphics->port > 0 && graphics->port < VNC_BASE) {
        return device_refuse(context, reterr, "a vnc port is %d or above, not %d", VNC_BASE,
                             graphics->port);
    } else {
        int display = graphics->port > 0 ? graphics->port - VNC_BASE : 0;

        fprintf(out, "%s%s%s:%d", six ? "[" : "", address, six ? "]" : "", display);
        /* The first free one; which it is, QEMU says (query-vnc). */
        if (graphics->port <= 0)
            fputs(",to=59635", out);
    }
    if (graphics->websocket)
        fprintf(out, ",websocket=%s", graphics->websocket < 0 ? "on" : "");
    if (graphics->websocket > 0)
        fprintf(out, "%d", graphics->websocket);
    if (graphics->share_policy)
        fprintf(out, ",share=%s", graphics->share_policy);
    if (graphics->passwd)
        fputs(",password=on", out);
    if (graphics->power_control != TRISTATE_ABSENT)
        fprintf(out, ",power-control=%s", graphics->power_control == TRISTATE_YES ? "on" : "off");
    if (context->def->n_audios > 0)
        fprintf(out, ",audiodev=audio%u",
                graphics->audio ? graphics->audio : context->def->audios[0].id);
    return 0;
}

static void add_word(FILE *out, const char *name, const char *value) {
    if (value)
        fprintf(out, ",%s=%s", name, value);
}

/* What has that mode, NULL: nothing. */
static const char *find_mode(const GraphicsDef *graphics, const char *mode) {
    if (streq_ptr(graphics->default_mode, mode))
        return "default";
    for (size_t i = 0; i < graphics->n_channels; i++)
        if (streq_ptr(graphics->channels[i].mode, mode))
            return graphics->channels[i].name;
    return NULL;
}

static int check_channels(const DeviceContext *context, const GraphicsDef *graphics, bool plain,
                          bool tls, Error **reterr) {
    const char *secure = find_mode(graphics, "secure"), *insecure = find_mode(graphics, "insecure");

    if ((secure || tls) && !context->parts->spice_tls)
        return device_refuse(context, reterr,
                             "%s%s%s of a spice display is to be secure, and there are no "
                             "certificates (the setting 'spice_tls'); give channels mode='any', "
                             "and no tlsPort",
                             secure ? "the channel '" : "the TLS port", secure ? secure : "",
                             secure ? "'" : "");
    if (secure && !tls)
        return device_refuse(context, reterr,
                             "the channel '%s' of a spice display is to be secure, and it has no "
                             "TLS port: give it a tlsPort",
                             secure);
    if (insecure && !plain)
        return device_refuse(context, reterr,
                             "the channel '%s' of a spice display is to be insecure, and it has "
                             "only a TLS port: give it a port",
                             insecure);
    return 0;
}

static void put_mode(FILE *out, const char *name, const char *mode) {
    if (streq_ptr(mode, "secure"))
        fprintf(out, ",tls-channel=%s", name);
    if (streq_ptr(mode, "insecure"))
        fprintf(out, ",plaintext-channel=%s", name);
}

static int build_spice(const DeviceContext *context, const GraphicsDef *graphics, FILE *out,
                       Error **reterr) {
    const char *path = listen_socket(graphics);
    CLEANUP_FREE char *escaped = path ? argv_escape(path) : NULL, *certificates = NULL;
    const bool has_ports = !path && !listens_nowhere(graphics);
    const bool plain = !has_ports || graphics->port > 0, tls = has_ports && graphics->tls_port > 0;
    int r = check_channels(context, graphics, plain, tls, reterr);

    if (r < 0)
        return r;
    if (escaped)
        fprintf(out, "unix=on,addr=%s", escaped);
    else if (!has_ports)
        fputs("port=0", out);
    else if (!plain && !tls)
        return device_refuse(context, reterr, "a spice display has no port yet; give it one");
    if (has_ports && plain)
        fprintf(out, "port=%d,", graphics->port);
    if (tls)
        fprintf(out, "tls-port=%d,", graphics->tls_port);
    if (has_ports)
        fprintf(out, "addr=%s", graphics_address(graphics));
    /* With a password the display takes nobody before the daemon has set it. */
    if (!graphics->passwd)
        fputs(",disable-ticketing=on", out);
    if (tls) {
        certificates = argv_escape(context->parts->spice_tls);
        if (!certificates)
            return error_no_memory(reterr);
        add_word(out, "x509-dir", certificates);
    }
    put_mode(out, "default", graphics->default_mode);
    for (size_t i = 0; i < graphics->n_channels; i++)
        put_mode(out, graphics->channels[i].name, graphics->channels[i].mode);
    if (graphics->mouse)
        fprintf(out, ",agent-mouse=%s", streq(graphics->mouse, "client") ? "on" : "off");
    add_word(out, "image-compression", graphics->image ? graphics->image : NULL);
    add_word(out, "jpeg-wan-compression", graphics->jpeg);
    add_word(out, "zlib-glz-wan-compression", graphics->zlib);
    add_word(out, "playback-compression", graphics->playback);
    add_word(out, "streaming-video", graphics->streaming);
    if (graphics->copypaste == TRISTATE_NO)
        fputs(",disable-copy-paste=on", out);
    if (graphics->filetransfer == TRISTATE_NO)
        fputs(",disable-agent-file-xfer=on", out);
    if (graphics->gl == TRISTATE_YES) {
        fputs(",gl=on", out);
        add_word(out, "rendernode", graphics->rendernode);
    }
    fputs(",seamless-migration=on", out);
    return 0;
}

static int build_text(const DeviceContext *context, const GraphicsDef *graphics, FILE *out,
                      const char **ret_option, Error **reterr) {
    switch (graphics->type) {
    case GRAPHICS_VNC:
        *ret_option = "-vnc";
        return build_vnc(context, graphics, out, reterr);
    case GRAPHICS_SPICE:
        *ret_option = "-spice";
        return build_spice(context, graphics, out, reterr);
    case GRAPHICS_EGL_HEADLESS:
        *ret_option = "-display";
        fputs("egl-headless", out);
        add_word(out, "rendernode", graphics->rendernode);
        return 0;
    case GRAPHICS_DBUS:
        *ret_option = "-display";
        fprintf(out, "dbus%s", graphics->p2p == TRISTATE_YES ? ",p2p=on" : "");
        if (graphics->address)
            add_word(out, "addr", graphics->address);
        if (graphics->gl == TRISTATE_YES)
            add_word(out, "gl", "on");
        return 0;
    case GRAPHICS_SDL: /* which X server it is, the environment says */
        *ret_option = "-display";
        fputs("sdl", out);
        if (graphics->gl != TRISTATE_ABSENT)
            add_word(out, "gl", graphics->gl == TRISTATE_YES ? "on" : "off");
        return 0;
    case GRAPHICS_RDP:
    case GRAPHICS_DESKTOP:
    case GRAPHICS_TYPE_MAX_:
        break;
    }
    return device_refuse(context, reterr, "<graphics type='%s'> cannot be started by a daemon",
                         words_name(&graphics_types, graphics->type));
}

static int build(const DeviceContext *context, const void *device, DeviceSteps *steps,
                 Error **reterr) {
    const GraphicsDef *graphics = device;
    CLEANUP_FREE char *text = NULL;
    FILE *out = text_open(&text);
    const char *option = "";
    int r;

    if (!out)
        return error_no_memory(reterr);
    r = build_text(context, graphics, out, &option, reterr);
    if (fclose(out) != 0)
        return error_no_memory(reterr);
    if (r < 0)
        return r;
    if (graphics->fullscreen == TRISTATE_YES)
        steps_word(steps, "-full-screen");
    steps_option(steps, option, "%s", text);
    if (graphics->keymap)
        steps_option(steps, "-k", "%s", graphics->keymap);
    return 0;
}

const DeviceKind graphics_kind = {DEVICE_KIND_LIST("graphics", graphics, n_graphics, GraphicsDef),
                                  .build = build};
