/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Help: one command, one group, all groups, the tool itself. Everything is made from the tables. */
#include "vireo.h"

static void print_synopsis(const Command *command) {
    printf("    %s", command->name);
    for (const Option *o = command->options; o && o->name; o++) {
        const char *value = o->kind == OPTION_NUMBER ? "number" : "string";

        if (o->kind == OPTION_FLAG)
            printf(o->required ? " --%s" : " [--%s]", o->name);
        else if (o->kind == OPTION_REST)
            printf(o->required ? " {[--%s] <string>}..." : " [[--%s] <string>]...", o->name);
        else if (o->required)
            printf(" <%s>", o->name);
        else
            printf(" [--%s <%s>]", o->name, value);
    }
    if (command->json)
        printf(" [--json]");
    printf("\n");
}

static void print_options(const Command *command) {
    if (command->options || command->json)
        printf("\n  OPTIONS\n");
    for (const Option *o = command->options; o && o->name; o++) {
        CLEANUP_FREE char *text = NULL;

        if (o->kind == OPTION_FLAG)
            text = text_format("--%s", o->name);
        else
            text = text_format(o->required ? "[--%s] <%s>" : "--%s <%s>", o->name,
                               o->kind == OPTION_NUMBER ? "number" : "string");
        printf("    %-15s  %s\n", text, o->help);
    }
    if (command->json)
        printf("    %-15s  %s\n", "--json", "print JSON instead of text");
}

void help_command(const Command *command) {
    printf("  NAME\n    %s - %s\n\n  SYNOPSIS\n", command->name, command->help);
    print_synopsis(command);
    if (command->description)
        printf("\n  DESCRIPTION\n    %s\n", command->description);
    print_options(command);
    printf("\n");
}

static int compare_names(const void *a, const void *b) {
    return strcmp((*(const Command *const *)a)->name, (*(const Command *const *)b)->name);
}

static void list_group(const CommandGroup *group, const char *colon) {
    CLEANUP_FREE const Command **commands = NULL;
    CommandPlace place = {0};
    const Command *command;
    size_t n = 0;

    while (command_next(group, &place))
        n++;
    commands = calloc(n + 1, sizeof(*commands));
    place = (CommandPlace){0};
    for (n = 0; commands && (command = command_next(group, &place)); n++)
        commands[n] = command;
    if (commands)
        qsort(commands, n, sizeof(*commands), compare_names);
    printf(" %s (help keyword '%s')%s\n", group->title, group->keyword, colon);
    for (size_t i = 0; commands && i < n; i++)
        printf("    %-30s %s\n", commands[i]->name, commands[i]->help);
}

void help_group(const CommandGroup *group) {
    list_group(group, ":");
}

void help_all(const CommandGroup *groups) {
    printf("Grouped commands:\n\n");
    for (const CommandGroup *group = groups; group->title; group++) {
        list_group(group, ":");
        printf("\n");
    }
}

void help_tool(const CommandGroup *groups) {
    printf("\nvireo [options]... [<command_string>]\n"
           "vireo [options]... <command> [args...]\n\n"
           "  options:\n"
           "    -c | --connect=URI      connection URI or socket path\n"
           "    -h | --help             this help\n"
           "    -j | --json             print JSON instead of text\n"
           "    -q | --quiet            quiet mode\n"
           "    -r | --readonly         connect readonly\n"
           "    -v | --version          version\n"
           "  commands (non interactive mode):\n\n");
    for (const CommandGroup *group = groups; group->title; group++) {
        list_group(group, "");
        printf("\n");
    }
    printf("  (specify help <group> for details about the commands in the group)\n\n"
           "  (specify help <command> for details about the command)\n\n");
}
