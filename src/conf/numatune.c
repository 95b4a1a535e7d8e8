/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <numatune>. */
#include "conf/cputune.h"
#include "conf/domain-def.h"

static const Words modes = WORDS("strict", "preferred", "interleave", "restrictive");
static const Words placements = WORDS("static", "auto");

typedef struct NumaRow {
    int mode;
    char *placement;
    Bitmap *nodes;
    unsigned cell;
} NumaRow;

static void row_done(NumaRow *row) {
    free(row->placement);
    bitmap_free(row->nodes);
}

static const Field memory_fields[] = {FIELD_WORD("@mode", NumaRow, mode, modes),
                                      FIELD_CHOICE("@placement", NumaRow, placement, placements),
                                      FIELD_BITMAP("@nodeset", NumaRow, nodes), FIELD_END};
static const Field memnode_fields[] = {
    FIELD_UINT("@cellid", NumaRow, cell, 0, UINT32_MAX, .flags = FIELD_REQUIRED),
    FIELD_WORD("@mode", NumaRow, mode, modes),
    FIELD_BITMAP("@nodeset", NumaRow, nodes, .flags = FIELD_REQUIRED), FIELD_END};

static int read_memory(ElementReader *reader, xmlNodePtr node, void *object) {
    DomainDef *def = object;
    NumaTuneDef *tune = &def->numatune;
    CLEANUP(row_done) NumaRow row = {0};
    int r;

    if (tune->given)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "only one <memory> is supported in <numatune>");
    r = element_read_fields(reader, memory_fields, node, &row);
    if (r < 0)
        return r;
    tune->given = true;
    tune->mode = (NumaMode)row.mode;
    tune->automatic = row.placement ? streq(row.placement, "auto")
                                    : def->placement_auto && !row.nodes;
    if (tune->automatic)
        return 0;
    if (!row.nodes)
        return error_report(
            reader->reterr, FROM_DOMAIN, ERROR_XML,
            "nodeset for NUMA memory tuning must be set if 'placement' is 'static'");
    tune->nodes = TAKE_PTR(row.nodes);
    return 0;
}

static int read_memnode(ElementReader *reader, xmlNodePtr node, void *object) {
    DomainDef *def = object;
    NumaTuneDef *tune = &def->numatune;
    CLEANUP(row_done) NumaRow row = {0};
    MemnodeDef *memnode;
    int r = element_read_fields(reader, memnode_fields, node, &row);

    if (r < 0)
        return r;
    if (row.cell >= def->cpu.n_cells)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "Argument 'cellid' in memnode element must correspond to existing "
                            "guest's NUMA cell: there is no cell %u",
                            row.cell);
    for (size_t i = 0; i < tune->n_memnodes; i++)
        if (tune->memnodes[i].cell == row.cell)
            return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                                "Multiple memnode elements with cellid %u", row.cell);
    memnode = array_append(&tune->memnodes, &tune->n_memnodes, sizeof(MemnodeDef));
    if (!memnode)
        return error_no_memory(reader->reterr);
    *memnode = (MemnodeDef){
        .cell = row.cell, .mode = (NumaMode)row.mode, .nodes = TAKE_PTR(row.nodes)};
    return 0;
}

void numatune_write(ElementWriter *w, const void *object) {
    const NumaTuneDef *tune = &((const DomainDef *)object)->numatune;

    writer_open(w, "numatune");
    if (tune->given) {
        writer_open(w, "memory");
        writer_attribute(w, "mode", words_name(&modes, tune->mode));
        if (tune->automatic)
            writer_attribute(w, "placement", "auto");
        else
            writer_list(w, "nodeset", tune->nodes);
        writer_close(w, true);
    }
    for (size_t i = 0; i < tune->n_memnodes; i++) {
        writer_open(w, "memnode");
        writer_attributef(w, "cellid", "%u", tune->memnodes[i].cell);
        writer_attribute(w, "mode", words_name(&modes, tune->memnodes[i].mode));
        writer_list(w, "nodeset", tune->memnodes[i].nodes);
        writer_close(w, true);
    }
    writer_close(w, false);
}

static void done_numatune(void *object) {
    numatune_done(&((DomainDef *)object)->numatune);
}

static void own_numatune(void *object, bool *ok) {
    numatune_own(&((DomainDef *)object)->numatune, ok);
}

static const Field children[] = {FIELD_CODE("memory", read_memory, NULL, .flags = FIELD_EACH,
                                            .done = done_numatune, .own = own_numatune),
                                 FIELD_CODE("memnode", read_memnode, NULL, .flags = FIELD_EACH),
                                 FIELD_END};

const Field numatune_fields[] = {FIELD_GROUP("numatune", children), FIELD_END};
