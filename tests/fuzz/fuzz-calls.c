/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls with arguments that are made of what rpcgen wrote from the protocol file: the XDR routine
 * of a procedure's arguments is run on a stream that has no bytes but makes them, an edge value for
 * each number, and keeps what it made: that is the packet. One session stays open on the daemon's
 * own tables and one on the admin program's, with one domain that is defined and one that runs on a
 * fake QEMU; there is no worker, no program and no disk.
 *
 * An input that begins with two bytes 0xff is, from there, what a client sends: whole frames or
 * not; with 0xff and 0xfe it is what one of the admin program sends. Any other is a list of calls:
 * two bytes that choose the procedure, one with how many bytes follow, and these choose the values
 * one by one; what they do not choose is 1. fuzz_pairs goes through all procedures with edge values
 * in each pair of places. */
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#include "admin-internal.h"
#include "admin.h"
#include "daemon.h"
#include "fake-qemu.h"
#include "fuzz.h"
#include "idle.h"
#include "rpc/admin_protocol.h"
#include "rpc/frame.h"
#include "rpc/server-internal.h"
#include "util/log.h"

#define CALLS_MAX 8u      /* of one input */
#define PLACES_MAX 2048u  /* numbers of one call's arguments */
#define PACKET_MAX 65536u /* bytes of one call's arguments */
#define UNPLUG_USEC (2 * USEC_PER_MSEC)

static Daemon daemon_state;
static unsigned n_calls, n_refused;

/* The test's end of a session, and what came that was not looked at yet. */
typedef struct Session {
    bool admin;
    int fd;
    uint8_t *bytes;
    size_t len, allocated;
    bool closed;
} Session;

static Session plain = {.fd = -1}, admin = {.admin = true, .fd = -1};

static const char *const presets[] = {
    "<domain type='kvm'><name>one</name><uuid>01010101-0101-0101-0101-010101010101</uuid>"
    "<memory>65536</memory><vcpu current='2'>4</vcpu><os><type arch='x86_64' "
    "machine='q35'>hvm</type></os><features><acpi/></features>"
    "<devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices></domain>",
    "<domain type='qemu'><name>two</name><uuid>02020202-0202-0202-0202-020202020202</uuid>"
    "<memory>65536</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>"
    "<devices><emulator>/nowhere/qemu</emulator></devices></domain>"};

/* Replaces libc's: nothing is executed, and a disk is always done. */
pid_t fork(void) {
    errno = EAGAIN;
    return -1;
}

int fsync(int fd) {
    return 0;
}

/* ---- arguments ---- */

static const uint32_t edges[] = {
    1, 0, 2, 3, 4, 16, 17, 64, 255, 1024, 4095, 65536, INT32_MAX, 0x80000000u, UINT32_MAX,
};

typedef struct Maker {
    const uint8_t *choices; /* an index of edges for each number; beyond: the usual ones */
    size_t n_choices, n_places;
    size_t at[2]; /* places with values of their own, PLACES_MAX: none */
    uint32_t value[2];
    size_t zero_at;              /* a place that is 0 otherwise: flags are last */
    const char *text;            /* of which texts are made; NULL: the names of the domains */
    bool is_length[PLACES_MAX];  /* places with bytes behind: a name is as long as it is */
    uint32_t client[2];          /* a client's id, at the places 1 and 2, if has_client */
    bool has_client, was_number; /* the last that was made */
    uint8_t packet[PACKET_MAX];
    size_t len;
} Maker;

static uint32_t choose(const Maker *maker) {
    const size_t place = maker->n_places;

    for (size_t i = 0; i < ARRAY_SIZE(maker->at); i++)
        if (place == maker->at[i])
            return maker->value[i];
    if (place < maker->n_choices)
        return edges[maker->choices[place] % ARRAY_SIZE(edges)];
    if (maker->has_client && (place == 1 || place == 2))
        return maker->client[place - 1];
    if (maker->is_length[place])
        return maker->text ? strlen(maker->text) : strlen("one");
    return place != maker->zero_at;
}

