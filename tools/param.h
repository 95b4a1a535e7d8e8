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
