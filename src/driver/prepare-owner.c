/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which files a definition names, and the note of each: "USER DEV INO UID GID". */
#include "driver/prepare-owner.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "driver/confinement.h"
#include "driver/job-files.h"
#include "driver/named-files.h"
#include "util/file.h"
#include "util/worker.h"

#define CHANNELS_MODE 01771
#define MADE_MODE 0711 /* the sockets in it are QEMU's, the notes are not */
#define GROUPS_MAX 256
#define STATUS_MAX 65536u /* bytes of /proc/PID/status */

/* One file on its way to a worker. */
typedef struct Job {
    const char *path;
    FileUse use;
    MadeKind kind; /* of the note */
    FileUser user;
    FileGiven given;
    Error **reterr;
} Job;

static int run_look(void *arg) {
    Job *job = arg;

    return file_owner_look(job->path, job->use, &job->user, &job->given, job->reterr);
}

static int run_give(void *arg) {
    Job *job = arg;

    return file_owner_give(job->path, &job->user, &job->given, job->reterr);
}

static int run_take_back(void *arg) {
    Job *job = arg;

    return file_owner_take_back(job->path, job->user.uid, &job->given);
}

static FileUser user_of(const QemuConfine *confine) {
    return (FileUser){.uid = confine->uid,
                      .gid = confine->gid,
                      .groups = confine->groups,
                      .n_groups = confine->n_groups};
}

/* Before it is given, so that a daemon that dies in between leaves nothing behind. */
static int note(Domain *domain, const Job *job, Error **reterr) {
    CLEANUP_FREE char *detail = strf("%u %" PRIu64 " %" PRIu64 " %u %u", (unsigned)job->user.uid,
                                     (uint64_t)job->given.dev, (uint64_t)job->given.ino,
                                     (unsigned)job->given.uid, (unsigned)job->given.gid);
    const Made made = {.kind = job->kind, .name = (char *)job->path, .detail = detail};

    return detail ? start_parts_note(domain, &made, reterr) : error_no_memory(reterr);
}

/* A node below a /dev of its own is QEMU's already. */
static bool is_node(const char *path, const QemuConfine *confine) {
    for (size_t i = 0; i < confine->n_nodes; i++)
        if (streq(confine->nodes[i].path, path))
            return true;
    return false;
}

static int give_file(Domain *domain, const NamedFile *file, MadeKind kind,
                     const QemuConfine *confine, Error **reterr) {
    const char *path = file->path;
    Job job = {
        .path = path, .use = file->use, .kind = kind, .user = user_of(confine), .reterr = reterr};
    int r;

    if (!confine->has_user || (confine->private_dev && is_node(path, confine)))
        return 0;
    r = worker_run(run_look, &job);
    if (r > 0 && !domain->run)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain '%s' has ended",
                            domain_name(domain));
    if (r <= 0)
        return r;
    r = note(domain, &job, reterr);
    return r < 0 ? r : worker_run(run_give, &job);
}

int prepare_owner_undo(const Made *made) {
    Job job = {.path = made->name};
    uint64_t dev, ino;
    unsigned user, uid, gid;

    if (!made->detail || sscanf(made->detail, "%u %" SCNu64 " %" SCNu64 " %u %u", &user, &dev, &ino,
                                &uid, &gid) != 5)
        return -EBADMSG;
    job.user.uid = user;
    job.given = (FileGiven){.dev = (dev_t)dev, .ino = (ino_t)ino, .uid = uid, .gid = gid};
    return worker_run(run_take_back, &job);
}

/* ---- what a definition names ---- */

static int give_files(Domain *domain, const NamedFiles *files, const QemuConfine *confine,
                      Error **reterr) {
    int r = 0;

    for (size_t i = 0; r >= 0 && i < files->n; i++)
        r = give_file(domain, &files->items[i], MADE_OWNER, confine, reterr);
    return r;
}

static int give_all(Domain *domain, const QemuConfine *confine, Error **reterr) {
    CLEANUP_NAMED_FILES NamedFiles files = {0};
    int r = named_files_add(&files, domain->services->storage, domain->run->live, "dac");

    return r < 0 ? error_no_memory(reterr) : give_files(domain, &files, confine, reterr);
}

/* ---- what the daemon has made ---- */

typedef struct Own {
    const StartParts *parts;
    const char *channels, *made;
} Own;

