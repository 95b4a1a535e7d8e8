/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/start-shown.h"

#include <sys/stat.h>
#include <unistd.h>

#include "qemu/image-header.h"
#include "util/file.h"
#include "util/worker.h"

typedef struct Image {
    const char *path;
    bool is_alone;
} Image;

static int run_look(void *arg) {
    Image *image = arg;

    image->is_alone = image_header_is_alone(image->path);
    return 0;
}

/* Whether nothing is below the disk's source, for all that can be known. */
static int is_alone(const DiskDef *disk, bool *ret) {
    const StorageSource *source = &disk->source;
    CLEANUP_FREE char *path = source->path ? strdup(source->path) : NULL;
    Image image = {.path = path};
    bool local = source->type == DISK_FILE || source->type == DISK_BLOCK;

    *ret = path && source->format == DISK_FORMAT_RAW;
    if (source->path && !path)
        return -ENOMEM;
    if (path && local && source->format == DISK_FORMAT_QCOW2) {
        worker_run(run_look, &image);
        *ret = image.is_alone;
    }
    return 0;
}

static int end_chain(DiskDef *disk) {
    disk->backing = calloc(1, sizeof(BackingStore)); /* with nothing in it: the end */
    return disk->backing ? 0 : -ENOMEM;
}

int start_show_disk(DiskDef *disk) {
    bool alone;
    int r = disk->backing ? 1 : is_alone(disk, &alone);

    return r != 0 ? MIN_OF(r, 0) : alone ? end_chain(disk) : 0;
}

/* ---- <seclabel> ---- */

static bool has_label(const DomainDef *def) {
    for (size_t i = 0; i < def->n_seclabels; i++)
        if (streq_ptr(def->seclabels[i].model, "dac"))
            return true;
    return false;
}

static int show_user(DomainDef *live, uid_t uid, gid_t gid) {
    SeclabelDef *label;

    if (has_label(live))
        return 0;
    label = array_append(&live->seclabels, &live->n_seclabels, sizeof(SeclabelDef));
    if (!label)
        return -ENOMEM;
    *label = (SeclabelDef){.type = strdup("dynamic"),
                           .model = strdup("dac"),
                           .relabel = TRISTATE_YES,
                           .label = strf("+%u:+%u", (unsigned)uid, (unsigned)gid),
                           .imagelabel = strf("+%u:+%u", (unsigned)uid, (unsigned)gid)};
    return label->type && label->model && label->label && label->imagelabel ? 0 : -ENOMEM;
}

int start_show(Domain *domain, const QemuConfine *confine, Error **reterr) {
    int r = confine->has_user ? show_user(domain->run->live, confine->uid, confine->gid)
                              : show_user(domain->run->live, geteuid(), getegid());

    for (size_t i = 0; r >= 0 && i < domain->run->live->n_disks; i++)
        r = start_show_disk(&domain->run->live->disks[i]);
    return r < 0 ? error_no_memory(reterr) : 0;
}

int start_show_found(Domain *domain) {
    CLEANUP_FREE char *path = strf("/proc/%d", (int)domain->run->pid.pid);
    struct stat info;

    if (!path)
        return -ENOMEM;
    return stat(path, &info) < 0 ? 0 : show_user(domain->run->live, info.st_uid, info.st_gid);
}
