/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/image-names.h"

#include <sys/stat.h>

#include "driver/disk-chain.h"
#include "driver/named-files.h"
#include "qemu/image-header.h"
#include "qemu/image.h"
#include "util/file.h"
#include "util/worker.h"

static int run_look(void *arg) {
    struct stat info;

    if (lstat(arg, &info) < 0)
        return -errno;
    if (S_ISLNK(info.st_mode) && stat(arg, &info) < 0)
        return -errno;
    return S_ISREG(info.st_mode) || S_ISBLK(info.st_mode) ? 0 : -EINVAL;
}

static int refuse(const char *image, const char *name, const char *why, Error **reterr) {
    return error_report(reterr, FROM_STORAGE, ERROR_OPERATION_DENIED,
                        "the header of image '%s' names '%.200s', %s", image, name, why);
}

static int check_below(const Storage *storage, const char *image, const char *name,
                       ImageBelow below, char **ret, Error **reterr) {
    CLEANUP_FREE char *path = image_path_of(image, name);

    if (!path)
        return error_no_memory(reterr);
    if (!image_is_file_name(name) || worker_run(run_look, path) < 0)
        return refuse(image, name, "which is no file here: what it is cannot be known", reterr);
    if (below == IMAGE_BELOW_COPIED && !named_files_may_be_below(storage, image, path))
        return refuse(image, name,
                      "which is neither beside it nor in a pool that is active, and is not copied: "
                      "make its directory a pool if it is meant",
                      reterr);
    *ret = TAKE_PTR(path);
    return 0;
}

static bool has_header(const char *format) {
    return !format || !(streq(format, "raw") || streq(format, "iso") || streq(format, "luks"));
}

int image_names_check(const Storage *storage, const char *path, const char *format,
                      ImageBelow below, Error **reterr) {
    CLEANUP_FREE char *image = strdup(path), *image_format = format ? strdup(format) : NULL;

    if (!image || (format && !image_format))
        return error_no_memory(reterr);
    for (size_t n = 0; n < CHAIN_MAX && has_header(image_format); n++) {
        CLEANUP_IMAGE_INFO ImageInfo info = {0};
        char *next = NULL;
        int r = image_info(image, image_format, &info, reterr);

        if (r >= 0 && info.data)
            r = refuse(image, info.data, "where its data is said to be: it is not used", reterr);
        if (r < 0 || !info.backing || below == IMAGE_BELOW_SAID)
            return r;
        r = check_below(storage, image, info.backing, below, &next, reterr);
        if (r < 0)
            return r;
        free(image);
        free(image_format);
        image = next;
        image_format = TAKE_PTR(info.backing_format);
    }
    return 0;
}
