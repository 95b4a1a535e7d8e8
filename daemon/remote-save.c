/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guests saved and restored, and core dumps. */
#include "daemon.h"
#include "driver/save.h"
#include "params.h"

#define SAVE_FLAGS (SAVE_BYPASS_CACHE | SAVE_RUNNING | SAVE_PAUSED)
#define RESTORE_FLAGS (SAVE_FLAGS | SAVE_RESET_NVRAM)
#define DUMP_FLAGS 31 /* CRASH, LIVE, BYPASS_CACHE, RESET, MEMORY_ONLY */

/* ---- save and restore ---- */

DOMAIN_FUNC(save, remote_domain_save_args, void) {
    return driver_save(domain, args->to, NULL, 0, reterr);
}

DOMAIN_FUNC(save_flags, remote_domain_save_flags_args, void) {
    return driver_save(domain, args->to, dispatch_opt(args->dxml), args->flags, reterr);
}

/* The parameters of save and restore. */
enum { PARAM_FILE, PARAM_XML, PARAM_FORMAT, PARAM_CHANNELS, N_PARAMS };

static int read_params(const remote_typed_param *list, size_t n, const char **ret_file,
                       const char **ret_xml, Error **reterr) {
    static const ParamRule rules[N_PARAMS] = {[PARAM_FILE] = {"file", PARAM_STRING},
                                              [PARAM_XML] = {"dxml", PARAM_STRING},
                                              [PARAM_FORMAT] = {"image_format", PARAM_STRING},
                                              [PARAM_CHANNELS] = {"parallel.channels", PARAM_INT}};
    const remote_typed_param *at[N_PARAMS];
    int r = params_check(list, n, rules, N_PARAMS, at, reterr);

    if (r < 0)
        return r;
    if (at[PARAM_FORMAT] && !streq(at[PARAM_FORMAT]->value.remote_param_value_u.s, "raw"))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "saved guests have the image format 'raw' only");
    if (at[PARAM_CHANNELS])
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "guests are saved over one channel only");
    *ret_file = at[PARAM_FILE] ? at[PARAM_FILE]->value.remote_param_value_u.s : NULL;
    *ret_xml = at[PARAM_XML] ? at[PARAM_XML]->value.remote_param_value_u.s : NULL;
    return 0;
}

/* Without a file it is the managed save. */
DOMAIN_FUNC(save_params, remote_domain_save_params_args, void) {
    const char *file = NULL, *xml = NULL;
    int r = read_params(args->params.params_val, args->params.params_len, &file, &xml, reterr);

    if (r < 0)
        return r;
    if (file)
        return driver_save(domain, file, xml, args->flags, reterr);
    return xml ? error_report(reterr, FROM_QEMU, ERROR_ARGUMENT_UNSUPPORTED,
                              "a managed save keeps the definition that runs; name a file to save "
                              "it with another")
               : driver_managed_save(domain, args->flags, reterr);
}

DOMAIN_FUNC(managed_save, remote_domain_flags_args, void) {
    return driver_managed_save(domain, args->flags, reterr);
}

DOMAIN_FUNC(has_managed_save, remote_domain_flags_args, remote_int_ret) {
    ret->value = driver_has_managed_save(domain);
    return 0;
}

DOMAIN_FUNC(managed_save_remove, remote_domain_flags_args, void) {
    return driver_managed_save_remove(domain, reterr);
}

DOMAIN_FUNC(managed_save_xml, remote_domain_flags_args, remote_domain_get_xml_desc_ret) {
    CLEANUP_FREE char *path = NULL;
    int r = driver_managed_save_find(domain, &path, reterr);

    return r < 0 ? r : driver_save_image_xml(path, args->flags, &ret->xml, reterr);
}

DOMAIN_FUNC(managed_save_define, remote_domain_managed_save_define_xml_args, void) {
    CLEANUP_FREE char *path = NULL;
    int r = driver_managed_save_find(domain, &path, reterr);

    return r < 0 ? r
                 : driver_save_image_define(domain->services, path, dispatch_opt(args->dxml),
                                            args->flags, reterr);
}

HANDLER(restore) {
    remote_domain_restore_args *args = args_;

    return driver_restore(driver_of(session), args->from, NULL, 0, reterr);
}

HANDLER(restore_flags) {
    remote_domain_restore_flags_args *args = args_;
    int r = dispatch_flags(args->flags, RESTORE_FLAGS, call->proc->api, reterr);

    return r < 0 ? r
                 : driver_restore(driver_of(session), args->from, dispatch_opt(args->dxml),
                                  args->flags, reterr);
}

HANDLER(restore_params) {
    remote_domain_restore_params_args *args = args_;
    const char *file = NULL, *xml = NULL;
    int r = dispatch_flags(args->flags, RESTORE_FLAGS, call->proc->api, reterr);

    if (r >= 0)
        r = read_params(args->params.params_val, args->params.params_len, &file, &xml, reterr);
    if (r >= 0 && !file)
        r = error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "missing 'file' parameter");
    return r < 0 ? r : driver_restore(driver_of(session), file, xml, args->flags, reterr);
}

