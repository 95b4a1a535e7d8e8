/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The status file of a running domain (run/domains/NAME.xml): what the next daemon needs to find it
 * again.
 *
 *     <domstatus version='2' state='1' reason='1' pid='4711' start='123456' id='3' removed='0'
 *             threads='2'>
 *       <monitor path='...'/>
 *       <log path='...'/>
 *       <limits partition='/machine' group='vireo-3-ol8' machine='vireo-3-ol8'/>
 *       <placement nodes='0'/>
 *       <save kind='to' running='1' path='...' id='...'/>
 *       <guest online='2-3' silent='4'/>
 *       <disks>...</disks>
 *       <domain ...>the live definition</domain>
 *     </domstatus>
 *
 * intent='reboot' is there while the guest was asked for a reboot. <limits> is there with a cgroup,
 * its machine with a scope; <placement> with placement='auto'; <save> while the guest's state is
 * written (to), from a restore (from) until it runs, and while it goes to another host (out,
 * given); <guest> with vCPUs that were plugged, and what the guest did with them; <disks>
 * (domain/run-disks.h) makes it version 3. A <vcpu> that the guest was asked to release has
 * pending='removal'. Behind it are the pins that have changed since (domain/status-delta.h). */
#pragma once

#include "domain/domain.h"

/* What a file says. */
typedef struct StatusRecord {
    DomainRun *run; /* not connected; owned */
    DomainState state;
    int reason;
} StatusRecord;

/* The text of a domain that runs; -ENOMEM. Caller frees. */
int status_file_format(const Domain *domain, char **ret);
/* Touches nothing but the text. The error says what is wrong, not in which file. *ret is zeroed on
 * failure. */
int status_file_parse(const char *text, size_t len, StatusRecord *ret, Error **reterr);
/* The vCPUs with pending='removal' in the text of a domain. -ENOMEM; -EINVAL: it is no XML. The
 * caller frees. */
int status_file_pending(const char *text, size_t len, Bitmap **ret);
