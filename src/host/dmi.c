/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/dmi.h"

#include "util/file.h"

#define TEXT_MAX 4096u /* bytes */

int dmi_read(const char *directory, const char *name, char **ret) {
    CLEANUP_FREE char *path = path_join(directory, name), *text = NULL;
    size_t len = 0;
    int r = path ? file_read(path, TEXT_MAX, &text, &len) : -ENOMEM;

    if (r < 0)
        return r;
    while (len > 0 && strchr(" \t\n", text[len - 1]))
        text[--len] = '\0';
    if (len == 0)
        return -ENOENT;
    *ret = TAKE_PTR(text);
    return 0;
}
