/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's devices: listed and shown, and their events. They are given to guests by <hostdev>,
 * and not made, bound or reset by themselves. */
#include <stdio.h>

#include "conf/xml-document.h"
#include "host/node-device.h"
#include "node-device-xml.h"
#include "node-watch.h"
#include "registration.h"
#include "util/worker.h"

enum { /* virConnectListAllNodeDeviceFlags, beside those of the kinds */
       DEVICES_PERSISTENT = 1 << 28,
       DEVICES_TRANSIENT = 1 << 29,
       DEVICES_INACTIVE = 1 << 30,
};
#define DEVICES_ACTIVE (1u << 31)
#define DEVICES_KINDS ((1u << NODE_DEVICE_KIND_MAX) - 1)
#define DEVICES_ALL                                                                                \
    (DEVICES_KINDS | DEVICES_PERSISTENT | DEVICES_TRANSIENT | DEVICES_INACTIVE | DEVICES_ACTIVE)
#define NAMES_MAX 16384u /* the protocol's */
#define DEFINITION_MAX (1u << 20)

/* ---- one look ---- */

/* What the worker does: reads all, finds the one, writes its text. */
typedef struct Look {
    NodeDevices devices;
    const char *name; /* NULL: all */
    const NodeDevice *found;
    bool want_xml;
    char *xml;
} Look;

static void look_done(Look *look) {
    node_devices_done(&look->devices);
    free(look->xml);
}
#define CLEANUP_LOOK CLEANUP(look_done)

static int run_look(void *arg) {
    Look *look = arg;
    int r = node_devices_read("", &look->devices);

    if (r < 0 || !look->name)
        return r;
    look->found = node_devices_find(&look->devices, look->name);
    if (look->found && look->want_xml)
        look->xml = node_device_xml(&look->devices, look->found);
    return look->found && look->want_xml && !look->xml ? -ENOMEM : 0;
}

/* ERROR_NO_NODE_DEVICE when there is none of that name. */
static int take_look(Look *look, Error **reterr) {
    int r = worker_run(run_look, look);

    if (r < 0)
        return error_system(reterr, FROM_NODEDEV, r, "cannot read the host's devices");
    if (look->name && !look->found)
        return error_report(reterr, FROM_NODEDEV, ERROR_NO_NODE_DEVICE,
                            "no node device with matching name '%.200s'", look->name);
    return 0;
}

/* ---- lists ---- */

/* All are active, and there again after the host's next start. */
static bool matches(const NodeDevice *device, unsigned flags) {
    const unsigned kinds = flags & DEVICES_KINDS;

    return (!kinds || kinds & 1u << device->kind) &&
           (!(flags & (DEVICES_ACTIVE | DEVICES_INACTIVE)) || flags & DEVICES_ACTIVE) &&
           (!(flags & (DEVICES_PERSISTENT | DEVICES_TRANSIENT)) || flags & DEVICES_PERSISTENT);
}

HANDLER(list_all) {
    const remote_list_all_args *args = args_;
    remote_connect_list_all_node_devices_ret *ret = ret_;
    CLEANUP_LOOK Look look = {0};
    int r = dispatch_flags(args->flags, DEVICES_ALL, call->proc->api, reterr);

    if (r >= 0)
        r = take_look(&look, reterr);
    if (r < 0)
        return r;
    if (args->need_results)
        ret->devices.devices_val = calloc(look.devices.n, sizeof(remote_node_device));
    if (args->need_results && !ret->devices.devices_val)
        return error_no_memory(reterr);
    for (size_t i = 0; r >= 0 && i < look.devices.n; i++) {
        if (!matches(&look.devices.list[i], args->flags))
            continue;
        ret->ret++;
        if (args->need_results)
            r = dispatch_string(&ret->devices.devices_val[ret->devices.devices_len++].name,
                                look.devices.list[i].name, reterr);
    }
    return r;
}

/* word NULL: of any kind. */
static bool has_word(const NodeDevice *device, const char *word) {
    return !word || streq(node_device_kinds[device->kind], word);
}

HANDLER(number) {
    const remote_node_num_of_devices_args *args = args_;
    CLEANUP_LOOK Look look = {0};
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    if (r >= 0)
        r = take_look(&look, reterr);
    for (size_t i = 0; r >= 0 && i < look.devices.n; i++)
        ((remote_int_ret *)ret_)->value += has_word(&look.devices.list[i], dispatch_opt(args->cap));
    return r;
}

HANDLER(names) {
    const remote_node_list_devices_args *args = args_;
    const size_t max = args->maxnames < 0 ? 0 : MIN_OF((size_t)args->maxnames, (size_t)NAMES_MAX);
    remote_names_ret *ret = ret_;
    CLEANUP_LOOK Look look = {0};
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    if (r >= 0)
        r = take_look(&look, reterr);
    if (r < 0)
        return r;
    ret->names.names_val = calloc(look.devices.n, sizeof(remote_string));
    if (!ret->names.names_val)
        return error_no_memory(reterr);
    for (size_t i = 0; r >= 0 && i < look.devices.n && ret->names.names_len < max; i++)
        if (has_word(&look.devices.list[i], dispatch_opt(args->cap)))
            r = dispatch_string(&ret->names.names_val[ret->names.names_len++],
                                look.devices.list[i].name, reterr);
    return r;
}

