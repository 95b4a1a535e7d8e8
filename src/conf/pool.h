/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Storage pools and volumes as their XML says them; no files are looked at. */
#pragma once

#include "conf/storage.h"

#define STORAGE_XML_MAX ((size_t)1 << 20)

/* Of a directory or a file. Numbers below zero are not given. */
typedef struct StoragePermissions {
    int32_t mode; /* as chmod(2) takes it; octal in the XML */
    int64_t owner, group;
} StoragePermissions;

typedef struct PoolDef {
    char *name;
    uint8_t uuid[16];
    bool uuid_given;
    char *type;                               /* "dir": the only one that can be used */
    char *path;                               /* absolute */
    uint64_t capacity, allocation, available; /* bytes; known once it is active */
    StoragePermissions permissions;
} PoolDef;

typedef struct VolumeDef {
    char *type;                              /* "file", or "dir" once it is a directory */
    char *name;                              /* the file's name in the pool's directory */
    char *key;                               /* the same as path */
    uint64_t capacity, allocation, physical; /* bytes */
    bool capacity_given, allocation_given;
    char *path, *format, *compat;
    uint64_t cluster_size;               /* bytes; 0: the format has none */
    char *backing_path, *backing_format; /* NULL: none */
    StoragePermissions permissions;
    StorageEncryption *encryption; /* NULL: none; its format is "raw" or "qcow2" */
    char *atime, *mtime, *ctime;   /* seconds.nanoseconds */
} VolumeDef;

/* ERROR_XML and its kin; ERROR_CONFIG_UNSUPPORTED names a type of pool that cannot be used. An uuid
 * is made when none is given. The caller frees. */
int pool_parse(const char *xml, size_t len, PoolDef **ret, Error **reterr);
int volume_parse(const char *xml, size_t len, VolumeDef **ret, Error **reterr);
/* As libvirt writes them; NULL when out of memory. The caller frees. */
char *pool_format(const PoolDef *def);
char *volume_format(const VolumeDef *def);

/* The two that free take NULL and return NULL; the copy is NULL when out of memory. */
PoolDef *pool_def_free(PoolDef *def);
VolumeDef *volume_def_free(VolumeDef *def);
VolumeDef *volume_def_copy(const VolumeDef *def);
DEFINE_CLEANUP(PoolDef *, pool_def_free)
DEFINE_CLEANUP(VolumeDef *, volume_def_free)
#define CLEANUP_POOL_DEF CLEANUP(pool_def_freep)
#define CLEANUP_VOLUME_DEF CLEANUP(volume_def_freep)
