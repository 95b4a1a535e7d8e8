/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between storage.c and storage-*.c. */
#pragma once

#include "driver/storage.h"

/* One change at a time: waits for its turn, at most 30 s; ERROR_NO_STORAGE_POOL when the pool went
 * meanwhile. Pair with pool_end. */
int pool_begin(Pool *pool, const char *what, Error **reterr);
void pool_end(Pool *pool);

/* What a file is, without running a program: its size on the disk, times, owner, and its format by
 * the first bytes. -errno, -ENOTSUP for what is neither a file nor a directory. On a worker. */
int volume_look(const char *path, VolumeDef *volume);
/* What only the image itself knows: capacity, backing file. Suspends. */
int volume_read_image(VolumeDef *volume, Error **reterr);
/* All of a directory: *ret by name. Suspends; a file that goes meanwhile is passed over. */
int pool_scan(const Pool *pool, VolumeDef ***ret, size_t *ret_n, Error **reterr);
void volumes_free(VolumeDef **volumes, size_t n);
/* Capacity and what is free of the file system, mode and owner of the directory. Suspends. */
int pool_measure(Pool *pool, Error **reterr);
/* Mode and owner, as far as they are given; `name` is the path for sentences. Suspends. */
int permissions_apply(const char *path, const char *name, const StoragePermissions *permissions,
                      Error **reterr);

#define VOLUME_MODE 0600 /* of the file of a new one that asks for none */

/* The file, or directory, of a new volume, at a path that is not its own yet; the clone has the
 * contents of `from`. Suspend. */
int volume_make_file(const Pool *pool, const VolumeDef *volume, const char *path,
                     const VolumeHow *how, Error **reterr);
int volume_clone_file(const Pool *pool, const VolumeDef *volume, const char *path,
                      const VolumeDef *from, const VolumeHow *how, Error **reterr);
/* Where a new volume is made: in a directory of its own, which nobody else enters, in that of its
 * pool, which may be somebody else's. */
typedef struct VolumePlace {
    int way, fd;      /* of the two directories */
    char *held;       /* the volume's own name, host/file-owner.h */
    char *directory;  /* the new directory's, likewise */
    char *unfinished; /* where the file is made */
} VolumePlace;

/* On a worker. *ret is ended with volume_place_close in every case. -errno. */
int volume_place_open(const char *path, const char *name, VolumePlace *ret);
/* Gives the file its mode and its name, unless somebody has taken that: -EEXIST. */
int volume_place_settle(const VolumePlace *place, mode_t mode);
/* What is left unfinished goes. */
void volume_place_close(VolumePlace *place);
/* A path in a sentence becomes the volume's. Takes the error. */
int volume_place_tell(const VolumePlace *place, const char *path, Error *error_consume,
                      Error **reterr);
/* Whether it is, or is to be, a directory. */
bool volume_is_directory(const VolumeDef *volume);

/* NULL: there are none. */
const struct SecretStore *pool_secrets(const Pool *pool);

/* ---- storage.c, for storage-load.c ---- */

/* Directories of files NAME.xml, borrowed. */
typedef struct StorageFiles {
    const char *etc, *autostart, *run;
    const char *default_path; /* NULL: no default pool */
} StorageFiles;

StorageFiles storage_files(const Storage *storage);
/* The pool that a new definition replaces, or NULL; an error when it clashes with another. */
int storage_find_same(const Storage *storage, const PoolDef *def, Pool **ret, Error **reterr);
/* Takes def; the list has the one reference. NULL: out of memory. */
Pool *storage_list_pool(Storage *storage, PoolDef *def_consume);
/* The list's reference goes with it. */
void storage_unlist_pool(Pool *pool);
/* DIR/NAME.xml; NULL: out of memory. */
char *pool_file(const char *dir, const char *name);

/* Files that are being made have this in front of their name; nobody is shown them. */
#define VOLUME_UNFINISHED ".vireo-new-"