static bool_t make_number(XDR *xdr, long *ret) {
    Maker *maker = (Maker *)xdr->x_private;
    uint32_t number;

    if (maker->n_places == PLACES_MAX || maker->len + 4 > PACKET_MAX)
        return FALSE;
    number = choose(maker);
    maker->n_places++;
    for (unsigned i = 0; i < 4; i++)
        maker->packet[maker->len++] = number >> (24 - 8 * i);
    maker->was_number = true;
    *ret = (int32_t)number;
    return TRUE;
}

/* An uuid is that of "one", or of "two" when the last number was even; a text is a name over and
 * over. */
static bool_t make_bytes(XDR *xdr, char *to, u_int n) {
    Maker *maker = (Maker *)xdr->x_private;
    const bool even = maker->len > 0 && maker->packet[maker->len - 1] % 2 == 0;
    const char *text = maker->text ? maker->text : even ? "two" : "one";
    const size_t text_len = strlen(text);

    if (n > PACKET_MAX - maker->len)
        return FALSE;
    if (maker->was_number)
        maker->is_length[maker->n_places - 1] = true;
    maker->was_number = false;
    for (u_int i = 0; i < n; i++)
        to[i] = n == sizeof(remote_uuid) ? 1 + even : text[i % text_len];
    memcpy(maker->packet + maker->len, to, n);
    maker->len += n;
    return TRUE;
}

static int32_t *make_inline(XDR *xdr, u_int n) {
    return NULL;
}

/* What its calls are about: the server of the machines, and there the client that came last. */
static void make_for_admin(const RpcProc *proc, Maker *maker) {
    const uint64_t id = rpc_server_n_came(daemon_state.server);

    maker->text = "vireod";
    maker->has_client = strncmp(proc->api, "virAdmClient", 12) == 0 ||
                        proc->number == ADMIN_PROC_SERVER_LOOKUP_CLIENT;
    maker->client[0] = id >> 32;
    maker->client[1] = (uint32_t)id;
}

static void run_routine(const RpcProc *proc, Maker *maker) {
    static const struct xdr_ops ops = {
        .x_getlong = make_number, .x_getbytes = make_bytes, .x_inline = make_inline};
    XDR xdr = {.x_op = XDR_DECODE, .x_ops = &ops, .x_private = maker};
    void *args = proc->args_xdr ? calloc(1, proc->args_size) : NULL;

    maker->n_places = maker->len = 0;
    maker->was_number = false;
    if (!args)
        return;
    proc->args_xdr(&xdr, args);
    xdr_free(proc->args_xdr, args);
    free(args);
}

/* What the routine refuses is a packet, too. It runs twice: which numbers are lengths of texts is
 * known when it has asked for the text. */
static void make_arguments(const RpcProgram *program, const RpcProc *proc, Maker *maker) {
    memset(maker->is_length, 0, sizeof(maker->is_length));
    maker->has_client = false;
    maker->text = NULL;
    if (program->program == ADMIN_PROGRAM)
        make_for_admin(proc, maker);
    run_routine(proc, maker);
    run_routine(proc, maker);
}

/* ---- the daemon ---- */

static char root[] = "/dev/shm/vireo-fuzz-XXXXXX";

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *ftw) {
    return remove(path);
}

