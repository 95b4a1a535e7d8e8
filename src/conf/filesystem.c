/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/filesystem.h"

#include "util/file.h"

static const Words types = WORDS("mount", "block", "file", "template", "ram", "bind", "volume");
static const Words accessmodes = WORDS("passthrough", "mapped", "squash");
static const Words multidevs = WORDS("default", "remap", "forbid", "warn");
static const Words drivers = WORDS("path", "handle", "loop", "nbd", "ploop", "virtiofs", "mtp");
static const Words policies = WORDS("default", "immediate");
static const Words models = WORDS("virtio", "virtio-transitional", "virtio-non-transitional");
static const Words cache_modes = WORDS("none", "always");
static const Words sandbox_modes = WORDS("namespace", "chroot");

static const Field driver_fields[] = {FIELD_CHOICE("@type", FilesystemDef, driver, drivers),
                                      FIELD_TEXT("@format", FilesystemDef, format),
                                      FIELD_CHOICE("@wrpolicy", FilesystemDef, wrpolicy, policies),
                                      FIELD_UINT("@queue", FilesystemDef, queue, 0, 1024),
                                      FIELD_VIRTIO(FilesystemDef),
                                      FIELD_END};
static const Field lock_fields[] = {FIELD_ON_OFF("@posix", FilesystemDef, posix),
                                    FIELD_ON_OFF("@flock", FilesystemDef, flock), FIELD_END};
static const Field binary_fields[] = {
    FIELD_TEXT("@path", FilesystemDef, binary),
    FIELD_ON_OFF("@xattr", FilesystemDef, xattr),
    FIELD_CHOICE("cache@mode", FilesystemDef, cache_mode, cache_modes),
    FIELD_CHOICE("sandbox@mode", FilesystemDef, sandbox_mode, sandbox_modes),
    FIELD_GROUP("lock", lock_fields),
    FIELD_UINT("thread_pool@size", FilesystemDef, thread_pool_size, 0, INT32_MAX,
               FIELD_GIVEN(FilesystemDef, has_thread_pool_size)),
    FIELD_END};

static const Field mount_attributes[] = {FIELD_TEXT("@dir", FilesystemDef, source),
                                         FIELD_TEXT("@socket", FilesystemDef, socket), FIELD_END};
static const Field mount_source[] = {FIELD_GROUP("source", mount_attributes), FIELD_END};
static const Field block_source[] = {FIELD_TEXT("source@dev", FilesystemDef, source), FIELD_END};
static const Field file_source[] = {FIELD_TEXT("source@file", FilesystemDef, source), FIELD_END};
static const Field template_source[] = {FIELD_TEXT("source@name", FilesystemDef, source),
                                        FIELD_END};
static const Field ram_attributes[] = {
    FIELD_TEXT("@usage", FilesystemDef, source),
    FIELD_TEXT("@units", FilesystemDef, units, .flags = FIELD_NOT_DEFINED), FIELD_END};
static const Field ram_source[] = {FIELD_GROUP("source", ram_attributes), FIELD_END};
static const Field volume_attributes[] = {FIELD_TEXT("@pool", FilesystemDef, pool),
                                          FIELD_TEXT("@volume", FilesystemDef, source), FIELD_END};
static const Field volume_source[] = {FIELD_GROUP("source", volume_attributes), FIELD_END};
static const Field *const sources[FILESYSTEM_TYPE_MAX_] = {
    [FILESYSTEM_MOUNT] = mount_source,  [FILESYSTEM_BLOCK] = block_source,
    [FILESYSTEM_FILE] = file_source,    [FILESYSTEM_TEMPLATE] = template_source,
    [FILESYSTEM_RAM] = ram_source,      [FILESYSTEM_BIND] = mount_source,
    [FILESYSTEM_VOLUME] = volume_source};

static const Field filesystem_fields[] = {
    FIELD_WORD("@type", FilesystemDef, type, types),
    FIELD_CHOICE("@accessmode", FilesystemDef, accessmode, accessmodes),
    FIELD_CHOICE("@model", FilesystemDef, model, models),
    FIELD_CHOICE("@multidevs", FilesystemDef, multidevs, multidevs),
    FIELD_TEXT("@fmode", FilesystemDef, fmode),
    FIELD_TEXT("@dmode", FilesystemDef, dmode),
    FIELD_GROUP("driver", driver_fields),
    FIELD_GROUP("binary", binary_fields),
    FIELD_SWITCH(NULL, FilesystemDef, type, sources),
    FIELD_TEXT("target@dir", FilesystemDef, target, .flags = FIELD_REQUIRED),
    FIELD_PRESENT("readonly", FilesystemDef, readonly),
    FIELD_INFO_BOOT(FilesystemDef),
    FIELD_SIZE("space_hard_limit", FilesystemDef, space_hard_limit,
               .flags = FIELD_BYTES | FIELD_NOT_ACTED, .unit = "bytes"),
    FIELD_SIZE("space_soft_limit", FilesystemDef, space_soft_limit,
               .flags = FIELD_BYTES | FIELD_NOT_ACTED, .unit = "bytes"),
    FIELD_END};

/* A mode is octal, and written with four digits. */
static int check_mode(ElementReader *reader, xmlNodePtr node, const char *name, char **mode) {
    unsigned long value;
    char *end, *text;

    if (!*mode)
        return 0;
    value = strtoul(*mode, &end, 8);
    if (end == *mode || *end || value > 0777)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "invalid %s: '%.80s' (line %ld): octal, 0777 at most", name, *mode,
                            xmlGetLineNo(node));
    text = strf("%04lo", value);
    if (!text)
        return error_no_memory(reader->reterr);
    free(*mode);
    *mode = text;
    return 0;
}

static int check(ElementReader *reader, xmlNodePtr node, void *object) {
    FilesystemDef *filesystem = object;
    int r = check_mode(reader, node, "fmode", &filesystem->fmode);

    if (r >= 0)
        r = check_mode(reader, node, "dmode", &filesystem->dmode);
    if (r < 0)
        return r;

    if (!filesystem->source && !filesystem->socket)
        return element_missing(reader, node, "source");
    if (filesystem->multidevs && streq(filesystem->multidevs, "default"))
        free(TAKE_PTR(filesystem->multidevs));
    if (filesystem->accessmode || filesystem->socket) /* whose server decides */
        return 0;
    filesystem->accessmode = strdup("passthrough");
    return filesystem->accessmode ? 0 : error_no_memory(reader->reterr);
}

const Element filesystem_element = {"filesystem", sizeof(FilesystemDef), filesystem_fields, NULL,
                                    check};
