/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/chardev.h"

#include <stdio.h>

#include "util/file.h"

const Words chardev_types = WORDS_NOT_STARTED(
    WORD_MASK(CHARDEV_STDIO) | WORD_MASK(CHARDEV_NMDM), "", "pty", "file", "unix", "null", "vc",
    "dev", "pipe", "stdio", "udp", "tcp", "spicevmc", "spiceport", "nmdm", "qemu-vdagent", "dbus");

static const Words modes = WORDS("bind", "connect");
/* The last two encrypt. */
static const Words protocols = WORDS_NOT_STARTED(WORD_MASK(2) | WORD_MASK(3), "raw", "telnet",
                                                 "telnets", "tls");
static const Words mouse_modes = WORDS("client", "server");

static const Field end_reconnect_fields[] = {
    FIELD_TEXT("@enabled", ChardevEnd, reconnect),
    FIELD_UINT("@timeout", ChardevEnd, reconnect_timeout, 0, UINT32_MAX), FIELD_END};
static const Field end_fields[] = {
    FIELD_CHOICE("@mode", ChardevEnd, mode, modes),
    FIELD_TEXT("@host", ChardevEnd, host),
    FIELD_TEXT("@service", ChardevEnd, service),
    FIELD_YESNO("@tls", ChardevEnd, tls, .flags = FIELD_NOT_STARTED),
    FIELD_STORED(ChardevEnd, reconnect), /* of tcp, which has the same list */
    FIELD_END};
static const Element end_element = {"source", sizeof(ChardevEnd), end_fields, NULL, NULL};

/* ---- <source> by type ---- */

static const Field pty_fields[] = {
    FIELD_TEXT("source@path", ChardevSource, path, .flags = FIELD_LIVE), FIELD_END};
#define SECLABELS                                                                                  \
    FIELD_LIST("seclabel", ChardevSource, seclabels, n_seclabels, device_seclabel_element)

static const Field file_source[] = {FIELD_TEXT("@path", ChardevSource, path),
                                    FIELD_ON_OFF("@append", ChardevSource, append), SECLABELS,
                                    FIELD_END};
static const Field file_fields[] = {FIELD_GROUP("source", file_source), FIELD_END};
static const Field path_source[] = {FIELD_TEXT("@path", ChardevSource, path), SECLABELS, FIELD_END};
static const Field path_fields[] = {FIELD_GROUP("source", path_source), FIELD_END};

static const Field reconnect_fields[] = {
    FIELD_TEXT("@enabled", ChardevSource, reconnect),
    FIELD_UINT("@timeout", ChardevSource, reconnect_timeout, 0, UINT32_MAX), FIELD_END};
static const Field unix_source[] = {FIELD_CHOICE("@mode", ChardevSource, mode, modes),
                                    FIELD_TEXT("@path", ChardevSource, path), SECLABELS,
                                    FIELD_GROUP("reconnect", reconnect_fields), FIELD_END};
static const Field unix_fields[] = {FIELD_GROUP("source", unix_source), FIELD_END};
static const Field ends_fields[] = {
    FIELD_LIST("source", ChardevSource, ends, n_ends, end_element, .limit = 2), FIELD_END};
static const Field tcp_end_fields[] = {
    FIELD_CHOICE("@mode", ChardevEnd, mode, modes),
    FIELD_TEXT("@host", ChardevEnd, host),
    FIELD_TEXT("@service", ChardevEnd, service),
    FIELD_YESNO("@tls", ChardevEnd, tls, .flags = FIELD_NOT_STARTED),
    FIELD_GROUP("reconnect", end_reconnect_fields),
    FIELD_END};
static const Element tcp_end_element = {"source", sizeof(ChardevEnd), tcp_end_fields, NULL, NULL};
static const Field tcp_fields[] = {
    FIELD_LIST("source", ChardevSource, ends, n_ends, tcp_end_element, .limit = 1),
    FIELD_CHOICE("protocol@type", ChardevSource, protocol, protocols), FIELD_END};
static const Field port_fields[] = {FIELD_TEXT("source@channel", ChardevSource, channel),
                                    FIELD_END};
static const Field nmdm_source[] = {FIELD_TEXT("@master", ChardevSource, master),
                                    FIELD_TEXT("@slave", ChardevSource, slave), FIELD_END};
static const Field nmdm_fields[] = {FIELD_GROUP("source", nmdm_source), FIELD_END};
static const Field vdagent_source[] = {
    FIELD_YESNO("clipboard@copypaste", ChardevSource, clipboard),
    FIELD_CHOICE("mouse@mode", ChardevSource, mouse_mode, mouse_modes), FIELD_END};
static const Field vdagent_fields[] = {FIELD_GROUP("source", vdagent_source), FIELD_END};

static const Field *const sources[CHARDEV_TYPE_MAX_] = {[CHARDEV_NONE_] = pty_fields,
                                                        [CHARDEV_PTY] = pty_fields,
                                                        [CHARDEV_FILE] = file_fields,
                                                        [CHARDEV_UNIX] = unix_fields,
                                                        [CHARDEV_DEV] = path_fields,
                                                        [CHARDEV_PIPE] = path_fields,
                                                        [CHARDEV_UDP] = ends_fields,
                                                        [CHARDEV_TCP] = tcp_fields,
                                                        [CHARDEV_SPICEPORT] = port_fields,
                                                        [CHARDEV_NMDM] = nmdm_fields,
                                                        [CHARDEV_QEMU_VDAGENT] = vdagent_fields,
                                                        [CHARDEV_DBUS] = port_fields};
