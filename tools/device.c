/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attaches, detaches and updates devices. */
#include "device.h"

#include <libxml/tree.h>

int device_scope(const Args *args, const remote_domain *dom, DeviceScope *ret) {
    bool persistent = args_has_option(args, "persistent");

    if ((persistent && tool_exclusive(args, "persistent", "current") < 0) ||
        tool_affect_flags(args, &ret->flags) < 0)
        return -EINVAL;
    if (persistent)
        ret->flags |= AFFECT_CONFIG | (dom->id != -1 ? AFFECT_LIVE : 0u);
    ret->given = ret->flags || args_has(args, "current");
    return 0;
}

unsigned device_xml_flags(const DeviceScope *scope) {
    return scope->flags == AFFECT_CONFIG ? XML_INACTIVE : 0;
}

static int call_change(Tool *tool, const remote_domain *dom, DeviceChange change,
                       const DeviceScope *scope, const char *xml, Error **reterr) {
    static const int with_flags[] = {REMOTE_PROC_DOMAIN_ATTACH_DEVICE_FLAGS,
                                     REMOTE_PROC_DOMAIN_DETACH_DEVICE_FLAGS,
                                     REMOTE_PROC_DOMAIN_UPDATE_DEVICE_FLAGS};
    static const int plain[] = {REMOTE_PROC_DOMAIN_ATTACH_DEVICE, REMOTE_PROC_DOMAIN_DETACH_DEVICE};
    remote_domain_attach_device_flags_args call = {
        .dom = *dom, .xml = (char *)xml, .flags = scope->flags}; /* begins as the plain one */

    /* The three calls take the same. */
    if (scope->given || change == DEVICE_UPDATE)
        return tool_call(tool, with_flags[change],
                         (xdrproc_t)xdr_remote_domain_attach_device_flags_args, &call, NULL, NULL,
                         reterr);
    return tool_call(tool, plain[change], (xdrproc_t)xdr_remote_domain_attach_device_args, &call,
                     NULL, NULL, reterr);
}

int device_change(Tool *tool, const Args *args, const remote_domain *dom, DeviceChange change,
                  const DeviceScope *scope, const char *xml, const char *what, const char *done) {
    CLEANUP_ERROR Error *error = NULL;

    if (args_has_option(args, "print-xml")) {
        printf("%s", xml);
        return 0;
    }
    if (call_change(tool, dom, change, scope, xml, &error) < 0)
        return tool_fail(error, "Failed to %s", what);
    tool_say(tool, "%s\n", done);
    return 0;
}

xmlNode *device_element(xmlNode *parent, const char *name, const char *text) {
    xmlNode *node = xmlNewTextChild(parent, NULL, BAD_CAST name, BAD_CAST text);

    return node ? node : out_of_memory();
}

void device_attribute(xmlNode *node, const char *name, const char *value) {
    if (value && !xmlSetProp(node, BAD_CAST name, BAD_CAST value))
        out_of_memory();
}
