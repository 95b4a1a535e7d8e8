/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nodes: of every machine a fixed list, of a device what its definition names. */
#include "driver/confine-nodes.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "util/file.h"

#define NODES_MAX 4096u
#define TREE_DEPTH 4u
#define LABEL_SIZE 512u /* longer ones are not of device nodes */

/* The one in QEMU's /dev has to be what the host's is. NULL: it has none. */
static char *read_label(const char *path) {
    char text[LABEL_SIZE];
    ssize_t n = getxattr(path, "security.selinux", text, sizeof(text));

    return n > 0 && n < (ssize_t)sizeof(text) ? strndup(text, (size_t)n) : NULL;
}

static void add(ConfinePlan *plan, const char *path, mode_t mode, dev_t rdev, bool given) {
    QemuNode *grown;

    for (size_t i = 0; i < plan->n_nodes; i++)
        if (streq(plan->nodes[i].path, path))
            return;
    if (plan->failed || plan->n_nodes == NODES_MAX)
        return;
    grown = reallocarray(plan->nodes, plan->n_nodes + 1, sizeof(QemuNode));
    if (grown)
        plan->nodes = grown;
    if (!grown || !(grown[plan->n_nodes].path = strdup(path))) {
        plan->failed = true;
        return;
    }
    grown[plan->n_nodes].label = read_label(path);
    grown[plan->n_nodes].mode = mode;
    grown[plan->n_nodes].rdev = rdev;
    grown[plan->n_nodes++].given = given;
}

/* "/dev/x" without parts that lead out of it. */
static bool is_below_dev(const char *path) {
    return strncmp(path, "/dev/", 5) == 0 && !strstr(path, "/../") && !strstr(path, "//") &&
           strncmp(path, "/dev/shm/", 9) != 0 && strncmp(path, "/dev/pts/", 9) != 0 &&
           strncmp(path, "/dev/hugepages/", 15) != 0 && strncmp(path, "/dev/mqueue/", 12) != 0;
}

/* Adds the node at that path, if there is one; given to QEMU's user. A link in /dev is the host's
 * own word for a node. */
static void confine_nodes_add_path(ConfinePlan *plan, const char *path) {
    struct stat info;

    if (!path || !is_below_dev(path) || stat(path, &info) < 0)
        return;
    if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode))
        add(plan, path, (info.st_mode & S_IFMT) | 0600, info.st_rdev, true);
}

/* All nodes below a directory. */
static void add_tree(ConfinePlan *plan, const char *directory, unsigned depth) {
    DIR *stream = depth ? opendir(directory) : NULL;
    struct dirent *entry;

    while (stream && (entry = readdir(stream))) {
        CLEANUP_FREE char *path = path_join(directory, entry->d_name);

        if (!path)
            plan->failed = true;
        else if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            add_tree(plan, path, depth - 1);
        else if (entry->d_type == DT_CHR || entry->d_type == DT_BLK)
            confine_nodes_add_path(plan, path);
    }
    if (stream)
        closedir(stream);
}

static void add_chardev(ConfinePlan *plan, const ChardevSource *source) {
    if (source->type == CHARDEV_DEV || source->type == CHARDEV_FILE || source->type == CHARDEV_PIPE)
        confine_nodes_add_path(plan, source->path);
}

/* "/dev/vfio/7" of a PCI device: its IOMMU group. */
static void add_vfio_group(ConfinePlan *plan, const char *link) {
    char target[PATH_MAX];
    ssize_t n = readlink(link, target, sizeof(target) - 1);
    CLEANUP_FREE char *path = NULL;

    if (n <= 0)
        return;
    target[n] = '\0';
    path = strrchr(target, '/') ? strf("/dev/vfio%s", strrchr(target, '/')) : NULL;
    confine_nodes_add_path(plan, path);
}

static void add_pci(ConfinePlan *plan, const PciAddress *pci) {
    CLEANUP_FREE char *link = strf("/sys/bus/pci/devices/%04x:%02x:%02x.%x/iommu_group",
                                   pci->domain, pci->bus, pci->slot, pci->function);

    confine_nodes_add_path(plan, "/dev/vfio/vfio");
    if (link)
        add_vfio_group(plan, link);
    else
        plan->failed = true;
}

static void add_source(ConfinePlan *plan, const StorageSource *source) {
    if (storage_is_local(source))
        confine_nodes_add_path(plan, source->path);
    if (source->type == DISK_NVME)
        add_pci(plan, &source->nvme_address);
}

static void add_disks(ConfinePlan *plan, const DomainDef *def) {
    for (size_t i = 0; i < def->n_disks; i++) {
        add_source(plan, &def->disks[i].source);
        for (const BackingStore *at = def->disks[i].backing; at; at = at->next)
            add_source(plan, &at->source);
    }
}

static void add_mdev(ConfinePlan *plan, const HostdevDef *hostdev) {
    CLEANUP_FREE char *link = strf("/sys/bus/mdev/devices/%s/iommu_group",
                                   hostdev->uuid ? hostdev->uuid : "");

    confine_nodes_add_path(plan, "/dev/vfio/vfio");
    if (link)
        add_vfio_group(plan, link);
}

static void add_usb(ConfinePlan *plan, const HostdevDef *hostdev) {
    CLEANUP_FREE char *path = NULL;

    if (hostdev->missing == TRISTATE_YES)
        return;
    if (!hostdev->has_usb_address) { /* QEMU looks for the vendor and product among all */
        add_tree(plan, "/dev/bus/usb", TREE_DEPTH);
        return;
    }
    path = strf("/dev/bus/usb/%03u/%03u", hostdev->usb_bus, hostdev->usb_device);
    confine_nodes_add_path(plan, path);
}

