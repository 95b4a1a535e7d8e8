/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/clock.h"

const Words clock_offsets = WORDS("utc", "localtime", "variable", "timezone", "absolute");
static const Words timers = WORDS("platform", "pit", "rtc", "hpet", "tsc", "kvmclock",
                                  "hypervclock", "armvtimer");
static const Words tickpolicies = WORDS("delay", "catchup", "merge", "discard");
static const Words tracks = WORDS("boot", "guest", "wall", "realtime");
static const Words modes = WORDS("auto", "native", "emulate", "paravirt", "smpsafe");
static const Words bases = WORDS("utc", "localtime");

static const Field catchup_fields[] = {FIELD_UINT("@threshold", TimerDef, threshold, 1, UINT32_MAX),
                                       FIELD_UINT("@slew", TimerDef, slew, 1, UINT32_MAX),
                                       FIELD_UINT("@limit", TimerDef, limit, 1, UINT32_MAX),
                                       FIELD_END};
static const Field timer_fields[] = {
    FIELD_CHOICE("@name", TimerDef, name, timers, .flags = FIELD_REQUIRED),
    FIELD_YESNO("@present", TimerDef, present),
    FIELD_CHOICE("@tickpolicy", TimerDef, tickpolicy, tickpolicies),
    FIELD_CHOICE("@track", TimerDef, track, tracks),
    FIELD_UINT("@frequency", TimerDef, frequency, 1, UINT64_MAX),
    FIELD_CHOICE("@mode", TimerDef, mode, modes),
    FIELD_GROUP("catchup", catchup_fields, .flags = FIELD_NOT_ACTED),
    FIELD_END};
const Element timer_element = {"timer", sizeof(TimerDef), timer_fields, NULL, NULL};

const Field clock_reset_fields[] = {FIELD_TEXT("@adjustment", ClockDef, adjustment), FIELD_END};
const Field clock_variable_fields[] = {FIELD_TEXT("@adjustment", ClockDef, adjustment),
                                       FIELD_CHOICE("@basis", ClockDef, basis, bases), FIELD_END};
const Field clock_timezone_fields[] = {
    FIELD_TEXT("@timezone", ClockDef, timezone, .flags = FIELD_REQUIRED), FIELD_END};
const Field clock_absolute_fields[] = {FIELD_UINT("@start", ClockDef, start, 0, UINT64_MAX,
                                                  FIELD_GIVEN(ClockDef, has_start),
                                                  .flags = FIELD_ALWAYS),
                                       FIELD_END};

int64_t clock_adjustment(const ClockDef *clock) {
    const int64_t seconds = clock->adjustment && !streq(clock->adjustment, "reset")
                                ? strtoll(clock->adjustment, NULL, 10)
                                : 0;

    return MAX_OF(MIN_OF(seconds, CLOCK_SECONDS_MAX), -CLOCK_SECONDS_MAX);
}
