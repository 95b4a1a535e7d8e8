/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A QEMU that is only its monitor, on the loop of the test, and follows a script.
 *
 * A script is a list of steps, made before or while it runs. The peer waits at an expect step for
 * that command and at a pause for qmp_peer_go; every other step is done as soon as it is reached
 * and there is a connection.
 * A command that is not the one expected gets its standing answer; without one the test ends with
 * the command and the step that waited.
 *
 * Whether evidence comes early, late or twice is its place in the script: an event step before an
 * expect step goes out before the command's answer. JSON is written with ' in the place of ". */
#pragma once

#include <json-c/json.h>

#include "util/fiber.h"

typedef struct QmpPeer QmpPeer;

/* A peer on a socket pair; *ret_fd, which does not block, is for monitor_new. */
QmpPeer *qmp_peer_new(int *ret_fd);
/* A peer that listens at a path in the file system, for monitor_connect; one connection at a time,
 * a new one after each end. Each is greeted, and qmp_capabilities has a standing answer. */
QmpPeer *qmp_peer_listen(const char *path);
/* Asserts that every step was reached. */
void qmp_peer_free(QmpPeer *peer);

/* Expects a command and answers it with a value ("{}", "[]"). */
void qmp_peer_expect(QmpPeer *peer, const char *execute, const char *value);
void qmp_peer_expect_error(QmpPeer *peer, const char *execute, const char *class, const char *desc);
/* Expects a command and says nothing; the script goes on. The answer may come by a later
 * qmp_peer_answer step, or never. */
void qmp_peer_expect_silent(QmpPeer *peer, const char *execute);
/* Answers the oldest command that a silent expect step took. */
void qmp_peer_answer(QmpPeer *peer, const char *value);
/* `data` may be NULL. */
void qmp_peer_event(QmpPeer *peer, const char *name, const char *data);
/* Sends bytes as they are. */
void qmp_peer_raw(QmpPeer *peer, const char *bytes, size_t len);
/* Ends the connection. */
void qmp_peer_hang_up(QmpPeer *peer);
/* Waits for qmp_peer_go. */
void qmp_peer_pause(QmpPeer *peer);
void qmp_peer_go(QmpPeer *peer);

/* The answer of a command whenever it comes and no step expects it. A later call with the same
 * command replaces it. */
void qmp_peer_always(QmpPeer *peer, const char *execute, const char *value);
/* The same, computed: yields the value; the peer frees it. NULL: no answer. */
typedef char *(*QmpPeerFunc)(QmpPeer *peer, json_object *arguments, void *userdata);
void qmp_peer_compute(QmpPeer *peer, const char *execute, QmpPeerFunc func, void *userdata);

/* At once, whatever the script waits for. */
void qmp_peer_event_now(QmpPeer *peer, const char *name, const char *data);
void qmp_peer_hang_up_now(QmpPeer *peer);

/* How often a command came; and its last arguments as text, or NULL. Borrowed. */
unsigned qmp_peer_count(const QmpPeer *peer, const char *execute);
const char *qmp_peer_arguments(const QmpPeer *peer, const char *execute);
bool qmp_peer_is_connected(const QmpPeer *peer);
/* Whether every step was done. Broadcast on `moved` at each step and command. */
bool qmp_peer_is_done(const QmpPeer *peer);
/* On a fiber: waits until every step was done; ends the test with the step that waits after 30 s.
 */
void qmp_peer_wait(QmpPeer *peer);
/* On a fiber: waits until a command has come `n` times. */
void qmp_peer_wait_count(QmpPeer *peer, const char *execute, unsigned n);
