/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the header of a qcow2 image says of the file below it, read without running a program: the
 * image may be what a guest's QEMU has written. Source: QEMU's docs/interop/qcow2.txt. */
#pragma once

#include "util/macro.h"

#define IMAGE_CHAIN_MAX 200u /* files below one image */

/* Files below an image, the next one first. */
typedef struct ImageChain {
    char *files[IMAGE_CHAIN_MAX]; /* absolute, without ".." */
    size_t n;
} ImageChain;

void image_chain_done(ImageChain *chain);
#define CLEANUP_IMAGE_CHAIN CLEANUP(image_chain_done)

/* All files below a qcow2 image, as far as the headers name them and say that they are qcow2 images
 * themselves. What is no plain file, has ".." in its name or cannot be read ends the chain.
 * -ENOMEM. Blocks. The caller ends *ret in every case. */
int image_header_chain(const char *path, ImageChain *ret);
/* Whether it is a qcow2 image whose header names nothing below it; false also when it cannot be
 * read. Blocks. */
bool image_header_is_alone(const char *path);

/* Whether a name that a header gives is one of a file: one with a protocol in front is none. */
bool image_is_file_name(const char *name);
/* Its path: a relative name begins in the directory of the image. The caller frees; NULL: out of
 * memory. */
char *image_path_of(const char *image, const char *name);
