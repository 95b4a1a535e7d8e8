/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finds the words that may come next, from the tables of commands. */
#include "complete.h"

#include "named.h"
#include "snapshot.h"

typedef struct Completion {
    Tool *tool;
    const char *prefix; /* what has been typed of the word */
    const char *domain; /* that the words before it name; NULL: none */
    const char *before; /* what stands before a candidate in the same word: "--option=" */
    void (*add)(const char *word, void *userdata);
    void *userdata;
} Completion;

static void offer(const Completion *completion, const char *word) {
    CLEANUP_FREE char *whole = NULL;

    if (strncmp(word, completion->prefix, strlen(completion->prefix)) != 0)
        return;
    whole = text_format("%s%s", completion->before, word);
    completion->add(whole, completion->userdata);
}

/* ---- values ---- */

static bool is_connected(Tool *tool) {
    return tool->client || rpc_client_open(tool->uri, tool->readonly, &tool->client, NULL) >= 0;
}

static void offer_domains(const Completion *completion) {
    remote_connect_list_all_domains_args call = {.need_results = 1,
                                                 .flags = LIST_ACTIVE | LIST_INACTIVE};
    remote_connect_list_all_domains_ret ret = {0};

    if (!is_connected(completion->tool) ||
        CALL(completion->tool, CONNECT_LIST_ALL_DOMAINS, remote_connect_list_all_domains_args,
             &call, remote_connect_list_all_domains_ret, &ret, NULL) < 0)
        return;
    for (u_int i = 0; i < ret.domains.domains_len; i++)
        offer(completion, ret.domains.domains_val[i].name);
    xdr_free((xdrproc_t)xdr_remote_connect_list_all_domains_ret, (char *)&ret);
}

/* Pools and networks are the same on the wire. */
static void offer_named(const Completion *completion, const NamedKind *kind) {
    remote_list_all_args call = {.need_results = 1};
    remote_connect_list_all_storage_pools_ret ret = {0};

    if (!is_connected(completion->tool) ||
        tool_call(completion->tool, kind->list, (xdrproc_t)xdr_remote_list_all_args, &call,
                  (xdrproc_t)xdr_remote_connect_list_all_storage_pools_ret, &ret, NULL) < 0)
        return;
    for (u_int i = 0; i < ret.pools.pools_len; i++)
        offer(completion, ret.pools.pools_val[i].name);
    xdr_free((xdrproc_t)xdr_remote_connect_list_all_storage_pools_ret, (char *)&ret);
}

static void offer_snapshots(const Completion *completion) {
    remote_domain_lookup_by_name_args call = {.name = (char *)completion->domain};
    remote_domain_snapshot_list_ret list = {0};
    remote_domain_ret found = {0};

    if (!completion->domain || !is_connected(completion->tool) ||
        CALL(completion->tool, DOMAIN_LOOKUP_BY_NAME, remote_domain_lookup_by_name_args, &call,
             remote_domain_ret, &found, NULL) < 0)
        return;
    if (snapshot_list(completion->tool, &found.dom, NULL, 0, &list, NULL) >= 0)
        for (u_int i = 0; i < list.snapshots.snapshots_len; i++)
            offer(completion, list.snapshots.snapshots_val[i].name);
    xdr_free((xdrproc_t)xdr_remote_domain_snapshot_list_ret, (char *)&list);
    xdr_free((xdrproc_t)xdr_remote_domain_ret, (char *)&found);
}

static void offer_commands(const Completion *completion) {
    const Command *command;

    for (const CommandGroup *group = completion->tool->groups; group->title; group++) {
        CommandPlace place = {0};

        while ((command = command_next(group, &place)))
            offer(completion, command->name);
    }
}

static void offer_values(const Completion *completion, const Option *option) {
    switch (option->value) {
    case VALUE_COMMAND:
        offer_commands(completion);
        break;
    case VALUE_DOMAIN:
        offer_domains(completion);
        break;
    case VALUE_NETWORK:
        offer_named(completion, &named_network);
        break;
    case VALUE_POOL:
        offer_named(completion, &named_pool);
        break;
    case VALUE_SNAPSHOT:
        offer_snapshots(completion);
        break;
    case VALUE_WORD:
        for (size_t i = 0; option->words[i]; i++)
            offer(completion, option->words[i]);
        break;
    case VALUE_FILE: /* the shell's business */
    case VALUE_OTHER:
        break;
    }
}

