/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* undefine, and the storage that goes with a domain. */
#include "named.h"
#include "tables.h"
#include "volume.h"
#include "xml-desc.h"

#define DELETE_WITH_SNAPSHOTS 2u /* VIR_STORAGE_VOL_DELETE_WITH_SNAPSHOTS */

/* A volume that shall go, and what the definition calls it. */
typedef struct Doomed {
    char *target, *source;
    Volume vol;
} Doomed;

typedef struct DoomedList {
    Doomed *list;
    size_t n;
} DoomedList;

static void doomed_list_done(DoomedList *doomed) {
    for (size_t i = 0; i < doomed->n; i++) {
        free(doomed->list[i].target);
        free(doomed->list[i].source);
        volume_done(&doomed->list[i].vol);
    }
    free(doomed->list);
}

/* ---- which ---- */

/* Of the words of --storage those that were no disk yet; a word that is found is emptied. */
static bool take_word(char **words, const char *target, const char *source) {
    bool found = false;

    for (; *words; words++)
        if (**words && (streq(*words, target) || streq(*words, source))) {
            **words = '\0';
            found = true;
        }
    return found;
}

static int find_volume(Tool *tool, const XmlView *view, xmlNode *disk, const char *source,
                       Volume *ret) {
    CLEANUP_FREE char *pool_name = xml_view_string(view, disk, "./source/@pool");
    remote_storage_vol_lookup_by_path_args by_path = {.path = (char *)source};
    remote_storage_vol_lookup_by_name_args by_name = {.name = (char *)source};
    remote_storage_vol_ret answer = {0};
    CLEANUP_NAMED Named pool = {0};
    int r;

    if (pool_name) {
        r = named_find(tool, &named_pool, pool_name, &pool);
        by_name.pool = pool;
        if (r >= 0)
            r = CALL(tool, STORAGE_VOL_LOOKUP_BY_NAME, remote_storage_vol_lookup_by_name_args,
                     &by_name, remote_storage_vol_ret, &answer, NULL);
    } else {
        r = CALL(tool, STORAGE_VOL_LOOKUP_BY_PATH, remote_storage_vol_lookup_by_path_args, &by_path,
                 remote_storage_vol_ret, &answer, NULL);
    }
    if (r >= 0)
        *ret = answer.vol;
    return r;
}

/* With --remove-all-storage all disks; a medium in a drive is a disk of its own right and goes only
 * when it is named. */
static void add_disk(Tool *tool, const XmlView *view, xmlNode *disk, char **words,
                     DoomedList *doomed) {
    CLEANUP_FREE char *device = xml_view_string(view, disk, "./@device");
    CLEANUP_FREE char *target = xml_view_string(view, disk, "./target/@dev");
    CLEANUP_FREE char *source = xml_view_string(
        view, disk, "./source/@file|./source/@dev|./source/@dir|./source/@name|./source/@volume");
    const bool drive = device && (streq(device, "cdrom") || streq(device, "floppy"));
    Doomed *to = &doomed->list[doomed->n];

    if (!target || !source || (words ? !take_word(words, target, source) : drive))
        return;
    if (find_volume(tool, view, disk, source, &to->vol) < 0) {
        tool_fail(NULL, "Storage volume '%s'(%s) is in no storage pool: remove it by hand", target,
                  source);
        return;
    }
    to->target = TAKE_PTR(target);
    to->source = TAKE_PTR(source);
    doomed->n++;
}

/* The texts between the commas of a copy, which the caller frees. */
static char **split(char *text) {
    size_t n = 1;
    char **words;

    for (const char *at = text; *at; at++)
        n += *at == ',';
    words = calloc(n + 1, sizeof(char *));
    if (!words)
        out_of_memory();
    for (n = 0; text; n++) {
        words[n] = text;
        text = strchr(text, ',');
        if (text)
            *text++ = '\0';
    }
    return words;
}

static int check_words(char *const *words) {
    for (; words && *words; words++)
        if (**words)
            return tool_fail(NULL, "Volume '%s' was not found in domain's definition.\n", *words);
    return 0;
}

static int collect(Tool *tool, const Args *args, const remote_domain *dom, DoomedList *doomed) {
    const char *storage = args_string(args, "storage");
    CLEANUP_FREE char *text = storage ? text_format("%s", storage) : NULL;
    CLEANUP_FREE char **words = text ? split(text) : NULL;
    CLEANUP(xml_nodes_freep) xmlXPathObject *disks = NULL;
    CLEANUP(xml_view_done) XmlView view = {0};
    int n;

    if (xml_view_domain(tool, dom, 0, &view) < 0)
        return -EIO;
    disks = xml_view_nodes(&view, "./devices/disk");
    n = disks ? disks->nodesetval->nodeNr : 0;
    doomed->list = calloc((size_t)n + 1, sizeof(Doomed));
    if (!doomed->list)
        out_of_memory();
    for (int i = 0; i < n; i++)
        add_disk(tool, &view, disks->nodesetval->nodeTab[i], words, doomed);
    return check_words(words);
}

/* ---- their end ---- */

static int wipe(Tool *tool, const Doomed *doomed) {
    remote_storage_vol_flags_args call = {.vol = doomed->vol};
    CLEANUP_ERROR Error *error = NULL;

    tool_say(tool, "Wiping volume '%s'(%s) ... ", doomed->target, doomed->source);
    fflush(stdout);
    if (CALL_VOID(tool, STORAGE_VOL_WIPE, remote_storage_vol_flags_args, &call, &error) < 0)
        return tool_fail(error, "Failed! Volume not removed.");
    tool_say(tool, "Done.\n");
    return 0;
}

