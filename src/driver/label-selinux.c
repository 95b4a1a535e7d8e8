/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/label-selinux.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#include "domain/services.h"
#include "domain/store.h"
#include "driver/job-files.h"
#include "driver/named-files.h"
#include "driver/start-parts.h"
#include "driver/start-shown.h"
#include "host/file-label.h"
#include "host/selinux.h"
#include "util/file.h"
#include "util/worker.h"

#define CONTEXT_SIZE 4096

/* ---- the host ---- */

static const char *double_of_host(void) {
    return getenv("VIREOD_SELINUX");
}

static bool is_on(void) {
    return double_of_host() || security_module_is_on(NULL, SECURITY_SELINUX);
}

static void attributes(const char *ret[2]) {
    static char exec[512];
    const char *host = double_of_host();

    snprintf(exec, sizeof(exec), "%s/exec", host ? host : "/proc/self/attr");
    ret[0] = ret[1] = exec;
}

typedef struct Policy {
    SelinuxContexts contexts;
    Error **reterr;
} Policy;

static int run_read_policy(void *arg) {
    Policy *policy = arg;
    const char *host = double_of_host();
    CLEANUP_FREE char *directory = host ? path_join(host, "contexts")
                                        : selinux_directory("/etc/selinux");

    return directory ? selinux_contexts_read(directory, &policy->contexts, policy->reterr)
                     : error_no_memory(policy->reterr);
}

static int read_policy(SelinuxContexts *ret, Error **reterr) {
    Policy policy = {.reterr = reterr};
    int r = worker_run(run_read_policy, &policy);

    if (r >= 0)
        *ret = policy.contexts;
    return r;
}

static int try(const char *run, Error **reterr) {
    CLEANUP_SELINUX_CONTEXTS SelinuxContexts contexts = {0};

    return read_policy(&contexts, reterr);
}

/* ---- a label ---- */

static int run_take_running(void *arg) {
    selinux_take_running(arg, "/proc");
    return 0;
}

/* Of domains that are about to start, too: their QEMUs do not wear it yet. */
static void take_known(SelinuxPairs *pairs, const DomainStore *store) {
    for (const Domain *each = store->domains; each; each = each->next)
        for (size_t i = 0; each->run && i < each->run->live->n_seclabels; i++)
            if (each->run->live->seclabels[i].label)
                selinux_take(pairs, each->run->live->seclabels[i].label);
}

/* Those of saved definitions and of an earlier run do not count: they are made anew. */
static void forget_own(DomainDef *live) {
    for (size_t i = 0; i < live->n_seclabels; i++)
        if (streq_ptr(live->seclabels[i].model, label_selinux.name))
            free(TAKE_PTR(live->seclabels[i].label));
}

static int pick(Domain *domain, SelinuxPairs *pairs, unsigned pair[2], Error **reterr) {
    uint32_t start = 0;
    int r;

    forget_own(domain->run->live);
    worker_run(run_take_running, pairs);
    take_known(pairs, domain->services->store); /* no wait from here on */
    if (getrandom(&start, sizeof(start), GRND_NONBLOCK) < 0)
        start = (uint32_t)domain->run->id;
    r = selinux_pick(pairs, start, pair);
    return r < 0 ? error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                                "all pairs of categories of SELinux are taken on this host")
                 : 0;
}

static int make(Domain *domain, const char *base, char **ret, Error **reterr) {
    CLEANUP_SELINUX_CONTEXTS SelinuxContexts contexts = {0};
    CLEANUP_FREE SelinuxPairs *pairs = calloc(1, sizeof(SelinuxPairs));
    unsigned pair[2];
    int r = pairs ? read_policy(&contexts, reterr) : error_no_memory(reterr);

    if (r >= 0 && base && !selinux_is_context(base))
        r = error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                         "the <baselabel> '%s' is no context of SELinux", base);
    if (r >= 0)
        r = pick(domain, pairs, pair, reterr);
    if (r < 0)
        return r;
    if (!base)
        base = domain->run->live->virt == DOMAIN_VIRT_KVM ? contexts.domain : contexts.domain_tcg;
    *ret = strf("%s:c%u,c%u", base, pair[0], pair[1]);
    return *ret && start_show_label(domain->run->live, label_selinux.name, *ret, NULL) >= 0
               ? 0
               : error_no_memory(reterr);
}

static int check(const char *label, Error **reterr) {
    return selinux_is_context(label)
               ? 0
               : error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                              "the label '%s' is no context of SELinux", label);
}

static char *image(const char *label) {
    CLEANUP_SELINUX_CONTEXTS SelinuxContexts contexts = {0};

    return read_policy(&contexts, NULL) < 0 ? NULL : selinux_with_level(contexts.image, label);
}

