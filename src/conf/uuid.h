/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* uuids and their text. */
#pragma once

#include "util/macro.h"

#define UUID_TEXT_SIZE 37

/* "6c1a0fd2-8f10-4b3f-9b80-3f1d26b0a00b": small letters, with its NUL. */
void uuid_format(const uint8_t uuid[16], char text[UUID_TEXT_SIZE]);
/* A random one (RFC 4122, version 4); -errno. */
int uuid_make(uint8_t uuid[16]);
/* Accepts the dashed and the bare hexadecimal form; -EINVAL. */
int uuid_parse(const char *text, uint8_t uuid[16]);
