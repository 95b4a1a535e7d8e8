/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What belongs to certain architectures and machines only, and what needs a look at several
 * devices. */
#include <ctype.h>
#include <stdio.h>

#include "conf/addresses.h"
#include "conf/machine.h"
#include "conf/validate-rules.h"

#define LOADPARM_MAX 8u
#define USB_DEPTH_MAX 4u /* ports on the way to a device */

static bool starts(const char *text, const char *with) {
    return text && strncmp(text, with, strlen(with)) == 0;
}

static bool is_arm(const DomainDef *def) {
    return streq(def->os.arch, "aarch64") || starts(def->os.arch, "arm");
}

/* ---- the machine ---- */

static bool has_sve_length(const CpuDef *cpu) {
    for (size_t i = 0; i < cpu->n_features; i++)
        if (starts(cpu->features[i].name, "sve") && cpu->features[i].name[3])
            return true;
    return false;
}

static bool is_without(const CpuDef *cpu, const char *feature) {
    for (size_t i = 0; i < cpu->n_features; i++)
        if (streq(cpu->features[i].name, feature))
            return cpu->features[i].policy == CPU_FEATURE_DISABLE ||
                   cpu->features[i].policy == CPU_FEATURE_FORBID;
    return false;
}

/* Timers that KVM or Hyper-V gives to guests of x86. */
static const Words x86_timers = WORDS("tsc", "kvmclock", "hypervclock");

static bool has_x86_timer(const DomainDef *def) {
    for (size_t i = 0; i < def->n_timers; i++)
        if (words_find(&x86_timers, def->timers[i].name) >= 0)
            return true;
    return false;
}

static bool has_page_of_no_cell(const DomainDef *def) {
    const MemoryBackingDef *backing = &def->memory_backing;
    const int n = (int)MAX_OF(def->cpu.n_cells, (size_t)1);

    for (size_t i = 0; i < backing->n_pages; i++)
        if (backing->pages[i].nodes && bitmap_last(backing->pages[i].nodes) >= n)
            return true;
    return false;
}

/* "12/31/2026", or with two digits. */
static bool is_bios_date(const char *text) {
    unsigned month, day, year;
    int end = 0;

    return sscanf(text, "%2u/%2u/%4u%n", &month, &day, &year, &end) == 3 && !text[end] &&
           month >= 1 && month <= 12 && day >= 1 && day <= 31 && (year < 100 || year >= 1900);
}

static bool has_bad_date(const DomainDef *def) {
    for (size_t i = 0; i < def->n_sysinfos; i++) {
        const SysinfoBlock *bios = def->sysinfos[i].bios;

        for (size_t k = 0; bios && k < bios->n_entries; k++)
            if (streq_ptr(bios->entries[k].name, "date") && !is_bios_date(bios->entries[k].value))
                return true;
    }
    return false;
}

static int check_machine(const DomainDef *def, Error **reterr) {
    const FeaturesDef *features = &def->features;
    const CpuDef *cpu = &def->cpu;
    const bool pseries = domain_def_is_pseries(def), s390 = domain_def_is_s390(def);
    const unsigned threads = pseries ? MAX_OF(cpu->topology.threads, 1u) : 1;
    const ValidateRule rules[] = {
        {features->has_gic && !(is_arm(def) && domain_def_is_virt(def)), ERROR_CONFIG_UNSUPPORTED,
         "The 'gic' feature is not supported for this architecture or machine type"},
        {(features->hpt_resizing || features->hpt_maxpagesize) && !pseries,
         ERROR_CONFIG_UNSUPPORTED,
         "The 'hpt' feature is not supported for this architecture or machine type"},
        {has_sve_length(cpu) && is_without(cpu, "sve"), ERROR_CONFIG_UNSUPPORTED,
         "SVE disabled, but SVE vector lengths provided"},
        {has_x86_timer(def) && !domain_def_is_x86(def), ERROR_CONFIG_UNSUPPORTED,
         "Configuring the timers 'tsc', 'kvmclock' and 'hypervclock' is for guests of x86"},
        {cpu->maxphysaddr_bits && streq_ptr(cpu->maxphysaddr_mode, "passthrough"),
         ERROR_CONFIG_UNSUPPORTED,
         "CPU maximum physical address bits cannot be said with mode='passthrough'"},
        {def->n_vcpus_max % threads || domain_def_online_vcpus(def) % threads,
         ERROR_CONFIG_UNSUPPORTED,
         "vCPUs count must be a multiple of the vCPU hotplug granularity, the threads of a core"},
        {has_page_of_no_cell(def), ERROR_XML_DETAIL,
         "hugepages: the nodeset of a <page> has a node that is not found among the cells"},
        {has_bad_date(def), ERROR_XML_DETAIL,
         "Invalid BIOS 'date' format: it is like '12/31/2026'"},
        {features->has_tseg && features->tseg % 1024, ERROR_CONFIG_UNSUPPORTED,
         "SMM TSEG size must be divisible by 1 MiB"},
        {def->n_panics > 0 && (pseries || s390) && def->panics[0].info.address.type != ADDRESS_NONE,
         ERROR_CONFIG_UNSUPPORTED,
         "setting the panic device address is not supported for this machine"},
    };

    return VALIDATE_RULES(rules, "domain", def->name, reterr);
}

