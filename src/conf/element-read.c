/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading by tables. A node is claimed by a mark in libxml2's _private, which is the
 * application's. */
#include "conf/element-internal.h"
#include "conf/xml-text.h"

#define NOTES_MAX 32u /* a node's path costs a walk over its siblings */
#define TEXT_MAX (1u << 20)

static const char claimed, claimed_wholly;

void element_claim(xmlNodePtr node) {
    node->_private = (void *)(uintptr_t)&claimed_wholly;
}

static void claim(xmlNodePtr node) {
    if (!node->_private)
        node->_private = (void *)(uintptr_t)&claimed;
}

bool element_is(xmlNodePtr node, const char *name) {
    return node->type == XML_ELEMENT_NODE && !node->ns && streq((const char *)node->name, name);
}

/* The child that a path names: what is looked for in all of them, made ready once. */
typedef struct Wanted {
    const char *name;
    size_t len;
    const char *ns; /* of a name with a prefix; "": of none that there is */
} Wanted;

static Wanted want(const ElementReader *reader, const char *path, size_t len) {
    const char *colon = memchr(path, ':', len);

    if (!colon)
        return (Wanted){path, len, NULL};
    return (Wanted){colon + 1, len - (size_t)(colon + 1 - path), reader->ns ? reader->ns : ""};
}

static bool is_wanted(const Wanted *wanted, const xmlNode *node) {
    const char *name = (const char *)node->name;

    /* Most differ in the first letter. */
    if (node->type != XML_ELEMENT_NODE || *name != *wanted->name ||
        strncmp(name, wanted->name, wanted->len) != 0 || name[wanted->len])
        return false;
    if (!wanted->ns)
        return !node->ns;
    return node->ns && node->ns->href && streq((const char *)node->ns->href, wanted->ns);
}

static xmlNodePtr find_child(const ElementReader *reader, xmlNodePtr node, const char *path) {
    Wanted wanted;

    if (!node->children)
        return NULL;
    wanted = want(reader, path, strcspn(path, "@"));
    for (xmlNodePtr at = node->children; at; at = at->next)
        if (is_wanted(&wanted, at))
            return at;
    return NULL;
}

xmlNodePtr element_child(xmlNodePtr node, const char *name) {
    ElementReader none = {0};

    return find_child(&none, node, name);
}

static xmlAttrPtr find_attribute(xmlNodePtr node, const char *name) {
    for (xmlAttrPtr at = node->properties; at; at = at->next)
        if (*at->name == (xmlChar)*name && !at->ns && streq((const char *)at->name, name))
            return at;
    return NULL;
}

static int take(ElementReader *reader, xmlNodePtr node, xmlChar *text, char **ret) {
    char *copy = text ? strdup((const char *)text) : NULL;

    xmlFree(text);
    if (!copy)
        return error_no_memory(reader->reterr);
    if (strlen(copy) > TEXT_MAX) {
        free(copy);
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "the text of <%s> in line %ld is longer than %u bytes",
                            (const char *)node->name, xmlGetLineNo(node), TEXT_MAX);
    }
    *ret = copy;
    return 0;
}

/* A single text is there as it is; NULL: it is in pieces. */
static const char *plain_text(const xmlNode *children) {
    if (!children)
        return "";
    if (children->next || children->type != XML_TEXT_NODE)
        return NULL;
    return children->content ? (const char *)children->content : "";
}

static int content(ElementReader *reader, xmlNodePtr node, const xmlNode *children, char **ret) {
    const char *text = plain_text(children);

    if (!text)
        return take(reader, node, xmlNodeGetContent(children->parent), ret);
    *ret = strdup(text);
    return *ret ? 0 : error_no_memory(reader->reterr);
}

int element_attribute(ElementReader *reader, xmlNodePtr node, const char *name, char **ret) {
    xmlAttrPtr attribute = find_attribute(node, name);

    *ret = NULL;
    if (!attribute)
        return 0;
    attribute->_private = (void *)(uintptr_t)&claimed;
    return content(reader, node, attribute->children, ret);
}

