/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/secret.h"

#include <string.h>

#include "conf/uuid.h"
#include "util/directory.h"
#include "util/fiber.h"
#include "util/file.h"
#include "util/log.h"

#define TURN_USEC (30 * USEC_PER_SEC)

struct SecretStore {
    char *directory;
    SecretEventFunc event;
    void *userdata;
    Secret *secrets;
    unsigned n;
    bool busy; /* a change is under way */
    FiberCond idle;
};

/* ---- memory ---- */

static void forget_value(Secret *secret) {
    if (secret->value)
        explicit_bzero(secret->value, secret->value_len);
    free(secret->value);
    secret->value = NULL;
    secret->value_len = 0;
}

static Secret *secret_free(Secret *secret) {
    if (!secret)
        return NULL;
    forget_value(secret);
    secret_def_free(secret->def);
    free(secret);
    return NULL;
}

SecretStore *secrets_new(const char *etc, SecretEventFunc event, void *userdata) {
    SecretStore *store = calloc(1, sizeof(SecretStore));

    if (!store)
        return NULL;
    *store = (SecretStore){
        .directory = path_join(etc, "secrets"), .event = event, .userdata = userdata};
    return store->directory ? store : secrets_free(store);
}

SecretStore *secrets_free(SecretStore *store) {
    if (!store)
        return NULL;
    for (Secret *secret = store->secrets, *next; secret; secret = next) {
        next = secret->next;
        secret_free(secret);
    }
    fiber_cond_done(&store->idle);
    free(store->directory);
    free(store);
    return NULL;
}

static int keep_value(Secret *secret, const void *value, size_t len) {
    uint8_t *copy = malloc(len);

    if (!copy)
        return -ENOMEM;
    memcpy(copy, value, len);
    forget_value(secret);
    secret->value = copy;
    secret->value_len = len;
    return 0;
}

static Secret *list_secret(SecretStore *store, SecretDef *def_consume) {
    Secret *secret = calloc(1, sizeof(Secret)), **at = &store->secrets;

    if (!secret) {
        secret_def_free(def_consume);
        return NULL;
    }
    while (*at && memcmp((*at)->def->uuid, def_consume->uuid, 16) < 0)
        at = &(*at)->next;
    *secret = (Secret){.next = *at, .def = def_consume};
    store->n++;
    return *at = secret;
}

static void unlist(SecretStore *store, Secret *secret) {
    Secret **at = &store->secrets;

    while (*at != secret)
        at = &(*at)->next;
    *at = secret->next;
    store->n--;
    secret_free(secret);
}

static void tell(const SecretStore *store, const Secret *secret, SecretEvent event) {
    if (store->event)
        store->event(secret, event, store->userdata);
}

/* ---- looking up ---- */

Secret *secrets_first(const SecretStore *store) {
    return store->secrets;
}

Secret *secret_by_uuid(const SecretStore *store, const uint8_t uuid[16], Error **reterr) {
    char text[UUID_TEXT_SIZE];

    for (Secret *secret = store->secrets; secret; secret = secret->next)
        if (memcmp(secret->def->uuid, uuid, 16) == 0)
            return secret;
    uuid_format(uuid, text);
    error_report(reterr, FROM_SECRET, ERROR_NO_SECRET, "no secret with matching uuid '%s'", text);
    return NULL;
}

Secret *secret_by_usage(const SecretStore *store, int usage, const char *id, Error **reterr) {
    for (Secret *secret = store->secrets; secret; secret = secret->next)
        if (usage != SECRET_USAGE_NONE && (int)secret->def->usage == usage &&
            streq(secret_usage_id(secret->def), id))
            return secret;
    error_report(reterr, FROM_SECRET, ERROR_NO_SECRET, "no secret with matching usage '%.200s'",
                 id);
    return NULL;
}

/* ---- one change at a time ---- */

static int begin(SecretStore *store, Error **reterr) {
    const uint64_t deadline = deadline_in(TURN_USEC);

    while (store->busy)
        if (fiber_cond_wait(&store->idle, deadline) < 0 && store->busy)
            return error_report(reterr, FROM_SECRET, ERROR_OPERATION_TIMEOUT,
                                "another call has been changing a secret for %u s; try again",
                                (unsigned)(TURN_USEC / USEC_PER_SEC));
    store->busy = true;
    return 0;
}

