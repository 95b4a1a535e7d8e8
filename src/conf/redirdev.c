/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/redirdev.h"

static const Words buses = WORDS("usb");

static const Field redirdev_fields[] = {
    FIELD_CHOICE("@bus", RedirdevDef, bus, buses),
    FIELD_PART(NULL, RedirdevDef, source, chardev_source_fields), FIELD_INFO_BOOT(RedirdevDef),
    FIELD_END};

static int check_redirdev(ElementReader *reader, xmlNodePtr node, void *object) {
    RedirdevDef *redirdev = object;

    if (redirdev->source.type == CHARDEV_NONE_)
        return element_missing(reader, node, "@type");
    if (redirdev->bus)
        return 0;
    redirdev->bus = strdup("usb");
    return redirdev->bus ? 0 : error_no_memory(reader->reterr);
}

const Element redirdev_element = {"redirdev", sizeof(RedirdevDef), redirdev_fields, NULL,
                                  check_redirdev};

static const Field rule_fields[] = {
    FIELD_TEXT("@class", RedirRule, class_),    FIELD_TEXT("@vendor", RedirRule, vendor),
    FIELD_TEXT("@product", RedirRule, product), FIELD_TEXT("@version", RedirRule, version),
    FIELD_YESNO("@allow", RedirRule, allow),    FIELD_END};
static const Element rule_element = {"usbdev", sizeof(RedirRule), rule_fields, NULL, NULL};
static const Field redirfilter_fields[] = {
    FIELD_LIST("usbdev", RedirfilterDef, rules, n_rules, rule_element), FIELD_END};
const Element redirfilter_element = {"redirfilter", sizeof(RedirfilterDef), redirfilter_fields,
                                     NULL, NULL};

/* ---- <smartcard> ---- */

static const Words modes = WORDS("host", "host-certificates", "passthrough");
static const Field certificate_fields[] = {FIELD_TEXT(".", SmartcardCertificate, name), FIELD_END};
static const Element certificate_element = {"certificate", sizeof(SmartcardCertificate),
                                            certificate_fields, NULL, NULL};
static const Field certificates_fields[] = {
    FIELD_LIST("certificate", SmartcardDef, certificates, n_certificates, certificate_element,
               .limit = 3),
    FIELD_TEXT("database", SmartcardDef, database), FIELD_END};
static const Field passthrough_fields[] = {
    FIELD_PART(NULL, SmartcardDef, source, chardev_source_fields), FIELD_END};
static const Field *const kinds[SMARTCARD_MODE_MAX_] = {
    [SMARTCARD_HOST_CERTIFICATES] = certificates_fields,
    [SMARTCARD_PASSTHROUGH] = passthrough_fields};
static const Field smartcard_fields[] = {
    FIELD_WORD("@mode", SmartcardDef, mode, modes, .flags = FIELD_REQUIRED),
    FIELD_SWITCH(NULL, SmartcardDef, mode, kinds), FIELD_INFO(SmartcardDef), FIELD_END};

static int check_smartcard(ElementReader *reader, xmlNodePtr node, void *object) {
    const SmartcardDef *smartcard = object;

    if (smartcard->mode == SMARTCARD_HOST_CERTIFICATES && smartcard->n_certificates != 3)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "host-certificates mode needs exactly three certificates (line %ld)",
                            xmlGetLineNo(node));
    if (smartcard->mode == SMARTCARD_PASSTHROUGH && smartcard->source.type == CHARDEV_NONE_)
        return element_missing(reader, node, "@type");
    return 0;
}

const Element smartcard_element = {"smartcard", sizeof(SmartcardDef), smartcard_fields, NULL,
                                   check_smartcard};
