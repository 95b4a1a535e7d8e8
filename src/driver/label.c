/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/label.h"

#include "domain/services.h"
#include "driver/confinement.h"
#include "driver/label-apparmor.h"
#include "driver/label-models.h"
#include "driver/start-shown.h"
#include "util/file.h"
#include "util/log.h"
#include "util/worker.h"

/* ---- a start ---- */

/* What the definition says of labels of that model: its own <seclabel>, or one for all. */
static const SeclabelDef *find_wish(const DomainDef *def, const LabelModel *model) {
    for (size_t i = 0; i < def->n_seclabels; i++) {
        const SeclabelDef *wish = &def->seclabels[i];

        if (!wish->model || streq(wish->model, model->name) || streq(wish->model, "none"))
            return wish;
    }
    return NULL;
}

static int blame(const Domain *domain, Error *cause, Error **reterr) {
    int r = error_propagate(reterr, cause);

    if (reterr && *reterr)
        error_prefix(reterr, "domain '%s'", domain_name(domain));
    return r;
}

/* In the child and in the live definition. */
static int wear(Domain *domain, const LabelModel *model, const char *label, ConfinePlan *plan) {
    CLEANUP_FREE char *image = model->image ? model->image(label) : NULL;

    plan->label = strf("%s%s", model->prefix, label);
    if (!plan->label)
        return -ENOMEM;
    plan->confine.label = (QemuLabel){.text = plan->label};
    model->attributes(plan->confine.label.attributes);
    plan->confine.leaves_privs = model->changes_by_policy && plan->sandbox;
    return start_show_label(domain->run->live, model->name, label, image);
}

/* Noted first, so that a daemon that dies in between leaves nothing behind. */
static int let_open(Domain *domain, const LabelModel *model, char *label, Error **reterr) {
    const Made made = {.kind = MADE_LABEL, .name = label, .detail = (char *)model->name};
    int r = start_parts_note(domain, &made, reterr);

    return r < 0 ? r : model->set(domain, NULL, label, reterr);
}

static int begin_dynamic(Domain *domain, const LabelModel *model, const SeclabelDef *wish,
                         ConfinePlan *plan, Error **reterr) {
    CLEANUP_FREE char *label = NULL, *base = NULL;
    int r;

    if (wish && wish->baselabel && !(base = strdup(wish->baselabel)))
        return error_no_memory(reterr);
    r = model->make(domain, base, &label, reterr);
    if (r >= 0)
        r = let_open(domain, model, label, reterr);
    if (r >= 0 && wear(domain, model, label, plan) < 0)
        r = error_no_memory(reterr);
    return r;
}

static int begin_static(Domain *domain, const LabelModel *model, const SeclabelDef *wish,
                        ConfinePlan *plan, Error **reterr) {
    const bool relabel = model->labels_files && wish->relabel == TRISTATE_YES;
    CLEANUP_FREE char *label = strdup(wish->label);
    int r = label ? model->check(label, reterr) : error_no_memory(reterr);

    if (r >= 0 && relabel)
        r = let_open(domain, model, label, reterr);
    if (r >= 0 && wear(domain, model, label, plan) < 0)
        r = error_no_memory(reterr);
    return r;
}

int label_begin(Domain *domain, StartParts *parts, Error **reterr) {
    const LabelModel *model = domain->services->confinement->label;
    const SeclabelDef *wish = model ? find_wish(domain->run->live, model) : NULL;
    CLEANUP_ERROR Error *error = NULL;
    int r;

    assert(domain_job_is_mine(domain));
    if (!model || (wish && streq_ptr(wish->type, "none")))
        return 0;
    r = wish && streq_ptr(wish->type, "static")
            ? begin_static(domain, model, wish, &parts->confine, &error)
            : begin_dynamic(domain, model, wish, &parts->confine, &error);
    return r < 0 ? blame(domain, TAKE_PTR(error), reterr) : 0;
}

/* ---- a run ---- */

