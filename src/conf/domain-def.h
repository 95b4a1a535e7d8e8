/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The domain definition: what the XML says, as a struct. Pure data: text in, struct out, no files,
 * no processes. Parsing: conf/domain-parse.h; formatting: conf/domain-format.h; checks that need
 * the whole definition: conf/domain-validate.h.
 *
 * Ownership: every pointer below belongs to the DomainDef; domain_def_free frees the tree. */
#pragma once

#include "conf/domain-tune.h"
#include "util/bitmap.h"
#include "util/error.h"

#define DOMAIN_MAX_VCPUS 16384u
#define UUID_TEXT_SIZE 37

typedef enum Tristate { TRISTATE_ABSENT = 0, TRISTATE_YES, TRISTATE_NO } Tristate;

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

typedef enum CpuMode {
    CPU_MODE_NONE, /* no <cpu>, or one with topology/numa only: QEMU's default model */
    CPU_MODE_CUSTOM,
    CPU_MODE_HOST_MODEL,
    CPU_MODE_HOST_PASSTHROUGH,
    CPU_MODE_MAXIMUM,
    CPU_MODE_MAX_
} CpuMode;

typedef enum CpuFeaturePolicy {
    CPU_FEATURE_FORCE,
    CPU_FEATURE_REQUIRE,
    CPU_FEATURE_OPTIONAL,
    CPU_FEATURE_DISABLE,
    CPU_FEATURE_FORBID,
    CPU_FEATURE_POLICY_MAX_
} CpuFeaturePolicy;

typedef struct CpuFeature {
    char *name;
    CpuFeaturePolicy policy;
} CpuFeature;

typedef struct CpuTopology { /* all zero: not given */
    unsigned sockets, dies, clusters, cores, threads;
} CpuTopology;

typedef struct NumaCell { /* index is the id */
    Bitmap *cpus;         /* NULL: memory-only cell */
    uint64_t memory_kib;
} NumaCell;

typedef struct CpuDef {
    CpuMode mode;
    char *match;      /* exact, minimum, strict or NULL; kept, not interpreted */
    char *check;      /* none, partial, full or NULL; kept */
    char *migratable; /* on, off or NULL */
    char *model;      /* custom */
    char *fallback;   /* allow, forbid or NULL */
    char *vendor;
    CpuFeature *features;
    size_t n_features;
    CpuTopology topology;
    NumaCell *cells;
    size_t n_cells;
} CpuDef;

typedef enum BootDev { BOOT_HD, BOOT_CDROM, BOOT_NETWORK, BOOT_FD, BOOT_DEV_MAX_ } BootDev;

typedef struct OsDef {
    char *arch; /* x86_64, ppc64, s390x, ...; never NULL after parse (host arch is the default) */
    char *machine; /* as written; NULL: the emulator's default, filled in at define */
    char *kernel, *initrd, *cmdline;
    BootDev boot[BOOT_DEV_MAX_];
    size_t n_boot;
} OsDef;

typedef struct FeaturesDef {
    bool acpi, apic, pae;
    Tristate hap, vmport, smm, pmu, kvm_hidden;
    bool ioapic_split; /* <ioapic driver='qemu'/> */
} FeaturesDef;

typedef enum ClockOffset { CLOCK_UTC, CLOCK_LOCALTIME, CLOCK_OFFSET_MAX_ } ClockOffset;

typedef struct TimerDef {
    char *name;       /* rtc, pit, hpet, kvmclock, tsc, hypervclock */
    char *tickpolicy; /* or NULL */
    Tristate present;
} TimerDef;

typedef enum ChardevType {
    CHARDEV_PTY,
    CHARDEV_FILE,
    CHARDEV_UNIX, /* path + mode bind */
    CHARDEV_NULL,
    CHARDEV_TYPE_MAX_
} ChardevType;

typedef struct ChardevSource {
    ChardevType type;
    char *path;  /* file, unix; for pty: the tty, known at run time only */
    bool listen; /* unix: mode='bind' */
    bool append; /* file */
} ChardevSource;

typedef enum ChardevKind { CHARDEV_SERIAL, CHARDEV_CONSOLE, CHARDEV_CHANNEL } ChardevKind;

/* <serial>, <console> and <channel>. A <console> with target type serial and port 0 mirrors serial
 * 0 (is_serial_alias) and makes no device of its own, as in libvirt. */
typedef struct ChardevDef {
    ChardevKind kind;
    ChardevSource source;
    char *target_type; /* serial: isa-serial/..., console: serial/virtio/sclp, channel: virtio */
    char *target_name; /* channel: org.qemu.guest_agent.0 */
    unsigned port;
    bool is_serial_alias;
    char *alias; /* at run time: serial0, console0, channel0 */
} ChardevDef;

