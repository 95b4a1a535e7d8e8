/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/named-files.h"

#include "qemu/image-header.h"
#include "util/worker.h"

void named_files_done(NamedFiles *files) {
    for (size_t i = 0; i < files->n; i++)
        free(files->items[i].path);
    free(files->items);
    *files = (NamedFiles){0};
}

/* NULL is no file. */
static int add(NamedFiles *files, const char *path, FileUse use) {
    NamedFile *file;
    char *copy;

    if (!path)
        return 0;
    copy = strdup(path);
    file = copy ? array_append(&files->items, &files->n, sizeof(NamedFile)) : NULL;
    if (!file) {
        free(copy);
        return -ENOMEM;
    }
    *file = (NamedFile){.path = copy, .use = use};
    return 0;
}

/* ---- disks ---- */

bool source_is_left_alone(const StorageSource *source, const char *model) {
    for (size_t i = 0; i < source->n_seclabels; i++)
        if ((!source->seclabels[i].model || streq(source->seclabels[i].model, model)) &&
            source->seclabels[i].relabel == TRISTATE_NO)
            return true;
    return false;
}

static bool is_here(const StorageSource *source, const char *model) {
    return storage_is_local(source) && !source_is_left_alone(source, model);
}

int named_files_add_image(NamedFiles *files, const StorageSource *source, FileUse use,
                          const char *model) {
    return is_here(source, model) ? add(files, source->path, use) : 0;
}

/* Only its header knows what is below it, where the definition does not say. */
static bool may_name_more(const StorageSource *source) {
    return source->format == DISK_FORMAT_QCOW2;
}

static int add_disk(NamedFiles *files, const DiskDef *disk, const char *model) {
    const StorageReservations *reservations = disk->source.reservations;
    const FileUse use = disk->readonly ? FILE_USE_READ : FILE_USE_WRITE;
    int r = 0;

    if (disk->source.type == DISK_VHOSTUSER && !source_is_left_alone(&disk->source, model))
        return add(files, disk->source.path, FILE_USE_CONNECT);
    if (reservations && reservations->managed == TRISTATE_NO) {
        r = add(files, reservations->path, FILE_USE_CONNECT);
        if (r < 0)
            return r;
        files->items[files->n - 1].shared = true;
    }
    if (is_here(&disk->source, model)) {
        r = add(files, disk->source.path, use);
        if (r < 0)
            return r;
        files->items[files->n - 1].shared = disk->shareable;
        files->items[files->n - 1].has_chain = !disk->backing && may_name_more(&disk->source);
    }
    for (const BackingStore *at = disk->backing; r >= 0 && at; at = at->next) {
        const size_t n = files->n;

        r = named_files_add_image(files, &at->source, FILE_USE_READ, model);
        if (r >= 0 && files->n > n)
            files->items[n].has_chain = !at->next && may_name_more(&at->source);
    }
    return r;
}

typedef struct ReadChain {
    const char *path;
    ImageChain chain;
} ReadChain;

static int run_read_chain(void *arg) {
    ReadChain *read = arg;

    return image_header_chain(read->path, &read->chain);
}

static bool is_beside(const char *path, const char *image) {
    const char *slash = strrchr(image, '/');

    return slash && strncmp(path, image, (size_t)(slash + 1 - image)) == 0;
}

bool named_files_may_be_below(const Storage *storage, const char *image, const char *path) {
    return *path == '/' && !strstr(path, "/../") &&
           (is_beside(path, image) || storage_has_directory(storage, path));
}

static int add_chain(NamedFiles *files, const Storage *storage, const char *image) {
    ReadChain read = {.path = image};
    int r = worker_run(run_read_chain, &read);

    for (size_t i = 0; r >= 0 && i < read.chain.n; i++)
        if (named_files_may_be_below(storage, image, read.chain.files[i]))
            r = add(files, read.chain.files[i], FILE_USE_READ);
    image_chain_done(&read.chain);
    return r < 0 ? -ENOMEM : 0;
}

