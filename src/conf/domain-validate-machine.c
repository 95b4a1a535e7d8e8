/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The machine itself: firmware, features, clock, CPU, memory and its modules. */
#include <ctype.h>

#include "conf/addresses.h"
#include "conf/machine.h"
#include "conf/validate-rules.h"

#define VENDOR_ID_SIZE 12u

/* ---- memory modules ---- */

static bool has_same_slot(const DomainDef *def, size_t at) {
    const DeviceAddress *one = &def->memories[at].info.address;

    for (size_t i = 0; i < at && one->type == ADDRESS_DIMM; i++)
        if (def->memories[i].info.address.type == ADDRESS_DIMM &&
            def->memories[i].info.address.slot == one->slot)
            return true;
    return false;
}

static int check_module(const DomainDef *def, size_t at, Error **reterr) {
    static const char *const models[] = {[MEMORY_NONE_] = "",
                                         [MEMORY_DIMM] = "dimm",
                                         [MEMORY_NVDIMM] = "nvdimm",
                                         [MEMORY_VIRTIO_PMEM] = "virtio-pmem",
                                         [MEMORY_VIRTIO_MEM] = "virtio-mem",
                                         [MEMORY_SGX_EPC] = "sgx-epc"};
    const MemoryDef *memory = &def->memories[at];
    const bool pmem = memory->model == MEMORY_VIRTIO_PMEM, sgx = memory->model == MEMORY_SGX_EPC;
    const ValidateRule rules[] = {
        {sgx, ERROR_CONFIG_UNSUPPORTED, "sgx epc isn't supported by this QEMU binary"},
        {memory->uuid && memory->model == MEMORY_NVDIMM && domain_def_is_x86(def),
         ERROR_CONFIG_UNSUPPORTED, "UUID is not supported for NVDIMM device"},
        {!def->max_memory_kib, ERROR_CONFIG_UNSUPPORTED,
         "cannot use/hotplug a memory device when domain 'maxMemory' is not defined"},
        {pmem && memory->has_node, ERROR_CONFIG_UNSUPPORTED,
         "virtio-pmem does not support NUMA nodes"},
        {!pmem && !memory->has_node && def->cpu.n_cells > 0, ERROR_CONFIG_UNSUPPORTED,
         "target NUMA node needs to be specified for memory device: <node> in <target>"},
        {memory->has_node && memory->node >= def->cpu.n_cells, ERROR_XML_DETAIL,
         "can't add memory backend for a guest node that is not a <cell> of <numa>"},
        {memory->block && memory->requested % memory->block, ERROR_XML_DETAIL,
         "requested size must be an integer multiple of block size"},
        {has_same_slot(def, at), ERROR_CONFIG_UNSUPPORTED,
         "memory device slot is already being used by another memory device"},
    };

    return VALIDATE_RULES(rules, "memory device", models[memory->model], reterr);
}

int validate_memory_devices(const DomainDef *def, Error **reterr) {
    uint64_t sum = def->memory_kib;
    size_t slots = 0;
    int r = 0;

    for (size_t i = 0; i < def->n_memories && r >= 0; i++) {
        r = check_module(def, i, reterr);
        slots += def->memories[i].model == MEMORY_DIMM || def->memories[i].model == MEMORY_NVDIMM;
    }
    if (r >= 0 && def->max_memory_kib) {
        const ValidateRule rules[] = {
            {sum > def->max_memory_kib, ERROR_XML,
             "maximum memory size must be equal or greater than the actual memory size"},
            {slots > def->memory_slots, ERROR_INTERNAL,
             "failed to find an empty memory slot: <maxMemory> has too few"},
        };

        r = VALIDATE_RULES(rules, "domain", def->name, reterr);
    }
    return r;
}

/* ---- pages ---- */

static bool have_two_masters(const MemoryBackingDef *backing) {
    size_t n = 0;

    for (size_t i = 0; i < backing->n_pages; i++)
        n += backing->pages[i].nodes == NULL;
    return n > 1;
}

