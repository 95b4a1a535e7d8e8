/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/label-models.h"

#include "driver/label-apparmor.h"
#include "driver/label-selinux.h"
#include "util/file.h"

static const LabelModel *const models[] = {&label_apparmor, &label_selinux};

const LabelModel *label_models_find(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(models); i++)
        if (streq_ptr(models[i]->name, name))
            return models[i];
    return NULL;
}

/* Whether the host runs its module, and it can be used; else why not. */
static int try(const LabelModel *model, const char *run, Error **reterr) {
    const char *name = security_module_name(model->module);

    if (!model->is_on())
        return error_report(reterr, FROM_NONE, ERROR_CONFIG_UNSUPPORTED, "the host does not run %s",
                            name);
    if (geteuid() != 0)
        return error_report(reterr, FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
                            "only root gives labels of %s", name);
    return model->try(run, reterr);
}

static int choose_named(const char *setting, const char *run, const LabelModel **ret,
                        Error **reterr) {
    const LabelModel *model = label_models_find(setting);
    CLEANUP_ERROR Error *error = NULL;

    if (!model)
        return error_report(reterr, FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
                            "there is no security driver '%s' (the setting 'security_driver')",
                            setting);
    if (try(model, run, &error) < 0)
        return error_report(reterr, FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
                            "the security driver '%s' (the setting 'security_driver') cannot be "
                            "used: %s",
                            setting, error_message(error));
    *ret = model;
    return 0;
}

int label_models_choose(const char *setting, const char *run, const LabelModel **ret,
                        char **ret_why, Error **reterr) {
    *ret = NULL;
    *ret_why = NULL;
    if (streq(setting, "none"))
        return 0;
    if (!streq(setting, "auto"))
        return choose_named(setting, run, ret, reterr);
    for (size_t i = 0; i < ARRAY_SIZE(models) && !*ret; i++) {
        CLEANUP_ERROR Error *error = NULL;

        if (!models[i]->is_on())
            continue;
        if (models[i]->asked_for) {
            *ret_why = strf("those of %s are given where 'security_driver = %s' is set",
                            security_module_name(models[i]->module), models[i]->name);
            if (!*ret_why)
                return error_no_memory(reterr);
            continue;
        }
        if (try(models[i], run, &error) >= 0)
            *ret = models[i];
        else if (!*ret_why && !(*ret_why = strdup(error_message(error))))
            return error_no_memory(reterr);
    }
    return 0;
}
