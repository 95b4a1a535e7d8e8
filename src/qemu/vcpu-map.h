/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vCPUs of a running QEMU: its hotpluggable entities in topology order, and the host thread
 * behind each vCPU.
 *
 * Built from two replies joined on qom-path: query-hotpluggable-cpus says which entities exist, how
 * to plug each (type and props, passed back verbatim) and which are plugged; query-cpus-fast says
 * which threads run. Facts: QEMU's qapi/machine.json (HotpluggableCPU, CpuInfoFast). Pure: JSON in,
 * struct out. */
#pragma once

#include <json-c/json.h>
#include <sys/types.h>

#include "conf/domain-def.h"

/* Where the removal of an entity is (qemu/unplug.h). */
typedef enum UnplugState {
    UNPLUG_NONE,      /* nothing asked */
    UNPLUG_REQUESTED, /* the guest has been asked */
    UNPLUG_REFUSED,   /* the guest refused; see `refusal` */
    UNPLUG_GONE,      /* it is not there any more, and what was its own is to be taken away */
} UnplugState;

/* What the guest did with a vCPU that was plugged (domain/vcpu-verdict.h). */
typedef enum GuestVerdict {
    GUEST_UNTOLD,  /* nobody asks: it was there at boot */
    GUEST_UNKNOWN, /* not found out yet, or not to be found out */
    GUEST_ONLINE,  /* it runs there, or has: latches */
    GUEST_PRESENT, /* the guest knows of it and does not use it */
    GUEST_SILENT,  /* the guest has given no sign of it */
    GUEST_VERDICT_MAX_
} GuestVerdict;

#define VCPU_TOPOLOGY_LEVELS 8

typedef struct VcpuEntity {
    unsigned first_id; /* id of its first vCPU */
    unsigned n_vcpus;  /* vcpus-count: 1 on x86, threads per core on POWER */
    char *type;        /* device_add driver; NULL: QEMU named none */
    bool cpu_add; /* without a type: plugged by its id with the old cpu-add, never taken away */
    char
        *props; /* device_add properties, QEMU's own: a JSON object's text, a tenth of the object */
    int64_t topology[VCPU_TOPOLOGY_LEVELS]; /* drawer, book, socket, die, cluster, module, core,
                                               thread; -1: QEMU says none. Its order has no node */
    char *qom_path;                         /* NULL: not plugged */
    char *alias;    /* "vcpu3" when it can be unplugged, NULL for boot CPUs */
    unsigned order; /* 1, 2, ... as query-cpus-fast first lists them: the order of their arrival; 0:
                       off */
    UnplugState unplug;
    uint64_t hint;       /* number of the last news that it may be gone; 0: none, or looked at */
    uint64_t progress;   /* number of the last news that the guest is at it */
    const char *refusal; /* why, a constant */
    bool guest_present;  /* the guest's ACPI answered its plug */
    GuestVerdict verdict;
    pid_t left_tid; /* of UNPLUG_GONE: the thread it had, which may still be ending; or 0 */
} VcpuEntity;

typedef struct VcpuMap {
    VcpuEntity *entities; /* sorted by topology; ids count up through them */
    size_t n_entities;
    pid_t *tids; /* by vCPU id; 0: none or not known */
    unsigned n_vcpus;
    bool has_tids; /* false with TCG single: affinity is not to be had */
} VcpuMap;

/* Builds the map anew. `pid` is the emulator's: a thread id equal to it, or one seen twice, means
 * that QEMU shares threads and has_tids becomes false. Errors: ERROR_INTERNAL naming what QEMU left
 * out. */
int vcpu_map_build(json_object *hotpluggable, json_object *fast, pid_t pid, VcpuMap *ret,
                   Error **reterr);
/* A map for a QEMU without hotpluggable entities: threads in index order. */
int vcpu_map_build_static(json_object *fast, pid_t pid, VcpuMap *ret, Error **reterr);
/* The same where QEMU has cpu-add (1.5 to 5.1; from 2.7 on for machine types older than that only):
 * ids up to `max` are entities that it can add. `fast` may be the answer of the older query-cpus.
 * Facts: QEMU's qapi/machine.json before 5.2 (cpu-add, CpuInfo). */
int vcpu_map_build_cpu_add(json_object *fast, pid_t pid, unsigned max, VcpuMap *ret,
                           Error **reterr);
void vcpu_map_done(VcpuMap *map);

/* The host thread of a vCPU of its own; 0: offline, not known, or vCPUs share threads. */
pid_t vcpu_map_tid(const VcpuMap *map, unsigned id);
/* Whether QEMU can plug any entity; a machine without CPU hotplug cannot. */
bool vcpu_map_has_hotplug(const VcpuMap *map);
/* Online vCPUs: those of plugged entities. */
unsigned vcpu_map_online(const VcpuMap *map);
VcpuEntity *vcpu_map_by_alias(VcpuMap *map, const char *alias);
/* By the path of the device or of a child of it ("/machine/peripheral/vcpu3/lapic"). */
VcpuEntity *vcpu_map_by_path(VcpuMap *map, const char *path);
/* The entity that vCPU `id` belongs to, or NULL. */
VcpuEntity *vcpu_map_by_id(VcpuMap *map, unsigned id);

/* At start: QEMU has or can plug just the vCPUs that are wanted. `wanted` is the definition's n,
 * from before the first refresh. ERROR_CONFIG_UNSUPPORTED. */
int vcpu_map_check_boot(const VcpuMap *map, const VcpuDef *wanted, unsigned n, Error **reterr);
/* ERROR_OPERATION_INVALID where vCPUs have no threads of their own: nothing can be pinned or
 * scheduled. */
int vcpu_map_check_affinity(const VcpuMap *map, Error **reterr);

/* Can the entity be plugged, now or after a removal? */
bool vcpu_entity_can_plug(const VcpuEntity *entity);
/* cpu-add goes from low to high ids: ERROR_OPERATION_UNSUPPORTED for one whose predecessor is not
 * there. */
int vcpu_map_check_plug(const VcpuMap *map, const VcpuEntity *entity, Error **reterr);
/* The command that plugs an entity, device_add or cpu-add, and its arguments. NULL: out of memory.
 */
json_object *vcpu_entity_plug_command(const VcpuEntity *entity, const char **ret_command);
/* device_del's arguments for a plugged entity with an alias. NULL: out of memory. */
json_object *vcpu_entity_device_del(const VcpuEntity *entity);
