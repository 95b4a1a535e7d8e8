/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/redirdev.h"

#include <ctype.h>
#include <stdio.h>

#include "util/file.h"

static const Words buses = WORDS("usb");

static const Field redirdev_fields[] = {
    FIELD_CHOICE("@bus", RedirdevDef, bus, buses),
    FIELD_PART(NULL, RedirdevDef, source, chardev_source_fields), FIELD_INFO_BOOT(RedirdevDef),
    FIELD_END};

static int check_redirdev(ElementReader *reader, xmlNodePtr node, void *object) {
    RedirdevDef *redirdev = object;

    if (redirdev->source.type == CHARDEV_NONE_)
        return element_missing(reader, node, "@type");
    if (chardev_check_source(reader, node, &redirdev->source) < 0)
        return -EINVAL;
    if (redirdev->source.type == CHARDEV_DBUS && !redirdev->source.channel &&
        !(redirdev->source.channel = strdup("org.qemu.usbredir")))
        return error_no_memory(reader->reterr);
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
/* "0x8" as "0x08", and the like; "-1" is any, as if it were not there. */
static int normalise(char **text, int digits) {
    char *end, *copy;
    unsigned long value;

    if (streq_ptr(*text, "-1"))
        free(TAKE_PTR(*text));
    if (!*text)
        return 0;
    value = strtoul(*text, &end, 0);
    if (*end || end == *text || value > 0xffff)
        return 0;
    copy = strf("0x%0*lX", digits, value);
    if (!copy)
        return -ENOMEM;
    free(*text);
    *text = copy;
    return 0;
}

/* "1.1" is "1.10". */
static int normalise_version(ElementReader *reader, xmlNodePtr node, char **text) {
    unsigned major, minor;
    char *copy, *point, after;

    if (streq_ptr(*text, "-1"))
        free(TAKE_PTR(*text));
    if (!*text)
        return 0;
    if (!isdigit((unsigned char)**text) || sscanf(*text, "%2u.%2u%c", &major, &minor, &after) != 2)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "Cannot parse USB device version %.40s (line %ld)", *text,
                            xmlGetLineNo(node));
    point = strchr(*text, '.');
    copy = strf("%u.%02u", major, strlen(point + 1) == 1 ? minor * 10 : minor);
    if (!copy)
        return error_no_memory(reader->reterr);
    free(*text);
    *text = copy;
    return 0;
}

static int check_rule(ElementReader *reader, xmlNodePtr node, void *object) {
    RedirRule *rule = object;

    if (normalise(&rule->class_, 2) < 0 || normalise(&rule->vendor, 4) < 0 ||
        normalise(&rule->product, 4) < 0)
        return error_no_memory(reader->reterr);
    return normalise_version(reader, node, &rule->version);
}

static const Element rule_element = {"usbdev", sizeof(RedirRule), rule_fields, NULL, check_rule};
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
    SmartcardDef *smartcard = object;

    if (smartcard->mode == SMARTCARD_HOST_CERTIFICATES && smartcard->n_certificates != 3)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "host-certificates mode needs exactly three certificates (line %ld)",
                            xmlGetLineNo(node));
    if (smartcard->mode == SMARTCARD_PASSTHROUGH && smartcard->source.type == CHARDEV_NONE_)
        return element_missing(reader, node, "@type");
    return smartcard->mode == SMARTCARD_PASSTHROUGH
               ? chardev_check_source(reader, node, &smartcard->source)
               : 0;
}

const Element smartcard_element = {"smartcard", sizeof(SmartcardDef), smartcard_fields, NULL,
                                   check_smartcard};
