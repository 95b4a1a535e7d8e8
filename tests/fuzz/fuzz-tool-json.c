/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as a firmware's descriptor, and as what qemu-img tells of an image. */
#include "fuzz.h"
#include "qemu/firmware-internal.h"
#include "qemu/image.h"
#include "stand-in.h"

static void read_firmware(const char *text, size_t len) {
    Firmware firmware = {0};

    if (firmware_parse(text, len, &firmware) < 0)
        return;
    if (!firmware.executable || !firmware.format ||
        !firmware.nvram_template != !firmware.template_format)
        abort();
    for (size_t i = 0; i < firmware.n_targets; i++)
        if (!strchr(firmware.targets[i], ' '))
            abort();
    firmware_done(&firmware);
}

static void read_image(void) {
    CLEANUP_IMAGE_INFO ImageInfo info = {0};
    CLEANUP_ERROR Error *error = NULL;
    int r = image_info("/image", "qcow2", &info, &error);

    if (r < 0 ? !error || info.format : error || !info.format)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    stand_in_set(data, size);
    read_firmware((const char *)data, size);
    read_image();
    stand_in_clear();
    return 0;
}
