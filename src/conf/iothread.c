/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <iothreads> and <iothreadids>. */
#include "conf/cputune.h"
#include "conf/domain-def.h"

static const Field poll_fields[] = {FIELD_UINT("@max", IothreadDef, poll_max_ns, 0, INT64_MAX,
                                               FIELD_GIVEN(IothreadDef, has_poll_max)),
                                    FIELD_UINT("@grow", IothreadDef, poll_grow, 0, UINT64_MAX,
                                               FIELD_GIVEN(IothreadDef, has_poll_grow)),
                                    FIELD_UINT("@shrink", IothreadDef, poll_shrink, 0, UINT64_MAX,
                                               FIELD_GIVEN(IothreadDef, has_poll_shrink)),
                                    FIELD_END};
static const Field iothread_rows[] = {
    FIELD_UINT("@id", IothreadDef, id, 0, IOTHREAD_ID_MAX, .flags = FIELD_REQUIRED),
    FIELD_INT("@thread_pool_min", IothreadDef, pool_min, 0, INT32_MAX,
              .flags = FIELD_ALWAYS | FIELD_NOT_NEGATIVE),
    FIELD_INT("@thread_pool_max", IothreadDef, pool_max, 0, INT32_MAX,
              .flags = FIELD_ALWAYS | FIELD_NOT_NEGATIVE),
    FIELD_GROUP("poll", poll_fields), FIELD_END};

static int read_iothread(ElementReader *reader, xmlNodePtr node, void *object) {
    DomainDef *def = object;
    IothreadDef row = {.pool_min = -1, .pool_max = -1}, *to;
    int r = element_read_fields(reader, iothread_rows, node, &row);

    if (r < 0)
        return r;
    if (row.id == 0)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "invalid iothread 'id' value of '0' (line %ld)", xmlGetLineNo(node));
    if (domain_def_iothread(def, row.id))
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "duplicate iothread id '%u' found", row.id);
    r = iothread_check_pool(&row, reader->reterr);
    if (r < 0)
        return r;
    to = domain_def_add_iothread(def, row.id);
    if (!to)
        return error_no_memory(reader->reterr);
    *to = row;
    return 0;
}

static const Field ids_rows[] = {FIELD_CODE("iothread", read_iothread, NULL, .flags = FIELD_EACH),
                                 FIELD_END};

static int read_ids(ElementReader *reader, xmlNodePtr node, void *object) {
    return element_read_fields(reader, ids_rows, node, object);
}

/* Ids that are not written are the lowest free ones. Read after <iothreadids>. */
static int read_count(ElementReader *reader, xmlNodePtr node, void *object) {
    DomainDef *def = object;
    CLEANUP_FREE char *text = NULL;
    int r = element_text(reader, node, &text);
    char *end = NULL;
    unsigned long n = r < 0 ? 0 : strtoul(text, &end, 10);
    unsigned id = 0;

    if (r < 0)
        return r;
    if (end == text || *end || *text < '0' || *text > '9' || n > IOTHREAD_ID_MAX)
        return error_report(
            reader->reterr, FROM_DOMAIN, ERROR_XML,
            "invalid iothreads count '%.40s' (line %ld): a number up to %u is expected", text,
            xmlGetLineNo(node), IOTHREAD_ID_MAX);
    while (def->n_iothreads < n) {
        IothreadDef *iothread;

        do
            id++;
        while (domain_def_iothread(def, id));
        iothread = domain_def_add_iothread(def, id);
        if (!iothread)
            return error_no_memory(reader->reterr);
        iothread->automatic = true;
    }
    return 0;
}

/* Read back without being named, would it get its id? */
static bool is_plain(const IothreadDef *iothread, size_t at) {
    return iothread->automatic && iothread->id == at + 1 && !iothread->has_poll_max &&
           !iothread->has_poll_grow && !iothread->has_poll_shrink && iothread->pool_min < 0 &&
           iothread->pool_max < 0;
}

static void write_iothreads(ElementWriter *w, const void *object) {
    const DomainDef *def = object;
    bool plain = true;

    if (def->n_iothreads == 0)
        return;
    writer_elementf(w, "iothreads", "%zu", def->n_iothreads);
    for (size_t i = 0; i < def->n_iothreads; i++)
        plain &= is_plain(&def->iothreads[i], i);
    if (plain)
        return;
    writer_open(w, "iothreadids");
    for (size_t i = 0; i < def->n_iothreads; i++) {
        writer_open(w, "iothread");
        element_write_fields(w, iothread_rows, &def->iothreads[i]);
        writer_close(w, true);
    }
    writer_close(w, true);
}

static void done_iothreads(void *object) {
    DomainDef *def = object;

    iothreads_done(def->iothreads, def->n_iothreads);
    def->iothreads = NULL;
    def->n_iothreads = 0;
}

static void own_iothreads_(void *object, bool *ok) {
    DomainDef *def = object;

    iothreads_own(&def->iothreads, &def->n_iothreads, ok);
}

static const Field default_fields[] = {
    FIELD_INT("@thread_pool_min", DomainDef, default_pool_min, 0, INT32_MAX,
              .flags = FIELD_ALWAYS | FIELD_NOT_NEGATIVE),
    FIELD_INT("@thread_pool_max", DomainDef, default_pool_max, 0, INT32_MAX,
              .flags = FIELD_ALWAYS | FIELD_NOT_NEGATIVE),
    FIELD_END};

const Field iothread_fields[] = {FIELD_CODE("iothreadids", read_ids, NULL),
                                 FIELD_CODE("iothreads", read_count, write_iothreads,
                                            .done = done_iothreads, .own = own_iothreads_),
                                 FIELD_GROUP("defaultiothread", default_fields), FIELD_END};