static void end(SecretStore *store) {
    store->busy = false;
    fiber_cond_broadcast(&store->idle);
}

/* ---- files ---- */

static char *file_of(const SecretStore *store, const SecretDef *def, const char *suffix) {
    char text[UUID_TEXT_SIZE];

    uuid_format(def->uuid, text);
    return strf("%s/%s%s", store->directory, text, suffix);
}

static int write_file(const SecretStore *store, const SecretDef *def, const char *suffix,
                      const void *data, size_t len, Error **reterr) {
    CLEANUP_FREE char *path = file_of(store, def, suffix);
    int r;

    if (!path)
        return error_no_memory(reterr);
    r = dir_make(store->directory, 0700);
    if (r >= 0)
        r = file_write_atomic_worker(path, data, len, 0600);
    return r < 0 ? error_system(reterr, FROM_SECRET, r, "cannot write '%s'", path) : 0;
}

static int write_definition(const SecretStore *store, const SecretDef *def, Error **reterr) {
    CLEANUP_FREE char *xml = secret_format(def);

    return xml ? write_file(store, def, ".xml", xml, strlen(xml), reterr) : error_no_memory(reterr);
}

static int remove_file(const SecretStore *store, const SecretDef *def, const char *suffix,
                       Error **reterr) {
    CLEANUP_FREE char *path = file_of(store, def, suffix);
    int r;

    if (!path)
        return error_no_memory(reterr);
    r = file_remove_worker(path);
    return r < 0 && r != -ENOENT ? error_system(reterr, FROM_SECRET, r, "cannot remove '%s'", path)
                                 : 0;
}

/* The definition goes last: a value alone would never be found again. */
static int remove_files(const SecretStore *store, const SecretDef *def, Error **reterr) {
    int r = remove_file(store, def, ".value", reterr);

    return r < 0 ? r : remove_file(store, def, ".xml", reterr);
}

static bool is_ephemeral(const SecretDef *def) {
    return def->ephemeral == TRISTATE_YES;
}

/* Makes the files say what `def` says, which `old` (may be NULL) is to become. */
static int store_files(const SecretStore *store, const SecretDef *def, const Secret *old,
                       Error **reterr) {
    int r;

    if (is_ephemeral(def))
        return old && !is_ephemeral(old->def) ? remove_files(store, def, reterr) : 0;
    r = write_definition(store, def, reterr);
    if (r >= 0 && old && old->value && is_ephemeral(old->def))
        r = write_file(store, def, ".value", old->value, old->value_len, reterr);
    return r;
}

/* ---- changes ---- */

static int clash(const Secret *secret, Error **reterr) {
    char text[UUID_TEXT_SIZE];

    uuid_format(secret->def->uuid, text);
    return error_report(reterr, FROM_SECRET, ERROR_INTERNAL,
                        "a secret with UUID %s already defined for use with %.200s", text,
                        secret_usage_id(secret->def));
}

static int check_new(const SecretStore *store, const SecretDef *def, Error **reterr) {
    const Secret *same = secret_by_usage(store, (int)def->usage, secret_usage_id(def), NULL);

    if (same)
        return clash(same, reterr);
    return store->n < SECRETS_MAX
               ? 0
               : error_report(reterr, FROM_SECRET, ERROR_OPERATION_FAILED,
                              "there are %u secrets, and there can be no more; undefine some",
                              SECRETS_MAX);
}

/* A secret keeps its use, and what was private stays so. */
static int check_change(const Secret *old, const SecretDef *def, Error **reterr) {
    if (old->def->usage != def->usage || !streq(secret_usage_id(old->def), secret_usage_id(def)))
        return clash(old, reterr);
    if (old->def->private == TRISTATE_YES && def->private != TRISTATE_YES)
        return error_report(reterr, FROM_SECRET, ERROR_OPERATION_DENIED,
                            "cannot change private flag on existing secret");
    return 0;
}

static int define(SecretStore *store, SecretDef **def, Secret **ret, Error **reterr) {
    Secret *old = secret_by_uuid(store, (*def)->uuid, NULL);
    int r = old ? check_change(old, *def, reterr) : check_new(store, *def, reterr);

    if (r >= 0)
        r = store_files(store, *def, old, reterr);
    if (r < 0)
        return r;
    if (old) {
        secret_def_free(old->def);
        old->def = TAKE_PTR(*def);
    } else {
        old = list_secret(store, TAKE_PTR(*def));
    }
    if (!old)
        return error_no_memory(reterr);
    tell(store, old, SECRET_DEFINED);
    *ret = old;
    return 0;
}

