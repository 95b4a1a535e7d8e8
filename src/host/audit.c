/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Audit records through libaudit. */
#include "host/audit.h"

#include <inttypes.h>
#include <libaudit.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "util/file.h"
#include "util/log.h"

#define VALUE_MAX 1024u
#define NUMBER_BYTES 16u

struct Auditor {
    AuditLevel level;
    int fd;
};

/* NAME="VALUE", or NAME=HEX when the value has a space, a quote, a control character or more than
 * ASCII. */
static char *encode(const char *name, const char *value) {
    CLEANUP_FREE char *cut = strndup(value ? value : "?", VALUE_MAX);

    /* No length is given: with one, libaudit ends a value at an embedded NUL, of which there is
     * none. */
    return cut ? audit_encode_nv_string(name, cut, 0) : NULL;
}

char *audit_control_text(const AuditVm *vm, const char *op, const char *reason, pid_t pid) {
    CLEANUP_FREE char *name = encode("vm", vm->name);

    return name ? strf("virt=%s op=%s reason=%s %s uuid=%s vm-pid=%d", vm->virt, op, reason, name,
                       vm->uuid, pid)
                : NULL;
}

/* The fields that every resource record begins with. */
static char *resource_text(const AuditVm *vm, const char *resource, const char *reason,
                           const char *rest) {
    CLEANUP_FREE char *name = encode("vm", vm->name);

    return name && rest ? strf("virt=%s resrc=%s reason=%s %s uuid=%s %s", vm->virt, resource,
                               reason, name, vm->uuid, rest)
                        : NULL;
}

char *audit_count_text(const AuditVm *vm, const char *resource, const char *reason,
                       uint64_t old_count, uint64_t new_count) {
    CLEANUP_FREE char *rest = strf("old-%s=%" PRIu64 " new-%s=%" PRIu64, resource, old_count,
                                   resource, new_count);

    return resource_text(vm, resource, reason, rest);
}

char *audit_device_text(const AuditVm *vm, const char *resource, const char *reason,
                        const char *old_source, const char *new_source) {
    CLEANUP_FREE char *old_field = strf("old-%s", resource), *new_field = strf("new-%s", resource);
    CLEANUP_FREE char *before = old_field ? encode(old_field, old_source) : NULL;
    CLEANUP_FREE char *after = new_field ? encode(new_field, new_source) : NULL;
    CLEANUP_FREE char *rest = before && after ? strf("%s %s", before, after) : NULL;

    return resource_text(vm, resource, reason, rest);
}

static char *device_number(const char *path) {
    struct stat info;

    if (stat(path, &info) == 0 && (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)))
        return strf("%02X:%02X", major(info.st_rdev), minor(info.st_rdev));
    return strdup("?");
}

char *audit_cgroup_text(const AuditVm *vm, const char *reason, const char *cgroup, const char *path,
                        const char *acl) {
    CLEANUP_FREE char *group = encode("cgroup", cgroup), *file = path ? encode("path", path) : NULL;
    CLEANUP_FREE char *rdev = path ? device_number(path) : NULL, *rest = NULL;

    if (!group || (path && (!file || !rdev)))
        return NULL;
    rest = path ? strf("%s class=path %s rdev=%s acl=%s", group, file, rdev, acl)
                : strf("%s class=all", group);
    return resource_text(vm, "cgroup", reason, rest);
}

static uint32_t read_number(pid_t pid, const char *name) {
    CLEANUP_FREE char *path = strf("/proc/%d/%s", (int)pid, name), *text = NULL;
    unsigned number;

    return path && file_read(path, NUMBER_BYTES, &text, NULL) >= 0 &&
                   sscanf(text, "%u", &number) == 1
               ? number
               : UINT32_MAX;
}

void audit_caller_look(AuditCaller *caller) {
    caller->auid = read_number(caller->pid, "loginuid");
    caller->ses = read_number(caller->pid, "sessionid");
}

