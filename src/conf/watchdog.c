/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/watchdog.h"

static const Words models = WORDS("i6300esb", "ib700", "diag288", "itco");
static const Words actions = WORDS("reset", "shutdown", "poweroff", "pause", "dump", "none",
                                   "inject-nmi");
static const Field watchdog_fields[] = {
    FIELD_CHOICE("@model", WatchdogDef, model, models, .flags = FIELD_REQUIRED),
    FIELD_CHOICE("@action", WatchdogDef, action, actions), FIELD_INFO(WatchdogDef), FIELD_END};

static int check(ElementReader *reader, xmlNodePtr node, void *object) {
    WatchdogDef *watchdog = object;

    if (!watchdog->action)
        watchdog->action = strdup("reset");
    return watchdog->action ? 0 : error_no_memory(reader->reterr);
}

const Element watchdog_element = {"watchdog", sizeof(WatchdogDef), watchdog_fields, NULL, check};

static const Words panic_models = WORDS("isa", "pseries", "hyperv", "s390", "pvpanic");
static const Field panic_fields[] = {FIELD_CHOICE("@model", PanicDef, model, panic_models),
                                     FIELD_INFO(PanicDef), FIELD_END};
const Element panic_element = {"panic", sizeof(PanicDef), panic_fields, NULL, NULL};
