/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks: attached and detached by their source and target, and their media changed. */
#include <sys/stat.h>

#include "device.h"
#include "tables.h"

/* ---- attach-disk ---- */

static const char *source_type(const Args *args) {
    const char *given = args_string(args, "sourcetype"), *driver = args_string(args, "driver");
    struct stat status;

    if (given)
        return given;
    if (args_has(args, "source-protocol"))
        return "network";
    if (!(driver && (streq(driver, "file") || streq(driver, "tap"))) &&
        stat(args_string(args, "source"), &status) == 0 && S_ISBLK(status.st_mode))
        return "block";
    return "file";
}

static void add_host(xmlNode *source, const Args *args) {
    const char *name = args_string(args, "source-host-name");
    const char *colon = name ? strchr(name, ':') : NULL;
    CLEANUP_FREE char *host = NULL;
    xmlNode *node;

    if (!name && !args_has(args, "source-host-socket") && !args_has(args, "source-host-transport"))
        return;
    if (name)
        host = text_format("%.*s", (int)(colon ? colon - name : (long)strlen(name)), name);
    node = device_element(source, "host", NULL);
    device_attribute(node, "transport", args_string(args, "source-host-transport"));
    device_attribute(node, "socket", args_string(args, "source-host-socket"));
    device_attribute(node, "name", host);
    device_attribute(node, "port", colon ? colon + 1 : NULL);
}

static void add_source(xmlNode *disk, const Args *args, const char *type) {
    xmlNode *node = device_element(disk, "source", NULL);

    if (streq(type, "network")) {
        device_attribute(node, "protocol", args_string(args, "source-protocol"));
        device_attribute(node, "name", args_string(args, "source"));
        add_host(node, args);
        return;
    }
    device_attribute(node, streq(type, "block") ? "dev" : "file", args_string(args, "source"));
}

static void add_driver(xmlNode *disk, const Args *args) {
    static const struct {
        const char *attribute, *option;
    } parts[] = {{"name", "driver"},
                 {"type", "subdriver"},
                 {"iothread", "iothread"},
                 {"cache", "cache"},
                 {"io", "io"}};
    xmlNode *node = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (!args_has(args, parts[i].option))
            continue;
        node = node ? node : device_element(disk, "driver", NULL);
        device_attribute(node, parts[i].attribute, args_string(args, parts[i].option));
    }
}

/* "pci:0000.00.03.0", "scsi:0.0.1" and the like: numbers, each the value of an attribute. */
static int add_address(xmlNode *disk, const Args *args) {
    static const struct Address {
        const char *prefix, *type, *attributes[5];
    } kinds[] = {{"pci", "pci", {"domain", "bus", "slot", "function"}},
                 {"scsi", "drive", {"controller", "bus", "unit"}},
                 {"ide", "drive", {"controller", "bus", "unit"}},
                 {"sata", "drive", {"controller", "bus", "unit"}},
                 {"ccw", "ccw", {"cssid", "ssid", "devno"}},
                 {"usb", "usb", {"bus", "port"}}};
    const char *text = args_string(args, "address"), *at = text ? strchr(text, ':') : NULL;
    xmlNode *node;

    for (size_t i = 0; at && i < ARRAY_SIZE(kinds); i++) {
        size_t n = 0;

        if (strlen(kinds[i].prefix) != (size_t)(at - text) ||
            strncmp(kinds[i].prefix, text, (size_t)(at - text)) != 0)
            continue;
        node = device_element(disk, "address", NULL);
        device_attribute(node, "type", kinds[i].type);
        for (at++; kinds[i].attributes[n] && *at; n++) {
            size_t len = strcspn(at, ".");
            bool decimal = i > 0 && i < 4;
            CLEANUP_FREE char *value = decimal || strncmp(at, "0x", 2) == 0
                                           ? text_format("%.*s", (int)len, at)
                                           : text_format("0x%.*s", (int)len, at);

            device_attribute(node, kinds[i].attributes[n], value);
            at += len + (at[len] == '.');
        }
        if (i == 0 && args_has(args, "multifunction"))
            device_attribute(node, "multifunction", "on");
        return kinds[i].attributes[n] || *at ? -EINVAL : 0;
    }
    return text ? -EINVAL : 0;
}

