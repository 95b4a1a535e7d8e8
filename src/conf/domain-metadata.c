/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Look-up in <metadata>. It was parsed once with the whole definition, so it parses again. */
#include "conf/domain-metadata.h"

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "conf/domain-parse.h"
#include "conf/xml-document.h"
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

static xmlDocPtr read_text(const char *text) {
    return xmlReadMemory(text, (int)strlen(text), NULL, NULL,
                         XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
}

int domain_metadata_element(const char *metadata, const char *uri, char **ret, Error **reterr) {
    CLEANUP(doc_freep) xmlDocPtr doc = NULL;
    xmlNodePtr node = NULL, copy;
    xmlNsPtr ns;

    if (metadata && uri) {
        doc = read_text(metadata);
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

/* ---- editing ---- */

/* Elements that are in no namespace come into this one. */
static void put_into(xmlNodePtr node, xmlNsPtr ns) {
    for (; node; node = node->next) {
        if (node->type != XML_ELEMENT_NODE)
            continue;
        if (!node->ns)
            node->ns = ns;
        put_into(node->children, ns);
    }
}

static int add_element(xmlNodePtr metadata, const char *uri, const char *key, const char *element,
                       Error **reterr) {
    CLEANUP(doc_freep) xmlDocPtr doc = NULL;
    xmlNodePtr copy;
    xmlNsPtr ns;
    int r = xml_document_parse(element, strlen(element), METADATA_MAX, "metadata_xml", &doc,
                               reterr);

    if (r < 0)
        return r;
    if (xmlValidateNCName(BAD_CAST key, 0) != 0)
        return error_report(reterr, FROM_XML, ERROR_INVALID_ARG,
                            "the prefix '%.80s' of the metadata's namespace is no XML name", key);
    copy = xmlDocCopyNode(xmlDocGetRootElement(doc), metadata->doc, 1);
    ns = copy ? xmlNewNs(copy, BAD_CAST uri, BAD_CAST key) : NULL;
    if (!ns) {
        xmlFreeNode(copy);
        return error_report(reterr, FROM_XML, ERROR_INVALID_ARG,
                            "the metadata declares the prefix '%.80s' itself", key);
    }
    if (!copy->ns)
        copy->ns = ns;
    put_into(copy->children, ns);
    xmlAddChild(metadata, copy);
    return 0;
}

static bool has_elements(xmlNodePtr metadata) {
    for (xmlNodePtr node = metadata->children; node; node = node->next)
        if (node->type == XML_ELEMENT_NODE)
            return true;
    return false;
}

int domain_metadata_replace(const char *metadata, const char *uri, const char *key,
                            const char *element, char **ret, Error **reterr) {
    CLEANUP(doc_freep) xmlDocPtr doc = NULL;
    CLEANUP_FREE char *text = NULL;
    xmlNodePtr root, old;
    int r;

    if (element && xml_count_namespaces(element, strlen(element)) >= DOMAIN_NAMESPACES_MAX)
        return error_report(reterr, FROM_XML, ERROR_INVALID_ARG,
                            "the metadata declares more namespaces than the %u that a domain can "
                            "have",
                            DOMAIN_NAMESPACES_MAX);
    doc = read_text(metadata ? metadata : "<metadata/>");
    root = doc ? xmlDocGetRootElement(doc) : NULL;
    r = root ? 0 : error_no_memory(reterr);
    while (r >= 0 && (old = find_child(root, uri))) {
        xmlUnlinkNode(old);
        xmlFreeNode(old);
    }
    if (r >= 0 && element)
        r = add_element(root, uri, key, element, reterr);
    if (r < 0)
        return r;
    *ret = NULL;
    if (!has_elements(root))
        return 0;
    text = xml_text(root);
    if (!text)
        return error_no_memory(reterr);
    if (strlen(text) > METADATA_MAX)
        return error_report(reterr, FROM_XML, ERROR_INVALID_ARG,
                            "the metadata would be %zu bytes long, %u are allowed", strlen(text),
                            METADATA_MAX);
    *ret = TAKE_PTR(text);
    return 0;
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