HANDLER(image_xml) {
    remote_domain_save_image_get_xml_desc_args *args = args_;
    remote_domain_get_xml_desc_ret *ret = ret_;
    int r = dispatch_flags(args->flags, XML_SECURE, call->proc->api, reterr);

    return r < 0 ? r : driver_save_image_xml(args->file, args->flags, &ret->xml, reterr);
}

HANDLER(image_define) {
    remote_domain_save_image_define_xml_args *args = args_;
    int r = dispatch_flags(args->flags, SAVE_RUNNING | SAVE_PAUSED, call->proc->api, reterr);

    return r < 0 ? r
                 : driver_save_image_define(&driver_of(session)->services, args->file, args->dxml,
                                            args->flags, reterr);
}

/* ---- core dumps ---- */

DOMAIN_FUNC(core_dump, remote_domain_core_dump_args, void) {
    return driver_core_dump(domain, args->to, 0, args->flags, reterr);
}

DOMAIN_FUNC(core_dump_with_format, remote_domain_core_dump_with_format_args, void) {
    return driver_core_dump(domain, args->to, args->dumpformat, args->flags, reterr);
}

const RpcProc save_procs[] = {
    PLAIN_ROW(DOMAIN_SAVE, "DomainSave", RPC_PROC_WRITE, save, remote_domain_save_args, NO_XDR),
    FLAGS_ROW(DOMAIN_SAVE_FLAGS, "DomainSaveFlags", RPC_PROC_WRITE, save_flags, SAVE_FLAGS,
              remote_domain_save_flags_args, NO_XDR),
    FLAGS_ROW(DOMAIN_SAVE_PARAMS, "DomainSaveParams", RPC_PROC_WRITE, save_params, SAVE_FLAGS,
              remote_domain_save_params_args, NO_XDR),
    FLAGS_ROW(DOMAIN_MANAGED_SAVE, "DomainManagedSave", RPC_PROC_WRITE, managed_save, SAVE_FLAGS,
              remote_domain_flags_args, NO_XDR),
    FLAGS_ROW(DOMAIN_HAS_MANAGED_SAVE_IMAGE, "DomainHasManagedSaveImage", 0, has_managed_save, 0,
              remote_domain_flags_args, XDR_OF(remote_int_ret)),
    FLAGS_ROW(DOMAIN_MANAGED_SAVE_REMOVE, "DomainManagedSaveRemove", RPC_PROC_WRITE,
              managed_save_remove, 0, remote_domain_flags_args, NO_XDR),
    FLAGS_ROW(DOMAIN_MANAGED_SAVE_GET_XML_DESC, "DomainManagedSaveGetXMLDesc", RPC_PROC_WRITE,
              managed_save_xml, XML_SECURE, remote_domain_flags_args,
              XDR_OF(remote_domain_get_xml_desc_ret)),
    FLAGS_ROW(DOMAIN_MANAGED_SAVE_DEFINE_XML, "DomainManagedSaveDefineXML", RPC_PROC_WRITE,
              managed_save_define, SAVE_RUNNING | SAVE_PAUSED,
              remote_domain_managed_save_define_xml_args, NO_XDR),
    {REMOTE_PROC_DOMAIN_RESTORE, "virDomainRestore", RPC_PROC_WRITE, restore,
     XDR_OF(remote_domain_restore_args), NO_XDR},
    {REMOTE_PROC_DOMAIN_RESTORE_FLAGS, "virDomainRestoreFlags", RPC_PROC_WRITE, restore_flags,
     XDR_OF(remote_domain_restore_flags_args), NO_XDR},
    {REMOTE_PROC_DOMAIN_RESTORE_PARAMS, "virDomainRestoreParams", RPC_PROC_WRITE, restore_params,
     XDR_OF(remote_domain_restore_params_args), NO_XDR},
    {REMOTE_PROC_DOMAIN_SAVE_IMAGE_GET_XML_DESC, "virDomainSaveImageGetXMLDesc", RPC_PROC_WRITE,
     image_xml, XDR_OF(remote_domain_save_image_get_xml_desc_args),
     XDR_OF(remote_domain_get_xml_desc_ret)},
    {REMOTE_PROC_DOMAIN_SAVE_IMAGE_DEFINE_XML, "virDomainSaveImageDefineXML", RPC_PROC_WRITE,
     image_define, XDR_OF(remote_domain_save_image_define_xml_args), NO_XDR},
    FLAGS_ROW(DOMAIN_CORE_DUMP, "DomainCoreDump", RPC_PROC_WRITE, core_dump, DUMP_FLAGS,
              remote_domain_core_dump_args, NO_XDR),
    FLAGS_ROW(DOMAIN_CORE_DUMP_WITH_FORMAT, "DomainCoreDumpWithFormat", RPC_PROC_WRITE,
              core_dump_with_format, DUMP_FLAGS, remote_domain_core_dump_with_format_args, NO_XDR),
};
const size_t save_n_procs = ARRAY_SIZE(save_procs);
