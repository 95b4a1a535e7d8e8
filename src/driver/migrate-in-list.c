/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guests that come: who they are, and the beginning and the end of their clients' calls. */
#include <sys/random.h>

#include "driver/definition.h"
#include "driver/migrate-in-internal.h"
#include "driver/saved.h"
#include "util/file.h"
#include "util/libvirt-numbers.h"
#include "util/unix-socket.h"

MigrateIn *migrate_in_ref(MigrateIn *in) {
    in->n_refs++;
    return in;
}

void migrate_in_unref(MigrateIn *in) {
    if (--in->n_refs > 0)
        return;
    migrate_link_close(&in->link);
    migrate_door_close(&in->door);
    migrate_cookie_done(&in->cookie);
    save_image_done(&in->image);
    domain_def_free(in->def);
    domain_def_free(in->persistent);
    domain_unref(in->domain);
    error_free(in->error);
    free(in->uri);
    free(in->address);
    free(in->socket);
    fiber_cond_done(&in->cond);
    free(in);
}

void migrate_in_unlist(MigrateIn *in) {
    MigrateIn **at = &in->services->migrations->in;

    while (*at != in)
        at = &(*at)->next;
    *at = in->next;
}

MigrateIn *migrate_in_find(const Services *services, const char *name) {
    MigrateIn *at = services->migrations->in;

    while (at && !streq(at->def->name, name))
        at = at->next;
    return at;
}

void driver_migrate_owner_gone(Services *services, const void *owner) {
    migrate_out_owner_gone(services->migrations, owner);
    for (MigrateIn *at = services->migrations->in; at; at = at->next)
        if (at->owner == owner) {
            at->owner_gone = true;
            fiber_cond_broadcast(&at->cond);
        }
}

/* ---- what Prepare says ---- */

static int rename_to(DomainDef *def, const char *name, Error **reterr) {
    char *copy;
    int r;

    if (!name || streq(name, def->name))
        return 0;
    r = domain_check_name(name, reterr);
    if (r < 0)
        return r;
    copy = strdup(name);
    if (!copy)
        return error_no_memory(reterr);
    free(def->name);
    def->name = copy;
    return 0;
}

/* What is to run, and what is to be kept. */
static int read_definitions(MigrateIn *in, const MigrateParams *params, Error **reterr) {
    const char *persistent = params->persist_xml ? params->persist_xml : in->cookie.persistent;
    const SaveImage image = {.xml = (char *)params->dest_xml};
    int r = save_definition(NULL, &image, NULL, &in->def, reterr);

    if (r >= 0 && memcmp(in->def->uuid, in->cookie.uuid, sizeof(in->def->uuid)) != 0)
        r = error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                         "the definition and the cookie of domain '%s' are of two domains",
                         in->def->name);
    if (r >= 0)
        r = rename_to(in->def, params->dest_name, reterr);
    if (r < 0 || !(params->flags & MIGRATE_PERSIST_DEST) || !persistent)
        return r;
    r = definition_parse(persistent, &in->persistent, reterr);
    if (r >= 0 && memcmp(in->persistent->uuid, in->def->uuid, sizeof(in->def->uuid)) != 0)
        r = error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                         "the persistent definition is not of domain '%s'", in->def->name);
    return r < 0 ? r : rename_to(in->persistent, in->def->name, reterr);
}

/* A socket is enough for a source that sees the same files. */
static int choose_socket(MigrateIn *in, Error **reterr) {
    CLEANUP_MIGRATE_COOKIE MigrateCookie here = {0};
    char uuid[UUID_TEXT_SIZE];

    if (in->uri)
        return 0;
    if (migrate_fill_host(&here) < 0)
        return error_no_memory(reterr);
    if (!migrate_is_same_host(&here, &in->cookie))
        return 0;
    uuid_format(in->def->uuid, uuid);
    in->socket = strf("%s/%s.migrate", in->services->paths.run, uuid);
    if (!in->socket)
        return error_no_memory(reterr);
    if (strlen(in->socket) > UNIX_SOCKET_PATH_MAX)
        free(TAKE_PTR(in->socket));
    return 0;
}

int migrate_in_make(Services *services, const MigrateParams *params, MigrateIn **ret,
                    Error **reterr) {
    CLEANUP_IN MigrateIn *in = calloc(1, sizeof(MigrateIn));
    int r;

    if (!in)
        return error_no_memory(reterr);
    in->n_refs = 1;
    in->door = (MigrateDoor)MIGRATE_DOOR_CLOSED;
    in->services = services;
    in->owner = params->owner;
    in->flags = params->flags;
    in->uri = params->uri ? strdup(params->uri) : NULL;
    in->address = params->listen_address ? strdup(params->listen_address) : NULL;
    if ((params->uri && !in->uri) || (params->listen_address && !in->address) ||
        getrandom(in->image.id, sizeof(in->image.id), 0) != (ssize_t)sizeof(in->image.id))
        return error_no_memory(reterr);
    if (!params->dest_xml)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "the migration has no definition of its domain");
    r = migrate_cookie_parse(params->cookie, params->cookie_len, &in->cookie, reterr);
    if (r >= 0)
        r = read_definitions(in, params, reterr);
    if (r >= 0)
        r = choose_socket(in, reterr);
    if (r >= 0)
        *ret = TAKE_PTR(in);
    return r;
}

/* ---- Finish ---- */

bool migrate_is_lost(const Error *error) {
    return error->from == FROM_QEMU &&
           (error->code == ERROR_MIGRATE_FINISH_OK || error->code == ERROR_OPERATION_ABORTED);
}

/* That the guest has not run here has codes of its own, which nothing else has. */
static int report_failed(MigrateIn *in, Error **reterr) {
    const Error *error = in->error;

    if (error && (in->landed ? error->code != ERROR_OPERATION_ABORTED : migrate_is_lost(error)))
        return error_propagate(reterr, TAKE_PTR(in->error));
    return error_report(reterr, FROM_QEMU,
                        in->landed ? ERROR_OPERATION_FAILED : ERROR_OPERATION_ABORTED,
                        "the migration of domain '%s' failed: %s", in->def->name,
                        error ? error_message(error) : "out of memory");
}

int driver_migrate_finish(Services *services, const MigrateParams *params, bool cancelled,
                          Domain **ret, Error **reterr) {
    MigrateIn *found = params->dest_name ? migrate_in_find(services, params->dest_name) : NULL;
    CLEANUP_IN MigrateIn *in = found ? migrate_in_ref(found) : NULL;

    if (!in)
        return error_report(reterr, FROM_QEMU, ERROR_NO_DOMAIN,
                            "no domain '%.200s' is on its way here",
                            params->dest_name ? params->dest_name : "");
    in->asked = true;
    in->cancelled = cancelled;
    in->flags = (in->flags & ~MIGRATE_PAUSED) | (params->flags & MIGRATE_PAUSED);
    fiber_cond_broadcast(&in->cond);
    while (!in->over)
        fiber_cond_wait(&in->cond, USEC_FOREVER);
    if (in->result < 0 && in->unknown)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                            "it is not known whether domain '%s' runs here: %s", in->def->name,
                            in->error ? error_message(in->error) : "its QEMU does not answer");
    if (in->result < 0)
        return report_failed(in, reterr);
    *ret = domain_ref(in->domain);
    return 0;
}