/* The sockets of helpers are gone after the run: nothing is noted. */
static int run_own_helpers(void *arg) {
    const Own *own = arg;
    const QemuConfine *confine = &own->parts->confine.confine;
    int r = chmod(own->made, MADE_MODE) < 0 && errno != ENOENT ? -1 : 0;

    for (size_t i = 0; r >= 0 && i < own->parts->n_tpms; i++)
        if (own->parts->tpm_sockets[i])
            r = lchown(own->parts->tpm_sockets[i], confine->uid, confine->gid);
    for (size_t i = 0; r >= 0 && i < own->parts->n_filesystems; i++)
        if (own->parts->filesystems[i])
            r = lchown(own->parts->filesystems[i], confine->uid, confine->gid);
    for (size_t i = 0; r >= 0 && i < own->parts->n_reservations; i++)
        r = lchown(own->parts->reservations[i], confine->uid, confine->gid);
    return r < 0 && errno != ENOENT ? -errno : 0;
}

/* QEMU makes its sockets in the directory of the channels, whose owner the daemon stays. */
static int run_own(void *arg) {
    const Own *own = arg;
    int r = lchown(own->channels, geteuid(), own->parts->confine.confine.gid);

    if (r >= 0)
        r = chmod(own->channels, CHANNELS_MODE);
    return r < 0 && errno != ENOENT ? -errno : run_own_helpers(arg);
}

/* Whether the domain's <seclabel> of the kind wants its files left as they are. */
static bool keeps_files(const DomainDef *def) {
    for (size_t i = 0; i < def->n_seclabels; i++)
        if (streq_ptr(def->seclabels[i].model, "dac") &&
            (streq_ptr(def->seclabels[i].type, "none") || def->seclabels[i].relabel == TRISTATE_NO))
            return true;
    return false;
}

int prepare_owners(Domain *domain, const StartParts *parts, bool own_files, Error **reterr) {
    CLEANUP_FREE char *channels = path_join(domain->services->paths.lib, "channel");
    CLEANUP_FREE char *made = path_join(domain->services->paths.run, "made");
    Own own = {.parts = parts, .channels = channels, .made = made};
    int r;

    if (!parts->confine.confine.has_user)
        return 0;
    if (!channels || !made)
        return error_no_memory(reterr);
    r = worker_run(run_own, &own);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r,
                            "cannot give the sockets of domain '%s' to its QEMU's user",
                            domain_name(domain));
    if (!own_files || keeps_files(domain->run->live))
        return 0;
    return give_all(domain, &parts->confine.confine, reterr);
}

/* ---- devices that come and go ---- */

typedef struct Running {
    pid_t pid;
    uid_t uid;
    gid_t gid, groups[GROUPS_MAX];
    size_t n_groups;
} Running;

static void read_groups(const char *line, Running *running) {
    char *end;

    for (; running->n_groups < GROUPS_MAX; line = end) {
        unsigned long gid = strtoul(line, &end, 10);

        if (end == line)
            return;
        running->groups[running->n_groups++] = (gid_t)gid;
    }
}

static int run_read_user(void *arg) {
    Running *running = arg;
    CLEANUP_FREE char *path = strf("/proc/%d/status", (int)running->pid), *text = NULL;
    const char *uid, *gid, *groups;
    int r = path ? file_read(path, STATUS_MAX, &text, NULL) : -ENOMEM;

    if (r < 0)
        return r;
    uid = strstr(text, "\nUid:");
    gid = strstr(text, "\nGid:");
    groups = strstr(text, "\nGroups:");
    if (!uid || !gid || !groups || sscanf(uid, " Uid: %u", &running->uid) != 1 ||
        sscanf(gid, " Gid: %u", &running->gid) != 1)
        return -EBADMSG;
    read_groups(groups + strlen("\nGroups:"), running);
    return 0;
}

int prepare_owner_running(Domain *domain, ConfinePlan *plan, Error **reterr) {
    Running running = {.pid = domain->run->pid.pid};
    gid_t *groups;
    int r = worker_run(run_read_user, &running);

    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot tell who the QEMU of domain '%s' is",
                            domain_name(domain));
    groups = calloc(running.n_groups + 1, sizeof(gid_t));
    if (!groups)
        return error_no_memory(reterr);
    memcpy(groups, running.groups, running.n_groups * sizeof(gid_t));
    free(plan->groups);
    plan->groups = groups;
    plan->confine.groups = groups;
    plan->confine.n_groups = running.n_groups;
    plan->confine.uid = running.uid;
    plan->confine.gid = running.gid;
    plan->confine.has_user = running.uid != geteuid();
    return 0;
}

