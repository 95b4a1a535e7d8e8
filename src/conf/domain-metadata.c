/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Look-up in <metadata>. It was parsed once with the whole definition, so it parses again. */
#include "conf/domain-metadata.h"

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "conf/xml-text.h"

static void doc_freep(xmlDocPtr *doc) {
    if (*doc)
        xmlFreeDoc(*doc);
}

static xmlNodePtr find_child(xmlDocPtr doc, const char *uri) {
    xmlNodePtr root = xmlDocGetRootElement(doc);

    for (xmlNodePtr node = root ? root->children : NULL; node; node = node->next)
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
        node = doc ? find_child(doc, uri) : NULL;
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
