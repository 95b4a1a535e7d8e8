/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices of any kind, by their XML or alias. */
#include "device.h"
#include "tables.h"

#define MODIFY_FORCE 4u /* VIR_DOMAIN_DEVICE_MODIFY_FORCE */

static int change_from_file(Tool *tool, const Args *args, DeviceChange change, const char *verb,
                            const char *done) {
    const char *path = args_string(args, "file");
    CLEANUP_FREE char *xml = NULL, *what = text_format("%s device from %s", verb, path);
    CLEANUP_DOMAIN remote_domain dom = {0};
    DeviceScope scope = {0};

    if (tool_domain(tool, args, &dom) < 0 || device_scope(args, &dom, &scope) < 0 ||
        tool_read_file(path, &xml) < 0)
        return -EIO;
    scope.flags |= args_has_option(args, "force") ? MODIFY_FORCE : 0;
    return device_change(tool, args, &dom, change, &scope, xml, what, done);
}

static int cmd_attach_device(Tool *tool, const Args *args) {
    return change_from_file(tool, args, DEVICE_ATTACH, "attach", "Device attached successfully");
}

static int cmd_detach_device(Tool *tool, const Args *args) {
    return change_from_file(tool, args, DEVICE_DETACH, "detach", "Device detached successfully");
}

static int cmd_update_device(Tool *tool, const Args *args) {
    return change_from_file(tool, args, DEVICE_UPDATE, "update", "Device updated successfully");
}

static int cmd_detach_device_alias(Tool *tool, const Args *args) {
    remote_domain_detach_device_alias_args call = {.alias = (char *)args_string(args, "alias")};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (tool_affect_flags(args, &call.flags) < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL_VOID(tool, DOMAIN_DETACH_DEVICE_ALIAS, remote_domain_detach_device_alias_args, &call,
                  &error) < 0)
        return tool_fail(error, "Failed to detach device with alias %s", call.alias);
    tool_say(tool, "Device detach request sent successfully\n");
    return 0;
}

/* ---- tables ---- */

static const Option attach_device_options[] = {
    OPTION_DOMAIN,     {"file", OPTION_STRING, true, "XML file", .value = VALUE_FILE},
    OPTION_PERSISTENT, OPTION_CONFIG,
    OPTION_LIVE,       OPTION_CURRENT,
    OPTION_END};
static const Option detach_device_options[] = {
    OPTION_DOMAIN,     {"file", OPTION_STRING, true, "XML file", .value = VALUE_FILE},
    OPTION_PERSISTENT, OPTION_CONFIG,
    OPTION_LIVE,       OPTION_CURRENT,
    OPTION_END};
static const Option detach_device_alias_options[] = {
    OPTION_DOMAIN,  {"alias", OPTION_STRING, true, "alias of the device"},
    OPTION_CONFIG,  OPTION_LIVE,
    OPTION_CURRENT, OPTION_END};
static const Option update_device_options[] = {
    OPTION_DOMAIN,     {"file", OPTION_STRING, true, "XML file", .value = VALUE_FILE},
    OPTION_PERSISTENT, OPTION_CONFIG,
    OPTION_LIVE,       OPTION_CURRENT,
    OPTION_FORCE,      OPTION_END};

const Command commands_device[] = {{.name = "attach-device",
                                    .help = "attach a device from an XML file",
                                    .options = attach_device_options,
                                    .run = cmd_attach_device},
                                   {.name = "detach-device",
                                    .help = "detach a device from an XML file",
                                    .options = detach_device_options,
                                    .run = cmd_detach_device},
                                   {.name = "detach-device-alias",
                                    .help = "detach a device by its alias",
                                    .options = detach_device_alias_options,
                                    .run = cmd_detach_device_alias},
                                   {.name = "update-device",
                                    .help = "update a device from an XML file",
                                    .options = update_device_options,
                                    .run = cmd_update_device},
                                   {0}};
