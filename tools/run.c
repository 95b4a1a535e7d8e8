/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connects, and runs what was typed. */
#include "vireo.h"

/* The daemon may have been restarted since the last command. Also throws away old events. */
static void drop_dead_connection(Tool *tool) {
    RpcEvent event;
    int r;

    while ((r = rpc_client_next_event(tool->client, 0, &event, NULL)) > 0)
        free(event.payload);
    if (r < 0 && r != -EINTR)
        rpc_client_free(TAKE_PTR(tool->client));
}

int tool_connect(Tool *tool) {
    CLEANUP_ERROR Error *error = NULL;

    if (tool->client && tool->interactive)
        drop_dead_connection(tool);
    if (tool->client)
        return 0;
    if (rpc_client_open(tool->uri, tool->readonly, &tool->client, &error) < 0)
        return tool_fail(error, "failed to connect to the hypervisor");
    return 0;
}

static int run_parsed(Tool *tool, const Command *command, const Args *args) {
    bool json = tool->json;
    int r;

    if (!command->local && tool_connect(tool) < 0)
        return -EIO;
    tool->json = command->json && (json || args->json);
    r = command->run(tool, args);
    /* virsh ends what a command prints with an empty line; other programs count on it. */
    if (!tool->quiet && !tool->json && !tool->leave)
        putchar('\n');
    tool->json = json;
    fflush(stdout);
    return r;
}

typedef struct Planned {
    const Command *command;
    Args args;
} Planned;

static int parse_one(const Tool *tool, char *const *words, size_t n, Planned *ret) {
    CLEANUP_FREE char *problem = NULL;

    ret->command = command_find(tool->groups, words[0]);
    if (!ret->command)
        return tool_fail(NULL, "unknown command: '%s'", words[0]);
    if (args_parse(ret->command->name, ret->command->options, ret->command->json, words + 1, n - 1,
                   &ret->args, &problem) < 0)
        return tool_fail(NULL, "%s", problem ? problem : "out of memory");
    return 0;
}

static int run_planned(Tool *tool, const Planned *planned, size_t n) {
    int r = 0;

    for (size_t i = 0; i < n && !tool->leave; i++) {
        if (planned[i].args.help) {
            help_command(planned[i].command);
            r = 0;
        } else {
            r = run_parsed(tool, planned[i].command, &planned[i].args);
        }
    }
    return r;
}

/* Nothing runs before all of it could be parsed, as in virsh. */
int tool_run_words(Tool *tool, const Words *words) {
    CLEANUP_FREE Planned *planned = calloc(words->n + 1, sizeof(*planned));
    size_t n = 0, start = 0;
    int r = planned ? 0 : -ENOMEM;

    for (size_t i = 0; i < words->n && r == 0; i++) {
        if (words->words[i])
            continue;
        r = parse_one(tool, words->words + start, i - start, &planned[n]);
        if (r == 0)
            n++;
        start = i + 1;
    }
    if (r == 0)
        r = run_planned(tool, planned, n);
    for (size_t i = 0; i < n; i++)
        args_done(&planned[i].args);
    return r;
}