static int build_disk(const Args *args, xmlDoc *doc, char **ret) {
    XmlView view = {.doc = doc};
    const char *type = source_type(args);
    xmlNode *disk = xmlNewDocNode(doc, NULL, BAD_CAST "disk", NULL), *target;

    if (!disk)
        return tool_fail(NULL, "out of memory");
    xmlDocSetRootElement(doc, disk);
    device_attribute(disk, "type", type);
    device_attribute(disk, "device", args_string(args, "type"));
    device_attribute(disk, "rawio", args_has(args, "rawio") ? "yes" : NULL);
    add_driver(disk, args);
    add_source(disk, args, type);
    target = device_element(disk, "target", NULL);
    device_attribute(target, "dev", args_string(args, "target"));
    device_attribute(target, "bus", args_string(args, "targetbus"));
    if (args_has(args, "mode"))
        device_element(disk, args_string(args, "mode"), NULL);
    if (args_has(args, "serial"))
        device_element(disk, "serial", args_string(args, "serial"));
    if (args_has(args, "alias"))
        device_attribute(device_element(disk, "alias", NULL), "name", args_string(args, "alias"));
    if (args_has(args, "wwn"))
        device_element(disk, "wwn", args_string(args, "wwn"));
    if (add_address(disk, args) < 0)
        return tool_fail(NULL,
                         "Invalid address '%s'; expected pci:domain.bus.slot.function, "
                         "scsi|sata|ide:controller.bus.unit, usb:bus.port or "
                         "ccw:cssid.ssid.devno",
                         args_string(args, "address"));
    *ret = xml_view_dump(&view, disk);
    return 0;
}

static void doc_freep(xmlDoc **doc) {
    xmlFreeDoc(*doc);
}

static int check_disk(const Args *args) {
    const char *mode = args_string(args, "mode");

    if (tool_exclusive(args, "source-host-name", "source-host-socket") < 0)
        return -EINVAL;
    if (args_has(args, "source-protocol") != streq(source_type(args), "network"))
        return tool_fail(NULL, "--source-protocol option requires --sourcetype network");
    if (mode && !streq(mode, "readonly") && !streq(mode, "shareable"))
        return tool_fail(NULL, "No support for %s in command 'attach-disk'", mode);
    return 0;
}

static int cmd_attach_disk(Tool *tool, const Args *args) {
    CLEANUP(doc_freep) xmlDoc *doc = xmlNewDoc(BAD_CAST "1.0");
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_FREE char *xml = NULL;
    DeviceScope scope = {0};

    if (check_disk(args) < 0 || tool_domain(tool, args, &dom) < 0 ||
        device_scope(args, &dom, &scope) < 0 || build_disk(args, doc, &xml) < 0)
        return -EIO;
    return device_change(tool, args, &dom, DEVICE_ATTACH, &scope, xml, "attach disk",
                         "Disk attached successfully");
}

/* ---- detach-disk, change-media ---- */

/* The disk with this target or source; says when there is none. */
static xmlNode *find_disk(const XmlView *view, const char *path) {
    CLEANUP(xml_nodes_freep) xmlXPathObject *disks = xml_view_nodes(view, "./devices/disk");

    for (int i = 0; disks && i < disks->nodesetval->nodeNr; i++) {
        xmlNode *disk = disks->nodesetval->nodeTab[i];
        CLEANUP_FREE char *target = xml_view_string(view, disk, "./target/@dev");
        CLEANUP_FREE char *source = xml_view_string(
            view, disk, "./source/@file|./source/@dev|./source/@dir|./source/@name");

        if ((target && streq(target, path)) || (source && streq(source, path)))
            return disk;
    }
    return NULL;
}

