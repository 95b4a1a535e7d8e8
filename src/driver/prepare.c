/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of what is made. */
#include "driver/prepare.h"

#include "driver/prepare-firmware.h"
#include "driver/prepare-helper.h"
#include "driver/prepare-host.h"
#include "driver/prepare-net.h"
#include "driver/prepare-overlay.h"
#include "driver/prepare-secret.h"
#include "driver/prepare-undo.h"
#include "driver/prepare-usb.h"
#include "util/file.h"
#include "util/log.h"

/* "NAME=VALUE" behind the others. */
static int add_variable(StartParts *parts, size_t *n, const char *name, const char *value) {
    char **longer = realloc(parts->environment, (*n + 2) * sizeof(char *));

    if (!longer)
        return -ENOMEM;
    parts->environment = longer;
    longer[*n] = strf("%s=%s", name, value ? value : "");
    longer[*n + 1] = NULL;
    return longer[(*n)++] ? 0 : -ENOMEM;
}

/* QEMU's driver of ssh finds its agent where the environment says: one is all disks'. */
static int add_agent(const DomainDef *live, StartParts *parts, size_t *n, Error **reterr) {
    const char *agent = NULL;

    for (size_t i = 0; i < live->n_disks; i++) {
        const StorageSource *source = &live->disks[i].source;

        if (source->type != DISK_NETWORK || !source->ssh_agent)
            continue;
        if (agent && !streq(agent, source->ssh_agent))
            return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                "domain '%s': disk '%s' wants another ssh agent than an earlier "
                                "one ('%s'): a QEMU has one",
                                live->name, live->disks[i].target, agent);
        agent = source->ssh_agent;
    }
    return agent && add_variable(parts, n, "SSH_AUTH_SOCK", agent) < 0 ? error_no_memory(reterr)
                                                                       : 0;
}

/* The X server of a window, and what it is to be believed by. */
static int add_window(const DomainDef *live, StartParts *parts, size_t *n, Error **reterr) {
    const GraphicsDef *window = NULL;
    int r = 0;

    for (size_t i = 0; i < live->n_graphics && !window; i++)
        if (live->graphics[i].type == GRAPHICS_SDL)
            window = &live->graphics[i];
    if (window && window->xauth)
        r = add_variable(parts, n, "XAUTHORITY", window->xauth);
    if (r >= 0 && window && window->display)
        r = add_variable(parts, n, "DISPLAY", window->display);
    /* SDL asks for a bus; one that is not named is looked for by a new process, for which the
     * sandbox ends QEMU. */
    if (r >= 0 && window)
        r = add_variable(parts, n, "DBUS_SESSION_BUS_ADDRESS", "unix:path=/dev/null");
    return r < 0 ? error_no_memory(reterr) : 0;
}

/* Where the guest's clock is, and what a person says to QEMU past this daemon. */
static int take_environment(Domain *domain, StartParts *parts, Error **reterr) {
    const DomainDef *live = domain->run->live;
    const QemuNamespaceDef *ns = &live->qemu;
    size_t n = 0;

    if (ns->has_commandline || ns->has_override)
        log_warning("domain '%s' is tainted: its QEMU gets what <qemu:commandline> or "
                    "<qemu:override> says, unchecked",
                    domain_name(domain));
    if (live->clock == CLOCK_TIMEZONE &&
        add_variable(parts, &n, "TZ", live->clock_details.timezone) < 0)
        return error_no_memory(reterr);
    for (size_t i = 0; i < ns->n_envs; i++)
        if (add_variable(parts, &n, ns->envs[i].name, ns->envs[i].value) < 0)
            return error_no_memory(reterr);
    if (add_window(live, parts, &n, reterr) < 0)
        return -ENOMEM;
    return add_agent(live, parts, &n, reterr);
}

int prepare_start(Domain *domain, StartParts *ret, Error **reterr) {
    int r;

    /* of a start that was cut short */
    prepare_undo(&domain->services->paths, domain->run->live->uuid, false);
    r = take_environment(domain, ret, reterr);
    if (r >= 0)
        r = prepare_firmware(domain, reterr);
    if (r >= 0)
        r = prepare_interfaces(domain, ret, reterr);
    if (r >= 0)
        r = prepare_sysinfo(domain, ret, reterr);
    if (r >= 0)
        r = prepare_vsock(domain, ret, reterr);
    if (r >= 0)
        r = prepare_secrets(domain, ret, reterr);
    if (r >= 0)
        r = prepare_tpms(domain, ret, reterr);
    if (r >= 0)
        r = prepare_filesystems(domain, ret, reterr);
    if (r >= 0)
        r = prepare_all_reservations(domain, ret, reterr);
    if (r >= 0)
        r = prepare_usb_devices(domain, reterr);
    if (r >= 0)
        r = prepare_pci_devices(domain, reterr);
    return r < 0 ? r : prepare_overlays(domain, reterr);
}

/* The guest sees an unplugged cable. */
static int set_link(Domain *domain, const InterfaceDef *interface, uint64_t deadline,
                    Error **reterr) {
    json_object *arguments = json_object_new_object();

    if (!arguments || json_add_string(arguments, "name", interface->info.alias) < 0 ||
        json_add_bool(arguments, "up", false) < 0) {
        json_object_put(arguments);
        return error_no_memory(reterr);
    }
    return monitor_run(domain->run->monitor, "set_link", arguments, deadline, NULL, reterr);
}

int prepare_settle(Domain *domain, uint64_t deadline, Error **reterr) {
    const DomainDef *live = domain->run->live;
    int r = 0;

    for (size_t i = 0; r >= 0 && i < live->n_interfaces; i++)
        if (streq_ptr(live->interfaces[i].link, "down"))
            r = set_link(domain, &live->interfaces[i], deadline, reterr);
    return r;
}
