/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/migrate-cookie.h"

#include <ctype.h>
#include <stdio.h>

#include "conf/xml-document.h"
#include "util/text.h"

#define COOKIE_VERSION 1

static const char *const verdict_names[MIGRATE_VERDICTS] = {"unknown", "online", "present",
                                                            "silent"};

void migrate_cookie_done(MigrateCookie *cookie) {
    free(cookie->name);
    free(cookie->host);
    free(cookie->boot);
    free(cookie->namespace);
    free(cookie->persistent);
    bitmap_free(cookie->pending);
    for (size_t i = 0; i < cookie->n_operations; i++)
        free(cookie->operations[i]);
    free(cookie->operations);
    for (size_t i = 0; i < MIGRATE_VERDICTS; i++)
        bitmap_free(cookie->verdicts[i]);
    *cookie = (MigrateCookie){0};
}

/* ---- writing ---- */

/* False: out of memory, as below. */
static bool write_escaped(FILE *out, const char *before, const char *text, const char *after) {
    xmlChar *escaped = text ? xmlEncodeSpecialChars(NULL, BAD_CAST text) : NULL;

    if (escaped)
        fprintf(out, "%s%s%s", before, (char *)escaped, after);
    xmlFree(escaped);
    return !text || escaped;
}

static bool write_ids(FILE *out, const char *name, const Bitmap *ids) {
    CLEANUP_FREE char *text = ids ? bitmap_format(ids) : NULL;

    if (text && *text)
        fprintf(out, " %s='%s'", name, text);
    return !ids || text;
}

static bool write_host(FILE *out, const MigrateCookie *cookie) {
    bool ok;

    fputs("  <host", out);
    ok = write_escaped(out, " name='", cookie->host, "'") &&
         write_escaped(out, " boot='", cookie->boot, "'") &&
         write_escaped(out, " namespace='", cookie->namespace, "'");
    fputs("/>\n", out);
    return ok;
}

static bool write_vcpus(FILE *out, const MigrateCookie *cookie) {
    bool ok;

    fputs("  <vcpus", out);
    ok = write_ids(out, "pending", cookie->pending);
    for (size_t i = 0; i < MIGRATE_VERDICTS; i++)
        ok = write_ids(out, verdict_names[i], cookie->verdicts[i]) && ok;
    fputs("/>\n", out);
    return ok;
}

/* libvirtd 9.0 reads a cookie of any name: hostname, hostuuid, then features that it has to know.
 */
static bool write_for_libvirtd(FILE *out, const MigrateCookie *cookie) {
    if (cookie->has_token)
        return true;
    if (!write_escaped(out, "  <hostname>", cookie->host, "</hostname>\n"))
        return false;
    fputs("  <hostuuid>00000000-0000-4000-8000-000000000000</hostuuid>\n"
          "  <feature name='vireod: its guests move between two vireods'/>\n",
          out);
    return true;
}

static void write_token(FILE *out, const MigrateCookie *cookie) {
    if (!cookie->has_token)
        return;
    fputs("  <token>", out);
    for (size_t i = 0; i < MIGRATE_TOKEN_SIZE; i++)
        fprintf(out, "%02x", cookie->token[i]);
    fputs("</token>\n", out);
}

char *migrate_cookie_format(const MigrateCookie *cookie) {
    char uuid[UUID_TEXT_SIZE];
    char *text = NULL;
    FILE *out = text_open(&text);
    bool ok;

    if (!out)
        return NULL;
    uuid_format(cookie->uuid, uuid);
    fprintf(out, "<vireo-migration version='%d'>\n  <uuid>%s</uuid>\n", COOKIE_VERSION, uuid);
    ok = write_escaped(out, "  <name>", cookie->name, "</name>\n") && write_host(out, cookie);
    fprintf(out, "  <definition check='%08x'/>\n", cookie->check);
    ok = write_vcpus(out, cookie) && write_for_libvirtd(out, cookie) && ok;
    if (cookie->rebooting)
        fputs("  <intent reboot='1'/>\n", out);
    for (size_t i = 0; i < cookie->n_operations; i++)
        ok = write_escaped(out, "  <operation>", cookie->operations[i], "</operation>\n") && ok;
    write_token(out, cookie);
    ok = write_escaped(out, "  <persistent>", cookie->persistent, "</persistent>\n") && ok;
    fputs("</vireo-migration>\n", out);
    if (fclose(out) == 0 && ok)
        return text;
    free(text);
    return NULL;
}

/* ---- reading ---- */

static xmlNodePtr child(xmlNodePtr node, const char *name) {
    for (xmlNodePtr at = node->children; at; at = at->next)
        if (at->type == XML_ELEMENT_NODE && xmlStrEqual(at->name, BAD_CAST name))
            return at;
    return NULL;
}

/* A copy, NULL when it is not there; false: out of memory. */
static bool take(xmlChar *text, char **ret) {
    *ret = text ? strdup((const char *)text) : NULL;
    xmlFree(text);
    return !text || *ret;
}

static bool read_text(xmlNodePtr root, const char *name, char **ret) {
    xmlNodePtr node = child(root, name);

    return take(node ? xmlNodeGetContent(node) : NULL, ret);
}

static bool read_attribute(xmlNodePtr root, const char *name, const char *attribute, char **ret) {
    xmlNodePtr node = child(root, name);

    return take(node ? xmlGetProp(node, BAD_CAST attribute) : NULL, ret);
}

static int bad(const char *what, Error **reterr) {
    return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                        "the migration's cookie cannot be used: %s", what);
}

