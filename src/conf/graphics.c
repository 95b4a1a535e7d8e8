/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/graphics.h"

#include <stdio.h>

const Words graphics_types = WORDS_NOT_STARTED(
    WORD_MASK(GRAPHICS_RDP) | WORD_MASK(GRAPHICS_DESKTOP), "sdl", "vnc", "rdp", "desktop", "spice",
    "egl-headless", "dbus");
static const Words listen_types = WORDS("none", "address", "network", "socket");
static const Words share_policies = WORDS("allow-exclusive", "force-shared", "ignore");
static const Words connecteds = WORDS("fail", "disconnect", "keep");
static const Words channel_modes = WORDS("any", "secure", "insecure");
static const Words channel_names = WORDS("main", "display", "inputs", "cursor", "playback",
                                         "record", "smartcard", "usbredir");
static const Words images = WORDS("auto_glz", "auto_lz", "quic", "glz", "lz", "off");
static const Words wans = WORDS("auto", "never", "always");
static const Words on_off = WORDS("on", "off");
static const Words streamings = WORDS("filter", "all", "off");
static const Words mouse_modes = WORDS("server", "client");

/* ---- <listen> ---- */

#define LISTEN_DEFAULT "127.0.0.1"

/* A display of a running domain listens somewhere, whether its definition says where or not. */
static void write_default(ElementWriter *w, const void *object) {
    const GraphicsListen *listen = object;

    if (w->live && !listen->address)
        writer_attribute(w, "address", LISTEN_DEFAULT);
}

static const Field address_listen[] = {FIELD_TEXT("@address", GraphicsListen, address),
                                       FIELD_CODE(NULL, NULL, write_default), FIELD_END};
static const Field network_listen[] = {
    FIELD_TEXT("@address", GraphicsListen, address, .flags = FIELD_LIVE),
    FIELD_TEXT("@network", GraphicsListen, network), FIELD_END};
static const Field socket_listen[] = {FIELD_TEXT("@socket", GraphicsListen, socket), FIELD_END};
static const Field *const listens[LISTEN_TYPE_MAX_] = {[LISTEN_ADDRESS] = address_listen,
                                                       [LISTEN_NETWORK] = network_listen,
                                                       [LISTEN_SOCKET] = socket_listen};
static const Field listen_fields[] = {
    FIELD_WORD("@type", GraphicsListen, type, listen_types, .flags = FIELD_REQUIRED),
    FIELD_SWITCH(NULL, GraphicsListen, type, listens), FIELD_END};
static const Element listen_element = {"listen", sizeof(GraphicsListen), listen_fields, NULL, NULL};

/* ---- ports and addresses: what is written depends on each other ---- */

static bool of_socket(const GraphicsDef *graphics) {
    return graphics->n_listens && graphics->listens[0].type == LISTEN_SOCKET;
}

static bool without_port(const GraphicsDef *graphics) {
    return graphics->n_listens &&
           (graphics->listens[0].type == LISTEN_SOCKET || graphics->listens[0].type == LISTEN_NONE);
}

bool graphics_uses_port(const GraphicsDef *graphics) {
    return (graphics->type == GRAPHICS_VNC || graphics->type == GRAPHICS_SPICE) &&
           !without_port(graphics) && !graphics->socket;
}

static const char *channel_mode(const GraphicsDef *graphics, const char *name) {
    for (size_t i = 0; i < graphics->n_channels; i++)
        if (streq(graphics->channels[i].name, name))
            return graphics->channels[i].mode;
    return graphics->default_mode ? graphics->default_mode : "any";
}

void graphics_spice_ports(const GraphicsDef *graphics, bool tls, bool *ret_plain, bool *ret_tls) {
    *ret_plain = *ret_tls = false;
    for (size_t i = 0; i < channel_names.n; i++) {
        const char *mode = channel_mode(graphics, channel_names.names[i]);

        *ret_plain |= !streq(mode, "secure");
        *ret_tls |= streq(mode, "secure") || (tls && !streq(mode, "insecure"));
    }
}

const char *graphics_address(const GraphicsDef *graphics) {
    for (size_t i = 0; i < graphics->n_listens; i++)
        if (graphics->listens[i].type == LISTEN_ADDRESS && graphics->listens[i].address)
            return graphics->listens[i].address;
    return graphics->listen ? graphics->listen : LISTEN_DEFAULT;
}

