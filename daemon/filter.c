/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which domains a client asks for. */
#include "filter.h"

#include "driver/saved.h"
#include "util/libvirt-numbers.h"

static unsigned state_bit(const Domain *domain) {
    switch (domain->state) {
    case DOMAIN_RUNNING:
        return LIST_RUNNING;
    case DOMAIN_PAUSED:
        return LIST_PAUSED;
    case DOMAIN_SHUTOFF:
        return LIST_SHUTOFF;
    default:
        return LIST_OTHER;
    }
}

/* A managed save is a file: it is looked for when somebody asks. */
static unsigned save_bit(const Domain *domain, unsigned flags) {
    if (!(flags & (LIST_MANAGED_SAVE | LIST_NO_MANAGED_SAVE)))
        return 0;
    return driver_has_managed_save(domain) ? LIST_MANAGED_SAVE : LIST_NO_MANAGED_SAVE;
}

/* What the domain is, in the filter's bits: one of each group that `flags` is about. */
static unsigned list_bits(const Domain *domain, unsigned flags) {
    return (domain_is_active(domain) ? LIST_ACTIVE : LIST_INACTIVE) |
           (domain->config ? LIST_PERSISTENT : LIST_TRANSIENT) | state_bit(domain) |
           (domain->autostart ? LIST_AUTOSTART : LIST_NO_AUTOSTART) | save_bit(domain, flags) |
           (snapshot_count(&domain->snapshots) ? LIST_HAS_SNAPSHOT : LIST_NO_SNAPSHOT) |
           LIST_NO_CHECKPOINT;
}

bool filter_matches(const Domain *domain, unsigned flags) {
    static const unsigned groups[] = {LIST_ACTIVE | LIST_INACTIVE,
                                      LIST_PERSISTENT | LIST_TRANSIENT,
                                      LIST_RUNNING | LIST_PAUSED | LIST_SHUTOFF | LIST_OTHER,
                                      LIST_MANAGED_SAVE | LIST_NO_MANAGED_SAVE,
                                      LIST_AUTOSTART | LIST_NO_AUTOSTART,
                                      LIST_HAS_SNAPSHOT | LIST_NO_SNAPSHOT,
                                      LIST_HAS_CHECKPOINT | LIST_NO_CHECKPOINT};
    const unsigned bits = list_bits(domain, flags);

    for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
        if ((flags & groups[i]) && !(flags & groups[i] & bits))
            return false;
    return true;
}