/* Below those that were added from number `first` on. */
static int add_chains(NamedFiles *files, const Storage *storage, size_t first) {
    const size_t n = files->n;
    int r = 0;

    for (size_t i = first; r >= 0 && i < n; i++)
        if (files->items[i].has_chain)
            r = add_chain(files, storage, files->items[i].path);
    return r;
}

/* ---- the others ---- */

static int add_chardev(NamedFiles *files, const ChardevSource *source) {
    int r = 0;

    if (source->type == CHARDEV_FILE && strncmp(source->path ? source->path : "", "/dev/", 5) != 0)
        r = add(files, source->path, FILE_USE_MAKE);
    if (source->type == CHARDEV_UNIX && !source->listen && source->path && *source->path == '/')
        r = add(files, source->path, FILE_USE_CONNECT);
    return r < 0 ? r : add(files, source->log_file, FILE_USE_MAKE);
}

static int add_boot(NamedFiles *files, const OsDef *os) {
    const char *const read[] = {os->kernel, os->initrd, os->dtb,
                                os->loader && *os->loader == '/' ? os->loader : NULL,
                                os->acpi_table};
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(read) && r >= 0; i++)
        r = add(files, read[i], FILE_USE_READ);
    if (r >= 0 && os->has_nvram && os->nvram.path && *os->nvram.path == '/')
        r = add(files, os->nvram.path, FILE_USE_WRITE);
    return r;
}

/* <rom file=''> of a device. */
static int add_rom(NamedFiles *files, const DeviceKind *kind, const void *device) {
    const DeviceInfo *info = kind->info == DEVICE_WITHOUT_INFO
                                 ? NULL
                                 : (const void *)((const char *)device + kind->info);

    return info && info->rom_file && *info->rom_file == '/'
               ? add(files, info->rom_file, FILE_USE_READ)
               : 0;
}

static int visit_rom(const DeviceKind *kind, void *device, size_t index, void *userdata) {
    return add_rom(userdata, kind, device);
}

static int add_roms(NamedFiles *files, const DomainDef *def) {
    return devices_each((DomainDef *)def, visit_rom, files); /* which only looks */
}

/* <entry file=''> of <sysinfo type='fwcfg'>. */
static int add_sysinfo(NamedFiles *files, const SysinfoDef *sysinfo) {
    int r = 0;

    for (size_t i = 0; r >= 0 && i < sysinfo->n_entries; i++)
        if (sysinfo->entries[i].file && *sysinfo->entries[i].file == '/')
            r = add(files, sysinfo->entries[i].file, FILE_USE_READ);
    return r;
}

static int add_all(NamedFiles *files, const DomainDef *def, const char *model) {
    int r = add_boot(files, &def->os);

    for (size_t i = 0; r >= 0 && i < def->n_sysinfos; i++)
        r = add_sysinfo(files, &def->sysinfos[i]);
    if (r >= 0)
        r = add_roms(files, def);
    for (size_t i = 0; r >= 0 && i < def->n_disks; i++)
        r = add_disk(files, &def->disks[i], model);
    for (size_t i = 0; r >= 0 && i < def->n_chardevs; i++)
        if (!def->chardevs[i].is_serial_alias)
            r = add_chardev(files, &def->chardevs[i].source);
    for (size_t i = 0; r >= 0 && i < def->n_memories; i++)
        r = add(files, def->memories[i].path, FILE_USE_WRITE);
    return r;
}

int named_files_add(NamedFiles *files, const Storage *storage, const DomainDef *def,
                    const char *model) {
    const size_t first = files->n;
    int r = add_all(files, def, model);

    return r < 0 ? r : add_chains(files, storage, first);
}

int named_files_add_device(NamedFiles *files, const Storage *storage, const DeviceKind *kind,
                           const void *device, const char *model) {
    const size_t first = files->n;
    int r = add_rom(files, kind, device);

    if (r < 0)
        return r;
    if (kind == &disk_kind)
        r = add_disk(files, device, model);
    if (kind == &memory_kind)
        r = add(files, ((const MemoryDef *)device)->path, FILE_USE_WRITE);
    if (kind == &chardev_kind)
        r = add_chardev(files, &((const ChardevDef *)device)->source);
    return r < 0 ? r : add_chains(files, storage, first);
}
