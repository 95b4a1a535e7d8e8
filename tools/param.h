/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Typed parameters: a name with a value that says of which type it is. */
#pragma once

#include "vireo.h"

/* The value as virsh prints it, in fresh memory. */
char *param_format(const remote_typed_param *param);
json_object *param_json(const remote_typed_param *param);
/* Adds all of them as members. */
void params_add_json(json_object *object, const remote_typed_param *params, size_t n);

/* `text` as a value of this type. The result points to `field` and `text`. */
int param_parse(const char *field, int kind, const char *text, remote_typed_param *ret,
                Error **reterr);

/* What a get of parameters answers; the largest of the protocol's such lists. */
typedef remote_domain_get_block_io_tune_ret ParamList;

/* Calls `procedure` once to learn how many parameters there are (*n_params is a member of args) and
 * once for them. */
int params_get(Tool *tool, int procedure, xdrproc_t args_xdr, void *args, int *n_params,
               ParamList *ret, Error **reterr);
static inline void params_done(ParamList *list) {
    xdr_free((xdrproc_t)xdr_remote_domain_get_block_io_tune_ret, (char *)list);
}
/* "name : value" lines, or an object. `special` (may be NULL) may give a text of its own. */
void params_print(const Tool *tool, const remote_typed_param *params, size_t n, int width,
                  char *(*special)(const remote_typed_param *param));
/* The parameter of this name, or NULL. */
const remote_typed_param *params_find(const remote_typed_param *params, size_t n, const char *name);
