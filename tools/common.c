/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What many commands share: calls, finding a domain, formatting. */
#include <ctype.h>
#include <fcntl.h>
#include <systemd/sd-id128.h>

#include "param.h"
#include "util/bitmap.h"
#include "util/file.h"
#include "vireo.h"

int tool_call(Tool *tool, int procedure, xdrproc_t args_xdr, void *args, xdrproc_t ret_xdr,
              void *ret, Error **reterr) {
    return rpc_client_call(tool->client, REMOTE_PROGRAM, procedure, args_xdr, args, ret_xdr, ret,
                           -1, reterr);
}

int params_get(Tool *tool, int procedure, xdrproc_t args_xdr, void *args, int *n_params,
               ParamList *ret, Error **reterr) {
    int r;

    *n_params = 0;
    r = tool_call(tool, procedure, args_xdr, args,
                  (xdrproc_t)xdr_remote_domain_get_block_io_tune_ret, ret, reterr);
    if (r < 0)
        return r;
    *n_params = ret->nparams;
    params_done(ret);
    *ret = (ParamList){0};
    return *n_params == 0
               ? 0
               : tool_call(tool, procedure, args_xdr, args,
                           (xdrproc_t)xdr_remote_domain_get_block_io_tune_ret, ret, reterr);
}

/* ---- domains ---- */

static bool parse_uuid(const char *text, char ret[16]) {
    sd_id128_t id;

    if (sd_id128_from_string(text, &id) < 0)
        return false;
    memcpy(ret, id.bytes, sizeof(id.bytes));
    return true;
}

static bool parse_id(const char *text, int *ret) {
    char *end = NULL;
    long value;

    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    value = strtol(text, &end, 10);
    if (errno || *end || value > INT32_MAX)
        return false;
    *ret = (int)value;
    return true;
}

/* The structs of the three look-ups' results are the same on the wire. */
static int lookup(Tool *tool, const char *text, unsigned ways, remote_domain *ret, Error **reterr) {
    remote_domain_lookup_by_name_args by_name = {.name = (char *)text};
    remote_domain_lookup_by_id_args by_id;
    remote_domain_lookup_by_uuid_args by_uuid;
    int r = -ENOENT;

    if ((ways & LOOKUP_ID) && parse_id(text, &by_id.id))
        r = CALL(tool, DOMAIN_LOOKUP_BY_ID, remote_domain_lookup_by_id_args, &by_id, remote_domain,
                 ret, reterr);
    else if ((ways & LOOKUP_UUID) && parse_uuid(text, by_uuid.uuid))
        r = CALL(tool, DOMAIN_LOOKUP_BY_UUID, remote_domain_lookup_by_uuid_args, &by_uuid,
                 remote_domain, ret, reterr);
    if (r < 0 && (ways & LOOKUP_NAME)) {
        *ret = (remote_domain){0};
        if (*reterr)
            error_free(TAKE_PTR(*reterr));
        r = CALL(tool, DOMAIN_LOOKUP_BY_NAME, remote_domain_lookup_by_name_args, &by_name,
                 remote_domain, ret, reterr);
    }
    return r;
}

int tool_lookup(Tool *tool, const Args *args, unsigned ways, remote_domain *ret) {
    return tool_lookup_text(tool, args_string(args, "domain"), ways, ret);
}

int tool_lookup_text(Tool *tool, const char *text, unsigned ways, remote_domain *ret) {
    CLEANUP_ERROR Error *error = NULL;

    *ret = (remote_domain){0};
    if (!text || !*text)
        return tool_fail(NULL, "Failed to get option 'domain': Option argument is empty");
    if (lookup(tool, text, ways, ret, &error) < 0) {
        *ret = (remote_domain){0};
        /* "Domain not found" would say it a second time; virsh does not. */
        return tool_fail(error && error->code != ERROR_NO_DOMAIN ? error : NULL,
                         "failed to get domain '%s'", text);
    }
    return 0;
}