static int cmd_detach_disk(Tool *tool, const Args *args) {
    CLEANUP(xml_view_done) XmlView view = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_FREE char *xml = NULL;
    DeviceScope scope = {0};
    xmlNode *disk;

    if (tool_domain(tool, args, &dom) < 0 || device_scope(args, &dom, &scope) < 0 ||
        xml_view_domain(tool, &dom, device_xml_flags(&scope), &view) < 0)
        return -EIO;
    disk = find_disk(&view, args_string(args, "target"));
    if (!disk)
        return tool_fail(NULL, "No disk found whose source path or target is %s",
                         args_string(args, "target"));
    xml = xml_view_dump(&view, disk);
    return device_change(tool, args, &dom, DEVICE_DETACH, &scope, xml, "detach disk",
                         "Disk detached successfully");
}

typedef enum MediaChange { MEDIA_UPDATE, MEDIA_INSERT, MEDIA_EJECT } MediaChange;

static const char *const media_verbs[] = {"update", "insert", "eject"};

static MediaChange media_change(const Args *args) {
    if (args_has(args, "eject") || (args_has(args, "update") && !args_has(args, "source")))
        return MEDIA_EJECT;
    return args_has(args, "insert") ? MEDIA_INSERT : MEDIA_UPDATE;
}

/* Puts the new medium into the disk's XML, or takes the old one out. */
static int set_medium(const XmlView *view, xmlNode *disk, MediaChange change, const Args *args) {
    const char *path = args_string(args, "path"), *source = args_string(args, "source");
    CLEANUP_FREE char *device = xml_view_string(view, disk, "./@device");
    bool block = args_has(args, "block");
    xmlNode *old = NULL, *node;

    if (!device || (!streq(device, "cdrom") && !streq(device, "floppy")))
        return tool_fail(NULL, "No disk found whose source path or target is %s", path);
    for (xmlNode *child = disk->children; child; child = child->next)
        if (child->type == XML_ELEMENT_NODE && streq((const char *)child->name, "source"))
            old = child;
    if (change == MEDIA_EJECT && !old)
        return tool_fail(NULL, "The disk device '%s' doesn't have media", path);
    if (change != MEDIA_EJECT && !source)
        return tool_fail(NULL, "New disk media source was not specified");
    if (change == MEDIA_INSERT && old)
        return tool_fail(NULL, "The disk device '%s' already has media", path);
    if (old) {
        xmlUnlinkNode(old);
        xmlFreeNode(old);
    }
    if (change == MEDIA_EJECT)
        return 0;
    node = device_element(disk, "source", NULL);
    device_attribute(node, block ? "dev" : "file", source);
    device_attribute(disk, "type", block ? "block" : "file");
    return 0;
}

static int cmd_change_media(Tool *tool, const Args *args) {
    const char *path = args_string(args, "path");
    MediaChange change = media_change(args);
    CLEANUP(xml_view_done) XmlView view = {0};
    CLEANUP_FREE char *xml = NULL, *what = NULL, *done = NULL;
    CLEANUP_DOMAIN remote_domain dom = {0};
    DeviceScope scope = {0};
    xmlNode *disk;

    if (tool_exclusive(args, "eject", "insert") < 0 ||
        tool_exclusive(args, "eject", "update") < 0 ||
        tool_exclusive(args, "insert", "update") < 0 ||
        tool_exclusive(args, "eject", "block") < 0 || tool_domain(tool, args, &dom) < 0 ||
        device_scope(args, &dom, &scope) < 0 ||
        xml_view_domain(tool, &dom, scope.flags & AFFECT_CONFIG ? XML_INACTIVE : 0, &view) < 0)
        return -EIO;
    disk = find_disk(&view, path);
    if (!disk)
        return tool_fail(NULL, "No disk found whose source path or target is %s", path);
    if (set_medium(&view, disk, change, args) < 0)
        return -EINVAL;
    scope.flags |= args_has(args, "force") ? 4u : 0; /* VIR_DOMAIN_DEVICE_MODIFY_FORCE */
    xml = xml_view_dump(&view, disk);
    what = text_format("complete action %s on media", media_verbs[change]);
    done = text_format("Successfully %sed media.",
                       change == MEDIA_UPDATE ? "updat" : media_verbs[change]);
    return device_change(tool, args, &dom, DEVICE_UPDATE, &scope, xml, what, done);
}

