/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Look-up in <metadata>. It was parsed once with the whole definition, so it parses again. */
#include "conf/domain-metadata.h"

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "conf/xml-text.h"

#define UNPLUG_MIN_MSEC 10
#define UNPLUG_MAX_MSEC 3600000

static void doc_freep(xmlDocPtr *doc) {
    if (*doc)
        xmlFreeDoc(*doc);
}

static xmlNodePtr find_child(xmlNodePtr metadata, const char *uri) {
    for (xmlNodePtr node = metadata ? metadata->children : NULL; node; node = node->next)
        if (node->type == XML_ELEMENT_NODE && node->ns && node->ns->href &&
            streq((const char *)node->ns->href, uri))
            return node;
    return NULL;
}

/* The prefix is the document's business, not the reader's. */
static void drop_prefix(xmlNodePtr node, const xmlNs *ns) {
    for (; node; node = node->next) {
        if (node->type != XML_ELEMENT_NODE)
            continue;
        if (node->ns == ns)
            node->ns = NULL;
        drop_prefix(node->children, ns);
    }
}

/* Moved to the root, which keeps it alive: attributes may still point to it. */
static void forget_declaration(xmlNodePtr node, xmlNsPtr ns) {
    xmlNodePtr root = xmlDocGetRootElement(node->doc);

    for (xmlNsPtr *at = &node->nsDef; *at; at = &(*at)->next)
        if (*at == ns) {
            *at = ns->next;
            ns->next = root->nsDef;
            root->nsDef = ns;
            return;
        }
}

int domain_def_metadata_element(const DomainDef *def, const char *uri, char **ret, Error **reterr) {
    CLEANUP(doc_freep) xmlDocPtr doc = NULL;
    xmlNodePtr node = NULL, copy;
    xmlNsPtr ns;

    if (def->metadata && uri) {
        doc = xmlReadMemory(def->metadata, strlen(def->metadata), NULL, NULL,
                            XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
        node = doc ? find_child(xmlDocGetRootElement(doc), uri) : NULL;
    }
    if (!node)
        return error_report(reterr, FROM_DOMAIN, ERROR_NO_DOMAIN_METADATA,
                            "Requested metadata element is not present");
    ns = node->ns;
    drop_prefix(node->children, ns);
    node->ns = NULL;
    forget_declaration(node, ns);
    /* The copy declares what was declared around it, and a prefix that attributes still have. */
    copy = xmlDocCopyNode(node, doc, 1);
    *ret = copy ? xml_text(copy) : NULL;
    xmlFreeNode(copy);
    return *ret ? 0 : error_no_memory(reterr);
}

int domain_metadata_parse(DomainDef *def, xmlNodePtr metadata, Error **reterr) {
    xmlNodePtr own = find_child(metadata, VIREO_METADATA_URI);

    def->unplug_timeout_usec = 0;
    for (xmlNodePtr node = own ? own->children : NULL; node; node = node->next) {
        xmlChar *text;
        char *end = NULL;
        long value;
        bool ok;

        if (node->type != XML_ELEMENT_NODE || !streq((const char *)node->name, "unplug"))
            continue;
        text = xmlGetProp(node, BAD_CAST "timeout-ms");
        value = text ? strtol((const char *)text, &end, 10) : 0;
        ok = end && *text && *end == '\0' && value >= UNPLUG_MIN_MSEC && value <= UNPLUG_MAX_MSEC;
        if (!ok)
            error_report(reterr, FROM_DOMAIN, ERROR_XML,
                         "'timeout-ms' of Vireo's <unplug> in <metadata> must be %d to %d "
                         "milliseconds, not '%s'",
                         UNPLUG_MIN_MSEC, UNPLUG_MAX_MSEC, text ? (const char *)text : "");
        xmlFree(text);
        if (!ok)
            return -EINVAL;
        def->unplug_timeout_usec = (uint64_t)value * 1000;
    }
    return 0;
}
