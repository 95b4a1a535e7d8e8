/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The definition in a saved guest's file. */

#include "conf/domain-format.h"
#include "domain/status-file.h"
#include "driver/save.h"
#include "util/libvirt-numbers.h"
#include "util/worker.h"

/* ---- for clients ---- */

int driver_save_image_xml(const char *path, unsigned flags, char **ret, Error **reterr) {
    CLEANUP_SAVE_IMAGE SaveImage image = {0};
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_CLOSE int fd = -1;
    int r = save_open(path, false, &image, &fd, reterr);

    if (r >= 0)
        r = save_definition(NULL, &image, NULL, &def, reterr);
    if (r < 0)
        return r;
    return domain_format(def, &(DomainFormatParams){.secrets = flags & XML_SECURE}, ret) < 0
               ? error_no_memory(reterr)
               : 0;
}

typedef struct Change {
    int fd;
    const SaveImage *image;
} Change;

static int run_change(void *arg) {
    const Change *change = arg;

    return save_image_change(change->fd, change->image);
}

int driver_save_image_define(const Services *services, const char *path, const char *xml,
                             unsigned flags, Error **reterr) {
    CLEANUP_SAVE_IMAGE SaveImage image = {0};
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_BITMAP Bitmap *pending = NULL;
    CLEANUP_CLOSE int fd = -1;
    int r = save_open(path, true, &image, &fd, reterr);

    if (r >= 0)
        r = save_definition(services, &image, xml, &def, reterr);
    if (r < 0)
        return r;
    if (status_file_pending(image.xml, strlen(image.xml), &pending) < 0)
        return error_no_memory(reterr);
    free(TAKE_PTR(image.xml));
    if (domain_format(def, &(DomainFormatParams){.id = 1, .secrets = true, .pending = pending},
                      &image.xml) < 0)
        return error_no_memory(reterr);
    image.running = flags & SAVE_RUNNING ? true : flags & SAVE_PAUSED ? false : image.running;
    r = worker_run(run_change, &(Change){fd, &image});
    if (r == -EMSGSIZE)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "the definition is too long for the room it has in '%s'", path);
    return r < 0 ? error_system(reterr, FROM_QEMU, r, "cannot write '%s'", path) : 0;
}
