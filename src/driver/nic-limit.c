/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host's end sends goes through a class of htb; what it receives is policed. */
#include "driver/nic-limit.h"

#include <stdio.h>

#include "util/child.h"
#include "util/fiber.h"
#include "util/file.h"
#include "util/log.h"

#define PROGRAM_USEC (20 * USEC_PER_SEC)
#define CANNOT_RECEIVE "cannot limit what its interface receives (<bandwidth><inbound>)"
#define CANNOT_SEND "cannot limit what its interface sends (<bandwidth><outbound>)"

bool nic_has_tap(const InterfaceDef *nic) {
    return nic->type == INTERFACE_BRIDGE || nic->type == INTERFACE_NETWORK ||
           nic->type == INTERFACE_ETHERNET || nic->type == INTERFACE_DIRECT;
}

static int run(const char *const *argv, const char *what, Error **reterr) {
    return child_run_checked(argv, deadline_in(PROGRAM_USEC), "iproute2", what, NULL, reterr);
}

/* ---- the two ways of a link ---- */

typedef struct LinkWay {
    int (*limit)(const char *link, const BandwidthLimit *limit, const char *what, Error **reterr);
    const char *queue; /* tc's name of what is removed to end the limit */
} LinkWay;

static int limit_sent(const char *link, const BandwidthLimit *limit, const char *what,
                      Error **reterr) {
    CLEANUP_FREE char *rate = strf("%llukbps", (unsigned long long)limit->average);
    CLEANUP_FREE char *ceil = strf(
        "%llukbps", (unsigned long long)(limit->peak ? limit->peak : limit->average));
    CLEANUP_FREE char *burst = strf("%llukb", (unsigned long long)limit->burst);
    const char *const root[] = {"tc",     "qdisc", "add", "dev",     link, "root",
                                "handle", "1:",    "htb", "default", "1",  NULL};
    const char *limits[] = {"tc",  "class", "add", "dev",  link, "parent", "1:", "classid", "1:1",
                            "htb", "rate",  rate,  "ceil", ceil, NULL,     NULL, NULL};
    int r;

    if (!rate || !ceil || !burst)
        return error_no_memory(reterr);
    if (limit->burst) {
        limits[14] = "burst";
        limits[15] = burst;
    }
    r = run(root, what, reterr);
    return r < 0 ? r : run(limits, what, reterr);
}

static int limit_received(const char *link, const BandwidthLimit *limit, const char *what,
                          Error **reterr) {
    CLEANUP_FREE char *rate = strf("%llukbps", (unsigned long long)limit->average);
    CLEANUP_FREE char *burst = strf(
        "%llukb", (unsigned long long)(limit->burst ? limit->burst : limit->average));
    const char *const root[] = {"tc", "qdisc", "add", "dev", link, "ingress", NULL};
    const char *const police[] = {
        "tc",  "filter", "add",  "dev",  link,     "parent", "ffff:", "protocol", "all",
        "u32", "match",  "u32",  "0",    "0",      "police", "rate",  rate,       "burst",
        burst, "mtu",    "64kb", "drop", "flowid", ":1",     NULL};
    int r;

    if (!rate || !burst)
        return error_no_memory(reterr);
    r = run(root, what, reterr);
    return r < 0 ? r : run(police, what, reterr);
}

static const LinkWay sent = {limit_sent, "root"}, received = {limit_received, "ingress"};

/* ---- the guest's two ways ---- */

/* The guest receives what its tap sends. A macvtap is the guest's own card: it sends what the guest
 * does. */
static const LinkWay *way_in(const InterfaceDef *nic) {
    return nic->type == INTERFACE_DIRECT ? &received : &sent;
}

static const LinkWay *way_out(const InterfaceDef *nic) {
    return nic->type == INTERFACE_DIRECT ? &sent : &received;
}

static int set(const LinkWay *way, const char *link, const BandwidthLimit *limit, const char *what,
               Error **reterr) {
    return limit->average ? way->limit(link, limit, what, reterr) : 0;
}

int nic_limit(const InterfaceDef *nic, Error **reterr) {
    int r = set(way_in(nic), nic->target, &nic->inbound, CANNOT_RECEIVE, reterr);

    return r < 0 ? r : set(way_out(nic), nic->target, &nic->outbound, CANNOT_SEND, reterr);
}

/* There may be nothing to remove, which tc takes for an error. */
static void clear(const LinkWay *way, const char *link) {
    const char *const argv[] = {"tc", "qdisc", "del", "dev", link, way->queue, NULL};

    run(argv, "cannot remove a limit", NULL);
}

static int replace(const LinkWay *way, const char *link, const BandwidthLimit *from,
                   const BandwidthLimit *to, const char *what, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    int r;

    if (from->average == to->average && from->peak == to->peak && from->burst == to->burst)
        return 0;
    clear(way, link);
    r = set(way, link, to, what, reterr);
    if (r >= 0)
        return 0;
    clear(way, link);
    if (set(way, link, from, what, &error) < 0)
        log_error("interface '%s' is not limited any more: %s", link, error_message(error));
    return r;
}

int nic_limit_change(const InterfaceDef *from, const InterfaceDef *to, Error **reterr) {
    const char *link = from->target;
    int r = replace(way_in(from), link, &from->inbound, &to->inbound, CANNOT_RECEIVE, reterr);

    if (r < 0)
        return r;
    r = replace(way_out(from), link, &from->outbound, &to->outbound, CANNOT_SEND, reterr);
    if (r < 0)
        replace(way_in(from), link, &to->inbound, &from->inbound, CANNOT_RECEIVE, NULL);
    return r;
}
