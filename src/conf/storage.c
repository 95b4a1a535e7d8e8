/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/storage.h"

const Words disk_types = WORDS("", "file", "block", "dir", "network", "volume", "nvme",
                               "vhostuser");
const Words disk_formats = WORDS_NOT_STARTED(0x23c08, "", "raw", "qcow2", "dir", "bochs", "cloop",
                                             "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop",
                                             "cow", "qcow", "qed", "vmdk", "luks", "parallels");
static const Words protocols = WORDS("nbd", "rbd", "sheepdog", "gluster", "iscsi", "http", "https",
                                     "ftp", "ftps", "tftp", "ssh", "vxhs", "nfs");
static const Words transports = WORDS("tcp", "unix", "rdma");
static const Words startup_policies = WORDS("mandatory", "requisite", "optional");
static const Words pool_modes = WORDS("host", "direct");
static const Words encryption_formats = WORDS("default", "qcow", "luks", "luks2", "luks-any");

const char *storage_default_port(const char *protocol) {
    static const char *const ports[][2] = {
        {"http", "80"},    {"https", "443"}, {"ftp", "21"},        {"ftps", "990"},
        {"tftp", "69"},    {"nbd", "10809"}, {"gluster", "24007"}, {"ssh", "22"},
        {"iscsi", "3260"}, {"vxhs", "9999"}, {"sheepdog", "7000"}};

    for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
        if (streq_ptr(ports[i][0], protocol))
            return ports[i][1];
    return NULL;
}

/* ---- <auth> ---- */

static const Field secret_fields[] = {FIELD_TEXT("@type", StorageAuth, secret_type),
                                      FIELD_TEXT("@uuid", StorageAuth, secret_uuid),
                                      FIELD_TEXT("@usage", StorageAuth, secret_usage), FIELD_END};
static const Field auth_fields[] = {
    FIELD_TEXT("@username", StorageAuth, username, .flags = FIELD_REQUIRED),
    FIELD_GROUP("secret", secret_fields), FIELD_END};

static int check_auth(ElementReader *reader, xmlNodePtr node, void *object) {
    const StorageAuth *auth = object;
    const char *wrong = NULL;

    if (!element_child(node, "secret"))
        wrong = "Missing <secret> element in auth";
    else if (auth->secret_uuid && auth->secret_usage)
        wrong = "either secret uuid or usage expected, not both, in the <secret> of <auth>";
    else if (!auth->secret_uuid && !auth->secret_usage)
        wrong = "missing secret uuid or usage attribute in the <secret> of <auth>";
    return wrong ? error_report(reader->reterr, FROM_DOMAIN, ERROR_XML, "%s (line %ld)", wrong,
                                xmlGetLineNo(node))
                 : 0;
}

const Element storage_auth_element = {"auth", sizeof(StorageAuth), auth_fields, NULL, check_auth};

/* ---- <encryption> ---- */

static const Field encryption_secret_fields[] = {
    FIELD_TEXT("@type", EncryptionSecret, type), FIELD_TEXT("@uuid", EncryptionSecret, uuid),
    FIELD_TEXT("@usage", EncryptionSecret, usage), FIELD_END};
static const Element encryption_secret_element = {"secret", sizeof(EncryptionSecret),
                                                  encryption_secret_fields, NULL, NULL};
static const Field cipher_fields[] = {FIELD_TEXT("@name", StorageEncryption, cipher_name),
                                      FIELD_TEXT("@size", StorageEncryption, cipher_size),
                                      FIELD_TEXT("@mode", StorageEncryption, cipher_mode),
                                      FIELD_TEXT("@hash", StorageEncryption, cipher_hash),
                                      FIELD_END};
static const Field ivgen_fields[] = {FIELD_TEXT("@name", StorageEncryption, ivgen_name),
                                     FIELD_TEXT("@hash", StorageEncryption, ivgen_hash), FIELD_END};
static const Field encryption_fields[] = {
    FIELD_CHOICE("@format", StorageEncryption, format, encryption_formats, .flags = FIELD_REQUIRED),
    FIELD_TEXT("@engine", StorageEncryption, engine),
    FIELD_LIST("secret", StorageEncryption, secrets, n_secrets, encryption_secret_element),
    FIELD_GROUP("cipher", cipher_fields),
    FIELD_GROUP("ivgen", ivgen_fields),
    FIELD_END};