/* ---- firmware ---- */

static Tristate firmware_feature(const OsDef *os, const char *name) {
    for (size_t i = 0; i < os->n_firmware_features; i++)
        if (streq_ptr(os->firmware_features[i].name, name))
            return os->firmware_features[i].enabled;
    return TRISTATE_ABSENT;
}

static int check_firmware(const DomainDef *def, Error **reterr) {
    const OsDef *os = &def->os;
    const bool bios = streq_ptr(os->firmware, "bios");
    const bool rom = !os->firmware && os->loader && !streq_ptr(os->loader_type, "pflash");
    const ValidateRule rules[] = {
        {bios && (os->has_nvram || os->loader_stateless == TRISTATE_NO), ERROR_XML_DETAIL,
         "Only EFI firmware permits NVRAM"},
        {rom && os->loader_stateless == TRISTATE_NO, ERROR_XML_DETAIL,
         "Only pflash loader type permits NVRAM"},
        {firmware_feature(os, "enrolled-keys") == TRISTATE_YES &&
             firmware_feature(os, "secure-boot") == TRISTATE_NO,
         ERROR_XML_DETAIL,
         "firmware feature 'enrolled-keys' cannot be enabled when firmware feature 'secure-boot' "
         "is disabled"},
    };

    return VALIDATE_RULES(rules, "domain", def->name, reterr);
}

/* ---- controllers ---- */

static bool has_usb_master(const DomainDef *def, int index) {
    for (size_t i = 0; i < def->n_controllers; i++)
        if (def->controllers[i].type == CONTROLLER_USB && def->controllers[i].index == index &&
            !def->controllers[i].info.has_master)
            return true;
    return false;
}

static int check_controller(const DomainDef *def, const ControllerDef *controller, Error **reterr) {
    const char *model = controller->model;
    const bool pci = controller->type == CONTROLLER_PCI, pseries = domain_def_is_pseries(def);
    const bool root = pci && (streq_ptr(model, "pci-root") || streq_ptr(model, "pcie-root"));
    const ValidateRule rules[] = {
        {root && controller->info.address.type != ADDRESS_NONE, ERROR_CONFIG_UNSUPPORTED,
         "pci-root and pcie-root controllers should not have an address"},
        {root && !pseries && controller->index > 0, ERROR_XML,
         "pci-root and pcie-root controllers should have index 0"},
        {root && pseries && controller->has_target_index &&
             (controller->index == 0) != (controller->target_index == 0),
         ERROR_CONFIG_UNSUPPORTED,
         "Only the PCI controller with index 0 can have target index 0, and vice versa"},
        {root && pseries && controller->index == 0 && controller->has_node,
         ERROR_CONFIG_UNSUPPORTED,
         "The PCI controller with index=0 can't be associated with a NUMA node"},
        {controller->info.has_master && !has_usb_master(def, controller->index), ERROR_XML_DETAIL,
         "No master USB controller specified: a companion needs an 'ich9-ehci1' of its index"},
    };

    return VALIDATE_RULES(rules, "controller", model, reterr);
}