static int give_device(Domain *domain, const DeviceKind *kind, const void *device,
                       const QemuConfine *confine, Error **reterr) {
    CLEANUP_NAMED_FILES NamedFiles files = {0};
    int r = named_files_add_device(&files, domain->services->storage, kind, device, "dac");

    return r < 0 ? error_no_memory(reterr) : give_files(domain, &files, confine, reterr);
}

static void take_back(const char *note, MadeKind kind, const char *path) {
    Made made;

    if (!path || made_take(note, kind, path, NULL, &made) < 0)
        return;
    prepare_owner_undo(&made);
    free(made.name);
    free(made.detail);
}

static size_t count_made(const char *note) {
    CLEANUP(made_done) MadeList list = {0};

    return made_read(note, &list) < 0 ? 0 : list.n;
}

/* What was given last, beyond the first n that were made. */
static void take_back_to(const char *note, size_t n) {
    for (size_t left = count_made(note); left > n; left--) {
        CLEANUP(made_done) MadeList list = {0};

        if (made_read(note, &list) < 0 || list.n <= n)
            return;
        take_back(note, MADE_OWNER, list.items[list.n - 1].name);
    }
}

static int own_helpers(Domain *domain, const StartParts *parts, Error **reterr) {
    CLEANUP_FREE char *made = path_join(domain->services->paths.run, "made");
    Own own = {.parts = parts, .made = made};
    int r = made ? worker_run(run_own_helpers, &own) : -ENOMEM;

    return r < 0 ? error_system(reterr, FROM_QEMU, r,
                                "cannot give a socket of domain '%s' to its QEMU's user",
                                domain_name(domain))
                 : 0;
}

int prepare_owner_helpers(Domain *domain, const StartParts *parts, Error **reterr) {
    return parts->confine.confine.has_user ? own_helpers(domain, parts, reterr) : 0;
}

int prepare_owner_attach(Domain *domain, const DeviceKind *kind, const void *device,
                         const StartParts *parts, Error **reterr) {
    const QemuConfine *confine = &parts->confine.confine;
    CLEANUP_FREE char *note = start_parts_note_path(&domain->services->paths,
                                                    domain->run->live->uuid);
    size_t n_before;
    int r = 0;

    if (!note)
        return error_no_memory(reterr);
    if (confine->has_user && (kind == &filesystem_kind || kind == &disk_kind))
        r = own_helpers(domain, parts, reterr);
    if (r < 0 || !confine->has_user || !domain->services->confinement->own_files ||
        keeps_files(domain->run->live))
        return r;
    n_before = count_made(note);
    r = give_device(domain, kind, device, confine, reterr);
    if (r < 0)
        take_back_to(note, n_before);
    return r;
}

/* ---- what is under way with the disks ---- */

int prepare_owner_jobs(Domain *domain, const StartParts *parts, Error **reterr) {
    const QemuConfine *confine = &parts->confine.confine;
    CLEANUP_FREE char *note = start_parts_note_path(&domain->services->paths,
                                                    domain->run->live->uuid);
    CLEANUP_NAMED_FILES NamedFiles files = {0};
    CLEANUP(made_done) MadeList list = {0};
    int r;

    if (!note)
        return error_no_memory(reterr);
    if (!confine->has_user || !domain->services->confinement->own_files ||
        keeps_files(domain->run->live))
        return 0;
    if (job_files_add(&files, domain, "dac") < 0)
        return error_no_memory(reterr);
    r = made_read(note, &list);
    if (r < 0 && r != -ENOENT)
        return error_system(reterr, FROM_QEMU, r, "cannot read '%s'", note);
    r = 0;
    for (size_t i = 0; r >= 0 && i < files.n; i++)
        if (!made_has(&list, MADE_JOB_OWNER, files.items[i].path))
            r = give_file(domain, &files.items[i], MADE_JOB_OWNER, confine, reterr);
    return r;
}

static bool is_source(const DomainDef *def, const char *path) {
    for (size_t i = 0; i < def->n_disks; i++)
        if (!def->disks[i].readonly && streq_ptr(def->disks[i].source.path, path))
            return true;
    return false;
}

static bool is_wanted(const NamedFiles *files, const char *path) {
    for (size_t i = 0; i < files->n; i++)
        if (streq(files->items[i].path, path))
            return true;
    return false;
}

