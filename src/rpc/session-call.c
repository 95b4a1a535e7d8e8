/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls: who may make which, within which budget; each runs on a fiber and is answered once. */
#include <stdio.h>

#include "rpc/connection.h"
#include "rpc/refusal.h"
#include "rpc/session.h"

#define SMALL_CALL 65536u /* bytes of a packet that is not counted while its call runs */

static void call_free(RpcCall *call) {
    if (call->args) {
        xdr_free(call->proc->args_xdr, call->args);
        free(call->args);
    }
    if (call->ret) {
        xdr_free(call->proc->ret_xdr, call->ret);
        free(call->ret);
    }
    for (unsigned i = 0; i < call->n_fds; i++)
        if (call->fds[i] >= 0)
            close(call->fds[i]);
    for (unsigned i = 0; i < call->n_ret_fds; i++)
        if (call->ret_fds[i] >= 0)
            close(call->ret_fds[i]);
    free(call->payload);
    free(call);
}

static void send_reply(RpcCall *call) {
    FrameHeader header = call->header;
    uint8_t *bytes = NULL;
    size_t len = 0;
    int r;

    if (call->n_ret_fds && *call->session->peer.host) {
        session_send_rpc_error(call->session, &call->header, ERROR_RPC,
                               "a file descriptor cannot be passed on over TCP; use a unix socket");
        return;
    }
    header.type = call->n_ret_fds ? FRAME_REPLY_WITH_FDS : FRAME_REPLY;
    header.status = FRAME_OK;
    r = frame_encode_with_fds(&header, call->n_ret_fds, call->ret ? call->proc->ret_xdr : NULL,
                              call->ret, &bytes, &len);
    if (r < 0) {
        session_send_rpc_error(call->session, &call->header, ERROR_RPC,
                               r == -ENOMEM ? "out of memory" : "Unable to encode message payload");
        return;
    }
    session_enqueue(call->session, bytes, len, call->ret_fds, call->n_ret_fds);
    call->n_ret_fds = 0;
}

static void give(RpcSession *session, const RpcProc *proc, size_t n_charged) {
    account_give(session->account, BUDGET_CALLS, 1);
    if (proc->flags & RPC_PROC_HEAVY)
        account_give(session->account, BUDGET_HEAVY, 1);
    account_give(session->account, BUDGET_BYTES, n_charged);
}

/* Room for the reply and the arguments. -ENOMEM, -EBADMSG. */
static int decode(RpcCall *call, const uint8_t *payload, size_t len) {
    const RpcProc *proc = call->proc;

    if (proc->args_xdr) {
        call->args = calloc(1, proc->args_size);
        if (!call->args)
            return -ENOMEM;
        if (frame_decode(payload, len, proc->args_xdr, call->args) < 0)
            return -EBADMSG;
    }
    if (proc->ret_xdr) {
        call->ret = calloc(1, proc->ret_size);
        if (!call->ret)
            return -ENOMEM;
    }
    return 0;
}

static bool is_gated(const RpcSession *session, const RpcProc *proc) {
    return session->gate && !(proc->flags & (RPC_PROC_BEFORE_AUTH | RPC_PROC_BEFORE_OPEN));
}

/* The gate has the packet as it came: who may not has nothing decoded. */
static int pass_gate(RpcCall *call, Error **reterr) {
    int r;

    if (!call->payload)
        return 0;
    r = call->session->gate(call->session, call->proc, call->payload, call->len, reterr);
    if (r >= 0 && decode(call, call->payload, call->len) < 0)
        r = error_report(reterr, FROM_RPC, ERROR_RPC, "Unable to decode message payload");
    free(TAKE_PTR(call->payload));
    return r;
}

static void run_call(void *userdata) {
    RpcCall *call = userdata;
    RpcSession *session = call->session;
    CLEANUP_ERROR Error *error = NULL;
    int r = pass_gate(call, &error);

    if (r >= 0)
        r = call->proc->handler(session, call, call->args, call->ret, &error);

    if (r >= 0)
        send_reply(call);
    else if (error)
        session_send_error(session, &call->header, error);
    else
        session_send_rpc_error(session, &call->header, ERROR_INTERNAL,
                               "internal error: the call failed without saying why");
    stream_call_ended(session, &call->header, r >= 0);
    session->ops->answered(session, call, error, session->ops_userdata);
    give(session, call->proc, call->n_charged);
    call_free(call);
    session->call_ended(session);
}

