/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Splitting and option matching. */
#include "args.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

/* ---- words ---- */

static int say(char **ret_error, const char *format, ...) PRINTF_LIKE(2, 3);
static int say(char **ret_error, const char *format, ...) {
    va_list ap;

    va_start(ap, format);
    if (vasprintf(ret_error, format, ap) < 0)
        *ret_error = NULL;
    va_end(ap);
    return -EINVAL;
}

static int words_add(Words *words, char *word) {
    if (words->n == words->size) {
        size_t size = words->size * 2 + 8;
        char **grown = reallocarray(words->words, size, sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        words->words = grown;
        words->size = size;
    }
    words->words[words->n++] = word;
    return 0;
}

static int words_end_command(Words *words) {
    if (words->n == 0 || !words->words[words->n - 1])
        return 0;
    return words_add(words, NULL);
}

/* One word at *text, quotes removed. Moves *text behind it. */
static int read_word(const char **text, char **ret, char **ret_error) {
    const char *at = *text;
    CLEANUP_FREE char *word = malloc(strlen(at) + 1);
    size_t n = 0;
    char quote = '\0';

    if (!word)
        return -ENOMEM;
    for (; *at && (quote || (!isspace((unsigned char)*at) && *at != ';')); at++) {
        if (quote ? *at == quote : *at == '\'' || *at == '"') {
            quote = quote ? '\0' : *at;
        } else if (*at == '\\' && quote != '\'') {
            if (!*++at)
                return say(ret_error, "dangling \\");
            word[n++] = *at;
        } else {
            word[n++] = *at;
        }
    }
    if (quote)
        return say(ret_error, "missing %c", quote);
    word[n] = '\0';
    *ret = TAKE_PTR(word);
    *text = at;
    return 0;
}

static int split(const char *text, Words *words, char **ret_error) {
    while (*text) {
        char *word = NULL;
        int r = 0;

        if (*text == ';' || *text == '\n') {
            text++;
            r = words_end_command(words);
        } else if (isspace((unsigned char)*text)) {
            text++;
        } else if (*text == '#') {
            text += strcspn(text, "\n");
        } else {
            r = read_word(&text, &word, ret_error);
            if (r == 0)
                r = words_add(words, word);
            if (r < 0)
                free(word);
        }
        if (r < 0)
            return r;
    }
    return words_end_command(words);
}

int words_split(const char *text, Words *ret, char **ret_error) {
    int r;

    *ret = (Words){0};
    r = split(text, ret, ret_error);
    if (r < 0)
        words_done(ret);
    return r;
}

void words_done(Words *words) {
    for (size_t i = 0; i < words->n; i++)
        free(words->words[i]);
    free(words->words);
    *words = (Words){0};
}

/* ---- options ---- */

static int find_option(const Option *options, const char *name, size_t len) {
    for (int i = 0; options && options[i].name; i++)
        if (strlen(options[i].name) == len && strncmp(options[i].name, name, len) == 0)
            return i;
    return -1;
}

/* "--name", "--name=value"; *i moves over a value in the next word. */
static int take_option(const char *command, const Option *options, char *const *words, size_t n,
                       size_t *i, Args *args, char **ret_error) {
    const char *name = words[*i] + 2;
    const char *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    int at = find_option(options, name, len);

    if (at < 0)
        return say(ret_error, "command '%s' doesn't support option --%.*s", command, (int)len,
                   name);
    if (args->values[at] && options[at].kind != OPTION_REST)
        return say(ret_error, "option --%s already seen", options[at].name);
    if (options[at].kind == OPTION_FLAG) {
        if (equals)
            return say(ret_error, "invalid '=' after option --%s", options[at].name);
        args->values[at] = "";
        return 0;
    }
    if (equals) {
        args->values[at] = equals + 1;
    } else {
        if (*i + 1 >= n)
            return say(ret_error, "expected syntax: --%s <%s>", options[at].name,
                       options[at].kind == OPTION_NUMBER ? "number" : "string");
        args->values[at] = words[++*i];
    }
    if (options[at].kind == OPTION_REST)
        args->rest[args->n_rest++] = args->values[at];
    return 0;
}

/* A word without "--" goes to the first option with a value that was not given yet. Optional ones
 * can be filled this way too; required ones come first. One that is only for its name cannot. */
static int take_data(const Option *options, const char *word, Args *args, char **ret_error) {
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; options && options[i].name; i++) {
            if (options[i].kind == OPTION_FLAG || options[i].named ||
                options[i].required != (pass == 0))
                continue;
            if (options[i].kind == OPTION_REST) {
                args->values[i] = word;
                args->rest[args->n_rest++] = word;
                return 0;
            }
            if (!args->values[i]) {
                args->values[i] = word;
                return 0;
            }
        }
    return say(ret_error, "unexpected data '%s'", word);
}