/* The label that was made for it; -ENOENT: none was. The caller frees *ret. */
static int find_made(const Domain *domain, const LabelModel **ret_model, char **ret) {
    CLEANUP_FREE char *path = start_parts_note_path(&domain->services->paths,
                                                    domain->run->live->uuid);
    CLEANUP(made_done) MadeList list = {0};
    int r = path ? made_read(path, &list) : -ENOMEM;

    for (size_t i = 0; r >= 0 && i < list.n; i++) {
        *ret_model = list.items[i].kind == MADE_LABEL ? label_models_find(list.items[i].detail)
                                                      : NULL;
        if (!*ret_model)
            continue;
        *ret = strdup(list.items[i].name);
        return *ret ? 0 : -ENOMEM;
    }
    return r < 0 ? r : -ENOENT;
}

static int set_again(Domain *domain, const DomainDef *also, Error **reterr) {
    const LabelModel *model = NULL;
    CLEANUP_FREE char *label = NULL;
    int r = find_made(domain, &model, &label);

    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot tell which label it has");
    return model->set(domain, also, label, reterr);
}

int label_admit(Domain *domain, const DomainDef *def, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    int r;

    assert(domain_job_is_mine(domain) && domain->run);
    r = set_again(domain, def, &error);
    return r < 0 ? blame(domain, TAKE_PTR(error), reterr) : 0;
}

void label_settle(Domain *domain) {
    CLEANUP_ERROR Error *error = NULL;

    assert(domain_job_is_mine(domain));
    if (domain->run && set_again(domain, NULL, &error) < 0)
        log_warning("domain '%s': what its label lets its QEMU open stays as it is: %s",
                    domain_name(domain), error_message(error));
}

typedef struct Look {
    SecurityModule module;
    pid_t pid;
    char *label;
    bool enforced;
} Look;

static int run_look(void *arg) {
    Look *look = arg;

    return security_module_label(look->module, look->pid, &look->label, &look->enforced);
}

/* Who takes a profile out of the kernel takes it off whoever wears it. */
static void check_worn(Domain *domain, const LabelModel *model, const char *label) {
    Look look = {.module = model->module, .pid = domain->run->pid.pid};
    int r = worker_run(run_look, &look);

    if (r >= 0 && (!look.label || !strstr(look.label, label)))
        log_warning("domain '%s': its QEMU does not wear the label '%s' any more: somebody has "
                    "taken it off while it ran; it has one again when it is started anew",
                    domain_name(domain), label);
    free(look.label);
}

void label_resume(Domain *domain) {
    const LabelModel *model = NULL;
    CLEANUP_FREE char *label = NULL;

    assert(domain_job_is_mine(domain) && domain->run);
    if (!domain->services->confinement->label || find_made(domain, &model, &label) < 0)
        return;
    if (model == domain->services->confinement->label)
        check_worn(domain, model, label);
    label_settle(domain);
}

char *label_hint(const DomainDef *live, const char *said) {
    const SeclabelDef *worn = NULL;

    for (size_t i = 0; i < live->n_seclabels; i++)
        if (streq_ptr(live->seclabels[i].model, label_apparmor.name) && live->seclabels[i].label)
            worn = &live->seclabels[i];
    if (!worn || !strstr(said, "Permission denied"))
        return strdup("");
    return strf(
        " (its profile '%s' of AppArmor may be in the way: the kernel's log has a line with "
        "DENIED then; %s)",
        worn->label,
        streq_ptr(worn->type, "dynamic")
            ? "let every QEMU have the file in /etc/apparmor.d/local/vireo-qemu"
            : "let it have the file in that profile");
}

int label_undo(const char *run, const Made *made) {
    const LabelModel *model = label_models_find(made->detail);

    return model ? model->end(run, made->name) : -EBADMSG;
}

/* ---- for those who ask ---- */

int label_look(const Domain *domain, const LabelModel **ret_model, char **ret, bool *ret_enforced,
               Error **reterr) {
    const LabelModel *model = domain->services->confinement->label;
    Look look;
    int r;

    *ret_model = NULL;
    *ret = NULL;
    *ret_enforced = false;
    if (!model || !domain->run)
        return 0;
    look = (Look){.module = model->module, .pid = domain->run->pid.pid};
    r = worker_run(run_look, &look);
    if (r == -ENOMEM)
        return error_no_memory(reterr);
    if (r < 0 || !look.label)
        return 0;
    *ret_model = model;
    *ret = look.label;
    *ret_enforced = look.enforced;
    return 0;
}
