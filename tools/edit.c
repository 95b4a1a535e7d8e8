/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "edit.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include "stream.h"

extern char **environ;

/* The editor may be words of a shell. It has the terminal until it ends. */
static int run_editor(const char *path) {
    const char *visual = getenv("VISUAL"), *editor = getenv("EDITOR");
    CLEANUP_FREE char *line = text_format("%s \"$1\"", visual && *visual   ? visual
                                                       : editor && *editor ? editor
                                                                           : "vi");
    char *const argv[] = {"sh", "-c", line, "sh", (char *)path, NULL};
    int status = 0, r;
    pid_t pid;

    r = posix_spawnp(&pid, "sh", NULL, NULL, argv, environ);
    if (r != 0)
        return tool_fail(NULL, "cannot run the editor '%s': %s", line, strerror(r));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return tool_fail(NULL, "the editor '%s' failed; set EDITOR to one that is there", line);
}

static int write_temporary(const char *xml, char **ret_path) {
    const char *dir = getenv("TMPDIR");
    CLEANUP_FREE char *path = text_format("%s/vireoXXXXXX.xml", dir && *dir == '/' ? dir : "/tmp");
    CLEANUP_CLOSE int fd = mkostemps(path, (int)strlen(".xml"), O_CLOEXEC);
    int r;

    if (fd < 0)
        return tool_fail(NULL, "cannot create %s: %s", path, strerror(errno));
    r = stream_write(fd, xml, strlen(xml));
    if (r < 0) {
        unlink(path);
        return tool_fail(NULL, "cannot write %s: %s", path, strerror(-r));
    }
    *ret_path = TAKE_PTR(path);
    return 0;
}

/* y: edit on. Nobody there to ask: no. */
static bool ask_to_edit_on(void) {
    char answer[16];

    if (!isatty(STDIN_FILENO))
        return false;
    for (;;) {
        fputs("Failed. Edit it again? [y,n]: ", stdout);
        fflush(stdout);
        if (!fgets(answer, sizeof(answer), stdin) || *answer == 'n' || *answer == 'N')
            return false;
        if (*answer == 'y' || *answer == 'Y' || *answer == '\n')
            return true;
    }
}

/* Stores it unless somebody else changed it while it was edited. */
static int store(Tool *tool, const Edit *edit, const char *before, char *xml) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *now = NULL;

    if (edit->get(tool, edit->userdata, &now, &error) < 0)
        return tool_failed(error);
    if (!streq(now, before))
        return tool_fail(NULL, "%s was changed by somebody else meanwhile", edit->title);
    return edit->store(tool, edit->userdata, xml, &error) < 0 ? tool_failed(error) : 0;
}

/* 1: nothing was changed. */
static int edit_file(Tool *tool, const Edit *edit, const char *before, const char *path) {
    int r;

    do {
        CLEANUP_FREE char *xml = NULL;

        if (run_editor(path) < 0 || tool_read_file(path, &xml) < 0)
            return -EIO;
        if (streq(xml, before))
            return 1;
        r = store(tool, edit, before, xml);
    } while (r < 0 && ask_to_edit_on());
    return r;
}

int edit_run(Tool *tool, const Edit *edit) {
    CLEANUP_FREE char *before = NULL, *path = NULL;
    CLEANUP_ERROR Error *error = NULL;
    int r;

    if (edit->get(tool, edit->userdata, &before, &error) < 0)
        return tool_failed(error);
    if (write_temporary(before, &path) < 0)
        return -EIO;
    r = edit_file(tool, edit, before, path);
    if (r < 0)
        return tool_fail(NULL, "%s was not changed; what was edited is in %s", edit->title, path);
    unlink(path);
    tool_say(tool, r ? "%s not changed.\n" : "%s edited.\n", edit->title);
    return 0;
}
