/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/security.h"

static const Words types = WORDS("dynamic", "static", "none");

static const Field seclabel_fields[] = {
    FIELD_CHOICE("@type", SeclabelDef, type, types),
    FIELD_TEXT("@model", SeclabelDef, model),
    FIELD_YESNO("@relabel", SeclabelDef, relabel),
    FIELD_TEXT("label", SeclabelDef, label),
    FIELD_TEXT("baselabel", SeclabelDef, baselabel),
    FIELD_TEXT("imagelabel", SeclabelDef, imagelabel, .flags = FIELD_LIVE),
    FIELD_END};

static int check(ElementReader *reader, xmlNodePtr node, void *object) {
    SeclabelDef *seclabel = object;

    if (!seclabel->type) {
        seclabel->type = strdup("dynamic");
        if (!seclabel->type)
            return error_no_memory(reader->reterr);
    }
    if (seclabel->relabel == TRISTATE_ABSENT && !streq(seclabel->type, "none"))
        seclabel->relabel = TRISTATE_YES;
    if (streq(seclabel->type, "dynamic") && !reader->live) /* it was chosen for that run */
        free(TAKE_PTR(seclabel->label));
    if (streq(seclabel->type, "none") && !seclabel->model && !(seclabel->model = strdup("none")))
        return error_no_memory(reader->reterr);
    if (streq(seclabel->type, "static") && !seclabel->label)
        return element_missing(reader, node, "label");
    return 0;
}

const Element seclabel_element = {"seclabel", sizeof(SeclabelDef), seclabel_fields, NULL, check};

static const Field launch_fields[] = {
    FIELD_TEXT("@type", LaunchSecurityDef, type, .flags = FIELD_REQUIRED),
    FIELD_YESNO("@kernelHashes", LaunchSecurityDef, kernel_hashes),
    FIELD_TEXT("cbitpos", LaunchSecurityDef, cbitpos),
    FIELD_TEXT("reducedPhysBits", LaunchSecurityDef, reduced_phys_bits),
    FIELD_TEXT("policy", LaunchSecurityDef, policy),
    FIELD_TEXT("dhCert", LaunchSecurityDef, dh_cert),
    FIELD_TEXT("session", LaunchSecurityDef, session),
    FIELD_END};
const Element launch_security_element = {"launchSecurity", sizeof(LaunchSecurityDef), launch_fields,
                                         NULL, NULL};

static const Field cipher_fields[] = {FIELD_TEXT("@name", KeywrapCipher, name),
                                      FIELD_TEXT("@state", KeywrapCipher, state), FIELD_END};
const Element keywrap_cipher_element = {"cipher", sizeof(KeywrapCipher), cipher_fields, NULL, NULL};
