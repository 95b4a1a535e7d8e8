/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <clock>. */
#pragma once

#include "conf/element.h"

typedef enum ClockOffset {
    CLOCK_UTC,
    CLOCK_LOCALTIME,
    CLOCK_VARIABLE,
    CLOCK_TIMEZONE,
    CLOCK_ABSOLUTE,
    CLOCK_OFFSET_MAX_
} ClockOffset;

typedef struct TimerDef {
    char *name;       /* rtc, pit, hpet, kvmclock, tsc, hypervclock, platform, armvtimer */
    char *tickpolicy; /* or NULL */
    char *track, *mode;
    uint64_t frequency;
    Tristate present;
    unsigned threshold, slew, limit;
} TimerDef;

typedef struct ClockDef {
    char *adjustment; /* seconds, or "reset" */
    char *basis;      /* utc, localtime */
    char *timezone;
    uint64_t start;
    bool has_start;
} ClockDef;

#define CLOCK_SECONDS_MAX INT64_C(10000000000) /* from UTC, either way: 300 years */

/* Seconds from UTC that a clock is to be started with, at most CLOCK_SECONDS_MAX; 0 for "reset",
 * which is the host's time. */
int64_t clock_adjustment(const ClockDef *clock);

extern const Words clock_offsets;
extern const Element timer_element;
/* Of ClockDef, by the offset. */
extern const Field clock_reset_fields[], clock_variable_fields[], clock_timezone_fields[],
    clock_absolute_fields[];
