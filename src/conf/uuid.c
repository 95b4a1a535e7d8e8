/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/uuid.h"

#include <ctype.h>
#include <systemd/sd-id128.h>

void uuid_format(const uint8_t uuid[16], char text[UUID_TEXT_SIZE]) {
    char *to = text;

    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = "0123456789abcdef"[uuid[i] >> 4];
        *to++ = "0123456789abcdef"[uuid[i] & 15];
    }
    *to = '\0';
}

int uuid_make(uint8_t uuid[16]) {
    sd_id128_t id;
    int r = sd_id128_randomize(&id);

    if (r >= 0)
        memcpy(uuid, id.bytes, 16);
    return r;
}

int uuid_parse(const char *text, uint8_t uuid[16]) {
    uint8_t out[16];
    int n = 0;

    while (isspace((unsigned char)*text))
        text++;
    for (; *text && n < 16; text++) {
        char pair[3] = {text[0], text[1], '\0'};

        if (*text == '-')
            continue;
        if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1]))
            return -EINVAL;
        out[n++] = strtoul(pair, NULL, 16);
        text++;
    }
    while (isspace((unsigned char)*text))
        text++;
    if (n != 16 || *text)
        return -EINVAL;
    memcpy(uuid, out, 16);
    return 0;
}