/* ---- options ---- */

static int find_option(const Option *options, const char *name, size_t len) {
    for (int i = 0; options && options[i].name; i++)
        if (strlen(options[i].name) == len && strncmp(options[i].name, name, len) == 0)
            return i;
    return -1;
}

/* The option that the next word without "--" goes to, as in args_parse; NULL when there is none. */
static const Option *next_data(const Option *options, const bool *seen) {
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; options && options[i].name; i++)
            if (options[i].kind != OPTION_FLAG && !options[i].named &&
                options[i].required == (pass == 0) && (!seen[i] || options[i].kind == OPTION_REST))
                return &options[i];
    return NULL;
}

/* Marks the options that the words give. Returns that whose value the next word is, or NULL. */
static const Option *mark_seen(const Option *options, const char *const *words, size_t n,
                               bool *seen) {
    for (size_t i = 0; i < n; i++) {
        const char *word = words[i];
        size_t len = strncmp(word, "--", 2) == 0 ? strcspn(word + 2, "=") : 0;
        const Option *data;
        int at;

        if (len == 0) {
            data = next_data(options, seen);
            if (data)
                seen[data - options] = true;
            continue;
        }
        at = find_option(options, word + 2, len);
        if (at < 0)
            continue;
        seen[at] = true;
        if (options[at].kind != OPTION_FLAG && word[2 + len] != '=' && ++i == n)
            return &options[at];
    }
    return NULL;
}

static void offer_options(const Completion *completion, const Command *command, const bool *seen) {
    for (int i = 0; command->options && command->options[i].name; i++) {
        CLEANUP_FREE char *word = text_format("--%s", command->options[i].name);

        if (!seen[i])
            offer(completion, word);
    }
    if (command->json)
        offer(completion, "--json");
    offer(completion, "--help");
}

/* The domain that the words name: that of --domain, else the first of them. */
static const char *domain_of(const char *const *words, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (strncmp(words[i], "--domain=", 9) == 0)
            return words[i] + 9;
        if (strcmp(words[i], "--domain") == 0)
            return i + 1 < n ? words[i + 1] : NULL;
    }
    for (size_t i = 0; i < n; i++)
        if (words[i][0] != '-')
            return words[i];
    return NULL;
}

void complete_words(Tool *tool, const char *const *words, size_t n,
                    void (*add)(const char *word, void *userdata), void *userdata) {
    Completion completion = {.tool = tool, .before = "", .add = add, .userdata = userdata};
    bool seen[ARGS_OPTIONS_MAX] = {false};
    CLEANUP_FREE char *before = NULL;
    const Command *command;
    const Option *option;
    const char *equals;
    int at;

    if (n == 0)
        return;
    completion.prefix = words[n - 1];
    if (n == 1) {
        offer_commands(&completion);
        return;
    }
    command = command_find(tool->groups, words[0]);
    if (!command)
        return;
    completion.domain = domain_of(words + 1, n - 2);
    option = mark_seen(command->options, words + 1, n - 2, seen);
    equals = strncmp(completion.prefix, "--", 2) == 0 ? strchr(completion.prefix, '=') : NULL;
    if (option) {
        offer_values(&completion, option);
    } else if (equals) {
        at = find_option(command->options, completion.prefix + 2,
                         (size_t)(equals - completion.prefix) - 2);
        completion.before = before = text_format("%.*s", (int)(equals + 1 - completion.prefix),
                                                 completion.prefix);
        completion.prefix = equals + 1;
        if (at >= 0)
            offer_values(&completion, &command->options[at]);
    } else if (completion.prefix[0] == '-') {
        offer_options(&completion, command, seen);
    } else {
        option = next_data(command->options, seen);
        if (option)
            offer_values(&completion, option);
    }
}
