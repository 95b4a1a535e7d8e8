/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small helpers of the domain parser. */
#include <ctype.h>
#include <stdio.h>

#include "conf/domain-parse-internal.h"

bool node_is(xmlNodePtr node, const char *name) {
    return node->type == XML_ELEMENT_NODE && xmlStrEqual(node->name, BAD_CAST name);
}

xmlNodePtr node_child(xmlNodePtr node, const char *name) {
    for (xmlNodePtr at = node->children; at; at = at->next)
        if (node_is(at, name))
            return at;
    return NULL;
}

static char *take(xmlChar *text) {
    char *copy = text ? strdup((const char *)text) : NULL;

    xmlFree(text);
    return copy;
}

char *node_attribute(xmlNodePtr node, const char *name) {
    return take(xmlGetNoNsProp(node, BAD_CAST name));
}

char *node_text(xmlNodePtr node) {
    return take(xmlNodeGetContent(node));
}

/* A node's path costs a walk over its siblings: a text full of unknown ones must not take for ever.
 */
#define WARNINGS_MAX 32u

void parse_warn(Parser *parser, xmlNodePtr node) {
    xmlChar *path;

    if (!parser->params->warning || parser->n_warnings++ >= WARNINGS_MAX)
        return;
    path = xmlGetNodePath(node);
    parser->params->warning(path ? (const char *)path : (const char *)node->name,
                            xmlGetLineNo(node), parser->params->userdata);
    xmlFree(path);
}

int parse_refuse(Parser *parser, xmlNodePtr node, const char *detail) {
    return error_report(parser->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                        "<%s> in line %ld is not supported yet%s%s", (const char *)node->name,
                        xmlGetLineNo(node), detail ? ": " : "", detail ? detail : "");
}

int parse_children(Parser *parser, xmlNodePtr node, const ElementReader *readers, size_t n) {
    for (xmlNodePtr at = node->children; at; at = at->next) {
        const ElementReader *reader = NULL;
        int r;

        if (at->type != XML_ELEMENT_NODE)
            continue;
        for (size_t i = 0; i < n && !reader; i++)
            if (node_is(at, readers[i].name))
                reader = &readers[i];
        if (!reader) {
            parse_warn(parser, at);
            continue;
        }
        if (reader->unsupported)
            return parse_refuse(parser, at, NULL);
        r = reader->read ? reader->read(parser, at) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

static int bad_attribute(Parser *parser, xmlNodePtr node, const char *name, const char *value) {
    return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                        "Invalid value for attribute '%s' in element '%s': '%.80s' (line %ld)",
                        name, (const char *)node->name, value, xmlGetLineNo(node));
}

int attribute_unsigned(Parser *parser, xmlNodePtr node, const char *name, unsigned max,
                       unsigned *ret) {
    CLEANUP_FREE char *text = node_attribute(node, name);
    char *end = NULL;
    unsigned long value;

    if (!text)
        return 0;
    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno || !isdigit((unsigned char)*text) || *end || value > max)
        return bad_attribute(parser, node, name, text);
    *ret = value;
    return 0;
}

int attribute_bool(Parser *parser, xmlNodePtr node, const char *name, bool *ret) {
    Tristate value = TRISTATE_ABSENT;
    int r = attribute_tristate(parser, node, name, &value);

    if (r >= 0 && value != TRISTATE_ABSENT)
        *ret = value == TRISTATE_YES;
    return r;
}

int attribute_tristate(Parser *parser, xmlNodePtr node, const char *name, Tristate *ret) {
    CLEANUP_FREE char *text = node_attribute(node, name);

    if (!text)
        return 0;
    if (streq(text, "yes") || streq(text, "on"))
        *ret = TRISTATE_YES;
    else if (streq(text, "no") || streq(text, "off"))
        *ret = TRISTATE_NO;
    else
        return bad_attribute(parser, node, name, text);
    return 0;
}

int attribute_enum(Parser *parser, xmlNodePtr node, const char *name, const char *const *names,
                   size_t n, int *ret) {
    CLEANUP_FREE char *text = node_attribute(node, name);
    int value;

    if (!text)
        return 0;
    value = enum_from_string(names, n, text);
    if (value < 0)
        return bad_attribute(parser, node, name, text);
    *ret = value;
    return 0;
}

void attribute_string(xmlNodePtr node, const char *name, char **to) {
    char *text = node_attribute(node, name);

    if (!text)
        return;
    free(*to);
    *to = text;
}

/* Bytes in a unit, 0 for an unknown one (libvirt's formatdomain, "memory"). */
static uint64_t unit_bytes(const char *unit) {
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = {{"b", 1},
                 {"B", 1},
                 {"bytes", 1},
                 {"KB", 1000},
                 {"k", 1024},
                 {"KiB", 1024},
                 {"MB", 1000000},
                 {"M", UINT64_C(1) << 20},
                 {"MiB", UINT64_C(1) << 20},
                 {"GB", 1000000000},
                 {"G", UINT64_C(1) << 30},
                 {"GiB", UINT64_C(1) << 30},
                 {"TB", UINT64_C(1000000000000)},
                 {"T", UINT64_C(1) << 40},
                 {"TiB", UINT64_C(1) << 40}};

    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (streq(units[i].name, unit))
            return units[i].bytes;
    return 0;
}

int parse_size_bytes(Parser *parser, xmlNodePtr node, const char *number, const char *unit,
                     uint64_t *ret) {
    uint64_t bytes = unit_bytes(unit), value;
    char *end = NULL;

    if (!bytes)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_INVALID_ARG,
                            "unknown suffix '%.80s' in element '%s' (line %ld)", unit,
                            (const char *)node->name, xmlGetLineNo(node));
    while (number && isspace((unsigned char)*number))
        number++;
    errno = 0;
    value = number ? strtoull(number, &end, 10) : 0;
    while (end && isspace((unsigned char)*end))
        end++;
    if (!number || errno || !isdigit((unsigned char)*number) || *end || value > INT64_MAX / bytes)
        return error_report(parser->reterr, FROM_DOMAIN, ERROR_XML,
                            "Invalid value '%.80s' for element '%s' (line %ld)",
                            number ? number : "", (const char *)node->name, xmlGetLineNo(node));
    *ret = value * bytes;
    return 0;
}

int parse_size_kib(Parser *parser, xmlNodePtr node, const char *number, const char *unit,
                   uint64_t *ret) {
    uint64_t bytes = 0;
    int r = parse_size_bytes(parser, node, number, unit ? unit : "KiB", &bytes);

    if (r >= 0)
        *ret = (bytes + 1023) / 1024;
    return r;
}

void *array_append(void *array, size_t *n, size_t size) {
    void **p = array, *bigger = realloc(*p, (*n + 1) * size);

    if (!bigger)
        return NULL;
    *p = bigger;
    memset((char *)bigger + *n * size, 0, size);
    return (char *)bigger + (*n)++ * size;
}
