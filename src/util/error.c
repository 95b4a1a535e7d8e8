/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Errors: libvirt's numbers, one sentence, and the wire extras that go with it. */
#include "util/error.h"

#include <stdio.h>

/* How each code begins its sentence (WIRE.md 3.5), and the errno a C caller sees. */
static const struct {
    ErrorCode code;
    int errnum;
    const char *format;
} codes[] = {
    {ERROR_INTERNAL, EIO, "internal error: %s"},
    {ERROR_NO_MEMORY, ENOMEM, "out of memory: %s"},
    {ERROR_NO_SUPPORT, ENOSYS, "this function is not supported by the connection driver: %s"},
    {ERROR_NO_CONNECT, ENOTCONN, "no connection driver available for %s"},
    {ERROR_INVALID_ARG, EINVAL, "invalid argument: %s"},
    {ERROR_OPERATION_FAILED, EIO, "operation failed: %s"},
    {ERROR_NO_NAME, EINVAL, "missing name information"},
    {ERROR_XML, EINVAL, "XML error: %s"},
    {ERROR_OPERATION_DENIED, EPERM, "operation forbidden: %s"},
    {ERROR_XML_DETAIL, EINVAL, "%s"},
    {ERROR_XML_INVALID_SCHEMA, EINVAL, "XML document failed to validate against schema: %s"},
    {ERROR_SYSTEM, EIO, "%s"},
    {ERROR_RPC, EPROTO, "%s"},
    {ERROR_NO_DOMAIN, ENOENT, "Domain not found: %s"},
    {ERROR_NO_NETWORK, ENOENT, "Network not found: %s"},
    {ERROR_INVALID_MAC, EINVAL, "invalid MAC address: %s"},
    {ERROR_AUTH_FAILED, EACCES, "authentication failed: %s"},
    {ERROR_NO_STORAGE_POOL, ENOENT, "Storage pool not found: %s"},
    {ERROR_NO_STORAGE_VOL, ENOENT, "Storage volume not found: %s"},
    {ERROR_NO_NODE_DEVICE, ENOENT, "Node device not found: %s"},
    {ERROR_OPERATION_INVALID, EBADFD, "Requested operation is not valid: %s"},
    {ERROR_NO_INTERFACE, ENOENT, "Interface not found: %s"},
    {ERROR_NO_NWFILTER, ENOENT, "Network filter not found: %s"},
    {ERROR_NO_SECRET, ENOENT, "Secret not found: %s"},
    {ERROR_CONFIG_UNSUPPORTED, EOPNOTSUPP, "unsupported configuration: %s"},
    {ERROR_OPERATION_TIMEOUT, ETIMEDOUT, "Timed out during operation: %s"},
    {ERROR_MIGRATE_PERSIST_FAILED, EIO, "Failed to make domain persistent after migration: %s"},
    {ERROR_ARGUMENT_UNSUPPORTED, EOPNOTSUPP, "argument unsupported: %s"},
    {ERROR_OPERATION_ABORTED, ECANCELED, "operation aborted: %s"},
    {ERROR_SNAPSHOT_REVERT_RISKY, EPERM, "revert requires force: %s"},
    {ERROR_NO_DOMAIN_METADATA, ENOENT, "metadata not found: %s"},
    {ERROR_MIGRATE_UNSAFE, EPERM, "Unsafe migration: %s"},
    {ERROR_BLOCK_COPY_ACTIVE, EBUSY, "block copy still active: %s"},
    {ERROR_OVERFLOW, EOVERFLOW, "numerical overflow: %s"},
    {ERROR_OPERATION_UNSUPPORTED, EOPNOTSUPP, "Operation not supported: %s"},
    {ERROR_AGENT_UNRESPONSIVE, EHOSTUNREACH, "Guest agent is not responding: %s"},
    {ERROR_RESOURCE_BUSY, EBUSY, "resource busy: %s"},
    {ERROR_AUTH_UNAVAILABLE, EACCES, "authentication unavailable: %s"},
    {ERROR_ACCESS_DENIED, EACCES, "access denied: %s"},
    {ERROR_CPU_INCOMPATIBLE, EINVAL, "the CPU is incompatible with host CPU: %s"},
    {ERROR_STORAGE_VOL_EXIST, EEXIST, "storage volume %s exists already"},
    {ERROR_MIGRATE_FINISH_OK, ECANCELED, "migration successfully aborted%s"},
    {ERROR_NO_SERVER, ENOENT, "Server not found: %s"},
    {ERROR_NO_CLIENT, ENOENT, "Client not found: %s"},
    {ERROR_DEVICE_MISSING, ENODEV, "device not found: %s"},
    {ERROR_NO_DOMAIN_SNAPSHOT, ENOENT, "Domain snapshot not found: %s"},
    {ERROR_NO_DOMAIN_CHECKPOINT, ENOENT, "Domain checkpoint not found: %s"},
    {ERROR_NO_DOMAIN_BACKUP, ENOENT, "Domain backup job id not found: %s"},
    {ERROR_NO_NWFILTER_BINDING, ENOENT, "Network filter binding not found: %s"},
    {ERROR_INVALID_SECRET, EACCES, "Invalid secret: %s"},
    {ERROR_NO_HOSTNAME, ENOENT, "no hostname found: %s"},
};

