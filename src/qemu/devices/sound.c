/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <sound> and <audio>. */
#include "qemu/devices/device.h"

#include <stdio.h>

static const AudioDef *audio_of(const DeviceContext *context, const SoundDef *sound) {
    for (size_t i = 0; i < context->def->n_audios; i++)
        if (!sound->audio || context->def->audios[i].id == sound->audio)
            return &context->def->audios[i];
    return NULL;
}

static void add_audiodev(Props *props, const AudioDef *audio) {
    if (audio)
        props_textf(props, "audiodev", "audio%u", audio->id);
}

static void build_codecs(const SoundDef *sound, const AudioDef *audio, DeviceSteps *steps) {
    size_t n = MAX_OF(sound->n_codecs, (size_t)1);

    for (size_t i = 0; i < n; i++) {
        const char *type = i < sound->n_codecs ? sound->codecs[i].type : "duplex";
        Props props = props_new();

        props_textf(&props, "driver", "hda-%s", type);
        props_textf(&props, "id", "%s-codec%zu", sound->info.alias, i);
        props_textf(&props, "bus", "%s.0", sound->info.alias);
        props_uint(&props, "cad", i);
        add_audiodev(&props, audio);
        steps_props(steps, STEP_DEVICE, &props);
    }
}

static int build_sound(const DeviceContext *context, const void *device, DeviceSteps *steps,
                       Error **reterr) {
    static const char *const drivers[] = {
        [SOUND_SB16] = "sb16",      [SOUND_ES1370] = "ES1370", [SOUND_AC97] = "AC97",
        [SOUND_ICH6] = "intel-hda", [SOUND_USB] = "usb-audio", [SOUND_ICH9] = "ich9-intel-hda"};
    const SoundDef *sound = device;
    const AudioDef *audio = audio_of(context, sound);
    Props props;

    if (sound->model == SOUND_PCSPK)
        return 0; /* the machine's own: -machine pcspk-audiodev */
    if (sound->model >= ARRAY_SIZE(drivers) || !drivers[sound->model])
        return device_refuse(context, reterr, "a <sound> of model '%s' cannot be had",
                             words_name(&sound_models, sound->model));
    props = device_props(context, drivers[sound->model], &sound->info);
    if (sound->model == SOUND_USB)
        props_tristate(&props, "multi", sound->multichannel);
    if (sound->model != SOUND_ICH6 && sound->model != SOUND_ICH9)
        add_audiodev(&props, audio);
    steps_props(steps, STEP_DEVICE, &props);
    if (sound->model == SOUND_ICH6 || sound->model == SOUND_ICH9)
        build_codecs(sound, audio, steps);
    return 0;
}

const DeviceKind sound_kind = {DEVICE_KIND_LIST("sound", sounds, n_sounds, SoundDef),
                               .build = build_sound};

/* ---- the host's end ---- */

/* 0 is none. */
static void add_number(Props *props, const char *name, const char *text) {
    unsigned long value = text ? strtoul(text, NULL, 10) : 0;

    if (value)
        props_uint(props, name, value);
}

static void add_yes_no(Props *props, const char *name, const char *text) {
    if (text)
        props_bool(props, name, streq(text, "yes"));
}

static void add_direction(Props *props, const char *name, const AudioDirection *direction) {
    static const Property rows[] = {PROP_BOOL("mixing-engine", AudioDirection, mixing_engine),
                                    PROP_BOOL("fixed-settings", AudioDirection, fixed_settings),
                                    PROP_UINT("voices", AudioDirection, voices),
                                    PROP_UINT("buffer-length", AudioDirection, buffer_length),
                                    PROP_UINT("frequency", AudioDirection, frequency),
                                    PROP_UINT("channels", AudioDirection, channels),
                                    PROP_TEXT("format", AudioDirection, format),
                                    PROP_TEXT("dev", AudioDirection, dev),
                                    PROP_TEXT("name", AudioDirection, name),
                                    PROP_TEXT("stream-name", AudioDirection, stream_name),
                                    PROP_TEXT("server-name", AudioDirection, server_name),
                                    PROP_TEXT("client-name", AudioDirection, client_name),
                                    PROP_TEXT("connect-ports", AudioDirection, connect_ports),
                                    PROP_END};
    Props all = props_new();

    props_rows(&all, rows, direction);
    add_number(&all, "buffer-count", direction->buffer_count);
    add_number(&all, "latency", direction->latency);
    add_yes_no(&all, "try-poll", direction->try_poll);
    add_yes_no(&all, "exact-name", direction->exact_name);
    if (all.failed || !all.object || json_object_object_length(all.object) > 0)
        props_add(props, name, props_take(&all));
    else
        json_object_put(props_take(&all));
}

static int build_audio(const DeviceContext *context, const void *device, DeviceSteps *steps,
                       Error **reterr) {
    static const char *const drivers[] = {
        [AUDIO_NONE] = "none",   [AUDIO_ALSA] = "alsa",     [AUDIO_JACK] = "jack",
        [AUDIO_OSS] = "oss",     [AUDIO_PULSEAUDIO] = "pa", [AUDIO_SDL] = "sdl",
        [AUDIO_SPICE] = "spice", [AUDIO_FILE] = "wav",      [AUDIO_DBUS] = "dbus"};
    const AudioDef *audio = device;
    Props props;

    if (audio->type >= ARRAY_SIZE(drivers) || !drivers[audio->type])
        return device_refuse(context, reterr, "<audio type='%s'> cannot be had",
                             words_name(&audio_types, audio->type));
    props = props_new();
    props_textf(&props, "id", "audio%u", audio->id);
    props_text(&props, "driver", drivers[audio->type]);
    if (audio->timer_period)
        props_uint(&props, "timer-period", audio->timer_period);
    add_direction(&props, "in", &audio->input);
    add_direction(&props, "out", &audio->output);
    if (audio->type == AUDIO_FILE)
        props_text(&props, "path", audio->path);
    if (audio->type == AUDIO_PULSEAUDIO)
        props_text(&props, "server", audio->server_name);
    props_tristate(&props, "try-mmap", audio->try_mmap);
    props_tristate(&props, "exclusive", audio->exclusive);
    add_number(&props, "dsp-policy", audio->dsp_policy);
    steps_props(steps, STEP_AUDIODEV, &props);
    return 0;
}

/* Has no address and no alias of its own. */
const DeviceKind audio_kind = {.name = "audio",
                               .array = offsetof(DomainDef, audios),
                               .count = offsetof(DomainDef, n_audios),
                               .size = sizeof(AudioDef),
                               .info = DEVICE_WITHOUT_INFO,
                               .build = build_audio};
