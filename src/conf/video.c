/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/video.h"

const Words video_models = WORDS("default", "vga", "cirrus", "vmvga", "xen", "vbox", "qxl",
                                 "parallels", "virtio", "gop", "none", "bochs", "ramfb");
static const Words vgaconfs = WORDS("io", "on", "off");
static const Words driver_names = WORDS_NOT_STARTED(WORD_MASK(2), "default", "qemu", "vhostuser");

static const Field driver_fields[] = {
    FIELD_VIRTIO(VideoDef), FIELD_CHOICE("@name", VideoDef, driver_name, driver_names),
    FIELD_CHOICE("@vgaconf", VideoDef, vgaconf, vgaconfs, .flags = FIELD_NOT_ACTED), FIELD_END};
static const Field acceleration_fields[] = {
    FIELD_YESNO("@accel3d", VideoDef, accel3d), FIELD_YESNO("@accel2d", VideoDef, accel2d),
    FIELD_TEXT("@rendernode", VideoDef, rendernode), FIELD_END};
static const Field resolution_fields[] = {FIELD_UINT("@x", VideoDef, x, 1, UINT32_MAX),
                                          FIELD_UINT("@y", VideoDef, y, 1, UINT32_MAX), FIELD_END};

static int read_primary(ElementReader *reader, xmlNodePtr node, void *object) {
    CLEANUP_FREE char *text = NULL;
    int r = element_attribute(reader, node, "primary", &text);

    ((VideoDef *)object)->primary = text && streq(text, "yes");
    return r;
}

static void write_primary(ElementWriter *w, const void *object) {
    if (((const VideoDef *)object)->primary)
        writer_attribute(w, "primary", "yes");
}

static const Field model_fields[] = {FIELD_WORD("@type", VideoDef, model, video_models),
                                     FIELD_UINT("@ram", VideoDef, ram, 0, UINT32_MAX),
                                     FIELD_UINT("@vram", VideoDef, vram, 0, UINT32_MAX),
                                     FIELD_UINT("@vram64", VideoDef, vram64, 0, UINT32_MAX),
                                     FIELD_UINT("@vgamem", VideoDef, vgamem, 0, UINT32_MAX),
                                     FIELD_UINT("@heads", VideoDef, heads, 0, 64),
                                     FIELD_ON_OFF("@blob", VideoDef, blob),
                                     FIELD_CODE(NULL, read_primary, write_primary),
                                     FIELD_GROUP("acceleration", acceleration_fields),
                                     FIELD_GROUP("resolution", resolution_fields),
                                     FIELD_END};
static const Field video_fields[] = {FIELD_GROUP("driver", driver_fields),
                                     FIELD_GROUP("model", model_fields, .flags = FIELD_ALWAYS),
                                     FIELD_INFO(VideoDef), FIELD_END};

const Element video_element = {"video", sizeof(VideoDef), video_fields, NULL, NULL};
