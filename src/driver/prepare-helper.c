/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/prepare-helper.h"

#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "domain/files.h"
#include "driver/confinement.h"
#include "host/file-owner.h"
#include "util/child.h"
#include "util/file.h"
#include "util/path-owner.h"
#include "util/text.h"
#include "util/unix-socket.h"
#include "util/worker.h"

#define SETUP_USEC (60 * USEC_PER_SEC)
#define BACKLOG 1
#define ARGUMENTS_MAX 16
#define BANKS_MAX 40
#define TPM_USER "tss" /* as libvirt has it */
#define PASSWD_BYTES ((size_t)16384)

/* ---- a helper ---- */

typedef struct Helper {
    Domain *domain;
    const char *alias, *program; /* its file name: "virtiofsd" */
    char **argv;
    char *socket;
} Helper;

static int at_gate(const QemuPid *pid, void *userdata, Error **reterr) {
    const Helper *helper = userdata;
    const Made made = {.kind = MADE_PROCESS, .name = helper->socket, .pid = *pid};

    return start_parts_note(helper->domain, &made, reterr);
}

/* virtiofsd waits in accept(2): its socket is one that blocks. */
static int listen_at(const char *path, int *ret) {
    CLEANUP_FREE char *directory = strdup(path);
    int r;

    if (!directory)
        return -ENOMEM;
    *strrchr(directory, '/') = '\0';
    r = dir_make(directory, 0711);
    if (r >= 0)
        r = unix_socket_listen(path, 0600, BACKLOG, ret);
    if (r >= 0 && fcntl(*ret, F_SETFL, 0) < 0)
        r = -errno;
    return r;
}

/* Takes nothing; helper->socket is there before it is called. */
static int spawn(Helper *helper, Error **reterr) {
    const Domain *domain = helper->domain;
    const char *name = domain->run->live->name;
    CLEANUP_FREE char *log = strf("%s/qemu/%s-%s-%s.log", domain->services->paths.log, name,
                                  helper->alias, helper->program);
    CLEANUP_CLOSE int listener = -1;
    QemuPid pid;
    int r;

    if (!log)
        return error_no_memory(reterr);
    r = listen_at(helper->socket, &listener);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot make the socket '%s'", helper->socket);
    return qemu_process_spawn(&(QemuSpawn){.argv = helper->argv,
                                           .log_path = log,
                                           .monitor_fd = listener,
                                           .monitor_path = helper->socket,
                                           .gate = at_gate,
                                           .userdata = helper},
                              &pid, reterr);
}

static int find_program(const char *const *paths, const char **ret) {
    for (; *paths; paths++)
        if (access(*paths, X_OK) == 0) {
            *ret = *paths;
            return 0;
        }
    return -ENOENT;
}

/* ---- TPM ---- */

char *prepare_tpm_directory(const ServicePaths *paths, const uint8_t uuid[16]) {
    char text[UUID_TEXT_SIZE];

    uuid_format(uuid, text);
    return strf("%s/swtpm/%s", paths->lib, text);
}

/* The PCR banks, for swtpm_setup; NULL: those it has of itself. */
static const char *banks(const TpmDef *tpm, char text[BANKS_MAX]) {
    static const struct {
        size_t offset;
        const char *name;
    } rows[] = {{offsetof(TpmDef, sha1), "sha1"},
                {offsetof(TpmDef, sha256), "sha256"},
                {offsetof(TpmDef, sha384), "sha384"},
                {offsetof(TpmDef, sha512), "sha512"}};
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (*(const bool *)((const char *)tpm + rows[i].offset))
            len += (size_t)snprintf(text + len, BANKS_MAX - len, "%s%s", len ? "," : "",
                                    rows[i].name);
    return len ? text : NULL;
}

/* ---- whose a TPM is ---- */

typedef struct TpmOwner {
    const char *directory;
    bool found; /* there is such a user, who gets to the directory */
    uid_t uid;
    gid_t gid;
} TpmOwner;

/* A name there that is no file of its own stays whose it is. */
static void give_entry(int directory, const char *name, const TpmOwner *owner) {
    struct stat info;

    if (fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) >= 0 && S_ISREG(info.st_mode) &&
        info.st_nlink == 1)
        (void)!fchownat(directory, name, owner->uid, owner->gid, AT_SYMLINK_NOFOLLOW);
}

/* The two directories above it were nobody else's to pass. */
static int run_open_way(void *arg) {
    CLEANUP_FREE char *above = strdup(arg);

    if (!above)
        return -ENOMEM;
    *strrchr(above, '/') = '\0';
    return chmod(above, 0711) < 0 || chmod(arg, 0711) < 0 ? -errno : 0;
}

