/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What may come next on a command line: for the interactive shell, and for bash by the command
 * "complete". */
#pragma once

#include "vireo.h"

/* Tells `add` of every word that may take the last word's place; the words before it are complete,
 * the first of all is the command. Names of domains and the like are asked for where there is a
 * connection or one can be made; a failure is silent. */
void complete_words(Tool *tool, const char *const *words, size_t n,
                    void (*add)(const char *word, void *userdata), void *userdata);
