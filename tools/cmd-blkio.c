/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What disks may do: shares of the host's, and limits of each. */
#include "param.h"
#include "tables.h"

#define SETTINGS_MAX 32 /* the protocol's limit */

/* ---- blkiotune ---- */

static const struct Text {
    const char *option, *field;
} texts[] = {{"device-weights", "device_weight"},
             {"device-read-iops-sec", "device_read_iops_sec"},
             {"device-write-iops-sec", "device_write_iops_sec"},
             {"device-read-bytes-sec", "device_read_bytes_sec"},
             {"device-write-bytes-sec", "device_write_bytes_sec"}};

static int read_shares(const Args *args, remote_typed_param *params, u_int *n) {
    long long weight = 0;
    int r = args_number(args, "weight", INT32_MIN, INT32_MAX, &weight);

    if (r < 0)
        return tool_bad_number(args, "weight");
    if (r > 0 && weight <= 0)
        return tool_fail(NULL, "Invalid value of %lld for I/O weight", weight);
    if (r > 0) {
        params[*n] = (remote_typed_param){.field = (char *)"weight", .value = {.type = PARAM_UINT}};
        params[(*n)++].value.remote_param_value_u.ui = (unsigned)weight;
    }
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        const char *text = args_string(args, texts[i].option);

        if (text)
            param_parse(texts[i].field, PARAM_STRING, text, &params[(*n)++], NULL);
    }
    return 0;
}

static int show_shares(Tool *tool, const remote_domain *dom, unsigned flags) {
    remote_domain_get_blkio_parameters_args call = {.dom = *dom, .flags = flags};
    CLEANUP(params_done) ParamList list = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (params_get(tool, REMOTE_PROC_DOMAIN_GET_BLKIO_PARAMETERS,
                   (xdrproc_t)xdr_remote_domain_get_blkio_parameters_args, &call, &call.nparams,
                   &list, &error) < 0)
        return tool_fail(error, call.nparams ? "Unable to get blkio parameters"
                                             : "Unable to get number of blkio parameters");
    params_print(tool, list.params.params_val, list.params.params_len, 15, NULL);
    return 0;
}

static int cmd_blkiotune(Tool *tool, const Args *args) {
    remote_typed_param params[ARRAY_SIZE(texts) + 1];
    remote_domain_set_blkio_parameters_args call = {.params = {.params_val = params}};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (tool_affect_flags(args, &call.flags) < 0 || tool_domain(tool, args, &dom) < 0 ||
        read_shares(args, params, &call.params.params_len) < 0)
        return -EIO;
    if (call.params.params_len == 0)
        return show_shares(tool, &dom, call.flags | TYPED_PARAM_STRING_OKAY);
    call.dom = dom;
    if (CALL_VOID(tool, DOMAIN_SET_BLKIO_PARAMETERS, remote_domain_set_blkio_parameters_args, &call,
                  &error) < 0)
        return tool_fail(error, "Unable to change blkio parameters");
    return 0;
}

/* ---- blkdeviotune ---- */

/* An option's name with '_' instead of '-' is the parameter's. Sizes may have units. */
static const char *const tunes[] = {"total-bytes-sec",
                                    "read-bytes-sec",
                                    "write-bytes-sec",
                                    "total-bytes-sec-max",
                                    "read-bytes-sec-max",
                                    "write-bytes-sec-max",
                                    "size-iops-sec",
                                    "total-iops-sec",
                                    "read-iops-sec",
                                    "write-iops-sec",
                                    "total-iops-sec-max",
                                    "read-iops-sec-max",
                                    "write-iops-sec-max",
                                    "total-bytes-sec-max-length",
                                    "read-bytes-sec-max-length",
                                    "write-bytes-sec-max-length",
                                    "total-iops-sec-max-length",
                                    "read-iops-sec-max-length",
                                    "write-iops-sec-max-length"};

static char *field_of(const char *option) {
    char *field = text_format("%s", option);

    for (char *at = field; *at; at++)
        if (*at == '-')
            *at = '_';
    return field;
}

/* The caller frees the fields. */
static int read_tunes(const Args *args, remote_typed_param *params, u_int *n) {
    const char *group = args_string(args, "group-name");

    for (size_t i = 0; i < ARRAY_SIZE(tunes); i++) {
        uint64_t value = 0;
        int r = args_size(args, tunes[i], 1, UINT64_MAX, &value);

        if (r < 0) {
            tool_bad_number(args, tunes[i]);
            return tool_fail(NULL, "Unable to parse integer parameter");
        }
        if (r == 0)
            continue;
        params[*n] = (remote_typed_param){.field = field_of(tunes[i]),
                                          .value = {.type = PARAM_ULLONG}};
        params[(*n)++].value.remote_param_value_u.ul = value;
    }
    if (group) {
        params[*n] = (remote_typed_param){.field = field_of("group-name"),
                                          .value = {.type = PARAM_STRING}};
        params[(*n)++].value.remote_param_value_u.s = (char *)group;
    }
    return 0;
}

