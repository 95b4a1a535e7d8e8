/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The interactive shell, and the commands about the tool itself. */
#include <editline/readline.h>
#include <sys/stat.h>

#include "vireo.h"

/* ---- completion ---- */

/* The completion callbacks have no argument to carry state in. */
static struct {
    const CommandGroup *const *group;
    const Command *command;
    const Option *option;
} place;

static char *next_command(const char *text, int state) {
    if (state == 0) {
        place.group = command_groups;
        place.command = (*place.group)->commands;
    }
    while (*place.group) {
        const Command *command = place.command;

        if (!command->name) {
            place.group++;
            place.command = *place.group ? (*place.group)->commands : NULL;
            continue;
        }
        place.command++;
        if (strncmp(command->name, text, strlen(text)) == 0)
            return strdup(command->name);
    }
    return NULL;
}

static char *next_option(const char *text, int state) {
    while (place.option && place.option->name) {
        const Option *option = place.option++;
        CLEANUP_FREE char *word = text_format("--%s", option->name);

        if (strncmp(word, text, strlen(text)) == 0)
            return TAKE_PTR(word);
    }
    return NULL;
}

static char **complete(const char *text, int start, int end) {
    CLEANUP_FREE char *name = NULL;
    const char *line = rl_line_buffer + strspn(rl_line_buffer, " ");
    const Command *command;

    rl_attempted_completion_over = 1;
    if (line >= rl_line_buffer + start)
        return rl_completion_matches(text, next_command);
    name = strndup(line, strcspn(line, " "));
    command = name ? command_find(name) : NULL;
    if (command && command->local && streq(command->name, "help"))
        return rl_completion_matches(text, next_command);
    if (!command || text[0] != '-')
        return NULL;
    place.option = command->options;
    return rl_completion_matches(text, next_option);
}

/* ---- the loop ---- */

static char *history_path(void) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    CLEANUP_FREE char *dir = NULL;

    if (cache && *cache == '/')
        dir = text_format("%s/vireo", cache);
    else if (home && *home == '/')
        dir = text_format("%s/.cache/vireo", home);
    else
        return NULL;
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return NULL;
    return text_format("%s/history", dir);
}

static void run_line(Tool *tool, const char *line) {
    CLEANUP(words_done) Words words = {0};
    CLEANUP_FREE char *problem = NULL;

    if (words_split(line, &words, &problem) < 0)
        tool_fail(NULL, "%s", problem ? problem : "out of memory");
    else
        tool_run_words(tool, &words);
}

static void loop(Tool *tool) {
    while (!tool->leave) {
        CLEANUP_FREE char *line = readline(tool->readonly ? "vireo > " : "vireo # ");

        if (!line) {
            putchar('\n'); /* the end of input leaves the prompt's line open */
            return;
        }
        if (*line)
            add_history(line);
        run_line(tool, line);
    }
}

int shell_run(Tool *tool) {
    CLEANUP_FREE char *history = history_path();

    tool->interactive = true;
    tool_say(tool, "Welcome to vireo, the virtualization interactive terminal.\n\n"
                   "Type:  'help' for help with commands\n       'quit' to quit\n\n");
    rl_readline_name = (char *)"vireo";
    rl_attempted_completion_function = complete;
    using_history();
    stifle_history(500);
    if (history)
        read_history(history);
    loop(tool);
    if (history)
        write_history(history);
    return 0;
}

/* ---- commands about the tool ---- */

static int cmd_help(Tool *tool, const Args *args) {
    const char *name = args_string(args, "command");
    const Command *command = name ? command_find(name) : NULL;

    if (!name) {
        help_all();
        return 0;
    }
    for (const CommandGroup *const *group = command_groups; *group; group++)
        if (streq((*group)->keyword, name) || streq((*group)->title, name)) {
            help_group(*group);
            return 0;
        }
    if (!command)
        return tool_fail(NULL, "command or command group '%s' doesn't exist", name);
    help_command(command);
    return 0;
}

static int cmd_quit(Tool *tool, const Args *args) {
    tool->leave = true;
    return 0;
}

static int cmd_echo(Tool *tool, const Args *args) {
    for (size_t i = 0; i < args->n_rest; i++)
        printf("%s%s", i ? " " : "", args->rest[i]);
    if (args->n_rest)
        putchar('\n');
    return 0;
}

static const Option help_options[] = {
    {"command", OPTION_STRING, false,
     "Prints global help, command specific help, or help for a group of related commands"},
    OPTION_END};
static const Option echo_options[] = {{"string", OPTION_REST, false, "arguments to echo"},
                                      OPTION_END};

static const Command commands[] = {
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
    {.name = "quit", .help = "quit this interactive terminal", .local = true, .run = cmd_quit},
    {0}};

const CommandGroup group_vireo = {"Vireo itself", "vireo", commands};