static int remove_one(Tool *tool, const Args *args, const Doomed *doomed) {
    remote_storage_vol_flags_args call = {
        .vol = doomed->vol,
        .flags = args_has(args, "delete-storage-volume-snapshots") ? DELETE_WITH_SNAPSHOTS : 0};
    CLEANUP_ERROR Error *error = NULL;

    if (args_has(args, "wipe-storage") && wipe(tool, doomed) < 0)
        return -EIO;
    if (CALL_VOID(tool, STORAGE_VOL_DELETE, remote_storage_vol_flags_args, &call, &error) < 0)
        return tool_fail(error, "Failed to remove storage volume '%s'(%s)", doomed->target,
                         doomed->source);
    tool_say(tool, "Volume '%s'(%s) removed.\n", doomed->target, doomed->source);
    return 0;
}

/* ---- undefine ---- */

static int check_options(const Args *args) {
    const bool all = args_has(args, "remove-all-storage");

    if (tool_exclusive(args, "nvram", "keep-nvram") < 0 ||
        tool_exclusive(args, "tpm", "keep-tpm") < 0)
        return -EINVAL;
    if (all && args_has(args, "storage"))
        return tool_fail(NULL, "Specified both --storage and --remove-all-storage");
    if (args_has(args, "wipe-storage") && !args_has(args, "storage") && !all)
        return tool_fail(
            NULL, "'--wipe-storage' requires '--storage <string>' or '--remove-all-storage'");
    if (args_has(args, "delete-storage-volume-snapshots") && !all)
        return tool_fail(NULL, "Option --remove-all-storage is required by option "
                               "--delete-storage-volume-snapshots");
    return 0;
}

static unsigned flags_of(const Args *args) {
    return (args_has(args, "managed-save") ? UNDEFINE_MANAGED_SAVE : 0u) |
           (args_has(args, "snapshots-metadata") ? UNDEFINE_SNAPSHOTS_METADATA : 0u) |
           (args_has(args, "checkpoints-metadata") ? UNDEFINE_CHECKPOINTS_METADATA : 0u) |
           (args_has(args, "nvram") ? UNDEFINE_NVRAM : 0u) |
           (args_has(args, "keep-nvram") ? UNDEFINE_KEEP_NVRAM : 0u) |
           (args_has(args, "tpm") ? UNDEFINE_TPM : 0u) |
           (args_has(args, "keep-tpm") ? UNDEFINE_KEEP_TPM : 0u);
}

/* The volumes are looked up before, for the definition is gone then, and go after it: one that
 * cannot be undefined keeps them. */
static int cmd_undefine(Tool *tool, const Args *args) {
    const bool storage = args_has(args, "storage") || args_has(args, "remove-all-storage");
    CLEANUP(doomed_list_done) DoomedList doomed = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_domain_flags_args call;
    int r = 0;

    if (check_options(args) < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (storage && dom.id != -1)
        return tool_fail(NULL, "Storage volume deletion is supported only on stopped domains");
    if (storage && collect(tool, args, &dom, &doomed) < 0)
        return -EIO;
    call = (remote_domain_flags_args){.dom = dom, .flags = flags_of(args)};
    if (CALL_VOID(tool, DOMAIN_UNDEFINE_FLAGS, remote_domain_flags_args, &call, &error) < 0)
        return tool_fail(error, "Failed to undefine domain '%s'", dom.name);
    tool_say(tool, "Domain '%s' has been undefined\n", dom.name);
    for (size_t i = 0; i < doomed.n; i++)
        if (remove_one(tool, args, &doomed.list[i]) < 0)
            r = -EIO;
    return r;
}

/* ---- tables ---- */

static const Option undefine_options[] = {
    OPTION_DOMAIN,
    {"managed-save", OPTION_FLAG, false, "remove domain managed state file"},
    {"storage", OPTION_STRING, false,
     "remove these volumes, too: targets or sources, separated by commas", .named = true},
    {"remove-all-storage", OPTION_FLAG, false,
     "remove the volumes of all its disks, too; media in its drives stay"},
    {"delete-storage-volume-snapshots", OPTION_FLAG, false, "with the snapshots of the volumes"},
    {"wipe-storage", OPTION_FLAG, false, "overwrite the volumes before"},
    {"snapshots-metadata", OPTION_FLAG, false,
     "remove all domain snapshot metadata (vm must be inactive)"},
    {"checkpoints-metadata", OPTION_FLAG, false,
     "remove all domain checkpoint metadata (vm must be inactive)"},
    {"nvram", OPTION_FLAG, false, "remove nvram file"},
    {"keep-nvram", OPTION_FLAG, false, "keep nvram file"},
    {"tpm", OPTION_FLAG, false, "remove the TPM's state"},
    {"keep-tpm", OPTION_FLAG, false, "keep the TPM's state"},
    OPTION_END};

const Command commands_undefine[] = {
    {.name = "undefine",
     .help = "undefine a domain",
     .description = "Undefine an inactive domain, or convert persistent to transient.",
     .options = undefine_options,
     .run = cmd_undefine},
    {0}};
