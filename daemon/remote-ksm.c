/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the host's kernel merges equal pages of its guests (Documentation/admin-guide/mm/ksm.rst). */
#include <fcntl.h>
#include <stdio.h>

#include "daemon.h"
#include "params.h"
#include "util/file.h"
#include "util/worker.h"

#define KSM "/sys/kernel/mm/ksm/"

/* libvirt's names, and the kernel's files. */
typedef struct Row {
    const char *name, *file;
    bool is_ullong, is_set; /* of what can be set the type is an unsigned int, too */
} Row;

static const Row rows[] = {
    {"shm_pages_to_scan", KSM "pages_to_scan", false, true},
    {"shm_sleep_millisecs", KSM "sleep_millisecs", false, true},
    {"shm_pages_shared", KSM "pages_shared", true, false},
    {"shm_pages_sharing", KSM "pages_sharing", true, false},
    {"shm_pages_unshared", KSM "pages_unshared", true, false},
    {"shm_pages_volatile", KSM "pages_volatile", true, false},
    {"shm_full_scans", KSM "full_scans", true, false},
    {"shm_merge_across_nodes", KSM "merge_across_nodes", false, true},
};

typedef struct Values {
    uint64_t value[ARRAY_SIZE(rows)];
    bool known[ARRAY_SIZE(rows)];
} Values;

/* What this kernel does not have is left out. */
static int run_read(void *arg) {
    Values *values = arg;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_FREE char *text = NULL;

        values->known[i] = file_read(rows[i].file, 64, &text, NULL) >= 0;
        values->value[i] = values->known[i] ? strtoull(text, NULL, 10) : 0;
    }
    return 0;
}

HANDLER(get_parameters) {
    const remote_node_get_memory_parameters_args *args = args_;
    remote_node_get_memory_parameters_ret *ret = ret_;
    Params params = {0};
    Values values = {0};
    int r = dispatch_flags(args->flags, TYPED_PARAM_STRING_OKAY, call->proc->api, reterr);

    if (r >= 0 && (args->nparams < 0 || args->nparams > 64))
        r = error_report(reterr, FROM_RPC, ERROR_INTERNAL, "nparams too large");
    if (r < 0)
        return r;
    if (args->nparams == 0) {
        ret->nparams = ARRAY_SIZE(rows);
        return 0;
    }
    worker_run(run_read, &values);
    for (size_t i = 0; i < ARRAY_SIZE(rows) && params.n < (size_t)args->nparams; i++)
        if (values.known[i] && rows[i].is_ullong)
            params_add_ullong(&params, rows[i].name, values.value[i]);
        else if (values.known[i])
            params_add_uint(&params, rows[i].name, (unsigned)values.value[i]);
    return params_hand_over(&params, &ret->params.params_val, &ret->params.params_len, reterr);
}

typedef struct Write {
    const Row *row;
    unsigned value;
} Write;

static int run_write(void *arg) {
    const Write *job = arg;
    CLEANUP_CLOSE int fd = open(job->row->file, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    return dprintf(fd, "%u", job->value) < 0 ? -errno : 0;
}

static int set_one(const Row *row, unsigned value, Error **reterr) {
    Write job = {row, value};
    int r = worker_run(run_write, &job);

    if (r == -ENOENT)
        return error_report(reterr, FROM_NONE, ERROR_OPERATION_UNSUPPORTED,
                            "the kernel of this host has no '%s'", row->file);
    return r < 0 ? error_system(reterr, FROM_NONE, r, "cannot write %u into '%s'", value, row->file)
                 : 0;
}

HANDLER(set_parameters) {
    const remote_node_set_memory_parameters_args *args = args_;
    static const ParamRule rules[] = {{"shm_pages_to_scan", PARAM_UINT},
                                      {"shm_sleep_millisecs", PARAM_UINT},
                                      {"shm_merge_across_nodes", PARAM_UINT}};
    const remote_typed_param *at[ARRAY_SIZE(rules)];
    int r = dispatch_flags(args->flags, TYPED_PARAM_STRING_OKAY, call->proc->api, reterr);
    size_t next = 0;

    if (r >= 0)
        r = params_check(args->params.params_val, args->params.params_len, rules, ARRAY_SIZE(rules),
                         at, reterr);
    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(rows); i++) {
        if (!rows[i].is_set)
            continue;
        if (at[next])
            r = set_one(&rows[i], at[next]->value.remote_param_value_u.ui, reterr);
        next++;
    }
    return r;
}

const RpcProc ksm_procs[] = {
    {REMOTE_PROC_NODE_GET_MEMORY_PARAMETERS, "virNodeGetMemoryParameters", 0, get_parameters,
     XDR_OF(remote_node_get_memory_parameters_args), XDR_OF(remote_node_get_memory_parameters_ret)},
    {REMOTE_PROC_NODE_SET_MEMORY_PARAMETERS, "virNodeSetMemoryParameters", RPC_PROC_WRITE,
     set_parameters, XDR_OF(remote_node_set_memory_parameters_args), NO_XDR},
};
const size_t ksm_n_procs = ARRAY_SIZE(ksm_procs);
