/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A DomainNews as the message of its event. */
#pragma once

#include "daemon.h"

/* DomainEvents.news; the user data is the daemon. */
void event_send_news(Domain *domain, const DomainNews *news, void *userdata);
