/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/display.h"

#include "host/tcp-port.h"

/* libvirt's remote_display_port_min and _max (qemu.conf). */
#define PORT_FIRST 5900
#define PORT_LAST 65535

static bool has_port(const DomainDef *def, int port) {
    for (size_t i = 0; i < def->n_graphics; i++)
        if (graphics_uses_port(&def->graphics[i]) && def->graphics[i].port == port)
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

int display_assign_ports(const Domain *domains, DomainDef *live, Error **reterr) {
    for (size_t i = 0; i < live->n_graphics; i++) {
        GraphicsDef *graphics = &live->graphics[i];
        int port;

        if (graphics->autoport != TRISTATE_YES || graphics->port > 0 ||
            !graphics_uses_port(graphics))
            continue;
        port = find_port(domains, live, graphics, reterr);
        if (port < 0)
            return port;
        graphics->port = port;
    }
    return 0;
}
