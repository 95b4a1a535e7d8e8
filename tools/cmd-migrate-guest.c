/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Moving a guest to another host: libvirt's five phases (driver/migrate.h has them), made by this
 * client, or by the source's vireod with --p2p. */
#include "progress.h"
#include "tables.h"

#define STATE_PAUSED 3 /* VIR_DOMAIN_PAUSED */

#define FLAG(option, flag)                                                                         \
    { option, MIGRATE_##flag }
static const struct {
    const char *option;
    unsigned flag;
} flags[] = {FLAG("live", LIVE),
             FLAG("offline", OFFLINE),
             FLAG("p2p", PEER2PEER),
             FLAG("tunnelled", TUNNELLED),
             FLAG("persistent", PERSIST_DEST),
             FLAG("undefinesource", UNDEFINE_SOURCE),
             FLAG("suspend", PAUSED),
             FLAG("copy-storage-all", NON_SHARED_DISK),
             FLAG("copy-storage-inc", NON_SHARED_INC),
             FLAG("change-protection", CHANGE_PROTECTION),
             FLAG("unsafe", UNSAFE),
             FLAG("compressed", COMPRESSED),
             FLAG("auto-converge", AUTO_CONVERGE),
             FLAG("rdma-pin-all", RDMA_PIN_ALL),
             FLAG("abort-on-error", ABORT_ON_ERROR),
             FLAG("postcopy", POSTCOPY),
             FLAG("zerocopy", ZEROCOPY),
             FLAG("tls", TLS),
             FLAG("parallel", PARALLEL)};

/* Options with a text, and what libvirt's protocol calls it. */
static const struct {
    const char *option, *field;
    bool is_file; /* the text is in there */
} texts[] = {{"xml", "destination_xml", true},
             {"persistent-xml", "persistent_xml", true},
             {"dname", "destination_name", false},
             {"migrateuri", "migrate_uri", false},
             {"graphicsuri", "graphics_uri", false},
             {"listen-address", "listen_address", false},
             {"comp-methods", "compression", false},
             {"disks-uri", "disks_uri", false},
             {"tls-destination", "tls.destination", false}};
enum { AT_XML, AT_PERSISTENT, AT_NAME, AT_URI };

static const struct {
    const char *option, *field;
    long long max;
    int kind;
} numbers[] = {{"bandwidth", "bandwidth", INT64_MAX, PARAM_ULLONG},
               {"postcopy-bandwidth", "bandwidth.postcopy", INT64_MAX, PARAM_ULLONG},
               {"parallel-connections", "parallel.connections", INT32_MAX, PARAM_INT},
               {"disks-port", "disks_port", INT32_MAX, PARAM_INT},
               {"comp-mt-level", "compression.mt.level", INT32_MAX, PARAM_INT},
               {"comp-mt-threads", "compression.mt.threads", INT32_MAX, PARAM_INT},
               {"comp-mt-dthreads", "compression.mt.dthreads", INT32_MAX, PARAM_INT},
               {"comp-xbzrle-cache", "compression.xbzrle.cache", INT64_MAX, PARAM_ULLONG},
               {"auto-converge-initial", "auto_converge.initial", INT32_MAX, PARAM_INT},
               {"auto-converge-increment", "auto_converge.increment", INT32_MAX, PARAM_INT}};

#define PARAMS_MAX (ARRAY_SIZE(texts) + ARRAY_SIZE(numbers))

/* One on its way. */
typedef struct Move {
    Tool *tool;
    remote_domain dom;
    RpcClient *there;              /* NULL: the source's vireod leads */
    char *read[ARRAY_SIZE(texts)]; /* of files, owned */
    const char *text[PARAMS_MAX];  /* NULL: not given */
    long long number[ARRAY_SIZE(numbers)];
    bool has_number[ARRAY_SIZE(numbers)];
    unsigned flags;
    remote_domain_migrate_begin3_params_ret begun;
    remote_domain_migrate_prepare3_params_ret prepared;
} Move;

static void move_done(Move *move) {
    domain_done(&move->dom);
    rpc_client_free(move->there);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        free(move->read[i]);
    xdr_free((xdrproc_t)xdr_remote_domain_migrate_begin3_params_ret, &move->begun);
    xdr_free((xdrproc_t)xdr_remote_domain_migrate_prepare3_params_ret, &move->prepared);
}

static int read_texts(Move *move, const Args *args) {
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        const char *text = args_string(args, texts[i].option);

        if (text && texts[i].is_file) {
            if (tool_read_file(text, &move->read[i]) < 0)
                return -EIO;
            text = move->read[i];
        }
        move->text[i] = text;
    }
    return 0;
}