static int act(Tool *tool, const Args *args, int procedure, xdrproc_t xdr, unsigned flags,
               const char *verb, const char *done) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_domain_flags_args call = {.flags = flags}; /* begins as remote_domain_args */

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (tool_call(tool, procedure, xdr, &call, NULL, NULL, &error) < 0)
        return verb ? tool_fail(error, "Failed to %s domain '%s'", verb, dom.name)
                    : tool_failed(error);
    if (done)
        tool_say(tool, "Domain '%s' %s\n", dom.name, done);
    return 0;
}

int tool_act(Tool *tool, const Args *args, int procedure, const char *verb, const char *done) {
    return act(tool, args, procedure, (xdrproc_t)xdr_remote_domain_args, 0, verb, done);
}

int tool_act_flags(Tool *tool, const Args *args, int procedure, unsigned flags, const char *verb,
                   const char *done) {
    return act(tool, args, procedure, (xdrproc_t)xdr_remote_domain_flags_args, flags, verb, done);
}

/* ---- files ---- */

#define FILE_MAX (4u << 20)

int tool_read_bytes(const char *path, char **ret, size_t *ret_len) {
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC); /* a pipe is waited for */
    int r = fd < 0 ? -errno : file_read_fd(fd, FILE_MAX, ret, ret_len);

    if (r == -EFBIG)
        return tool_fail(NULL, "File '%s' is larger than %u bytes", path, FILE_MAX);
    return r < 0 ? tool_fail(NULL, "Failed to open file '%s': %s", path, strerror(-r)) : 0;
}

int tool_read_file(const char *path, char **ret) {
    return tool_read_bytes(path, ret, NULL);
}

/* ---- formatting ---- */

void format_uuid(const char *uuid, char ret[SD_ID128_UUID_STRING_MAX]) {
    sd_id128_t id;

    memcpy(id.bytes, uuid, sizeof(id.bytes));
    sd_id128_to_uuid_string(id, ret);
}

const char *format_state(int state) {
    static const char *const names[] = {"no state",    "running",  "idle",    "paused",
                                        "in shutdown", "shut off", "crashed", "pmsuspended"};

    return state >= 0 && (size_t)state < ARRAY_SIZE(names) ? names[state] : "no state";
}

static bool has_cpu(const uint8_t *map, size_t map_len, size_t cpu) {
    return cpu / 8 < map_len && (map[cpu / 8] >> (cpu % 8) & 1);
}

char *format_cpumap(const uint8_t *map, size_t map_len, size_t n) {
    char *text = text_format("%*s", (int)n, "");

    for (size_t i = 0; i < n; i++)
        text[i] = has_cpu(map, map_len, i) ? 'y' : '-';
    return text;
}

char *format_cpulist(const uint8_t *map, size_t map_len, size_t n) {
    CLEANUP_BITMAP Bitmap *all = bitmap_new_range((unsigned)n), *bits = NULL;
    char *text = NULL;

    if (all && bitmap_from_bytes(map, map_len, &bits) == 0) {
        bitmap_intersect(bits, all);
        text = bitmap_format(bits);
    }
    return text ? text : out_of_memory();
}

json_object *json_cpulist(const uint8_t *map, size_t map_len, size_t n) {
    json_object *list = json_object_new_array();

    for (size_t i = 0; i < n; i++)
        if (has_cpu(map, map_len, i))
            json_object_array_add(list, json_object_new_int64((int64_t)i));
    return list;
}

/* ---- flags ---- */

int tool_exclusive(const Args *args, const char *a, const char *b) {
    if (args_has(args, a) && args_has(args, b))
        return tool_fail(NULL, "Options --%s and --%s are mutually exclusive", a, b);
    return 0;
}

int tool_affect_flags(const Args *args, unsigned *ret) {
    if (tool_exclusive(args, "current", "live") < 0 ||
        tool_exclusive(args, "current", "config") < 0)
        return -EINVAL;
    *ret = (args_has(args, "live") ? AFFECT_LIVE : 0u) |
           (args_has(args, "config") ? AFFECT_CONFIG : 0u);
    return 0;
}

int tool_bad_number(const Args *args, const char *option) {
    return tool_fail(NULL, "Numeric value '%s' for <%s> option is malformed or out of range",
                     args_string(args, option), option);
}
