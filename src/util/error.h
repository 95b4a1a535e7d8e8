/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The error a person can meet: libvirt's code and domain numbers and one sentence.
 *
 * Functions that can fail return 0 (or a count) on success and a negative errno on failure. Those
 * whose failure a client may see take `Error **reterr` as last parameter: it is set on failure
 * only, never on success, and the caller owns it. Passing NULL means "I do not want the sentence".
 */
#pragma once

#include <stdarg.h>

#include "util/macro.h"

/* Numbers of libvirt's virErrorNumber (public header libvirt/virterror.h); a unit test asserts that
 * they equal Debian's libvirt-dev. */
typedef enum ErrorCode {
    ERROR_OK = 0,
    ERROR_INTERNAL = 1,
    ERROR_NO_MEMORY = 2,
    ERROR_NO_SUPPORT = 3,
    ERROR_NO_CONNECT = 5,
    ERROR_INVALID_ARG = 8,
    ERROR_OPERATION_FAILED = 9,
    ERROR_NO_NAME = 21,
    ERROR_XML = 27,
    ERROR_OPERATION_DENIED = 29,
    ERROR_XML_DETAIL = 35,
    ERROR_SYSTEM = 38,
    ERROR_RPC = 39,
    ERROR_NO_DOMAIN = 42,
    ERROR_NO_NETWORK = 43,
    ERROR_INVALID_MAC = 44,
    ERROR_AUTH_FAILED = 45,
    ERROR_NO_STORAGE_POOL = 49,
    ERROR_NO_STORAGE_VOL = 50,
    ERROR_NO_NODE_DEVICE = 53,
    ERROR_OPERATION_INVALID = 55,
    ERROR_NO_INTERFACE = 57,
    ERROR_NO_NWFILTER = 62,
    ERROR_INVALID_SECRET = 65,
    ERROR_NO_SECRET = 66,
    ERROR_CONFIG_UNSUPPORTED = 67,
    ERROR_OPERATION_TIMEOUT = 68,
    ERROR_MIGRATE_PERSIST_FAILED = 69,
    ERROR_NO_DOMAIN_SNAPSHOT = 72,
    ERROR_ARGUMENT_UNSUPPORTED = 74,
    ERROR_SNAPSHOT_REVERT_RISKY = 77,
    ERROR_OPERATION_ABORTED = 78,
    ERROR_NO_DOMAIN_METADATA = 80,
    ERROR_MIGRATE_UNSAFE = 81,
    ERROR_OVERFLOW = 82,
    ERROR_BLOCK_COPY_ACTIVE = 83,
    ERROR_OPERATION_UNSUPPORTED = 84,
    ERROR_AGENT_UNRESPONSIVE = 86,
    ERROR_RESOURCE_BUSY = 87,
    ERROR_ACCESS_DENIED = 88,
    ERROR_CPU_INCOMPATIBLE = 91,
    ERROR_STORAGE_VOL_EXIST = 90,
    ERROR_XML_INVALID_SCHEMA = 92,
    ERROR_AUTH_UNAVAILABLE = 94,
    ERROR_MIGRATE_FINISH_OK = 93,
    ERROR_NO_SERVER = 95,
    ERROR_NO_CLIENT = 96,
    ERROR_DEVICE_MISSING = 99,
    ERROR_NO_NWFILTER_BINDING = 101,
    ERROR_NO_DOMAIN_CHECKPOINT = 103,
    ERROR_NO_DOMAIN_BACKUP = 104,
    ERROR_NO_HOSTNAME = 108,
} ErrorCode;

/* Numbers of libvirt's virErrorDomain: which part speaks. */
typedef enum ErrorFrom {
    FROM_NONE = 0,
    FROM_XML = 5,
    FROM_RPC = 7,
    FROM_QEMU = 10,
    FROM_REMOTE = 13,
    FROM_STORAGE = 18,
    FROM_NETWORK = 19,
    FROM_DOMAIN = 20,
    FROM_NODEDEV = 22,
    FROM_SECURITY = 24,
    FROM_INTERFACE = 26,
    FROM_SECRET = 30,
    FROM_CPU = 31,
    FROM_NWFILTER = 33,
    FROM_DOMAIN_SNAPSHOT = 35,
    FROM_STREAMS = 38,
    FROM_CGROUP = 54,
    FROM_POLKIT = 60,
    FROM_ADMIN = 62,
    FROM_RESCTRL = 67,
    FROM_DOMAIN_CHECKPOINT = 69,
} ErrorFrom;

typedef struct Error {
    ErrorCode code;
    ErrorFrom from;
    char *message; /* the whole sentence, never NULL */
    char *str1;    /* wire extras, see WIRE.md 1.3; may be NULL */
    char *str2;
    int int1; /* -1 for reported errors, 0 for argument checks */
    int int2;
} Error;

/* A reported error: message = the code's prefix ("invalid argument: %s") with the formatted detail.
 * Always returns the negative errno that goes with the code (-EINVAL, -ENOENT, -ETIMEDOUT, ...), so
 * that `return error_report(reterr, ...)` is the idiom. An error already in *reterr is replaced. */
int error_report(Error **reterr, ErrorFrom from, ErrorCode code, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* An API argument check (WIRE.md 1.3 form 2): code 8, domain 20, str1 = API name, str2 = argument;
 * the message is the formatted text without prefix. Returns -EINVAL. */
int error_argument(Error **reterr, const char *api, const char *argument, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* ERROR_SYSTEM with "<detail>: <strerror>"; errnum positive or negative; returns -abs(errnum). */
int error_system(Error **reterr, ErrorFrom from, int errnum, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* Out of memory: sets a static sentence without allocating more than it must; returns -ENOMEM. */
int error_no_memory(Error **reterr);

/* Builds an error from its parts without adding the code's prefix (a message that came over the
 * wire). Returns the negative errno that goes with the code. */
int error_set_raw(Error **reterr, ErrorFrom from, ErrorCode code, const char *message);

/* Puts "<formatted>: " in front of the message, keeping code and wire extras. No-op without error.
 */
void error_prefix(Error **reterr, const char *format, ...) PRINTF_LIKE(2, 3);

/* Moves src into *reterr, or frees src when nobody wants it. Returns src's negative errno. */
int error_propagate(Error **reterr, Error *src);

/* The negative errno that goes with a code; -EIO for codes without a better one. */
int error_to_errno(ErrorCode code);

/* The message, or "unknown error" for NULL; never NULL. */
const char *error_message(const Error *error);

/* Frees; takes NULL. */
void error_free(Error *error);
DEFINE_CLEANUP(Error *, error_free)
#define CLEANUP_ERROR CLEANUP(error_freep)
