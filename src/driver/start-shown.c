/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/start-shown.h"

#include <sys/stat.h>
#include <unistd.h>

#include "driver/disk-chain.h"
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
    const bool local = storage_is_local(source);

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
    if (!disk->backing)
        return -ENOMEM;
    disk->backing->detected = true;
    return 0;
}

int start_show_disk(DiskDef *disk) {
    bool alone;
    int r = disk->backing || disk->source.type == DISK_VHOSTUSER ? 1 : is_alone(disk, &alone);

    return r != 0 ? MIN_OF(r, 0) : alone ? end_chain(disk) : 0;
}

/* ---- <seclabel> ---- */

static SeclabelDef *find_label(const DomainDef *def, const char *model) {
    for (size_t i = 0; i < def->n_seclabels; i++)
        if (streq_ptr(def->seclabels[i].model, model))
            return &def->seclabels[i];
    return NULL;
}

static int replace(char **text, char *by) {
    if (!by)
        return -ENOMEM;
    free(*text);
    *text = by;
    return 0;
}

static SeclabelDef *add_label(DomainDef *def, const char *model) {
    SeclabelDef *label = array_append(&def->seclabels, &def->n_seclabels, sizeof(SeclabelDef));

    if (!label)
        return NULL;
    *label = (SeclabelDef){
        .type = strdup("dynamic"), .model = strdup(model), .relabel = TRISTATE_YES};
    return label->type && label->model ? label : NULL;
}

/* A dynamic label is this run's, whatever an earlier one had. */
static int fill_label(DomainDef *live, const char *model, const char *text, const char *image) {
    SeclabelDef *label = find_label(live, model);
    int r = 0;

    if (!label && !(label = add_label(live, model)))
        return -ENOMEM;
    if (streq_ptr(label->type, "dynamic"))
        r = replace(&label->label, strdup(text));
    if (r >= 0 && label->label && label->relabel == TRISTATE_YES)
        r = replace(&label->imagelabel, strdup(image ? image : label->label));
    return r;
}

/* One without a model is of the host's module. */
static int name_model(DomainDef *live, const char *model) {
    for (size_t i = 0; i < live->n_seclabels; i++)
        if (!live->seclabels[i].model)
            return replace(&live->seclabels[i].model, strdup(model));
    return 0;
}

int start_show_label(DomainDef *live, const char *model, const char *text, const char *image) {
    int r = find_label(live, model) ? 0 : name_model(live, model);

    return r < 0 ? r : fill_label(live, model, text, image);
}

/* Whether the definition would say no less without it. */
static bool says_nothing(const SeclabelDef *label) {
    return streq_ptr(label->type, "dynamic") && label->relabel == TRISTATE_YES && !label->baselabel;
}

/* Takes out the dynamic labels that a run has had. `all`: also those that say no more than that
 * there is one. */
static void hide_labels(DomainDef *def, bool all) {
    size_t n = 0;

    for (size_t i = 0; i < def->n_seclabels; i++)
        if (says_nothing(&def->seclabels[i]) && (all || def->seclabels[i].label))
            element_done(&seclabel_element, &def->seclabels[i]);
        else
            def->seclabels[n++] = def->seclabels[i];
    def->n_seclabels = n;
    for (size_t i = 0; i < n; i++)
        if (streq_ptr(def->seclabels[i].type, "dynamic")) {
            free(TAKE_PTR(def->seclabels[i].label));
            free(TAKE_PTR(def->seclabels[i].imagelabel));
        }
}

static int show_user(DomainDef *live, uid_t uid, gid_t gid) {
    CLEANUP_FREE char *text = strf("+%u:+%u", (unsigned)uid, (unsigned)gid);

    return text ? fill_label(live, "dac", text, NULL) : -ENOMEM;
}

int start_show(Domain *domain, const QemuConfine *confine, Error **reterr) {
    int r;

    hide_labels(domain->run->live, false); /* of the run that was saved, or of another host's */
    r = confine->has_user ? show_user(domain->run->live, confine->uid, confine->gid)
                          : show_user(domain->run->live, geteuid(), getegid());

    for (size_t i = 0; r >= 0 && i < domain->run->live->n_disks; i++) {
        if (!domain->run->restore) /* a machine that boots has its trays closed */
            free(TAKE_PTR(domain->run->live->disks[i].tray));
        r = start_show_disk(&domain->run->live->disks[i]);
    }
    return r < 0 ? error_no_memory(reterr) : 0;
}

int start_show_found(Domain *domain) {
    CLEANUP_FREE char *path = strf("/proc/%d", (int)domain->run->pid.pid);
    struct stat info;

    if (!path)
        return -ENOMEM;
    return stat(path, &info) < 0 ? 0 : show_user(domain->run->live, info.st_uid, info.st_gid);
}

/* ---- the way back ---- */

/* Of a raw image `nothing is below` goes without saying. */
static bool is_shown_end(const DiskDef *disk) {
    const BackingStore *backing = disk->backing;

    return backing && !backing->next && !backing->source.path &&
           (backing->detected || disk->source.format == DISK_FORMAT_RAW);
}

/* A transient disk's image is what it starts from. */
static int hide_overlay(const DomainDef *def, DiskDef *disk) {
    CLEANUP_CHAIN BackingStore *dropped = NULL;

    return chain_has_overlay(disk, def->name) ? chain_drop(disk, 0, 1, &dropped) : 0;
}

int start_hide(DomainDef *def) {
    hide_labels(def, true);
    for (size_t i = 0; i < def->n_disks; i++) {
        if (hide_overlay(def, &def->disks[i]) < 0)
            return -ENOMEM;
        free(TAKE_PTR(def->disks[i].tray));
        if (is_shown_end(&def->disks[i])) {
            element_done(&backing_store_element, def->disks[i].backing);
            free(TAKE_PTR(def->disks[i].backing));
        }
    }
    return 0;
}
