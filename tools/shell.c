/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The interactive shell. */
#include <editline/readline.h>
#include <sys/stat.h>

#include "vireo.h"

/* ---- completion ---- */

/* The completion callbacks have no argument to carry state in. */
static struct {
    const CommandGroup *groups, *group;
    CommandPlace command;
    const Option *option;
} place;

static char *next_command(const char *text, int state) {
    const Command *command;

    if (state == 0) {
        place.group = place.groups;
        place.command = (CommandPlace){0};
    }
    for (; place.group->title; place.group++) {
        while ((command = command_next(place.group, &place.command)))
            if (strncmp(command->name, text, strlen(text)) == 0)
                return strdup(command->name);
        place.command = (CommandPlace){0};
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
    command = name ? command_find(place.groups, name) : NULL;
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
    place.groups = tool->groups;
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
