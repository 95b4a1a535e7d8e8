/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The domain definition: what the XML says, as a struct. Pure data: text in, struct out, no files,
 * no processes. Parsing: conf/domain-parse.h; formatting: conf/domain-format.h; checks that need
 * the whole definition: conf/domain-validate.h.
 *
 * Ownership: every pointer below belongs to the DomainDef; domain_def_free frees the tree. */
#pragma once

#include "conf/clock.h"
#include "conf/controller.h"
#include "conf/cpu.h"
#include "conf/crypto.h"
#include "conf/disk.h"
#include "conf/domain-tune.h"
#include "conf/domain-features.h"
#include "conf/filesystem.h"
#include "conf/graphics.h"
#include "conf/hostdev.h"
#include "conf/hub.h"
#include "conf/input.h"
#include "conf/interface.h"
#include "conf/iommu.h"
#include "conf/memballoon.h"
#include "conf/memory-device.h"
#include "conf/domain-memory.h"
#include "conf/os.h"
#include "conf/qemu-namespace.h"
#include "conf/redirdev.h"
#include "conf/rng.h"
#include "conf/security.h"
#include "conf/shmem.h"
#include "conf/sound.h"
#include "conf/tpm.h"
#include "conf/uuid.h"
#include "conf/video.h"
#include "conf/vsock.h"
#include "conf/watchdog.h"

#define DOMAIN_MAX_VCPUS 16384u

typedef enum DomainVirt { DOMAIN_VIRT_QEMU, DOMAIN_VIRT_KVM, DOMAIN_VIRT_MAX_ } DomainVirt;

typedef enum LifecycleAction {
    LIFECYCLE_DESTROY,
    LIFECYCLE_RESTART,
    LIFECYCLE_PRESERVE,
    LIFECYCLE_RENAME_RESTART,
    LIFECYCLE_COREDUMP_DESTROY,
    LIFECYCLE_COREDUMP_RESTART,
    LIFECYCLE_ACTION_MAX_
} LifecycleAction;

/* One <vcpu>: index in the array is the id. */
typedef struct VcpuDef {
    bool online;
    Tristate hotpluggable;
    unsigned order; /* 0: none */
    Bitmap *pin;    /* <vcpupin>, also of an offline one; or NULL */
    SchedDef sched; /* <vcpusched> */
} VcpuDef;

/* What is not said: an offline vCPU can be plugged, an online one is there from the start. */
bool vcpu_def_is_hotpluggable(const VcpuDef *vcpu);

/* <idmap>: one range of it. */
typedef struct IdmapRange {
    unsigned start, target, count;
} IdmapRange;

typedef struct PerfEvent {
    char *name, *enabled;
} PerfEvent;