static bool have_common_cells(const MemoryBackingDef *backing) {
    for (size_t i = 0; i < backing->n_pages; i++)
        for (size_t k = 0; k < i; k++)
            if (backing->pages[i].nodes && backing->pages[k].nodes &&
                bitmap_overlaps(backing->pages[i].nodes, backing->pages[k].nodes))
                return true;
    return false;
}

static bool have_same_path(const BlkiotuneDef *tune) {
    for (size_t i = 0; i < tune->n_devices; i++)
        for (size_t k = 0; k < i; k++)
            if (streq_ptr(tune->devices[i].path, tune->devices[k].path))
                return true;
    return false;
}

static int check_pages(const DomainDef *def, Error **reterr) {
    const ValidateRule rules[] = {
        {have_two_masters(&def->memory_backing), ERROR_XML_DETAIL,
         "two master hugepages detected: a second <page> needs a nodeset"},
        {have_common_cells(&def->memory_backing), ERROR_XML_DETAIL,
         "nodeset attributes of hugepages of two sizes intersect"},
        {have_same_path(&def->blkiotune), ERROR_CONFIG_UNSUPPORTED,
         "duplicate blkio device path in <blkiotune>"},
    };

    return VALIDATE_RULES(rules, "domain", def->name, reterr);
}

/* ---- firmware ---- */

static bool is_efi(const OsDef *os) {
    return streq_ptr(os->firmware, "efi") || streq_ptr(os->loader_type, "pflash");
}

static bool has_serial(const DomainDef *def) {
    for (size_t i = 0; i < def->n_chardevs; i++)
        if (def->chardevs[i].kind == CHARDEV_SERIAL)
            return true;
    return false;
}

static const Words firmware_features = WORDS("enrolled-keys", "secure-boot");
static const Words acpi_tables = WORDS("slic");

static bool has_unknown_feature(const OsDef *os) {
    for (size_t i = 0; i < os->n_firmware_features; i++)
        if (os->firmware_features[i].name &&
            words_find(&firmware_features, os->firmware_features[i].name) < 0)
            return true;
    return false;
}

static int check_firmware(const DomainDef *def, Error **reterr) {
    const OsDef *os = &def->os;
    const bool automatic = os->firmware != NULL;
    /* A running domain shows what was chosen for it. */
    const bool chosen = automatic && !os->loader;
    const ValidateRule rules[] = {
        {has_unknown_feature(os), ERROR_XML,
         "Invalid firmware feature: 'secure-boot' and 'enrolled-keys' can be"},
        {!automatic && os->n_firmware_features, ERROR_XML_DETAIL,
         "cannot use feature-based firmware autoselection when firmware autoselection is disabled"},
        {chosen && os->loader_readonly, ERROR_XML_DETAIL,
         "loader attribute 'readonly' cannot be specified when firmware autoselection is enabled"},
        {chosen && os->loader_type, ERROR_XML_DETAIL,
         "loader attribute 'type' cannot be specified when firmware autoselection is enabled"},
        {chosen && os->nvram_template, ERROR_XML_DETAIL,
         "nvram attribute 'template' cannot be specified when firmware autoselection is enabled"},
        {!automatic && !os->loader && (os->loader_secure || os->loader_readonly), ERROR_XML_DETAIL,
         "no loader path specified and firmware auto selection disabled"},
        {os->loader_stateless == TRISTATE_YES && os->has_nvram, ERROR_XML_DETAIL,
         "NVRAM is not permitted when loader is stateless"},
        {is_efi(os) && domain_def_is_x86(def) && !def->features.acpi, ERROR_CONFIG_UNSUPPORTED,
         "UEFI requires ACPI on this architecture: <acpi/> in <features>"},
        {!is_efi(os) && streq(def->os.arch, "aarch64") && machine_traits(def)->gic &&
             def->features.acpi,
         ERROR_CONFIG_UNSUPPORTED,
         "ACPI requires UEFI on this architecture: <loader type='pflash'> or <os firmware='efi'>"},
        {!automatic && os->loader_secure == TRISTATE_YES && def->features.smm != TRISTATE_YES,
         ERROR_CONFIG_UNSUPPORTED,
         "Secure boot requires SMM feature enabled: <smm state='on'/> in <features>"},
        {!automatic && os->loader_secure == TRISTATE_YES && !domain_def_is_q35(def),
         ERROR_CONFIG_UNSUPPORTED, "Secure boot is supported with q35 machine types only"},
        {os->acpi_table && !os->acpi_table_type, ERROR_XML,
         "Missing acpi table type: it is 'slic'"},
        {os->acpi_table_type && words_find(&acpi_tables, os->acpi_table_type) < 0, ERROR_XML,
         "Unknown acpi table type: 'slic' can be"},
        {os->bios_serial == TRISTATE_YES && !has_serial(def), ERROR_XML,
         "need at least one serial port to use BIOS serial output"},
        {os->n_boot && domain_def_has_boot_order(def), ERROR_CONFIG_UNSUPPORTED,
         "per-device boot elements cannot be used together with os/boot elements"},
    };

    return VALIDATE_RULES(rules, "domain", def->name, reterr);
}

