/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <graphics>. */
#pragma once

#include "conf/device-info.h"

typedef enum GraphicsType {
    GRAPHICS_SDL,
    GRAPHICS_VNC,
    GRAPHICS_RDP,
    GRAPHICS_DESKTOP,
    GRAPHICS_SPICE,
    GRAPHICS_EGL_HEADLESS,
    GRAPHICS_DBUS,
    GRAPHICS_TYPE_MAX_
} GraphicsType;

typedef enum ListenType {
    LISTEN_NONE,
    LISTEN_ADDRESS,
    LISTEN_NETWORK,
    LISTEN_SOCKET,
    LISTEN_TYPE_MAX_
} ListenType;

typedef struct GraphicsListen {
    ListenType type;
    char *address, *network, *socket;
    bool automatic; /* made of an attribute of <graphics>, or a default */
} GraphicsListen;

typedef struct SpiceChannel {
    char *name, *mode;
} SpiceChannel;

typedef struct GraphicsDef {
    GraphicsType type;
    int port, tls_port; /* -1: by us; 0: not given */
    int websocket;      /* -1: by us */
    Tristate autoport;
    bool has_port;         /* a port was given, if only 0 */
    char *listen, *socket; /* the attributes, as they came */
    char *keymap, *share_policy, *default_mode;
    Tristate power_control;
    char *passwd, *passwd_valid_to, *connected;    /* passwd: never in an unasked dump */
    Tristate multi_user, replace_user, fullscreen; /* rdp, sdl */
    char *display, *xauth, *address;               /* sdl, dbus */
    Tristate p2p;
    GraphicsListen *listens;
    size_t n_listens;
    SpiceChannel *channels;
    size_t n_channels;
    char *image, *jpeg, *zlib, *playback, *streaming, *mouse;
    Tristate copypaste, filetransfer;
    Tristate gl;
    char *rendernode;
    unsigned audio;  /* dbus */
    DeviceInfo info; /* never written */
} GraphicsDef;

extern const Words graphics_types;
extern const Element graphics_element;

/* A vnc or spice display that listens at a TCP port, given or to be found. */
bool graphics_uses_port(const GraphicsDef *graphics);
/* Which ports a spice display has when they are to be found: those that the modes of its channels
 * ask for. `tls`: there are certificates, so a channel that may be anything may be secure. */
void graphics_spice_ports(const GraphicsDef *graphics, bool tls, bool *ret_plain, bool *ret_tls);
/* Where it does; borrowed, never NULL. */
const char *graphics_address(const GraphicsDef *graphics);