/* The base of a pivot is the disk's image for the rest of the run. */
static void settle_job(const Domain *domain, const char *note, const MadeList *list,
                       const char *path) {
    if (domain->run && is_source(domain->run->live, path) && !made_has(list, MADE_OWNER, path))
        made_change(note, MADE_JOB_OWNER, path, MADE_OWNER);
    else
        take_back(note, MADE_JOB_OWNER, path);
}

void prepare_owner_settle_jobs(Domain *domain) {
    CLEANUP_FREE char *note = domain->run ? start_parts_note_path(&domain->services->paths,
                                                                  domain->run->live->uuid)
                                          : NULL;
    CLEANUP_NAMED_FILES NamedFiles files = {0};
    CLEANUP(made_done) MadeList list = {0};

    if (!note || job_files_add(&files, domain, "dac") < 0 || made_read(note, &list) < 0)
        return;
    for (size_t i = 0; i < list.n; i++)
        if (list.items[i].kind == MADE_JOB_OWNER && !is_wanted(&files, list.items[i].name))
            settle_job(domain, note, &list, list.items[i].name);
}

/* ---- what others name stays given ---- */

static size_t source_names(const StorageSource *source, const char *path) {
    return !source_is_left_alone(source, "dac") && streq_ptr(source->path, path);
}

static size_t disk_names(const DiskDef *disk, const char *path) {
    const StorageReservations *reservations = disk->source.reservations;
    size_t n = source_names(&disk->source, path) +
               (reservations && streq_ptr(reservations->path, path));

    for (const BackingStore *at = disk->backing; at; at = at->next)
        n += source_names(&at->source, path);
    return n;
}

static size_t chardev_names(const ChardevDef *chardev, const char *path) {
    return (size_t)streq_ptr(chardev->source.path, path) +
           streq_ptr(chardev->source.log_file, path);
}

/* How often the definition names the file, the device apart. */
static size_t others_name(const DomainDef *def, const void *device, const char *path) {
    const OsDef *os = &def->os;
    const char *const own[] = {os->kernel, os->initrd,     os->dtb,
                               os->loader, os->acpi_table, os->has_nvram ? os->nvram.path : NULL};
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        n += streq_ptr(own[i], path);
    for (size_t i = 0; i < def->n_disks; i++)
        n += &def->disks[i] != device ? disk_names(&def->disks[i], path) : 0;
    for (size_t i = 0; i < def->n_chardevs; i++)
        n += &def->chardevs[i] != device ? chardev_names(&def->chardevs[i], path) : 0;
    for (size_t i = 0; i < def->n_memories; i++)
        n += &def->memories[i] != device && streq_ptr(def->memories[i].path, path);
    return n;
}

static size_t count_given(const char *note, const char *path) {
    CLEANUP(made_done) MadeList list = {0};
    size_t n = 0;

    if (made_read(note, &list) < 0)
        return 0;
    for (size_t i = 0; i < list.n; i++)
        n += list.items[i].kind == MADE_OWNER && streq(list.items[i].name, path);
    return n;
}

typedef struct Leaving {
    const char *note;
    const DomainDef *def;
    const void *device;
} Leaving;

/* It was given once for each time that it is named; a device that was cut short may have none. */
static void leave(const Leaving *leaving, const char *path) {
    if (path && count_given(leaving->note, path) > others_name(leaving->def, leaving->device, path))
        take_back(leaving->note, MADE_OWNER, path);
}

static void leave_disk(const Leaving *leaving, const DiskDef *disk) {
    leave(leaving, disk->source.path);
    if (disk->source.reservations)
        leave(leaving, disk->source.reservations->path);
    for (const BackingStore *at = disk->backing; at; at = at->next)
        leave(leaving, at->source.path);
}

void prepare_owner_detach(Domain *domain, const DomainDef *def, const DeviceKind *kind,
                          const void *device) {
    CLEANUP_FREE char *note = domain->run ? start_parts_note_path(&domain->services->paths,
                                                                  domain->run->live->uuid)
                                          : NULL;
    const Leaving leaving = {.note = note, .def = def, .device = device};

    if (!note)
        return;
    if (kind == &disk_kind)
        leave_disk(&leaving, device);
    if (kind == &memory_kind)
        leave(&leaving, ((const MemoryDef *)device)->path);
    if (kind == &chardev_kind) {
        leave(&leaving, ((const ChardevDef *)device)->source.path);
        leave(&leaving, ((const ChardevDef *)device)->source.log_file);
    }
}
