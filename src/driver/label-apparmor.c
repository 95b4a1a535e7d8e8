/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a definition has its QEMU open, as rules. */
#include "driver/label-apparmor.h"

#include "conf/domain-copy.h"
#include "domain/files.h"
#include "domain/services.h"
#include "driver/confine-nodes.h"
#include "driver/job-files.h"
#include "driver/named-files.h"
#include "host/apparmor.h"
#include "util/file.h"
#include "util/worker.h"

#define TRIAL "vireo-trial"
#define DIRECTORY "apparmor" /* in the run directory */
#define SYSTEM_RUN "/run/vireo"
#define READ_WRITE (APPARMOR_READ | APPARMOR_WRITE)

/* ---- rules ---- */

static int add_chardev(AppArmorRules *rules, const ChardevSource *source) {
    const bool has_path = source->type != CHARDEV_NONE_ && source->type != CHARDEV_PTY;
    CLEANUP_FREE char *in = NULL, *out = NULL;
    int r = has_path ? apparmor_rules_add(rules, source->path, READ_WRITE) : 0;

    rules->terminals |= source->type == CHARDEV_PTY;
    if (r >= 0 && source->type == CHARDEV_PIPE && source->path) {
        in = strf("%s.in", source->path);
        out = strf("%s.out", source->path);
        r = in && out ? apparmor_rules_add(rules, in, READ_WRITE) : -ENOMEM;
        if (r >= 0)
            r = apparmor_rules_add(rules, out, READ_WRITE);
    }
    return r;
}

static int add_chardevs(AppArmorRules *rules, const DomainDef *def) {
    int r = 0;

    for (size_t i = 0; r >= 0 && i < def->n_chardevs; i++)
        r = add_chardev(rules, &def->chardevs[i].source);
    for (size_t i = 0; r >= 0 && i < def->n_redirdevs; i++)
        r = add_chardev(rules, &def->redirdevs[i].source);
    for (size_t i = 0; r >= 0 && i < def->n_smartcards; i++)
        r = add_chardev(rules, &def->smartcards[i].source);
    for (size_t i = 0; r >= 0 && i < def->n_rngs; i++)
        r = add_chardev(rules, &def->rngs[i].egd);
    for (size_t i = 0; r >= 0 && i < def->n_tpms; i++)
        r = add_chardev(rules, &def->tpms[i].source);
    return r;
}

#define X_SOCKETS "/tmp/.X11-unix"

/* An X server has its socket there; its key is a person's file, which stays his. */
static int add_window(AppArmorRules *rules, const GraphicsDef *graphics) {
    int r = graphics->type == GRAPHICS_SDL
                ? apparmor_rules_add(rules, X_SOCKETS, READ_WRITE | APPARMOR_TREE)
                : 0;

    return r < 0 ? r : apparmor_rules_add(rules, graphics->xauth, APPARMOR_READ);
}

/* Sockets that QEMU makes, or goes to. */
static int add_sockets(AppArmorRules *rules, const DomainDef *def) {
    int r = 0;

    for (size_t i = 0; r >= 0 && i < def->n_graphics; i++) {
        const GraphicsDef *graphics = &def->graphics[i];

        r = apparmor_rules_add(rules, graphics->socket, READ_WRITE);
        if (r >= 0)
            r = add_window(rules, graphics);
        for (size_t k = 0; r >= 0 && k < graphics->n_listens; k++)
            r = apparmor_rules_add(rules, graphics->listens[k].socket, READ_WRITE);
    }
    for (size_t i = 0; r >= 0 && i < def->n_interfaces; i++)
        if (def->interfaces[i].type == INTERFACE_VHOSTUSER ||
            def->interfaces[i].type == INTERFACE_VDPA)
            r = apparmor_rules_add(rules, def->interfaces[i].source, READ_WRITE);
    for (size_t i = 0; r >= 0 && i < def->n_disks; i++) {
        const StorageSource *source = &def->disks[i].source;

        for (size_t k = 0; r >= 0 && k < source->n_hosts; k++)
            r = apparmor_rules_add(rules, source->hosts[k].socket, READ_WRITE);
    }
    return r;
}

