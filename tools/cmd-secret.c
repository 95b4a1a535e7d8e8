/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Secrets: what opens encrypted disks. */
#include <systemd/sd-id128.h>

#include "report.h"
#include "tables.h"
#include "util/base64.h"
#include "xml-desc.h"

static inline void secret_ret_done(remote_secret_ret *found) {
    xdr_free((xdrproc_t)xdr_remote_secret_ret, (char *)found);
}
#define CLEANUP_SECRET CLEANUP(secret_ret_done)

/* That of the option --secret; says when there is none. */
static int lookup(Tool *tool, const Args *args, remote_secret_ret *ret) {
    const char *text = args_string(args, "secret");
    remote_uuid_args call;
    CLEANUP_ERROR Error *error = NULL;
    sd_id128_t uuid;

    if (sd_id128_from_string(text, &uuid) < 0)
        return tool_fail(NULL, "failed to get secret '%s': it is no uuid", text);
    memcpy(call.uuid, uuid.bytes, sizeof(uuid.bytes));
    if (CALL(tool, SECRET_LOOKUP_BY_UUID, remote_uuid_args, &call, remote_secret_ret, ret, &error) <
        0)
        return tool_fail(error, "failed to get secret '%s'", text);
    return 0;
}

static int cmd_secret_define(Tool *tool, const Args *args) {
    const char *path = args_string(args, "file");
    remote_xml_flags_args call = {.flags = args_has(args, "validate") ? 1 : 0};
    CLEANUP_SECRET remote_secret_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;
    char uuid[37];

    if (tool_read_file(path, &xml) < 0)
        return -EIO;
    call.xml = xml;
    if (CALL(tool, SECRET_DEFINE_XML, remote_xml_flags_args, &call, remote_secret_ret, &ret,
             &error) < 0)
        return tool_fail(error, "Failed to set attributes from %s", path);
    format_uuid(ret.secret.uuid, uuid);
    tool_say(tool, "Secret %s created\n", uuid);
    return 0;
}

static int cmd_secret_dumpxml(Tool *tool, const Args *args) {
    CLEANUP_SECRET remote_secret_ret found = {0};
    remote_secret_flags_args call = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_xml_ret ret = {0};
    int r;

    if (lookup(tool, args, &found) < 0)
        return -EIO;
    call.secret = found.secret;
    if (CALL(tool, SECRET_GET_XML_DESC, remote_secret_flags_args, &call, remote_xml_ret, &ret,
             &error) < 0)
        return tool_failed(error);
    r = xml_print(tool, args, ret.xml);
    xdr_free((xdrproc_t)xdr_remote_xml_ret, (char *)&ret);
    return r;
}

static int cmd_secret_undefine(Tool *tool, const Args *args) {
    CLEANUP_SECRET remote_secret_ret found = {0};
    const char *text = args_string(args, "secret");
    CLEANUP_ERROR Error *error = NULL;
    remote_secret_args call;

    if (lookup(tool, args, &found) < 0)
        return -EIO;
    call.secret = found.secret;
    if (CALL_VOID(tool, SECRET_UNDEFINE, remote_secret_args, &call, &error) < 0)
        return tool_fail(error, "Failed to delete secret %s", text);
    tool_say(tool, "Secret %s deleted\n", text);
    return 0;
}

/* ---- values ---- */

static int cmd_secret_get_value(Tool *tool, const Args *args) {
    CLEANUP_SECRET remote_secret_ret found = {0};
    remote_secret_flags_args call = {0};
    remote_secret_get_value_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *text = NULL;

    if (lookup(tool, args, &found) < 0)
        return -EIO;
    call.secret = found.secret;
    if (CALL(tool, SECRET_GET_VALUE, remote_secret_flags_args, &call, remote_secret_get_value_ret,
             &ret, &error) < 0)
        return tool_failed(error);
    if (args_has(args, "plain")) {
        fwrite(ret.value.value_val, 1, ret.value.value_len, stdout);
    } else {
        text = base64_encode(ret.value.value_val, ret.value.value_len);
        if (!text)
            out_of_memory();
        if (tool->json)
            report_text(tool, "value", text);
        else
            fputs(text, stdout); /* virsh ends it without a line of its own */
    }
    explicit_bzero(ret.value.value_val, ret.value.value_len);
    xdr_free((xdrproc_t)xdr_remote_secret_get_value_ret, (char *)&ret);
    return 0;
}

/* The value of --file, or of --base64, which others can see in the list of processes. */
static int read_value(const Args *args, char **ret, size_t *ret_len) {
    const char *file = args_string(args, "file"), *base64 = args_string(args, "base64");

    if (!file == !base64)
        return tool_fail(NULL, "Input secret value is missing: give it with --file or as base64");
    if (file)
        return tool_read_bytes(file, ret, ret_len);
    *ret = text_format("%s", base64);
    return 0;
}

