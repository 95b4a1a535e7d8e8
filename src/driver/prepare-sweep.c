/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/prepare-sweep.h"

#include <dirent.h>

#include "driver/prepare-undo.h"
#include "driver/strays.h"
#include "util/file.h"

/* "UUID.json" */
static bool parse_name(const char *name, uint8_t uuid[16]) {
    char text[UUID_TEXT_SIZE] = "";
    size_t len = strlen(name);

    if (len != sizeof(text) - 1 + strlen(".json") || !streq(name + sizeof(text) - 1, ".json"))
        return false;
    memcpy(text, name, sizeof(text) - 1);
    return uuid_parse(text, uuid) >= 0;
}

void prepare_sweep(Driver *driver) {
    CLEANUP_FREE char *directory = path_join(driver->paths.run, "made");
    DIR *d = directory ? opendir(directory) : NULL;
    struct dirent *entry;
    uint8_t uuid[16];

    while (d && (entry = readdir(d))) {
        Domain *domain = NULL;

        if (!parse_name(entry->d_name, uuid))
            continue;
        domain = driver_find_uuid(driver, uuid, NULL, NULL);
        if ((!domain || !domain->run) && strays_check(driver, uuid, NULL) >= 0)
            prepare_undo(driver, uuid);
    }
    if (d)
        closedir(d);
}