static int read_ids(xmlNodePtr root, const char *name, Bitmap **ret, Error **reterr) {
    CLEANUP_FREE char *text = NULL;
    int r;

    if (!read_attribute(root, "vcpus", name, &text))
        return error_no_memory(reterr);
    r = text ? bitmap_parse(text, BITMAP_MAX_BITS, ret) : 0;
    return r == -ENOMEM ? error_no_memory(reterr) : r < 0 ? bad("no list of vCPUs", reterr) : 0;
}

static int digit(char c) {
    return isdigit((unsigned char)c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_token(xmlNodePtr root, MigrateCookie *ret, Error **reterr) {
    CLEANUP_FREE char *text = NULL;

    if (!read_text(root, "token", &text))
        return error_no_memory(reterr);
    if (!text)
        return 0;
    if (strlen(text) != 2 * MIGRATE_TOKEN_SIZE)
        return bad("its token has another length", reterr);
    for (size_t i = 0; i < MIGRATE_TOKEN_SIZE; i++) {
        const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return bad("its token is no hexadecimal number", reterr);
        ret->token[i] = (uint8_t)(high << 4 | low);
    }
    ret->has_token = true;
    return 0;
}

static int read_check(xmlNodePtr root, MigrateCookie *ret, Error **reterr) {
    CLEANUP_FREE char *text = NULL;

    if (!read_attribute(root, "definition", "check", &text))
        return error_no_memory(reterr);
    if (!text || sscanf(text, "%8x", &ret->check) != 1)
        return bad("it has no check of the definition", reterr);
    return 0;
}

static int check_root(xmlNodePtr root, Error **reterr) {
    CLEANUP_FREE char *version = NULL;
    char *end = NULL;
    long number = 0;

    if (xmlStrEqual(root->name, BAD_CAST "qemu-migration"))
        return bad("it is libvirt's; guests move between two vireods", reterr);
    if (!xmlStrEqual(root->name, BAD_CAST "vireo-migration"))
        return bad("it is no <vireo-migration>", reterr);
    if (!take(xmlGetProp(root, BAD_CAST "version"), &version))
        return error_no_memory(reterr);
    number = version ? strtol(version, &end, 10) : 0;
    return number > 0 && *end == '\0' && number <= COOKIE_VERSION
               ? 0
               : bad("it is of a newer vireod", reterr);
}

static int read_intent(xmlNodePtr root, MigrateCookie *ret, Error **reterr) {
    CLEANUP_FREE char *text = NULL;

    if (!read_attribute(root, "intent", "reboot", &text))
        return error_no_memory(reterr);
    ret->rebooting = text && streq(text, "1");
    return 0;
}

static int read_operations(xmlNodePtr root, MigrateCookie *ret, Error **reterr) {
    ret->operations = calloc(MIGRATE_OPERATIONS_MAX, sizeof(char *));
    if (!ret->operations)
        return error_no_memory(reterr);
    for (xmlNodePtr at = root->children; at && ret->n_operations < MIGRATE_OPERATIONS_MAX;
         at = at->next) {
        if (at->type != XML_ELEMENT_NODE || !xmlStrEqual(at->name, BAD_CAST "operation"))
            continue;
        if (!take(xmlNodeGetContent(at), &ret->operations[ret->n_operations]))
            return error_no_memory(reterr);
        ret->n_operations += ret->operations[ret->n_operations] != NULL;
    }
    return 0;
}

static int read_names(xmlNodePtr root, MigrateCookie *ret, Error **reterr) {
    CLEANUP_FREE char *uuid = NULL;

    if (!read_text(root, "name", &ret->name) || !read_text(root, "uuid", &uuid) ||
        !read_text(root, "persistent", &ret->persistent) ||
        !read_attribute(root, "host", "name", &ret->host) ||
        !read_attribute(root, "host", "boot", &ret->boot) ||
        !read_attribute(root, "host", "namespace", &ret->namespace))
        return error_no_memory(reterr);
    if (!ret->name || !*ret->name)
        return bad("it names no domain", reterr);
    return uuid && uuid_parse(uuid, ret->uuid) >= 0 ? 0 : bad("it has no uuid", reterr);
}

static int read_all(xmlNodePtr root, MigrateCookie *ret, Error **reterr) {
    int r = check_root(root, reterr);

    if (r >= 0)
        r = read_names(root, ret, reterr);
    if (r >= 0)
        r = read_check(root, ret, reterr);
    if (r >= 0)
        r = read_token(root, ret, reterr);
    if (r >= 0)
        r = read_intent(root, ret, reterr);
    if (r >= 0)
        r = read_operations(root, ret, reterr);
    if (r >= 0)
        r = read_ids(root, "pending", &ret->pending, reterr);
    for (size_t i = 0; r >= 0 && i < MIGRATE_VERDICTS; i++)
        r = read_ids(root, verdict_names[i], &ret->verdicts[i], reterr);
    return r;
}

int migrate_cookie_parse(const char *text, size_t len, MigrateCookie *ret, Error **reterr) {
    CLEANUP_XML_DOCUMENT xmlDocPtr doc = NULL;
    int r;

    *ret = (MigrateCookie){0};
    if (len > 0 && text[len - 1] == '\0')
        len--;
    if (len == 0)
        return bad("there is none", reterr);
    r = xml_document_parse(text, len, MIGRATE_COOKIE_MAX, "migration_cookie", &doc, reterr);
    if (r >= 0)
        r = read_all(xmlDocGetRootElement(doc), ret, reterr);
    if (r < 0)
        migrate_cookie_done(ret);
    return r;
}
