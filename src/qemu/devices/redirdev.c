/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <redirdev> and <smartcard>: devices of the person at the screen. */
#include "qemu/devices/device.h"

#include <stdio.h>

#include "util/file.h"
#include "util/text.h"

/* "2.01" as QEMU has it: a digit in four bits, 0x0201. */
static void format_version(const char *version, char text[8]) {
    unsigned major = 0, minor = 0;

    if (version && sscanf(version, "%2u.%2u", &major, &minor) == 2)
        snprintf(text, 8, "0x%02u%02u", major % 100, minor % 100);
    else
        snprintf(text, 8, "-1");
}

/* "class:vendor:product:version:allow|..."; -1 stands for any. NULL: out of memory. */
static char *filter_text(const RedirfilterDef *filter) {
    char *text = NULL;
    FILE *out = text_open(&text);

    if (!out)
        return NULL;
    for (size_t i = 0; i < filter->n_rules; i++) {
        const RedirRule *rule = &filter->rules[i];
        char version[8];

        format_version(rule->version, version);
        fprintf(out, "%s%s:%s:%s:%s:%d", i ? "|" : "", rule->class_ ? rule->class_ : "-1",
                rule->vendor ? rule->vendor : "-1", rule->product ? rule->product : "-1", version,
                rule->allow == TRISTATE_YES);
    }
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

static int build_redirdev(const DeviceContext *context, const void *device, DeviceSteps *steps,
                          Error **reterr) {
    const RedirdevDef *redirdev = device;
    ChardevSource source = redirdev->source;
    CLEANUP_FREE char *filter = context->def->redirfilter ? filter_text(context->def->redirfilter)
                                                          : NULL;
    Props props;
    char id[96];
    int r;

    if (source.type == CHARDEV_SPICEVMC)
        source.channel = (char *)"usbredir";
    r = device_chardev(context, &source, redirdev->info.alias, id, steps, reterr);
    if (r < 0)
        return r;
    props = device_props(context, "usb-redir", &redirdev->info);
    props_text(&props, "chardev", id);
    props.failed |= context->def->redirfilter && !filter;
    props_text(&props, "filter", filter);
    if (redirdev->info.boot_order)
        props_uint(&props, "bootindex", redirdev->info.boot_order);
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

const DeviceKind redirdev_kind = {DEVICE_KIND_LIST("redirdev", redirdevs, n_redirdevs, RedirdevDef),
                                  .build = build_redirdev};

static int build_smartcard(const DeviceContext *context, const void *device, DeviceSteps *steps,
                           Error **reterr) {
    const SmartcardDef *card = device;
    ChardevSource source = card->source;
    Props props;
    char id[96];
    int r;

    if (card->mode != SMARTCARD_PASSTHROUGH) {
        props = device_props(context, "ccid-card-emulated", &card->info);
        props_text(&props, "backend",
                   card->mode == SMARTCARD_HOST ? "nss-emulated" : "certificates");
        for (size_t i = 0; i < card->n_certificates && i < 3; i++) {
            char key[16];

            snprintf(key, sizeof(key), "cert%zu", i + 1);
            props_text(&props, key, card->certificates[i].name);
        }
        props_text(&props, "db",
                   card->database || card->mode == SMARTCARD_HOST ? card->database
                                                                  : "/etc/pki/nssdb");
    } else {
        if (source.type == CHARDEV_SPICEVMC)
            source.channel = (char *)"smartcard";
        r = device_chardev(context, &source, card->info.alias, id, steps, reterr);
        if (r < 0)
            return r;
        props = device_props(context, "ccid-card-passthru", &card->info);
        props_text(&props, "chardev", id);
    }
    if (card->info.address.type != ADDRESS_CCID)
        props_text(&props, "bus", "ccid0.0");
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

const DeviceKind smartcard_kind = {
    DEVICE_KIND_LIST("smartcard", smartcards, n_smartcards, SmartcardDef),
    .build = build_smartcard};