static void write_listen(ElementWriter *w, const GraphicsDef *graphics) {
    const GraphicsListen *listen = graphics->n_listens ? &graphics->listens[0] : NULL;

    if (listen && listen->type == LISTEN_ADDRESS)
        writer_attribute(w, "listen", w->live ? graphics_address(graphics) : listen->address);
    else if (listen && listen->type == LISTEN_NETWORK && w->live)
        writer_attribute(w, "listen", listen->address);
}

static void write_vnc_port(ElementWriter *w, const void *object) {
    const GraphicsDef *graphics = object;
    bool automatic = graphics->autoport == TRISTATE_YES;

    if (of_socket(graphics)) {
        writer_attribute(w, "socket", graphics->listens[0].socket);
        return;
    }
    if (without_port(graphics))
        return;
    if (graphics->port > 0 && (!automatic || w->live))
        writer_attributef(w, "port", "%d", graphics->port);
    else if (automatic)
        writer_attribute(w, "port", "-1");
    writer_attribute(w, "autoport", automatic ? "yes" : "no");
    if (graphics->websocket)
        writer_attributef(w, "websocket", "%d", graphics->websocket);
    write_listen(w, graphics);
}

static void write_spice_port(ElementWriter *w, const void *object) {
    const GraphicsDef *graphics = object;
    bool automatic = graphics->autoport == TRISTATE_YES, show = !automatic || w->live;

    if (without_port(graphics))
        return;
    if ((graphics->port > 0 && show) || (graphics->port < 0 && !automatic))
        writer_attributef(w, "port", "%d", graphics->port);
    if ((graphics->tls_port > 0 && show) || (graphics->tls_port < 0 && !automatic))
        writer_attributef(w, "tlsPort", "%d", graphics->tls_port);
    writer_attribute(w, "autoport", automatic ? "yes" : "no");
    write_listen(w, graphics);
}

static const Field port_fields[] = {
    FIELD_INT("@port", GraphicsDef, port, -1, 65535, FIELD_GIVEN(GraphicsDef, has_port)),
    FIELD_INT("@tlsPort", GraphicsDef, tls_port, -1, 65535),
    FIELD_INT("@websocket", GraphicsDef, websocket, -1, 65535),
    FIELD_YESNO("@autoport", GraphicsDef, autoport),
    FIELD_TEXT("@listen", GraphicsDef, listen),
    FIELD_TEXT("@socket", GraphicsDef, socket),
    FIELD_END};

static int read_ports(ElementReader *reader, xmlNodePtr node, void *object) {
    return element_read_fields(reader, port_fields, node, object);
}

static bool equal_ports(const void *a, const void *b) {
    const GraphicsDef *x = a, *y = b;

    return x->port == y->port && x->tls_port == y->tls_port && x->websocket == y->websocket &&
           x->autoport == y->autoport;
}

/* ---- by type ---- */

/* The attributes' texts are kept until they are made listens. */
#define PORTS(writing)                                                                             \
    FIELD_STORED(GraphicsDef, listen), FIELD_STORED(GraphicsDef, socket),                          \
        FIELD_CODE(NULL, read_ports, writing, .equal = equal_ports)
#define AUTH                                                                                       \
    FIELD_TEXT("@passwd", GraphicsDef, passwd, .flags = FIELD_SECRET | FIELD_EMPTY),               \
        FIELD_TEXT("@passwdValidTo", GraphicsDef, passwd_valid_to),                                \
        FIELD_CHOICE("@connected", GraphicsDef, connected, connecteds)
#define LISTENS FIELD_LIST("listen", GraphicsDef, listens, n_listens, listen_element, .limit = 64)

static const Field vnc_fields[] = {
    PORTS(write_vnc_port),
    FIELD_TEXT("@keymap", GraphicsDef, keymap),
    FIELD_CHOICE("@sharePolicy", GraphicsDef, share_policy, share_policies),
    FIELD_YESNO("@powerControl", GraphicsDef, power_control),
    AUTH,
    LISTENS,
    FIELD_UINT("audio@id", GraphicsDef, audio, 1, UINT32_MAX),
    FIELD_END};