/* ---- one device ---- */

HANDLER(by_name) {
    CLEANUP_LOOK Look look = {.name = ((remote_name_args *)args_)->name};
    int r = take_look(&look, reterr);

    return r < 0 ? r
                 : dispatch_string(&((remote_node_device_lookup_by_name_ret *)ret_)->dev.name,
                                   look.name, reterr);
}

/* Hosts with fibre channel have such names; none is looked for. */
HANDLER(by_wwn) {
    return error_report(reterr, FROM_NODEDEV, ERROR_NO_NODE_DEVICE,
                        "no SCSI host with such world wide names");
}

HANDLER(get_xml) {
    const remote_node_device_get_xml_desc_args *args = args_;
    CLEANUP_LOOK Look look = {.name = args->name, .want_xml = true};
    int r = dispatch_flags(args->flags, 1, call->proc->api, reterr); /* INACTIVE: the same */

    if (r >= 0)
        r = take_look(&look, reterr);
    if (r >= 0)
        ((remote_xml_ret *)ret_)->xml = TAKE_PTR(look.xml);
    return r;
}

HANDLER(get_parent) {
    remote_node_device_get_parent_ret *ret = ret_;
    CLEANUP_LOOK Look look = {.name = ((remote_name_args *)args_)->name};
    const NodeDevice *parent;
    int r = take_look(&look, reterr);

    if (r < 0)
        return r;
    parent = node_devices_parent(&look.devices, look.found);
    if (!parent)
        return 0;
    ret->parentName = calloc(1, sizeof(*ret->parentName));
    return ret->parentName ? dispatch_string(ret->parentName, parent->name, reterr)
                           : error_no_memory(reterr);
}

HANDLER(list_caps) {
    const remote_node_device_list_caps_args *args = args_;
    remote_names_ret *ret = ret_;
    CLEANUP_LOOK Look look = {.name = args->name};
    int r = take_look(&look, reterr);

    if (r < 0 || args->maxnames < 1)
        return r;
    ret->names.names_val = calloc(1, sizeof(remote_string));
    if (!ret->names.names_val)
        return error_no_memory(reterr);
    return dispatch_string(&ret->names.names_val[ret->names.names_len++],
                           node_device_kinds[look.found->kind], reterr);
}

/* What is so of each: it has one capability, is active, persistent and there by itself. */
HANDLER(one) {
    CLEANUP_LOOK Look look = {.name = ((remote_name_args *)args_)->name};
    int r = take_look(&look, reterr);

    ((remote_int_ret *)ret_)->value = r >= 0;
    return r;
}

/* ---- what is not done ---- */

static int look_at(const char *name, Look *ret, Error **reterr) {
    ret->name = name;
    return take_look(ret, reterr);
}

/* Detach, re-attach, reset: of PCI devices. The arguments begin with the name. */
HANDLER(refuse_pci) {
    CLEANUP_LOOK Look look = {0};
    int r = look_at(*(char **)args_, &look, reterr);

    if (r < 0)
        return r;
    if (look.found->kind != NODE_DEVICE_PCI)
        return error_report(reterr, FROM_NONE, ERROR_INVALID_ARG, "device %s is not a PCI device",
                            look.name);
    return error_report(reterr, FROM_NODEDEV, ERROR_OPERATION_UNSUPPORTED,
                        "device '%s' is not taken from its driver or reset by itself: give it to a "
                        "domain by <hostdev managed='yes'>",
                        look.name);
}

HANDLER(refuse_change) {
    CLEANUP_LOOK Look look = {0};
    int r = look_at(*(char **)args_, &look, reterr);

    return r < 0 ? r
                 : error_report(reterr, FROM_NODEDEV, ERROR_CONFIG_UNSUPPORTED,
                                "Unsupported device type");
}

HANDLER(refuse_new) {
    const char *xml = *(char **)args_;
    CLEANUP_XML_DOCUMENT xmlDocPtr doc = NULL;
    int r = xml_document_parse(xml, strlen(xml), DEFINITION_MAX, "node_device_definition", &doc,
                               reterr);

    return r < 0 ? r
                 : error_report(reterr, FROM_NODEDEV, ERROR_CONFIG_UNSUPPORTED,
                                "Unsupported device type: devices of the host are not made here");
}

/* ---- events ---- */

