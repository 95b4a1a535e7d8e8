/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The index of procedures: one row of pointers for each program. */
#include "rpc/table.h"

struct RpcTable {
    const RpcProgram *programs;
    size_t n_programs;
    const RpcProc *(*index)[RPC_PROC_NUMBER_MAX];
};

int rpc_table_new(const RpcProgram *programs, size_t n_programs, RpcTable **ret) {
    CLEANUP(rpc_table_freep) RpcTable *table = calloc(1, sizeof(RpcTable));

    if (!table)
        return -ENOMEM;
    table->programs = programs;
    table->n_programs = n_programs;
    table->index = calloc(n_programs, sizeof(*table->index));
    if (!table->index)
        return -ENOMEM;
    for (size_t i = 0; i < n_programs; i++)
        for (size_t k = 0; k < programs[i].n_procs; k++) {
            assert(programs[i].procs[k].number < RPC_PROC_NUMBER_MAX);
            assert(!table->index[i][programs[i].procs[k].number]);
            table->index[i][programs[i].procs[k].number] = &programs[i].procs[k];
        }
    *ret = TAKE_PTR(table);
    return 0;
}

void rpc_table_free(RpcTable *table) {
    if (!table)
        return;
    free(table->index);
    free(table);
}

const RpcProgram *rpc_table_program(const RpcTable *table, uint32_t program) {
    for (size_t i = 0; i < table->n_programs; i++)
        if (table->programs[i].program == program)
            return &table->programs[i];
    return NULL;
}

const RpcProc *rpc_table_proc(const RpcTable *table, const RpcProgram *program, uint32_t number) {
    return number < RPC_PROC_NUMBER_MAX ? table->index[program - table->programs][number] : NULL;
}
