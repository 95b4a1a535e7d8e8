/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stand-in.h"

#include "util/directory.h"
#include "util/error.h"
#include "util/file.h"

int __real_file_read(const char *path, size_t limit, char **ret, size_t *ret_len);
int __wrap_file_read(const char *path, size_t limit, char **ret, size_t *ret_len);
int __wrap_directory_names(const char *path, const char *suffix, DirectoryNames *ret);
int __wrap_child_run_checked(const char *const *argv, uint64_t deadline, const char *package,
                             const char *what, char **ret_out, Error **reterr);

static struct {
    bool active;
    const uint8_t *data;
    size_t size;
} bytes;

void stand_in_set(const uint8_t *data, size_t size) {
    bytes.active = true;
    bytes.data = data;
    bytes.size = size;
}

void stand_in_clear(void) {
    bytes.active = false;
}

/* NUL-terminated, and not a byte more than that. */
static char *copy(void) {
    char *text = malloc(bytes.size + 1);

    if (!text)
        abort();
    if (bytes.size > 0)
        memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = '\0';
    return text;
}

int __wrap_file_read(const char *path, size_t limit, char **ret, size_t *ret_len) {
    if (!bytes.active)
        return __real_file_read(path, limit, ret, ret_len);
    if (bytes.size > limit)
        return -EFBIG;
    *ret = copy();
    if (ret_len)
        *ret_len = bytes.size;
    return 0;
}

/* One file, 7SUFFIX. */
int __wrap_directory_names(const char *path, const char *suffix, DirectoryNames *ret) {
    *ret = (DirectoryNames){calloc(1, sizeof(char *)), 1};
    if (!ret->list || !(ret->list[0] = strf("7%s", suffix)))
        abort();
    return 0;
}

int __wrap_child_run_checked(const char *const *argv, uint64_t deadline, const char *package,
                             const char *what, char **ret_out, Error **reterr) {
    if (ret_out)
        *ret_out = copy();
    return 0;
}
