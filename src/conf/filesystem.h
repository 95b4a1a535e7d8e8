/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <filesystem>: a folder of the host in the guest. */
#pragma once

#include "conf/device-info.h"

typedef enum FilesystemType {
    FILESYSTEM_MOUNT,
    FILESYSTEM_BLOCK,
    FILESYSTEM_FILE,
    FILESYSTEM_TEMPLATE,
    FILESYSTEM_RAM,
    FILESYSTEM_BIND,
    FILESYSTEM_VOLUME,
    FILESYSTEM_TYPE_MAX_
} FilesystemType;

typedef struct FilesystemDef {
    FilesystemType type;
    char *accessmode; /* passthrough, mapped, squash */
    char *fmode, *dmode, *model, *multidevs;
    char *driver; /* path, handle, loop, nbd, ploop, virtiofs */
    char *format, *wrpolicy;
    unsigned queue;
    VirtioOptions virtio;
    char *binary;
    Tristate xattr;
    char *cache_mode, *sandbox_mode;
    Tristate posix, flock;
    unsigned thread_pool_size;
    bool has_thread_pool_size;
    char *source; /* a path, a name, a size: by the type */
    char *pool;   /* volume */
    char *units;  /* ram */
    char *socket; /* of a virtiofsd that somebody else runs */
    char *target;
    bool readonly;
    uint64_t space_hard_limit, space_soft_limit; /* bytes */
    DeviceInfo info;
} FilesystemDef;

extern const Element filesystem_element;
