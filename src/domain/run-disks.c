/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/run-disks.h"

static const Words job_kinds = WORDS("", "pull", "copy", "commit", "active-commit");
static const Words job_phases = WORDS("runs", "ready", "pivots", "aborts", "settled");

static const Field job_fields[] = {
    FIELD_TEXT("@disk", BlockJob, disk, .flags = FIELD_REQUIRED),
    FIELD_TEXT("@id", BlockJob, id, .flags = FIELD_REQUIRED),
    FIELD_WORD("@kind", BlockJob, kind, job_kinds, .flags = FIELD_REQUIRED),
    FIELD_WORD("@phase", BlockJob, phase, job_phases),
    FIELD_UINT("@top", BlockJob, top, 0, UINT32_MAX),
    FIELD_UINT("@base", BlockJob, base, 0, UINT32_MAX),
    FIELD_UINT("@outcome", BlockJob, outcome, 0, BLOCK_JOB_CANCELED),
    FIELD_TEXT("@path", BlockJob, path),
    FIELD_TEXT("@nodes", BlockJob, nodes),
    FIELD_END};
static const Element job_element = {"job", sizeof(BlockJob), job_fields, NULL, NULL};

static const Field format_fields[] = {FIELD_WORD("@format", StorageSource, format, disk_formats),
                                      FIELD_WORD("@type", StorageSource, type, disk_types),
                                      FIELD_GROUP(NULL, storage_source_fields), FIELD_END};
static const Field overlay_fields[] = {FIELD_TEXT("@disk", Overlay, disk, .flags = FIELD_REQUIRED),
                                       FIELD_TEXT("@node", Overlay, node, .flags = FIELD_REQUIRED),
                                       FIELD_UINT("@number", Overlay, index, 0, UINT32_MAX),
                                       FIELD_PART(NULL, Overlay, source, format_fields),
                                       FIELD_PRESENT("made", Overlay, is_made),
                                       FIELD_END};

/* The node of a source is not in the XML. */
static int check_overlay(ElementReader *reader, xmlNodePtr node, void *object) {
    Overlay *overlay = object;

    overlay->source.node = strdup(overlay->node);
    return overlay->source.node ? 0 : error_no_memory(reader->reterr);
}

static const Element overlay_element = {"overlay", sizeof(Overlay), overlay_fields, NULL,
                                        check_overlay};
static const Field node_fields[] = {FIELD_TEXT("@disk", NodeName, disk, .flags = FIELD_REQUIRED),
                                    FIELD_UINT("@place", NodeName, place, 0, UINT32_MAX),
                                    FIELD_TEXT("@name", NodeName, name, .flags = FIELD_REQUIRED),
                                    FIELD_END};
static const Element node_element = {"node", sizeof(NodeName), node_fields, NULL, NULL};
static const Field disks_fields[] = {
    FIELD_LIST("node", RunDisks, nodes, n_nodes, node_element),
    FIELD_LIST("job", RunDisks, jobs, n_jobs, job_element),
    FIELD_LIST("overlay", RunDisks, overlays, n_overlays, overlay_element), FIELD_END};
static const Element disks_element = {"disks", sizeof(RunDisks), disks_fields, NULL, NULL};

/* ---- the names of nodes ---- */

static int add_name(RunDisks *disks, const char *disk, unsigned place, const char *name) {
    NodeName *to;

    if (!name)
        return 0;
    to = array_append(&disks->nodes, &disks->n_nodes, sizeof(NodeName));
    if (!to)
        return -ENOMEM;
    *to = (NodeName){.disk = strdup(disk), .name = strdup(name), .place = place};
    return to->disk && to->name ? 0 : -ENOMEM;
}

static int add_names(RunDisks *disks, const DiskDef *disk) {
    unsigned place = 0;
    int r = add_name(disks, disk->target, place, disk->source.node);

    for (const BackingStore *at = disk->backing; r >= 0 && at; at = at->next)
        r = add_name(disks, disk->target, ++place, at->source.node);
    return r;
}

static StorageSource *find_source(DomainDef *def, const NodeName *name) {
    for (size_t i = 0; i < def->n_disks; i++) {
        DiskDef *disk = &def->disks[i];
        BackingStore *at = disk->backing;

        if (!streq(disk->target, name->disk))
            continue;
        if (name->place == 0)
            return &disk->source;
        for (unsigned place = 1; at && place < name->place; place++)
            at = at->next;
        return at ? &at->source : NULL;
    }
    return NULL;
}

