/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of QEMUs that may be this daemon's and that no status file tells it of: the run
 * directory was lost, a file is cut or wrong, a start was cut short. stray-find fills it. The
 * domain whose uuid one of them has is not started. */
#pragma once

#include "qemu/process.h"
#include "util/error.h"

typedef struct Stray {
    struct Stray *next;
    int id; /* of its run, by the name of its monitor */
    char *monitor_path;
    QemuPid pid; /* 0: nobody was found that listens */
    bool has_uuid;
    uint8_t uuid[16];
    bool is_unborn;          /* it has a birth record and no status file */
    char *partition, *group; /* its cgroup, or NULL */
    char *why;               /* why it is still here: a sentence */
} Stray;

typedef struct Strays Strays;

/* Empty; NULL: out of memory. */
Strays *strays_new(void);
/* NULL is fine. */
void strays_free(Strays *strays);
/* The last that was added, then Stray.next. */
Stray *strays_first(const Strays *strays);
/* The one of that run, listed if it was not; NULL: out of memory. The path is copied. */
Stray *strays_add(Strays *strays, int id, const char *monitor_path);
void strays_forget(Strays *strays, Stray *stray);

/* Its process was known and is no more. */
bool stray_has_ended(const Stray *stray);
/* Keeps why it is left alone, and logs it when it is another reason than before. */
void stray_set_why(Stray *stray, const char *why);
/* Refuses to start a domain whose QEMU may still run; ERROR_OPERATION_INVALID. */
int strays_check(const Strays *strays, const uint8_t uuid[16], Error **reterr);
