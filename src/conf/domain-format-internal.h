/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the domain-format*.c files share: the writer's state and its words. */
#pragma once

#include <stdio.h>

#include "conf/domain-format.h"

typedef struct Writer {
    FILE *out;
    unsigned indent;
    bool live;
    const Bitmap *pending; /* or NULL */
} Writer;

/* A line at the current depth, newline added; %s arguments must be safe words. */
void writer_line(Writer *w, const char *format, ...) PRINTF_LIKE(2, 3);
/* <text> deeper by one, and back. */
void writer_open(Writer *w, const char *text);
void writer_close(Writer *w, const char *name);
/* <name>text</name>, escaped; nothing for NULL. */
void writer_element(Writer *w, const char *name, const char *text);
/* Starts "<name"; attributes follow, then end_empty or end_open. */
void writer_start(Writer *w, const char *name);
/* Nothing for a NULL value. */
void writer_attribute(Writer *w, const char *name, const char *value);
void writer_number(Writer *w, const char *name, uint64_t value);
void writer_list(Writer *w, const char *name, const Bitmap *map);
void writer_end_empty(Writer *w);
void writer_end_open(Writer *w);
void writer_escape(FILE *out, const char *text);

/* <iothreads> to <resource>. */
void format_tune(Writer *w, const DomainDef *def);