static int check_controllers(const DomainDef *def, Error **reterr) {
    int r = 0;

    for (size_t i = 0; i < def->n_controllers && r >= 0; i++)
        r = check_controller(def, &def->controllers[i], reterr);
    return r;
}

/* ---- serial lines, and other small devices ---- */

static bool is_of_machine(const DomainDef *def, const char *type) {
    static const struct {
        const char *type;
        bool (*is)(const DomainDef *def);
    } rows[] = {{"spapr-vio-serial", domain_def_is_pseries},
                {"system-serial", domain_def_is_virt},
                {"sclp-serial", domain_def_is_s390}};

    for (size_t i = 0; type && i < ARRAY_SIZE(rows); i++)
        if (streq(rows[i].type, type))
            return rows[i].is(def);
    return true;
}

static bool is_deep(const DeviceInfo *info) {
    unsigned n = 0;

    for (const char *at = info->address.usb_port; at && *at; at++)
        n += *at == '.';
    return n >= USB_DEPTH_MAX;
}

static unsigned reconnect_timeout(const ChardevSource *source, bool *given) {
    const char *text = source->n_ends ? source->ends[0].reconnect : source->reconnect;

    *given = streq_ptr(text, "yes");
    return source->n_ends ? source->ends[0].reconnect_timeout : source->reconnect_timeout;
}

static int check_chardev(const DomainDef *def, const ChardevDef *chardev, Error **reterr) {
    const char *type = words_name(&chardev_types, chardev->source.type);
    const bool other = domain_def_is_s390(def) || domain_def_is_pseries(def);
    bool reconnects;
    const unsigned timeout = reconnect_timeout(&chardev->source, &reconnects);
    const ValidateRule rules[] = {
        {chardev->kind == CHARDEV_SERIAL && !is_of_machine(def, chardev->target_type),
         ERROR_CONFIG_UNSUPPORTED,
         "Serial device with this target type not compatible with guest architecture or machine "
         "type"},
        {chardev->kind == CHARDEV_PARALLEL && other, ERROR_CONFIG_UNSUPPORTED,
         "parallel ports are not supported on this machine"},
        {reconnects && timeout == 0, ERROR_INVALID_ARG,
         "chardev reconnect source timeout cannot be '0'"},
        {reconnects && chardev->source.type == CHARDEV_UNIX && !chardev->source.path,
         ERROR_INTERNAL, "chardev reconnect is possible only for connect mode"},
        {chardev->info.address.type == ADDRESS_SPAPR_VIO && chardev->info.address.reg > UINT32_MAX,
         ERROR_CONFIG_UNSUPPORTED, "spapr-vio reg exceeds maximum possible value (0xffffffff)"},
    };

    return VALIDATE_RULES(rules, "character device", type, reterr);
}

static bool is_loadparm(const char *text) {
    const size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '.' && text[i] != ' ')
            return false;
    return len >= 1 && len <= LOADPARM_MAX;
}

static int check_loadparms(const DomainDef *def, Error **reterr) {
    for (size_t i = 0; i < def->n_disks + def->n_interfaces; i++) {
        const DeviceInfo *info = i < def->n_disks ? &def->disks[i].info
                                                  : &def->interfaces[i - def->n_disks].info;

        if (info->loadparm && !is_loadparm(info->loadparm))
            return error_report(reterr, FROM_DOMAIN, ERROR_INTERNAL,
                                "invalid loadparm value '%.40s': it is 1 to 8 letters, digits, "
                                "dots and blanks",
                                info->loadparm);
    }
    return 0;
}

static size_t count_gl(const DomainDef *def) {
    size_t n = 0;

    for (size_t i = 0; i < def->n_graphics; i++)
        n += def->graphics[i].gl == TRISTATE_YES || def->graphics[i].type == GRAPHICS_EGL_HEADLESS;
    return n;
}

static size_t count_tpms(const DomainDef *def) {
    size_t n = 0;

    for (size_t i = 0; i < def->n_tpms; i++)
        n += !streq_ptr(def->tpms[i].model, "spapr-tpm-proxy");
    return n;
}

