/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sets of small numbers. */
#include "util/bitmap.h"
#include "util/text.h"

#include <ctype.h>
#include <stdio.h>

#define WORD_BITS 64u

Bitmap *bitmap_new(void) {
    return calloc(1, sizeof(Bitmap));
}

void bitmap_free(Bitmap *map) {
    if (!map)
        return;
    free(map->words);
    free(map);
}

static int grow(Bitmap *map, size_t n_words) {
    uint64_t *words;

    if (n_words <= map->n_words)
        return 0;
    words = realloc(map->words, n_words * sizeof(uint64_t));
    if (!words)
        return -ENOMEM;
    memset(words + map->n_words, 0, (n_words - map->n_words) * sizeof(uint64_t));
    map->words = words;
    map->n_words = n_words;
    return 0;
}

Bitmap *bitmap_copy(const Bitmap *map) {
    CLEANUP_BITMAP Bitmap *copy = bitmap_new();

    if (!copy || grow(copy, map->n_words) < 0)
        return NULL;
    if (map->n_words)
        memcpy(copy->words, map->words, map->n_words * sizeof(uint64_t));
    return TAKE_PTR(copy);
}

Bitmap *bitmap_new_range(unsigned n) {
    CLEANUP_BITMAP Bitmap *map = bitmap_new();

    if (!map)
        return NULL;
    for (unsigned i = 0; i < n; i++)
        if (bitmap_set(map, i) < 0)
            return NULL;
    return TAKE_PTR(map);
}

int bitmap_set(Bitmap *map, unsigned bit) {
    int r;

    if (bit >= BITMAP_MAX_BITS)
        return -ERANGE;
    r = grow(map, bit / WORD_BITS + 1);
    if (r < 0)
        return r;
    map->words[bit / WORD_BITS] |= UINT64_C(1) << (bit % WORD_BITS);
    return 0;
}

void bitmap_clear(Bitmap *map, unsigned bit) {
    if (bit / WORD_BITS < map->n_words)
        map->words[bit / WORD_BITS] &= ~(UINT64_C(1) << (bit % WORD_BITS));
}

bool bitmap_test(const Bitmap *map, unsigned bit) {
    return bit / WORD_BITS < map->n_words && (map->words[bit / WORD_BITS] >> (bit % WORD_BITS)) & 1;
}

static uint64_t word(const Bitmap *map, size_t i) {
    return i < map->n_words ? map->words[i] : 0;
}

bool bitmap_is_empty(const Bitmap *map) {
    return bitmap_next(map, 0) < 0;
}

bool bitmap_equal(const Bitmap *a, const Bitmap *b) {
    for (size_t i = 0; i < MAX_OF(a->n_words, b->n_words); i++)
        if (word(a, i) != word(b, i))
            return false;
    return true;
}

bool bitmap_is_subset(const Bitmap *map, const Bitmap *of) {
    for (size_t i = 0; i < map->n_words; i++)
        if (map->words[i] & ~word(of, i))
            return false;
    return true;
}

bool bitmap_overlaps(const Bitmap *a, const Bitmap *b) {
    for (size_t i = 0; i < a->n_words; i++)
        if (a->words[i] & word(b, i))
            return true;
    return false;
}

unsigned bitmap_count(const Bitmap *map) {
    unsigned n = 0;

    for (size_t i = 0; i < map->n_words; i++)
        n += __builtin_popcountll(map->words[i]);
    return n;
}

int bitmap_next(const Bitmap *map, unsigned from) {
    for (size_t i = from / WORD_BITS; i < map->n_words; i++) {
        uint64_t bits = map->words[i];

        if (i == from / WORD_BITS)
            bits &= ~UINT64_C(0) << (from % WORD_BITS);
        if (bits)
            return (int)(i * WORD_BITS) + __builtin_ctzll(bits);
    }
    return -1;
}

int bitmap_last(const Bitmap *map) {
    for (size_t i = map->n_words; i-- > 0;)
        if (map->words[i])
            return (int)(i * WORD_BITS) + 63 - __builtin_clzll(map->words[i]);
    return -1;
}

void bitmap_intersect(Bitmap *map, const Bitmap *with) {
    for (size_t i = 0; i < map->n_words; i++)
        map->words[i] &= word(with, i);
}

