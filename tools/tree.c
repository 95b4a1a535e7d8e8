/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree.h"

typedef struct Tree {
    const TreeNode *nodes;
    size_t n;
} Tree;

static bool is_child(const TreeNode *node, const TreeNode *of) {
    return node->parent && strcmp(node->parent, of->name) == 0;
}

static bool is_root(const Tree *tree, const TreeNode *node) {
    for (size_t i = 0; i < tree->n; i++)
        if (is_child(node, &tree->nodes[i]))
            return false;
    return true;
}

static const TreeNode *last_child(const Tree *tree, const TreeNode *of) {
    const TreeNode *last = NULL;

    for (size_t i = 0; i < tree->n; i++)
        if (is_child(&tree->nodes[i], of))
            last = &tree->nodes[i];
    return last;
}

/* `indent` stands before its line; `last`: none of its parent's children follows. Circles end by
 * their depth. */
static void draw(const Tree *tree, const TreeNode *node, const char *indent, bool last,
                 size_t depth) {
    CLEANUP_FREE char *own = text_format("%s%s", indent, depth == 0 ? "" : last ? "  " : "| ");
    CLEANUP_FREE char *below = text_format("%s  ", own);
    const TreeNode *end = depth < tree->n ? last_child(tree, node) : NULL;

    printf("%s%s%s\n", indent, depth == 0 ? "" : "+- ", node->name);
    if (end)
        printf("%s|\n", below);
    for (size_t i = 0; end && i < tree->n; i++)
        if (is_child(&tree->nodes[i], node))
            draw(tree, &tree->nodes[i], below, &tree->nodes[i] == end, depth + 1);
    if (!end && last)
        printf("%s\n", own);
}

void tree_print(const TreeNode *nodes, size_t n) {
    const Tree tree = {nodes, n};

    for (size_t i = 0; i < n; i++)
        if (is_root(&tree, &nodes[i]))
            draw(&tree, &nodes[i], "", true, 0);
}