int secrets_define(SecretStore *store, const char *xml, Secret **ret, Error **reterr) {
    CLEANUP_SECRET_DEF SecretDef *def = NULL;
    int r = secret_parse(xml, strlen(xml), &def, reterr);

    if (r >= 0)
        r = begin(store, reterr);
    if (r < 0)
        return r;
    r = define(store, &def, ret, reterr);
    end(store);
    return r;
}

static int undefine(SecretStore *store, const uint8_t uuid[16], Error **reterr) {
    Secret *secret = secret_by_uuid(store, uuid, reterr);
    int r;

    if (!secret)
        return -ENOENT;
    r = is_ephemeral(secret->def) ? 0 : remove_files(store, secret->def, reterr);
    if (r < 0)
        return r;
    tell(store, secret, SECRET_UNDEFINED);
    unlist(store, secret);
    return 0;
}

int secrets_undefine(SecretStore *store, const uint8_t uuid[16], Error **reterr) {
    int r = begin(store, reterr);

    if (r < 0)
        return r;
    r = undefine(store, uuid, reterr);
    end(store);
    return r;
}

static int set_value(SecretStore *store, const uint8_t uuid[16], const void *value, size_t len,
                     Error **reterr) {
    Secret *secret = secret_by_uuid(store, uuid, reterr);
    int r;

    if (!secret)
        return -ENOENT;
    r = is_ephemeral(secret->def) ? 0
                                  : write_file(store, secret->def, ".value", value, len, reterr);
    if (r < 0)
        return r;
    if (keep_value(secret, value, len) < 0)
        return error_no_memory(reterr);
    tell(store, secret, SECRET_VALUE_CHANGED);
    return 0;
}

int secrets_set_value(SecretStore *store, const uint8_t uuid[16], const void *value, size_t len,
                      Error **reterr) {
    int r;

    assert(len > 0 && len <= SECRET_VALUE_MAX);
    r = begin(store, reterr);
    if (r < 0)
        return r;
    r = set_value(store, uuid, value, len, reterr);
    end(store);
    return r;
}

/* ---- what an earlier daemon left ---- */

static void load_value(const SecretStore *store, Secret *secret) {
    CLEANUP_FREE char *path = file_of(store, secret->def, ".value"), *value = NULL;
    size_t len = 0;
    int r = path ? file_read(path, SECRET_VALUE_MAX, &value, &len) : -ENOMEM;

    if (r >= 0 && len > 0)
        r = keep_value(secret, value, len);
    if (value)
        explicit_bzero(value, len);
    if (r < 0 && r != -ENOENT)
        log_warning("the value of a secret cannot be read from '%s', ignoring: %s",
                    path ? path : store->directory, strerror(-r));
}

static void load_one(SecretStore *store, const char *path) {
    CLEANUP_SECRET_DEF SecretDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;
    Secret *secret = NULL;
    size_t len = 0;
    int r = file_read(path, SECRET_XML_MAX, &xml, &len);

    if (r < 0)
        error_system(&error, FROM_SECRET, r, "cannot read it");
    if (r >= 0)
        r = secret_parse(xml, len, &def, &error);
    if (r >= 0 && (secret = secret_by_uuid(store, def->uuid, NULL)))
        r = clash(secret, &error);
    if (r >= 0)
        r = check_new(store, def, &error);
    if (r >= 0 && !(secret = list_secret(store, TAKE_PTR(def))))
        r = error_no_memory(&error);
    if (r < 0)
        log_warning("secret file '%s', ignoring: %s", path, error_message(error));
    else
        load_value(store, secret);
}

void secrets_load(SecretStore *store) {
    CLEANUP_NAMES DirectoryNames names = {0};
    int r = directory_names(store->directory, ".xml", &names);

    if (r < 0)
        log_warning("secrets cannot be read from '%s': %s", store->directory, strerror(-r));
    for (size_t i = 0; i < names.n; i++) {
        CLEANUP_FREE char *path = path_join(store->directory, names.list[i]);

        if (path && *names.list[i] != '.')
            load_one(store, path);
    }
}