int element_text(ElementReader *reader, xmlNodePtr node, char **ret) {
    *ret = NULL;
    return content(reader, node, node->children, ret);
}

void element_note(ElementReader *reader, ElementNoteKind kind, xmlNodePtr node) {
    xmlChar *path;

    if (!reader->note || reader->n_notes[kind]++ >= NOTES_MAX)
        return;
    path = xmlGetNodePath(node);
    reader->note(kind, path ? (const char *)path : (const char *)node->name, xmlGetLineNo(node),
                 reader->userdata);
    xmlFree(path);
}

int element_missing(ElementReader *reader, xmlNodePtr node, const char *what) {
    const char *at = strchr(what, '@');

    if (at == what)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "Missing required attribute '%s' in element '%s' (line %ld)", at + 1,
                            (const char *)node->name, xmlGetLineNo(node));
    if (at)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "missing <%.*s %s=...> in <%s> (line %ld)", (int)(at - what), what,
                            at + 1, (const char *)node->name, xmlGetLineNo(node));
    return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML, "missing %s in <%s> (line %ld)",
                        streq(what, ".") ? "text" : what, (const char *)node->name,
                        xmlGetLineNo(node));
}

/* A row whose value is a text somewhere: an attribute's or an element's. */
static int read_value(ElementReader *reader, const Field *field, xmlNodePtr node, void *object) {
    const char *at = *field->path == '@' ? field->path : strchr(field->path, '@'), *text = NULL;
    CLEANUP_FREE char *pieces = NULL, *unit = NULL;
    const xmlNode *children = NULL;
    xmlAttrPtr attribute = NULL;
    xmlNodePtr from = node;
    int r = 0;

    if (at != field->path && !streq(field->path, "."))
        from = find_child(reader, node, field->path);
    if (from) {
        claim(from);
        attribute = at ? find_attribute(from, at + 1) : NULL;
        children = at && attribute ? attribute->children : from->children;
    }
    if (attribute)
        attribute->_private = (void *)(uintptr_t)&claimed;
    if (attribute || (from && !at)) {
        text = plain_text(children);
        if (!text)
            r = take(reader, from, xmlNodeGetContent(children->parent), &pieces);
        text = pieces ? pieces : text;
    }
    if (r < 0)
        return r;
    if (text && !*text && !(field->flags & FIELD_EMPTY) && (!at || field->kind == FIELD_KIND_TEXT))
        text = NULL;
    if (!text)
        return field->flags & FIELD_REQUIRED ? element_missing(reader, node, field->path) : 0;
    if (field->flags & (FIELD_NOT_ACTED | FIELD_NOT_STARTED) && !(field->flags & FIELD_SILENT))
        element_note(reader, ELEMENT_KEPT, from);
    if (field->kind == FIELD_KIND_SIZE)
        r = element_attribute(reader, from, "unit", &unit);
    if (r >= 0)
        r = element_set_value(reader, from, field, text, unit, object);
    if (r >= 0 && field->kind == FIELD_KIND_WORD &&
        field->words->not_started & WORD_MASK(field_get(field, object)))
        element_note(reader, ELEMENT_KEPT, from);
    return r;
}

/* ---- elements ---- */

static int read_item(ElementReader *reader, const Field *field, xmlNodePtr node, void *object) {
    size_t *n = field_count(field, object), limit = field->limit ? field->limit : ELEMENT_LIST_MAX;
    void *item;

    if (*n >= limit)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "more than %zu <%s> elements (line %ld)", limit,
                            (const char *)node->name, xmlGetLineNo(node));
    item = array_append(field_pointer(field, object), n, field->element->size);
    if (!item)
        return error_no_memory(reader->reterr);
    if (field->tag)
        memcpy((char *)item + field->tag - 1, &field->tag_value, sizeof(field->tag_value));
    return element_read(reader, field->element, node, item);
}