static int cmd_secret_set_value(Tool *tool, const Args *args) {
    const bool plain = args_has(args, "plain");
    CLEANUP_SECRET remote_secret_ret found = {0};
    remote_secret_set_value_args call = {0};
    CLEANUP_FREE uint8_t *bytes = NULL;
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *text = NULL;
    size_t n = 0, len = 0;

    if (plain && !args_has(args, "file"))
        return tool_fail(NULL, "--plain needs --file");
    if (lookup(tool, args, &found) < 0 || read_value(args, &text, &len) < 0)
        return -EIO;
    if (!plain && base64_decode(text, &bytes, &n) < 0)
        return tool_fail(NULL, "Invalid base64 data");
    call.secret = found.secret;
    call.value.value_val = plain ? text : (char *)bytes;
    call.value.value_len = (u_int)(plain ? len : n);
    if (CALL_VOID(tool, SECRET_SET_VALUE, remote_secret_set_value_args, &call, &error) < 0)
        return tool_fail(error, "Failed to set secret value");
    tool_say(tool, "Secret value set\n");
    return 0;
}

/* ---- secret-list ---- */

static unsigned list_flags(const Args *args) {
    /* virConnectListAllSecretsFlags */
    return (args_has(args, "ephemeral") ? 1u : 0u) | (args_has(args, "no-ephemeral") ? 2u : 0u) |
           (args_has(args, "private") ? 4u : 0u) | (args_has(args, "no-private") ? 8u : 0u);
}

static int compare_secrets(const void *a, const void *b) {
    return memcmp(((const remote_secret *)a)->uuid, ((const remote_secret *)b)->uuid, 16);
}

static int cmd_secret_list(Tool *tool, const Args *args) {
    /* virSecretUsageType */
    static const char *const usages[] = {"none", "volume", "ceph", "iscsi", "tls", "vtpm"};
    static const char *const titles[] = {"UUID", "Usage"}, *const keys[] = {"uuid", "usage"};
    remote_list_all_args call = {.need_results = 1, .flags = list_flags(args)};
    remote_connect_list_all_secrets_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    Rows rows;

    if (CALL(tool, CONNECT_LIST_ALL_SECRETS, remote_list_all_args, &call,
             remote_connect_list_all_secrets_ret, &ret, &error) < 0)
        return tool_fail(error, "Failed to list secrets");
    if (ret.secrets.secrets_len)
        qsort(ret.secrets.secrets_val, ret.secrets.secrets_len, sizeof(*ret.secrets.secrets_val),
              compare_secrets);
    rows_start(&rows, tool, ARRAY_SIZE(titles), titles, keys);
    for (u_int i = 0; i < ret.secrets.secrets_len; i++) {
        const remote_secret *secret = &ret.secrets.secrets_val[i];
        const bool used = secret->usageType > 0 && (size_t)secret->usageType < ARRAY_SIZE(usages);
        CLEANUP_FREE char *usage = used ? text_format("%s %s", usages[secret->usageType],
                                                      secret->usageID)
                                        : text_format("Unused");
        char uuid[37];

        format_uuid(secret->uuid, uuid);
        rows_add(&rows, (const char *const[]){uuid, usage});
    }
    rows_print(&rows);
    xdr_free((xdrproc_t)xdr_remote_connect_list_all_secrets_ret, (char *)&ret);
    return 0;
}

/* ---- tables ---- */

#define OPTION_SECRET                                                                              \
    { "secret", OPTION_STRING, true, "uuid of the secret" }

static const Option define_options[] = {
    {"file", OPTION_STRING, true, "XML file", .value = VALUE_FILE},
    {"validate", OPTION_FLAG, false, "check against the schema"},
    OPTION_END};
static const Option dumpxml_options[] = {
    OPTION_SECRET,
    {"xpath", OPTION_STRING, false, "only what this XPath expression selects", .named = true},
    {"wrap", OPTION_FLAG, false, "wrap the results in one element"},
    OPTION_END};
static const Option get_value_options[] = {
    OPTION_SECRET, {"plain", OPTION_FLAG, false, "as it is, not as base64"}, OPTION_END};
static const Option list_options[] = {
    {"ephemeral", OPTION_FLAG, false, "only those in memory"},
    {"no-ephemeral", OPTION_FLAG, false, "only those that are stored"},
    {"private", OPTION_FLAG, false, "only those that no client reads"},
    {"no-private", OPTION_FLAG, false, "only those that clients read"},
    OPTION_END};
static const Option set_value_options[] = {
    OPTION_SECRET,
    {"base64", OPTION_STRING, false, "the value, for all to see; better in a file"},
    {"file", OPTION_STRING, false, "file with the value", .named = true, .value = VALUE_FILE},
    {"plain", OPTION_FLAG, false, "the file has the value as it is, not as base64"},
    OPTION_END};
static const Option undefine_options[] = {OPTION_SECRET, OPTION_END};

const Command commands_secret[] = {{.name = "secret-define",
                                    .help = "store or change a secret of an XML file",
                                    .options = define_options,
                                    .run = cmd_secret_define},
                                   {.name = "secret-dumpxml",
                                    .help = "XML of a secret",
                                    .options = dumpxml_options,
                                    .json = true,
                                    .run = cmd_secret_dumpxml},
                                   {.name = "secret-get-value",
                                    .help = "value of a secret",
                                    .options = get_value_options,
                                    .json = true,
                                    .run = cmd_secret_get_value},
                                   {.name = "secret-list",
                                    .help = "list secrets",
                                    .options = list_options,
                                    .json = true,
                                    .run = cmd_secret_list},
                                   {.name = "secret-set-value",
                                    .help = "set the value of a secret",
                                    .options = set_value_options,
                                    .run = cmd_secret_set_value},
                                   {.name = "secret-undefine",
                                    .help = "remove a secret",
                                    .options = undefine_options,
                                    .run = cmd_secret_undefine},
                                   {0}};
