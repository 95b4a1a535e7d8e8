/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main, the tool's own options, and the dispatcher. */
#include <getopt.h>
#include <locale.h>

#include "vireo.h"

const CommandGroup *const command_groups[] = {
    &group_domain, &group_vcpu,  &group_tune, &group_info,  &group_monitor,
    &group_ops,    &group_guest, &group_host, &group_vireo, NULL};

const Command *command_find(const char *name) {
    for (const CommandGroup *const *group = command_groups; *group; group++)
        for (const Command *command = (*group)->commands; command->name; command++)
            if (streq(command->name, name))
                return command;
    return NULL;
}

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

static int parse_one(char *const *words, size_t n, Planned *ret) {
    CLEANUP_FREE char *problem = NULL;

    ret->command = command_find(words[0]);
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
        r = parse_one(words->words + start, i - start, &planned[n]);
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

/* One argument is a text of commands; more are one command's words. */
static int run_arguments(Tool *tool, int argc, char **argv) {
    CLEANUP(words_done) Words words = {0};
    CLEANUP_FREE char *problem = NULL;

    if (argc == 1) {
        if (words_split(argv[0], &words, &problem) < 0)
            return tool_fail(NULL, "%s", problem ? problem : "out of memory");
        return tool_run_words(tool, &words);
    }
    words.words = calloc((size_t)argc + 1, sizeof(*words.words));
    if (!words.words)
        return tool_fail(NULL, "out of memory");
    for (; words.n < (size_t)argc; words.n++)
        words.words[words.n] = strdup(argv[words.n]);
    words.n++; /* the NULL that ends the command */
    return tool_run_words(tool, &words);
}

/* 1: go on; 0: done; negative: bad options. */
static int parse_options(Tool *tool, int argc, char **argv) {
    static const struct option options[] = {{"connect", required_argument, NULL, 'c'},
                                            {"readonly", no_argument, NULL, 'r'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'v'},
                                            {NULL, 0, NULL, 0}};
    int c;

    opterr = 0;
    while ((c = getopt_long(argc, argv, "+:c:rqjhv", options, NULL)) != -1) {
        switch (c) {
        case 'c':
            tool->uri = optarg;
            break;
        case 'r':
            tool->readonly = true;
            break;
        case 'q':
            tool->quiet = true;
            break;
        case 'j':
            tool->json = true;
            break;
        case 'h':
            help_tool();
            return 0;
        case 'v':
            puts(VIREO_VERSION);
            return 0;
        case ':':
            return tool_fail(NULL, "option '%s' requires an argument", argv[optind - 1]);
        default:
            return optopt
                       ? tool_fail(NULL, "unsupported option '-%c'. See --help.", optopt)
                       : tool_fail(NULL, "unsupported option '%s'. See --help.", argv[optind - 1]);
        }
    }
    return 1;
}

int main(int argc, char **argv) {
    Tool tool = {0};
    int r;

    setlocale(LC_ALL, "");
    r = parse_options(&tool, argc, argv);
    if (r > 0)
        r = optind < argc ? run_arguments(&tool, argc - optind, argv + optind) : shell_run(&tool);
    rpc_client_free(tool.client);
    if (fflush(stdout) != 0 || ferror(stdout))
        r = -EIO;
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
