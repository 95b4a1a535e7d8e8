/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finds volumes. */
#include "volume.h"

#include "named.h"

int volume_find(Tool *tool, const Args *args, const char *text, const char *pool_option,
                Volume *ret) {
    const char *pool_name = args_has_option(args, pool_option) ? args_string(args, pool_option)
                                                               : NULL;
    remote_storage_vol_lookup_by_name_args by_name = {.name = (char *)text};
    remote_storage_vol_lookup_by_key_args by_key = {.key = (char *)text};
    remote_storage_vol_lookup_by_path_args by_path = {.path = (char *)text};
    remote_storage_vol_ret answer = {0};
    CLEANUP_NAMED Named pool = {0};
    CLEANUP_ERROR Error *error = NULL;
    int r = -ENOENT;

    if (pool_name) {
        if (named_find(tool, &named_pool, pool_name, &pool) < 0)
            return -EIO;
        by_name.pool = pool;
        r = CALL(tool, STORAGE_VOL_LOOKUP_BY_NAME, remote_storage_vol_lookup_by_name_args, &by_name,
                 remote_storage_vol_ret, &answer, NULL);
    }
    if (r < 0)
        r = CALL(tool, STORAGE_VOL_LOOKUP_BY_KEY, remote_storage_vol_lookup_by_key_args, &by_key,
                 remote_storage_vol_ret, &answer, NULL);
    if (r < 0)
        r = CALL(tool, STORAGE_VOL_LOOKUP_BY_PATH, remote_storage_vol_lookup_by_path_args, &by_path,
                 remote_storage_vol_ret, &answer, &error);
    if (r < 0)
        return pool_name ? tool_fail(error, "failed to get vol '%s'", text)
                         : tool_fail(error, "failed to get vol '%s', specifying --%s might help",
                                     text, pool_option);
    *ret = answer.vol;
    return 0;
}

int volume_lookup(Tool *tool, const Args *args, Volume *ret) {
    return volume_find(tool, args, args_string(args, "vol"), "pool", ret);
}

int volume_get_xml(Tool *tool, const Volume *vol, char **ret) {
    remote_storage_vol_flags_args call = {.vol = *vol};
    CLEANUP_ERROR Error *error = NULL;
    remote_xml_ret answer = {0};

    if (CALL(tool, STORAGE_VOL_GET_XML_DESC, remote_storage_vol_flags_args, &call, remote_xml_ret,
             &answer, &error) < 0)
        return tool_failed(error);
    *ret = answer.xml;
    return 0;
}