static int read_numbers(Move *move, const Args *args) {
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        int r = args_number(args, numbers[i].option, 0, numbers[i].max, &move->number[i]);

        if (r < 0)
            return tool_bad_number(args, numbers[i].option);
        move->has_number[i] = r > 0;
    }
    return 0;
}

/* Fills an array of PARAMS_MAX with what was given; its length. */
static unsigned list_params(const Move *move, remote_typed_param *list) {
    unsigned n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (move->text[i])
            list[n++] = (remote_typed_param){
                .field = (char *)texts[i].field,
                .value = {.type = PARAM_STRING, .remote_param_value_u.s = (char *)move->text[i]}};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        remote_typed_param *param = &list[n];

        if (!move->has_number[i])
            continue;
        *param = (remote_typed_param){.field = (char *)numbers[i].field,
                                      .value.type = numbers[i].kind};
        if (numbers[i].kind == PARAM_INT)
            param->value.remote_param_value_u.i = (int)move->number[i];
        else
            param->value.remote_param_value_u.ul = (uint64_t)move->number[i];
        n++;
    }
    return n;
}

#define GIVE_PARAMS(move, list, call)                                                              \
    ((call)->params.params_len = list_params(move, list), (call)->params.params_val = (list))

/* ---- the phases ---- */

/* What is paused arrives paused. */
static int keep_state(Move *move, Error **reterr) {
    remote_domain_flags_args call = {.dom = move->dom};
    remote_domain_get_state_ret ret = {0};
    int r = CALL(move->tool, DOMAIN_GET_STATE, remote_domain_flags_args, &call,
                 remote_domain_get_state_ret, &ret, reterr);

    if (r >= 0 && ret.state == STATE_PAUSED)
        move->flags |= MIGRATE_PAUSED;
    return r;
}

static int begin(Move *move, Error **reterr) {
    remote_typed_param list[PARAMS_MAX];
    remote_domain_migrate_begin3_params_args call = {.dom = move->dom, .flags = move->flags};

    GIVE_PARAMS(move, list, &call);
    return CALL(move->tool, DOMAIN_MIGRATE_BEGIN3_PARAMS, remote_domain_migrate_begin3_params_args,
                &call, remote_domain_migrate_begin3_params_ret, &move->begun, reterr);
}

static int prepare(Move *move, Error **reterr) {
    remote_typed_param list[PARAMS_MAX];
    remote_domain_migrate_prepare3_params_args call = {
        .flags = move->flags,
        .cookie_in = {move->begun.cookie_out.cookie_out_len,
                      move->begun.cookie_out.cookie_out_val}};

    move->text[AT_XML] = move->begun.xml;
    GIVE_PARAMS(move, list, &call);
    return rpc_client_call(move->there, REMOTE_PROGRAM, REMOTE_PROC_DOMAIN_MIGRATE_PREPARE3_PARAMS,
                           (xdrproc_t)xdr_remote_domain_migrate_prepare3_params_args, &call,
                           (xdrproc_t)xdr_remote_domain_migrate_prepare3_params_ret,
                           &move->prepared, -1, reterr);
}

/* Without a `to` it is this client that leads. */
static int perform(Move *move, const char *to, Error **reterr) {
    remote_typed_param list[PARAMS_MAX];
    remote_string uri = (char *)to;
    remote_domain_migrate_perform3_params_ret ret = {0};
    remote_domain_migrate_perform3_params_args call = {
        .dom = move->dom,
        .dconnuri = to ? &uri : NULL,
        .flags = move->flags,
        .cookie_in = {move->prepared.cookie_out.cookie_out_len,
                      move->prepared.cookie_out.cookie_out_val}};
    int r;

    if (move->prepared.uri_out)
        move->text[AT_URI] = *move->prepared.uri_out;
    GIVE_PARAMS(move, list, &call);
    r = CALL(move->tool, DOMAIN_MIGRATE_PERFORM3_PARAMS, remote_domain_migrate_perform3_params_args,
             &call, remote_domain_migrate_perform3_params_ret, &ret, reterr);
    xdr_free((xdrproc_t)xdr_remote_domain_migrate_perform3_params_ret, &ret);
    return r;
}

