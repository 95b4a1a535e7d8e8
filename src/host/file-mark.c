/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/file-mark.h"

#include <sys/xattr.h>

#include "util/file.h"

#define ATTRIBUTE "trusted.vireo.run"
#define MARK_BYTES 256u

/* "OWNER BOOT"; NULL: it cannot be known. Caller frees. */
static char *mark_of(const char *owner) {
    CLEANUP_FREE char *boot = NULL;

    if (file_read("/proc/sys/kernel/random/boot_id", MARK_BYTES, &boot, NULL) < 0)
        return NULL;
    boot[strcspn(boot, "\n")] = '\0';
    return strf("%s %s", owner, boot);
}

void file_mark_write(int fd, const char *owner) {
    CLEANUP_FREE char *mark = mark_of(owner);

    if (mark)
        (void)!fsetxattr(fd, ATTRIBUTE, mark, strlen(mark), 0);
}

bool file_mark_is_of_earlier_boot(const char *path, const char *owner) {
    CLEANUP_FREE char *now = mark_of(owner);
    const size_t len = strlen(owner);
    char found[MARK_BYTES];
    ssize_t n = lgetxattr(path, ATTRIBUTE, found, sizeof(found) - 1);

    if (n < 0 || !now)
        return false;
    found[n] = '\0';
    return strncmp(found, owner, len) == 0 && found[len] == ' ' && !streq(found, now);
}
