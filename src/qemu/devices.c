/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All kinds of devices. */
#include "qemu/devices.h"

#include <stdio.h>

/* What others hang on comes first: PCI buses, controllers, then what has ports for others. */
const DeviceKind *const device_kinds[] = {
    &bridge_kind,     &controller_kind, &hub_kind,        &audio_kind,   &disk_kind,
    &filesystem_kind, &interface_kind,  &smartcard_kind,  &chardev_kind, &tpm_kind,
    &input_kind,      &graphics_kind,   &video_kind,      &sound_kind,   &watchdog_kind,
    &redirdev_kind,   &hostdev_kind,    &memballoon_kind, &rng_kind,     &panic_kind,
    &shmem_kind,      &memory_kind,     &crypto_kind,     &vsock_kind};
const size_t n_device_kinds = ARRAY_SIZE(device_kinds);

int devices_each(DomainDef *def, DeviceVisitor visit, void *userdata) {
    assert(visit);
    for (size_t k = 0; k < n_device_kinds; k++) {
        const DeviceKind *kind = device_kinds[k];
        char *base = (char *)def;
        size_t n = kind->array ? *(size_t *)(base + kind->count) : 1;
        char *items = *(char **)(base + (kind->array ? kind->array : kind->one));

        for (size_t i = 0; items && i < n; i++) {
            int r = visit(kind, items + i * kind->size, i, userdata);

            if (r < 0)
                return r;
        }
    }
    return 0;
}

/* QEMU has it before the device, whose name it knows. */
static void add_zpci(const DeviceInfo *info, DeviceSteps *steps) {
    const PciAddress *at = &info->address.pci;
    DeviceStep last;
    Props props;

    for (size_t i = 0; i < steps->n; i++) {
        if (steps->steps[i].kind != STEP_DEVICE ||
            !streq_ptr(json_member_string(steps->steps[i].json, "id"), info->alias))
            continue;
        props = props_new();
        props_text(&props, "driver", "zpci");
        props_uint(&props, "uid", at->zpci_uid);
        props_uint(&props, "fid", at->zpci_fid);
        props_text(&props, "target", info->alias);
        props_textf(&props, "id", "zpci%u", at->zpci_uid);
        steps_props(steps, STEP_ZPCI, &props);
        if (steps->failed)
            return;
        last = steps->steps[steps->n - 1];
        memmove(&steps->steps[i + 1], &steps->steps[i], (steps->n - 1 - i) * sizeof(DeviceStep));
        steps->steps[i] = last;
        return;
    }
}

int device_kind_build(const DeviceContext *context, const DeviceKind *kind, const void *device,
                      DeviceSteps *steps, Error **reterr) {
    const DeviceInfo *info = kind->info == DEVICE_WITHOUT_INFO
                                 ? NULL
                                 : (const void *)((const char *)device + kind->info);
    int r = kind->build(context, device, steps, reterr);

    if (r >= 0 && info && info->address.type == ADDRESS_PCI && info->address.pci.has_zpci)
        add_zpci(info, steps);
    return r;
}

/* ---- the command line ---- */

static const char *const options[] = {
    [STEP_OBJECT] = "-object", [STEP_CHARDEV] = "-chardev",   [STEP_BLOCKDEV] = "-blockdev",
    [STEP_NETDEV] = "-netdev", [STEP_AUDIODEV] = "-audiodev", [STEP_DEVICE] = "-device",
    [STEP_ZPCI] = "-device"};

/* <qemu:override>: a person's own properties of a device. */
static int override(const DeviceContext *context, json_object *json) {
    const QemuNamespaceDef *ns = &context->def->qemu;
    const char *id = json_member_string(json, "id");
    int r = 0;

    for (size_t i = 0; id && i < ns->n_overrides; i++) {
        const QemuOverride *over = &ns->overrides[i];

        if (!streq_ptr(over->alias, id))
            continue;
        for (size_t k = 0; k < over->n_properties && r >= 0; k++) {
            const QemuProperty *property = &over->properties[k];
            const char *type = property->type ? property->type : "string";
            const char *value = property->value ? property->value : "";

            if (streq(type, "remove"))
                json_object_object_del(json, property->name);
            else if (streq(type, "signed"))
                r = json_add_int(json, property->name, strtoll(value, NULL, 0));
            else if (streq(type, "unsigned"))
                r = json_add_uint(json, property->name, strtoull(value, NULL, 0));
            else if (streq(type, "bool"))
                r = json_add_bool(json, property->name, streq(value, "true"));
            else
                r = json_add_string(json, property->name, value);
        }
    }
    return r;
}

static void add_steps(ArgvBuilder *builder, const DeviceContext *context,
                      const DeviceSteps *steps) {
    builder->failed |= steps->failed;
    for (size_t i = 0; i < steps->n; i++) {
        const DeviceStep *step = &steps->steps[i];

        if (step->kind == STEP_OPTION && !step->text) {
            argv_add(builder, step->option);
        } else if (step->kind == STEP_OPTION) {
            argv_add_option(builder, step->option, "%s", step->text);
        } else if (step->kind == STEP_WATCHDOG) {
            const char *action = json_member_string(step->json, "action");

            argv_add_option(builder, "-watchdog-action", "%s", action ? action : "");
        } else if (step->kind == STEP_CHARDEV) {
            argv_add_option(builder, "-chardev", "%s", step->text);
        } else {
            builder->failed |= step->kind == STEP_DEVICE && override(context, step->json) < 0;
            argv_add_json(builder, options[step->kind], json_object_get(step->json));
        }
    }
}

typedef struct Line {
    ArgvBuilder *builder;
    const DeviceContext *context;
    Error **reterr;
} Line;

