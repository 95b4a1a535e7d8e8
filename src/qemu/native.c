/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/native.h"

#include "qemu/command-line.h"
#include "qemu/firmware.h"
#include "qemu/process.h"
#include "util/file.h"

#define FIRST_PORT 5900
#define FIRST_CID 3

/* Descriptors and sockets of nobody. */
typedef struct Parts {
    QemuTap *taps;
    char **tpms, **filesystems;
    QemuSecret *secrets;
    size_t n_tpms, n_filesystems, n_secrets;
    int next_fd;
} Parts;

static void free_texts(char **texts, size_t n) {
    for (size_t i = 0; texts && i < n; i++)
        free(texts[i]);
    free(texts);
}

static void parts_done(Parts *parts) {
    free(parts->taps);
    while (parts->n_secrets > 0)
        free(parts->secrets[--parts->n_secrets].id);
    free(parts->secrets);
    free_texts(parts->tpms, parts->n_tpms);
    free_texts(parts->filesystems, parts->n_filesystems);
}

static int make_taps(const DomainDef *def, Parts *parts) {
    parts->taps = calloc(def->n_interfaces + 1, sizeof(QemuTap));
    if (!parts->taps)
        return -ENOMEM;
    for (size_t i = 0; i < def->n_interfaces; i++) {
        QemuTap *tap = &parts->taps[i];

        tap->n_fds = MIN_OF(MAX_OF(def->interfaces[i].queues, 1u), QEMU_QUEUES_MAX);
        for (unsigned k = 0; k < tap->n_fds; k++)
            tap->fds[k] = parts->next_fd++;
    }
    return 0;
}

static int add_secret(const DiskSecret *secret, void *userdata) {
    Parts *parts = userdata;
    QemuSecret *at = array_append(&parts->secrets, &parts->n_secrets, sizeof(QemuSecret));

    if (!at)
        return -ENOMEM;
    *at = (QemuSecret){.id = strdup(secret->id), .fd = parts->next_fd++, .fd_set = -1};
    return at->id ? 0 : -ENOMEM;
}

static int make_secrets(const DomainDef *def, Parts *parts) {
    int r = 0;

    for (size_t i = 0; r >= 0 && i < def->n_disks; i++)
        r = device_each_secret(&def->disks[i], add_secret, parts);
    return r;
}

static int add_socket(char **sockets, size_t *n, const char *directory, const DomainDef *def,
                      const DeviceInfo *info) {
    sockets[*n] = strf("%s/%s-%s.sock", directory, def->name, info->alias);
    return sockets[*n] ? (++*n, 0) : -ENOMEM;
}

static int add_reservations(const DomainDef *def, const char *directory, DiskDef *disk) {
    StorageReservations *reservations = disk->source.reservations;

    if (!reservations || reservations->managed != TRISTATE_YES || reservations->path)
        return 0;
    reservations->path = strf("%s/%s-pr-%s.sock", directory, def->name, disk->info.alias);
    return reservations->path ? 0 : -ENOMEM;
}

static int make_sockets(DomainDef *def, const char *directory, Parts *parts) {
    int r = 0;

    parts->tpms = calloc(def->n_tpms + 1, sizeof(char *));
    parts->filesystems = calloc(def->n_filesystems + 1, sizeof(char *));
    if (!parts->tpms || !parts->filesystems)
        return -ENOMEM;
    for (size_t i = 0; r >= 0 && i < def->n_tpms; i++)
        r = add_socket(parts->tpms, &parts->n_tpms, directory, def, &def->tpms[i].info);
    for (size_t i = 0; r >= 0 && i < def->n_filesystems; i++)
        r = add_socket(parts->filesystems, &parts->n_filesystems, directory, def,
                       &def->filesystems[i].info);
    for (size_t i = 0; r >= 0 && i < def->n_disks; i++)
        r = add_reservations(def, directory, &def->disks[i]);
    return r;
}

/* Which firmware UEFI is, and where its variables would be. */
static int choose_firmware(DomainDef *def, const QemuCaps *caps, const char *directory,
                           Error **reterr) {
    CLEANUP(firmware_done) Firmware firmware = {0};
    const QemuMachine *machine = qemu_caps_machine(caps, def->os.machine);
    OsDef *os = &def->os;
    int r = 0;

    if (streq_ptr(os->firmware, "efi") && !os->loader) {
        r = firmware_choose(firmware_directories, def, machine ? machine->name : "", &firmware,
                            reterr);
        if (r >= 0 && firmware_apply(&firmware, def) < 0)
            r = error_no_memory(reterr);
    }
    if (r >= 0 && !os->nvram.path && (os->has_nvram || os->loader_readonly == TRISTATE_YES) &&
        os->loader_stateless != TRISTATE_YES &&
        !(os->nvram.path = strf("%s/%s_VARS.fd", directory, def->name)))
        r = error_no_memory(reterr);
    return r;
}

static void choose_ports(GraphicsDef *graphics, bool tls) {
    const bool automatic = graphics->autoport == TRISTATE_YES;
    bool plain = true, secure = false;

    if (!graphics_uses_port(graphics))
        return;
    if (graphics->type == GRAPHICS_SPICE)
        graphics_spice_ports(graphics, tls, &plain, &secure);
    if (graphics->port < 0 || (graphics->port == 0 && plain && graphics->tls_port == 0))
        graphics->port = FIRST_PORT;
    if (graphics->tls_port < 0 || (automatic && secure && graphics->tls_port == 0))
        graphics->tls_port = FIRST_PORT + 1;
}

static void choose_numbers(DomainDef *def, bool tls) {
    for (size_t i = 0; i < def->n_graphics; i++)
        choose_ports(&def->graphics[i], tls);
    if (def->vsock && !def->vsock->cid)
        def->vsock->cid = FIRST_CID;
}

int qemu_native_argv(DomainDef *def, const QemuCaps *caps, const NativePaths *paths,
                     char ***ret_argv, Error **reterr) {
    static const SysinfoDef host = {0};
    CLEANUP(parts_done) Parts made = {.next_fd = QEMU_FIRST_FD};
    QemuHostParts parts = {.sysinfo = &host, .spice_tls = paths->spice_tls};
    QemuCommandParams params = {
        .def = def, .caps = caps, .channel_dir = paths->channels, .parts = &parts};
    int r = choose_firmware(def, caps, paths->nvram, reterr);

    if (r < 0)
        return r;
    choose_numbers(def, paths->spice_tls != NULL);
    qemu_align_memory(def);
    if (qemu_assign_aliases(def, paths->channels) < 0 || make_taps(def, &made) < 0 ||
        make_secrets(def, &made) < 0 || make_sockets(def, paths->helpers, &made) < 0)
        return error_no_memory(reterr);
    parts.taps = made.taps;
    parts.secrets = made.secrets;
    parts.n_secrets = made.n_secrets;
    parts.tpm_sockets = (const char *const *)made.tpms;
    parts.filesystems = (const char *const *)made.filesystems;
    return qemu_command_line(&params, ret_argv, reterr);
}
