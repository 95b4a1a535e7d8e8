/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/migrate-internal.h"

Migrations *migrations_new(void) {
    return calloc(1, sizeof(Migrations));
}

void migrations_free(Migrations *migrations) {
    free(migrations); /* what is on its way ends with the process */
}
