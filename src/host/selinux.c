/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/selinux.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>

#include "util/file.h"

#define TEXT_MAX 65536u
#define CONTEXT_SIZE 4096u

void selinux_contexts_done(SelinuxContexts *contexts) {
    free(contexts->domain);
    free(contexts->domain_tcg);
    free(contexts->image);
    free(contexts->content);
    *contexts = (SelinuxContexts){0};
}

char *selinux_directory(const char *etc) {
    CLEANUP_FREE char *path = path_join(etc, "config"), *text = NULL;
    const char *line;
    char type[64] = "targeted";

    if (!path)
        return NULL;
    if (file_read(path, TEXT_MAX, &text, NULL) >= 0) {
        line = strncmp(text, "SELINUXTYPE=", 12) == 0 ? text : strstr(text, "\nSELINUXTYPE=");
        if (line)
            sscanf(strchr(line, '=') + 1, "%63[A-Za-z0-9._-]", type);
    }
    return strf("%s/%s/contexts", etc, type);
}

/* ---- contexts ---- */

/* Three colons, and nothing that is no part of one; a level may have more of them. */
bool selinux_is_context(const char *text) {
    const char *at = text;

    for (unsigned i = 0; i < 3; i++) {
        const size_t len = strcspn(at, ":");

        if (len == 0 || at[len] == '\0')
            return false;
        at += len + 1;
    }
    return *at && text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789_:.,-")] == '\0';
}

static const char *level_of(const char *context) {
    for (unsigned i = 0; i < 3; i++)
        context = strchr(context, ':') + 1;
    return context;
}

char *selinux_with_level(const char *context, const char *other) {
    if (!selinux_is_context(context) || !selinux_is_context(other))
        return NULL;
    return strf("%.*s%s", (int)(level_of(context) - context), context, level_of(other));
}

/* The first two lines that are one; the second is the first's, where there is none. */
static int read_two(const char *directory, const char *name, char **ret_first, char **ret_second,
                    Error **reterr) {
    CLEANUP_FREE char *path = path_join(directory, name), *text = NULL;
    char **const to[] = {ret_first, ret_second};
    size_t n = 0;
    char *rest, *line;

    if (!path)
        return error_no_memory(reterr);
    if (file_read(path, TEXT_MAX, &text, NULL) >= 0)
        for (rest = text; n < 2 && (line = strsep(&rest, "\n"));)
            if (selinux_is_context(line) && !(*to[n++] = strdup(line)))
                return error_no_memory(reterr);
    if (n == 0)
        return error_report(reterr, FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
                            "the policy of SELinux has no context for virtual machines in '%s'",
                            path);
    if (n == 1 && !(*ret_second = strdup(*ret_first)))
        return error_no_memory(reterr);
    return 0;
}

int selinux_contexts_read(const char *directory, SelinuxContexts *ret, Error **reterr) {
    CLEANUP_SELINUX_CONTEXTS SelinuxContexts contexts = {0};
    int r = read_two(directory, "virtual_domain_context", &contexts.domain, &contexts.domain_tcg,
                     reterr);

    if (r >= 0)
        r = read_two(directory, "virtual_image_context", &contexts.image, &contexts.content,
                     reterr);
    if (r < 0)
        return r;
    *ret = contexts;
    contexts = (SelinuxContexts){0};
    return 0;
}

/* ---- pairs ---- */

/* Pairs are numbered: (1,0), (2,0), (2,1), (3,0), ... */
static unsigned number_of(unsigned low, unsigned high) {
    return high * (high - 1) / 2 + low;
}

static bool is_taken(const SelinuxPairs *pairs, unsigned number) {
    return pairs->taken[number / 8] >> number % 8 & 1;
}

void selinux_take(SelinuxPairs *pairs, const char *label) {
    const char *colon = strrchr(label, ':');
    unsigned a, b, number;
    int end = 0;

    if (!colon || sscanf(colon, ":c%u,c%u%n", &a, &b, &end) != 2 || colon[end] != '\0' || a == b ||
        a >= SELINUX_CATEGORIES || b >= SELINUX_CATEGORIES)
        return;
    number = number_of(MIN_OF(a, b), MAX_OF(a, b));
    pairs->n += !is_taken(pairs, number);
    pairs->taken[number / 8] |= (uint8_t)(1u << number % 8);
}

void selinux_take_running(SelinuxPairs *pairs, const char *procfs) {
    DIR *stream = opendir(procfs);
    struct dirent *entry;

    while (stream && (entry = readdir(stream))) {
        char path[PATH_MAX], text[CONTEXT_SIZE];

        if (*entry->d_name < '1' || *entry->d_name > '9')
            continue;
        snprintf(path, sizeof(path), "%s/%s/attr/current", procfs, entry->d_name);
        if (file_read_once(path, text, sizeof(text)) > 0) {
            text[strcspn(text, "\n")] = '\0';
            selinux_take(pairs, text);
        }
    }
    if (stream)
        closedir(stream);
}

static void pair_of(unsigned number, unsigned ret[2]) {
    unsigned high = 1;

    while (number >= number_of(0, high + 1))
        high++;
    ret[0] = number - number_of(0, high);
    ret[1] = high;
}

int selinux_pick(const SelinuxPairs *pairs, uint32_t start, unsigned ret[2]) {
    for (unsigned i = 0; i < SELINUX_PAIRS; i++) {
        const unsigned number = (start % SELINUX_PAIRS + i) % SELINUX_PAIRS;

        if (!is_taken(pairs, number)) {
            pair_of(number, ret);
            return 0;
        }
    }
    return -ENOSPC;
}
