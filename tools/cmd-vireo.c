/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands about the tool itself. */
#include "complete.h"
#include "tables.h"
#include "vireo.h"

static int cmd_help(Tool *tool, const Args *args) {
    const char *name = args_string(args, "command");
    const Command *command = name ? command_find(tool->groups, name) : NULL;

    if (!name) {
        help_all(tool->groups);
        return 0;
    }
    if (command) {
        help_command(command);
        return 0;
    }
    for (const CommandGroup *group = tool->groups; group->title; group++)
        if (streq(group->keyword, name) || streq(group->title, name)) {
            help_group(group);
            return 0;
        }
    return tool_fail(NULL, "command or command group '%s' doesn't exist", name);
}

static int cmd_quit(Tool *tool, const Args *args) {
    tool->leave = true;
    return 0;
}

static int cmd_cd(Tool *tool, const Args *args) {
    const char *dir = args_string(args, "dir"), *home = getenv("HOME");

    dir = dir ? dir : home && *home ? home : "/";
    if (chdir(dir) < 0)
        return tool_fail(NULL, "cd: %s: %s", dir, strerror(errno));
    return 0;
}

static int cmd_pwd(Tool *tool, const Args *args) {
    CLEANUP_FREE char *dir = getcwd(NULL, 0);

    if (!dir)
        return tool_fail(NULL, "pwd: cannot get current directory: %s", strerror(errno));
    puts(dir);
    return 0;
}

/* The shell's words live as long as its line: the tool keeps what it took. */
static int cmd_connect(Tool *tool, const Args *args) {
    static char *kept;
    const char *name = args_string(args, "name");

    rpc_client_free(TAKE_PTR(tool->client));
    if (name) {
        free(kept);
        tool->uri = kept = text_format("%s", name);
    }
    tool->readonly = args_has(args, "readonly");
    return tool_connect(tool);
}

static int cmd_echo(Tool *tool, const Args *args) {
    for (size_t i = 0; i < args->n_rest; i++)
        printf("%s%s", i ? " " : "", args->rest[i]);
    if (args->n_rest)
        putchar('\n');
    return 0;
}

static void print_word(const char *word, void *userdata) {
    puts(word);
}

static int cmd_complete(Tool *tool, const Args *args) {
    complete_words(tool, args->rest, args->n_rest, print_word, NULL);
    return 0;
}

/* ---- tables ---- */

static const Option help_options[] = {
    {"command", OPTION_STRING, false,
     "Prints global help, command specific help, or help for a group of related commands",
     .value = VALUE_COMMAND},
    OPTION_END};
static const Option cd_options[] = {
    {"dir", OPTION_STRING, false, "where to (home by default)", .value = VALUE_FILE}, OPTION_END};
static const Option connect_options[] = {
    {"name", OPTION_STRING, false, "URI to connect to; the one before by default"},
    {"readonly", OPTION_FLAG, false, "only to look"},
    OPTION_END};
static const Option complete_options[] = {
    {"word", OPTION_REST, false, "the words so far; the last one is to be completed"}, OPTION_END};
static const Option echo_options[] = {{"string", OPTION_REST, false, "arguments to echo"},
                                      OPTION_END};

const Command commands_vireo[] = {
    {.name = "cd",
     .help = "change the current directory",
     .options = cd_options,
     .local = true,
     .run = cmd_cd},
    {.name = "complete",
     .help = "words that may come next, for the shell",
     .options = complete_options,
     .local = true,
     .run = cmd_complete},
    {.name = "connect",
     .help = "connect again, or to another daemon",
     .options = connect_options,
     .local = true,
     .run = cmd_connect},
    {.name = "echo",
     .help = "echo arguments. Used for internal testing.",
     .description = "Echo back arguments, possibly with quoting.",
     .options = echo_options,
     .local = true,
     .run = cmd_echo},
    {.name = "exit", .help = "quit this interactive terminal", .local = true, .run = cmd_quit},
    {.name = "help",
     .help = "print help",
     .description =
         "Prints global help, command specific help, or help for a\n    group of related commands",
     .options = help_options,
     .local = true,
     .run = cmd_help},
    {.name = "pwd", .help = "print the current directory", .local = true, .run = cmd_pwd},
    {.name = "quit", .help = "quit this interactive terminal", .local = true, .run = cmd_quit},
    {0}};
