/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between resctrl-info.c and resctrl.c. */
#pragma once

#include "host/resctrl.h"

#define RESCTRL_FILE_LIMIT (256u * 1024)

/* Calls func for every "ID=VALUE" of a schemata or size text; `name` is "L3", "L2CODE", "MB". Lines
 * that are not of that form are passed over. A negative return ends it. */
typedef int (*ResctrlEach)(const char *name, unsigned id, const char *value, void *userdata);
int resctrl_each(const char *text, ResctrlEach func, void *userdata);

/* "L3", "L3CODE": both directions; NULL or false when it is no such name. */
const char *resctrl_type_suffix(ResctrlType type);
bool resctrl_cache_name(const char *name, unsigned *ret_level, ResctrlType *ret_type);

/* The place of an id in the cache's arrays, -1. */
int resctrl_id_index(const unsigned *ids, size_t n_ids, unsigned id);