typedef struct DomainDef {
    DomainVirt virt;
    char *name;
    uint8_t uuid[16];
    bool has_uuid; /* it was given; else one is made */
    char *genid;   /* "" : to be generated at define */
    bool has_genid;
    char *title, *description;
    char *metadata;               /* the <metadata> element verbatim, or NULL */
    uint64_t unplug_timeout_usec; /* from Vireo's element in it; 0: not given */

    uint64_t max_memory_kib; /* <maxMemory>, 0: none */
    unsigned memory_slots;
    uint64_t memory_kib; /* <memory> */
    Tristate dump_core;
    uint64_t current_memory_kib; /* <currentMemory> */
    BlkiotuneDef blkiotune;
    MemtuneDef memtune;
    MemoryBackingDef memory_backing;

    VcpuDef *vcpus; /* n_vcpus_max entries */
    unsigned n_vcpus_max;
    bool vcpus_individual; /* <vcpus> is written */
    bool placement_auto;
    Bitmap *cpuset; /* <vcpu cpuset=>, or NULL */
    CpuTuneDef cputune;
    char *energytune;       /* as it came */
    IothreadDef *iothreads; /* in order of their ids */
    size_t n_iothreads;
    int default_pool_min, default_pool_max; /* -1: not given */
    NumaTuneDef numatune;
    char *partition; /* <resource><partition>, or NULL */
    char *appid;     /* <resource><fibrechannel appid=> */

    SysinfoDef *sysinfos;
    size_t n_sysinfos;
    OsDef os;
    IdmapRange *uid_ranges, *gid_ranges;
    size_t n_uid_ranges, n_gid_ranges;
    FeaturesDef features;
    CpuDef cpu;
    ClockOffset clock;
    ClockDef clock_details;
    TimerDef *timers;
    size_t n_timers;
    LifecycleAction on_poweroff, on_reboot, on_crash;
    char *on_lockfailure;
    Tristate suspend_to_mem, suspend_to_disk;
    PerfEvent *perf_events;
    size_t n_perf_events;

    char *emulator; /* NULL until define fills in the default */
    DiskDef *disks;
    size_t n_disks;
    ControllerDef *controllers;
    size_t n_controllers;
    LeaseDef *leases;
    size_t n_leases;
    FilesystemDef *filesystems;
    size_t n_filesystems;
    InterfaceDef *interfaces;
    size_t n_interfaces;
    SmartcardDef *smartcards;
    size_t n_smartcards;
    ChardevDef *chardevs; /* serials, parallels, consoles, channels in this order */
    size_t n_chardevs;
    InputDef *inputs;
    size_t n_inputs;
    TpmDef *tpms;
    size_t n_tpms;
    GraphicsDef *graphics;
    size_t n_graphics;
    SoundDef *sounds;
    size_t n_sounds;
    AudioDef *audios;
    size_t n_audios;
    VideoDef *videos;
    size_t n_videos;
    HostdevDef *hostdevs;
    size_t n_hostdevs;
    RedirdevDef *redirdevs;
    size_t n_redirdevs;
    RedirfilterDef *redirfilter;
    HubDef *hubs;
    size_t n_hubs;
    WatchdogDef *watchdogs;
    size_t n_watchdogs;
    MemballoonDef *memballoon; /* NULL until define fills it in */
    RngDef *rngs;
    size_t n_rngs;
    NvramDef *nvram;
    PanicDef *panics;
    size_t n_panics;
    ShmemDef *shmems;
    size_t n_shmems;
    MemoryDef *memories;
    size_t n_memories;
    CryptoDef *cryptos;
    size_t n_cryptos;
    IommuDef iommu;
    VsockDef *vsock;

    SeclabelDef *seclabels;
    size_t n_seclabels;
    KeywrapCipher *keywraps;
    size_t n_keywraps;
    LaunchSecurityDef *launch_security;
    QemuNamespaceDef qemu;
} DomainDef;

extern const Words virt_types;
extern const Element domain_element;

/* Whether a domain can have that name, which becomes part of file names and is written as XML.
 * ERROR_XML, ERROR_XML_DETAIL. */
int domain_check_name(const char *name, Error **reterr);

/* Deep copy; NULL when out of memory. */
DomainDef *domain_def_copy(const DomainDef *def);
/* The same under another name. */
DomainDef *domain_def_copy_as(const DomainDef *def, const char *name);
void domain_def_free(DomainDef *def);
DEFINE_CLEANUP(DomainDef *, domain_def_free)
#define CLEANUP_DOMAIN_DEF CLEANUP(domain_def_freep)

/* Whether others than QEMU can see the guest's memory. */
bool domain_def_shares_memory(const DomainDef *def);
/* Number of online vCPUs. */
unsigned domain_def_online_vcpus(const DomainDef *def);
/* Whether a device has a <boot order>: then <os> has no <boot>. */
bool domain_def_has_boot_order(const DomainDef *def);

/* Grows or shrinks the vcpus array to `max`; new entries are offline, absent. -ENOMEM. */
int domain_def_set_max_vcpus(DomainDef *def, unsigned max);

/* The IO thread of that id, NULL when there is none. */
IothreadDef *domain_def_iothread(const DomainDef *def, unsigned id);
/* A new one in its place by id, which is not there yet; NULL: out of memory. */
IothreadDef *domain_def_add_iothread(DomainDef *def, unsigned id);
void domain_def_remove_iothread(DomainDef *def, unsigned id);
/* `disk` is one of its disks, and is freed; those behind it move. */
void domain_def_remove_disk(DomainDef *def, DiskDef *disk);

/* The first of what the domain cannot be started with yet, as ERROR_CONFIG_UNSUPPORTED with the
 * place and the line that `dumpxml --inactive` shows; 0 when there is none. It is kept in the
 * definition. */
int domain_def_check_start(const DomainDef *def, Error **reterr);
