/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tool's own options, and what it was started for: commands, or the shell. */
#include <getopt.h>
#include <locale.h>

#include "groups.h"
#include "vireo.h"

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
            help_tool(tool->groups);
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
    Tool tool = {.groups = command_groups};
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
