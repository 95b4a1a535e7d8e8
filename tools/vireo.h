/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tool: command tables and what every command uses (the connection, output, errors). */
#pragma once

#include <json-c/json.h>
#include <stdio.h>

#include "args.h"
#include "rpc/client.h"
#include "rpc/remote_protocol.h"
#include "util/libvirt-numbers.h"

typedef struct Tool Tool;

typedef struct Command {
    const char *name;                         /* NULL ends a table */
    const char *help;                         /* one line */
    const char *description;                  /* NULL: none */
    const Option *options;                    /* NULL: none */
    bool local;                               /* needs no connection */
    bool json;                                /* prints data, so knows --json */
    int (*run)(Tool *tool, const Args *args); /* negative: failed and said so */
} Command;

typedef struct CommandGroup {
    const char *title, *keyword;
    const Command *const *tables; /* NULL ends the list */
} CommandGroup;

struct Tool {
    const CommandGroup *groups; /* one without a title ends them */
    const char *uri;            /* NULL: the default */
    bool readonly, quiet, json;
    bool interactive;
    bool leave; /* quit or exit was called */
    RpcClient *client;
};

/* Where command_next is. */
typedef struct CommandPlace {
    const Command *const *table;
    const Command *command;
} CommandPlace;

/* command.c. command_next goes through all commands of a group, beginning with a zeroed place. */
const Command *command_next(const CommandGroup *group, CommandPlace *place);
const Command *command_find(const CommandGroup *groups, const char *name);

/* run.c. Runs the commands in words, one after the other; 0 or the last command's failure. */
int tool_run_words(Tool *tool, const Words *words);
/* Connects when there is no connection yet. */
int tool_connect(Tool *tool);

/* help.c */
void help_command(const Command *command);
void help_group(const CommandGroup *group);
void help_all(const CommandGroup *groups);
void help_tool(const CommandGroup *groups);

/* shell.c */
int shell_run(Tool *tool);

/* output.c. tool_fail prints "error: <formatted>" and, with an error, "error: <its message>";
 * always returns -EIO. */
int tool_fail(const Error *error, const char *format, ...) PRINTF_LIKE(2, 3);
/* Only the error's own message, as where virsh says nothing of its own. Returns -EIO. */
int tool_failed(const Error *error);
/* A message for people: nothing under --quiet or --json. */
void tool_say(const Tool *tool, const char *format, ...) PRINTF_LIKE(2, 3);
/* Prints and frees. */
void tool_print_json(json_object *object);
/* A text's lines. */
json_object *json_lines(const char *text);

typedef struct Table {
    size_t n_columns, n_rows, size;
    char **cells; /* the header's first */
} Table;

void table_start(Table *table, size_t n_columns, const char *const *titles);
void table_add(Table *table, const char *const *cells);
void table_print(const Table *table, bool header);
void table_done(Table *table);

/* Like asprintf and calloc, but the tool ends when memory does. */
char *text_format(const char *format, ...) PRINTF_LIKE(1, 2);
/* Ends the tool. */
void *out_of_memory(void) __attribute__((noreturn));

/* common.c */
#define LOOKUP_ID 1u
#define LOOKUP_UUID 2u
#define LOOKUP_NAME 4u

/* A call of the remote program, without a time limit. */
int tool_call(Tool *tool, int procedure, xdrproc_t args_xdr, void *args, xdrproc_t ret_xdr,
              void *ret, Error **reterr);
/* CALL(tool, DOMAIN_GET_STATE, remote_domain_flags_args, &args, remote_domain_get_state_ret, &ret,
 * &error); CALL_VOID without a result. */
