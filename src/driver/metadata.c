/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/metadata.h"

#include "conf/domain-metadata.h"
#include "domain/files.h"
#include "util/libvirt-numbers.h"
#include "util/worker.h"

/* ---- reading ---- */

typedef struct Lookup {
    char *metadata; /* copied: the definition may go while a worker reads */
    const char *uri;
    char *found;
    Error *error;
} Lookup;

static int read_element(void *arg) {
    Lookup *work = arg;

    return domain_metadata_element(work->metadata, work->uri, &work->found, &work->error);
}

static int get_element(const DomainDef *def, const char *uri, char **ret, Error **reterr) {
    Lookup work = {.uri = uri};
    int r;

    if (def->metadata) {
        work.metadata = strdup(def->metadata);
        if (!work.metadata)
            return error_no_memory(reterr);
    }
    r = worker_run(read_element, &work);
    free(work.metadata);
    if (r < 0)
        return error_propagate(reterr, work.error);
    *ret = work.found;
    return 0;
}

int driver_get_metadata(Domain *domain, int type, const char *uri, unsigned flags, char **ret,
                        Error **reterr) {
    bool live, config;
    const DomainDef *def;
    const char *text;
    int r = domain_resolve_affect(domain, flags, &live, &config, reterr);

    if (r < 0)
        return r;
    def = live ? domain->run->live : domain->config;
    if (type == METADATA_ELEMENT)
        return get_element(def, uri, ret, reterr);
    if (type != METADATA_TITLE && type != METADATA_DESCRIPTION)
        return error_argument(reterr, "virDomainGetMetadata", "type", "unknown metadata type %d",
                              type);
    text = type == METADATA_TITLE ? def->title : def->description;
    if (!text)
        return error_report(reterr, FROM_DOMAIN, ERROR_NO_DOMAIN_METADATA,
                            "Requested metadata element is not present");
    *ret = strdup(text);
    return *ret ? 0 : error_no_memory(reterr);
}

/* ---- changing ---- */

typedef struct Edit {
    const char *metadata;
    const MetadataChange *change;
    char *edited;
    Error *error;
} Edit;

static int edit_element(void *arg) {
    Edit *work = arg;

    return domain_metadata_replace(work->metadata, work->change->uri, work->change->key,
                                   work->change->text, &work->edited, &work->error);
}

/* The text that the changed field gets; *ret NULL: none. The job keeps the definition. */
static int new_text(const DomainDef *def, const MetadataChange *change, char **ret,
                    Error **reterr) {
    Edit work = {.metadata = def->metadata, .change = change};

    if (change->type == METADATA_ELEMENT) {
        if (worker_run(edit_element, &work) < 0)
            return error_propagate(reterr, work.error);
        *ret = work.edited;
        return 0;
    }
    *ret = change->text && *change->text ? strdup(change->text) : NULL;
    return change->text && *change->text && !*ret ? error_no_memory(reterr) : 0;
}

static char **field_of(DomainDef *def, int type) {
    return type == METADATA_TITLE         ? &def->title
           : type == METADATA_DESCRIPTION ? &def->description
                                          : &def->metadata;
}

/* Puts the text in its place and writes the file; puts the old one back when that fails. */
static int change_def(Domain *domain, DomainDef *def, bool is_live, const MetadataChange *change,
                      Error **reterr) {
    char **field = field_of(def, change->type), *old = *field, *text = NULL;
    int r = new_text(def, change, &text, reterr);

    if (r < 0)
        return r;
    *field = text;
    r = is_live ? domain_save_status(domain, reterr) : domain_save_config(domain, def, reterr);
    if (r < 0) {
        *field = old;
        free(text);
        return r;
    }
    free(old);
    return 0;
}

static int check(const MetadataChange *change, Error **reterr) {
    static const char api[] = "virDomainSetMetadata";

    if (change->type == METADATA_TITLE && change->text && strchr(change->text, '\n'))
        return error_argument(reterr, api, "metadata", "metadata title can't contain newlines");
    if (change->type == METADATA_ELEMENT && !change->uri)
        return error_argument(reterr, api, "uri", "uri in %s must not be NULL", api);
    if (change->type == METADATA_ELEMENT && change->text && !change->key)
        return error_argument(reterr, api, "key", "key in %s must not be NULL", api);
    if (change->type < METADATA_DESCRIPTION || change->type > METADATA_ELEMENT)
        return error_argument(reterr, api, "type", "unknown metadata type %d", change->type);
    return 0;
}

int driver_set_metadata(Domain *domain, const MetadataChange *change, unsigned flags,
                        Error **reterr) {
    bool live, config;
    DomainJob job;
    int r = check(change, reterr);

    if (r >= 0)
        r = domain_job_begin(domain, &job, "metadata", reterr);
    if (r < 0)
        return r;
    r = domain_resolve_affect(domain, flags, &live, &config, reterr);
    if (r >= 0 && config)
        r = change_def(domain, domain->config, false, change, reterr);
    if (r >= 0 && live)
        r = change_def(domain, domain->run->live, true, change, reterr);
    domain_job_end(domain, &job);
    return r;
}
