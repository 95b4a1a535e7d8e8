/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings and host on one side, a definition on the other: what one QEMU is kept to. */
#include "driver/confinement.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "driver/label-models.h"
#include "host/file-owner.h"
#include "util/child.h"
#include "util/file.h"
#include "util/log.h"
#include "util/worker.h"

#define GROUPS_MAX 256
#define SANDBOX "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
#define USERADD_USEC (30 * USEC_PER_SEC)
#define NSS_BYTES 65536u

static char *dup_or_null(const char *text) {
    return text ? strdup(text) : NULL;
}

Confinement *confinement_new(const ConfinementParams *params) {
    Confinement *confinement = calloc(1, sizeof(Confinement));

    if (!confinement)
        return NULL;
    *confinement = (Confinement){
        .user = strdup(params->user ? params->user : CONFINEMENT_USER),
        .group = dup_or_null(params->group),
        .directory = dup_or_null(params->directory),
        .make_user = !params->user,
        .private_dev = params->private_dev,
        .limit_devices = params->private_dev,
        .own_files = params->own_files,
        .sandbox = params->sandbox,
        .core_max = params->core_max,
        .security_driver = strdup(params->security_driver ? params->security_driver : "none"),
        .run = dup_or_null(params->run)};
    if (!confinement->user || !confinement->security_driver || (params->run && !confinement->run) ||
        (params->group && !confinement->group) || (params->directory && !confinement->directory)) {
        confinement_free(confinement);
        return NULL;
    }
    return confinement;
}

void confinement_free(Confinement *confinement) {
    if (!confinement)
        return;
    if (confinement->probe_plan)
        confine_plan_done(confinement->probe_plan);
    free(confinement->probe_plan);
    free(confinement->user);
    free(confinement->group);
    free(confinement->directory);
    free(confinement->groups);
    free(confinement->no_dev);
    free(confinement->no_user);
    free(confinement->no_label);
    free(confinement->security_driver);
    free(confinement->run);
    free(confinement);
}

/* ---- who ---- */

/* Whom the host's databases know by these names; asked on a worker. */
typedef struct Who {
    const char *user, *group;
    uid_t uid;
    gid_t gid;
    gid_t groups[GROUPS_MAX];
    int n_groups;
} Who;

/* "+107" or "107" */
static bool parse_id(const char *text, unsigned *ret) {
    const char *digits = text + (*text == '+');
    char *end = NULL;
    unsigned long value;

    if (*digits < '0' || *digits > '9')
        return false;
    errno = 0;
    value = strtoul(digits, &end, 10);
    if (errno || *end || value >= UINT32_MAX)
        return false;
    *ret = (unsigned)value;
    return true;
}

/* -ENOENT: there is none of that name. */
static int find_user(Who *who) {
    CLEANUP_FREE char *buffer = malloc(NSS_BYTES);
    struct passwd entry, *found = NULL;
    int r;

    if (!buffer)
        return -ENOMEM;
    if (parse_id(who->user, &who->uid)) {
        getpwuid_r(who->uid, &entry, buffer, NSS_BYTES, &found);
        who->gid = found ? found->pw_gid : who->uid;
    } else {
        r = getpwnam_r(who->user, &entry, buffer, NSS_BYTES, &found);
        if (!found)
            return r > 0 ? -r : -ENOENT;
        who->uid = found->pw_uid;
        who->gid = found->pw_gid;
    }
    if (!found)
        return 0;
    who->n_groups = GROUPS_MAX;
    if (getgrouplist(found->pw_name, who->gid, who->groups, &who->n_groups) < 0)
        who->n_groups = GROUPS_MAX;
    return 0;
}

static int find_group(Who *who) {
    CLEANUP_FREE char *buffer = malloc(NSS_BYTES);
    struct group entry, *found = NULL;
    int r;

    if (!buffer)
        return -ENOMEM;
    if (parse_id(who->group, &who->gid))
        return 0;
    r = getgrnam_r(who->group, &entry, buffer, NSS_BYTES, &found);
    if (!found)
        return r > 0 ? -r : -ENOENT;
    who->gid = found->gr_gid;
    return 0;
}

static int run_find(void *arg) {
    Who *who = arg;
    int r = find_user(who);

    return r < 0 || !who->group ? r : find_group(who);
}

static int run_has_kvm_group(void *arg) {
    gid_t *gid = arg;
    Who who = {.group = "kvm"};
    int r = find_group(&who);

    *gid = who.gid;
    return r;
}

