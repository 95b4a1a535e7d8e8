/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/tpm.h"

static const Words models = WORDS("tpm-tis", "tpm-crb", "tpm-spapr", "spapr-tpm-proxy");
static const Words types = WORDS("passthrough", "emulator", "external");
static const Words versions = WORDS("1.2", "2.0");

static const Field passthrough_fields[] = {FIELD_TEXT("device@path", TpmDef, device), FIELD_END};
static const Field encryption_fields[] = {FIELD_TEXT("@secret", TpmDef, secret), FIELD_END};
static const Field bank_fields[] = {
    FIELD_PRESENT("sha1", TpmDef, sha1), FIELD_PRESENT("sha256", TpmDef, sha256),
    FIELD_PRESENT("sha384", TpmDef, sha384), FIELD_PRESENT("sha512", TpmDef, sha512), FIELD_END};
static const Field emulator_fields[] = {
    FIELD_CHOICE("@version", TpmDef, version, versions),
    FIELD_YESNO("@persistent_state", TpmDef, persistent_state),
    FIELD_GROUP("encryption", encryption_fields, FIELD_GIVEN(TpmDef, has_encryption)),
    FIELD_GROUP("active_pcr_banks", bank_fields, FIELD_GIVEN(TpmDef, has_banks)), FIELD_END};
static const Words modes = WORDS("bind", "connect");
static const Field external_source[] = {FIELD_WORD("@type", ChardevSource, type, chardev_types),
                                        FIELD_CHOICE("@mode", ChardevSource, mode, modes),
                                        FIELD_TEXT("@path", ChardevSource, path), FIELD_END};
static const Field external_fields[] = {FIELD_PART("source", TpmDef, source, external_source),
                                        FIELD_END};
static const Field *const kinds[TPM_TYPE_MAX_] = {[TPM_PASSTHROUGH] = passthrough_fields,
                                                  [TPM_EMULATOR] = emulator_fields,
                                                  [TPM_EXTERNAL] = external_fields};
static const Field backend_fields[] = {
    FIELD_WORD("@type", TpmDef, type, types, .flags = FIELD_REQUIRED),
    FIELD_SWITCH(NULL, TpmDef, type, kinds), FIELD_END};

static const Field tpm_fields[] = {FIELD_CHOICE("@model", TpmDef, model, models),
                                   FIELD_GROUP("backend", backend_fields, .flags = FIELD_REQUIRED),
                                   FIELD_INFO(TpmDef), FIELD_END};

const Element tpm_element = {"tpm", sizeof(TpmDef), tpm_fields, NULL, NULL};
