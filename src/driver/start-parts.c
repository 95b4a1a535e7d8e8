/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/start-parts.h"

#include "util/file.h"

/* ---- descriptors ---- */

int start_parts_add_fd(StartParts *parts, int fd) {
    int *fds = parts->n_fds < QEMU_FDS_MAX ? realloc(parts->fds, (parts->n_fds + 1) * sizeof(int))
                                           : NULL;

    if (!fds) {
        close(fd);
        return parts->n_fds < QEMU_FDS_MAX ? -ENOMEM : -EMFILE;
    }
    parts->fds = fds;
    fds[parts->n_fds] = fd;
    return QEMU_FIRST_FD + (int)parts->n_fds++;
}

static void free_texts(char **texts, size_t n) {
    for (size_t i = 0; texts && i < n; i++)
        free(texts[i]);
    free(texts);
}

void start_parts_done(StartParts *parts) {
    while (parts->n_fds > 0)
        close(parts->fds[--parts->n_fds]);
    free(parts->fds);
    free(parts->taps);
    while (parts->n_secrets > 0)
        free(parts->secrets[--parts->n_secrets].id);
    free(parts->secrets);
    free_texts(parts->tpm_sockets, parts->n_tpms);
    free_texts(parts->filesystems, parts->n_filesystems);
    free_texts(parts->reservations, parts->n_reservations);
    if (parts->sysinfo) {
        element_done(&sysinfo_element, parts->sysinfo);
        free(parts->sysinfo);
    }
    for (char **at = parts->environment; at && *at; at++)
        free(*at);
    free(parts->environment);
    confine_plan_done(&parts->confine);
    *parts = (StartParts){0};
}

/* ---- the note ---- */

char *start_parts_note_path(const ServicePaths *paths, const uint8_t uuid[16]) {
    char text[UUID_TEXT_SIZE];

    uuid_format(uuid, text);
    return strf("%s/made/%s.json", paths->run, text);
}

int start_parts_note(Domain *domain, const Made *made, Error **reterr) {
    CLEANUP_FREE char *directory = path_join(domain->services->paths.run, "made");
    CLEANUP_FREE char *path = start_parts_note_path(&domain->services->paths,
                                                    domain->run->live->uuid);
    int r;

    if (!directory || !path)
        return error_no_memory(reterr);
    r = dir_make(directory, 0711);
    return r < 0 ? error_system(reterr, FROM_QEMU, r, "cannot make '%s'", directory)
                 : made_add(path, made, reterr);
}