static int add_shared_memory(AppArmorRules *rules, const ShmemDef *shmem) {
    CLEANUP_FREE char *path = strf("/dev/shm/%s", shmem->name);
    int r = path ? apparmor_rules_add(rules, path, APPARMOR_DATA) : -ENOMEM;

    return r < 0 ? r : apparmor_rules_add(rules, shmem->server, READ_WRITE);
}

static int add_folders(AppArmorRules *rules, const DomainDef *def) {
    int r = 0;

    for (size_t i = 0; r >= 0 && i < def->n_filesystems; i++) {
        const FilesystemDef *filesystem = &def->filesystems[i];
        const unsigned access = filesystem->readonly ? APPARMOR_READ : APPARMOR_DATA;

        r = apparmor_rules_add(rules, filesystem->socket, READ_WRITE);
        if (r >= 0 && !streq_ptr(filesystem->driver, "virtiofs"))
            r = apparmor_rules_add(rules, filesystem->source, access | APPARMOR_TREE);
    }
    for (size_t i = 0; r >= 0 && i < def->n_disks; i++)
        if (def->disks[i].source.type == DISK_DIR)
            r = apparmor_rules_add(rules, def->disks[i].source.path, APPARMOR_DATA | APPARMOR_TREE);
    for (size_t i = 0; r >= 0 && i < def->n_shmems; i++)
        r = add_shared_memory(rules, &def->shmems[i]);
    return r;
}

static int add_files(AppArmorRules *rules, const NamedFiles *files) {
    int r = 0;

    for (size_t i = 0; r >= 0 && i < files->n; i++)
        r = apparmor_rules_add(rules, files->items[i].path,
                               files->items[i].use == FILE_USE_READ ? APPARMOR_READ | APPARMOR_LOCK
                                                                    : APPARMOR_DATA);
    return r;
}

/* A QEMU with a prefix of its own has its libraries and firmware there. */
static int add_emulator(AppArmorRules *rules, const char *emulator) {
    static const char *const folders[] = {"lib", "lib64", "share"};
    CLEANUP_FREE char *real = realpath(emulator, NULL);
    char *slash = real ? strrchr(real, '/') : NULL;
    int r = apparmor_rules_add(rules, real ? real : emulator, APPARMOR_READ | APPARMOR_MAP);

    if (!slash)
        return r;
    *slash = '\0';
    slash = strrchr(real, '/');
    if (!slash || slash == real || !streq(slash, "/bin"))
        return r;
    *slash = '\0';
    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(folders); i++) {
        CLEANUP_FREE char *path = path_join(real, folders[i]);

        r = path ? apparmor_rules_add(rules, path, APPARMOR_READ | APPARMOR_MAP | APPARMOR_TREE)
                 : -ENOMEM;
    }
    return r;
}

static int add_nodes(AppArmorRules *rules, const DomainDef *def) {
    CLEANUP_CONFINE_PLAN ConfinePlan plan = {0};
    int r = 0;

    confine_nodes_add(&plan, def);
    for (size_t i = 0; r >= 0 && i < plan.n_nodes; i++)
        r = apparmor_rules_add(rules, plan.nodes[i].path, APPARMOR_DATA);
    return plan.failed ? -ENOMEM : r;
}

/* Blocks. */
static int add_definition(AppArmorRules *rules, const DomainDef *def) {
    int r = add_emulator(rules, def->emulator);

    if (r >= 0)
        r = add_nodes(rules, def);
    if (r >= 0)
        r = add_chardevs(rules, def);
    if (r >= 0)
        r = add_sockets(rules, def);
    if (r >= 0)
        r = add_folders(rules, def);
    return r;
}

/* ---- a profile ---- */

typedef struct Work {
    const DomainDef *defs[2];
    const NamedFiles *files;
    AppArmorRules *rules;
} Work;