/* An account without a home or a shell. Another daemon may be making it, too. */
static int make_user(const char *name) {
    const char *argv[] = {"useradd",      "--system",
                          "--user-group", "--no-create-home",
                          "--home-dir",   "/nonexistent",
                          "--shell",      "/usr/sbin/nologin",
                          "--comment",    "Virtual machines of Vireo",
                          name,           NULL, /* --groups */
                          NULL,           NULL};
    CLEANUP_CHILD_RESULT ChildResult result = {0};
    gid_t kvm;
    int r;

    if (worker_run(run_has_kvm_group, &kvm) >= 0) {
        argv[ARRAY_SIZE(argv) - 3] = "--groups";
        argv[ARRAY_SIZE(argv) - 2] = "kvm";
    }
    r = child_run(argv, deadline_in(USERADD_USEC), &result);
    if (r >= 0 && result.status == 0)
        log_info("the user '%s' for QEMU was made", name);
    return r;
}

static int use_who(Confinement *confinement, const Who *who) {
    confinement->groups = calloc((size_t)who->n_groups + 1, sizeof(gid_t));
    if (!confinement->groups)
        return -ENOMEM;
    for (int i = 0; i < who->n_groups; i++)
        if (who->groups[i] != who->gid)
            confinement->groups[confinement->n_groups++] = who->groups[i];
    confinement->uid = who->uid;
    confinement->gid = who->gid;
    confinement->has_user = who->uid != geteuid();
    return 0;
}

/* QEMU stays root, and doctor says so. Takes `why`. */
static int do_without_user(Confinement *confinement, char *why, const char *what, Error **reterr) {
    confinement->no_user = why;
    if (!why)
        return error_no_memory(reterr);
    log_warning("QEMU runs as root: %s; %s, or name a user with the setting 'user'", why, what);
    return 0;
}

static int find_who(Confinement *confinement, Error **reterr) {
    CLEANUP_FREE Who *who = calloc(1, sizeof(Who));
    int r;

    if (!who)
        return error_no_memory(reterr);
    who->user = confinement->user;
    who->group = confinement->group;
    r = worker_run(run_find, who);
    if (r == -ENOENT && confinement->make_user) {
        make_user(confinement->user);
        r = worker_run(run_find, who);
    }
    if (r < 0 && r != -ENOMEM && confinement->make_user)
        return do_without_user(
            confinement, strf("the user '%s' cannot be made: %s", confinement->user, strerror(-r)),
            "make it with useradd", reterr);
    if (r == -ENOENT)
        return error_report(reterr, FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
                            "the settings 'user' and 'group' name '%s'%s%s%s, which this host does "
                            "not know; make it or name another one",
                            who->user, who->group ? " and '" : "", who->group ? who->group : "",
                            who->group ? "'" : "");
    if (r < 0)
        return error_system(reterr, FROM_NONE, r, "cannot look up the user '%s'", who->user);
    return use_who(confinement, who) < 0 ? error_no_memory(reterr) : 0;
}

/* ---- what can be had ---- */

typedef struct Reach {
    const char *path;
    FileUser user;
    char *barrier;
} Reach;

static int run_reach(void *arg) {
    Reach *reach = arg;

    reach->barrier = file_owner_barrier(reach->path, &reach->user);
    return 0;
}

/* Somebody's private root that only root can search: a user that was not asked for would only see
 * starts fail. */
static int try_user(Confinement *confinement, Error **reterr) {
    Reach reach = {.path = confinement->directory,
                   .user = {.uid = confinement->uid,
                            .gid = confinement->gid,
                            .groups = confinement->groups,
                            .n_groups = confinement->n_groups}};
    CLEANUP_FREE char *barrier = NULL;

    if (!confinement->has_user || !confinement->make_user || !reach.path)
        return 0;
    worker_run(run_reach, &reach);
    barrier = reach.barrier;
    if (!barrier)
        return 0;
    confinement->has_user = false;
    return do_without_user(confinement,
                           strf("the user '%s' may not search '%s'", confinement->user, barrier),
                           "let it (chmod o+x)", reterr);
}

typedef struct Trial {
    const QemuConfine *confine;
    QemuConfineStep step;
} Trial;

static int run_try(void *arg) {
    Trial *trial = arg;

    return qemu_confine_try(trial->confine, &trial->step);
}

static int run_basic_nodes(void *arg) {
    confine_nodes_add(arg, NULL);
    return 0;
}

static void fill(const Confinement *confinement, ConfinePlan *plan) {
    plan->confine = (QemuConfine){.has_user = confinement->has_user,
                                  .uid = confinement->uid,
                                  .gid = confinement->gid,
                                  .groups = confinement->groups,
                                  .n_groups = confinement->n_groups,
                                  .private_dev = confinement->private_dev,
                                  .nodes = plan->nodes,
                                  .n_nodes = plan->n_nodes,
                                  .core_max = confinement->core_max};
}

