/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's XML, as the daemon gives it. */
#pragma once

#include <libxml/xpath.h>

#include "vireo.h"

/* The XML in fresh memory; flags: VIR_DOMAIN_XML_*. */
int xml_desc_get(Tool *tool, const remote_domain *dom, unsigned flags, char **ret, Error **reterr);

/* XML to be looked into by XPath. */
typedef struct XmlView {
    xmlDoc *doc;
    xmlXPathContext *context;
} XmlView;

/* A domain's XML; says what is wrong. */
int xml_view_domain(Tool *tool, const remote_domain *dom, unsigned flags, XmlView *ret);
/* -EINVAL when it is no XML; says nothing. */
int xml_view_text(const char *xml, XmlView *ret);
void xml_view_done(XmlView *view);

/* What the XPath expression selects, seen from `node` (NULL: the document): its text in fresh
 * memory, or NULL when there is nothing. */
char *xml_view_string(const XmlView *view, xmlNode *node, const char *path);
/* The nodes; NULL when there are none. xmlXPathFreeObject it. */
xmlXPathObject *xml_view_nodes(const XmlView *view, const char *path);
static inline void xml_nodes_freep(xmlXPathObject **nodes) {
    if (*nodes)
        xmlXPathFreeObject(*nodes);
}
/* A node as text in fresh memory. */
char *xml_view_dump(const XmlView *view, xmlNode *node);

/* Prints XML, or with the options --xpath and --wrap what the expression selects. */
int xml_print(const Tool *tool, const Args *args, const char *xml);