static int run_fill(void *arg) {
    Work *work = arg;
    int r = add_files(work->rules, work->files);

    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(work->defs); i++)
        if (work->defs[i])
            r = add_definition(work->rules, work->defs[i]);
    return r < 0 ? r : apparmor_rules_resolve(work->rules);
}

static int add_helper(AppArmorRules *rules, const Domain *domain, const char *alias) {
    CLEANUP_FREE char *path = domain_helper_socket(domain, alias);

    return path ? apparmor_rules_add(rules, path, READ_WRITE) : -ENOMEM;
}

/* The programs that serve it. */
static int add_helpers(AppArmorRules *rules, const Domain *domain, const DomainDef *def) {
    int r = 0;

    for (size_t i = 0; r >= 0 && i < def->n_tpms; i++)
        r = add_helper(rules, domain, def->tpms[i].info.alias);
    for (size_t i = 0; r >= 0 && i < def->n_filesystems; i++)
        r = add_helper(rules, domain, def->filesystems[i].info.alias);
    for (size_t i = 0; r >= 0 && i < def->n_disks; i++)
        if (def->disks[i].source.reservations)
            r = apparmor_rules_add(rules, def->disks[i].source.reservations->path, READ_WRITE);
    return r;
}

static bool has_certificates(const DomainDef *def) {
    for (size_t i = 0; i < def->n_graphics; i++)
        if (def->graphics[i].type == GRAPHICS_SPICE && def->graphics[i].tls_port > 0)
            return true;
    return false;
}

/* QEMU gets it open, and makes it as long as what was there before its state: since QEMU 9.1, by
 * ftruncate(2), which AppArmor asks the file's name for. */
static int add_state(AppArmorRules *rules, const SaveIntent *save) {
    CLEANUP_FREE char *part = NULL;
    int r;

    if (save->kind != SAVE_TO)
        return 0;
    part = domain_save_part_path(save->path, save->id);
    r = part ? apparmor_rules_add(rules, part, APPARMOR_WRITE) : -ENOMEM;
    return r < 0 ? r : apparmor_rules_add(rules, save->path, APPARMOR_WRITE);
}

static int make_rules(Domain *domain, const DomainDef *also, AppArmorRules *rules) {
    CLEANUP_DOMAIN_DEF DomainDef *live = domain_def_copy(domain->run->live); /* it may go */
    const Storage *storage = domain->services->storage;
    CLEANUP_NAMED_FILES NamedFiles files = {0};
    Work work = {{live, also}, &files, rules};
    int r = live ? add_helpers(rules, domain, live) : -ENOMEM;

    if (r >= 0 && also)
        r = add_helpers(rules, domain, also);
    if (r >= 0)
        r = add_state(rules, &domain->run->save);
    if (r >= 0)
        r = job_files_add(&files, domain, label_apparmor.name);
    if (r >= 0)
        r = named_files_add(&files, storage, live, label_apparmor.name);
    if (r >= 0 && also)
        r = named_files_add(&files, storage, also, label_apparmor.name);
    if (r >= 0 && has_certificates(live))
        r = apparmor_rules_add(rules, domain->services->settings.spice_tls,
                               APPARMOR_READ | APPARMOR_TREE);
    return r < 0 ? r : worker_run(run_fill, &work);
}

/* FNV-1a: daemons with directories of their own may have the same domain at the same time, as in a
 * migration from one to the other, and the end of one run must not take the other's profile. */
static uint32_t number_of(const char *path) {
    uint32_t hash = 2166136261u;

    for (; *path; path++)
        hash = (hash ^ (unsigned char)*path) * 16777619u;
    return hash;
}

static int make(Domain *domain, const char *base, char **ret, Error **reterr) {
    const char *run = domain->services->paths.run;
    char uuid[UUID_TEXT_SIZE];

    uuid_format(domain->run->live->uuid, uuid);
    *ret = streq(run, SYSTEM_RUN) ? strf("vireo-%s", uuid)
                                  : strf("vireo-%s-%08x", uuid, (unsigned)number_of(run));
    return *ret ? 0 : error_no_memory(reterr);
}