/* Who decrypts, where nobody said it. */
static int check_encryption(ElementReader *reader, xmlNodePtr node, void *object) {
    StorageEncryption *encryption = object;

    if (encryption->engine || reader->live)
        return 0;
    if (streq(encryption->format, "luks"))
        encryption->engine = strdup("qemu");
    else if (streq(encryption->format, "luks2") || streq(encryption->format, "luks-any"))
        encryption->engine = strdup("librbd");
    else
        return 0;
    return encryption->engine ? 0 : error_no_memory(reader->reterr);
}

const Element storage_encryption_element = {"encryption", sizeof(StorageEncryption),
                                            encryption_fields, NULL, check_encryption};

/* ---- <seclabel> of a device ---- */

static const Field seclabel_fields[] = {FIELD_TEXT("@model", DeviceSeclabel, model),
                                        FIELD_YESNO("@labelskip", DeviceSeclabel, labelskip),
                                        FIELD_YESNO("@relabel", DeviceSeclabel, relabel),
                                        FIELD_TEXT("label", DeviceSeclabel, label), FIELD_END};
const Element device_seclabel_element = {"seclabel", sizeof(DeviceSeclabel), seclabel_fields, NULL,
                                         NULL};

/* ---- <source> ---- */

static const Field host_fields[] = {FIELD_TEXT("@name", StorageHost, name),
                                    FIELD_TEXT("@port", StorageHost, port),
                                    FIELD_CHOICE("@transport", StorageHost, transport, transports),
                                    FIELD_TEXT("@socket", StorageHost, socket), FIELD_END};

/* What has to be there, and what goes without saying. */
static int check_host(ElementReader *reader, xmlNodePtr node, void *object) {
    StorageHost *host = object;
    const bool is_unix = streq_ptr(host->transport, "unix");

    if (is_unix ? !host->socket : !host->name)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML, "missing %s (line %ld)",
                            is_unix ? "socket for unix transport" : "name for host",
                            xmlGetLineNo(node));

    if (host->transport && streq(host->transport, "tcp"))
        free(TAKE_PTR(host->transport));
    return 0;
}

static const Element host_element = {"host", sizeof(StorageHost), host_fields, NULL, check_host};
static bool is_printable(const char *text) {
    while (*text > ' ' && *text < 0x7f)
        text++;
    return !*text;
}

static const Field cookie_fields[] = {FIELD_TEXT("@name", StorageCookie, name),
                                      FIELD_TEXT(".", StorageCookie, value), FIELD_END};

/* Of what a cookie's value may be made, once the quotes around it, if any, are off. */
static bool is_cookie_value(const char *value) {
    static const char never[] = " \",;\\";
    const size_t len = strlen(value), quotes = *value == '"';

    if (quotes && (len < 2 || value[len - 1] != '"'))
        return false;
    return is_printable(value) && strcspn(value + quotes, never) >= len - 2 * quotes;
}

/* They become one line of a header: "NAME=VALUE; NAME=VALUE". */
static int check_cookie(ElementReader *reader, xmlNodePtr node, void *object) {
    static const char in_names[] = "\t \"(),/:;<=>?@[\\]{}";
    const StorageCookie *cookie = object;
    const char *name = cookie->name ? cookie->name : "", *value = cookie->value;
    const char *wrong = NULL;

    if (!*name)
        wrong = "missing name of a cookie";
    else if (!value || !*value)
        wrong = "missing value for a cookie";
    else if (name[strcspn(name, in_names)] || !is_printable(name))
        wrong = "the name of a cookie contains invalid characters";
    else if (!is_cookie_value(value))
        wrong = "the value of a cookie contains invalid characters";
    return wrong ? error_report(reader->reterr, FROM_DOMAIN, ERROR_XML, "%s (line %ld)", wrong,
                                xmlGetLineNo(node))
                 : 0;
}

static const Element cookie_element = {"cookie", sizeof(StorageCookie), cookie_fields, NULL,
                                       check_cookie};
static const Field slice_fields[] = {
    FIELD_TEXT("@type", StorageSlice, type),
    FIELD_UINT("@offset", StorageSlice, offset, 0, INT64_MAX,
               FIELD_GIVEN(StorageSlice, has_offset)),
    FIELD_UINT("@size", StorageSlice, size, 1, INT64_MAX, .flags = FIELD_REQUIRED), FIELD_END};