static int check_required(const char *command, const Option *options, const Args *args,
                          char **ret_error) {
    for (int i = 0; options && options[i].name; i++)
        if (options[i].required && !args->values[i])
            return say(ret_error,
                       options[i].kind == OPTION_FLAG || options[i].kind == OPTION_NUMBER
                           ? "command '%s' requires --%s option"
                           : "command '%s' requires <%s> option",
                       command, options[i].name);
    return 0;
}

int args_parse(const char *command, const Option *options, bool json, char *const *words, size_t n,
               Args *ret, char **ret_error) {
    bool only_data = false;
    int r = 0;

    *ret = (Args){.options = options};
    ret->rest = calloc(n + 1, sizeof(*ret->rest));
    if (!ret->rest)
        return -ENOMEM;
    for (size_t i = 0; i < n && r == 0; i++) {
        const char *word = words[i];
        bool option = !only_data && strncmp(word, "--", 2) == 0;

        if (option && !word[2])
            only_data = true;
        else if (option && streq(word, "--help"))
            ret->help = true;
        else if (option && json && streq(word, "--json"))
            ret->json = true;
        else if (option)
            r = take_option(command, options, words, n, &i, ret, ret_error);
        else
            r = take_data(options, word, ret, ret_error);
    }
    if (r == 0 && !ret->help)
        r = check_required(command, options, ret, ret_error);
    if (r < 0)
        args_done(ret);
    return r;
}

void args_done(Args *args) {
    free(args->rest);
    *args = (Args){0};
}

const char *args_string(const Args *args, const char *name) {
    int at = find_option(args->options, name, strlen(name));

    assert(at >= 0); /* a command asks only for what its table declares */
    return args->values[at];
}

bool args_has(const Args *args, const char *name) {
    return args_string(args, name) != NULL;
}

bool args_has_option(const Args *args, const char *name) {
    int at = find_option(args->options, name, strlen(name));

    return at >= 0 && args->values[at];
}

int args_number(const Args *args, const char *name, long long min, long long max, long long *ret) {
    const char *text = args_string(args, name);
    char *end = NULL;
    long long value;

    if (!text)
        return 0;
    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < min || value > max)
        return -EINVAL;
    *ret = value;
    return 1;
}

/* What one unit is, in bytes; 0 for no unit that is known. "K" and "KiB" are 1024, "KB" is 1000. */
static uint64_t unit_of(const char *text, uint64_t scale) {
    static const char letters[] = "KMGTPE";
    const char *at;
    uint64_t unit = 1, base;

    if (!*text)
        return scale;
    if (strcasecmp(text, "b") == 0 || strcasecmp(text, "byte") == 0 ||
        strcasecmp(text, "bytes") == 0)
        return 1;
    at = strchr(letters, toupper((unsigned char)*text));
    if (!at)
        return 0;
    if (!text[1] || strcasecmp(text + 1, "iB") == 0)
        base = 1024;
    else if (strcasecmp(text + 1, "B") == 0)
        base = 1000;
    else
        return 0;
    for (const char *letter = letters; letter <= at; letter++)
        unit *= base;
    return unit;
}

int args_parse_size(const char *text, uint64_t scale, uint64_t max, uint64_t *ret) {
    unsigned long long value;
    uint64_t unit, bytes;
    char *end = NULL;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno || end == text || strchr(text, '-'))
        return -EINVAL;
    end += strspn(end, " ");
    unit = unit_of(end, scale);
    if (unit == 0 || __builtin_mul_overflow((uint64_t)value, unit, &bytes) || bytes > max)
        return -EINVAL;
    *ret = bytes;
    return 1;
}

int args_size(const Args *args, const char *name, uint64_t scale, uint64_t max, uint64_t *ret) {
    const char *text = args_string(args, name);

    return text ? args_parse_size(text, scale, max, ret) : 0;
}

char *args_join_rest(const Args *args) {
    size_t len = 1;
    char *text, *at;

    if (args->n_rest == 0)
        return NULL;
    for (size_t i = 0; i < args->n_rest; i++)
        len += strlen(args->rest[i]) + 1;
    text = at = malloc(len);
    for (size_t i = 0; text && i < args->n_rest; i++) {
        if (i)
            *at++ = ' ';
        at = stpcpy(at, args->rest[i]);
    }
    return text;
}
