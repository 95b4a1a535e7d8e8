/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Things with parents, drawn as virsh draws them. */
#pragma once

#include "vireo.h"

typedef struct TreeNode {
    const char *name, *parent; /* parent NULL: none */
} TreeNode;

/* Prints them, children in the order of the list; one whose parent is not in the list is a root.
 * Costs the square of n. */
void tree_print(const TreeNode *nodes, size_t n);