static int finish(Move *move, bool cancelled, Error **reterr) {
    remote_typed_param list[PARAMS_MAX];
    remote_domain_migrate_finish3_params_ret ret = {0};
    remote_domain_migrate_finish3_params_args call = {.flags = move->flags, .cancelled = cancelled};
    int r;

    if (!move->text[AT_NAME])
        move->text[AT_NAME] = move->dom.name;
    GIVE_PARAMS(move, list, &call);
    r = rpc_client_call(move->there, REMOTE_PROGRAM, REMOTE_PROC_DOMAIN_MIGRATE_FINISH3_PARAMS,
                        (xdrproc_t)xdr_remote_domain_migrate_finish3_params_args, &call,
                        (xdrproc_t)xdr_remote_domain_migrate_finish3_params_ret, &ret, -1, reterr);
    xdr_free((xdrproc_t)xdr_remote_domain_migrate_finish3_params_ret, &ret);
    return r;
}

static int confirm(Move *move, bool cancelled, Error **reterr) {
    remote_domain_migrate_confirm3_params_args call = {
        .dom = move->dom, .flags = move->flags, .cancelled = cancelled};

    return CALL_VOID(move->tool, DOMAIN_MIGRATE_CONFIRM3_PARAMS,
                     remote_domain_migrate_confirm3_params_args, &call, reterr);
}

/* From Prepare on each phase has to follow, whatever the one before it says; the first error is
 * what went wrong. */
static int lead(Move *move, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL, *unfinished = NULL, *unconfirmed = NULL;
    int r = begin(move, reterr), finished;

    if (r >= 0)
        r = prepare(move, reterr);
    if (r < 0)
        return r;
    r = perform(move, NULL, &error);
    finished = finish(move, r < 0, &unfinished);
    if (confirm(move, finished < 0, &unconfirmed) < 0 && r >= 0 && finished >= 0)
        return error_propagate(reterr, TAKE_PTR(unconfirmed));
    if (r < 0)
        return error_propagate(reterr, TAKE_PTR(error));
    return finished < 0 ? error_propagate(reterr, TAKE_PTR(unfinished)) : 0;
}

static int run(Move *move, const char *to, Error **reterr) {
    int r = move->flags & MIGRATE_OFFLINE ? 0 : keep_state(move, reterr);

    if (r < 0 || move->flags & MIGRATE_PEER2PEER)
        return r < 0 ? r : perform(move, to, reterr);
    r = rpc_client_open(to, false, &move->there, reterr);
    return r < 0 ? r : lead(move, reterr);
}

/* As virsh has it: suspended unless it is post-copy that is asked for. */
static int read_timeout(const Args *args, long long *seconds, int *procedure) {
    const bool postcopy = args_has(args, "timeout-postcopy");
    int r = args_number(args, "timeout", 0, INT32_MAX, seconds);

    if (r < 0)
        return tool_bad_number(args, "timeout");
    if (*seconds > 0 && !args_has(args, "live"))
        return tool_fail(NULL, "migrate: Unexpected timeout for offline migration");
    if (tool_exclusive(args, "timeout-suspend", "timeout-postcopy") < 0)
        return -EINVAL;
    if (r == 0 && (postcopy || args_has(args, "timeout-suspend")))
        return tool_fail(NULL, "migrate: Unexpected --timeout-* option without --timeout");
    if (postcopy && !args_has(args, "postcopy"))
        return tool_fail(NULL, "Option --postcopy is required by option --timeout-postcopy");
    *procedure = postcopy ? REMOTE_PROC_DOMAIN_MIGRATE_START_POST_COPY : REMOTE_PROC_DOMAIN_SUSPEND;
    return 0;
}

static int cmd_migrate(Tool *tool, const Args *args) {
    CLEANUP(move_done) Move move = {.tool = tool};
    CLEANUP_ERROR Error *error = NULL;
    long long timeout = 0;
    Progress progress;
    int r, hurry = 0;

    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        if (args_has(args, flags[i].option))
            move.flags |= flags[i].flag;
    if (read_timeout(args, &timeout, &hurry) < 0 || read_texts(&move, args) < 0 ||
        read_numbers(&move, args) < 0 || tool_domain(tool, args, &move.dom) < 0)
        return -EIO;
    progress_start_until(&progress, tool, &move.dom, "Migration", args_has(args, "verbose"),
                         (unsigned)timeout, hurry);
    r = run(&move, args_string(args, "desturi"), &error);
    progress_stop(&progress, r >= 0);
    return r < 0 ? tool_failed(error) : 0;
}

