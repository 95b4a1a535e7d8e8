/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the header of an image has qemu-img open besides it. root runs that, and a QEMU that a guest
 * has taken over writes headers as it likes. */
#pragma once

#include "driver/storage.h"

typedef enum ImageBelow {
    IMAGE_BELOW_SAID,   /* the definition has said what is below it */
    IMAGE_BELOW_OPENED, /* it is opened to be read, and nobody sees what it has */
    IMAGE_BELOW_COPIED, /* what it has gets into an image that others have */
} ImageBelow;

/* Whether the image has all of its data in itself, and is above regular files or block devices of
 * this host; what is copied may only be where a header may name a file (driver/named-files.h).
 * `format` NULL: qemu-img says it. Else ERROR_OPERATION_DENIED, which names both, or an error of
 * image_info. On a fiber. */
int image_names_check(const Storage *storage, const char *path, const char *format,
                      ImageBelow below, Error **reterr);
