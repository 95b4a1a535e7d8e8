/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Character devices: where their bytes go, and <serial>, <parallel>, <console>, <channel>. */
#pragma once

#include "conf/storage.h"

typedef enum ChardevType {
    CHARDEV_NONE_, /* not given */
    CHARDEV_PTY,
    CHARDEV_FILE,
    CHARDEV_UNIX, /* path + mode bind or connect */
    CHARDEV_NULL,
    CHARDEV_VC,
    CHARDEV_DEV,
    CHARDEV_PIPE,
    CHARDEV_STDIO,
    CHARDEV_UDP,
    CHARDEV_TCP,
    CHARDEV_SPICEVMC,
    CHARDEV_SPICEPORT,
    CHARDEV_NMDM,
    CHARDEV_QEMU_VDAGENT,
    CHARDEV_DBUS,
    CHARDEV_TYPE_MAX_
} ChardevType;

/* One end of a udp or tcp chardev. */
typedef struct ChardevEnd {
    char *mode; /* bind or connect */
    char *host, *service;
    Tristate tls;
    char *reconnect; /* tcp: yes, no or NULL */
    unsigned reconnect_timeout;
} ChardevEnd;

typedef struct ChardevSource {
    ChardevType type;
    char *path;       /* file, unix, dev, pipe; for pty: the tty, known at run time only */
    char *mode;       /* unix as written: bind, connect or NULL */
    bool listen;      /* unix: mode='bind', or no mode */
    Tristate append;  /* file */
    ChardevEnd *ends; /* tcp: one; udp: the connect and the bind one */
    size_t n_ends;
    char *protocol;       /* tcp: raw, telnet, telnets, tls */
    char *channel;        /* spiceport, dbus */
    char *master, *slave; /* nmdm */
    char *mouse_mode;     /* qemu-vdagent */
    Tristate clipboard;
    char *reconnect; /* yes, no or NULL */
    unsigned reconnect_timeout;
    DeviceSeclabel *seclabels; /* of what has a path */
    size_t n_seclabels;
    char *log_file;
    Tristate log_append;
} ChardevSource;

typedef enum ChardevKind {
    CHARDEV_SERIAL,
    CHARDEV_CONSOLE,
    CHARDEV_CHANNEL,
    CHARDEV_PARALLEL
} ChardevKind;

/* A <console> with target type serial and port 0 mirrors serial 0 (is_serial_alias) and makes no
 * device of its own, as in libvirt. */
typedef struct ChardevDef {
    ChardevKind kind;
    ChardevSource source;
    char *target_type;  /* serial: isa-serial/..., console: serial/virtio/sclp, channel: virtio */
    char *target_name;  /* channel: org.qemu.guest_agent.0 */
    char *target_model; /* serial: isa-serial, pci-serial, ... */
    char *target_address, *target_port; /* channel: guestfwd */
    unsigned port;
    bool has_port;
    bool is_serial_alias;
    char *state;     /* channel, live: connected, disconnected */
    DeviceInfo info; /* at run time: serial0, console0, channel0 */
} ChardevDef;

extern const Words chardev_types;
/* Of ChardevSource: @type, <source>, <protocol>, <reconnect>, <log>. */
extern const Field chardev_source_fields[];
/* What the type needs, and defaults; for the checks of elements with those fields. */
int chardev_check_source(ElementReader *reader, xmlNodePtr node, ChardevSource *source);
extern const Element serial_element, parallel_element, console_element, channel_element;
