/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/change-frame.h"

#include "conf/domain-validate.h"
#include "domain/files.h"
#include "util/libvirt-numbers.h"
#include "util/log.h"

/* The definition as it is to be written. */
static int changed_copy(const Domain *domain, const ChangeSteps *steps, DomainDef **ret,
                        Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *copy = domain_def_copy(domain->config);
    int r = copy ? steps->config(copy, steps->work, reterr) : error_no_memory(reterr);

    if (r >= 0)
        r = domain_validate(copy, reterr);
    if (r >= 0)
        *ret = TAKE_PTR(copy);
    return r;
}

static void put_config_back(Domain *domain) {
    CLEANUP_ERROR Error *error = NULL;

    if (domain_save_config(domain, domain->config, &error) < 0)
        log_error("domain '%s': its definition on disk has a change that was taken back: %s",
                  domain_name(domain), error_message(error));
}

/* The monitor may have been closed while the definition was written. */
static int do_live(Domain *domain, const ChangeSteps *steps, Error **reterr) {
    int r = domain_check_active(domain, reterr);

    return r < 0 ? r : steps->live(domain, steps->work, reterr);
}

static int change_locked(Domain *domain, const ChangeSteps *steps, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *next = NULL;
    bool live = false, config = false;
    int r = domain_resolve_affect(domain, steps->flags & (AFFECT_LIVE | AFFECT_CONFIG), &live,
                                  &config, reterr);

    if (r >= 0 && live)
        r = domain_check_active(domain, reterr);
    if (r >= 0 && config)
        r = changed_copy(domain, steps, &next, reterr);
    if (r >= 0 && live)
        r = steps->prepare(domain, steps->work, reterr);
    if (r >= 0 && config)
        r = domain_save_config(domain, next, reterr);
    if (r >= 0 && live) {
        r = do_live(domain, steps, reterr);
        if (r < 0 && config)
            put_config_back(domain);
    }
    if (r < 0 || !config)
        return r;
    domain_def_free(domain->config);
    domain->config = TAKE_PTR(next);
    return 0;
}

int change_in_frame(Domain *domain, const ChangeSteps *steps, Error **reterr) {
    DomainJob job;
    int r;

    assert(domain && steps->what && steps->config && steps->prepare && steps->live);
    r = domain_job_begin(domain, &job, steps->what, reterr);
    if (r < 0)
        return r;
    r = change_locked(domain, steps, reterr);
    domain_job_end(domain, &job);
    return r;
}