static int run_give_tpm(void *arg) {
    TpmOwner *owner = arg;
    struct passwd entry, *user = NULL;
    CLEANUP_FREE char *text = malloc(PASSWD_BYTES), *barrier = NULL;
    CLEANUP_CLOSE int fd = -1;
    struct dirent *at;
    DIR *entries;

    if (!text)
        return -ENOMEM;
    if (getpwnam_r(TPM_USER, &entry, text, PASSWD_BYTES, &user) != 0 || !user)
        return 0;
    owner->uid = user->pw_uid;
    owner->gid = user->pw_gid;
    fd = open(owner->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fchown(fd, owner->uid, owner->gid) < 0)
        return -errno;
    barrier = file_owner_barrier(owner->directory, &(FileUser){owner->uid, owner->gid, NULL, 0});
    if (barrier) /* root serves it, then */
        return fchown(fd, geteuid(), getegid()) < 0 ? -errno : 0;
    entries = fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!entries)
        return -errno;
    while ((at = readdir(entries)))
        give_entry(fd, at->d_name, owner);
    closedir(entries);
    owner->found = true;
    return 0;
}

/* A TPM is made once, with its endorsement key; what it remembers is not touched again. */
static int set_up_tpm(const TpmDef *tpm, const char *directory, bool is_2, Error **reterr) {
    const char *argv[ARGUMENTS_MAX] = {"swtpm_setup", "--tpmstate",   directory,
                                       "--createek",  "--lock-nvram", "--not-overwrite"};
    CLEANUP_FREE char *state = path_join(directory, is_2 ? "tpm2-00.permall" : "tpm-00.permall");
    size_t n = 6;
    char text[BANKS_MAX];

    if (!state)
        return error_no_memory(reterr);
    if (access(state, F_OK) == 0)
        return 0;
    if (is_2)
        argv[n++] = "--tpm2";
    if (is_2 && banks(tpm, text)) {
        argv[n++] = "--pcr-banks";
        argv[n++] = text;
    }
    return child_run_checked(argv, deadline_in(SETUP_USEC), "swtpm-tools",
                             "cannot make its emulated <tpm>", NULL, reterr);
}

static int start_tpm(Domain *domain, const TpmDef *tpm, char **ret_socket, Error **reterr) {
    static const char *const programs[] = {"/usr/bin/swtpm", "/usr/local/bin/swtpm", NULL};
    const bool is_2 = !streq_ptr(tpm->version, "1.2");
    CLEANUP_FREE char *base = prepare_tpm_directory(&domain->services->paths,
                                                    domain->run->live->uuid);
    CLEANUP_FREE char *directory = base ? path_join(base, is_2 ? "tpm2" : "tpm1.2") : NULL;
    CLEANUP_FREE char *state = directory ? strf("dir=%s,mode=0600", directory) : NULL;
    CLEANUP_FREE char *socket = domain_helper_socket(domain, tpm->info.alias);
    char *argv[ARGUMENTS_MAX] = {NULL,
                                 (char *)"socket",
                                 (char *)"--ctrl",
                                 (char *)"type=unixio,fd=3",
                                 (char *)"--tpmstate",
                                 state,
                                 (char *)"--terminate"};
    TpmOwner owner = {.directory = directory};
    const char *program;
    size_t n = 7;
    int r;

    if (!state || !socket)
        return error_no_memory(reterr);
    if (find_program(programs, &program) < 0)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "its emulated <tpm> needs swtpm, which is not installed (package "
                            "swtpm)");
    argv[0] = (char *)program;
    r = dir_make(base, 0711);
    if (r >= 0)
        r = dir_make(directory, 0700);
    if (r >= 0 && geteuid() == 0)
        r = worker_run(run_open_way, base);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot make '%s'", directory);
    r = set_up_tpm(tpm, directory, is_2, reterr);
    if (r < 0)
        return r;
    if (geteuid() == 0 && domain->services->confinement->has_user)
        r = worker_run(run_give_tpm, &owner);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot give '%s' to user " TPM_USER, directory);
    if (is_2)
        argv[n++] = (char *)"--tpm2";
    if (owner.found)
        argv[n++] = (char *)"--runas=" TPM_USER;
    r = spawn(&(Helper){.domain = domain,
                        .alias = tpm->info.alias,
                        .program = "swtpm",
                        .socket = socket,
                        .argv = argv},
              reterr);
    if (r >= 0)
        *ret_socket = TAKE_PTR(socket);
    return r;
}