static void remove_root(void) {
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void set_up(void) {
    DriverParams params;

    fuzz_loop_init();
    if (!mkdtemp(root) || config_init(&daemon_state.config, root, NULL) < 0)
        abort();
    atexit(remove_root);
    params = (DriverParams){.paths = {daemon_state.config.etc, daemon_state.config.lib,
                                      daemon_state.config.run, daemon_state.config.log},
                            .limits.partition = "/vireo-fuzz",
                            .events = &daemon_events,
                            .userdata = &daemon_state};
    if (driver_new(&params, &daemon_state.driver, NULL) < 0)
        abort();
    daemon_state.driver->services.settings.unplug_timeout_usec = UNPLUG_USEC;
    daemon_programs_init();
    if (rpc_server_new(daemon_programs, daemon_n_programs, &client_ops, &daemon_state, NULL,
                       &daemon_state.server) < 0 ||
        admin_server_new(&daemon_state, &daemon_state.admin) < 0)
        abort();
    daemon_state.config.log_level = LOG_CRIT; /* a call may set what the settings say */
}

/* Fibers that wait for a guest are there when it ends. fuzz-rpc looks for leaks. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) {
    return 1;
}

static bool is_quiet(void *userdata) {
    return fiber_count() <= daemon_state.driver->services.tasks.n;
}

static void on_fiber(FiberFunc func) {
    if (fiber_start("fuzz", func, NULL) < 0)
        abort();
    fuzz_loop_until(is_quiet, NULL, "domains");
}

static void remove_domains(void *userdata) {
    while (driver_domains(daemon_state.driver)) {
        CLEANUP_DOMAIN Domain *domain = domain_ref(driver_domains(daemon_state.driver));

        if (domain->run && driver_destroy(domain, false, NULL) >= 0 && !domain->services)
            continue;
        if (domain->run || driver_undefine(domain, true, NULL) < 0)
            abort();
    }
}

static void define_domains(void *userdata) {
    for (size_t i = 0; i < ARRAY_SIZE(presets); i++) {
        CLEANUP_DOMAIN Domain *domain = NULL;

        if (driver_define(daemon_state.driver, presets[i], &domain, NULL) < 0)
            abort();
        if (i == 0)
            fake_qemu_start(domain, QEMU_DELETES);
    }
}

/* As at first, when a call has changed which domains there are or run. */
static void restore_domains(void) {
    static const uint8_t ones[sizeof(remote_uuid)] = {1, 1, 1, 1, 1, 1, 1, 1,
                                                      1, 1, 1, 1, 1, 1, 1, 1};
    const Domain *one = driver_find_uuid(daemon_state.driver, ones, NULL, NULL);

    if (one && one->run && driver_n_domains(daemon_state.driver) == ARRAY_SIZE(presets))
        return;
    on_fiber(remove_domains);
    fake_qemu_end();
    on_fiber(define_domains);
}

/* ---- calls ---- */

static uint32_t word(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void receive(Session *session) {
    ssize_t n;

    do {
        if (session->len == session->allocated) {
            session->allocated = session->allocated ? 2 * session->allocated : 65536;
            session->bytes = realloc(session->bytes, session->allocated);
            if (!session->bytes)
                abort();
        }
        n = recv(session->fd, session->bytes + session->len, session->allocated - session->len,
                 MSG_DONTWAIT);
        session->len += n > 0 ? (size_t)n : 0;
        session->closed |= n == 0 || (n < 0 && errno != EAGAIN);
    } while (n > 0);
}

typedef struct Answer {
    Session *session;
    uint32_t serial;
} Answer;

/* Whether the call with that serial was answered; each frame before that is one that may come. */
static bool answered(void *userdata) {
    const Answer *answer = userdata;
    Session *session = answer->session;
    size_t used = 0;
    bool found = false;

    receive(session);
    while (!found && session->len - used >= FRAME_HEADER_SIZE &&
           word(session->bytes + used) <= session->len - used) {
        const uint8_t *frame = session->bytes + used;
        const uint32_t type = word(frame + 16);

        found = word(frame + 20) == answer->serial &&
                (type == FRAME_REPLY || type == FRAME_REPLY_WITH_FDS);
        n_refused += found && word(frame + 24) != FRAME_OK;
        used += word(frame);
    }
    memmove(session->bytes, session->bytes + used, session->len - used);
    session->len -= used;
    return found || session->closed;
}

static void call(Session *session, const RpcProgram *program, const RpcProc *proc,
                 const uint8_t *payload, size_t len) {
    static uint32_t serial;
    Answer answer = {session, ++serial};
    const uint32_t words[] = {FRAME_HEADER_SIZE + len,
                              program->program,
                              program->version,
                              proc->number,
                              FRAME_CALL,
                              serial,
                              FRAME_OK};
    static uint8_t frame[FRAME_HEADER_SIZE + PACKET_MAX];

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        for (unsigned k = 0; k < 4; k++)
            frame[4 * i + k] = words[i] >> (24 - 8 * k);
    memcpy(frame + FRAME_HEADER_SIZE, payload, len);
    for (size_t done = 0; done < FRAME_HEADER_SIZE + len && !session->closed;) {
        ssize_t n = send(session->fd, frame + done, FRAME_HEADER_SIZE + len - done,
                         MSG_NOSIGNAL | MSG_DONTWAIT);

        done += n > 0 ? (size_t)n : 0;
        if (n <= 0)
            fuzz_loop_idle();
        session->closed |= n < 0 && errno != EAGAIN;
    }
    fuzz_loop_until(answered, &answer, proc->api);
    n_calls++;
}

static bool no_session(void *userdata) {
    return rpc_server_n_sessions(userdata) == 0;
}

static RpcServer *server_of(const Session *session) {
    return session->admin ? daemon_state.admin : daemon_state.server;
}

static void hang_up(Session *session) {
    if (session->fd < 0)
        return;
    close(session->fd);
    session->fd = -1;
    fuzz_loop_until(no_session, server_of(session), "session");
    if (session->admin)
        idle_set(&daemon_state, 0);
}

static void connect_again(Session *session) {
    /* "qemu:///system", and with the NUL at the end flags 0; the admin program has flags alone */
    static const uint8_t open_arguments[] = "\0\0\0\1\0\0\0\16qemu:///system\0\0\0\0\0";
    const RpcProc open = {.number = session->admin ? (int)ADMIN_PROC_CONNECT_OPEN
                                                   : (int)REMOTE_PROC_CONNECT_OPEN,
                          .api = "open"};
    const unsigned refused = n_refused;
    int fds[2];

    hang_up(session);
    fuzz_socketpair(fds);
    session->fd = fds[1];
    session->len = 0;
    session->closed = false;
    if (rpc_server_add_connection(server_of(session), fds[0], false) < 0)
        abort();
    if (session->admin)
        call(session, admin_program(), &open, open_arguments + sizeof(open_arguments) - 4, 4);
    else
        call(session, &daemon_programs[0], &open, open_arguments, sizeof(open_arguments));
    if (n_refused > refused)
        abort();
}

/* What a call has left to other calls of its session does not concern the next one's input. */
static bool ends_session(const RpcProgram *program, const RpcProc *proc) {
    return (program->program == REMOTE_PROGRAM || program->program == ADMIN_PROGRAM) &&
           (proc->number == REMOTE_PROC_CONNECT_CLOSE || proc->number == REMOTE_PROC_CONNECT_OPEN);
}

static void make_call(const RpcProgram *program, const RpcProc *proc, Maker *maker) {
    Session *session = program->program == ADMIN_PROGRAM ? &admin : &plain;

    if (!proc->handler)
        return;
    restore_domains();
    if (plain.fd < 0 || plain.closed)
        connect_again(&plain); /* which calls of the other one are about */
    if (session->fd < 0 || session->closed)
        connect_again(session);
    make_arguments(program, proc, maker);
    call(session, program, proc, maker->packet, maker->len);
    if (ends_session(program, proc))
        hang_up(session);
}

static const RpcProc *nth(size_t n, const RpcProgram **ret) {
    for (size_t i = 0; i < daemon_n_programs; i++) {
        *ret = &daemon_programs[i];
        if (n < daemon_programs[i].n_procs)
            return &daemon_programs[i].procs[n];
        n -= daemon_programs[i].n_procs;
    }
    *ret = admin_program();
    return n < (*ret)->n_procs ? &(*ret)->procs[n] : NULL;
}

static size_t n_procs(void) {
    size_t n = admin_program()->n_procs;

    for (size_t i = 0; i < daemon_n_programs; i++)
        n += daemon_programs[i].n_procs;
    return n;
}

/* Turns of the loop after the last byte. What it has to do later is dropped with the session. */
#define TURNS 8u

static void send_frames(Session *session, const uint8_t *data, size_t size) {
    restore_domains();
    if (session->admin && (plain.fd < 0 || plain.closed))
        connect_again(&plain);
    connect_again(session);
    for (size_t done = 0; done < size && !session->closed;) {
        ssize_t n = send(session->fd, data + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT);

        done += n > 0 ? (size_t)n : 0;
        session->closed |= n < 0 && errno != EAGAIN;
        fuzz_loop_idle();
        receive(session);
        session->len = 0;
    }
    for (unsigned i = 0; i < TURNS && !session->closed; i++) {
        fuzz_loop_idle();
        receive(session);
        session->len = 0;
    }
}

static void hang_up_both(void) {
    hang_up(&admin);
    hang_up(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static Maker maker;

    if (!daemon_state.server)
        set_up();
    if (size >= 2 && data[0] == 0xff && data[1] >= 0xfe) {
        send_frames(data[1] == 0xff ? &plain : &admin, data + 2, size - 2);
        hang_up_both();
        return 0;
    }
    for (unsigned i = 0; i < CALLS_MAX && size >= 3; i++) {
        const RpcProgram *program = NULL;
        const RpcProc *proc = nth((data[0] << 8 | data[1]) % n_procs(), &program);

        maker = (Maker){.choices = data + 3,
                        .n_choices = MIN_OF((size_t)data[2], size - 3),
                        .at = {PLACES_MAX, PLACES_MAX},
                        .zero_at = PLACES_MAX};
        data += 3 + maker.n_choices;
        size -= 3 + maker.n_choices;
        make_call(program, proc, &maker);
    }
    hang_up_both();
    return 0;
}

/* ---- all of them ---- */

static unsigned pairs_of(const RpcProgram *program, const RpcProc *proc, unsigned every) {
    static Maker maker;
    static unsigned turn;
    size_t n_places;

    maker = (Maker){.at = {PLACES_MAX, PLACES_MAX}, .zero_at = PLACES_MAX};
    make_call(program, proc, &maker);
    n_places = MIN_OF(maker.n_places, (size_t)24);
    maker.zero_at = n_places - 1;
    make_call(program, proc, &maker);
    for (size_t a = 0; a < n_places; a++)
        for (size_t b = a + 1; b <= n_places; b++) /* n_places: the one alone */
            for (size_t k = 0; k < ARRAY_SIZE(edges) * ARRAY_SIZE(edges); k++) {
                if (every == 0 || turn++ % every != 0 || (b == n_places && k >= ARRAY_SIZE(edges)))
                    continue;
                maker.zero_at = k % 2 ? n_places - 1 : PLACES_MAX;
                maker.at[0] = a;
                maker.at[1] = b;
                maker.value[0] = edges[k % ARRAY_SIZE(edges)];
                maker.value[1] = edges[k / ARRAY_SIZE(edges)];
                make_call(program, proc, &maker);
            }
    return n_places > 0;
}

void fuzz_pairs(unsigned every) {
    const uint64_t begin = fuzz_cpu_usec();
    const RpcProgram *program = NULL;
    unsigned n = 0;
    double seconds;

    if (!daemon_state.server)
        set_up();
    n_calls = n_refused = 0;
    for (size_t i = 0; i < n_procs(); i++) {
        const RpcProc *proc = nth(i, &program);

        n += proc->handler != NULL;
        pairs_of(program, proc, every);
    }
    hang_up_both();
    seconds = (double)(fuzz_cpu_usec() - begin) / USEC_PER_SEC;
    printf("figure: %u calls of %u procedures with edge values in pairs, %u refused: %.0f a second "
           "of CPU time\n",
           n_calls, n, n_refused, n_calls / seconds);
}
