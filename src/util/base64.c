/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *bytes, size_t n) {
    char *to = malloc((n + 2) / 3 * 4 + 1);
    size_t used = 0;

    for (size_t i = 0; to && i < n; i += 3) {
        const uint8_t *at = (const uint8_t *)bytes + i;
        const unsigned left = (unsigned)MIN_OF(n - i, (size_t)3);
        const uint32_t bits = (uint32_t)at[0] << 16 | (left > 1 ? (uint32_t)at[1] << 8 : 0) |
                              (left > 2 ? at[2] : 0);

        to[used++] = digits[bits >> 18];
        to[used++] = digits[bits >> 12 & 63];
        to[used++] = left > 1 ? digits[bits >> 6 & 63] : '=';
        to[used++] = left > 2 ? digits[bits & 63] : '=';
    }
    if (to)
        to[used] = '\0';
    return to;
}

int base64_decode(const char *text, uint8_t **ret, size_t *ret_n) {
    CLEANUP_FREE uint8_t *bytes = malloc(strlen(text) / 4 * 3 + 4);
    unsigned n_digits = 0, n_pads = 0;
    uint32_t bits = 0;
    size_t n = 0;

    if (!bytes)
        return -ENOMEM;
    for (; *text; text++) {
        const char *digit = strchr(digits, *text);

        if (strchr(" \t\r\n", *text))
            continue;
        if (*text == '=')
            n_pads++;
        if ((*text == '=' ? n_pads > 2 : !digit || n_pads > 0))
            return -EINVAL;
        bits = bits << 6 | (*text == '=' ? 0 : (uint32_t)(digit - digits));
        if (++n_digits % 4)
            continue;
        bytes[n++] = (uint8_t)(bits >> 16);
        bytes[n++] = (uint8_t)(bits >> 8);
        bytes[n++] = (uint8_t)bits;
    }
    if (n_digits % 4)
        return -EINVAL;
    n -= n_pads;
    bytes[n] = '\0';
    *ret = TAKE_PTR(bytes);
    *ret_n = n;
    return 0;
}