/* ---- files ---- */

/* What a file shall be labelled with. */
typedef struct Wanted {
    const NamedFile *file;
    const char *label;
} Wanted;

typedef struct Labels {
    Wanted *items;
    size_t n;
    const char *own, *shared, *content; /* of what this guest writes, several do, and none does */
} Labels;

static void want(Labels *labels, const NamedFile *file) {
    const char *label = file->use == FILE_USE_READ ? labels->content
                        : file->shared             ? labels->shared
                                                   : labels->own;

    for (size_t i = 0; i < labels->n; i++)
        if (streq(labels->items[i].file->path, file->path)) {
            if (file->use != FILE_USE_READ)
                labels->items[i].label = label;
            return;
        }
    labels->items[labels->n++] = (Wanted){file, label};
}

static bool is_wanted(const Labels *labels, const char *path) {
    for (size_t i = 0; i < labels->n; i++)
        if (streq(labels->items[i].file->path, path))
            return true;
    return false;
}

/* The detail of a note: "DEV INO LABEL OLD". */
typedef struct Detail {
    uint64_t dev, ino;
    char given[CONTEXT_SIZE + 1], old[CONTEXT_SIZE + 1];
} Detail;

static int read_detail(const Made *made, Detail *ret) {
    return made->detail && sscanf(made->detail, "%" SCNu64 " %" SCNu64 " %4096s %4096s", &ret->dev,
                                  &ret->ino, ret->given, ret->old) == 4
               ? 0
               : -EBADMSG;
}

/* How many notes of that file there are: of that label, and of others. */
static void count_made(const MadeList *made, const Wanted *wanted, size_t *ret_same,
                       size_t *ret_others) {
    Detail detail;

    *ret_same = *ret_others = 0;
    for (size_t i = 0; i < made->n; i++) {
        const Made *item = &made->items[i];

        if (item->kind != MADE_FILE_LABEL || !streq(item->name, wanted->file->path))
            continue;
        if (read_detail(item, &detail) >= 0 && !streq(detail.given, wanted->label))
            ++*ret_others;
        else
            ++*ret_same;
    }
}

typedef struct Job {
    const char *path, *label;
    FileUse use;
    FileLabelled found;
    Error **reterr;
} Job;

static int run_look(void *arg) {
    Job *job = arg;

    if ((job->use == FILE_USE_MAKE || job->use == FILE_USE_CONNECT) &&
        access(job->path, F_OK) < 0 && errno == ENOENT)
        return 0; /* it is not there yet */
    return file_label_look(job->path, &job->found, job->reterr);
}

static int run_give(void *arg) {
    Job *job = arg;

    return file_label_give(job->path, job->label, &job->found, job->reterr);
}

static int run_change(void *arg) {
    Job *job = arg;

    return file_label_change(job->path, job->label, &job->found, job->reterr);
}

static int run_take_back(void *arg) {
    Job *job = arg;

    return file_label_take_back(job->path, job->label, &job->found);
}

/* Before it is given, so that a daemon that dies in between leaves nothing behind. */
static int note(Domain *domain, const Job *job, Error **reterr) {
    CLEANUP_FREE char *detail = strf("%" PRIu64 " %" PRIu64 " %s %s", (uint64_t)job->found.dev,
                                     (uint64_t)job->found.ino, job->label,
                                     job->found.label ? job->found.label : "-");
    const Made made = {.kind = MADE_FILE_LABEL, .name = (char *)job->path, .detail = detail};

    return detail ? start_parts_note(domain, &made, reterr) : error_no_memory(reterr);
}

static int give(Domain *domain, const Wanted *wanted, Error **reterr) {
    Job job = {.path = wanted->file->path,
               .label = wanted->label,
               .use = wanted->file->use,
               .reterr = reterr};
    int r = worker_run(run_look, &job);

    if (r > 0)
        r = note(domain, &job, reterr);
    if (r >= 0 && job.found.ino)
        r = worker_run(run_give, &job);
    free(job.found.label);
    return MIN_OF(r, 0);
}

/* The file was given another label for this run. A daemon that dies in between leaves two notes, of
 * which one is right. */
static int change(Domain *domain, const Wanted *wanted, bool is_noted, Error **reterr) {
    Job job = {.path = wanted->file->path, .label = wanted->label, .reterr = reterr};
    int r = worker_run(run_look, &job);

    if (r > 0 && !is_noted)
        r = note(domain, &job, reterr);
    if (r >= 0 && job.found.ino)
        r = worker_run(run_change, &job);
    free(job.found.label);
    return MIN_OF(r, 0);
}