static int read_one(ElementReader *reader, const Field *field, xmlNodePtr node, void *object) {
    void **to = field_pointer(field, object);

    if (!*to)
        *to = calloc(1, field->element->size);
    return *to ? element_read(reader, field->element, node, *to) : error_no_memory(reader->reterr);
}

static int read_state(ElementReader *reader, const Field *field, xmlNodePtr node, void *object) {
    Field attribute = {.kind = FIELD_KIND_TRISTATE,
                       .path = "@state",
                       .offset = field->offset,
                       .width = field->width};

    field_set(field, object, TRISTATE_YES);
    return read_value(reader, &attribute, node, object);
}

static int read_child(ElementReader *reader, const Field *field, xmlNodePtr child, void *object) {
    bool *given = field->kind != FIELD_KIND_LIST && field->kind != FIELD_KIND_ONE
                      ? field_given(field, object)
                      : NULL;
    const Field *rows;

    claim(child);
    if (field->flags & (FIELD_NOT_ACTED | FIELD_NOT_STARTED) && !(field->flags & FIELD_SILENT))
        element_note(reader, ELEMENT_KEPT, child);
    if (given)
        *given = true;
    switch (field->kind) {
    case FIELD_KIND_STATE:
        return read_state(reader, field, child, object);
    case FIELD_KIND_PRESENT:
        field_set(field, object, true);
        return 0;
    case FIELD_KIND_LIST:
        return read_item(reader, field, child, object);
    case FIELD_KIND_ONE:
        return read_one(reader, field, child, object);
    case FIELD_KIND_GROUP:
        return element_read_fields(reader, field->fields, child, field_part(field, object));
    case FIELD_KIND_SWITCH:
        rows = field_choice(field, object);
        return rows ? element_read_fields(reader, rows, child, object) : 0;
    case FIELD_KIND_VERBATIM:
        element_claim(child);
        free(*field_pointer(field, object));
        *field_pointer(field, object) = xml_text(child);
        return *field_pointer(field, object) ? 0 : error_no_memory(reader->reterr);
    case FIELD_KIND_CODE:
        return field->read(reader, child, object);
    default:
        assert(false);
        return 0;
    }
}

/* A row whose value is a whole child, or several. */
static int read_children(ElementReader *reader, const Field *field, xmlNodePtr node, void *object) {
    bool each = field->kind == FIELD_KIND_LIST || field->flags & FIELD_EACH, found = false;
    Wanted wanted = {.name = ""};

    if (!field->path) /* rows of the same element */
        return read_child(reader, field, node, object);
    if (node->children)
        wanted = want(reader, field->path, strlen(field->path));
    for (xmlNodePtr at = node->children; at; at = at->next) {
        int r;

        if (!is_wanted(&wanted, at))
            continue;
        if (found && field->flags & FIELD_SINGLE)
            return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                                "only one <%s> is possible (line %ld)", field->path,
                                xmlGetLineNo(at));
        found = true;
        r = read_child(reader, field, at, object);
        if (r < 0 || !(each || field->flags & FIELD_SINGLE))
            return r;
    }
    return !found && field->flags & FIELD_REQUIRED ? element_missing(reader, node, field->path) : 0;
}

static void pass_over(const ElementReader *reader, const Field *field, xmlNodePtr node) {
    const char *at = strchr(field->path, '@');
    xmlNodePtr from = at == field->path ? node : find_child(reader, node, field->path);
    xmlAttrPtr attribute = from && at ? find_attribute(from, at + 1) : NULL;

    if (!at && from)
        element_claim(from);
    if (attribute) {
        attribute->_private = (void *)(uintptr_t)&claimed;
        claim(from);
    }
}

