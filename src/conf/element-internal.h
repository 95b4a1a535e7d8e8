/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the element-*.c files share: access to an object by a row. */
#pragma once

#include <stdio.h>

#include "conf/element.h"

/* The number (a bool's, an enum's), pointer or count in the object that the row is about. */
uint64_t field_get(const Field *field, const void *object);
void field_set(const Field *field, void *object, uint64_t value);
void **field_pointer(const Field *field, const void *object);
size_t *field_count(const Field *field, const void *object);
/* NULL when the row has none. */
bool *field_given(const Field *field, const void *object);
/* The struct a group's rows are about. */
void *field_part(const Field *field, const void *object);
/* Is this item of a list one of the row's kind? */
bool field_is_of_row(const Field *field, const void *item);
/* The rows a switch chooses, or NULL. */
const Field *field_choice(const Field *field, const void *object);