static const Element slice_element = {"slice", sizeof(StorageSlice), slice_fields, NULL, NULL};
static const Field slices_fields[] = {
    FIELD_LIST("slice", StorageSource, slices, n_slices, slice_element, .limit = 16), FIELD_END};
static const Field reservations_source[] = {
    FIELD_TEXT("@type", StorageReservations, type), FIELD_TEXT("@path", StorageReservations, path),
    FIELD_TEXT("@mode", StorageReservations, mode), FIELD_END};
static const Field reservations_fields[] = {FIELD_YESNO("@managed", StorageReservations, managed),
                                            FIELD_GROUP("source", reservations_source), FIELD_END};

static int check_reservations(ElementReader *reader, xmlNodePtr node, void *object) {
    const StorageReservations *reservations = object;

    if (reservations->managed == TRISTATE_ABSENT)
        return element_missing(reader, node, "@managed");
    if (reservations->managed == TRISTATE_YES) /* the daemon has its socket */
        return 0;
    if (!reservations->type || !reservations->path || !reservations->mode)
        return element_missing(reader, node, "source type, path and mode");
    if (!streq(reservations->type, "unix") || !streq(reservations->mode, "client"))
        return error_report(
            reader->reterr, FROM_DOMAIN, ERROR_XML,
            "unsupported <source type='%s' mode='%s'> of <reservations> (line %ld): "
            "it is type='unix' mode='client'",
            reservations->type, reservations->mode, xmlGetLineNo(node));
    return 0;
}

static const Element reservations_element = {"reservations", sizeof(StorageReservations),
                                             reservations_fields, NULL, check_reservations};

#define POLICY FIELD_CHOICE("@startupPolicy", StorageSource, startup_policy, startup_policies)
#define INDEX FIELD_UINT("@index", StorageSource, index, 0, UINT32_MAX, .flags = FIELD_LIVE)
#define COMMON                                                                                     \
    FIELD_GROUP("slices", slices_fields),                                                          \
        FIELD_LIST("seclabel", StorageSource, seclabels, n_seclabels, device_seclabel_element),    \
        FIELD_ONE("auth", StorageSource, auth, storage_auth_element),                              \
        FIELD_ONE("encryption", StorageSource, encryption, storage_encryption_element),            \
        FIELD_ONE("reservations", StorageSource, reservations, reservations_element)

static const Field file_source[] = {
    FIELD_TEXT("@file", StorageSource, path),
    FIELD_TEXT("@fdgroup", StorageSource, fdgroup, .flags = FIELD_NOT_STARTED),
    POLICY,
    INDEX,
    COMMON,
    FIELD_ALSO("privateData"),
    FIELD_END};
static const Field block_source[] = {FIELD_TEXT("@dev", StorageSource, path),
                                     POLICY,
                                     INDEX,
                                     COMMON,
                                     FIELD_ALSO("privateData"),
                                     FIELD_END};
static const Field dir_source[] = {FIELD_TEXT("@dir", StorageSource, path), POLICY, INDEX, COMMON,
                                   FIELD_END};
static const Field cookies_fields[] = {
    FIELD_LIST("cookie", StorageSource, cookies, n_cookies, cookie_element), FIELD_END};
static const Field identity_fields[] = {
    FIELD_TEXT("@user", StorageSource, nfs_user),
    FIELD_TEXT("@group", StorageSource, nfs_group),
    FIELD_TEXT("@username", StorageSource, ssh_user),
    FIELD_TEXT("@keyfile", StorageSource, ssh_keyfile, .flags = FIELD_NOT_STARTED),
    FIELD_TEXT("@agentsock", StorageSource, ssh_agent),
    FIELD_END};
static const Field initiator_fields[] = {FIELD_TEXT("iqn@name", StorageSource, initiator),
                                         FIELD_END};
