/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text to XML tree to definition. */
#include "conf/domain-parse.h"

#include "conf/domain-validate.h"
#include "conf/xml-document.h"

typedef struct Notes {
    const DomainParseParams *params;
} Notes;

static void note(ElementNoteKind kind, const char *path, long line, void *userdata) {
    const DomainParseParams *params = ((Notes *)userdata)->params;

    if (kind == ELEMENT_UNKNOWN && params->warning)
        params->warning(path, (int)line, params->userdata);
    if (kind == ELEMENT_KEPT && params->kept)
        params->kept(path, (int)line, params->userdata);
}

/* What stands in a second <devices>, and the like, counts as if it stood in the first. */
static void join_sections(xmlNodePtr root) {
    static const char *const names[] = {"devices", "features",  "os",           "cputune",
                                        "memtune", "blkiotune", "memoryBacking"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        xmlNodePtr first = element_child(root, names[i]), next;

        for (xmlNodePtr at = first ? first->next : NULL; at; at = next) {
            next = at->next;
            if (!element_is(at, names[i]))
                continue;
            while (at->children) {
                xmlNodePtr child = at->children;

                xmlUnlinkNode(child);
                xmlAddChild(first, child);
            }
            element_claim(at);
        }
    }
}

int domain_parse_node(void *root, const DomainParseParams *params, DomainDef **ret,
                      Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *def = calloc(1, sizeof(DomainDef));
    Notes notes = {params};
    ElementReader reader = {.note = note,
                            .userdata = &notes,
                            .live = params->live,
                            .ns = QEMU_NAMESPACE_URI,
                            .context = params->default_arch,
                            .reterr = reterr};
    xmlNodePtr node = root;
    int r;

    if (!def)
        return error_no_memory(reterr);
    if (!element_is(node, "domain"))
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "expecting root element of 'domain', not '%.80s'",
                            (const char *)node->name);
    join_sections(node);
    r = element_read(&reader, &domain_element, node, def);
    if (r >= 0)
        element_tell_unclaimed(&reader, node);
    if (r >= 0 && !params->live)
        r = domain_validate(def, reterr);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(def);
    return 0;
}

static int check_text(const char *xml, size_t len, Error **reterr) {
    if (len > DOMAIN_XML_MAX)
        return error_report(reterr, FROM_DOMAIN, ERROR_INVALID_ARG,
                            "the domain XML is %zu bytes long, %u are allowed", len,
                            DOMAIN_XML_MAX);
    if (xml_count_namespaces(xml, len) > DOMAIN_NAMESPACES_MAX)
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "the domain XML declares more than %u namespaces",
                            DOMAIN_NAMESPACES_MAX);
    return 0;
}

static bool is_deeper_than(const xmlNode *root, unsigned max) {
    const xmlNode *node = root;
    unsigned depth = 1;

    while (depth <= max || node->type != XML_ELEMENT_NODE) {
        if (node->type == XML_ELEMENT_NODE && node->children) {
            node = node->children;
            depth++;
            continue;
        }
        for (; node != root && !node->next; node = node->parent)
            depth--;
        if (node == root)
            return false;
        node = node->next;
    }
    return true;
}

int domain_parse(const char *xml, size_t len, const DomainParseParams *params, DomainDef **ret,
                 Error **reterr) {
    xmlParserCtxtPtr context;
    xmlDocPtr doc;
    int r = check_text(xml, len, reterr);

    if (r < 0)
        return r;
    context = xmlNewParserCtxt();
    if (!context)
        return error_no_memory(reterr);
    doc = xml_read(context, xml, len);
    if (!doc)
        r = xml_malformed(context, xml, len, "domain_definition", reterr);
    else if (doc->intSubset || doc->extSubset) /* entities could grow without bound */
        r = error_report(reterr, FROM_DOMAIN, ERROR_XML_DETAIL,
                         "(domain_definition): a document type declaration is not allowed");
    else if (is_deeper_than(xmlDocGetRootElement(doc), DOMAIN_DEPTH_MAX))
        r = error_report(reterr, FROM_DOMAIN, ERROR_XML,
                         "the domain XML has elements nested deeper than %u", DOMAIN_DEPTH_MAX);
    else
        r = domain_parse_node(xmlDocGetRootElement(doc), params, ret, reterr);
    xmlFreeDoc(doc);
    xmlFreeParserCtxt(context);
    return r;
}
