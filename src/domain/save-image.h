/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file with the whole state of a guest: a header, the definition it ran with, QEMU's stream.
 *
 *     0   "VireoSavedGuest\n"
 *     16  version, 1                              32 bits, as all numbers little-endian
 *     20  1: complete, 2: the guest was running,  32 bits
 *         4: it was asked to reboot by its power button;
 *         from bit 8 on: where the definition begins behind the header, in units of 16 bytes
 *     24  where QEMU's stream begins              64 bits, a multiple of 4096
 *     32  length of the whole file                64 bits, of a complete one
 *     40  length of the definition                32 bits
 *     44  its CRC-32 (zlib's)                     32 bits
 *     48  the id of this save                     16 bytes, random
 *     64  the definition, with room behind it for another one
 *
 * It is written incomplete under another name, becomes complete when QEMU is done, and only then
 * gets its name: what has the name can be restored. These functions block; call them on a worker.
 */
#pragma once

#include "util/error.h"

#define SAVE_IMAGE_ID_SIZE 16u

typedef struct SaveImage {
    bool running;   /* the guest ran, and shall run again */
    bool rebooting; /* its power-off is to mean "reset and go on" */
    uint64_t data_offset;
    uint8_t id[SAVE_IMAGE_ID_SIZE];
    char *xml;
} SaveImage;

void save_image_done(SaveImage *image);
#define CLEANUP_SAVE_IMAGE CLEANUP(save_image_done)

/* Reads and checks the header; the sentence of what cannot be used says what it is and names
 * `path`. The file's offset is then where the stream begins. */
int save_image_read(int fd, const char *path, SaveImage *ret, Error **reterr);
/* Writes the header of an incomplete one, with image->running, id and xml; sets data_offset and the
 * file's offset. -errno. */
int save_image_begin(int fd, SaveImage *image);
/* QEMU has written all: makes it complete, on the disk. -ENODATA: nothing of QEMU's is there.
 * -errno. */
int save_image_complete(int fd, const SaveImage *image);
/* Replaces the definition and `running` of a complete one: what fails leaves it as it was. A daemon
 * that dies leaves the old one or the new one, as long as there is room for both. -EMSGSIZE: it is
 * too long for its room. -errno. */
int save_image_change(int fd, const SaveImage *image);
