/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/image.h"

#include <stdio.h>

#include "qemu/argv.h"
#include "util/child.h"
#include "util/fiber.h"
#include "util/file.h"
#include "util/json.h"

#define INFO_USEC (30 * USEC_PER_SEC)
#define PACKAGE "qemu-utils"
#define ARGV_MAX 24
#define UNMEASURED "Unable to get accurate CPU usage"
#define MEASURE_TRIES 10u

/* Arguments that are borrowed; too many is a mistake of this file. */
typedef struct Argv {
    const char *list[ARGV_MAX];
    size_t n;
} Argv;

static void add(Argv *argv, const char *text) {
    assert(argv->n + 1 < ARGV_MAX);
    argv->list[argv->n++] = text;
}

static void add_option(Argv *argv, const char *option, const char *value) {
    if (!value)
        return;
    add(argv, option);
    add(argv, value);
}

void image_info_done(ImageInfo *info) {
    free(info->format);
    free(info->backing);
    free(info->backing_format);
    free(info->compat);
    free(info->data);
    *info = (ImageInfo){0};
}

static int run(Argv *argv, uint64_t deadline, const char *path, const char *what, char **ret_out,
               Error **reterr) {
    CLEANUP_FREE char *sentence = NULL;

    if (!path || *path != '/') /* what a definition says may begin with "-", or be a protocol's */
        return error_report(reterr, FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
                            "cannot %s image '%s': it has no absolute path", what,
                            path ? path : "");
    sentence = strf("cannot %s image '%s'", what, path);
    if (!sentence)
        return error_no_memory(reterr);
    return child_run_checked(argv->list, deadline, PACKAGE, sentence, ret_out, reterr);
}

/* NULL stays NULL. */
static int copy(char **to, const char *text) {
    *to = text ? strdup(text) : NULL;
    return !text || *to ? 0 : -ENOMEM;
}

/* Of qcow2 its data file, of VMDK the first of its files that is another one. NULL: none. */
static const char *data_of(json_object *specific, const char *path) {
    json_object *extents = json_member(specific, "extents");

    for (size_t i = 0; i < json_length(extents); i++) {
        const char *name = json_member_string(json_object_array_get_idx(extents, i), "filename");

        if (name && !streq(name, path))
            return name;
    }
    return json_member_string(specific, "data-file");
}

static int take_info(json_object *value, const char *path, ImageInfo *info) {
    json_object *specific = json_member(json_member(value, "format-specific"), "data");

    info->virtual_size = json_member_uint(value, "virtual-size", 0);
    info->actual_size = json_member_uint(value, "actual-size", 0);
    info->cluster_size = json_member_uint(value, "cluster-size", 0);
    info->encrypted = json_member_bool(value, "encrypted", false);
    if (copy(&info->format, json_member_string(value, "format")) < 0 ||
        copy(&info->backing, json_member_string(value, "backing-filename")) < 0 ||
        copy(&info->backing_format, json_member_string(value, "backing-filename-format")) < 0 ||
        copy(&info->compat, json_member_string(specific, "compat")) < 0 ||
        copy(&info->data, data_of(specific, path)) < 0)
        return -ENOMEM;
    return info->format ? 0 : -EBADMSG;
}

int image_info(const char *path, const char *format, ImageInfo *ret, Error **reterr) {
    CLEANUP_FREE char *text = NULL;
    CLEANUP_JSON json_object *value = NULL;
    Argv argv = {{"qemu-img", "info", "-U", "--output=json"}, 4};
    int r;

    *ret = (ImageInfo){0};
    add_option(&argv, "-f", format);
    add(&argv, path);
    r = run(&argv, deadline_in(INFO_USEC), path, "look at", &text, reterr);
    if (r < 0)
        return r;
    r = json_parse(text ? text : "", text ? strlen(text) : 0, &value);
    if (r >= 0)
        r = take_info(value, path, ret);
    if (r >= 0)
        return 0;
    image_info_done(ret);
    return r == -ENOMEM
               ? error_no_memory(reterr)
               : error_report(reterr, FROM_NONE, ERROR_OPERATION_FAILED,
                              "cannot look at image '%s': qemu-img says nothing of its format",
                              path);
}

/* The options of an encrypted image; a raw one is LUKS all through. *ret_object is freed by the
 * caller, after the argv. */
static int add_encryption(Argv *argv, const ImageCreate *create, char **ret_object) {
    if (!create->passphrase)
        return 0;
    *ret_object = strf("secret,id=passphrase,file=%s", create->passphrase);
    if (!*ret_object)
        return -ENOMEM;
    add_option(argv, "--object", *ret_object);
    add_option(argv, "-o",
               streq(create->format, "raw") ? "key-secret=passphrase"
                                            : "encrypt.format=luks,encrypt.key-secret=passphrase");
    return 0;
}

