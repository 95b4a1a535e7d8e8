/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/prepare-secret.h"

#include <unistd.h>

#include "driver/secret-file.h"
#include "util/file.h"
#include "util/json.h"

#define COMMAND_USEC (30 * USEC_PER_SEC)

typedef struct Opening {
    Domain *domain;
    const DiskDef *disk;
    StartParts *parts;
    bool running; /* QEMU is told of each, else it is born with them */
    Error **reterr;
} Opening;

/* ---- values ---- */

/* "NAME=VALUE; NAME=VALUE". Caller frees; NULL: out of memory. */
static char *cookie_text(const StorageSource *source) {
    char *text = NULL;

    for (size_t i = 0; i < source->n_cookies; i++) {
        const StorageCookie *cookie = &source->cookies[i];
        char *longer = strf("%s%s%s=%s", text ? text : "", text ? "; " : "", cookie->name,
                            cookie->value ? cookie->value : "");

        if (text)
            explicit_bzero(text, strlen(text));
        free(text);
        text = longer;
        if (!text)
            return NULL;
    }
    return text;
}

static int open_cookies(const StorageSource *source, const char *whose, Error **reterr) {
    char *text = cookie_text(source);
    int fd = text ? secret_open_text(text, whose, reterr) : error_no_memory(reterr);

    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
    return fd;
}

static int open_value(const Opening *opening, const DiskSecret *secret, const char *whose) {
    const SecretStore *store = opening->domain->services->secrets;

    if (secret->encryption)
        return secret_open(store, secret->encryption, whose, opening->reterr);
    if (secret->auth)
        return secret_open_auth(store, secret->auth, secret->usage, whose, opening->reterr);
    return open_cookies(secret->cookies, whose, opening->reterr);
}

/* ---- descriptors ---- */

static int note(StartParts *parts, const DiskSecret *secret, int fd, int64_t fd_set) {
    QemuSecret *at = array_append(&parts->secrets, &parts->n_secrets, sizeof(QemuSecret));

    if (!at)
        return -ENOMEM;
    *at = (QemuSecret){.id = strdup(secret->id), .fd = fd, .fd_set = fd_set};
    parts->parts.secrets = parts->secrets;
    parts->parts.n_secrets = parts->n_secrets;
    return at->id ? 0 : -ENOMEM;
}

/* QEMU says which number the descriptor has there. */
static int give(Opening *opening, const DiskSecret *secret, int fd, Error **reterr) {
    const uint64_t deadline = deadline_in(COMMAND_USEC);
    CLEANUP_JSON json_object *reply = NULL;
    int r = domain_check_active(opening->domain, reterr);

    if (r < 0)
        return r;
    r = monitor_give_fds(opening->domain->run->monitor, &fd, 1, deadline);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r,
                            "cannot hand a descriptor to the QEMU of domain '%s'",
                            domain_name(opening->domain));
    r = monitor_run(opening->domain->run->monitor, "add-fd", NULL, deadline, &reply, reterr);
    if (r < 0)
        return r;
    return note(opening->parts, secret, (int)json_member_int(reply, "fd", -1),
                json_member_int(reply, "fdset-id", -1)) < 0
               ? error_no_memory(reterr)
               : 0;
}

static int open_one(const DiskSecret *secret, void *userdata) {
    Opening *opening = userdata;
    CLEANUP_FREE char *whose = strf("domain '%s': disk '%s'", domain_name(opening->domain),
                                    opening->disk->target);
    CLEANUP_CLOSE int fd = -1;
    int r;

    if (!whose)
        return error_no_memory(opening->reterr);
    fd = open_value(opening, secret, whose);
    if (fd < 0)
        return fd;
    if (opening->running)
        return give(opening, secret, fd, opening->reterr);
    r = start_parts_add_fd(opening->parts, TAKE_FD(fd));
    if (r >= 0)
        r = note(opening->parts, secret, r, -1);
    return r < 0 ? error_system(opening->reterr, FROM_QEMU, r, "%s: its secret is not handed over",
                                whose)
                 : 0;
}

int prepare_secrets(Domain *domain, StartParts *parts, Error **reterr) {
    const DomainDef *live = domain->run->live;
    Opening opening = {.domain = domain, .parts = parts, .reterr = reterr};
    int r = 0;

    for (size_t i = 0; r >= 0 && i < live->n_disks; i++) {
        opening.disk = &live->disks[i];
        r = device_each_secret(opening.disk, open_one, &opening);
    }
    return r;
}

int prepare_disk_secrets(Domain *domain, const DiskDef *disk, StartParts *parts, Error **reterr) {
    Opening opening = {
        .domain = domain, .disk = disk, .parts = parts, .running = true, .reterr = reterr};

    assert(domain_job_is_mine(domain));
    return device_each_secret(disk, open_one, &opening);
}

void prepare_secrets_close(Domain *domain, const StartParts *parts) {
    assert(domain_job_is_mine(domain));
    for (size_t i = 0; i < parts->n_secrets && domain->run; i++) {
        json_object *arguments = parts->secrets[i].fd_set < 0 ? NULL : json_object_new_object();

        if (arguments && json_add_int(arguments, "fdset-id", parts->secrets[i].fd_set) >= 0)
            monitor_run(domain->run->monitor, "remove-fd", json_object_get(arguments),
                        deadline_in(COMMAND_USEC), NULL, NULL);
        json_object_put(arguments);
    }
}