static Error no_memory = {.code = ERROR_NO_MEMORY, .int1 = -1, .int2 = -1};
static char no_memory_text[] = "out of memory";

static const char *code_format(ErrorCode code) {
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        if (codes[i].code == code)
            return codes[i].format;
    return "%s";
}

int error_to_errno(ErrorCode code) {
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        if (codes[i].code == code)
            return -codes[i].errnum;
    return -EIO;
}

static char *replace_percent_s(const char *format, const char *detail) {
    const char *at = strstr(format, "%s");
    char *text = NULL;
    int r;

    if (!at)
        return strdup(format);
    r = asprintf(&text, "%.*s%s%s", (int)(at - format), format, detail, at + 2);
    return r < 0 ? NULL : text;
}

static void set(Error **reterr, Error *error) {
    if (!reterr) {
        error_free(error);
        return;
    }
    error_free(*reterr);
    *reterr = error;
}

int error_no_memory(Error **reterr) {
    no_memory.message = no_memory_text;
    if (reterr) {
        error_free(*reterr);
        *reterr = &no_memory;
    }
    return -ENOMEM;
}

/* Takes detail; str1 gets a copy of format. */
static int make(Error **reterr, ErrorFrom from, ErrorCode code, char *detail, const char *format) {
    Error *error = calloc(1, sizeof(Error));

    if (error)
        *error = (Error){.code = code, .from = from, .str2 = detail, .int1 = -1, .int2 = -1};
    if (!error || !detail) {
        free(error ? NULL : detail);
        error_free(error);
        return error_no_memory(reterr);
    }
    error->message = replace_percent_s(format, detail);
    error->str1 = strdup(format);
    if (!error->message || !error->str1) {
        error_free(error);
        return error_no_memory(reterr);
    }
    set(reterr, error);
    return error_to_errno(code);
}

int error_report(Error **reterr, ErrorFrom from, ErrorCode code, const char *format, ...) {
    char *detail = NULL;
    va_list args;

    if (!reterr)
        return error_to_errno(code);
    va_start(args, format);
    if (vasprintf(&detail, format, args) < 0)
        detail = NULL;
    va_end(args);
    return make(reterr, from, code, detail, code_format(code));
}

int error_argument(Error **reterr, const char *api, const char *argument, const char *format, ...) {
    Error *error;
    va_list args;

    if (!reterr)
        return -EINVAL;
    error = calloc(1, sizeof(Error));
    if (!error)
        return error_no_memory(reterr);
    *error = (Error){.code = ERROR_INVALID_ARG, .from = FROM_DOMAIN};
    va_start(args, format);
    if (vasprintf(&error->message, format, args) < 0)
        error->message = NULL;
    va_end(args);
    error->str1 = strdup(api);
    error->str2 = strdup(argument);
    if (!error->message || !error->str1 || !error->str2) {
        error_free(error);
        return error_no_memory(reterr);
    }
    set(reterr, error);
    return -EINVAL;
}

int error_system(Error **reterr, ErrorFrom from, int errnum, const char *format, ...) {
    CLEANUP_FREE char *detail = NULL;
    char *text = NULL;
    va_list args;
    int r;

    errnum = abs(errnum);
    if (!reterr)
        return -errnum;
    va_start(args, format);
    r = vasprintf(&detail, format, args);
    va_end(args);
    if (r < 0) {
        detail = NULL;
        return error_no_memory(reterr);
    }
    if (asprintf(&text, "%s: %s", detail, strerror(errnum)) < 0)
        return error_no_memory(reterr);
    r = make(reterr, from, ERROR_SYSTEM, text, "%s");
    return r == -ENOMEM ? r : -errnum;
}

int error_set_raw(Error **reterr, ErrorFrom from, ErrorCode code, const char *message) {
    if (!reterr)
        return error_to_errno(code);
    return make(reterr, from, code, strdup(message ? message : "unknown error"), "%s");
}

void error_prefix(Error **reterr, const char *format, ...) {
    CLEANUP_FREE char *prefix = NULL;
    char *text = NULL;
    va_list args;
    int r;

    if (!reterr || !*reterr || *reterr == &no_memory)
        return;
    va_start(args, format);
    r = vasprintf(&prefix, format, args);
    va_end(args);
    if (r < 0) {
        prefix = NULL;
        return;
    }
    if (asprintf(&text, "%s: %s", prefix, (*reterr)->message) < 0)
        return;
    free((*reterr)->message);
    (*reterr)->message = text;
}

int error_propagate(Error **reterr, Error *src) {
    int r = src ? error_to_errno(src->code) : -EIO;

    if (src == &no_memory)
        return error_no_memory(reterr);
    if (!src && reterr)
        return error_report(reterr, FROM_NONE, ERROR_INTERNAL, "unknown error");
    set(reterr, src);
    return r;
}

const char *error_message(const Error *error) {
    return error && error->message ? error->message : "unknown error";
}

void error_free(Error *error) {
    if (!error || error == &no_memory)
        return;
    free(error->message);
    free(error->str1);
    free(error->str2);
    free(error);
}
