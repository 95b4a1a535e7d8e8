/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <sound> and <audio>, the host's end of it. */
#pragma once

#include "conf/device-info.h"

typedef enum SoundModel {
    SOUND_SB16,
    SOUND_ES1370,
    SOUND_PCSPK,
    SOUND_AC97,
    SOUND_ICH6,
    SOUND_ICH9,
    SOUND_USB,
    SOUND_ICH7,
    SOUND_MODEL_MAX_
} SoundModel;

typedef struct SoundCodec {
    char *type;
} SoundCodec;

typedef struct SoundDef {
    SoundModel model;
    Tristate multichannel;
    SoundCodec *codecs;
    size_t n_codecs;
    unsigned audio; /* 0: not given */
    DeviceInfo info;
} SoundDef;

typedef enum AudioType {
    AUDIO_NONE,
    AUDIO_ALSA,
    AUDIO_COREAUDIO,
    AUDIO_JACK,
    AUDIO_OSS,
    AUDIO_PULSEAUDIO,
    AUDIO_SDL,
    AUDIO_SPICE,
    AUDIO_FILE,
    AUDIO_DBUS,
    AUDIO_TYPE_MAX_
} AudioType;

/* One direction: <input> or <output>. */
typedef struct AudioDirection {
    Tristate mixing_engine, fixed_settings;
    unsigned voices, buffer_length;
    unsigned frequency, channels;
    char *format;
    bool has_settings;
    char *dev, *buffer_count, *try_poll, *name, *stream_name, *latency;
    char *server_name, *client_name, *connect_ports, *exact_name;
} AudioDirection;

typedef struct AudioDef {
    unsigned id;
    AudioType type;
    unsigned timer_period;
    char *server_name, *driver, *path, *dsp_policy;
    Tristate try_mmap, exclusive;
    AudioDirection input, output;
    bool automatic; /* made at define: nobody wrote one */
} AudioDef;

extern const Words sound_models, audio_types;
extern const Element sound_element, audio_element;
