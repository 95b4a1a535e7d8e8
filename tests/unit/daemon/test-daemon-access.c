/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Classes of calls, and that a call about a domain is asked with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "access-internal.h"

/* Their arguments begin with something else than a domain. */
static const char *const without_domain[] = {
    "virDomainCreateXML",
    "virDomainDefineXML",
    "virDomainLookupBy",
    "virDomainRestore",
    "virDomainSaveImage",
    "virDomainMigratePrepare",
    "virDomainMigrateFinish",
    "virDomainXML",
    "virDomainSnapshotGet",
    "virDomainSnapshotDelete",
    "virDomainSnapshotIs",
    "virDomainSnapshotHas",
    "virDomainSnapshotNumChildren",
    "virDomainSnapshotListChildren",
    "virDomainSnapshotListAllChildren",
    "virDomainCheckpointGet",
    "virDomainCheckpointDelete",
    "virDomainCheckpointListAllChildren",
    "virDomainCheckpointLookup",
    "virDomainListAllCheckpoints",
    "virDomainRevertToSnapshot",
};

static bool begins_with_domain(const RpcProc *proc) {
    for (size_t i = 0; i < ARRAY_SIZE(without_domain); i++)
        if (strncmp(proc->api, without_domain[i], strlen(without_domain[i])) == 0)
            return false;
    return strncmp(proc->api, "virDomain", 9) == 0;
}

/* Those of a snapshot begin with it, and it has the domain inside. */
static bool begins_with_snapshot(const RpcProc *proc) {
    return strncmp(proc->api, "virDomainSnapshot", 17) == 0
               ? !begins_with_domain(proc)
               : strcmp(proc->api, "virDomainRevertToSnapshot") == 0;
}

static void test_domain_calls_name_it(void **state) {
    size_t n = 0;

    daemon_programs_init();
    for (size_t i = 0; i < daemon_n_programs; i++)
        for (size_t j = 0; j < daemon_programs[i].n_procs; j++) {
            const RpcProc *proc = &daemon_programs[i].procs[j];

            if (!proc->handler || !proc->args_xdr)
                continue;
            if (begins_with_snapshot(proc) != !!(proc->flags & RPC_PROC_ON_SNAPSHOT))
                fail_msg("%s is not asked about with its snapshot's domain", proc->api);
            if (!begins_with_domain(proc))
                continue;
            n++;
            if (!(proc->flags & RPC_PROC_ON_DOMAIN))
                fail_msg("%s is not asked about with its domain", proc->api);
        }
    assert_true(n > 100);
}

static void test_classes(void **state) {
    static const struct {
        const char *api;
        unsigned flags;
        AccessClass class;
    } cases[] = {
        {"virDomainGetInfo", 0, ACCESS_READ},
        {"virDomainBlockStats", 0, ACCESS_READ},
        {"virDomainBlockResize", RPC_PROC_WRITE, ACCESS_BLOCK},
        {"virDomainSetVcpusFlags", RPC_PROC_WRITE, ACCESS_WRITE},
        {"virDomainManagedSave", RPC_PROC_WRITE, ACCESS_SAVE},
        {"virDomainRestoreFlags", RPC_PROC_WRITE, ACCESS_SAVE},
        {"virDomainQemuMonitorCommand", RPC_PROC_WRITE, ACCESS_MONITOR},
        {"virConnectDomainQemuMonitorEventRegister", RPC_PROC_WRITE, ACCESS_MONITOR},
        {"virDomainQemuAgentCommand", RPC_PROC_WRITE, ACCESS_AGENT},
        {"virDomainFSFreeze", RPC_PROC_WRITE, ACCESS_AGENT},
        {"virDomainMigratePerform3Params", RPC_PROC_WRITE, ACCESS_MIGRATE},
        {"virNetworkDefineXML", RPC_PROC_WRITE, ACCESS_WRITE},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const RpcProc proc = {.api = cases[i].api, .flags = cases[i].flags};

        assert_string_equal(access_class_name(access_class_of(&proc)),
                            access_class_name(cases[i].class));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_domain_calls_name_it),
        cmocka_unit_test(test_classes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