HANDLER(register_event) {
    const remote_node_device_event_register_args *args = args_;
    remote_connect_domain_event_callback_register_any_ret *ret = ret_;
    Registration *registration = NULL;
    CLEANUP_FREE char *device = NULL;
    int r;

    if (args->eventID < 0 || args->eventID > 1)
        return error_report(reterr, FROM_RPC, ERROR_INTERNAL, "unsupported event ID %d",
                            args->eventID);
    r = args->dev ? dispatch_string(&device, args->dev->name, reterr) : 0;
    if (r >= 0)
        r = node_watch_start(client_of(session)->daemon, reterr);
    if (r >= 0)
        r = registration_add(client_of(session), EVENT_OF_NODE_DEVICES + args->eventID, NULL,
                             &registration, reterr);
    if (r < 0)
        return r;
    registration->device = TAKE_PTR(device);
    ret->callbackID = registration->callback_id;
    return 0;
}

HANDLER(deregister_event) {
    const remote_connect_domain_event_callback_deregister_any_args *args = args_;

    return registration_remove(client_of(session), EVENT_OF_NODE_DEVICES, args->callbackID, reterr);
}

/* ---- rows ---- */

#define DEVICE_ROW(number, api, how, handler, args, ...)                                           \
    { REMOTE_PROC_##number, "vir" api, how, handler, XDR_OF(args), __VA_ARGS__ }
#define IS_ROW(number, api)                                                                        \
    DEVICE_ROW(NODE_DEVICE_##number, "NodeDevice" api, 0, one, remote_name_args,                   \
               XDR_OF(remote_int_ret))
#define REFUSAL_ROW(number, api, handler)                                                          \
    DEVICE_ROW(NODE_DEVICE_##number, "NodeDevice" api, RPC_PROC_WRITE, handler, remote_name_args,  \
               NO_XDR)

const RpcProc node_device_procs[] = {
    DEVICE_ROW(NODE_NUM_OF_DEVICES, "NodeNumOfDevices", 0, number, remote_node_num_of_devices_args,
               XDR_OF(remote_int_ret)),
    DEVICE_ROW(NODE_LIST_DEVICES, "NodeListDevices", 0, names, remote_node_list_devices_args,
               XDR_OF(remote_names_ret)),
    DEVICE_ROW(CONNECT_LIST_ALL_NODE_DEVICES, "ConnectListAllNodeDevices", 0, list_all,
               remote_list_all_args, XDR_OF(remote_connect_list_all_node_devices_ret)),
    DEVICE_ROW(NODE_DEVICE_LOOKUP_BY_NAME, "NodeDeviceLookupByName", 0, by_name, remote_name_args,
               XDR_OF(remote_node_device_lookup_by_name_ret)),
    DEVICE_ROW(NODE_DEVICE_LOOKUP_SCSI_HOST_BY_WWN, "NodeDeviceLookupSCSIHostByWWN", 0, by_wwn,
               remote_name_args, NO_XDR),
    DEVICE_ROW(NODE_DEVICE_GET_XML_DESC, "NodeDeviceGetXMLDesc", 0, get_xml,
               remote_node_device_get_xml_desc_args, XDR_OF(remote_xml_ret)),
    DEVICE_ROW(NODE_DEVICE_GET_PARENT, "NodeDeviceGetParent", 0, get_parent, remote_name_args,
               XDR_OF(remote_node_device_get_parent_ret)),
    DEVICE_ROW(NODE_DEVICE_LIST_CAPS, "NodeDeviceListCaps", 0, list_caps,
               remote_node_device_list_caps_args, XDR_OF(remote_names_ret)),
    IS_ROW(NUM_OF_CAPS, "NumOfCaps"),
    IS_ROW(IS_ACTIVE, "IsActive"),
    IS_ROW(IS_PERSISTENT, "IsPersistent"),
    IS_ROW(GET_AUTOSTART, "GetAutostart"),
    REFUSAL_ROW(DETTACH, "Dettach", refuse_pci),
    REFUSAL_ROW(DETACH_FLAGS, "DetachFlags", refuse_pci),
    REFUSAL_ROW(RE_ATTACH, "ReAttach", refuse_pci),
    REFUSAL_ROW(RESET, "Reset", refuse_pci),
    REFUSAL_ROW(DESTROY, "Destroy", refuse_change),
    REFUSAL_ROW(UNDEFINE, "Undefine", refuse_change),
    REFUSAL_ROW(CREATE, "Create", refuse_change),
    REFUSAL_ROW(UPDATE, "Update", refuse_change),
    REFUSAL_ROW(SET_AUTOSTART, "SetAutostart", refuse_change),
    REFUSAL_ROW(CREATE_XML, "CreateXML", refuse_new),
    REFUSAL_ROW(DEFINE_XML, "DefineXML", refuse_new),
    DEVICE_ROW(CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY, "ConnectNodeDeviceEventRegisterAny", 0,
               register_event, remote_node_device_event_register_args,
               XDR_OF(remote_connect_domain_event_callback_register_any_ret)),
    DEVICE_ROW(CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY, "ConnectNodeDeviceEventDeregisterAny", 0,
               deregister_event, remote_connect_domain_event_callback_deregister_any_args, NO_XDR),
};
const size_t node_device_n_procs = ARRAY_SIZE(node_device_procs);