/* Its text lies in run/apparmor while it is in the kernel, for people. */
static int load(const char *directory, const char *name, const AppArmorRules *rules,
                Error **reterr) {
    CLEANUP_FREE char *path = path_join(directory, name), *text = NULL;
    int r;

    if (!path)
        return error_no_memory(reterr);
    r = dir_make(directory, 0700);
    if (r < 0)
        return error_system(reterr, FROM_NONE, r, "cannot make '%s'", directory);
    r = apparmor_profile(name, rules, &text, reterr);
    return r < 0 ? r : apparmor_load(path, text, reterr);
}

static int set(Domain *domain, const DomainDef *also, const char *label, Error **reterr) {
    CLEANUP_FREE char *directory = path_join(domain->services->paths.run, DIRECTORY);
    CLEANUP_APPARMOR_RULES AppArmorRules rules = {0};
    int r = directory ? make_rules(domain, also, &rules) : -ENOMEM;

    if (r < 0)
        return error_no_memory(reterr);
    return load(directory, label, &rules, reterr);
}

static int run_has(void *arg) {
    return apparmor_has(NULL, arg);
}

static int check(const char *label, Error **reterr) {
    if (worker_run(run_has, (void *)label))
        return 0;
    return error_report(reterr, FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
                        "the kernel has no profile '%s' of AppArmor; load it (apparmor_parser)",
                        label);
}

static int run_remove(void *arg) {
    return apparmor_remove(NULL, arg);
}

static int end(const char *run, const char *label) {
    file_forget("%s/" DIRECTORY "/%s", run, label);
    file_forget("%s/" DIRECTORY "/%s" APPARMOR_LOADING, run, label);
    return worker_run(run_remove, (void *)label);
}

/* The second one is shared by all modules, and AppArmor's where it is alone. */
static void attributes(const char *ret[2]) {
    ret[0] = "/proc/self/attr/apparmor/exec";
    ret[1] = "/proc/self/attr/exec";
}

typedef struct Trial {
    QemuConfine confine;
    QemuConfineStep step;
} Trial;

static int run_wear(void *arg) {
    Trial *trial = arg;

    return qemu_confine_try(&trial->confine, &trial->step);
}

/* In a child that asks for it as a QEMU's does: a profile that vireod has itself is asked there
 * whether it lets go (Linux's security/apparmor/domain.c, aa_change_profile). */
static int try_wear(Error **reterr) {
    Trial trial = {.confine.label.text = "exec " TRIAL};
    int r;

    attributes(trial.confine.label.attributes);
    r = worker_run(run_wear, &trial);
    if (r >= 0 || trial.step != CONFINE_LABEL)
        return 0;
    return error_system(reterr, FROM_NONE, r,
                        "a program that vireod starts cannot have a profile of AppArmor; if vireod "
                        "has one itself, add 'change_profile -> vireo-*,' to it");
}

/* With one that is loaded, asked for and taken out again: whatever is in the way says so. */
static int try(const char *run, Error **reterr) {
    CLEANUP_FREE char *directory = path_join(run, DIRECTORY);
    const AppArmorRules none = {0};
    int r = directory ? load(directory, TRIAL, &none, reterr) : error_no_memory(reterr);
    int worn, removed;

    if (r < 0)
        return r;
    worn = try_wear(reterr);
    removed = end(run, TRIAL);
    if (worn < 0)
        return worn;
    return removed < 0
               ? error_system(reterr, FROM_NONE, removed, "cannot take out a profile of AppArmor")
               : 0;
}

static bool is_on(void) {
    return security_module_is_on(NULL, SECURITY_APPARMOR);
}

const LabelModel label_apparmor = {
    .name = "apparmor",
    .module = SECURITY_APPARMOR,
    .prefix = "exec ",
    .attributes = attributes,
    .is_on = is_on,
    .try = try,
    .make = make,
    .check = check,
    .set = set,
    .end = end,
};