static int show_tunes(Tool *tool, const remote_domain *dom, const char *disk, unsigned flags) {
    remote_string text = (char *)disk;
    remote_domain_get_block_io_tune_args call = {.dom = *dom, .disk = &text, .flags = flags};
    CLEANUP(params_done) ParamList list = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (params_get(tool, REMOTE_PROC_DOMAIN_GET_BLOCK_IO_TUNE,
                   (xdrproc_t)xdr_remote_domain_get_block_io_tune_args, &call, &call.nparams, &list,
                   &error) < 0)
        return tool_fail(error, call.nparams ? "Unable to get block I/O throttle parameters"
                                             : "Unable to get number of block I/O throttle "
                                               "parameters");
    params_print(tool, list.params.params_val, list.params.params_len, 15, NULL);
    return 0;
}

static int cmd_blkdeviotune(Tool *tool, const Args *args) {
    remote_typed_param params[SETTINGS_MAX];
    remote_domain_set_block_io_tune_args call = {.disk = (char *)args_string(args, "device"),
                                                 .params = {.params_val = params}};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    int r;

    if (tool_affect_flags(args, &call.flags) < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    r = read_tunes(args, params, &call.params.params_len);
    call.dom = dom;
    if (r == 0 && call.params.params_len == 0)
        return show_tunes(tool, &dom, call.disk, call.flags | TYPED_PARAM_STRING_OKAY);
    if (r == 0 && CALL_VOID(tool, DOMAIN_SET_BLOCK_IO_TUNE, remote_domain_set_block_io_tune_args,
                            &call, &error) < 0)
        r = tool_fail(error, "Unable to change block I/O throttle");
    for (u_int i = 0; i < call.params.params_len; i++)
        free(params[i].field);
    return r;
}

/* ---- tables ---- */

static const Option blkdeviotune_options[] = {
    OPTION_DOMAIN,
    {"device", OPTION_STRING, true, "target of the disk, as vda"},
    {"total-bytes-sec", OPTION_NUMBER, false, "total bytes sec"},
    {"read-bytes-sec", OPTION_NUMBER, false, "read bytes sec"},
    {"write-bytes-sec", OPTION_NUMBER, false, "write bytes sec"},
    {"total-iops-sec", OPTION_NUMBER, false, "total iops sec"},
    {"read-iops-sec", OPTION_NUMBER, false, "read iops sec"},
    {"write-iops-sec", OPTION_NUMBER, false, "write iops sec"},
    {"total-bytes-sec-max", OPTION_NUMBER, false, "total bytes sec max"},
    {"read-bytes-sec-max", OPTION_NUMBER, false, "read bytes sec max"},
    {"write-bytes-sec-max", OPTION_NUMBER, false, "write bytes sec max"},
    {"total-iops-sec-max", OPTION_NUMBER, false, "total iops sec max"},
    {"read-iops-sec-max", OPTION_NUMBER, false, "read iops sec max"},
    {"write-iops-sec-max", OPTION_NUMBER, false, "write iops sec max"},
    {"size-iops-sec", OPTION_NUMBER, false, "size iops sec"},
    {"group-name", OPTION_STRING, false, "group name"},
    {"total-bytes-sec-max-length", OPTION_NUMBER, false, "total bytes sec max length"},
    {"read-bytes-sec-max-length", OPTION_NUMBER, false, "read bytes sec max length"},
    {"write-bytes-sec-max-length", OPTION_NUMBER, false, "write bytes sec max length"},
    {"total-iops-sec-max-length", OPTION_NUMBER, false, "total iops sec max length"},
    {"read-iops-sec-max-length", OPTION_NUMBER, false, "read iops sec max length"},
    {"write-iops-sec-max-length", OPTION_NUMBER, false, "write iops sec max length"},
    OPTION_CONFIG,
    OPTION_LIVE,
    OPTION_CURRENT,
    OPTION_END};
static const Option blkiotune_options[] = {
    OPTION_DOMAIN,
    {"weight", OPTION_NUMBER, false, "share of the disks' time"},
    {"device-weights", OPTION_STRING, false, "shares by device, /path/to/device,weight,..."},
    {"device-read-iops-sec", OPTION_STRING, false, "reads a second by device, /path,number,..."},
    {"device-write-iops-sec", OPTION_STRING, false, "writes a second by device"},
    {"device-read-bytes-sec", OPTION_STRING, false, "bytes read a second by device"},
    {"device-write-bytes-sec", OPTION_STRING, false, "bytes written a second by device"},
    OPTION_CONFIG,
    OPTION_LIVE,
    OPTION_CURRENT,
    OPTION_END};

const Command commands_blkio[] = {{.name = "blkdeviotune",
                                   .help = "get or set limits of a disk",
                                   .options = blkdeviotune_options,
                                   .json = true,
                                   .run = cmd_blkdeviotune},
                                  {.name = "blkiotune",
                                   .help = "get or set shares of the disks",
                                   .options = blkiotune_options,
                                   .json = true,
                                   .run = cmd_blkiotune},
                                  {0}};