static int take_names(RunDisks *disks, DomainDef *live) {
    for (size_t i = 0; i < disks->n_nodes; i++) {
        StorageSource *source = find_source(live, &disks->nodes[i]);

        if (!source)
            return -EBADMSG;
        free(source->node);
        source->node = TAKE_PTR(disks->nodes[i].name);
    }
    for (; disks->n_nodes > 0; disks->n_nodes--)
        element_done(&node_element, &disks->nodes[disks->n_nodes - 1]);
    free(TAKE_PTR(disks->nodes));
    return 0;
}

/* ---- text ---- */

int run_disks_format(const RunDisks *of, const DomainDef *live, char **ret) {
    RunDisks disks = *of; /* borrowed, but the nodes */
    ElementWriter writer = {.indent = 2};
    int r = 0;

    *ret = NULL;
    disks.nodes = NULL;
    disks.n_nodes = 0;
    for (size_t i = 0; r >= 0 && i < live->n_disks; i++)
        r = add_names(&disks, &live->disks[i]);
    if (r >= 0 && disks.n_nodes + disks.n_jobs + disks.n_overlays > 0) {
        element_write(&writer, &disks_element, &disks);
        *ret = element_writer_take(&writer);
        r = *ret ? 0 : -ENOMEM;
    }
    for (size_t i = 0; i < disks.n_nodes; i++)
        element_done(&node_element, &disks.nodes[i]);
    free(disks.nodes);
    return r;
}

int run_disks_read(xmlNodePtr node, RunDisks *disks, DomainDef *live, Error **reterr) {
    ElementReader reader = {.reterr = reterr};
    int r;

    if (!node)
        return 0;
    r = element_read(&reader, &disks_element, node, disks);
    if (r < 0)
        return r;
    r = take_names(disks, live);
    if (r < 0)
        return r == -ENOMEM
                   ? error_no_memory(reterr)
                   : error_report(reterr, FROM_DOMAIN, ERROR_XML,
                                  "<disks> of the status file names an image that no disk has");
    return 0;
}

void run_disks_done(RunDisks *disks) {
    element_done(&disks_element, disks);
    *disks = (RunDisks){0};
}

/* ---- lists ---- */

BlockJob *run_block_job(const RunDisks *disks, const char *disk) {
    for (size_t i = 0; i < disks->n_jobs; i++)
        if (streq(disks->jobs[i].disk, disk))
            return &disks->jobs[i];
    return NULL;
}

BlockJob *run_block_job_by_id(const RunDisks *disks, const char *id) {
    for (size_t i = 0; i < disks->n_jobs; i++)
        if (streq(disks->jobs[i].id, id))
            return &disks->jobs[i];
    return NULL;
}

void block_job_done(BlockJob *job) {
    element_done(&job_element, job);
    *job = (BlockJob){0};
}

int run_add_block_job(RunDisks *disks, BlockJob *job) {
    BlockJob *to = job->disk && job->id
                       ? array_append(&disks->jobs, &disks->n_jobs, sizeof(BlockJob))
                       : NULL;

    if (!to) {
        block_job_done(job);
        return -ENOMEM;
    }
    *to = *job;
    *job = (BlockJob){0};
    return 0;
}

void run_remove_block_job(RunDisks *disks, BlockJob *job) {
    size_t at = (size_t)(job - disks->jobs);

    assert(at < disks->n_jobs);
    element_done(&job_element, job);
    memmove(job, job + 1, (disks->n_jobs - at - 1) * sizeof(BlockJob));
    disks->n_jobs--;
}

void overlay_done(Overlay *overlay) {
    element_done(&overlay_element, overlay);
    *overlay = (Overlay){0};
}

int run_add_overlay(RunDisks *disks, Overlay *overlay) {
    Overlay *to = overlay->disk && overlay->node && overlay->source.node
                      ? array_append(&disks->overlays, &disks->n_overlays, sizeof(Overlay))
                      : NULL;

    if (!to) {
        overlay_done(overlay);
        return -ENOMEM;
    }
    *to = *overlay;
    *overlay = (Overlay){0};
    return 0;
}

void run_forget_overlays(RunDisks *disks) {
    for (; disks->n_overlays > 0; disks->n_overlays--)
        element_done(&overlay_element, &disks->overlays[disks->n_overlays - 1]);
    free(TAKE_PTR(disks->overlays));
}
