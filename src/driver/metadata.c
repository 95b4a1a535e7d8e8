/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/metadata.h"

#include "conf/domain-metadata.h"
#include "domain/events.h"
#include "driver/definition.h"
#include "driver/edit.h"
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

/* The text that the changed field gets; *ret NULL: none. The definition is the caller's alone. */
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

/* Of a copy that nobody else has. What its next reader would refuse is refused here. */
static int change_def(DomainDef *def, bool live, const void *arg, Error **reterr) {
    const MetadataChange *change = arg;
    CLEANUP_DOMAIN_DEF DomainDef *read = NULL;
    char **field = field_of(def, change->type), *text = NULL;
    int r = new_text(def, change, &text, reterr);

    if (r < 0)
        return r;
    free(*field);
    *field = text;
    r = definition_read_back(def, live, &read, reterr);
    if (r >= 0)
        def->unplug_timeout_usec = read->unplug_timeout_usec;
    return r;
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
    const DefinitionEdit edit = {
        .what = "metadata", .flags = flags, .arg = change, .change = change_def};
    int r = check(change, reterr);

    if (r >= 0)
        r = definition_edit(domain, &edit, reterr);
    if (r >= 0)
        events_news(domain, &(DomainNews){.id = EVENT_ID_METADATA_CHANGE,
                                          .code = change->type,
                                          .reason = change->uri});
    return r;
}
