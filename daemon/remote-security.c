/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whom QEMUs are and what they wear, as clients ask for it. */
#include "daemon.h"
#include "driver/label.h"
#include "util/file.h"
#include "util/text.h"

static int put_label(remote_security_label *to, const char *text, bool enforced, Error **reterr) {
    to->label.label_val = strdup(text);
    to->label.label_len = (u_int)strlen(text) + 1;
    to->enforcing = enforced;
    return to->label.label_val ? 0 : error_no_memory(reterr);
}

/* Whom its QEMU is; NULL: it does not run. */
static const char *user_label(const Domain *domain) {
    for (size_t i = 0; domain->run && i < domain->run->live->n_seclabels; i++)
        if (streq_ptr(domain->run->live->seclabels[i].model, "dac"))
            return domain->run->live->seclabels[i].label;
    return NULL;
}

/* That of the host's module; empty where there is none. */
DOMAIN_FUNC(get_security_label, void, remote_domain_get_security_label_ret) {
    CLEANUP_FREE char *label = NULL;
    remote_security_label one = {0};
    const LabelModel *model;
    bool enforced;
    int r = label_look(domain, &model, &label, &enforced, reterr);

    if (r >= 0)
        r = put_label(&one, label ? label : "", enforced, reterr);
    if (r < 0)
        return r;
    ret->label.label_val = one.label.label_val;
    ret->label.label_len = one.label.label_len;
    ret->enforcing = one.enforcing;
    return 0;
}

/* That of the module, and the user. */
DOMAIN_FUNC(get_security_labels, void, remote_domain_get_security_label_list_ret) {
    CLEANUP_FREE char *label = NULL;
    const LabelModel *model;
    const char *user;
    bool enforced;
    int r = label_look(domain, &model, &label, &enforced, reterr);

    if (r < 0)
        return r;
    ret->labels.labels_val = calloc(2, sizeof(remote_security_label));
    if (!ret->labels.labels_val)
        return error_no_memory(reterr);
    if (label)
        r = put_label(&ret->labels.labels_val[ret->labels.labels_len++], label, enforced, reterr);
    user = user_label(domain);
    if (r >= 0 && user)
        r = put_label(&ret->labels.labels_val[ret->labels.labels_len++], user, false, reterr);
    ret->ret = (int)ret->labels.labels_len;
    return r;
}

/* ---- the host ---- */

static char *with_nul(const char *text, u_int *len) {
    *len = (u_int)strlen(text) + 1;
    return strdup(text);
}

HANDLER(node_get_security_model) {
    const LabelModel *model = driver_of(session)->services.confinement->label;
    remote_node_get_security_model_ret *ret = ret_;

    ret->model.model_val = with_nul(model ? model->name : "none", &ret->model.model_len);
    ret->doi.doi_val = with_nul("0", &ret->doi.doi_len);
    return ret->model.model_val && ret->doi.doi_val ? 0 : error_no_memory(reterr);
}

static void write_model(FILE *out, const char *name, const char *kvm, const char *tcg) {
    fprintf(out, "    <secmodel>\n      <model>%s</model>\n      <doi>0</doi>\n", name);
    if (kvm)
        fprintf(out,
                "      <baselabel type='kvm'>%s</baselabel>\n"
                "      <baselabel type='qemu'>%s</baselabel>\n",
                kvm, tcg);
    fputs("    </secmodel>\n", out);
}

/* <secmodel> for each that is in use. NULL: out of memory. */
static char *write_models(const Confinement *confinement) {
    const uid_t uid = confinement->has_user ? confinement->uid : geteuid();
    const gid_t gid = confinement->has_user ? confinement->gid : getegid();
    CLEANUP_FREE char *user = strf("+%u:+%u", (unsigned)uid, (unsigned)gid), *text = NULL;
    FILE *out = user ? text_open(&text) : NULL;

    if (!out)
        return NULL;
    write_model(out, confinement->label ? confinement->label->name : "none", NULL, NULL);
    write_model(out, "dac", user, user);
    return fclose(out) == 0 ? TAKE_PTR(text) : NULL;
}

HANDLER(get_capabilities) {
    const Services *services = &driver_of(session)->services;
    remote_connect_get_capabilities_ret *ret = ret_;
    CLEANUP_FREE char *models = write_models(services->confinement);

    return models ? qemu_caps_xml(services->caps, models, &ret->capabilities, reterr)
                  : error_no_memory(reterr);
}

const RpcProc security_procs[] = {
    {REMOTE_PROC_CONNECT_GET_CAPABILITIES, "virConnectGetCapabilities", 0, get_capabilities, NO_XDR,
     XDR_OF(remote_connect_get_capabilities_ret)},
    {REMOTE_PROC_NODE_GET_SECURITY_MODEL, "virNodeGetSecurityModel", 0, node_get_security_model,
     NO_XDR, XDR_OF(remote_node_get_security_model_ret)},
    PLAIN_ROW(DOMAIN_GET_SECURITY_LABEL, "DomainGetSecurityLabel", 0, get_security_label,
              remote_domain_args, XDR_OF(remote_domain_get_security_label_ret)),
    PLAIN_ROW(DOMAIN_GET_SECURITY_LABEL_LIST, "DomainGetSecurityLabelList", 0, get_security_labels,
              remote_domain_args, XDR_OF(remote_domain_get_security_label_list_ret)),
};
const size_t security_n_procs = ARRAY_SIZE(security_procs);
