/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of a domain's devices by their XML. */
#pragma once

#include "xml-desc.h"

typedef enum DeviceChange { DEVICE_ATTACH, DEVICE_DETACH, DEVICE_UPDATE } DeviceChange;

/* What --config, --live, --current and --persistent mean. */
typedef struct DeviceScope {
    unsigned flags; /* AFFECT_* */
    bool given;     /* an option said it; else the old calls, of the running domain, will do */
} DeviceScope;

/* Refuses what contradicts. */
int device_scope(const Args *args, const remote_domain *dom, DeviceScope *ret);
/* The XML in which to look for a device that is to be changed there. */
unsigned device_xml_flags(const DeviceScope *scope);

/* Makes the change, or with --print-xml prints the XML. On failure says "Failed to <what>". Says
 * `done` at the end. */
int device_change(Tool *tool, const Args *args, const remote_domain *dom, DeviceChange change,
                  const DeviceScope *scope, const char *xml, const char *what, const char *done);

/* A child element with a text (NULL: none), and an attribute; the tool ends when memory does. */
xmlNode *device_element(xmlNode *parent, const char *name, const char *text);
/* Sets no attribute when the value is NULL. */
void device_attribute(xmlNode *node, const char *name, const char *value);