int prepare_tpms(Domain *domain, StartParts *parts, Error **reterr) {
    const DomainDef *live = domain->run->live;
    int r = 0;

    parts->tpm_sockets = calloc(live->n_tpms + 1, sizeof(char *));
    if (!parts->tpm_sockets)
        return error_no_memory(reterr);
    parts->n_tpms = live->n_tpms;
    parts->parts.tpm_sockets = (const char *const *)parts->tpm_sockets;
    for (size_t i = 0; r >= 0 && i < live->n_tpms; i++) {
        if (live->tpms[i].type != TPM_EMULATOR)
            continue;
        r = live->tpms[i].has_encryption
                ? error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                               "its <tpm> with <encryption> needs a secret, and there are none "
                               "here yet")
                : start_tpm(domain, &live->tpms[i], &parts->tpm_sockets[i], reterr);
        if (r < 0)
            error_prefix(reterr, "domain '%s'", live->name);
    }
    return r;
}

/* ---- reservations of SCSI disks ---- */

/* A socket is handed over as systemd does it: with the number of the process, which only the
 * process knows. */
#define HAND_OVER "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\""

static int set_text(char **text, const char *value) {
    free(*text);
    *text = strdup(value);
    return *text ? 0 : -ENOMEM;
}

static int note_socket(StartParts *parts, StorageReservations *reservations, const char *socket) {
    char **at = array_append(&parts->reservations, &parts->n_reservations, sizeof(char *));

    return !at || set_text(at, socket) < 0 || set_text(&reservations->type, "unix") < 0 ||
                   set_text(&reservations->path, socket) < 0 ||
                   set_text(&reservations->mode, "client") < 0
               ? -ENOMEM
               : 0;
}

char *prepare_reservations_socket(const Domain *domain, const DiskDef *disk) {
    CLEANUP_FREE char *name = strf("pr-%s", disk->info.alias);

    return name ? domain_helper_socket(domain, name) : NULL;
}

int prepare_reservations(Domain *domain, DiskDef *disk, StartParts *parts, Error **reterr) {
    static const char *const programs[] = {"/usr/bin/qemu-pr-helper", "/usr/libexec/qemu-pr-helper",
                                           "/usr/lib/qemu/qemu-pr-helper", NULL};
    StorageReservations *reservations = disk->source.reservations;
    CLEANUP_FREE char *socket = NULL;
    const char *program;
    int r;

    if (!reservations || reservations->managed != TRISTATE_YES)
        return 0;
    socket = prepare_reservations_socket(domain, disk);
    if (!socket)
        return error_no_memory(reterr);
    if (find_program(programs, &program) < 0)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "domain '%s': the managed <reservations> of disk '%s' need "
                            "qemu-pr-helper, which is not installed (package qemu-system-common)",
                            domain_name(domain), disk->target);
    r = spawn(&(Helper){.domain = domain,
                        .alias = disk->info.alias,
                        .program = "qemu-pr-helper",
                        .socket = socket,
                        .argv = (char *[]){(char *)"/bin/sh", (char *)"-c", (char *)HAND_OVER,
                                           (char *)program, NULL}},
              reterr);
    if (r < 0)
        error_prefix(reterr, "domain '%s'", domain_name(domain));
    else if (note_socket(parts, reservations, socket) < 0)
        r = error_no_memory(reterr);
    return r;
}

int prepare_all_reservations(Domain *domain, StartParts *parts, Error **reterr) {
    DomainDef *live = domain->run->live;
    int r = 0;

    for (size_t i = 0; r >= 0 && i < live->n_disks; i++)
        r = prepare_reservations(domain, &live->disks[i], parts, reterr);
    return r;
}

/* ---- virtiofs ---- */

static bool memory_is_shared(const DomainDef *def) {
    bool all = def->cpu.n_cells > 0;

    for (size_t i = 0; i < def->cpu.n_cells; i++)
        all &= streq_ptr(def->cpu.cells[i].mem_access ? def->cpu.cells[i].mem_access
                                                      : def->memory_backing.access,
                         "shared");
    return all || (def->cpu.n_cells == 0 && streq_ptr(def->memory_backing.access, "shared"));
}

/* ",NAME" or ",no_NAME"; nothing when it is not said. */
static void put_switch(FILE *out, const char *name, Tristate value) {
    if (value != TRISTATE_ABSENT)
        fprintf(out, ",%s%s", value == TRISTATE_YES ? "" : "no_", name);
}

