/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/edit.h"

#include "domain/files.h"
#include "driver/change-frame.h"
#include "driver/news.h"
#include "util/log.h"

typedef struct Work {
    const DefinitionEdit *edit;
    DomainDef *next; /* the live definition as it will be */
} Work;

static void work_done(Work *work) {
    domain_def_free(work->next);
}

static int change_config(DomainDef *copy, void *userdata, Error **reterr) {
    const Work *work = userdata;

    return work->edit->change(copy, false, work->edit->arg, reterr);
}

/* Made before QEMU is asked, so that what it has done is never refused afterwards. */
static int prepare(Domain *domain, void *userdata, Error **reterr) {
    Work *work = userdata;

    work->next = domain_def_copy(domain->run->live);
    return work->next ? work->edit->change(work->next, true, work->edit->arg, reterr)
                      : error_no_memory(reterr);
}

static void swap(Domain *domain, Work *work) {
    DomainDef *live = domain->run->live;

    news_carry(live, work->next);
    domain->run->live = work->next;
    work->next = live;
}

static void put_status_back(Domain *domain) {
    CLEANUP_ERROR Error *error = NULL;

    if (domain_save_status(domain, &error) < 0)
        log_error("domain '%s': its status file has a change that was taken back: %s",
                  domain_name(domain), error_message(error));
}

static int act(Domain *domain, const DefinitionEdit *edit, Error **reterr) {
    int r = domain_check_active(domain, reterr);

    return r >= 0 && edit->act ? edit->act(domain, edit->arg, reterr) : r;
}

/* Written down before QEMU is asked, as the written definition is: what QEMU did would have to be
 * taken back by it, which it may refuse. */
static int live(Domain *domain, void *userdata, Error **reterr) {
    Work *work = userdata;
    int r;

    swap(domain, work);
    r = domain_save_status(domain, reterr);
    swap(domain, work);
    if (r < 0)
        return r;
    r = act(domain, work->edit, reterr);
    if (r < 0)
        put_status_back(domain);
    else
        swap(domain, work);
    return r;
}

int definition_edit(Domain *domain, const DefinitionEdit *edit, Error **reterr) {
    CLEANUP(work_done) Work work = {.edit = edit};
    const ChangeSteps steps = {.what = edit->what,
                               .flags = edit->flags,
                               .work = &work,
                               .config = change_config,
                               .prepare = prepare,
                               .live = live};

    return change_in_frame(domain, &steps, reterr);
}