/* ---- tables ---- */

static const Option attach_disk_options[] = {
    OPTION_DOMAIN,
    {"source", OPTION_STRING, true, "where it is known from"},
    {"target", OPTION_STRING, true, "target, as vda"},
    {"targetbus", OPTION_STRING, false, "bus of the target"},
    {"driver", OPTION_STRING, false, "name of the driver"},
    {"subdriver", OPTION_STRING, false, "format of the source"},
    {"iothread", OPTION_STRING, false, "IO thread"},
    {"cache", OPTION_STRING, false, "cache mode"},
    {"io", OPTION_STRING, false, "I/O mode"},
    {"type", OPTION_STRING, false, "disk, cdrom, floppy or lun"},
    {"mode", OPTION_STRING, false, "mode"},
    {"sourcetype", OPTION_STRING, false, "file, block or network"},
    {"serial", OPTION_STRING, false, "serial number"},
    {"wwn", OPTION_STRING, false, "world wide name"},
    {"alias", OPTION_STRING, false, "alias of the device"},
    {"rawio", OPTION_FLAG, false, "the guest may send raw SCSI commands"},
    {"address", OPTION_STRING, false, "address of the disk"},
    {"multifunction", OPTION_FLAG, false, "several functions in one PCI slot"},
    OPTION_PRINT_XML,
    {"source-protocol", OPTION_STRING, false, "source protocol"},
    {"source-host-name", OPTION_STRING, false, "host:port of the source"},
    {"source-host-transport", OPTION_STRING, false, "transport to the source"},
    {"source-host-socket", OPTION_STRING, false, "socket of the source"},
    OPTION_PERSISTENT,
    OPTION_CONFIG,
    OPTION_LIVE,
    OPTION_CURRENT,
    OPTION_END};
static const Option change_media_options[] = {
    OPTION_DOMAIN,
    {"path", OPTION_STRING, true, "target or source of the disk"},
    {"source", OPTION_STRING, false, "where it is known from"},
    {"eject", OPTION_FLAG, false, "take the medium out"},
    {"insert", OPTION_FLAG, false, "put a medium in"},
    {"update", OPTION_FLAG, false, "replace the medium"},
    OPTION_CURRENT,
    OPTION_LIVE,
    OPTION_CONFIG,
    OPTION_FORCE,
    OPTION_PRINT_XML,
    {"block", OPTION_FLAG, false, "the source is a block device"},
    OPTION_END};
static const Option detach_disk_options[] = {
    OPTION_DOMAIN,     {"target", OPTION_STRING, true, "target, as vda"},
    OPTION_PERSISTENT, OPTION_CONFIG,
    OPTION_LIVE,       OPTION_CURRENT,
    OPTION_PRINT_XML,  OPTION_END};

const Command commands_disk[] = {{.name = "attach-disk",
                                  .help = "attach a disk",
                                  .options = attach_disk_options,
                                  .run = cmd_attach_disk},
                                 {.name = "change-media",
                                  .help = "change, insert or eject a medium",
                                  .options = change_media_options,
                                  .run = cmd_change_media},
                                 {.name = "detach-disk",
                                  .help = "detach a disk",
                                  .options = detach_disk_options,
                                  .run = cmd_detach_disk},
                                 {0}};
