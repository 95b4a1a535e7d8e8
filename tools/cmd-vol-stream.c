/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is in a volume, to and from files. */
#include <fcntl.h>

#include "stream.h"
#include "tables.h"
#include "volume.h"

#define SPARSE_STREAM 1 /* virStorageVolDownloadFlags, virStorageVolUploadFlags */

/* --offset and --length in bytes, or with a unit. */
static int read_range(const Args *args, uint64_t *ret_offset, uint64_t *ret_length) {
    if (args_size(args, "offset", 1, INT64_MAX, ret_offset) < 0)
        return tool_bad_number(args, "offset");
    if (args_size(args, "length", 1, INT64_MAX, ret_length) < 0)
        return tool_bad_number(args, "length");
    return 0;
}

static int cmd_vol_upload(Tool *tool, const Args *args) {
    const char *path = args_string(args, "file");
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    const bool sparse = args_has(args, "sparse");
    remote_storage_vol_upload_args call = {0};
    CLEANUP_VOLUME Volume vol = {0};
    CLEANUP_ERROR Error *error = NULL;
    RpcClientStream stream;
    uint64_t offset = 0, length = 0;
    int r;

    if (fd < 0)
        return tool_fail(NULL, "cannot open %s: %s", path, strerror(errno));
    if (read_range(args, &offset, &length) < 0 || volume_lookup(tool, args, &vol) < 0)
        return -EIO;
    call = (remote_storage_vol_upload_args){
        .vol = vol, .offset = offset, .length = length, .flags = sparse ? SPARSE_STREAM : 0};
    r = rpc_client_stream_begin(tool->client, REMOTE_PROGRAM, REMOTE_PROC_STORAGE_VOL_UPLOAD,
                                (xdrproc_t)xdr_remote_storage_vol_upload_args, &call, NULL, NULL,
                                &stream, &error);
    if (r < 0)
        return tool_fail(error, "cannot upload to volume %s", vol.name);
    if (stream_from_file(&stream, fd, length, sparse, &error) < 0)
        return tool_fail(error, "cannot send data to volume %s", vol.name);
    return 0;
}

static int cmd_vol_download(Tool *tool, const Args *args) {
    const char *path = args_string(args, "file");
    const bool sparse = args_has(args, "sparse");
    remote_storage_vol_download_args call = {0};
    CLEANUP_VOLUME Volume vol = {0};
    CLEANUP_ERROR Error *error = NULL;
    RpcClientStream stream;
    uint64_t offset = 0, length = 0;
    int r;

    if (read_range(args, &offset, &length) < 0 || volume_lookup(tool, args, &vol) < 0)
        return -EIO;
    call = (remote_storage_vol_download_args){
        .vol = vol, .offset = offset, .length = length, .flags = sparse ? SPARSE_STREAM : 0};
    r = rpc_client_stream_begin(tool->client, REMOTE_PROGRAM, REMOTE_PROC_STORAGE_VOL_DOWNLOAD,
                                (xdrproc_t)xdr_remote_storage_vol_download_args, &call, NULL, NULL,
                                &stream, &error);
    if (r < 0)
        return tool_fail(error, "cannot download from volume %s", vol.name);
    if (stream_to_path(&stream, path, &error) < 0)
        return tool_fail(error, "cannot receive data from volume %s", vol.name);
    return 0;
}

/* ---- tables ---- */

static const Option stream_options[] = {
    {"vol", OPTION_STRING, true, "name, key or path of the volume"},
    {"file", OPTION_STRING, true, "the file", .value = VALUE_FILE},
    {"pool", OPTION_STRING, false, "name or uuid of the pool", .value = VALUE_POOL},
    {"offset", OPTION_STRING, false, "where in the volume to begin"},
    {"length", OPTION_STRING, false, "how much, otherwise all"},
    {"sparse", OPTION_FLAG, false, "holes stay holes"},
    OPTION_END};

const Command commands_vol_stream[] = {{.name = "vol-download",
                                        .help = "write what is in a volume to a file",
                                        .options = stream_options,
                                        .run = cmd_vol_download},
                                       {.name = "vol-upload",
                                        .help = "write a file into a volume",
                                        .options = stream_options,
                                        .run = cmd_vol_upload},
                                       {0}};
