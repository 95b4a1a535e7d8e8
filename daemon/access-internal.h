/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which class a call belongs to, for a test without polkit. */
#pragma once

#include "access.h"

/* "read", "write", ... */
const char *access_class_name(AccessClass class);
/* Of a call: by its flags and its API's name. */
AccessClass access_class_of(const RpcProc *proc);