static int read_field(ElementReader *reader, const Field *field, xmlNodePtr node, void *object) {
    if (field->kind == FIELD_KIND_ALSO || (field->flags & FIELD_LIVE && !reader->live)) {
        if (field->path)
            pass_over(reader, field, node);
        return 0;
    }
    switch (field->kind) {
    case FIELD_KIND_TEXT:
    case FIELD_KIND_WORD:
    case FIELD_KIND_TRISTATE:
    case FIELD_KIND_UINT:
    case FIELD_KIND_INT:
    case FIELD_KIND_SIZE:
    case FIELD_KIND_BITMAP:
    case FIELD_KIND_UUID:
    case FIELD_KIND_FIXED:
        return read_value(reader, field, node, object);
    case FIELD_KIND_STORED:
    case FIELD_KIND_END:
    case FIELD_KIND_ALSO:
        return 0;
    case FIELD_KIND_CODE:
        if (!field->read)
            return 0;
        return read_children(reader, field, node, object);
    case FIELD_KIND_STATE:
    case FIELD_KIND_PRESENT:
    case FIELD_KIND_LIST:
    case FIELD_KIND_ONE:
    case FIELD_KIND_GROUP:
    case FIELD_KIND_SWITCH:
    case FIELD_KIND_VERBATIM:
        return read_children(reader, field, node, object);
    }
    return 0;
}

/* A bit for how a name begins; a path's ends with its '@', too. */
static uint64_t beginning(const char *name) {
    const char second = name[1] == '@' ? '\0' : name[1];

    return UINT64_C(1) << (((unsigned)name[0] * 7 + (unsigned)second) % 64);
}

/* How the children's names begin. One with a prefix may be any row's. */
static uint64_t beginnings(const xmlNode *node) {
    uint64_t bits = 0;

    for (const xmlNode *at = node->children; at; at = at->next)
        if (at->type == XML_ELEMENT_NODE)
            bits |= at->ns ? UINT64_MAX : beginning((const char *)at->name);
    return bits;
}

/* Most rows of most elements find nothing; this tells so of most of them. */
static bool finds_nothing(const Field *field, const xmlNode *node, uint64_t children) {
    const char *path = field->path;

    if (!path || *path == '.' || field->flags & FIELD_REQUIRED)
        return false;
    return *path == '@' ? !node->properties : !(children & beginning(path));
}

int element_read_fields(ElementReader *reader, const Field *fields, xmlNodePtr node, void *object) {
    const uint64_t children = beginnings(node);

    for (const Field *field = fields; field->kind != FIELD_KIND_END; field++) {
        int r;

        if (finds_nothing(field, node, children))
            continue;
        r = read_field(reader, field, node, object);
        if (r < 0)
            return r;
    }
    return 0;
}

int element_read(ElementReader *reader, const Element *element, xmlNodePtr node, void *to) {
    int r;

    claim(node);
    if (reader->depth >= ELEMENT_DEPTH_MAX)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "<%s> in line %ld is nested deeper than %u elements",
                            (const char *)node->name, xmlGetLineNo(node), ELEMENT_DEPTH_MAX);
    if (xmlChildElementCount(node) > ELEMENT_CHILDREN_MAX)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "<%s> in line %ld has more than %u children", (const char *)node->name,
                            xmlGetLineNo(node), ELEMENT_CHILDREN_MAX);
    if (element->init)
        element->init(to);
    reader->depth++;
    r = element_read_fields(reader, element->fields, node, to);
    if (r >= 0 && element->check)
        r = element->check(reader, node, to);
    reader->depth--;
    return r;
}

void element_tell_unclaimed(ElementReader *reader, xmlNodePtr node) {
    for (xmlAttrPtr at = node->properties; at; at = at->next)
        if (!at->_private)
            element_note(reader, ELEMENT_UNKNOWN, (xmlNodePtr)at);
    for (xmlNodePtr at = node->children; at; at = at->next) {
        if (at->type != XML_ELEMENT_NODE || at->_private == &claimed_wholly)
            continue;
        if (at->_private)
            element_tell_unclaimed(reader, at);
        else
            element_note(reader, ELEMENT_UNKNOWN, at);
    }
}
