/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A set of small numbers: host CPUs, vCPU ids, memory nodes. Grows as bits are set, up to
 * BITMAP_MAX_BITS; text form is the kernel's and libvirt's cpu list ("0-4,^2,7"). */
#pragma once

#include "util/macro.h"

#define BITMAP_MAX_BITS 16384u

typedef struct Bitmap {
    uint64_t *words;
    size_t n_words;
} Bitmap;

/* Empty set; NULL when out of memory. */
Bitmap *bitmap_new(void);
Bitmap *bitmap_copy(const Bitmap *map);
/* All of 0 .. n-1. */
Bitmap *bitmap_new_range(unsigned n);
void bitmap_free(Bitmap *map);
DEFINE_CLEANUP(Bitmap *, bitmap_free)
#define CLEANUP_BITMAP CLEANUP(bitmap_freep)

/* Parses "0-4,^2,7", evaluated left to right, white space around items allowed. -EINVAL for bad
 * syntax, -ERANGE for a number >= max_bits (pass BITMAP_MAX_BITS for no tighter limit), -ENOMEM.
 * An empty text, or a list that ends up empty, is 0 with an empty map; callers that need a member
 * check bitmap_is_empty. */
int bitmap_parse(const char *text, unsigned max_bits, Bitmap **ret);

/* Canonical list ("0-1,3"); empty set gives "". NULL when out of memory. Caller frees. */
char *bitmap_format(const Bitmap *map);

int bitmap_set(Bitmap *map, unsigned bit); /* -ERANGE, -ENOMEM */
void bitmap_clear(Bitmap *map, unsigned bit);
bool bitmap_test(const Bitmap *map, unsigned bit); /* false beyond the end */
bool bitmap_is_empty(const Bitmap *map);
bool bitmap_equal(const Bitmap *a, const Bitmap *b);
bool bitmap_is_subset(const Bitmap *map, const Bitmap *of);
bool bitmap_overlaps(const Bitmap *a, const Bitmap *b);
unsigned bitmap_count(const Bitmap *map);
/* First set bit >= from, or -1. */
int bitmap_next(const Bitmap *map, unsigned from);
/* Highest set bit, or -1. */
int bitmap_last(const Bitmap *map);
void bitmap_intersect(Bitmap *map, const Bitmap *with);
int bitmap_union(Bitmap *map, const Bitmap *with);

/* libvirt's wire form: bit n%8 (least significant first) of byte n/8. to_bytes zero-fills and drops
 * bits beyond len*8. */
int bitmap_from_bytes(const uint8_t *bytes, size_t len, Bitmap **ret);
void bitmap_to_bytes(const Bitmap *map, uint8_t *bytes, size_t len);