int bitmap_union(Bitmap *map, const Bitmap *with) {
    int r = grow(map, with->n_words);

    if (r < 0)
        return r;
    for (size_t i = 0; i < with->n_words; i++)
        map->words[i] |= with->words[i];
    return 0;
}

/* ---- text ---- */

static const char *skip_space(const char *text) {
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

/* A decimal number below max_bits; moves *text past it. */
static int parse_number(const char **text, unsigned max_bits, unsigned *ret) {
    unsigned value = 0;

    if (!isdigit((unsigned char)**text))
        return -EINVAL;
    for (; isdigit((unsigned char)**text); (*text)++) {
        value = value * 10 + (**text - '0');
        if (value >= max_bits)
            return -ERANGE;
    }
    *ret = value;
    return 0;
}

/* Word by word: a text of megabytes may say the same wide range over and over. */
static int set_range(Bitmap *map, unsigned first, unsigned last) {
    int r = bitmap_set(map, last); /* as long as it has to be */

    for (unsigned bit = first; r >= 0 && bit <= last; bit = (bit / 64 + 1) * 64) {
        uint64_t word = ~UINT64_C(0) << bit % 64;

        if (last / 64 == bit / 64 && last % 64 < 63)
            word &= (UINT64_C(1) << (last % 64 + 1)) - 1;
        map->words[bit / 64] |= word;
    }
    return r;
}

/* "^N", "N" or "N-M". */
static int parse_item(const char **text, unsigned max_bits, Bitmap *map) {
    unsigned first, last;
    bool clear = **text == '^';
    int r;

    if (clear)
        (*text)++;
    r = parse_number(text, max_bits, &first);
    if (r < 0)
        return r;
    last = first;
    if (!clear && **text == '-') {
        (*text)++;
        r = parse_number(text, max_bits, &last);
        if (r < 0)
            return r;
        if (last < first)
            return -EINVAL;
    }
    if (!clear)
        return set_range(map, first, last);
    bitmap_clear(map, first);
    return 0;
}

int bitmap_parse(const char *text, unsigned max_bits, Bitmap **ret) {
    CLEANUP_BITMAP Bitmap *map = bitmap_new();
    int r;

    if (!map)
        return -ENOMEM;
    text = skip_space(text);
    while (*text) {
        r = parse_item(&text, MIN_OF(max_bits, BITMAP_MAX_BITS), map);
        if (r < 0)
            return r;
        text = skip_space(text);
        if (*text == ',') { /* one at the end is accepted, as libvirt does */
            text = skip_space(text + 1);
        } else if (*text) {
            return -EINVAL;
        }
    }
    *ret = TAKE_PTR(map);
    return 0;
}

char *bitmap_format(const Bitmap *map) {
    CLEANUP_FREE char *text = NULL;
    FILE *out = text_open(&text);
    const char *comma = "";

    if (!out)
        return NULL;
    for (int first = bitmap_next(map, 0); first >= 0;) {
        int last = first;

        while (bitmap_test(map, last + 1))
            last++;
        if (last > first)
            fprintf(out, "%s%d-%d", comma, first, last);
        else
            fprintf(out, "%s%d", comma, first);
        comma = ",";
        first = bitmap_next(map, last + 1);
    }
    if (fclose(out) != 0)
        return NULL;
    return TAKE_PTR(text);
}

int bitmap_from_bytes(const uint8_t *bytes, size_t len, Bitmap **ret) {
    CLEANUP_BITMAP Bitmap *map = bitmap_new();
    int r;

    if (!map)
        return -ENOMEM;
    for (size_t i = 0; i < len; i++)
        for (unsigned bit = 0; bit < 8; bit++)
            if (bytes[i] & (1u << bit)) {
                if (i >= BITMAP_MAX_BITS / 8)
                    return -ERANGE;
                r = bitmap_set(map, i * 8 + bit);
                if (r < 0)
                    return r;
            }
    *ret = TAKE_PTR(map);
    return 0;
}

void bitmap_to_bytes(const Bitmap *map, uint8_t *bytes, size_t len) {
    memset(bytes, 0, len);
    for (int bit = bitmap_next(map, 0); bit >= 0 && (size_t)bit / 8 < len;
         bit = bitmap_next(map, bit + 1))
        bytes[bit / 8] |= 1u << (bit % 8);
}