static const Field channel_fields[] = {
    FIELD_CHOICE("@name", SpiceChannel, name, channel_names, .flags = FIELD_REQUIRED),
    FIELD_CHOICE("@mode", SpiceChannel, mode, channel_modes, .flags = FIELD_REQUIRED), FIELD_END};
static const Element channel_element_ = {"channel", sizeof(SpiceChannel), channel_fields, NULL,
                                         NULL};
static int drop_default_mode(ElementReader *reader, xmlNodePtr node, void *object) {
    GraphicsDef *graphics = object;

    if (streq_ptr(graphics->default_mode, "any"))
        free(TAKE_PTR(graphics->default_mode));
    return 0;
}

static int compare_channels(const void *a, const void *b) {
    const SpiceChannel *x = a, *y = b;

    return words_find(&channel_names, x->name) - words_find(&channel_names, y->name);
}

/* In a fixed order; of those named twice the last counts, and "any" is as if nothing was said. */
static int tidy_channels(ElementReader *reader, xmlNodePtr node, void *object) {
    GraphicsDef *graphics = object;
    size_t n = 0;

    for (size_t i = 0; i < graphics->n_channels; i++) {
        bool last = !streq(graphics->channels[i].mode, "any");

        for (size_t k = i + 1; k < graphics->n_channels; k++)
            last &= !streq(graphics->channels[k].name, graphics->channels[i].name);
        if (last)
            graphics->channels[n++] = graphics->channels[i];
        else
            element_done(&channel_element_, &graphics->channels[i]);
    }
    graphics->n_channels = n;
    if (n)
        qsort(graphics->channels, n, sizeof(SpiceChannel), compare_channels);
    return 0;
}

static const Field gl_fields[] = {FIELD_YESNO("@enable", GraphicsDef, gl),
                                  FIELD_TEXT("@rendernode", GraphicsDef, rendernode), FIELD_END};
static const Field spice_fields[] = {
    PORTS(write_spice_port),
    FIELD_TEXT("@keymap", GraphicsDef, keymap),
    FIELD_CHOICE("@defaultMode", GraphicsDef, default_mode, channel_modes),
    FIELD_CODE(NULL, drop_default_mode, NULL),
    AUTH,
    LISTENS,
    FIELD_LIST("channel", GraphicsDef, channels, n_channels, channel_element_, .limit = 64),
    FIELD_CODE(NULL, tidy_channels, NULL),
    FIELD_CHOICE("image@compression", GraphicsDef, image, images),
    FIELD_CHOICE("jpeg@compression", GraphicsDef, jpeg, wans),
    FIELD_CHOICE("zlib@compression", GraphicsDef, zlib, wans),
    FIELD_CHOICE("playback@compression", GraphicsDef, playback, on_off),
    FIELD_CHOICE("streaming@mode", GraphicsDef, streaming, streamings),
    FIELD_CHOICE("mouse@mode", GraphicsDef, mouse, mouse_modes),
    FIELD_YESNO("clipboard@copypaste", GraphicsDef, copypaste),
    FIELD_YESNO("filetransfer@enable", GraphicsDef, filetransfer),
    FIELD_GROUP("gl", gl_fields),
    FIELD_END};
static const Field egl_fields[] = {FIELD_TEXT("gl@rendernode", GraphicsDef, rendernode), FIELD_END};
static const Field sdl_fields[] = {FIELD_TEXT("@display", GraphicsDef, display),
                                   FIELD_TEXT("@xauth", GraphicsDef, xauth),
                                   FIELD_YESNO("@fullscreen", GraphicsDef, fullscreen),
                                   FIELD_YESNO("gl@enable", GraphicsDef, gl), FIELD_END};
static const Field rdp_fields[] = {
    PORTS(write_spice_port), FIELD_YESNO("@replaceUser", GraphicsDef, replace_user),
    FIELD_YESNO("@multiUser", GraphicsDef, multi_user), LISTENS, FIELD_END};
static const Field desktop_fields[] = {FIELD_TEXT("@display", GraphicsDef, display),
                                       FIELD_YESNO("@fullscreen", GraphicsDef, fullscreen),
                                       FIELD_END};
