/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <features>. */
#pragma once

#include "conf/element.h"

typedef struct HypervDef {
    char *mode; /* custom, passthrough */
    Tristate relaxed, vapic, spinlocks, vpindex, runtime, synic, stimer, stimer_direct, reset;
    unsigned spinlock_retries;
    Tristate vendor_id;
    char *vendor_id_value;
    Tristate frequencies, reenlightenment, tlbflush, ipi, evmcs, avic;
} HypervDef;

typedef struct FeaturesDef {
    bool acpi, apic, pae;
    Tristate apic_eoi;
    bool has_kvm;
    Tristate hap, vmport, smm, pmu, kvm_hidden, pvspinlock;
    bool viridian, privnet;
    bool has_hyperv;
    HypervDef hyperv;
    Tristate kvm_hint_dedicated, kvm_poll_control, kvm_pv_ipi, kvm_dirty_ring;
    unsigned dirty_ring_size;
    char *gic_version;
    bool has_gic;
    uint64_t tseg; /* KiB */
    bool has_tseg;
    char *ioapic;      /* kvm, qemu */
    bool ioapic_split; /* <ioapic driver='qemu'/> */
    char *hpt_resizing;
    uint64_t hpt_maxpagesize;
    Tristate vmcoreinfo, htm, nested_hv, ccf_assist;
    char *msrs_unknown;
    Tristate xen_e820_host, xen_passthrough;
    char *xen_passthrough_mode;
    bool has_xen;
    char *cfpc, *sbbc, *ibs;
    uint64_t tb_cache;  /* KiB */
    char *capabilities; /* as it came */
} FeaturesDef;

extern const Field features_fields[]; /* of FeaturesDef */
