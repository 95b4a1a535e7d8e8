/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as the XML of a pool, a volume, a network or a device; the first byte says which. What is
 * accepted formats to what is accepted and formats the same. */
#include <stdio.h>

#include "conf/device-parse.h"
#include "conf/domain-parse.h"
#include "conf/network.h"
#include "conf/pool.h"
#include "conf/secret.h"
#include "fuzz.h"

/* The text that it formats to, NULL when it is refused. */
typedef char *(*Reformat)(const char *xml, size_t len, Error **reterr);

static char *reformat_pool(const char *xml, size_t len, Error **reterr) {
    CLEANUP_POOL_DEF PoolDef *def = NULL;

    return pool_parse(xml, len, &def, reterr) < 0 ? NULL : pool_format(def);
}

static char *reformat_volume(const char *xml, size_t len, Error **reterr) {
    CLEANUP_VOLUME_DEF VolumeDef *def = NULL, *copy = NULL;

    if (volume_parse(xml, len, &def, reterr) < 0)
        return NULL;
    copy = volume_def_copy(def);
    return copy ? volume_format(copy) : NULL;
}

static char *reformat_network(const char *xml, size_t len, Error **reterr) {
    CLEANUP_NETWORK_DEF NetworkDef *def = NULL;

    return network_parse(xml, len, &def, reterr) < 0 ? NULL : network_format(def);
}

static char *reformat_secret(const char *xml, size_t len, Error **reterr) {
    CLEANUP_SECRET_DEF SecretDef *def = NULL;

    return secret_parse(xml, len, &def, reterr) < 0 ? NULL : secret_format(def);
}

static const DomainDef *machine(void) {
    static const char xml[] =
        "<domain type='qemu'><name>d</name><memory>65536</memory><vcpu>1</vcpu>"
        "<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>";
    static const DomainParseParams params = {.default_arch = "x86_64"};
    static DomainDef *def;

    if (!def && domain_parse(xml, strlen(xml), &params, &def, NULL) < 0)
        abort();
    return def;
}

/* Has no format of its own: accepted twice is all that can be asked. */
static char *reformat_device(const char *xml, size_t len, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;

    return device_parse(xml, machine(), &def, reterr) < 0 ? NULL : strdup(xml);
}

static const Reformat kinds[] = {reformat_pool, reformat_volume, reformat_network, reformat_device,
                                 reformat_secret};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    CLEANUP_FREE char *xml = size > 0 ? strndup((const char *)data + 1, size - 1) : NULL;
    CLEANUP_FREE char *first = NULL, *second = NULL;
    CLEANUP_ERROR Error *error = NULL, *again = NULL;
    Reformat reformat;

    if (!xml)
        return 0;
    reformat = kinds[data[0] % ARRAY_SIZE(kinds)];
    first = reformat(xml, strlen(xml), &error);
    if (!first != (error != NULL))
        abort();
    if (!first || strlen(first) > NETWORK_XML_MAX)
        return 0;
    second = reformat(first, strlen(first), &again);
    if (!streq_ptr(first, second)) {
        fprintf(stderr, "fuzz: not stable: %s\n%s\nthen\n%s\n", again ? error_message(again) : "",
                first, second ? second : "nothing");
        abort();
    }
    return 0;
}
