/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's name, and what happens at the ends of its guest. Both take the domain's job. */
#pragma once

#include "domain/domain.h"

/* Of a persistent domain that does not run; its files go with it. */
int driver_rename(Domain *domain, const char *name, Error **reterr);

/* libvirt's virDomainLifecycle. */
typedef enum LifecycleEnd { END_POWEROFF, END_REBOOT, END_CRASH, END_MAX_ } LifecycleEnd;

/* `action` is libvirt's number (virDomainLifecycleAction); `flags` are AFFECT_*. */
int driver_set_lifecycle_action(Domain *domain, unsigned end, unsigned action, unsigned flags,
                                Error **reterr);
