/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks polkit whether a process may do something: polkit(8), its
 * org.freedesktop.PolicyKit1.Authority interface. The conversation is on the loop: a question
 * suspends its fiber, and nothing else waits for it. */
#pragma once

#include <sys/types.h>

#include "util/error.h"
#include "util/macro.h"

typedef struct Polkit Polkit;

/* A process: the pid and when it began tell it from a later one of the same number. */
typedef struct PolkitSubject {
    pid_t pid;
    uint64_t start; /* clock ticks since boot: ProcStat.start */
    uid_t uid;
} PolkitSubject;

/* What a rule sees with action.lookup(key). */
typedef struct PolkitDetail {
    const char *key, *value;
} PolkitDetail;

/* Connects with the first question. `address` is a D-Bus address and stays the caller's; NULL: the
 * system bus. -ENOMEM. */
int polkit_new(const char *address, Polkit **ret);
/* Every question under way ends with -ECANCELED, as does each that comes later. */
void polkit_stop(Polkit *polkit);
/* No question is under way any more (asserted). */
void polkit_free(Polkit *polkit);
DEFINE_CLEANUP(Polkit *, polkit_free)

/* May the subject do `action`? When `interactive`, and an authentication agent runs, waits as long
 * as a person may need to give a password (two minutes). 0: yes. -EACCES: no. Other negative
 * numbers: polkit did not answer, and the error says why; also no. On a fiber. */
int polkit_check(Polkit *polkit, const PolkitSubject *subject, const char *action,
                 const PolkitDetail *details, size_t n_details, bool interactive, Error **reterr);
