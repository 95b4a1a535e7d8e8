/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the domain-parse-*.c files share: the reader's state and small XML helpers. */
#pragma once

#include <libxml/tree.h>

#include "conf/domain-enums.h"
#include "conf/domain-parse.h"

typedef struct Parser {
    const DomainParseParams *params;
    DomainDef *def;
    Error **reterr;
    unsigned n_warnings;
} Parser;

/* One child element's reader; a table of them per parent. */
typedef struct ElementReader {
    const char *name;
    int (*read)(Parser *parser, xmlNodePtr node); /* NULL: known, accepted, ignored */
    bool unsupported;                             /* known and refused by name */
} ElementReader;

/* Runs the table over node's child elements; warns of unknown ones. */
int parse_children(Parser *parser, xmlNodePtr node, const ElementReader *readers, size_t n);

/* Says that this element is passed over, to whoever wants to know. */
void parse_warn(Parser *parser, xmlNodePtr node);

/* "unsupported configuration: <name> in line N is not supported: detail". */
int parse_refuse(Parser *parser, xmlNodePtr node, const char *detail);

/* Attribute or text, malloc'ed; NULL when absent. -ENOMEM is folded into NULL. */
char *node_attribute(xmlNodePtr node, const char *name);
char *node_text(xmlNodePtr node);
bool node_is(xmlNodePtr node, const char *name);
xmlNodePtr node_child(xmlNodePtr node, const char *name);

/* Attribute readers; absent leaves *ret alone. Bad values are errors with name and line. */
int attribute_unsigned(Parser *parser, xmlNodePtr node, const char *name, unsigned max,
                       unsigned *ret);
int attribute_bool(Parser *parser, xmlNodePtr node, const char *name, bool *ret);
int attribute_tristate(Parser *parser, xmlNodePtr node, const char *name, Tristate *ret);
/* Index in names, by attribute; *ret untouched when absent. */
int attribute_enum(Parser *parser, xmlNodePtr node, const char *name, const char *const *names,
                   size_t n, int *ret);
/* Replaces *to by the attribute when present. */
void attribute_string(xmlNodePtr node, const char *name, char **to);
/* A size with unit attribute `unit_name` (default KiB) in KiB, rounded up. */
int parse_size_kib(Parser *parser, xmlNodePtr node, const char *number, const char *unit,
                   uint64_t *ret);
/* The same in bytes. */
int parse_size_bytes(Parser *parser, xmlNodePtr node, const char *number, const char *unit,
                     uint64_t *ret);

/* Appends a zeroed element of `size` bytes; NULL when out of memory. */
void *array_append(void *array, size_t *n, size_t size);

int parse_vcpu(Parser *parser, xmlNodePtr node);
int parse_vcpus(Parser *parser, xmlNodePtr node);
int parse_cpu(Parser *parser, xmlNodePtr node);
int parse_devices(Parser *parser, xmlNodePtr node);
int parse_resource(Parser *parser, xmlNodePtr node);
/* <iothreads>, <iothreadids>, <cputune> and <numatune> of the root, after all others. */
int parse_tune(Parser *parser, xmlNodePtr root);
