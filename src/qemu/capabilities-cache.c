/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cache of what binaries can do: in memory, and in a file for each, so that a daemon's start
 * runs no QEMU. */
#include "qemu/capabilities-internal.h"

#include <sys/stat.h>

#include "util/file.h"
#include "util/log.h"
#include "util/path-owner.h"

typedef struct CacheEntry {
    struct CacheEntry *next;
    char *binary;
    QemuCaps *caps; /* NULL: not known yet */
    bool probing;
    FiberCond cond;
} CacheEntry;

struct QemuCapsCache {
    char *run_dir, *cache_dir; /* cache_dir: NULL: no files */
    unsigned n_probes;
    const QemuConfine *confine; /* of probes */
    CacheEntry *entries;
};

int qemu_caps_cache_new(const char *run_dir, const char *cache_dir, QemuCapsCache **ret) {
    QemuCapsCache *cache = calloc(1, sizeof(QemuCapsCache));

    assert(run_dir);
    if (!cache)
        return -ENOMEM;
    cache->run_dir = strdup(run_dir);
    cache->cache_dir = cache_dir ? strdup(cache_dir) : NULL;
    if (!cache->run_dir || (cache_dir && !cache->cache_dir)) {
        qemu_caps_cache_free(cache);
        return -ENOMEM;
    }
    *ret = cache;
    return 0;
}

void qemu_caps_cache_free(QemuCapsCache *cache) {
    while (cache->entries) {
        CacheEntry *entry = cache->entries;

        cache->entries = entry->next;
        qemu_caps_unref(entry->caps);
        fiber_cond_done(&entry->cond);
        free(entry->binary);
        free(entry);
    }
    free(cache->run_dir);
    free(cache->cache_dir);
    free(cache);
}

void qemu_caps_cache_confine(QemuCapsCache *cache, const QemuConfine *confine) {
    cache->confine = confine;
}

static CacheEntry *find(QemuCapsCache *cache, const char *binary) {
    CacheEntry *entry;

    for (entry = cache->entries; entry && !streq(entry->binary, binary); entry = entry->next)
        ;
    if (entry)
        return entry;
    entry = calloc(1, sizeof(CacheEntry));
    if (entry)
        entry->binary = strdup(binary);
    if (!entry || !entry->binary) {
        free(entry);
        return NULL;
    }
    entry->next = cache->entries;
    cache->entries = entry;
    return entry;
}

static bool is_fresh(const QemuCaps *caps, const struct stat *info) {
    return caps && caps->binary_size == info->st_size &&
           caps->binary_mtime.tv_sec == info->st_mtim.tv_sec &&
           caps->binary_mtime.tv_nsec == info->st_mtim.tv_nsec;
}

/* "/usr/bin/qemu" as "CACHE/usr-bin-qemu.json"; two binaries that share a name take turns. */
static char *file_path(const QemuCapsCache *cache, const char *binary) {
    char *path = strf("%s/%s.json", cache->cache_dir, binary + (*binary == '/'));

    for (char *at = path ? path + strlen(cache->cache_dir) + 1 : NULL; at && *at; at++)
        if (*at == '/')
            *at = '-';
    return path;
}

static QemuCaps *caps_new(const char *binary, const struct stat *info) {
    QemuCaps *caps = calloc(1, sizeof(QemuCaps));

    if (!caps)
        return NULL;
    *caps = (QemuCaps){.n_refs = 1,
                       .binary = strdup(binary),
                       .binary_size = info->st_size,
                       .binary_mtime = info->st_mtim};
    if (caps->binary)
        return caps;
    qemu_caps_unref(caps);
    return NULL;
}

/* NULL: there is none, or of another binary. */
static QemuCaps *load(QemuCapsCache *cache, const char *binary, const struct stat *info) {
    CLEANUP_FREE char *path = cache->cache_dir ? file_path(cache, binary) : NULL;
    CLEANUP(qemu_caps_unrefp) QemuCaps *caps = path ? caps_new(binary, info) : NULL;

    return caps && qemu_caps_load(path, caps) >= 0 ? TAKE_PTR(caps) : NULL;
}

static int ask(QemuCapsCache *cache, const char *binary, const struct stat *info, QemuCaps **ret,
               Error **reterr) {
    CLEANUP(qemu_caps_unrefp) QemuCaps *caps = caps_new(binary, info);
    CLEANUP_FREE char *path = cache->cache_dir ? file_path(cache, binary) : NULL;
    int r;

    if (!caps)
        return error_no_memory(reterr);
    r = qemu_caps_probe(cache->run_dir, ++cache->n_probes, cache->confine, caps, reterr);
    if (r < 0)
        return r;
    r = path ? qemu_caps_save(path, caps) : 0;
    if (r < 0)
        log_debug("the capabilities of '%s' are not kept, ignoring: %s", binary, strerror(-r));
    *ret = TAKE_PTR(caps);
    return 0;
}

int qemu_caps_talk(QemuCapsCache *cache, const char *binary, const char *accel, QemuTalk func,
                   void *userdata, Error **reterr) {
    const QemuProbe probe = {.run_dir = cache->run_dir,
                             .number = ++cache->n_probes,
                             .confine = cache->confine,
                             .binary = binary,
                             .accel = accel};

    return qemu_probe_talk(&probe, func, userdata, reterr);
}

static int find_out(QemuCapsCache *cache, CacheEntry *entry, const struct stat *info,
                    Error **reterr) {
    QemuCaps *caps;
    int r = 0;

    entry->probing = true;
    caps = load(cache, entry->binary, info);
    if (!caps)
        r = ask(cache, entry->binary, info, &caps, reterr);
    entry->probing = false;
    fiber_cond_broadcast(&entry->cond);
    if (r < 0)
        return r;
    qemu_caps_unref(entry->caps);
    entry->caps = caps;
    return 0;
}

/* VIREOD_KVM names another file than /dev/kvm: for simulated QEMUs, which need none. */
static bool kvm_can_be_used(void) {
    const char *path = getenv("VIREOD_KVM");

    return access(path ? path : "/dev/kvm", R_OK | W_OK) == 0;
}

int qemu_caps_get(QemuCapsCache *cache, const char *binary, QemuCaps **ret, Error **reterr) {
    CacheEntry *entry;
    struct stat info;
    int r;

    assert(cache && binary && ret);
    if (stat(binary, &info) < 0 || access(binary, X_OK) < 0)
        return error_system(reterr, FROM_QEMU, errno, "cannot run the emulator '%s'", binary);
    if (*binary != '/')
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "the emulator '%s' is no absolute path", binary);
    r = path_check_owner(binary, "the emulator", reterr);
    if (r < 0)
        return r;
    entry = find(cache, binary);
    if (!entry)
        return error_no_memory(reterr);
    while (entry->probing)
        fiber_cond_wait(&entry->cond, USEC_FOREVER);
    r = is_fresh(entry->caps, &info) ? 0 : find_out(cache, entry, &info, reterr);
    if (r < 0)
        return r;
    entry->caps->kvm = entry->caps->has_kvm && kvm_can_be_used();
    *ret = qemu_caps_ref(entry->caps);
    return 0;
}
