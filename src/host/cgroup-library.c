/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libcgroup. */
#include "host/cgroup-library.h"

#include <libcgroup.h>
#include <link.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "util/log.h"
#include "util/text.h"

static int is_ready = -1; /* what cgroup_init said; -1: not asked yet */

static void on_log(void *userdata, int level, const char *format, va_list arguments) {
    char text[512];

    vsnprintf(text, sizeof(text), format, arguments);
    text[strcspn(text, "\n")] = '\0';
    log_debug("libcgroup: %s", text);
}

/* Gives the kernel back the pages from `begin` to `end` that hold nothing but zeros. */
static void drop_zeros(uintptr_t begin, uintptr_t end, uintptr_t page) {
    for (uintptr_t at = begin; at + page <= end; at += page) {
        const char *bytes = (const char *)at;

        if (bytes[0] == 0 && memcmp(bytes, bytes + 1, page - 1) == 0)
            madvise((void *)at, page, MADV_DONTNEED);
    }
}

static int drop_zeros_of(struct dl_phdr_info *object, size_t size, void *userdata) {
    const uintptr_t page = sysconf(_SC_PAGESIZE);

    if (!strstr(object->dlpi_name, "/libcgroup.so"))
        return 0;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        uintptr_t begin = object->dlpi_addr + segment->p_vaddr;

        if (segment->p_type == PT_LOAD && segment->p_flags & PF_W)
            drop_zeros((begin + segment->p_filesz + page - 1) & ~(page - 1),
                       begin + segment->p_memsz, page);
    }
    return 1;
}

/* Its mount table is the process's, and is written by this call only. The table has room for a
 * hundred mounts and namespaces of PATH_MAX each, which cgroup_init fills with zeros: 0.8 MB that
 * are read as zeros without memory, too. */
static bool init(void) {
    if (is_ready < 0) {
        cgroup_set_logger(on_log, CGROUP_LOG_ERROR, NULL);
        is_ready = cgroup_init();
        dl_iterate_phdr(drop_zeros_of, NULL);
    }
    return is_ready == 0;
}

static int version_at(const char *mount_point) {
    struct statfs info;

    return statfs(mount_point, &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC ? 2 : 1;
}

static bool is_read_only(const char *mount_point) {
    struct statvfs info;

    return statvfs(mount_point, &info) < 0 || info.f_flag & ST_RDONLY;
}

/* Of several mounts of one hierarchy (a read-only copy in a container's tree) the first that can be
 * written. */
static bool find_mount(const char *controller, char path[FILENAME_MAX]) {
    char each[FILENAME_MAX] = "";
    void *handle = NULL;
    bool found = false;

    for (int r = cgroup_get_subsys_mount_point_begin(controller, &handle, each); r == 0;
         r = cgroup_get_subsys_mount_point_next(&handle, each)) {
        if (found && (!is_read_only(path) || is_read_only(each)))
            continue;
        memcpy(path, each, sizeof(each));
        found = true;
    }
    cgroup_get_subsys_mount_point_end(&handle);
    return found;
}

/* Every group of v2 counts time, under no controller's name. */
static bool find_v2(char path[FILENAME_MAX]) {
    struct cgroup_mount_point each;
    void *handle = NULL;
    bool found = false;

    for (int r = cgroup_get_controller_begin(&handle, &each); r == 0 && !found;
         r = cgroup_get_controller_next(&handle, &each))
        if (version_at(each.path) == 2) {
            memcpy(path, each.path, sizeof(each.path));
            found = true;
        }
    cgroup_get_controller_end(&handle);
    return found;
}

int cgroup_library_mounts(CgroupMount ret[CGROUP_MOUNTS_MAX], size_t *ret_n) {
    size_t n = 0;

    *ret_n = 0;
    if (!init())
        return 0;
    for (CgroupController c = 0; c < CGROUP_CONTROLLER_MAX; c++) {
        char path[FILENAME_MAX];
        size_t i = 0;

        if (!find_mount(cgroup_controller_name(c), path) && !(c == CGROUP_CPUACCT && find_v2(path)))
            continue;
        while (i < n && !streq(ret[i].mount_point, path))
            i++;
        if (i == n) {
            ret[n] = (CgroupMount){.mount_point = strdup(path),
                                   .version = version_at(path),
                                   .read_only = is_read_only(path)};
            if (!ret[n].mount_point)
                return -ENOMEM;
            *ret_n = ++n;
        }
        ret[i].controllers |= CGROUP_BIT(c);
    }
    return 0;
}

/* ---- groups ---- */

/* v2 has no controller of CPU time: such a hierarchy alone is not libcgroup's to walk. */
static struct cgroup *group_of(const CgroupHierarchy *hierarchy, const char *path) {
    struct cgroup *group = *path ? cgroup_new_cgroup(path) : NULL;
    bool any = false;

    for (CgroupController c = 0; group && c < CGROUP_CONTROLLER_MAX; c++)
        if (hierarchy->controllers & CGROUP_BIT(c) &&
            !(hierarchy->ops->version == 2 && c == CGROUP_CPUACCT))
            any |= cgroup_add_controller(group, cgroup_controller_name(c)) != NULL;
    if (group && !any)
        cgroup_free(&group);
    return group;
}

bool cgroup_library_make(const CgroupHierarchy *hierarchy, const char *path) {
    struct cgroup *group = group_of(hierarchy, path);
    bool made = group && cgroup_create_cgroup(group, 1) == 0;

    cgroup_free(&group);
    return made;
}

void cgroup_library_delete(const CgroupHierarchy *hierarchy, const char *path) {
    struct cgroup *group = group_of(hierarchy, path);

    if (group)
        cgroup_delete_cgroup_ext(group, CGFLAG_DELETE_EMPTY_ONLY);
    cgroup_free(&group);
}

bool cgroup_library_stat(const char *controller, const char *path, char **ret) {
    CLEANUP_FREE char *text = NULL;
    struct cgroup_stat each;
    void *handle = NULL;
    FILE *out = text_open(&text);
    int n = 0;

    if (!out)
        return false;
    for (int r = cgroup_read_stats_begin(controller, path, &handle, &each); r == 0;
         r = cgroup_read_stats_next(&handle, &each), n++)
        fprintf(out, "%s %.*s\n", each.name, (int)strcspn(each.value, "\n"), each.value);
    cgroup_read_stats_end(&handle);
    if (fclose(out) != 0 || n == 0)
        return false;
    *ret = TAKE_PTR(text);
    return true;
}