/* ---- features ---- */

static int check_features(const DomainDef *def, Error **reterr) {
    const FeaturesDef *features = &def->features;
    const char *vendor = features->hyperv.vendor_id_value;
    const struct {
        const char *name;
        bool given;
    } foreign[] = {
        {"htm", features->htm},   {"nested-hv", features->nested_hv},
        {"cfpc", features->cfpc}, {"ccf-assist", features->ccf_assist},
        {"sbbc", features->sbbc}, {"ibs", features->ibs},
    };
    const ValidateRule rules[] = {
        {features->hyperv.spinlocks == TRISTATE_YES && !features->hyperv.spinlock_retries,
         ERROR_XML, "Missing required attribute 'retries' in element 'spinlocks'"},
        {features->hyperv.vendor_id == TRISTATE_YES && !vendor, ERROR_XML,
         "missing 'value' attribute for HyperV feature 'vendor_id'"},
        {vendor && strchr(vendor, ','), ERROR_XML,
         "HyperV vendor_id value is invalid: it has a ','"},
        {features->has_tseg && features->smm == TRISTATE_YES && !domain_def_is_q35(def),
         ERROR_CONFIG_UNSUPPORTED, "SMM TSEG is only supported with q35 machine type"},
        {features->tb_cache && def->virt == DOMAIN_VIRT_KVM, ERROR_CONFIG_UNSUPPORTED,
         "TCG features are incompatible with domain type 'kvm'"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(foreign) && domain_def_is_x86(def); i++)
        if (foreign[i].given)
            return error_report(reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                "The '%s' feature is not supported for architecture '%s' or "
                                "machine type '%s'",
                                foreign[i].name, def->os.arch,
                                def->os.machine ? def->os.machine : "");
    return VALIDATE_RULES(rules, "domain", def->name, reterr);
}

/* ---- clock ---- */

static int check_timer(const DomainDef *def, const TimerDef *timer, Error **reterr) {
    const bool rtc = streq_ptr(timer->name, "rtc"), pit = streq_ptr(timer->name, "pit");
    const char *policy = timer->tickpolicy;
    const ValidateRule rules[] = {
        {streq_ptr(timer->name, "platform"), ERROR_CONFIG_UNSUPPORTED, "unsupported timer type"},
        {streq_ptr(timer->name, "armvtimer") && domain_def_is_x86(def), ERROR_CONFIG_UNSUPPORTED,
         "Configuring this timer is not supported for guests of this architecture"},
        {rtc && policy && !streq(policy, "delay") && !streq(policy, "catchup"),
         ERROR_CONFIG_UNSUPPORTED, "unsupported rtc timer tickpolicy: 'delay' or 'catchup' can be"},
        {pit && streq_ptr(policy, "merge"), ERROR_CONFIG_UNSUPPORTED,
         "unsupported pit tickpolicy 'merge'"},
    };

    return VALIDATE_RULES(rules, "timer", timer->name, reterr);
}

static int check_clock(const DomainDef *def, Error **reterr) {
    const ValidateRule rules[] = {
        {def->clock == CLOCK_ABSOLUTE && !def->clock_details.has_start, ERROR_XML,
         "missing 'start' of a clock with offset='absolute'"},
    };
    int r = VALIDATE_RULES(rules, "domain", def->name, reterr);

    for (size_t i = 0; i < def->n_timers && r >= 0; i++)
        r = check_timer(def, &def->timers[i], reterr);
    return r;
}

/* ---- CPU ---- */

static int check_cpu(const DomainDef *def, Error **reterr) {
    const CpuDef *cpu = &def->cpu;
    const bool hosts = cpu->mode == CPU_MODE_HOST_PASSTHROUGH || cpu->mode == CPU_MODE_MAXIMUM;
    const ValidateRule rules[] = {
        {streq_ptr(cpu->cache_mode, "passthrough") && !hosts, ERROR_CONFIG_UNSUPPORTED,
         "CPU cache mode 'passthrough' can only be used with 'host-passthrough' / 'maximum' CPUs"},
        {streq_ptr(cpu->cache_mode, "emulate") && (!cpu->has_cache_level || cpu->cache_level != 3),
         ERROR_CONFIG_UNSUPPORTED,
         "unsupported CPU cache level for mode 'emulate': it is level='3'"},
        {cpu->has_cache_level && cpu->cache_mode && !streq(cpu->cache_mode, "emulate"),
         ERROR_CONFIG_UNSUPPORTED, "unsupported CPU cache level: only mode 'emulate' has one"},
        {streq_ptr(cpu->maxphysaddr_mode, "emulate") && !cpu->maxphysaddr_bits,
         ERROR_CONFIG_UNSUPPORTED,
         "if using CPU maximum physical address mode='emulate', bits= must be specified too"},
        {cpu->vendor_id && strlen(cpu->vendor_id) != VENDOR_ID_SIZE, ERROR_XML,
         "vendor_id must be exactly 12 characters long"},
        {cpu->migratable && !hosts, ERROR_CONFIG_UNSUPPORTED,
         "Attribute migratable is only allowed for 'host-passthrough' / 'maximum' CPU mode"},
        {cpu->has_bare_features || (cpu->n_features && !cpu->model && cpu->mode == CPU_MODE_CUSTOM),
         ERROR_XML, "Non-empty feature list specified without CPU model"},
    };

    return VALIDATE_RULES(rules, "domain", def->name, reterr);
}

/* ---- what is told of the machine, and of its end ---- */

static bool has_bad_name(const DomainDef *def) {
    for (size_t i = 0; i < def->n_sysinfos; i++)
        for (size_t k = 0; k < def->sysinfos[i].n_entries; k++)
            if (def->sysinfos[i].entries[k].name &&
                strncmp(def->sysinfos[i].entries[k].name, "opt/", 4) != 0)
                return true;
    return false;
}

static const char *find_system_uuid(const DomainDef *def) {
    for (size_t i = 0; i < def->n_sysinfos; i++)
        for (size_t k = 0; def->sysinfos[i].system && k < def->sysinfos[i].system->n_entries; k++)
            if (streq_ptr(def->sysinfos[i].system->entries[k].name, "uuid"))
                return def->sysinfos[i].system->entries[k].value;
    return NULL;
}

static bool has_same_model(const DomainDef *def) {
    for (size_t i = 0; i < def->n_seclabels; i++)
        for (size_t k = 0; k < i; k++)
            if (streq_ptr(def->seclabels[i].model, def->seclabels[k].model))
                return true;
    return false;
}

/* A label of one file's own, where the model's labels are not set at all. */
static bool overrides_none(const DomainDef *def, const DeviceSeclabel *labels, size_t n) {
    for (size_t i = 0; i < def->n_seclabels; i++)
        for (size_t k = 0; k < n && def->seclabels[i].relabel == TRISTATE_NO; k++)
            if (streq_ptr(def->seclabels[i].model, labels[k].model))
                return true;
    return false;
}

static bool has_idle_override(const DomainDef *def) {
    for (size_t i = 0; i < def->n_disks; i++)
        if (overrides_none(def, def->disks[i].source.seclabels, def->disks[i].source.n_seclabels))
            return true;
    for (size_t i = 0; i < def->n_chardevs; i++)
        if (overrides_none(def, def->chardevs[i].source.seclabels,
                           def->chardevs[i].source.n_seclabels))
            return true;
    return false;
}

static const Words perf_names = WORDS(
    "cmt", "mbmt", "mbml", "cpu_cycles", "instructions", "cache_references", "cache_misses",
    "branch_instructions", "branch_misses", "bus_cycles", "stalled_cycles_frontend",
    "stalled_cycles_backend", "ref_cpu_cycles", "cpu_clock", "task_clock", "page_faults",
    "context_switches", "cpu_migrations", "page_faults_min", "page_faults_maj", "alignment_faults",
    "emulation_faults");

static bool has_unknown_event(const DomainDef *def) {
    for (size_t i = 0; i < def->n_perf_events; i++)
        if (words_find(&perf_names, def->perf_events[i].name) < 0)
            return true;
    return false;
}

static int check_rest(const DomainDef *def, Error **reterr) {
    const char *text = find_system_uuid(def);
    uint8_t uuid[16] = {0};
    const bool malformed = text && uuid_parse(text, uuid) < 0;
    const ValidateRule rules[] = {
        {malformed, ERROR_XML_DETAIL, "malformed <sysinfo> uuid element"},
        {has_unknown_event(def), ERROR_CONFIG_UNSUPPORTED,
         "a <perf> <event> has a name that is no event's"},
        {text && !malformed && def->has_uuid && memcmp(uuid, def->uuid, sizeof(uuid)) != 0,
         ERROR_XML_DETAIL, "UUID mismatch between <uuid> and <sysinfo>"},
        {has_bad_name(def), ERROR_CONFIG_UNSUPPORTED,
         "Invalid firmware name in <sysinfo>: it begins with 'opt/'"},
        {def->on_poweroff == LIFECYCLE_RENAME_RESTART ||
             def->on_reboot == LIFECYCLE_RENAME_RESTART ||
             def->on_crash == LIFECYCLE_RENAME_RESTART,
         ERROR_CONFIG_UNSUPPORTED,
         "qemu driver doesn't support the 'rename-restart' action for "
         "'on_reboot'/'on_poweroff'/'on_crash'"},
        {def->on_poweroff == LIFECYCLE_RESTART && def->on_reboot == LIFECYCLE_DESTROY,
         ERROR_CONFIG_UNSUPPORTED,
         "qemu driver doesn't support 'onReboot' set to 'destroy' and 'onPoweroff' set to "
         "'reboot'"},
        {has_same_model(def), ERROR_XML_DETAIL,
         "seclabel for a model is already provided: one for each is enough"},
        {has_idle_override(def), ERROR_CONFIG_UNSUPPORTED,
         "label overrides require relabeling to be enabled at the domain level"},
    };

    return VALIDATE_RULES(rules, "domain", def->name, reterr);
}

int validate_machine(const DomainDef *def, Error **reterr) {
    static int (*const checks[])(const DomainDef *def, Error **reterr) = {
        check_firmware, check_features, check_clock, check_cpu, check_pages, check_rest};
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(checks) && r >= 0; i++)
        r = checks[i](def, reterr);
    return r;
}
