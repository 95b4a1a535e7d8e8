/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines of pci.ids: "8086  Intel Corporation" and, below it, "\t0d57  name"; two tabs begin a
 * subsystem, '#' a comment, "C " the classes at its end. */
#include "pci-names.h"

#include <fcntl.h>
#include <stdio.h>

static const char *const lists[] = {"/usr/share/hwdata/pci.ids", "/usr/share/misc/pci.ids"};

typedef struct Names {
    unsigned vendor, product;
    char *vendor_name, *product_name;
} Names;

/* The name of a line that begins with the id, or NULL. */
static char *name_on(const char *line, unsigned id) {
    char *end = NULL;

    if (strtoul(line, &end, 16) != id || end != line + 4 || strncmp(end, "  ", 2) != 0)
        return NULL;
    return strndup(end + 2, strcspn(end + 2, "\n"));
}

/* false: what is wanted cannot follow. */
static bool take_line(const char *line, Names *names) {
    if (*line == '#' || *line == '\n')
        return true;
    if (*line != '\t') {
        if (names->vendor_name || *line == 'C')
            return false;
        names->vendor_name = name_on(line, names->vendor);
        return true;
    }
    if (names->vendor_name && line[1] != '\t')
        names->product_name = name_on(line + 1, names->product);
    return !names->product_name;
}

static FILE *open_list(void) {
    CLEANUP_CLOSE int fd = -1;
    FILE *f;

    for (size_t i = 0; fd < 0 && i < ARRAY_SIZE(lists); i++)
        fd = open(lists[i], O_RDONLY | O_CLOEXEC);
    f = fd < 0 ? NULL : fdopen(fd, "r");
    if (f)
        TAKE_FD(fd);
    return f;
}

void pci_names(unsigned vendor, unsigned product, char **ret_vendor, char **ret_product) {
    Names names = {.vendor = vendor, .product = product};
    CLEANUP_FREE char *line = NULL;
    size_t size = 0;
    FILE *f = open_list();

    while (f && getline(&line, &size, f) > 0 && take_line(line, &names))
        ;
    if (f)
        fclose(f);
    *ret_vendor = names.vendor_name;
    *ret_product = names.product_name;
}
