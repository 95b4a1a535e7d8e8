/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/keep.h"

#include <ftw.h>

#include "driver/prepare-firmware.h"
#include "driver/prepare-helper.h"
#include "util/directory.h"
#include "util/file.h"
#include "util/libvirt-numbers.h"
#include "util/log.h"
#include "util/worker.h"

#define TREE_FDS 8 /* that nftw(3) uses */

/* NULL when there is no such file. */
static char *find_variables(const ServicePaths *paths, const DomainDef *def) {
    CLEANUP_FREE char *directory = prepare_nvram_directory(paths), *path = NULL;

    if (def->os.nvram.path)
        path = strdup(def->os.nvram.path);
    else if (directory && streq_ptr(def->os.firmware, "efi"))
        path = strf("%s/%s_VARS.fd", directory, def->name);
    return path && access(path, F_OK) == 0 ? TAKE_PTR(path) : NULL;
}

int keep_check(const ServicePaths *paths, const DomainDef *def, unsigned flags, Error **reterr) {
    CLEANUP_FREE char *variables = NULL;

    if ((flags & UNDEFINE_NVRAM && flags & UNDEFINE_KEEP_NVRAM) ||
        (flags & UNDEFINE_TPM && flags & UNDEFINE_KEEP_TPM))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "the nvram or the TPM's state can be kept or removed, not both");
    if (flags & (UNDEFINE_NVRAM | UNDEFINE_KEEP_NVRAM))
        return 0;
    variables = find_variables(paths, def);
    return variables ? error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                                    "cannot undefine domain with nvram: '%s' of domain '%s' is to "
                                    "be removed (--nvram) or kept (--keep-nvram)",
                                    variables, def->name)
                     : 0;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where) {
    return remove(path);
}

static int run_remove_tree(void *arg) {
    return nftw(arg, remove_one, TREE_FDS, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT ? -errno
                                                                                        : 0;
}

static bool keeps_tpm(const DomainDef *def, unsigned flags) {
    bool persistent = false;

    for (size_t i = 0; i < def->n_tpms; i++)
        persistent |= def->tpms[i].persistent_state == TRISTATE_YES;
    return flags & UNDEFINE_KEEP_TPM || (persistent && !(flags & UNDEFINE_TPM));
}

void keep_remove(const ServicePaths *paths, const DomainDef *def, unsigned flags) {
    CLEANUP_FREE char *variables = find_variables(paths, def);
    CLEANUP_FREE char *tpm = prepare_tpm_directory(paths, def->uuid);
    int r;

    r = variables && flags & UNDEFINE_NVRAM ? file_remove_worker(variables) : 0;
    if (r < 0)
        log_warning("'%s' cannot be removed, ignoring: %s", variables, strerror(-r));
    if (!tpm || keeps_tpm(def, flags))
        return;
    r = worker_run(run_remove_tree, tpm);
    if (r < 0)
        log_warning("'%s' cannot be removed, ignoring: %s", tpm, strerror(-r));
}