/* A container may lack what a namespace takes: then without. */
static int try_private_dev(Confinement *confinement, Error **reterr) {
    Trial trial = {.confine = &confinement->probe_plan->confine};
    int r = confinement->private_dev ? worker_run(run_try, &trial) : 0;

    if (r >= 0 || (trial.step != CONFINE_MOUNT && trial.step != CONFINE_DEV))
        return 0;
    confinement->private_dev = false;
    confinement->no_dev = strf("%s: %s", qemu_confine_step_text(trial.step), strerror(-r));
    if (!confinement->no_dev)
        return error_no_memory(reterr);
    log_warning("QEMU sees the host's /dev: %s", confinement->no_dev);
    fill(confinement, confinement->probe_plan);
    return 0;
}

static int choose_label(Confinement *confinement, Error **reterr) {
    int r = label_models_choose(confinement->security_driver,
                                confinement->run ? confinement->run : "", &confinement->label,
                                &confinement->no_label, reterr);

    if (r >= 0 && confinement->no_label)
        log_warning("QEMUs get no security label: %s", confinement->no_label);
    return r;
}

/* What lasted for a moment, as a parser that hung while the host booted, is not to leave the daemon
 * without labels for its life. */
static int choose_again(Confinement *confinement, Error **reterr) {
    char *old = TAKE_PTR(confinement->no_label);
    int r = choose_label(confinement, reterr);

    if (r < 0)
        confinement->no_label = old;
    else
        free(old);
    if (r >= 0 && confinement->label)
        log_info("QEMUs that start from now on get labels of %s",
                 security_module_name(confinement->label->module));
    return r;
}

int confinement_try_label(Confinement *confinement, Error **reterr) {
    int r = 0;

    while (confinement->trying_label)
        fiber_cond_wait(&confinement->label_tried, USEC_FOREVER); /* it ends by itself */
    if (confinement->label || !confinement->no_label ||
        !streq(confinement->security_driver, "auto"))
        return 0;
    confinement->trying_label = true;
    r = choose_again(confinement, reterr);
    confinement->trying_label = false;
    fiber_cond_broadcast(&confinement->label_tried);
    return r;
}

int confinement_prepare(Confinement *confinement, Error **reterr) {
    int r = choose_label(confinement, reterr);

    if (r < 0)
        return r;

    if (geteuid() != 0) {
        confinement->private_dev = false;
        confinement->limit_devices = false;
        confinement->own_files = false;
    } else {
        r = find_who(confinement, reterr);
        if (r >= 0)
            r = try_user(confinement, reterr);
    }
    if (r < 0)
        return r;
    confinement->probe_plan = calloc(1, sizeof(ConfinePlan));
    if (confinement->probe_plan)
        worker_run(run_basic_nodes, confinement->probe_plan);
    if (!confinement->probe_plan || confinement->probe_plan->failed)
        return error_no_memory(reterr);
    fill(confinement, confinement->probe_plan);
    r = try_private_dev(confinement, reterr);
    confinement->probe = confinement->probe_plan->confine;
    return r;
}

/* ---- one domain ---- */

static bool may_raise_limits(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};

    return syscall(SYS_capget, &header, data) == 0 &&
           (data[0].effective & (1u << CAP_SYS_RESOURCE)) != 0;
}

static bool locks_memory(const DomainDef *def) {
    for (size_t i = 0; i < def->n_hostdevs; i++)
        if (def->hostdevs[i].type == HOSTDEV_PCI || def->hostdevs[i].type == HOSTDEV_MDEV)
            return true;
    for (size_t i = 0; i < def->n_interfaces; i++)
        if (def->interfaces[i].type == INTERFACE_HOSTDEV &&
            def->interfaces[i].hostdev.type == ADDRESS_PCI)
            return true;
    for (size_t i = 0; i < def->n_interfaces; i++)
        if (def->interfaces[i].type == INTERFACE_VDPA)
            return true;
    for (size_t i = 0; i < def->n_disks; i++)
        if (def->disks[i].source.type == DISK_NVME)
            return true;
    return def->memory_backing.locked;
}