static const Field log_fields[] = {FIELD_TEXT("@file", ChardevSource, log_file),
                                   FIELD_ON_OFF("@append", ChardevSource, log_append), FIELD_END};

const Field chardev_source_fields[] = {
    FIELD_WORD("@type", ChardevSource, type, chardev_types), FIELD_ALSO("@tty"),
    FIELD_SWITCH(NULL, ChardevSource, type, sources), FIELD_GROUP("log", log_fields), FIELD_END};

int chardev_check_source(ElementReader *reader, xmlNodePtr node, ChardevSource *source) {
    if (source->type == CHARDEV_NONE_)
        source->type = CHARDEV_PTY;
    if (source->type == CHARDEV_UDP && source->n_ends == 2 &&
        streq_ptr(source->ends[0].mode, "connect") &&
        !streq_ptr(source->ends[1].mode, "connect")) { /* its own end is written first */
        ChardevEnd peer = source->ends[0];

        source->ends[0] = source->ends[1];
        source->ends[1] = peer;
    }
    if (source->type == CHARDEV_UNIX && !source->path && streq_ptr(source->mode, "bind"))
        free(TAKE_PTR(source->mode));
    source->listen = source->type == CHARDEV_UNIX && !streq_ptr(source->mode, "connect");
    if ((source->type == CHARDEV_FILE || source->type == CHARDEV_DEV ||
         source->type == CHARDEV_PIPE) &&
        !source->path)
        return element_missing(reader, node, "source path");
    if (source->type == CHARDEV_TCP && (!source->n_ends || !source->ends[0].service))
        return element_missing(reader, node, "source host and service");
    if (source->type == CHARDEV_TCP && !source->protocol && !(source->protocol = strdup("raw")))
        return error_no_memory(reader->reterr);
    if (source->type == CHARDEV_SPICEPORT && !source->channel)
        return element_missing(reader, node, "source channel");
    return 0;
}

/* ---- devices ---- */

static const Field serial_target[] = {
    FIELD_TEXT("@type", ChardevDef, target_type),
    FIELD_UINT("@port", ChardevDef, port, 0, 255, FIELD_GIVEN(ChardevDef, has_port)),
    FIELD_TEXT("model@name", ChardevDef, target_model), FIELD_END};
static const Field channel_target[] = {FIELD_TEXT("@type", ChardevDef, target_type),
                                       FIELD_TEXT("@address", ChardevDef, target_address),
                                       FIELD_TEXT("@port", ChardevDef, target_port),
                                       FIELD_TEXT("@name", ChardevDef, target_name),
                                       FIELD_TEXT("@state", ChardevDef, state, .flags = FIELD_LIVE),
                                       FIELD_END};

#define SOURCE FIELD_PART(NULL, ChardevDef, source, chardev_source_fields)

static const Field serial_fields[] = {SOURCE, FIELD_GROUP("target", serial_target),
                                      FIELD_INFO(ChardevDef), FIELD_END};
static const Field channel_fields[] = {SOURCE, FIELD_GROUP("target", channel_target),
                                       FIELD_INFO(ChardevDef), FIELD_END};

static void write_console(ElementWriter *w, const void *object) {
    const ChardevDef *console = object;

    if (w->live && console->source.type == CHARDEV_PTY && console->source.path)
        writer_attribute(w, "tty", console->source.path);
}

static const Field console_source[] = {FIELD_WORD("@type", ChardevSource, type, chardev_types),
                                       FIELD_ALSO("@tty"), FIELD_END};
static const Field console_rest[] = {FIELD_SWITCH(NULL, ChardevSource, type, sources),
                                     FIELD_GROUP("log", log_fields), FIELD_END};
static const Field console_fields[] = {FIELD_PART(NULL, ChardevDef, source, console_source),
                                       FIELD_CODE(NULL, NULL, write_console),
                                       FIELD_PART(NULL, ChardevDef, source, console_rest),
                                       FIELD_GROUP("target", serial_target),
                                       FIELD_INFO(ChardevDef),
                                       FIELD_END};

static int check_serial(ElementReader *reader, xmlNodePtr node, void *object) {
    ChardevDef *chardev = object;
    int r = chardev_check_source(reader, node, &chardev->source);

    if (r >= 0 && chardev->source.type == CHARDEV_UNIX && !chardev->source.path)
        r = element_missing(reader, node, "source path");
    return r;
}

static int check_channel(ElementReader *reader, xmlNodePtr node, void *object) {
    ChardevDef *channel = object;
    const char *type = channel->target_type;

    if (!type)
        return element_missing(reader, node, "target type");
    if (!streq(type, "virtio") && !streq(type, "guestfwd") && !streq(type, "xen"))
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "unknown target type '%.40s' specified for character device (line %ld)",
                            type, xmlGetLineNo(node));
    return chardev_check_source(reader, node, &channel->source);
}

const Element serial_element = {"serial", sizeof(ChardevDef), serial_fields, NULL, check_serial};
const Element parallel_element = {"parallel", sizeof(ChardevDef), serial_fields, NULL,
                                  check_serial};
const Element console_element = {"console", sizeof(ChardevDef), console_fields, NULL, check_serial};
const Element channel_element = {"channel", sizeof(ChardevDef), channel_fields, NULL,
                                 check_channel};
