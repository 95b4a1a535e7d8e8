/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/prepare-sweep.h"

#include "domain/store.h"
#include "driver/prepare-undo.h"
#include "driver/strays.h"
#include "util/directory.h"
#include "util/file.h"
#include "util/log.h"
#include "util/worker.h"

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
    CLEANUP_NAMES DirectoryNames names = {0};
    int r = directory ? directory_names(directory, ".json", &names) : -ENOMEM;
    uint8_t uuid[16];

    if (r < 0)
        log_warning("what was made for domains that run no more stays, '%s' cannot be read: %s",
                    directory ? directory : "made", strerror(-r));
    for (size_t i = 0; i < names.n; i++) {
        const Domain *domain;

        if (!parse_name(names.list[i], uuid))
            continue;
        domain = store_uuid(services->store, uuid);
        if ((!domain || !domain->run) && strays_check(services->strays, uuid, NULL) >= 0)
            prepare_undo(&services->paths, uuid, false);
    }
}

static int run_sweep(void *arg) {
    return file_sweep_temporaries(arg);
}

void prepare_sweep_temporaries(const ServicePaths *paths) {
    char *directories[] = {strdup(paths->etc), strdup(paths->run),
                           path_join(paths->lib, "snapshots"), path_join(paths->lib, "nvram"),
                           path_join(paths->lib, "capabilities")};

    for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
        const char *path = directories[i];
        const int r = path ? worker_run(run_sweep, (void *)path) : -ENOMEM;

        if (r < 0)
            log_warning("half-written files of an earlier vireod stay in '%s': %s",
                        path ? path : paths->lib, strerror(-r));
        free(directories[i]);
    }
}
