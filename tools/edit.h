/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XML that a person changes in an editor ($VISUAL, $EDITOR, else vi). */
#pragma once

#include "vireo.h"

typedef struct Edit {
    const char *title; /* of messages: "Domain 'ol8' XML configuration" */
    /* The XML as it is, in fresh memory. */
    int (*get)(Tool *tool, void *userdata, char **ret, Error **reterr);
    int (*store)(Tool *tool, void *userdata, char *xml, Error **reterr);
    void *userdata;
} Edit;

/* Gets the XML, has it edited, and stores it when it was changed, unless it has meanwhile become
 * another; says what came of it. What cannot be stored can be edited on, or else is kept in its
 * file, whose name is said. */
int edit_run(Tool *tool, const Edit *edit);
