/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Goes through tables of commands. */
#include "vireo.h"

const Command *command_next(const CommandGroup *group, CommandPlace *place) {
    if (!place->table)
        place->table = group->tables;
    while (*place->table) {
        place->command = place->command ? place->command + 1 : *place->table;
        if (place->command->name)
            return place->command;
        place->command = NULL;
        place->table++;
    }
    return NULL;
}

const Command *command_find(const CommandGroup *groups, const char *name) {
    const Command *command;

    for (const CommandGroup *group = groups; group->title; group++) {
        CommandPlace place = {0};

        while ((command = command_next(group, &place)))
            if (streq(command->name, name))
                return command;
    }
    return NULL;
}