/* "scsi_host2" and a place on it, as the generic node of that device. */
static void add_scsi(ConfinePlan *plan, const HostdevDef *hostdev) {
    CLEANUP_FREE char *directory = NULL;
    struct dirent *entry;
    unsigned host;
    DIR *stream;

    if (!hostdev->adapter || sscanf(hostdev->adapter, "scsi_host%u", &host) != 1)
        return;
    directory = strf("/sys/bus/scsi/devices/%u:%u:%u:%u/scsi_generic", host, hostdev->scsi_bus,
                     hostdev->scsi_target, hostdev->scsi_unit);
    stream = directory ? opendir(directory) : NULL;
    while (stream && (entry = readdir(stream))) {
        CLEANUP_FREE char *path = entry->d_name[0] == '.' ? NULL : path_join("/dev", entry->d_name);

        confine_nodes_add_path(plan, path);
    }
    if (stream)
        closedir(stream);
}

static void add_hostdev(ConfinePlan *plan, const HostdevDef *hostdev) {
    switch (hostdev->type) {
    case HOSTDEV_PCI:
        add_pci(plan, &hostdev->pci);
        break;
    case HOSTDEV_MDEV:
        add_mdev(plan, hostdev);
        break;
    case HOSTDEV_USB:
        add_usb(plan, hostdev);
        break;
    case HOSTDEV_SCSI:
        add_scsi(plan, hostdev);
        break;
    case HOSTDEV_SCSI_HOST:
        confine_nodes_add_path(plan, "/dev/vhost-scsi");
        break;
    default:
        break;
    }
}

/* Words of QEMU's own command line that the definition passes on. */
static void add_arguments(ConfinePlan *plan, const DomainDef *def) {
    for (size_t i = 0; i < def->qemu.n_args; i++)
        for (const char *at = def->qemu.args[i].value; at && (at = strstr(at, "/dev/")); at++) {
            CLEANUP_FREE char *path = strndup(at, strcspn(at, ",\" '}"));

            confine_nodes_add_path(plan, path);
        }
}

/* An <interface> that is a device of the host. */
static void add_host_interface(ConfinePlan *plan, const InterfaceDef *interface) {
    const bool usb = interface->hostdev.type == ADDRESS_USB;
    const HostdevDef hostdev = {.type = usb ? HOSTDEV_USB : HOSTDEV_PCI,
                                .pci = interface->hostdev.pci,
                                .has_usb_address = true,
                                .usb_bus = interface->hostdev.bus,
                                .usb_device = interface->hostdev_usb};

    if (interface->type == INTERFACE_HOSTDEV)
        add_hostdev(plan, &hostdev);
}

static void add_others(ConfinePlan *plan, const DomainDef *def) {
    for (size_t i = 0; i < def->n_rngs; i++)
        if (def->rngs[i].backend_model == RNG_RANDOM)
            confine_nodes_add_path(plan, def->rngs[i].backend);
    for (size_t i = 0; i < def->n_tpms; i++)
        if (def->tpms[i].type == TPM_PASSTHROUGH)
            confine_nodes_add_path(plan, def->tpms[i].device ? def->tpms[i].device : "/dev/tpm0");
    for (size_t i = 0; i < def->n_inputs; i++) {
        confine_nodes_add_path(plan, def->inputs[i].source_dev);
        confine_nodes_add_path(plan, def->inputs[i].source_evdev);
    }
    for (size_t i = 0; i < def->n_memories; i++)
        confine_nodes_add_path(plan, def->memories[i].path);
    if (def->n_interfaces > 0)
        confine_nodes_add_path(plan, "/dev/vhost-net");
    if (def->vsock)
        confine_nodes_add_path(plan, "/dev/vhost-vsock");
    if (def->launch_security)
        confine_nodes_add_path(plan, "/dev/sev");
    if (def->n_graphics > 0)
        add_tree(plan, "/dev/dri", 1);
    if (def->n_audios > 0)
        add_tree(plan, "/dev/snd", 1);
}

/* What everybody may use, and what QEMU looks for by itself. */
static void add_basic(ConfinePlan *plan) {
    static const struct {
        const char *path;
        unsigned major, minor;
    } nodes[] = {{"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
                 {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},
                 {"/dev/ptmx", 5, 2}};

    for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
        add(plan, nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor), false);
    confine_nodes_add_path(plan, "/dev/kvm");
}

void confine_nodes_add(ConfinePlan *plan, const DomainDef *def) {
    add_basic(plan);
    if (!def)
        return;
    add_disks(plan, def);
    for (size_t i = 0; i < def->n_chardevs; i++)
        add_chardev(plan, &def->chardevs[i].source);
    for (size_t i = 0; i < def->n_hostdevs; i++)
        add_hostdev(plan, &def->hostdevs[i]);
    for (size_t i = 0; i < def->n_interfaces; i++)
        add_host_interface(plan, &def->interfaces[i]);
    add_others(plan, def);
    add_arguments(plan, def);
}

void confine_plan_done(ConfinePlan *plan) {
    for (size_t i = 0; i < plan->n_nodes; i++) {
        free(plan->nodes[i].path);
        free(plan->nodes[i].label);
    }
    free(plan->nodes);
    free(plan->groups);
    free(plan->label);
    *plan = (ConfinePlan){0};
}