static const Field network_source[] = {
    FIELD_CHOICE("@protocol", StorageSource, protocol, protocols, .flags = FIELD_REQUIRED),
    FIELD_TEXT("@name", StorageSource, path),
    FIELD_TEXT("@query", StorageSource, query),
    FIELD_TEXT("@tls", StorageSource, tls),
    FIELD_TEXT("@tlsHostname", StorageSource, tls_hostname),
    POLICY,
    INDEX,
    FIELD_LIST("host", StorageSource, hosts, n_hosts, host_element),
    FIELD_TEXT("snapshot@name", StorageSource, snapshot),
    FIELD_TEXT("config@file", StorageSource, config),
    FIELD_GROUP("initiator", initiator_fields),
    FIELD_YESNO("ssl@verify", StorageSource, ssl_verify),
    FIELD_GROUP("cookies", cookies_fields, .flags = FIELD_SECRET),
    FIELD_UINT("readahead@size", StorageSource, readahead, 1, INT64_MAX),
    FIELD_UINT("timeout@seconds", StorageSource, timeout, 1, INT64_MAX),
    FIELD_GROUP("identity", identity_fields),
    FIELD_TEXT("knownHosts@path", StorageSource, known_hosts, .flags = FIELD_NOT_STARTED),
    COMMON,
    FIELD_END};
static const Field volume_source[] = {
    FIELD_TEXT("@pool", StorageSource, pool, .flags = FIELD_REQUIRED),
    FIELD_TEXT("@volume", StorageSource, volume, .flags = FIELD_REQUIRED),
    FIELD_CHOICE("@mode", StorageSource, mode, pool_modes),
    FIELD_STORED(StorageSource, path, .flags = FIELD_UNCOMPARED), /* once it was looked for */
    POLICY,
    INDEX,
    COMMON,
    FIELD_END};
static const Field nvme_source[] = {
    FIELD_TEXT("@type", StorageSource, nvme_type),
    FIELD_YESNO("@managed", StorageSource, managed),
    FIELD_UINT("@namespace", StorageSource, nvme_namespace, 1, UINT32_MAX, .flags = FIELD_REQUIRED),
    INDEX,
    FIELD_ALSO("address@type"),
    FIELD_PART("address", StorageSource, nvme_address, pci_address_fields, .flags = FIELD_REQUIRED),
    COMMON,
    FIELD_END};
static const Field vhostuser_reconnect[] = {
    FIELD_TEXT("@enabled", StorageSource, reconnect),
    FIELD_UINT("@timeout", StorageSource, reconnect_timeout, 0, UINT32_MAX), FIELD_END};
static const Field vhostuser_source[] = {FIELD_TEXT("@type", StorageSource, socket_type),
                                         FIELD_TEXT("@path", StorageSource, path), INDEX,
                                         FIELD_GROUP("reconnect", vhostuser_reconnect), FIELD_END};

static const Field *const sources[DISK_TYPE_MAX_] = {
    [DISK_TYPE_NONE_] = file_source, [DISK_FILE] = file_source,
    [DISK_BLOCK] = block_source,     [DISK_DIR] = dir_source,
    [DISK_NETWORK] = network_source, [DISK_VOLUME] = volume_source,
    [DISK_NVME] = nvme_source,       [DISK_VHOSTUSER] = vhostuser_source};

const Field storage_source_fields[] = {FIELD_SWITCH("source", StorageSource, type, sources),
                                       FIELD_STORED(StorageSource, node, .flags = FIELD_UNCOMPARED),
                                       FIELD_END};

/* ---- <backingStore> ---- */

static const Field backing_format[] = {FIELD_WORD("@type", StorageSource, format, disk_formats),
                                       FIELD_END};
static const Field backing_cache[] = {
    FIELD_SIZE("max_size", BackingStore, metadata_cache, .flags = FIELD_BYTES, .unit = "bytes"),
    FIELD_END};
static const Field backing_details[] = {FIELD_PART(NULL, BackingStore, source, backing_format),
                                        FIELD_GROUP("metadata_cache", backing_cache), FIELD_END};
static const Field backing_type[] = {FIELD_WORD("@type", StorageSource, type, disk_types),
                                     FIELD_END};

static const Field backing_fields[] = {
    FIELD_PART(NULL, BackingStore, source, backing_type),
    FIELD_UINT("@index", BackingStore, index, 0, UINT32_MAX, .flags = FIELD_LIVE),
    FIELD_GROUP("format", backing_details),
    FIELD_PART(NULL, BackingStore, source, storage_source_fields),
    FIELD_ONE("backingStore", BackingStore, next, backing_store_element),
    FIELD_END};
static int check_backing(ElementReader *reader, xmlNodePtr node, void *object) {
    StorageSource *source = &((BackingStore *)object)->source;

    if (source->type == DISK_TYPE_NONE_ && source->path)
        source->type = DISK_FILE;
    return 0;
}

const Element backing_store_element = {"backingStore", sizeof(BackingStore), backing_fields, NULL,
                                       check_backing};
