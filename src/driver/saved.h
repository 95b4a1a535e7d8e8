/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Saved guests (domain/save-image.h) as files, and as what a start begins with. */
#pragma once

#include "domain/domain.h"
#include "domain/save-image.h"
#include "domain/services.h"

/* What a guest is brought back from: a file, or another host (`open` is set). */
typedef struct SaveSource {
    int fd; /* at the beginning of QEMU's stream */
    const SaveImage *image;
    const char *remove; /* the file goes when the guest runs; NULL: it stays */
    /* Reads it by itself, once QEMU is there and paused: a snapshot inside of its disks. NULL: QEMU
     * waits for a stream. On the start's fiber. */
    int (*load)(Domain *domain, void *userdata, Error **reterr);
    /* Waits for the stream: its descriptor is the caller's then. On the start's fiber. */
    int (*open)(Domain *domain, void *userdata, int *ret_fd, Error **reterr);
    /* The state is loaded: waits until the guest may run here, and changes *paused to whether it
     * shall not yet. In post-copy it may not be refused. */
    int (*may_run)(Domain *domain, void *userdata, bool *paused, Error **reterr);
    /* Now and then while it is loaded. < 0: it is not wanted any more. NULL: it is. */
    int (*look)(void *userdata, Error **reterr);
    void *userdata;
    bool running;   /* of a host: it shall run here */
    bool postcopy;  /* of a host: it may be switched to post-copy on its way */
    bool *released; /* NULL of a snapshot. Set when QEMU has let it run, or may have */
    bool *kept;     /* NULL of a snapshot. Set when the start has failed and its QEMU is
                       there, as the guest may be in it and nowhere else; save_settle_soon has to
                       follow */
} SaveSource;

/* lib/save/NAME.save. Caller frees. */
char *driver_managed_save_path(const ServicePaths *paths, const char *name);
bool driver_has_managed_save(const Domain *domain);
/* The name of a managed save whose guest is let run just now. Caller frees. */
char *save_taken_path(const char *path);
/* Its path, which must exist; or the name that it was taken under. Caller frees. */
int driver_managed_save_find(Domain *domain, char **ret, Error **reterr);
/* Removes the managed save; none is fine. Job held. */
int save_remove(Domain *domain, Error **reterr);

/* Opens an image and reads its header; on a fiber. */
int save_open(const char *path, bool writable, SaveImage *image, int *ret_fd, Error **reterr);
/* Whether the complete file of that very save (id as text) is there: 1, 0; or an error, when nobody
 * can tell now. On a fiber. */
int save_look(const char *path, const char *id, Error **reterr);
/* The definition in an image; with `xml`, that one, whose machine must be the same: what it leaves
 * out is filled in as at define. Without `xml` no services are needed. */
int save_definition(const Services *services, const SaveImage *image, const char *xml,
                    DomainDef **ret, Error **reterr);
/* The image's id as text. Caller frees. */
char *save_id_text(const SaveImage *image);
/* fsync of the directory a file is in. -errno. On a worker. */
int saved_sync_directory(const char *path);
/* That directory, to be fsynced: a descriptor, which the caller closes, or -errno. On a worker. */
int saved_open_directory(const char *path);

/* Reads the guest's state into a QEMU that has just been started from run->restore. The status file
 * says from then on that the guest has not run, and where it is. Job held. */
int save_load(Domain *domain, Error **reterr);
/* After a start from a host or a managed save has failed, with run->restore still set: QEMU lives
 * and has not said what has become of the guest, which may be here and nowhere else. A QEMU whose
 * monitor has closed is given a moment to end. On a fiber, job held. */
bool save_may_be_here(const Domain *domain);
/* The status file's word for it: made here, written by the caller. */
int save_set_source(Domain *domain, bool running, Error **reterr);
/* The guest is loaded, and is to run now: its managed save has the name of save_taken_path from
 * here on, until one of the next two. Of another source nothing is done. Job held. */
int save_take_over(Domain *domain, Error **reterr);
/* The guest is in QEMU alone: what was taken goes. A file that cannot be removed is logged. `path`
 * is the name that it had. None is fine. On a fiber. */
void save_drop_taken(const char *path);
/* The guest has not run, and its QEMU ends: what was taken has its old name again. A file that
 * cannot be renamed is logged and stays. None is fine. On a fiber. */
void save_give_back(const char *path);
void save_forget(DomainRun *run);

/* For tests: the daemon ends here, as if it had been killed, when VIREOD_CRASH_AT has this name. */
void saved_crash_point(const char *name);