#define CALL(tool, proc, args_type, args, ret_type, ret, reterr)                                   \
    tool_call(tool, REMOTE_PROC_##proc, (xdrproc_t)xdr_##args_type, args,                          \
              (xdrproc_t)xdr_##ret_type, ret, reterr)
#define CALL_VOID(tool, proc, args_type, args, reterr)                                             \
    tool_call(tool, REMOTE_PROC_##proc, (xdrproc_t)xdr_##args_type, args, NULL, NULL, reterr)
#define CALL_NONE(tool, proc, ret_type, ret, reterr)                                               \
    tool_call(tool, REMOTE_PROC_##proc, NULL, NULL, (xdrproc_t)xdr_##ret_type, ret, reterr)

/* A call of Vireo's own program. */
#define VIREO_CALL(tool, proc, args_type, args, ret_type, ret, reterr)                             \
    rpc_client_call((tool)->client, VIREO_PROGRAM, VIREO_PROC_##proc, (xdrproc_t)xdr_##args_type,  \
                    args, (xdrproc_t)xdr_##ret_type, ret, -1, reterr)
#define VIREO_CALL_VOID(tool, proc, args_type, args, reterr)                                       \
    rpc_client_call((tool)->client, VIREO_PROGRAM, VIREO_PROC_##proc, (xdrproc_t)xdr_##args_type,  \
                    args, NULL, NULL, -1, reterr)

static inline void domain_done(remote_domain *domain) {
    xdr_free((xdrproc_t)xdr_remote_domain, domain);
}
#define CLEANUP_DOMAIN CLEANUP(domain_done)

/* The domain that the option --domain names; says so when there is none. `ways`: LOOKUP_*. */
int tool_lookup(Tool *tool, const Args *args, unsigned ways, remote_domain *ret);
int tool_lookup_text(Tool *tool, const char *text, unsigned ways, remote_domain *ret);
static inline int tool_domain(Tool *tool, const Args *args, remote_domain *ret) {
    return tool_lookup(tool, args, LOOKUP_ID | LOOKUP_UUID | LOOKUP_NAME, ret);
}

void format_uuid(const char *uuid, char ret[37]);
const char *format_state(int state);
/* The bits of a CPU map as "yy-y" (n cpus) and as "0-1,3"; fresh memory. */
char *format_cpumap(const uint8_t *map, size_t map_len, size_t n);
char *format_cpulist(const uint8_t *map, size_t map_len, size_t n);
json_object *json_cpulist(const uint8_t *map, size_t map_len, size_t n);

/* A call that takes just the domain of --domain (and flags); `verb` is for "Failed to <verb>
 * domain", NULL: only what the server says; `done` is what to say after "Domain '...' ", NULL:
 * nothing. */
int tool_act(Tool *tool, const Args *args, int procedure, const char *verb, const char *done);
int tool_act_flags(Tool *tool, const Args *args, int procedure, unsigned flags, const char *verb,
                   const char *done);

/* The file's text, in fresh memory; says what is wrong. */
int tool_read_file(const char *path, char **ret);
/* The same of bytes, zeroes among them. */
int tool_read_bytes(const char *path, char **ret, size_t *ret_len);

/* Refuses two flags together. */
int tool_exclusive(const Args *args, const char *a, const char *b);
/* --config, --live, --current as VIR_DOMAIN_AFFECT flags (live 1, config 2); negative when they
 * contradict. */
int tool_affect_flags(const Args *args, unsigned *ret);
/* Says that this option's value is no number, or out of its range. */
int tool_bad_number(const Args *args, const char *option);

#define OPTION_DOMAIN                                                                              \
    { "domain", OPTION_STRING, true, "domain name, id or uuid", .value = VALUE_DOMAIN }
#define OPTION_CONFIG                                                                              \
    { "config", OPTION_FLAG, false, "affect next boot" }
#define OPTION_LIVE                                                                                \
    { "live", OPTION_FLAG, false, "affect running domain" }
#define OPTION_CURRENT                                                                             \
    { "current", OPTION_FLAG, false, "affect current domain" }
#define OPTION_PERSISTENT                                                                          \
    {                                                                                              \
        "persistent", OPTION_FLAG, false,                                                          \
            "make the change last: the definition, and the running domain if there is one"         \
    }
#define OPTION_FORCE                                                                               \
    { "force", OPTION_FLAG, false, "do it even where the guest might not agree" }
#define OPTION_PRINT_XML                                                                           \
    { "print-xml", OPTION_FLAG, false, "print the XML, change nothing" }
#define OPTION_INTERFACE                                                                           \
    { "interface", OPTION_STRING, true, "target or MAC address of the interface" }
#define OPTION_END                                                                                 \
    { NULL, OPTION_FLAG, false, NULL }
