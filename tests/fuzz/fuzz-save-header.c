/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as a saved guest. What is refused has a sentence; what is read has its definition. */
#include <sys/mman.h>

#include "domain/save-image.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static int fd = -1;
    CLEANUP_SAVE_IMAGE SaveImage image = {0};
    CLEANUP_ERROR Error *error = NULL;
    int r;

    if (fd < 0)
        fd = memfd_create("saved", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    r = save_image_read(fd, "/saved", &image, &error);
    if (r < 0 ? !error || image.xml : error || !image.xml)
        abort();
    if (r >= 0 && lseek(fd, 0, SEEK_CUR) != (off_t)image.data_offset)
        abort();
    return 0;
}