static const Field dbus_fields[] = {
    FIELD_YESNO("@p2p", GraphicsDef, p2p), FIELD_TEXT("@address", GraphicsDef, address),
    FIELD_GROUP("gl", gl_fields), FIELD_UINT("audio@id", GraphicsDef, audio, 1, UINT32_MAX),
    FIELD_END};
static const Field *const kinds[GRAPHICS_TYPE_MAX_] = {
    [GRAPHICS_SDL] = sdl_fields,     [GRAPHICS_VNC] = vnc_fields,
    [GRAPHICS_RDP] = rdp_fields,     [GRAPHICS_DESKTOP] = desktop_fields,
    [GRAPHICS_SPICE] = spice_fields, [GRAPHICS_EGL_HEADLESS] = egl_fields,
    [GRAPHICS_DBUS] = dbus_fields};

static const Field graphics_fields[] = {
    FIELD_WORD("@type", GraphicsDef, type, graphics_types, .flags = FIELD_REQUIRED),
    FIELD_SWITCH(NULL, GraphicsDef, type, kinds),
    FIELD_STORED(GraphicsDef, info.alias), /* no display has a name in the XML */
    FIELD_END};

/* ---- what the attributes mean together ---- */

static GraphicsListen *first_listen(GraphicsDef *graphics, ListenType type) {
    GraphicsListen *listen = array_append(&graphics->listens, &graphics->n_listens,
                                          sizeof(GraphicsListen));

    if (listen)
        *listen = (GraphicsListen){.type = type, .automatic = true};
    return listen;
}

static int check_listens(ElementReader *reader, xmlNodePtr node, GraphicsDef *graphics) {
    GraphicsListen *first;

    if (!graphics->n_listens) {
        first = first_listen(graphics, graphics->socket ? LISTEN_SOCKET : LISTEN_ADDRESS);
        if (!first)
            return error_no_memory(reader->reterr);
        if (graphics->socket)
            first->socket = TAKE_PTR(graphics->socket);
        else
            first->address = TAKE_PTR(graphics->listen);
        return 0;
    }
    first = &graphics->listens[0];
    if (first->type == LISTEN_ADDRESS && graphics->listen && first->address &&
        !streq(graphics->listen, first->address))
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "graphics 'listen' attribute '%.80s' must match 'address' attribute of "
                            "first listen element (found '%.80s') (line %ld)",
                            graphics->listen, first->address, xmlGetLineNo(node));
    if (first->type == LISTEN_ADDRESS && !first->address)
        first->address = TAKE_PTR(graphics->listen);
    if (first->type == LISTEN_SOCKET && !first->socket)
        first->socket = TAKE_PTR(graphics->socket);
    return 0;
}

static void check_ports(ElementReader *reader, GraphicsDef *graphics) {
    if (graphics->type == GRAPHICS_VNC) {
        if (graphics->autoport == TRISTATE_ABSENT && (graphics->port == -1 || !graphics->has_port))
            graphics->autoport = TRISTATE_YES;
        if ((graphics->autoport == TRISTATE_YES && !reader->live) || graphics->port == -1)
            graphics->port = 0;
        return;
    }
    if (graphics->port == -1 && graphics->tls_port == -1)
        graphics->autoport = TRISTATE_YES;
    if (graphics->autoport == TRISTATE_YES && !reader->live)
        graphics->port = graphics->tls_port = 0;
}

static int check(ElementReader *reader, xmlNodePtr node, void *object) {
    GraphicsDef *graphics = object;

    if (graphics->fullscreen == TRISTATE_NO)
        graphics->fullscreen = TRISTATE_ABSENT;
    if (graphics->type != GRAPHICS_VNC && graphics->type != GRAPHICS_SPICE &&
        graphics->type != GRAPHICS_RDP)
        return 0;
    if (graphics->default_mode && streq(graphics->default_mode, "any"))
        free(TAKE_PTR(graphics->default_mode));
    if (!graphics->passwd) { /* how long it is valid, and for whom, goes with it */
        free(TAKE_PTR(graphics->passwd_valid_to));
        free(TAKE_PTR(graphics->connected));
    }
    check_ports(reader, graphics);
    return check_listens(reader, node, graphics);
}

const Element graphics_element = {"graphics", sizeof(GraphicsDef), graphics_fields, NULL, check};
