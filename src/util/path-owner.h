/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whose a path is: whether somebody else could change what a privileged program finds there. */
#pragma once

#include "util/error.h"

/* 0 when nobody but root and this process's user can change what the path leads to: every
 * directory and symbolic link on the way and the file itself belong to one of them (or to the owner
 * of "/", which in a user namespace has another number), and what everybody may write is a sticky
 * directory on the way. A part that does not exist yet ends the way. Else ERROR_OPERATION_DENIED
 * naming the part and its owner. `path` begins with '/'; `what` is for the sentence: "the root
 * directory". */
int path_check_owner(const char *path, const char *what, Error **reterr);
/* The same on the worker pool; the fiber waits. */
int path_check_owner_worker(const char *path, const char *what, Error **reterr);
