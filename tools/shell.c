/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The interactive shell. */
#include <editline/readline.h>
#include <sys/stat.h>

#include "complete.h"

/* ---- completion ---- */

/* The completion callbacks have no argument to carry state in. */
static struct {
    Tool *tool;
    char **words; /* those that were found; the last are still to be told */
    size_t n, told, size;
} found;

static void add_word(const char *word, void *userdata) {
    char *copy = strdup(word);

    if (found.n == found.size) {
        found.size = found.size * 2 + 16;
        found.words = reallocarray(found.words, found.size, sizeof(*found.words));
    }
    if (!found.words || !copy)
        out_of_memory();
    found.words[found.n++] = copy;
}

/* readline frees what it gets. */
static char *next_word(const char *text, int state) {
    return found.told < found.n ? found.words[found.told++] : NULL;
}

static char **complete(const char *text, int start, int end) {
    CLEANUP(words_done) Words words = {0};
    CLEANUP_FREE char *line = strndup(rl_line_buffer, (size_t)start), *problem = NULL;
    CLEANUP_FREE const char **all = NULL;
    size_t first = 0, n;

    rl_attempted_completion_over = 1;
    if (!line || words_split(line, &words, &problem) < 0)
        return NULL;
    /* Only the last command of the line counts; a NULL ends each. */
    n = words.n ? words.n - 1 : 0;
    for (size_t i = 0; i < n; i++)
        if (!words.words[i])
            first = i + 1;
    if (line[strspn(line, " ")] && line[strlen(line) - 1] == ';')
        first = n;
    all = calloc(n - first + 2, sizeof(*all));
    if (!all)
        out_of_memory();
    for (size_t i = first; i < n; i++)
        all[i - first] = words.words[i];
    all[n - first] = text;
    found.n = found.told = 0;
    complete_words(found.tool, all, n - first + 1, add_word, NULL);
    return rl_completion_matches(text, next_word);
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
    found.tool = tool;
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
