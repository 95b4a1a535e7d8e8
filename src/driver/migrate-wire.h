/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sockets of a migration. Both daemons hold them, and hand the one for the guest's state to
 * their QEMUs.
 *
 * The source connects twice: for the state, and for words between the daemons. Each connection
 * begins with "VireoMig", 'S' or 'W', and the token that the destination has made for this
 * migration and that came to the source in the cookie: whoever else connects is turned away.
 *
 * The words are single bytes, one has a number before it. They settle on which side the guest runs,
 * whatever becomes of the client in between:
 *
 *     destination          source
 *                   <-     '12' 'N'    no: the guest will not release vCPU 12, which it was asked
 *                                      for before Begin
 *     'R' ready     ->                 the whole state is there, nothing of it has run
 *                   <-     'K' kept    instead of it: the guest goes on at the source
 *                   <-     'Y' yours   from here on the source does not run it by itself
 *     'D' done      ->                 it runs there, or is paused there as it shall be
 *     'F' failed    ->                 it has not run there and will not
 *
 * A host that is gone without a word is noticed on this connection within half a minute; the other
 * one, which outlasts a longer pause of the network, has two.
 *
 * A connection that ends before 'Y' leaves the guest to the source. One that ends between 'Y' and
 * 'D' or 'F' leaves it paused: nobody knows. */
#pragma once

#include "conf/migrate-cookie.h"
#include "util/fiber.h"

/* ---- words ---- */

enum {
    MIGRATE_READY = 1,
    MIGRATE_YOURS = 2,
    MIGRATE_LANDED = 4,
    MIGRATE_LOST = 8,
    MIGRATE_KEPT = 16
};

typedef struct MigrateLink {
    int fd; /* -1: there is none */
    sd_event_source *io;
    FiberCond *news; /* broadcast when there is a word, or the end */
    unsigned heard;  /* MIGRATE_* */
    Bitmap *refused; /* vCPUs that the guest keeps; NULL: none was named */
    unsigned number; /* that is being heard */
    bool ended;      /* the other side has closed it, or is gone */
} MigrateLink;

/* Takes the fd in every case. The cond stays the caller's. */
int migrate_link_open(MigrateLink *link, int fd, FiberCond *news);
/* -errno: it did not go out. */
int migrate_link_say(MigrateLink *link, unsigned word);
/* The vCPUs that the guest keeps, before any other word. -errno: not all of it went out. */
int migrate_link_say_refused(MigrateLink *link, const Bitmap *vcpus);
/* Zeroed, or closed, is fine: nothing happens. */
void migrate_link_close(MigrateLink *link);

/* ---- the destination's door ---- */

typedef struct MigrateDoor {
    int fd; /* -1: closed */
    sd_event_source *io;
    char *path; /* of a unix socket; it goes with the door */
    char *uri;  /* what the source is to connect to */
    uint8_t token[MIGRATE_TOKEN_SIZE];
    struct MigrateArrival *arrivals; /* who has not shown the token yet */
    unsigned n_arrivals;
    int state, words; /* -1: not there yet */
    FiberCond *news;  /* broadcast when one comes */
} MigrateDoor;

#define MIGRATE_DOOR_CLOSED                                                                        \
    { .fd = -1, .state = -1, .words = -1 }

/* What the door is to be. */
typedef struct MigrateDoorParams {
    const char *uri;  /* "tcp:HOST[:PORT]", "tcp://HOST[:PORT]", "unix:PATH"; NULL: it is chosen */
    const char *path; /* a unix socket for a source that sees the same files; NULL: TCP */
    const char *address; /* numeric, to listen at; NULL: all */
    FiberCond *news;
} MigrateDoorParams;

/* Makes the token and listens. On a fiber. */
int migrate_door_open(MigrateDoor *door, const MigrateDoorParams *params, Error **reterr);
/* Both connections are there. */
static inline bool migrate_door_is_complete(const MigrateDoor *door) {
    return door->state >= 0 && door->words >= 0;
}
/* Closes all that was not taken out of it. */
void migrate_door_close(MigrateDoor *door);

/* ---- the source's way there ---- */

/* Connects both. On a fiber; the sockets block. */
int migrate_wire_connect(const char *uri, const uint8_t token[MIGRATE_TOKEN_SIZE], int *ret_state,
                         int *ret_words, Error **reterr);
