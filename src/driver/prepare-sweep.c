/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/prepare-sweep.h"

#include <dirent.h>

#include "domain/store.h"
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

void prepare_sweep(const Services *services) {
    CLEANUP_FREE char *directory = path_join(services->paths.run, "made");
    DIR *d = directory ? opendir(directory) : NULL;
    struct dirent *entry;
    uint8_t uuid[16];

    while (d && (entry = readdir(d))) {
        const Domain *domain;

        if (!parse_name(entry->d_name, uuid))
            continue;
        domain = store_uuid(services->store, uuid);
        if ((!domain || !domain->run) && strays_check(services->strays, uuid, NULL) >= 0)
            prepare_undo(&services->paths, uuid);
    }
    if (d)
        closedir(d);
}
