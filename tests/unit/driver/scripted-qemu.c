/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "scripted-qemu.h"

#include "util/file.h"

const char *scripted_phase, *scripted_status, *scripted_after_start;
unsigned scripted_postcopy_bytes;

static char *say_phase(QmpPeer *peer, json_object *arguments, void *userdata) {
    return strf("{'status':'%s','ram':{'postcopy-bytes':%u}}", scripted_phase,
                scripted_postcopy_bytes);
}

static char *say_status(QmpPeer *peer, json_object *arguments, void *userdata) {
    return strf("{'status':'%s','running':%s}", scripted_status,
                streq(scripted_status, "running") ? "true" : "false");
}

static char *on_cont(QmpPeer *peer, json_object *arguments, void *userdata) {
    scripted_status = "running";
    return strdup("{}");
}

static char *on_stop(QmpPeer *peer, json_object *arguments, void *userdata) {
    if (streq(scripted_status, "running"))
        scripted_status = "paused";
    qmp_peer_event_now(peer, "STOP", NULL);
    return strdup("{}");
}

/* So short that nobody sees it by asking. */
static char *on_start(QmpPeer *peer, json_object *arguments, void *userdata) {
    if (scripted_after_start) {
        qmp_peer_event_now(peer, "MIGRATION", "{'status':'postcopy-active'}");
        scripted_phase = scripted_after_start;
    }
    return strdup("{}");
}

void scripted_qemu(RunWorld *world, const char *first_phase, const char *first_status) {
    static const char *const fine[] = {"migrate-set-capabilities",
                                       "migrate-set-parameters",
                                       "getfd",
                                       "migrate",
                                       "migrate_cancel",
                                       "closefd"};

    scripted_phase = first_phase;
    scripted_status = first_status;
    scripted_after_start = NULL;
    scripted_postcopy_bytes = 0;
    for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
        qmp_peer_always(world->peer, fine[i], "{}");
    qmp_peer_compute(world->peer, "query-migrate", say_phase, NULL);
    qmp_peer_compute(world->peer, "query-status", say_status, NULL);
    qmp_peer_compute(world->peer, "cont", on_cont, NULL);
    qmp_peer_compute(world->peer, "stop", on_stop, NULL);
    qmp_peer_compute(world->peer, "migrate-start-postcopy", on_start, NULL);
}

void scripted_assert_state(const RunWorld *world, DomainState state, int reason) {
    assert_int_equal(world->domain->state, state);
    assert_int_equal(world->domain->reason, reason);
}