char *audit_call_text(const AuditVm *vm, const char *api, const AuditCaller *caller) {
    CLEANUP_FREE char *name = encode("vm", vm ? vm->name : NULL);
    const char *addr = caller->addr ? caller->addr : "";

    return name ? strf("virt=%s op=%s reason=call %s uuid=%s caller-pid=%d caller-uid=%u "
                       "caller-auid=%u caller-ses=%u%s%s",
                       vm ? vm->virt : "qemu", api, name, vm ? vm->uuid : "?", (int)caller->pid,
                       (unsigned)caller->uid, (unsigned)caller->auid, (unsigned)caller->ses,
                       *addr ? " caller-addr=" : "", addr)
                : NULL;
}

/* audit_is_enabled(3): 1 enabled, 2 enabled and locked. */
static int check_enabled(int fd, Error **reterr) {
    int enabled = audit_is_enabled(fd);

    if (enabled > 0)
        return 0;
    return error_report(
        reterr, FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
        "audit is required (audit_level), but the host's audit is switched off; start auditd "
        "or run 'auditctl -e 1'");
}

int auditor_new(AuditLevel level, Auditor **ret, Error **reterr) {
    CLEANUP(auditor_freep) Auditor *auditor = calloc(1, sizeof(Auditor));
    int r;

    assert(level >= 0 && level < AUDIT_LEVEL_MAX);
    if (!auditor)
        return error_no_memory(reterr);
    auditor->level = level;
    auditor->fd = -1;
    if (level != AUDIT_LEVEL_OFF)
        auditor->fd = audit_open();
    if (auditor->fd < 0 && level == AUDIT_LEVEL_REQUIRED)
        return error_system(
            reterr, FROM_NONE, errno,
            "audit is required (audit_level), but the kernel's audit socket cannot be "
            "opened");
    r = level == AUDIT_LEVEL_REQUIRED ? check_enabled(auditor->fd, reterr) : 0;
    if (r < 0)
        return r;
    *ret = TAKE_PTR(auditor);
    return 0;
}

void auditor_free(Auditor *auditor) {
    if (!auditor)
        return;
    if (auditor->fd >= 0)
        audit_close(auditor->fd);
    free(auditor);
}

bool auditor_is_active(const Auditor *auditor) {
    return auditor->fd >= 0;
}

static int send_text(Auditor *auditor, AuditType type, const char *text, bool success,
                     Error **reterr) {
    static const int types[AUDIT_TYPE_MAX] = {
        [AUDIT_TYPE_CONTROL] = AUDIT_VIRT_CONTROL,
        [AUDIT_TYPE_RESOURCE] = AUDIT_VIRT_RESOURCE,
        [AUDIT_TYPE_CALL] = AUDIT_TRUSTED_APP,
    };
    /* The kernel takes a record with audit switched off and drops it, so that has to be asked for.
     */
    int r = auditor->level == AUDIT_LEVEL_REQUIRED ? check_enabled(auditor->fd, reterr) : 0;

    if (r < 0)
        return r;
    /* The terminal is the daemon's and says nothing: "?" rather than whatever stdin is. */
    if (audit_log_user_message(auditor->fd, types[type], text, NULL, NULL, "?", success) > 0)
        return 0;
    return error_system(reterr, FROM_NONE, errno ? errno : EIO,
                        "cannot write the audit record '%s'", text);
}

int auditor_send(Auditor *auditor, AuditType type, const char *text, bool success, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    int r;

    assert(type >= 0 && type < AUDIT_TYPE_MAX);
    if (auditor->fd < 0)
        return 0;
    if (text) {
        r = send_text(auditor, type, text, success, &error);
    } else {
        r = error_no_memory(&error);
    }
    if (r < 0 && auditor->level == AUDIT_LEVEL_REQUIRED) {
        error_propagate(reterr, TAKE_PTR(error));
        return r;
    }
    if (r < 0)
        log_debug("ignoring: %s", error_message(error));
    return 0;
}