/* With a passphrase, qemu-img measures by its CPU time how many rounds of hashing it makes of it. A
 * kernel that counts CPU time by the tick may show it none at all, and qemu-img gives up: one time
 * in three (seen on a kernel of 100 ticks a second). The next time is another. */
static int run_create(Argv *argv, const ImageCreate *create, Error **reterr) {
    for (unsigned try = 1;; try++) {
        CLEANUP_ERROR Error *error = NULL;
        int r = run(argv, USEC_FOREVER, create->path, "create", NULL, &error);

        if (r >= 0)
            return r;
        if (!create->passphrase || try == MEASURE_TRIES ||
            !strstr(error_message(error), UNMEASURED))
            return error_propagate(reterr, TAKE_PTR(error));
    }
}

int image_create(const ImageCreate *create, Error **reterr) {
    CLEANUP_FREE char *object = NULL, *size = strf("%llu", (unsigned long long)create->size);
    CLEANUP_FREE char *compat = create->compat ? strf("compat=%s", create->compat) : NULL;
    bool raw = streq(create->format, "raw");
    Argv argv = {
        {"qemu-img", "create", "-q", "-f", raw && create->passphrase ? "luks" : create->format}, 5};

    assert(create->path && create->format);
    if (!size || (create->compat && !compat) || add_encryption(&argv, create, &object) < 0)
        return error_no_memory(reterr);
    if (create->preallocate)
        add_option(&argv, "-o", raw ? "preallocation=falloc" : "preallocation=metadata");
    add_option(&argv, "-o", compat);
    if (create->blind)
        add(&argv, "-u");
    add_option(&argv, "-b", create->backing);
    add_option(&argv, "-F", create->backing_format);
    add(&argv, create->path);
    if (create->size || !create->backing)
        add(&argv, size);
    return run_create(&argv, create, reterr);
}

int image_convert(const char *from, const char *from_format, const char *to, const char *to_format,
                  bool preallocate, Error **reterr) {
    Argv argv = {{"qemu-img", "convert", "-U", "-f", from_format, "-O", to_format}, 7};

    if (preallocate)
        add_option(&argv, "-o", "preallocation=metadata");
    add(&argv, from);
    add(&argv, to);
    return run(&argv, USEC_FOREVER, to, "create", NULL, reterr);
}

int image_resize(const char *path, const char *format, uint64_t size, bool shrink, Error **reterr) {
    CLEANUP_FREE char *text = strf("%llu", (unsigned long long)size);
    Argv argv = {{"qemu-img", "resize", "-q", "-f", format}, 5};

    if (!text)
        return error_no_memory(reterr);
    if (shrink)
        add(&argv, "--shrink");
    add(&argv, path);
    add(&argv, text);
    return run(&argv, USEC_FOREVER, path, "resize", NULL, reterr);
}

/* ---- snapshots ---- */

int image_snapshot(const char *path, const char *format, const char *name, ImageSnapshotAct act,
                   Error **reterr) {
    static const char *const options[] = {"-c", "-a", "-d"};
    static const char *const whats[] = {"make a snapshot in", "go back to a snapshot in",
                                        "delete a snapshot in"};
    CLEANUP_FREE char *escaped = argv_escape(path ? path : "");
    CLEANUP_FREE char *image = escaped ? strf("driver=%s,file.filename=%s", format, escaped) : NULL;
    Argv argv = {{"qemu-img", "snapshot", "-q", options[act], name, "--image-opts", image}, 7};

    return image ? run(&argv, USEC_FOREVER, path, whats[act], NULL, reterr)
                 : error_no_memory(reterr);
}

static int look_for(const char *text, const char *name) {
    CLEANUP_JSON json_object *value = NULL;
    json_object *list;
    int r = json_parse(text, strlen(text), &value);

    if (r < 0)
        return r;
    list = json_member(value, "snapshots");
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        const char *found = json_member_string(json_object_array_get_idx(list, i), "name");

        if (streq_ptr(found, name))
            return 1;
    }
    return 0;
}

int image_has_snapshot(const char *path, const char *format, const char *name, Error **reterr) {
    CLEANUP_FREE char *text = NULL;
    Argv argv = {{"qemu-img", "info", "-U", "--output=json", "-f", format, path}, 7};
    int r = run(&argv, deadline_in(INFO_USEC), path, "look at", &text, reterr);

    if (r < 0)
        return r;
    r = look_for(text ? text : "", name);
    return r >= 0
               ? r
               : error_report(reterr, FROM_NONE, ERROR_OPERATION_FAILED,
                              "cannot look at image '%s': qemu-img's answer makes no sense", path);
}

bool image_snapshot_is_number(const char *name) {
    return strlen(name) <= 9 && strspn(name, "0123456789") == strlen(name);
}