/* ---- tables ---- */

static const Option migrate_options[] = {
    OPTION_DOMAIN,
    {"desturi", OPTION_STRING, true, "URI of the other vireod; as the source sees it with --p2p"},
    {"live", OPTION_FLAG, false, "the guest runs on meanwhile"},
    {"offline", OPTION_FLAG, false, "only the definition moves"},
    {"p2p", OPTION_FLAG, false, "the source's vireod leads"},
    {"tunnelled", OPTION_FLAG, false, "the state goes through the daemons"},
    {"persistent", OPTION_FLAG, false, "define it there"},
    {"undefinesource", OPTION_FLAG, false, "undefine it here"},
    {"suspend", OPTION_FLAG, false, "leave it paused there"},
    {"copy-storage-all", OPTION_FLAG, false, "copy the disks"},
    {"copy-storage-inc", OPTION_FLAG, false, "copy the disks' differences"},
    {"change-protection", OPTION_FLAG, false, "refuse changes of the domain meanwhile"},
    {"unsafe", OPTION_FLAG, false, "even where its disks may be damaged"},
    {"verbose", OPTION_FLAG, false, "show the progress"},
    {"compressed", OPTION_FLAG, false, "send pages as differences"},
    {"auto-converge", OPTION_FLAG, false, "slow down a guest that writes too fast"},
    {"rdma-pin-all", OPTION_FLAG, false, "pin all memory for RDMA"},
    {"abort-on-error", OPTION_FLAG, false, "end it at soft errors"},
    {"postcopy", OPTION_FLAG, false, "allow a switch to post-copy"},
    {"zerocopy", OPTION_FLAG, false, "send without copying"},
    {"tls", OPTION_FLAG, false, "encrypt it"},
    {"parallel", OPTION_FLAG, false, "several connections"},
    {"migrateuri", OPTION_STRING, false, "where the state goes: tcp://HOST[:PORT]"},
    {"graphicsuri", OPTION_STRING, false, "where the screen will be"},
    {"listen-address", OPTION_STRING, false, "address that the other vireod listens at"},
    {"dname", OPTION_STRING, false, "name there"},
    {"timeout", OPTION_NUMBER, false, "seconds after which the guest is suspended", .named = true},
    {"timeout-suspend", OPTION_FLAG, false, "that is what is done then (usual)"},
    {"timeout-postcopy", OPTION_FLAG, false, "switch to post-copy then instead"},
    {"xml", OPTION_STRING, false, "file with the definition for there"},
    {"persistent-xml", OPTION_STRING, false, "file with the persistent definition for there"},
    {"comp-methods", OPTION_STRING, false, "how pages are compressed: xbzrle"},
    {"disks-uri", OPTION_STRING, false, "where the disks go"},
    {"disks-port", OPTION_NUMBER, false, "port where the disks go"},
    {"tls-destination", OPTION_STRING, false, "name in the other host's certificate"},
    {"parallel-connections", OPTION_NUMBER, false, "how many with --parallel"},
    {"postcopy-bandwidth", OPTION_NUMBER, false, "MiB a second of post-copy"},
    {"comp-mt-level", OPTION_NUMBER, false, "how hard threads compress"},
    {"comp-mt-threads", OPTION_NUMBER, false, "how many threads compress"},
    {"comp-mt-dthreads", OPTION_NUMBER, false, "how many threads decompress there"},
    {"comp-xbzrle-cache", OPTION_NUMBER, false, "bytes of its cache"},
    {"auto-converge-initial", OPTION_NUMBER, false, "percent to begin with"},
    {"auto-converge-increment", OPTION_NUMBER, false, "percent more each time"},
    {"bandwidth", OPTION_NUMBER, false, "MiB a second"},
    OPTION_END};

const Command commands_migrate_guest[] = {
    {.name = "migrate",
     .help = "move a guest to another host",
     .description =
         "Move a domain to another vireod. Add --live for a guest that runs on meanwhile.",
     .options = migrate_options,
     .run = cmd_migrate},
    {0}};
