/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/sound.h"

const Words sound_models = WORDS("sb16", "es1370", "pcspk", "ac97", "ich6", "ich9", "usb", "ich7");
const Words audio_types = WORDS("none", "alsa", "coreaudio", "jack", "oss", "pulseaudio", "sdl",
                                "spice", "file", "dbus");
static const Words codec_types = WORDS("duplex", "micro", "output");
static const Words formats = WORDS("u8", "s8", "u16", "s16", "u32", "s32", "f32");
static const Words sdl_drivers = WORDS("esd", "alsa", "arts", "pulseaudio");

static const Field codec_fields[] = {
    FIELD_CHOICE("@type", SoundCodec, type, codec_types, .flags = FIELD_REQUIRED), FIELD_END};
static const Element codec_element = {"codec", sizeof(SoundCodec), codec_fields, NULL, NULL};

static const Field sound_fields[] = {
    FIELD_WORD("@model", SoundDef, model, sound_models, .flags = FIELD_REQUIRED),
    FIELD_YESNO("@multichannel", SoundDef, multichannel),
    FIELD_LIST("codec", SoundDef, codecs, n_codecs, codec_element, .limit = 64),
    FIELD_UINT("audio@id", SoundDef, audio, 1, UINT32_MAX),
    FIELD_INFO(SoundDef),
    FIELD_END};
const Element sound_element = {"sound", sizeof(SoundDef), sound_fields, NULL, NULL};

/* ---- <audio> ---- */

static const Field settings_fields[] = {
    FIELD_UINT("@frequency", AudioDirection, frequency, 1, UINT32_MAX),
    FIELD_UINT("@channels", AudioDirection, channels, 1, UINT32_MAX),
    FIELD_CHOICE("@format", AudioDirection, format, formats), FIELD_END};

#define FIRST                                                                                      \
    FIELD_YESNO("@mixingEngine", AudioDirection, mixing_engine),                                   \
        FIELD_YESNO("@fixedSettings", AudioDirection, fixed_settings),                             \
        FIELD_UINT("@voices", AudioDirection, voices, 1, UINT32_MAX),                              \
        FIELD_UINT("@bufferLength", AudioDirection, buffer_length, 1, UINT32_MAX)
#define LAST                                                                                       \
    FIELD_GROUP("settings", settings_fields, FIELD_GIVEN(AudioDirection, has_settings)), FIELD_END

static const Field common_direction[] = {FIRST, LAST};
static const Field alsa_direction[] = {FIRST, FIELD_TEXT("@dev", AudioDirection, dev), LAST};
static const Field coreaudio_direction[] = {
    FIRST, FIELD_TEXT("@bufferCount", AudioDirection, buffer_count), LAST};
static const Field jack_direction[] = {FIRST,
                                       FIELD_TEXT("@serverName", AudioDirection, server_name),
                                       FIELD_TEXT("@clientName", AudioDirection, client_name),
                                       FIELD_TEXT("@connectPorts", AudioDirection, connect_ports),
                                       FIELD_TEXT("@exactName", AudioDirection, exact_name),
                                       LAST};
static const Field oss_direction[] = {FIRST, FIELD_TEXT("@dev", AudioDirection, dev),
                                      FIELD_TEXT("@bufferCount", AudioDirection, buffer_count),
                                      FIELD_TEXT("@tryPoll", AudioDirection, try_poll), LAST};
static const Field pulse_direction[] = {FIRST, FIELD_TEXT("@name", AudioDirection, name),
                                        FIELD_TEXT("@streamName", AudioDirection, stream_name),
                                        FIELD_TEXT("@latency", AudioDirection, latency), LAST};
static const Field sdl_direction[] = {
    FIRST, FIELD_TEXT("@bufferCount", AudioDirection, buffer_count), LAST};

#define DIRECTIONS(table)                                                                          \
    FIELD_PART("input", AudioDef, input, table), FIELD_PART("output", AudioDef, output, table)

static const Field common_fields[] = {DIRECTIONS(common_direction), FIELD_END};
static const Field alsa_fields[] = {DIRECTIONS(alsa_direction), FIELD_END};
static const Field coreaudio_fields[] = {DIRECTIONS(coreaudio_direction), FIELD_END};
static const Field jack_fields[] = {DIRECTIONS(jack_direction), FIELD_END};
static const Field oss_fields[] = {
    FIELD_YESNO("@tryMMap", AudioDef, try_mmap), FIELD_YESNO("@exclusive", AudioDef, exclusive),
    FIELD_TEXT("@dspPolicy", AudioDef, dsp_policy), DIRECTIONS(oss_direction), FIELD_END};
static const Field pulse_fields[] = {FIELD_TEXT("@serverName", AudioDef, server_name),
                                     DIRECTIONS(pulse_direction), FIELD_END};
static const Field sdl_fields[] = {FIELD_CHOICE("@driver", AudioDef, driver, sdl_drivers),
                                   DIRECTIONS(sdl_direction), FIELD_END};
static const Field file_fields[] = {FIELD_TEXT("@path", AudioDef, path),
                                    DIRECTIONS(common_direction), FIELD_END};
static const Field *const kinds[AUDIO_TYPE_MAX_] = {[AUDIO_NONE] = common_fields,
                                                    [AUDIO_ALSA] = alsa_fields,
                                                    [AUDIO_COREAUDIO] = coreaudio_fields,
                                                    [AUDIO_JACK] = jack_fields,
                                                    [AUDIO_OSS] = oss_fields,
                                                    [AUDIO_PULSEAUDIO] = pulse_fields,
                                                    [AUDIO_SDL] = sdl_fields,
                                                    [AUDIO_SPICE] = common_fields,
                                                    [AUDIO_FILE] = file_fields,
                                                    [AUDIO_DBUS] = common_fields};

static const Field audio_fields[] = {
    FIELD_UINT("@id", AudioDef, id, 1, UINT32_MAX, .flags = FIELD_REQUIRED),
    FIELD_WORD("@type", AudioDef, type, audio_types, .flags = FIELD_REQUIRED),
    FIELD_UINT("@timerPeriod", AudioDef, timer_period, 0, UINT32_MAX),
    FIELD_SWITCH(NULL, AudioDef, type, kinds), FIELD_END};
const Element audio_element = {"audio", sizeof(AudioDef), audio_fields, NULL, NULL};
