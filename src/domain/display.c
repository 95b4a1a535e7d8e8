/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/display.h"

#include <time.h>

#include "host/tcp-port.h"
#include "util/json.h"

/* libvirt's remote_display_port_min and _max (qemu.conf). */
#define PORT_FIRST 5900
#define PORT_LAST 65535

/* ---- ports ---- */

static bool has_port(const DomainDef *def, int port) {
    for (size_t i = 0; i < def->n_graphics; i++)
        if (graphics_uses_port(&def->graphics[i]) &&
            (def->graphics[i].port == port || def->graphics[i].tls_port == port))
            return true;
    return false;
}

/* `live` may belong to a run of the list or not. */
static bool is_held(const Domain *domains, const DomainDef *live, int port) {
    for (const Domain *domain = domains; domain; domain = domain->next)
        if (domain->run && has_port(domain->run->live, port))
            return true;
    return has_port(live, port);
}

static int find_port(const Domain *domains, const DomainDef *live, const GraphicsDef *graphics,
                     Error **reterr) {
    const char *address = graphics_address(graphics);

    for (int port = PORT_FIRST; port <= PORT_LAST; port++) {
        int r = is_held(domains, live, port) ? 0 : tcp_port_is_free(address, (unsigned)port);

        if (r < 0)
            return error_system(reterr, FROM_QEMU, r,
                                "domain '%s': its %s display cannot listen at '%s'", live->name,
                                words_name(&graphics_types, graphics->type), address);
        if (r > 0)
            return port;
    }
    return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                        "domain '%s': no port from %d to %d is free at '%s' for its %s display; "
                        "give it a port or a listen address of its own",
                        live->name, PORT_FIRST, PORT_LAST, address,
                        words_name(&graphics_types, graphics->type));
}

/* Which are to be found: all of an automatic display, and those that are said to be -1. */
static void wanted_ports(const GraphicsDef *graphics, bool tls, bool *ret_plain, bool *ret_tls) {
    const bool automatic = graphics->autoport == TRISTATE_YES, uses = graphics_uses_port(graphics);

    *ret_plain = uses && automatic;
    *ret_tls = false;
    if (!uses || graphics->type != GRAPHICS_SPICE)
        return;
    if (automatic) {
        graphics_spice_ports(graphics, tls, ret_plain, ret_tls);
    } else {
        *ret_plain = graphics->port < 0;
        *ret_tls = graphics->tls_port < 0;
    }
}

static int assign(const Domain *domains, const DomainDef *live, GraphicsDef *graphics, bool tls,
                  Error **reterr) {
    bool plain, secure;
    int port = 0;

    wanted_ports(graphics, tls, &plain, &secure);
    if (plain) {
        port = find_port(domains, live, graphics, reterr);
        if (port < 0)
            return port;
        graphics->port = port;
    }
    if (secure && !tls)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "domain '%s': its spice display is to have a TLS port, and there are "
                            "no certificates (the setting 'spice_tls'); give its channels "
                            "mode='any'",
                            live->name);
    if (secure) {
        port = find_port(domains, live, graphics, reterr);
        graphics->tls_port = port;
    }
    return port < 0 ? port : 0;
}

int display_assign_ports(const Domain *domains, DomainDef *live, bool tls, Error **reterr) {
    int r = 0;

    for (size_t i = 0; i < live->n_graphics; i++) {
        GraphicsDef *graphics = &live->graphics[i];

        /* those it had elsewhere, or before it was saved */
        if (graphics->autoport == TRISTATE_YES && graphics_uses_port(graphics))
            graphics->port = graphics->tls_port = 0;
    }
    for (size_t i = 0; r >= 0 && i < live->n_graphics; i++)
        r = assign(domains, live, &live->graphics[i], tls, reterr);
    return r;
}

/* ---- passwords ---- */

static json_object *password_arguments(const GraphicsDef *graphics) {
    CLEANUP_JSON json_object *arguments = json_object_new_object();

    if (!arguments ||
        json_add_string(arguments, "protocol", words_name(&graphics_types, graphics->type)) < 0 ||
        json_add_string(arguments, "password", graphics->passwd) < 0 ||
        (graphics->connected && json_add_string(arguments, "connected", graphics->connected) < 0))
        return NULL;
    return TAKE_PTR(arguments);
}

/* passwdValidTo as QEMU has it: seconds since 1970, or "never". */
static int expiry_text(const GraphicsDef *graphics, char *ret, size_t size) {
    struct tm tm = {0};
    const char *end;

    if (!graphics->passwd_valid_to) {
        snprintf(ret, size, "never");
        return 0;
    }
    end = strptime(graphics->passwd_valid_to, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!end || *end)
        return -EINVAL;
    snprintf(ret, size, "%lld", (long long)timegm(&tm));
    return 0;
}

static json_object *expiry_arguments(const GraphicsDef *graphics, const char *time) {
    CLEANUP_JSON json_object *arguments = json_object_new_object();

    if (!arguments ||
        json_add_string(arguments, "protocol", words_name(&graphics_types, graphics->type)) < 0 ||
        json_add_string(arguments, "time", time) < 0)
        return NULL;
    return TAKE_PTR(arguments);
}

static int set_password(Monitor *monitor, const char *name, const GraphicsDef *graphics,
                        uint64_t deadline, Error **reterr) {
    char time[32];
    json_object *arguments;
    int r;

    if (expiry_text(graphics, time, sizeof(time)) < 0)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "domain '%s': passwdValidTo='%.80s' of its %s display is no time; "
                            "write YYYY-MM-DDTHH:MM:SS, in UTC",
                            name, graphics->passwd_valid_to,
                            words_name(&graphics_types, graphics->type));
    arguments = password_arguments(graphics);
    if (!arguments)
        return error_no_memory(reterr);
    r = monitor_run(monitor, "set_password", arguments, deadline, NULL, reterr);
    if (r < 0)
        return r;
    arguments = expiry_arguments(graphics, time);
    if (!arguments)
        return error_no_memory(reterr);
    return monitor_run(monitor, "expire_password", arguments, deadline, NULL, reterr);
}

int display_set_passwords(Domain *domain, uint64_t deadline, Error **reterr) {
    const DomainDef *live = domain->run->live;
    int r = 0;

    assert(domain_job_is_mine(domain) && domain->run->monitor);
    for (size_t i = 0; r >= 0 && i < live->n_graphics; i++) {
        const GraphicsDef *graphics = &live->graphics[i];

        if (graphics->passwd &&
            (graphics->type == GRAPHICS_VNC || graphics->type == GRAPHICS_SPICE))
            r = set_password(domain->run->monitor, live->name, graphics, deadline, reterr);
    }
    return r;
}
