/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/secret.h"

#include "conf/uuid.h"
#include "conf/xml-document.h"

static char *const *usage_text(const SecretDef *def) {
    switch (def->usage) {
    case SECRET_USAGE_NONE:
        return NULL;
    case SECRET_USAGE_VOLUME:
        return &def->volume;
    case SECRET_USAGE_ISCSI:
        return &def->target;
    case SECRET_USAGE_CEPH:
    case SECRET_USAGE_TLS:
    case SECRET_USAGE_VTPM:
        break;
    }
    return &def->name;
}

const char *secret_usage_id(const SecretDef *def) {
    char *const *text = usage_text(def);

    return text && *text ? *text : "";
}

static int missing(const SecretDef *def, Error **reterr) {
    static const char *const sentences[] = {
        [SECRET_USAGE_VOLUME] = "volume usage specified, but volume path is missing",
        [SECRET_USAGE_CEPH] = "Ceph usage specified, but name is missing",
        [SECRET_USAGE_ISCSI] = "iSCSI usage specified, but target is missing",
        [SECRET_USAGE_TLS] = "TLS usage specified, but name is missing",
        [SECRET_USAGE_VTPM] = "vTPM usage specified, but name is missing"};

    return error_report(reterr, FROM_SECRET, ERROR_XML, "%s", sentences[def->usage]);
}

static void init_secret(void *object) {
    SecretDef *def = object;

    def->ephemeral = def->private = TRISTATE_NO;
}

static int check_secret(ElementReader *reader, xmlNodePtr node, void *object) {
    SecretDef *def = object;

    if (def->usage != SECRET_USAGE_NONE)
        return *secret_usage_id(def) ? 0 : missing(def, reader->reterr);
    return element_child(node, "usage")
               ? error_report(reader->reterr, FROM_SECRET, ERROR_XML, "unknown secret usage type")
               : 0;
}

static const Words usages = WORDS("none", "volume", "ceph", "iscsi", "tls", "vtpm");
static const Field usage_fields[] = {
    FIELD_WORD("@type", SecretDef, usage, usages, .flags = FIELD_OMIT_FIRST),
    FIELD_TEXT("volume", SecretDef, volume), FIELD_TEXT("name", SecretDef, name),
    FIELD_TEXT("target", SecretDef, target), FIELD_END};
static const Field secret_fields[] = {FIELD_YESNO("@ephemeral", SecretDef, ephemeral),
                                      FIELD_YESNO("@private", SecretDef, private),
                                      FIELD_UUID("uuid", SecretDef, uuid, uuid_given),
                                      FIELD_TEXT("description", SecretDef, description),
                                      FIELD_GROUP("usage", usage_fields),
                                      FIELD_END};
static const Element secret_element = {"secret", sizeof(SecretDef), secret_fields, init_secret,
                                       check_secret};

static int make_uuid(SecretDef *def, Error **reterr) {
    int r = uuid_make(def->uuid);

    if (r < 0)
        return error_system(reterr, FROM_SECRET, r, "cannot make a uuid for the secret");
    def->uuid_given = true;
    return 0;
}

const char *secret_usage_name(SecretUsage usage) {
    return words_name(&usages, (int)usage);
}

int secret_parse(const char *xml, size_t len, SecretDef **ret, Error **reterr) {
    CLEANUP_XML_DOCUMENT xmlDocPtr doc = NULL;
    CLEANUP_SECRET_DEF SecretDef *def = NULL;
    ElementReader reader = {.reterr = reterr};
    xmlNodePtr root;
    int r = xml_document_parse(xml, len, SECRET_XML_MAX, "definition_of_secret", &doc, reterr);

    if (r < 0)
        return r;
    root = xmlDocGetRootElement(doc);
    if (!element_is(root, "secret"))
        return error_report(reterr, FROM_SECRET, ERROR_XML,
                            "expecting root element of 'secret', not '%.40s'",
                            (const char *)root->name);
    def = calloc(1, sizeof(SecretDef));
    if (!def)
        return error_no_memory(reterr);
    r = element_read(&reader, &secret_element, root, def);
    if (r >= 0 && !def->uuid_given)
        r = make_uuid(def, reterr);
    if (r >= 0)
        *ret = TAKE_PTR(def);
    return r;
}

char *secret_format(const SecretDef *def) {
    ElementWriter writer = {0};

    element_write(&writer, &secret_element, def);
    return element_writer_take(&writer);
}

SecretDef *secret_def_free(SecretDef *def) {
    if (def)
        element_done(&secret_element, def);
    free(def);
    return NULL;
}
