/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the files of cgroup: hierarchies, the place of a tree in one of them, and what the two
 * versions do each in its own way. */
#pragma once

#include "host/cgroup.h"

typedef struct CgroupOps CgroupOps;

/* One mounted hierarchy that has at least one of our controllers. */
typedef struct CgroupHierarchy {
    const CgroupOps *ops;
    unsigned controllers; /* bits by CGROUP_BIT */
    char *mount_point;
    char *root; /* the group that is seen at the mount point: not "/" for a bind mount */
    bool read_only;
    bool library; /* libcgroup knows it, not only a table of ours */
} CgroupHierarchy;

struct CgroupHost {
    char *proc;
    size_t n_hierarchies;
    CgroupHierarchy hierarchies[CGROUP_CONTROLLER_MAX];
    CgroupHost *devices; /* one hierarchy, with none of our controllers; NULL: there is none */
};

/* What is mounted, as libcgroup or a test's table says it. */
typedef struct CgroupMount {
    const char *mount_point;
    const char *root; /* as a hierarchy's */
    int version;
    unsigned controllers; /* bits by CGROUP_BIT */
    bool read_only;
} CgroupMount;

/* The host of a table, without libcgroup; `proc` is "/proc" when NULL. */
int cgroup_host_from_table(const char *proc, const CgroupMount *mounts, size_t n, CgroupHost **ret,
                           Error **reterr);

/* An open group of one hierarchy. `path` is absolute below the mount point: for openat and for
 * sentences. */
typedef struct CgroupPlace {
    const CgroupHierarchy *hierarchy;
    int fd;
    char *path;
    unsigned controllers; /* those of the hierarchy that work here */
    unsigned below;       /* and those that its children have */
    bool clones;          /* a new child has what `prepare` would give it */
    bool lazy;            /* a child is made when it gets a value of its own */
} CgroupPlace;

struct CgroupTree {
    char *partition, *name;
    size_t n_places;
    CgroupPlace places[CGROUP_CONTROLLER_MAX];
    char *missing[CGROUP_CONTROLLER_MAX]; /* why a controller cannot be used, in words */
};

/* The two versions. `child` is NULL for the place itself. */
struct CgroupOps {
    int version;
    const char *threads; /* the file that takes one thread */
    const char *cpus, *mems, *effective_cpus, *effective_mems;
    /* After a directory was made or found, before anything is done in it: make it fit for threads.
     * `child` is new below `parent`; `leaf`: it is a child of a tree, else a group on the way to
     * one. */
    int (*prepare)(const CgroupPlace *parent, const char *child, bool leaf, Error **reterr);
    /* Hands place->controllers down to its children and sets place->below; for what cannot be there
     * is a sentence in missing (by controller) afterwards. With `write` false it only looks. */
    int (*hand_down)(CgroupPlace *place, bool write, char **missing);
    /* May a child be missing until it has a value of its own? NULL: no. */
    bool (*is_lazy)(const CgroupPlace *place);
    /* Has new children of the place begin with its own sets; with `write` false it only looks.
     * NULL: there is no such thing. */
    bool (*clone)(const CgroupPlace *place, bool write);
    int (*set_shares)(const CgroupPlace *place, const char *child, uint64_t shares, Error **reterr);
    int (*set_bandwidth)(const CgroupPlace *place, const char *child, uint64_t period,
                         int64_t quota, Error **reterr);
    int (*get_cpu)(const CgroupPlace *place, const char *child, CgroupState *state, Error **reterr);
    int (*get_usage)(const CgroupPlace *place, const char *child, unsigned controllers,
                     CgroupUsage *usage, Error **reterr);
};

extern const CgroupOps cgroup_v1_ops, cgroup_v2_ops;

/* Where the threads of `child` are: NULL, which is the place itself, while a lazy place has no such
 * group. */
const char *cgroup_place_child(const CgroupPlace *place, const char *child);
/* Makes the child in one hierarchy, ready for threads, or takes the one that is there. */
int cgroup_place_add(const CgroupPlace *place, const char *child, bool *ret_made, Error **reterr);

/* cgroup-file.c. The plain ones are quiet and return -errno; the others make the sentence. */
int cgroup_write_quiet(const CgroupPlace *place, const char *child, const char *file,
                       const char *text);
int cgroup_read_quiet(const CgroupPlace *place, const char *child, const char *file, char **ret);
int cgroup_write(const CgroupPlace *place, const char *child, const char *file, const char *text,
                 Error **reterr);
int cgroup_write_u64(const CgroupPlace *place, const char *child, const char *file, uint64_t value,
                     Error **reterr);
/* The sentence of a write that failed with errnum, and what may help ("" for nothing). */
int cgroup_write_error(const CgroupPlace *place, const char *child, const char *file,
                       const char *text, int errnum, const char *hint, Error **reterr);
int cgroup_read(const CgroupPlace *place, const char *child, const char *file, char **ret,
                Error **reterr);
int cgroup_read_i64(const CgroupPlace *place, const char *child, const char *file, int64_t *ret,
                    Error **reterr);
int cgroup_read_list(const CgroupPlace *place, const char *child, const char *file, Bitmap **ret,
                     Error **reterr);
/* CONTROLLER.stat, through libcgroup where it can. */
int cgroup_read_stat(const CgroupPlace *place, const char *child, const char *controller,
                     char **ret, Error **reterr);
/* The number behind KEY and a space at the start of a line, 0 when there is none. */
uint64_t cgroup_stat_value(const char *text, const char *key);
/* Is the word in a list that spaces divide? */
bool cgroup_has_word(const char *list, const char *word);

/* The group's path from the mount point, "/" for the top: what a person reads. */
const char *cgroup_place_name(const CgroupPlace *place);
/* Opens the first `length` bytes of an absolute path, component by component, never through a
 * symbolic link. `controllers` and `below` are the hierarchy's. -errno. */
int cgroup_place_open(const CgroupHierarchy *hierarchy, const char *path, size_t length,
                      CgroupPlace *ret);
void cgroup_place_done(CgroupPlace *place);
#define CLEANUP_CGROUP_PLACE CLEANUP(cgroup_place_done)
/* The length of the next longer ancestor: "/a/b" from 0 (the top) gives 2 and 4; 0 at the end. */
size_t cgroup_path_next(const char *path, size_t length);
