/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kinds of labels that this program knows. */
#pragma once

#include "driver/label-model.h"

/* The one of that name; NULL: there is none. */
const LabelModel *label_models_find(const char *name);
/* The one whose module this host runs, and which can be used: *ret. `setting`: "auto", "none", or
 * the name of one. 0, and NULL: there is none; *ret_why says why one that the host has cannot be
 * used, or is NULL. The one that was named has to be there: ERROR_CONFIG_UNSUPPORTED. The caller
 * frees *ret_why. On a fiber. */
int label_models_choose(const char *setting, const char *run, const LabelModel **ret,
                        char **ret_why, Error **reterr);
