/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/native.h"

#include "conf/domain-validate-define.h"
#include "domain/files.h"
#include "driver/definition-fill.h"
#include "driver/definition.h"
#include "driver/prepare-firmware.h"
#include "qemu/argv.h"
#include "qemu/native.h"
#include "util/file.h"
#include "util/worker.h"

typedef struct Work {
    DomainDef *def;
    const QemuCaps *caps;
    NativePaths paths;
    char **argv;
    Error **reterr;
} Work;

static int run_argv(void *arg) {
    Work *work = arg;

    return qemu_native_argv(work->def, work->caps, &work->paths, &work->argv, work->reterr);
}

/* "NAME=VALUE", of whose value a shell makes one word. */
static int add_variable(ArgvBuilder *words, const char *name, const char *value) {
    CLEANUP_FREE char *text = strf("%s=%s", name, value ? value : "");

    if (!text)
        return -ENOMEM;
    argv_add(words, text);
    return words->failed ? -ENOMEM : 0;
}

static char *format(const DomainDef *def, char *const *argv) {
    ArgvBuilder words = {0};
    char *text = NULL;
    int r = 0;

    if (def->clock == CLOCK_TIMEZONE)
        r = add_variable(&words, "TZ", def->clock_details.timezone);
    for (size_t i = 0; r >= 0 && i < def->qemu.n_envs; i++)
        r = add_variable(&words, def->qemu.envs[i].name, def->qemu.envs[i].value);
    for (size_t i = 0; argv[i]; i++)
        argv_add(&words, argv[i]);
    if (r >= 0 && !words.failed)
        text = qemu_argv_format(words.argv);
    qemu_argv_free(words.argv);
    return text;
}

static int make_argv(const Services *services, DomainDef *def, char **ret, Error **reterr) {
    CLEANUP(qemu_caps_unrefp) QemuCaps *caps = NULL;
    CLEANUP_FREE char *channels = domain_channel_directory(&services->paths);
    CLEANUP_FREE char *nvram = prepare_nvram_directory(&services->paths);
    CLEANUP_FREE char *helpers = path_join(services->paths.run, "made");
    Work work = {.def = def,
                 .paths = {channels, nvram, helpers, services->settings.spice_tls},
                 .reterr = reterr};
    int r;

    if (!channels || !nvram || !helpers)
        return error_no_memory(reterr);
    r = qemu_caps_get(services->caps, def->emulator, &caps, reterr);
    if (r < 0)
        return r;
    work.caps = caps;
    r = worker_run(run_argv, &work);
    if (r >= 0) {
        *ret = format(def, work.argv);
        r = *ret ? 0 : error_no_memory(reterr);
    }
    qemu_argv_free(work.argv);
    return r;
}

int driver_native(Driver *driver, const char *xml, char **ret, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    int r = definition_parse(xml, &def, reterr);

    if (r >= 0)
        r = definition_fill(&driver->services, def, reterr);
    if (r >= 0)
        r = domain_validate_define(def, reterr);
    if (r >= 0)
        r = domain_def_check_start(def, reterr);
    return r < 0 ? r : make_argv(&driver->services, def, ret, reterr);
}
