/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words and options: splitting a command line, and matching words with a command's option table.
 * Pure: no I/O, errors are returned as sentences. */
#pragma once

#include "util/macro.h"

#define ARGS_OPTIONS_MAX 64

typedef enum OptionKind {
    OPTION_FLAG,   /* --live */
    OPTION_STRING, /* --mode acpi, --mode=acpi, or by position */
    OPTION_NUMBER, /* the same, a number */
    OPTION_REST,   /* takes every word left over; the last option only */
} OptionKind;

/* What an option's value is, for completion. */
typedef enum OptionValue {
    VALUE_OTHER,
    VALUE_COMMAND,
    VALUE_DOMAIN,
    VALUE_FILE,
    VALUE_NETWORK,
    VALUE_POOL,
    VALUE_SNAPSHOT, /* of the domain before it */
    VALUE_WORD,     /* one of words */
} OptionValue;

typedef struct Option {
    const char *name; /* NULL ends a table */
    OptionKind kind;
    bool required;
    const char *help;
    bool named; /* only as --name, never by position */
    OptionValue value;
    const char *const *words; /* NULL ends them */
} Option;

/* Words of one or more commands; a NULL word ends a command. Owns the texts. */
typedef struct Words {
    char **words;
    size_t n, size;
} Words;

/* The options given to a command. Points into the words it was parsed from. */
typedef struct Args {
    const Option *options;
    const char *values[ARGS_OPTIONS_MAX]; /* NULL: not given; "" for a flag */
    const char **rest;
    size_t n_rest;
    bool json, help;
} Args;

/* Splits at blanks, ';' and newlines; knows ' " \ and #-comments. 0, or -EINVAL with *ret_error in
 * fresh memory. */
int words_split(const char *text, Words *ret, char **ret_error);
void words_done(Words *words);

/* Matches n words (without the command's name) with the options. `command` is for messages, json
 * says whether the command knows --json. 0, or -EINVAL with *ret_error in fresh memory. */
int args_parse(const char *command, const Option *options, bool json, char *const *words, size_t n,
               Args *ret, char **ret_error);
void args_done(Args *args);

bool args_has(const Args *args, const char *name);
/* The same, false when the command has no such option. */
bool args_has_option(const Args *args, const char *name);
const char *args_string(const Args *args, const char *name); /* NULL when not given */
/* A decimal number in [min, max]: 1, 0 when not given (*ret untouched), -EINVAL when malformed. */
int args_number(const Args *args, const char *name, long long min, long long max, long long *ret);
/* A number of bytes in [0, max], with a unit (512M, 1GiB, 10KB) or else in units of `scale`: the
 * same results. */
int args_size(const Args *args, const char *name, uint64_t scale, uint64_t max, uint64_t *ret);
/* The same of a text. */
int args_parse_size(const char *text, uint64_t scale, uint64_t max, uint64_t *ret);
/* All words that are left over, joined by blanks, in fresh memory; NULL without any or memory. */
char *args_join_rest(const Args *args);
