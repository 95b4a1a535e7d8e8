/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/strays.h"

#include "conf/uuid.h"
#include "util/log.h"

struct Strays {
    Stray *first;
};

Strays *strays_new(void) {
    return calloc(1, sizeof(Strays));
}

static void stray_free(Stray *stray) {
    free(stray->monitor_path);
    free(stray->partition);
    free(stray->group);
    free(stray->why);
    free(stray);
}

void strays_free(Strays *strays) {
    while (strays && strays->first)
        strays_forget(strays, strays->first);
    free(strays);
}

void strays_forget(Strays *strays, Stray *stray) {
    Stray **at = &strays->first;

    while (*at && *at != stray)
        at = &(*at)->next;
    assert(*at == stray);
    *at = stray->next;
    stray_free(stray);
}

Stray *strays_first(const Strays *strays) {
    return strays->first;
}

Stray *strays_add(Strays *strays, int id, const char *monitor_path) {
    Stray *stray;

    for (stray = strays->first; stray; stray = stray->next)
        if (stray->id == id)
            return stray;
    stray = calloc(1, sizeof(Stray));
    if (stray)
        stray->monitor_path = strdup(monitor_path);
    if (!stray || !stray->monitor_path) {
        free(stray);
        return NULL;
    }
    stray->id = id;
    stray->next = strays->first;
    strays->first = stray;
    return stray;
}

bool stray_has_ended(const Stray *stray) {
    return stray->pid.pid > 0 && !qemu_process_alive(&stray->pid);
}

void stray_set_why(Stray *stray, const char *why) {
    char uuid[UUID_TEXT_SIZE] = "unknown";

    if (streq_ptr(stray->why, why))
        return;
    free(stray->why);
    stray->why = strdup(why);
    if (stray->has_uuid)
        uuid_format(stray->uuid, uuid);
    log_warning("a QEMU (process %d, monitor '%s', uuid %s) is left alone: %s", (int)stray->pid.pid,
                stray->monitor_path, uuid, why);
}

int strays_check(const Strays *strays, const uint8_t uuid[16], Error **reterr) {
    for (const Stray *stray = strays->first; stray; stray = stray->next) {
        if (!stray->has_uuid || memcmp(stray->uuid, uuid, sizeof(stray->uuid)) != 0 ||
            stray_has_ended(stray))
            continue;
        return error_report(
            reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
            "the domain may already be running: QEMU process %d (monitor '%s') has its uuid; %s",
            (int)stray->pid.pid, stray->monitor_path,
            stray->why ? stray->why : "it is being asked who it is");
    }
    return 0;
}