int label_selinux_undo(const Made *made) {
    Detail detail;
    Job job = {.path = made->name, .label = detail.given};

    if (read_detail(made, &detail) < 0)
        return -EBADMSG;
    job.found = (FileLabelled){.dev = (dev_t)detail.dev, .ino = (ino_t)detail.ino};
    if (!streq(detail.old, "-"))
        job.found.label = detail.old;
    return worker_run(run_take_back, &job);
}

static void take_back(const char *note_path, const char *path) {
    Made made;

    if (made_take(note_path, MADE_FILE_LABEL, path, NULL, &made) < 0)
        return;
    label_selinux_undo(&made);
    free(made.name);
    free(made.detail);
}

/* Notes of labels that the file has not any more. */
static void forget_others(const char *note_path, const MadeList *made, const Wanted *wanted) {
    Detail detail;

    for (size_t i = 0; i < made->n; i++) {
        const Made *item = &made->items[i];
        Made taken;

        if (item->kind != MADE_FILE_LABEL || !streq(item->name, wanted->file->path) ||
            read_detail(item, &detail) < 0 || streq(detail.given, wanted->label) ||
            made_take(note_path, MADE_FILE_LABEL, item->name, item->detail, &taken) < 0)
            continue;
        free(taken.name);
        free(taken.detail);
    }
}

/* may_stay: the label that it has lets it be read, too. */
static int set_file(Domain *domain, const char *note_path, const MadeList *made,
                    const Wanted *wanted, bool may_stay, Error **reterr) {
    size_t same, others;
    int r = 0;

    count_made(made, wanted, &same, &others);
    if (same + others == 0)
        return give(domain, wanted, reterr);
    if (others == 0)
        return 0;
    r = change(domain, wanted, same > 0, may_stay ? NULL : reterr);
    if (r >= 0)
        forget_others(note_path, made, wanted);
    return may_stay ? 0 : r;
}

static int set_files(Domain *domain, const Labels *labels, Error **reterr) {
    CLEANUP_FREE char *path = start_parts_note_path(&domain->services->paths,
                                                    domain->run->live->uuid);
    CLEANUP(made_done) MadeList made = {0};
    int r = path ? made_read(path, &made) : -ENOMEM;

    if (r < 0 && r != -ENOENT)
        return error_system(reterr, FROM_QEMU, r, "cannot tell which files have its label");
    r = 0;
    for (size_t i = 0; r >= 0 && i < labels->n; i++)
        r = set_file(domain, path, &made, &labels->items[i],
                     labels->items[i].label == labels->content, reterr);
    for (size_t i = 0; r >= 0 && i < made.n; i++)
        if (made.items[i].kind == MADE_FILE_LABEL && !is_wanted(labels, made.items[i].name))
            take_back(path, made.items[i].name);
    return r;
}

static int set_named(Domain *domain, const NamedFiles *files, const char *label, Error **reterr) {
    CLEANUP_SELINUX_CONTEXTS SelinuxContexts contexts = {0};
    CLEANUP_FREE Wanted *items = calloc(files->n + 1, sizeof(Wanted));
    CLEANUP_FREE char *own = NULL;
    int r = items ? read_policy(&contexts, reterr) : error_no_memory(reterr);
    Labels labels;

    if (r < 0)
        return r;
    own = selinux_with_level(contexts.image, label);
    if (!own)
        return error_no_memory(reterr);
    labels = (Labels){
        .items = items, .own = own, .shared = contexts.image, .content = contexts.content};
    for (size_t i = 0; i < files->n; i++)
        want(&labels, &files->items[i]);
    return set_files(domain, &labels, reterr);
}

static int set(Domain *domain, const DomainDef *also, const char *label, Error **reterr) {
    const Storage *storage = domain->services->storage;
    CLEANUP_NAMED_FILES NamedFiles files = {0};
    int r = job_files_add(&files, domain, label_selinux.name);

    if (r >= 0)
        r = named_files_add(&files, storage, domain->run->live, label_selinux.name);
    if (r >= 0 && also)
        r = named_files_add(&files, storage, also, label_selinux.name);
    return r < 0 ? error_no_memory(reterr) : set_named(domain, &files, label, reterr);
}

static int end(const char *run, const char *label) {
    return 0; /* the files are noted one by one */
}

const LabelModel label_selinux = {
    .name = "selinux",
    .module = SECURITY_SELINUX,
    .asked_for = true,
    .labels_files = true,
    .changes_by_policy = true,
    .prefix = "",
    .attributes = attributes,
    .is_on = is_on,
    .try = try,
    .make = make,
    .check = check,
    .image = image,
    .set = set,
    .end = end,
};
