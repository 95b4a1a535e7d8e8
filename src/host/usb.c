/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/usb.h"

#include <dirent.h>

#include "util/file.h"

#define DEVICES "sys/bus/usb/devices"
#define NUMBER_MAX 64u /* bytes of a file */

static void close_directory(DIR **directory) {
    if (*directory)
        closedir(*directory);
}

/* False: it has no such file. An interface has none of a device's. */
static bool read_number(const char *directory, const char *device, const char *name, int base,
                        unsigned *ret) {
    CLEANUP_FREE char *path = strf("%s/%s/%s", directory, device, name), *text = NULL;
    char *end = NULL;

    if (!path || file_read(path, NUMBER_MAX, &text, NULL) < 0)
        return false;
    *ret = (unsigned)strtoul(text, &end, base);
    return end != text;
}

static bool is_wanted(const char *directory, const char *device, const UsbWanted *wanted,
                      UsbPlace *ret) {
    unsigned vendor = 0, product = 0;
    UsbPlace place = {0};

    if (!read_number(directory, device, "idVendor", 16, &vendor) ||
        !read_number(directory, device, "idProduct", 16, &product) ||
        !read_number(directory, device, "busnum", 10, &place.bus) ||
        !read_number(directory, device, "devnum", 10, &place.device))
        return false;
    if (wanted->has_id && (vendor != wanted->vendor || product != wanted->product))
        return false;
    if (wanted->has_place && (place.bus != wanted->bus || place.device != wanted->device))
        return false;
    *ret = place;
    return true;
}

int usb_find(const char *root, const UsbWanted *wanted, UsbPlace *ret) {
    CLEANUP_FREE char *path = strf("%s/" DEVICES, root);
    CLEANUP(close_directory) DIR *directory = path ? opendir(path) : NULL;
    const struct dirent *entry;
    int n = 0;

    assert(wanted->has_id || wanted->has_place);
    if (!path)
        return -ENOMEM;
    if (!directory)
        return errno == ENOENT ? 0 : -errno;
    while ((entry = readdir(directory)))
        if (entry->d_name[0] != '.')
            n += is_wanted(path, entry->d_name, wanted, ret);
    return n;
}