static bool has_old_tpm(const DomainDef *def) {
    for (size_t i = 0; i < def->n_tpms; i++)
        if (streq_ptr(def->tpms[i].version, "1.2"))
            return true;
    return false;
}

static bool has_ramfb_place(const DomainDef *def) {
    for (size_t i = 0; i < def->n_videos; i++)
        if (def->videos[i].model == VIDEO_RAMFB && def->videos[i].info.address.type != ADDRESS_NONE)
            return true;
    return false;
}

static bool has_readonly_virtiofs(const DomainDef *def) {
    for (size_t i = 0; i < def->n_filesystems; i++)
        if (streq_ptr(def->filesystems[i].driver, "virtiofs") && def->filesystems[i].readonly)
            return true;
    return false;
}

static bool has_deep_device(const DomainDef *def) {
    bool found = false;

    for (size_t i = 0; i < def->n_hubs; i++)
        found |= is_deep(&def->hubs[i].info);
    for (size_t i = 0; i < def->n_inputs; i++)
        found |= is_deep(&def->inputs[i].info);
    for (size_t i = 0; i < def->n_hostdevs; i++)
        found |= is_deep(&def->hostdevs[i].info);
    for (size_t i = 0; i < def->n_redirdevs; i++)
        found |= is_deep(&def->redirdevs[i].info);
    return found;
}

static int check_small(const DomainDef *def, Error **reterr) {
    const DeviceAddress *iommu = &def->iommu.info.address;
    const ValidateRule rules[] = {
        {count_gl(def) > 1, ERROR_CONFIG_UNSUPPORTED,
         "multiple OpenGL displays are not supported by QEMU"},
        {count_tpms(def) > 1, ERROR_CONFIG_UNSUPPORTED,
         "only a single TPM non-proxy device is supported"},
        {is_arm(def) && has_old_tpm(def), ERROR_CONFIG_UNSUPPORTED,
         "TPM 1.2 is not supported on ARM"},
        {has_ramfb_place(def), ERROR_CONFIG_UNSUPPORTED,
         "address not supported for video type ramfb"},
        {has_readonly_virtiofs(def), ERROR_CONFIG_UNSUPPORTED,
         "virtiofs does not yet support read-only mode"},
        {has_deep_device(def), ERROR_INTERNAL,
         "Cannot parse <address> 'port' attribute: there are at most four hubs in a row"},
        {def->iommu.given && def->iommu.model == IOMMU_VIRTIO &&
             !validate_address_is(&def->iommu.info, ADDRESS_PCI),
         ERROR_CONFIG_UNSUPPORTED, "IOMMU device: 'virtio' needs a PCI address"},
        {def->iommu.given && iommu->type == ADDRESS_PCI && iommu->pci.bus, ERROR_XML,
         "the IOMMU device needs to be an integrated device (bus=0)"},
    };

    return VALIDATE_RULES(rules, "domain", def->name, reterr);
}

/* ---- labels of one file ---- */

static bool has_doubled_label(const DeviceSeclabel *labels, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (streq_ptr(labels[i].model, labels[k].model))
                return true;
    return false;
}

static int check_labels(const DomainDef *def, Error **reterr) {
    bool found = false;

    for (size_t i = 0; i < def->n_disks; i++)
        found |= has_doubled_label(def->disks[i].source.seclabels,
                                   def->disks[i].source.n_seclabels);
    for (size_t i = 0; i < def->n_chardevs; i++)
        found |= has_doubled_label(def->chardevs[i].source.seclabels,
                                   def->chardevs[i].source.n_seclabels);
    return found ? error_report(reterr, FROM_DOMAIN, ERROR_XML_DETAIL,
                                "seclabel for a model is already provided: a <source> has one for "
                                "each model")
                 : 0;
}

int validate_system(const DomainDef *def, Error **reterr) {
    static int (*const checks[])(const DomainDef *def, Error **reterr) = {
        check_machine,   check_firmware, check_controllers,
        check_loadparms, check_small,    check_labels};
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(checks) && r >= 0; i++)
        r = checks[i](def, reterr);
    for (size_t i = 0; i < def->n_chardevs && r >= 0; i++)
        r = check_chardev(def, &def->chardevs[i], reterr);
    return r;
}
