/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Definitions that the parser refuses, as tables: a text, the error's code, words of its sentence.
 */
#pragma once

#include "conf/domain-parse.h"

typedef struct Bad {
    const char *xml; /* the whole text, or what follows HEAD's two lines inside <domain> */
    ErrorCode code;
    const char *words;
} Bad;

#define HEAD "<domain type='kvm'>\n<name>n</name>\n"
#define TAIL "\n<memory>1024</memory><os><type>hvm</type></os></domain>"
#define DEVICES(text) HEAD "<devices>\n" text "\n</devices>" TAIL
#define INSIDE(text) HEAD text TAIL

/* Ends the test unless the text is refused in just this way. */
void expect_refused(const char *xml, ErrorCode code, const char *words);
void expect_all_refused(const Bad *rows, size_t n);

/* What the parser only warns of: "PATH@LINE " for each. */
typedef struct Warnings {
    char text[1000];
} Warnings;

/* DomainParseParams.warning, with a Warnings as userdata. */
void note_warning(const char *path, int line, void *userdata);