/* What must hold before a call may run; false: an error was sent. */
static bool admit(RpcSession *session, const FrameHeader *header, const RpcProc *proc) {
    CLEANUP_ERROR Error *error = NULL;

    if (!session->authenticated && !(proc->flags & RPC_PROC_BEFORE_AUTH)) {
        refusal_count(REFUSAL_LOGIN);
        session_send_rpc_error(session, header, ERROR_RPC, "authentication required");
        return false;
    }
    if (!session->open && !(proc->flags & RPC_PROC_BEFORE_OPEN)) {
        session_send_rpc_error(session, header, ERROR_INTERNAL,
                               "internal error: hypervisor connection not open");
        return false;
    }
    if (session->readonly && (proc->flags & RPC_PROC_WRITE)) {
        refusal_count(REFUSAL_READONLY);
        error_report(&error, FROM_DOMAIN, ERROR_OPERATION_DENIED, "read only access prevents %s",
                     proc->api);
        session_send_error(session, header, error);
        return false;
    }
    return true;
}

/* Room for one more call of that kind; none: it waits. */
static bool take(RpcSession *session, const RpcProc *proc) {
    if (!account_take(session->account, BUDGET_CALLS, 1))
        return false;
    if (!(proc->flags & RPC_PROC_HEAVY) || account_take(session->account, BUDGET_HEAVY, 1))
        return true;
    account_give(session->account, BUDGET_CALLS, 1);
    return false;
}

/* Decoded, or with what the gate is to be asked of. */
static RpcCall *make_call(RpcSession *session, const FrameHeader *header, const RpcProc *proc,
                          const uint8_t *payload, size_t len) {
    RpcCall *call = calloc(1, sizeof(RpcCall));

    if (!call)
        return NULL;
    *call = (RpcCall){.session = session, .proc = proc, .header = *header, .len = len};
    if (is_gated(session, proc))
        call->payload = malloc(len + 1);
    if (call->payload)
        memcpy(call->payload, payload, len);
    if (call->payload || (!is_gated(session, proc) && decode(call, payload, len) >= 0))
        return call;
    call_free(call);
    return NULL;
}

/* With the room taken. Takes the fds. */
static int start(RpcSession *session, const FrameHeader *header, const RpcProc *proc,
                 const uint8_t *payload, size_t len, const int *fds, unsigned n_fds) {
    RpcCall *call = make_call(session, header, proc, payload, len);

    if (!call) {
        for (unsigned i = 0; i < n_fds; i++)
            close(fds[i]);
        session_send_rpc_error(session, header, ERROR_RPC, "Unable to decode message payload");
        return -EBADMSG;
    }
    memcpy(call->fds, fds, n_fds * sizeof(int));
    call->n_fds = n_fds;
    call->n_charged = len > SMALL_CALL ? len : 0;
    if (fiber_new(proc->api, run_call, call, &call->fiber) < 0) {
        session_send_rpc_error(session, header, ERROR_RPC, "out of memory");
        call_free(call);
        return -ENOMEM;
    }
    *session->begun_tail = call;
    session->begun_tail = &call->next;
    session->n_refs++;
    return 0;
}

static const RpcProc *find_proc(RpcSession *session, const FrameHeader *header) {
    const RpcProgram *program = rpc_table_program(session->table, header->program);
    const RpcProc *proc = NULL;
    char text[80];

    if (!program || program->version != header->version)
        snprintf(text, sizeof(text), "Cannot find program %u version %u", header->program,
                 header->version);
    else if (header->status != FRAME_OK)
        snprintf(text, sizeof(text), "Unexpected message status %d", header->status);
    else
        proc = rpc_table_proc(session->table, program, (uint32_t)header->procedure);
    if (proc && proc->handler)
        return proc;
    if (program && program->version == header->version && header->status == FRAME_OK)
        snprintf(text, sizeof(text), "unknown procedure: %d", header->procedure);
    session_send_rpc_error(session, header, ERROR_RPC, text);
    return NULL;
}

bool session_begin_call(RpcSession *session, const FrameHeader *header, const uint8_t *payload,
                        size_t len, const int *fds, unsigned n_fds) {
    const RpcProc *proc = find_proc(session, header);
    const size_t n_charged = len > SMALL_CALL ? len : 0;
    bool wanted = proc && admit(session, header, proc);

    if (wanted && !take(session, proc))
        return false;
    if (wanted && account_take(session->account, BUDGET_BYTES, n_charged)) {
        if (start(session, header, proc, payload, len, fds, n_fds) < 0)
            give(session, proc, n_charged);
        return true;
    }
    for (unsigned i = 0; i < n_fds; i++)
        close(fds[i]);
    if (wanted) {
        give(session, proc, 0);
        session_send_rpc_error(session, header, ERROR_RPC,
                               "the calls under way need too much memory; try again");
    }
    return true;
}

void session_run_calls(RpcSession *session) {
    RpcCall *call;

    while ((call = session->begun)) {
        session->begun = call->next;
        if (!session->begun)
            session->begun_tail = &session->begun;
        fiber_run_now(call->fiber);
    }
}