typedef enum DiskType { DISK_FILE, DISK_BLOCK, DISK_TYPE_MAX_ } DiskType;
typedef enum DiskDevice { DISK_DEVICE_DISK, DISK_DEVICE_CDROM, DISK_DEVICE_MAX_ } DiskDevice;
typedef enum DiskBus {
    DISK_BUS_VIRTIO,
    DISK_BUS_IDE,
    DISK_BUS_SATA,
    DISK_BUS_SCSI,
    DISK_BUS_MAX_
} DiskBus;
typedef enum DiskFormat { DISK_FORMAT_RAW, DISK_FORMAT_QCOW2, DISK_FORMAT_MAX_ } DiskFormat;

typedef struct DiskDef {
    DiskType type;
    DiskDevice device;
    DiskFormat format;
    DiskBus bus;
    char *source;  /* NULL: empty cdrom */
    char *target;  /* vda; unique */
    char *cache;   /* none, writeback, writethrough, directsync, unsafe or NULL */
    char *io;      /* native, threads, io_uring or NULL */
    char *discard; /* unmap, ignore or NULL */
    char *serial;
    bool readonly, shareable;
    unsigned boot_order; /* 0: none */
    unsigned iothread;   /* 0: the main loop */
    char *alias;
} DiskDef;

typedef struct InterfaceDef { /* type='user' only for now */
    char *mac;                /* aa:bb:cc:dd:ee:ff, generated at parse when missing */
    char *model;              /* virtio, e1000, e1000e, rtl8139; default virtio */
    unsigned boot_order;
    char *alias;
} InterfaceDef;

typedef struct RngDef {
    char *model;                         /* virtio */
    char *backend;                       /* /dev/urandom, /dev/random, ... */
    uint64_t rate_bytes, rate_period_ms; /* 0: no limit */
    char *alias;
} RngDef;

typedef enum MemballoonModel {
    MEMBALLOON_VIRTIO,
    MEMBALLOON_NONE,
    MEMBALLOON_MODEL_MAX_
} MemballoonModel;

typedef struct ControllerDef {
    char *type; /* pci, virtio-serial, scsi, ide, sata, usb */
    int index;  /* -1: not given */
    char *model;
} ControllerDef;

/* <iommu model='intel'>: interrupt remapping with extended interrupt mode is what more than 255
 * vCPUs need. */
typedef struct IommuDef {
    bool given;
    Tristate intremap, caching_mode, eim, iotlb;
    unsigned aw_bits; /* 0: not given */
} IommuDef;

typedef struct DomainDef {
    DomainVirt virt;
    char *name;
    uint8_t uuid[16];
    char *title, *description;
    char *metadata;               /* the <metadata> element verbatim, or NULL */
    uint64_t unplug_timeout_usec; /* from Vireo's element in it; 0: not given */

    uint64_t memory_kib;         /* <memory> */
    uint64_t current_memory_kib; /* <currentMemory> */

    VcpuDef *vcpus; /* n_vcpus_max entries */
    unsigned n_vcpus_max;
    bool vcpus_individual; /* <vcpus> is written */
    bool placement_auto;
    Bitmap *cpuset; /* <vcpu cpuset=>, or NULL */
    CpuTuneDef cputune;
    IothreadDef *iothreads; /* in order of their ids */
    size_t n_iothreads;
    NumaTuneDef numatune;
    char *partition; /* <resource><partition>, or NULL */

    OsDef os;
    FeaturesDef features;
    CpuDef cpu;
    ClockOffset clock;
    TimerDef *timers;
    size_t n_timers;
    LifecycleAction on_poweroff, on_reboot, on_crash;

    char *emulator;       /* NULL until define fills in the default */
    ChardevDef *chardevs; /* serials, consoles, channels in document order */
    size_t n_chardevs;
    DiskDef *disks;
    size_t n_disks;
    InterfaceDef *interfaces;
    size_t n_interfaces;
    RngDef *rngs;
    size_t n_rngs;
    ControllerDef *controllers;
    size_t n_controllers;
    MemballoonModel memballoon;
    bool memballoon_given;
    IommuDef iommu;
} DomainDef;

/* Deep copy; NULL when out of memory. */
DomainDef *domain_def_copy(const DomainDef *def);
void domain_def_free(DomainDef *def);
DEFINE_CLEANUP(DomainDef *, domain_def_free)
#define CLEANUP_DOMAIN_DEF CLEANUP(domain_def_freep)

/* Number of online vCPUs. */
unsigned domain_def_online_vcpus(const DomainDef *def);

/* Grows or shrinks the vcpus array to `max`; new entries are offline, absent. -ENOMEM. */
int domain_def_set_max_vcpus(DomainDef *def, unsigned max);

/* The IO thread of that id, NULL when there is none. */
IothreadDef *domain_def_iothread(const DomainDef *def, unsigned id);
/* A new one in its place by id, which is not there yet; NULL: out of memory. */
IothreadDef *domain_def_add_iothread(DomainDef *def, unsigned id);
void domain_def_remove_iothread(DomainDef *def, unsigned id);

void uuid_format(const uint8_t uuid[16], char text[UUID_TEXT_SIZE]);
/* Accepts the dashed and the bare hexadecimal form; -EINVAL. */
int uuid_parse(const char *text, uint8_t uuid[16]);
