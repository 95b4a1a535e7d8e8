/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/edit.h"

#include "conf/domain-validate.h"
#include "domain/files.h"
#include "util/libvirt-numbers.h"
#include "util/log.h"

/* The definition as it is to be written. */
static int edited_copy(const Domain *domain, const DefinitionEdit *edit, DomainDef **ret,
                       Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *copy = domain_def_copy(domain->config);
    int r = copy ? edit->change(copy, false, edit->arg, reterr) : error_no_memory(reterr);

    if (r >= 0)
        r = domain_validate(copy, reterr);
    if (r >= 0)
        *ret = TAKE_PTR(copy);
    return r;
}

/* Tried on a copy, so that what QEMU has done is never refused afterwards. */
static int change_live(Domain *domain, const DefinitionEdit *edit, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *tried = domain_def_copy(domain->run->live);
    CLEANUP_ERROR Error *error = NULL;
    int r = tried ? edit->change(tried, true, edit->arg, reterr) : error_no_memory(reterr);

    if (r >= 0 && edit->act)
        r = edit->act(domain, edit->arg, reterr);
    if (r >= 0)
        r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = edit->change(domain->run->live, true, edit->arg, reterr);
    if (r >= 0 && domain_save_status(domain, &error) < 0)
        log_warning("domain '%s': its status cannot be saved, ignoring: %s", domain_name(domain),
                    error_message(error));
    return r;
}

static void put_config_back(Domain *domain) {
    CLEANUP_ERROR Error *error = NULL;

    if (domain_save_config(domain, domain->config, &error) < 0)
        log_error("domain '%s': its definition on disk has a change that was taken back: %s",
                  domain_name(domain), error_message(error));
}

static int edit_locked(Domain *domain, const DefinitionEdit *edit, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *next = NULL;
    bool live = false, config = false;
    int r = domain_resolve_affect(domain, edit->flags & (AFFECT_LIVE | AFFECT_CONFIG), &live,
                                  &config, reterr);

    if (r >= 0 && live)
        r = domain_check_active(domain, reterr);
    if (r >= 0 && config)
        r = edited_copy(domain, edit, &next, reterr);
    if (r >= 0 && config)
        r = domain_save_config(domain, next, reterr);
    if (r >= 0 && live) {
        r = change_live(domain, edit, reterr);
        if (r < 0 && config)
            put_config_back(domain);
    }
    if (r < 0 || !config)
        return r;
    domain_def_free(domain->config);
    domain->config = TAKE_PTR(next);
    return 0;
}

int definition_edit(Domain *domain, const DefinitionEdit *edit, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, edit->what, reterr);

    if (r < 0)
        return r;
    r = edit_locked(domain, edit, reterr);
    domain_job_end(domain, &job);
    return r;
}
