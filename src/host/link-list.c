/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/link-list.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "util/file.h"

#define NET "/sys/class/net"
#define LINKS_MAX 16384u

/* The text of an attribute without its end of line; NULL when it cannot be read. */
static char *attribute(const char *name, const char *key) {
    CLEANUP_FREE char *path = strf(NET "/%s/%s", name, key);
    char *text = NULL;

    if (!path || file_read(path, 4096, &text, NULL) < 0)
        return NULL;
    text[strcspn(text, "\n")] = '\0';
    return text;
}

int link_look(const char *name, LinkInfo *ret) {
    CLEANUP_FREE char *flags = NULL, *state = NULL, *mac = NULL, *mtu = NULL, *bridge = NULL;

    if (!*name || strlen(name) >= sizeof(ret->name) || strchr(name, '/') || *name == '.')
        return -ENODEV;
    flags = attribute(name, "flags");
    if (!flags)
        return -ENODEV;
    mac = attribute(name, "address");
    mtu = attribute(name, "mtu");
    bridge = strf(NET "/%s/bridge", name);
    state = attribute(name, "operstate");
    *ret = (LinkInfo){.up = streq_ptr(state, "up"),
                      .mtu = mtu ? (unsigned)strtoul(mtu, NULL, 10) : 0,
                      .is_bridge = bridge && access(bridge, F_OK) == 0};
    snprintf(ret->name, sizeof(ret->name), "%s", name);
    snprintf(ret->state, sizeof(ret->state), "%s", state ? state : "unknown");
    snprintf(ret->mac, sizeof(ret->mac), "%s", mac ? mac : "");
    return 0;
}

static int compare(const void *a, const void *b) {
    return strcmp(((const LinkInfo *)a)->name, ((const LinkInfo *)b)->name);
}

int link_list(LinkInfo **ret, size_t *ret_n) {
    CLEANUP_FREE LinkInfo *list = NULL;
    size_t n = 0, size = 0;
    struct dirent *entry;
    DIR *d = opendir(NET);
    int r = d ? 0 : -errno;

    while (r >= 0 && (entry = readdir(d)) && n < LINKS_MAX) {
        if (n == size) {
            LinkInfo *bigger = reallocarray(list, size * 2 + 16, sizeof(LinkInfo));

            if (!bigger) {
                r = -ENOMEM;
                break;
            }
            list = bigger;
            size = size * 2 + 16;
        }
        n += link_look(entry->d_name, &list[n]) >= 0;
    }
    if (d)
        closedir(d);
    if (r < 0)
        return r;
    if (n > 0)
        qsort(list, n, sizeof(LinkInfo), compare);
    *ret = TAKE_PTR(list);
    *ret_n = n;
    return 0;
}
