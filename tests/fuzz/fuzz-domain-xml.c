/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as domain XML. What is accepted must format, parse again and format to the same text. */
#include <libxml/parser.h>
#include <stdio.h>

#include "conf/domain-format.h"
#include "conf/domain-metadata.h"
#include "conf/domain-parse.h"
#include "fuzz.h"

static void on_warning(const char *path, int line, void *userdata) {
    if (!path || path[0] != '/')
        abort();
}

static const DomainParseParams params = {.default_arch = "x86_64", .warning = on_warning};

static char *format(const DomainDef *def, int id) {
    DomainFormatParams format_params = {.id = id};
    char *text = NULL;

    if (domain_format(def, &format_params, &text) < 0 || !text)
        abort();
    return text;
}

/* A fixed point: what we wrote, we accept, and write again in the same way. */
static void round_trip(const DomainDef *def) {
    CLEANUP_DOMAIN_DEF DomainDef *again = NULL, *copy = domain_def_copy(def);
    CLEANUP_FREE char *first = format(def, 0), *second = NULL, *third = NULL;
    CLEANUP_ERROR Error *error = NULL;

    free(format(def, 7)); /* the live form has no fixed point: aliases come from a running QEMU */
    if (domain_parse(first, strlen(first), &params, &again, &error) < 0) {
        /* Escapes and indentation may push a definition just below the limit over it. */
        if (strlen(first) > DOMAIN_XML_MAX)
            return;
        fprintf(stderr, "fuzz: not accepted again: %s\n%s\n", error_message(error), first);
        abort();
    }
    second = format(again, 0);
    third = copy ? format(copy, 0) : NULL;
    if (!streq(first, second) || !streq_ptr(first, third)) {
        fprintf(stderr, "fuzz: not stable:\n%s\nthen\n%s\ncopy\n%s\n", first, second, third);
        abort();
    }
}

static void check_well_formed(const char *element) {
    xmlDocPtr doc = xmlReadMemory(element, (int)strlen(element), NULL, NULL,
                                  XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);

    if (!doc) {
        fprintf(stderr, "fuzz: no XML by itself: %s\n", element);
        abort();
    }
    xmlFreeDoc(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *element = NULL;
    int r = domain_parse((const char *)data, size, &params, &def, &error);

    if (r < 0 ? (!error || def || !*error_message(error)) : (error || !def))
        abort();
    if (r < 0)
        return 0;
    if (domain_metadata_element(def->metadata, "http://example.org/x", &element, NULL) >= 0)
        check_well_formed(element);
    round_trip(def);
    return 0;
}