/* NULL: out of memory. */
static char *virtiofs_options(const FilesystemDef *fs) {
    char *text = NULL;
    FILE *out = text_open(&text);

    if (!out)
        return NULL;
    fprintf(out, "source=%s", fs->source);
    if (fs->cache_mode)
        fprintf(out, ",cache=%s", fs->cache_mode);
    if (fs->sandbox_mode)
        fprintf(out, ",sandbox=%s", fs->sandbox_mode);
    put_switch(out, "xattr", fs->xattr);
    put_switch(out, "flock", fs->flock);
    put_switch(out, "posix_lock", fs->posix);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

/* Who serves it opens it as root: -EACCES if a link of somebody else's is on the way. */
static int run_is_folder(void *arg) {
    CLEANUP_FREE char *path = path_join(arg, "");

    return path ? file_owner_check_way(path) : -ENOMEM;
}

/* It is run as root. */
static int check_program(const char *path, Error **reterr) {
    return *path == '/'
               ? path_check_owner_worker(path, "the <binary> of its <filesystem>", reterr)
               : error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                              "the <binary> '%s' of its <filesystem> has no absolute path", path);
}

static int check_virtiofs(const DomainDef *def, const FilesystemDef *fs, Error **reterr) {
    int r;

    if (!memory_is_shared(def))
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "virtiofs requires shared memory: <memoryBacking><source "
                            "type='memfd'/><access mode='shared'/></memoryBacking>");
    if (strchr(fs->source, ','))
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "virtiofsd cannot serve a folder with a comma in its path: '%s'",
                            fs->source);
    r = worker_run(run_is_folder, fs->source);
    if (r == -EACCES)
        return error_system(reterr, FROM_QEMU, r,
                            "the folder '%s' of its <filesystem> is not served, for a link on the "
                            "way may be somebody else's",
                            fs->source);
    if (r < 0)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "the folder '%s' of its <filesystem> is not there", fs->source);
    return fs->binary ? check_program(fs->binary, reterr) : 0;
}

static int start_virtiofs(Domain *domain, const FilesystemDef *fs, char **ret_socket,
                          Error **reterr) {
    static const char *const programs[] = {"/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd",
                                           "/usr/lib/virtiofsd", "/usr/bin/virtiofsd", NULL};
    const char *const own[] = {fs->binary, NULL};
    CLEANUP_FREE char *options = virtiofs_options(fs);
    CLEANUP_FREE char *pool = strf("--thread-pool-size=%u", fs->thread_pool_size);
    CLEANUP_FREE char *socket = domain_helper_socket(domain, fs->info.alias);
    const char *program;
    int r = check_virtiofs(domain->run->live, fs, reterr);

    if (r < 0)
        return r;
    if (!options || !pool || !socket)
        return error_no_memory(reterr);
    if (find_program(fs->binary ? own : programs, &program) < 0)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "its <filesystem> with virtiofs needs '%s', which is not there "
                            "(package qemu-system-common or virtiofsd)",
                            fs->binary ? fs->binary : "virtiofsd");
    r = spawn(&(Helper){.domain = domain,
                        .alias = fs->info.alias,
                        .program = "virtiofsd",
                        .socket = socket,
                        .argv = (char *[]){(char *)program, (char *)"--fd=3", (char *)"-o", options,
                                           fs->has_thread_pool_size ? pool : NULL, NULL}},
              reterr);
    if (r >= 0)
        *ret_socket = TAKE_PTR(socket);
    return r;
}

int prepare_filesystem(Domain *domain, const FilesystemDef *fs, char **ret_socket, Error **reterr) {
    int r = streq_ptr(fs->driver, "virtiofs") && !fs->socket
                ? start_virtiofs(domain, fs, ret_socket, reterr)
                : 0;

    if (r < 0)
        error_prefix(reterr, "domain '%s'", domain_name(domain));
    return r;
}

int prepare_filesystems(Domain *domain, StartParts *parts, Error **reterr) {
    const DomainDef *live = domain->run->live;
    int r = 0;

    parts->filesystems = calloc(live->n_filesystems + 1, sizeof(char *));
    if (!parts->filesystems)
        return error_no_memory(reterr);
    parts->n_filesystems = live->n_filesystems;
    parts->parts.filesystems = (const char *const *)parts->filesystems;
    for (size_t i = 0; r >= 0 && i < live->n_filesystems; i++)
        r = prepare_filesystem(domain, &live->filesystems[i], &parts->filesystems[i], reterr);
    return r;
}
