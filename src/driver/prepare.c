/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of what is made. */
#include "driver/prepare.h"

#include "driver/prepare-net.h"
#include "driver/prepare-undo.h"

int prepare_start(Domain *domain, StartParts *ret, Error **reterr) {
    prepare_undo(&domain->services->paths,
                 domain->run->live->uuid); /* of a start that was cut short */
    return prepare_interfaces(domain, ret, reterr);
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