static int plan_memlock(const DomainDef *def, QemuConfine *confine, Error **reterr) {
    struct rlimit limit;

    if (!locks_memory(def) || getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
        return 0;
    if (limit.rlim_max != RLIM_INFINITY && !may_raise_limits())
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "domain '%s': its memory cannot be locked (%s): vireod may lock %llu "
                            "KiB; raise LimitMEMLOCK of its unit",
                            def->name,
                            def->memory_backing.locked ? "<memoryBacking><locked/>"
                                                       : "a device of the host",
                            (unsigned long long)(limit.rlim_max / 1024));
    confine->memlock_max = RLIM_INFINITY;
    return 0;
}

/* ---- <seclabel model='dac'> ---- */

static int bad_label(const DomainDef *def, const char *label, Error **reterr) {
    return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "domain '%s': the label '%s' of its <seclabel model='dac'> is no "
                        "USER:GROUP of this host",
                        def->name, label);
}

static int use_label(const DomainDef *def, const char *label, ConfinePlan *plan, Error **reterr) {
    CLEANUP_FREE Who *who = calloc(1, sizeof(Who));
    CLEANUP_FREE char *user = strdup(label);
    char *colon = user ? strchr(user, ':') : NULL;
    int r;

    if (!who || !user)
        return error_no_memory(reterr);
    if (!colon)
        return bad_label(def, label, reterr);
    *colon = '\0';
    who->user = user;
    who->group = colon + 1;
    r = worker_run(run_find, who);
    if (r == -ENOENT)
        return bad_label(def, label, reterr);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot look up '%s'", label);
    plan->groups = malloc(sizeof(who->groups));
    if (!plan->groups)
        return error_no_memory(reterr);
    memcpy(plan->groups, who->groups, sizeof(who->groups));
    plan->confine.has_user = who->uid != geteuid();
    plan->confine.uid = who->uid;
    plan->confine.gid = who->gid;
    plan->confine.groups = plan->groups;
    plan->confine.n_groups = (size_t)who->n_groups;
    return 0;
}

/* One that would not be applied is no promise: a static label of SELinux or AppArmor says what QEMU
 * has to be held to. A dynamic one asks for what the host has. */
static int check_labels(const Confinement *confinement, const DomainDef *def, Error **reterr) {
    const char *used = confinement->label ? confinement->label->name : NULL;

    for (size_t i = 0; i < def->n_seclabels; i++) {
        const char *model = def->seclabels[i].model;

        if (streq_ptr(def->seclabels[i].type, "static") && model && !streq(model, "dac") &&
            !streq_ptr(model, used))
            return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                "domain '%s': its <seclabel type='static' model='%s'> cannot be "
                                "applied: QEMU gets no labels but those of %s; write "
                                "type='none', or leave it out",
                                def->name, model, used ? used : "the model dac");
    }
    return 0;
}

/* Whom the definition wants its QEMU to be. A dynamic label says whom a run has. */
static int plan_user(const Confinement *confinement, const DomainDef *def, ConfinePlan *plan,
                     Error **reterr) {
    int r = check_labels(confinement, def, reterr);

    for (size_t i = 0; r >= 0 && i < def->n_seclabels; i++)
        if (streq_ptr(def->seclabels[i].model, "dac") && def->seclabels[i].label &&
            !streq_ptr(def->seclabels[i].type, "dynamic") && geteuid() == 0)
            return use_label(def, def->seclabels[i].label, plan, reterr);
    return r;
}

/* Whoever passes -sandbox on has chosen. */
static bool passes_sandbox(const DomainDef *def) {
    for (size_t i = 0; i < def->qemu.n_args; i++)
        if (streq_ptr(def->qemu.args[i].value, "-sandbox"))
            return true;
    return false;
}

typedef struct NodesJob {
    ConfinePlan *plan;
    const DomainDef *def;
} NodesJob;

static int run_nodes(void *arg) {
    NodesJob *job = arg;

    confine_nodes_add(job->plan, job->def);
    return 0;
}

int confinement_plan(const Confinement *confinement, const DomainDef *def, const QemuCaps *caps,
                     ConfinePlan *ret, Error **reterr) {
    CLEANUP_CONFINE_PLAN ConfinePlan plan = {0};
    NodesJob job = {&plan, def};
    int r;

    if (confinement->private_dev || confinement->limit_devices)
        worker_run(run_nodes, &job);
    if (plan.failed)
        return error_no_memory(reterr);
    fill(confinement, &plan);
    if (confinement->sandbox && caps && caps->has_sandbox && !passes_sandbox(def))
        plan.sandbox = SANDBOX;
    r = plan_user(confinement, def, &plan, reterr);
    if (r >= 0)
        r = plan_memlock(def, &plan.confine, reterr);
    if (r < 0)
        return r;
    *ret = plan;
    plan = (ConfinePlan){0};
    return 0;
}