static int add_device(const DeviceKind *kind, void *device, size_t index, void *userdata) {
    Line *line = userdata;
    CLEANUP(device_steps_done) DeviceSteps steps = {0};
    int r = device_kind_build(line->context, kind, device, &steps, line->reterr);

    if (r >= 0)
        add_steps(line->builder, line->context, &steps);
    return r;
}

static bool needs_virtio_serial(const DomainDef *def) {
    for (size_t i = 0; i < def->n_chardevs; i++) {
        const ChardevDef *chardev = &def->chardevs[i];

        if ((chardev->kind == CHARDEV_CHANNEL || chardev->kind == CHARDEV_CONSOLE) &&
            streq_ptr(chardev->target_type, "virtio"))
            return true;
    }
    return false;
}

static bool needs_scsi(const DomainDef *def) {
    for (size_t i = 0; i < def->n_disks; i++)
        if (def->disks[i].bus == DISK_BUS_SCSI)
            return true;
    return false;
}

static bool needs_ccid(const DomainDef *def) {
    return def->n_smartcards > 0;
}

static bool needs_usb(const DomainDef *def) {
    bool needed = def->n_hubs > 0 || def->n_redirdevs > 0 || needs_ccid(def);

    for (size_t i = 0; i < def->n_inputs; i++)
        needed |= def->inputs[i].bus == INPUT_BUS_USB;
    for (size_t i = 0; i < def->n_disks; i++)
        needed |= def->disks[i].bus == DISK_BUS_USB;
    for (size_t i = 0; i < def->n_hostdevs; i++)
        needed |= def->hostdevs[i].type == HOSTDEV_USB;
    return needed;
}

static bool has_any(const DomainDef *def, ControllerType type) {
    for (size_t i = 0; i < def->n_controllers; i++)
        if (def->controllers[i].type == type)
            return true;
    return false;
}

/* Controllers that a definition of before they were filled in does not have: where there is one of
 * a kind, all that are used are there. */
static int add_missing(ArgvBuilder *builder, const DeviceContext *context, Error **reterr) {
    static const struct {
        ControllerType type;
        bool (*needed)(const DomainDef *def);
        const char *alias;
    } rows[] = {{CONTROLLER_USB, needs_usb, "usb"},
                {CONTROLLER_VIRTIO_SERIAL, needs_virtio_serial, "virtio-serial0"},
                {CONTROLLER_SCSI, needs_scsi, "scsi0"},
                {CONTROLLER_CCID, needs_ccid, "ccid0"}};
    Line line = {.builder = builder, .context = context, .reterr = reterr};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        ControllerDef controller = {.type = rows[i].type, .info.alias = (char *)rows[i].alias};
        int r = rows[i].needed(context->def) && !has_any(context->def, rows[i].type)
                    ? add_device(&controller_kind, &controller, 0, &line)
                    : 0;

        if (r < 0)
            return r;
    }
    return 0;
}

int qemu_add_devices(ArgvBuilder *builder, const DeviceContext *context, Error **reterr) {
    Line line = {.builder = builder, .context = context, .reterr = reterr};
    int r = add_missing(builder, context, reterr);

    /* The definition is only read. */
    return r < 0 ? r : devices_each((DomainDef *)context->def, add_device, &line);
}

/* ---- a running QEMU ---- */

const char *device_step_command(const DeviceStep *step, json_object **ret_arguments) {
    static const char *const commands[] = {[STEP_OBJECT] = "object-add",
                                           [STEP_CHARDEV] = "chardev-add",
                                           [STEP_BLOCKDEV] = "blockdev-add",
                                           [STEP_NETDEV] = "netdev_add",
                                           [STEP_AUDIODEV] = NULL,
                                           [STEP_DEVICE] = "device_add",
                                           [STEP_ZPCI] = "device_add",
                                           [STEP_WATCHDOG] = "watchdog-set-action",
                                           [STEP_OPTION] = NULL};

    assert((size_t)step->kind < ARRAY_SIZE(commands));
    if (!commands[step->kind] || !step->json)
        return NULL;
    *ret_arguments = json_object_get(step->json);
    return commands[step->kind];
}

const char *device_step_undo(const DeviceStep *step, json_object **ret_arguments) {
    static const struct {
        const char *command, *key;
    } rows[] = {[STEP_OBJECT] = {"object-del", "id"},
                [STEP_CHARDEV] = {"chardev-remove", "id"},
                [STEP_BLOCKDEV] = {"blockdev-del", "node-name"},
                [STEP_NETDEV] = {"netdev_del", "id"},
                [STEP_DEVICE] = {"device_del", "id"},
                [STEP_ZPCI] = {"device_del", "id"},
                [STEP_WATCHDOG] = {NULL, NULL},
                [STEP_OPTION] = {NULL, NULL}};
    const char *name = rows[step->kind].key ? json_member_string(step->json, rows[step->kind].key)
                                            : NULL;
    Props props;

    assert((size_t)step->kind < ARRAY_SIZE(rows));
    if (!name)
        return NULL;
    props = props_new();
    props_text(&props, rows[step->kind].key, name);
    *ret_arguments = props_take(&props);
    return *ret_arguments ? rows[step->kind].command : NULL;
}

int device_steps_check_live(const DeviceSteps *steps, const char *name, Error **reterr) {
    if (steps->failed)
        return error_no_memory(reterr);
    for (size_t i = 0; i < steps->n; i++)
        if (steps->steps[i].kind == STEP_OPTION || steps->steps[i].kind == STEP_AUDIODEV)
            return error_report(
                reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                "a <%s> of this kind can only be there from the start; use --config", name);
    return 0;
}
