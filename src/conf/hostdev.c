/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/hostdev.h"

static const Words modes = WORDS("subsystem", "capabilities");
const Words hostdev_types = WORDS_NOT_STARTED(
    WORD_MASK(HOSTDEV_SCSI) | WORD_MASK(HOSTDEV_SCSI_HOST) | WORD_MASK(HOSTDEV_STORAGE) |
        WORD_MASK(HOSTDEV_MISC) | WORD_MASK(HOSTDEV_NET),
    "", "usb", "pci", "scsi", "scsi_host", "mdev", "storage", "misc", "net");
static const Words yes_no = WORDS("yes", "no");
static const Words sgios = WORDS("filtered", "unfiltered");
static const Words drivers = WORDS("default", "vfio", "kvm", "xen");
static const Words policies = WORDS("mandatory", "requisite", "optional");
static const Words resets = WORDS("default", "off", "uninitialized");
static const Words teamings = WORDS("persistent", "transient");

/* ---- usb ---- */

static const Field usb_address[] = {
    FIELD_UINT("@bus", HostdevDef, usb_bus, 0, UINT32_MAX, .flags = FIELD_ANY_BASE | FIELD_ALWAYS),
    FIELD_UINT("@device", HostdevDef, usb_device, 0, UINT32_MAX,
               .flags = FIELD_ANY_BASE | FIELD_ALWAYS | FIELD_REQUIRED),
    FIELD_END};
static const Field usb_attributes[] = {
    FIELD_CHOICE("@startupPolicy", HostdevDef, startup_policy, policies),
    /* For where the machine goes to, and for the next daemon. */
    FIELD_YESNO("@autoAddress", HostdevDef, auto_address, .flags = FIELD_LIVE | FIELD_SECRET),
    FIELD_YESNO("@missing", HostdevDef, missing, .flags = FIELD_LIVE),
    FIELD_CHOICE("@guestReset", HostdevDef, guest_reset, resets),
    FIELD_UINT("vendor@id", HostdevDef, vendor, 0, 0xffff, .hex = 4, .flags = FIELD_ANY_BASE,
               FIELD_GIVEN(HostdevDef, has_vendor)),
    FIELD_UINT("product@id", HostdevDef, product, 0, 0xffff, .hex = 4, .flags = FIELD_ANY_BASE,
               FIELD_GIVEN(HostdevDef, has_product)),
    FIELD_GROUP("address", usb_address, FIELD_GIVEN(HostdevDef, has_usb_address)), FIELD_END};
static const Field usb_source[] = {FIELD_GROUP("source", usb_attributes, .flags = FIELD_REQUIRED),
                                   FIELD_END};

/* ---- pci ---- */

static const Field pci_attributes[] = {
    FIELD_YESNO("@writeFiltering", HostdevDef, write_filtering, .flags = FIELD_NOT_DEFINED),
    FIELD_ALSO("address@type"),
    FIELD_PART("address", HostdevDef, pci, pci_address_fields, .flags = FIELD_REQUIRED), FIELD_END};
static const Field pci_source[] = {FIELD_CHOICE("driver@name", HostdevDef, driver, drivers),
                                   FIELD_GROUP("source", pci_attributes, .flags = FIELD_REQUIRED),
                                   FIELD_END};

/* ---- scsi ---- */

static const Field scsi_address[] = {
    FIELD_ALSO("@type"),
    FIELD_UINT("@bus", HostdevDef, scsi_bus, 0, UINT32_MAX, .flags = FIELD_ALWAYS),
    FIELD_UINT("@target", HostdevDef, scsi_target, 0, UINT32_MAX, .flags = FIELD_ALWAYS),
    FIELD_UINT("@unit", HostdevDef, scsi_unit, 0, UINT32_MAX, .flags = FIELD_ALWAYS), FIELD_END};
static const Field host_fields[] = {FIELD_TEXT("@name", StorageHost, name),
                                    FIELD_TEXT("@port", StorageHost, port), FIELD_END};
static const Element host_element = {"host", sizeof(StorageHost), host_fields, NULL, NULL};
static const Field initiator_fields[] = {FIELD_TEXT("iqn@name", HostdevDef, initiator), FIELD_END};
static const Field scsi_attributes[] = {
    FIELD_TEXT("@protocol", HostdevDef, protocol),
    FIELD_TEXT("@name", HostdevDef, name),
    FIELD_LIST("host", HostdevDef, hosts, n_hosts, host_element),
    FIELD_ONE("auth", HostdevDef, auth, storage_auth_element),
    FIELD_GROUP("initiator", initiator_fields),
    FIELD_TEXT("adapter@name", HostdevDef, adapter),
    FIELD_GROUP("address", scsi_address, FIELD_GIVEN(HostdevDef, has_scsi_address)),
    FIELD_END};
static const Field scsi_source[] = {FIELD_GROUP("source", scsi_attributes, .flags = FIELD_REQUIRED),
                                    FIELD_END};
static const Field scsi_host_attributes[] = {FIELD_TEXT("@protocol", HostdevDef, protocol),
                                             FIELD_TEXT("@wwpn", HostdevDef, wwpn), FIELD_END};
static const Field scsi_host_source[] = {
    FIELD_GROUP("source", scsi_host_attributes, .flags = FIELD_REQUIRED), FIELD_END};

/* ---- mdev ---- */

static const Field mdev_address[] = {FIELD_TEXT("@uuid", HostdevDef, uuid, .flags = FIELD_REQUIRED),
                                     FIELD_END};
static const Field mdev_attributes[] = {
    FIELD_GROUP("address", mdev_address, .flags = FIELD_REQUIRED), FIELD_END};
static const Field mdev_source[] = {FIELD_GROUP("source", mdev_attributes, .flags = FIELD_REQUIRED),
                                    FIELD_END};

/* ---- capabilities ---- */

static const Field storage_attributes[] = {FIELD_TEXT("block", HostdevDef, block), FIELD_END};
static const Field storage_source[] = {FIELD_GROUP("source", storage_attributes), FIELD_END};
static const Field misc_attributes[] = {FIELD_TEXT("char", HostdevDef, character), FIELD_END};
static const Field misc_source[] = {FIELD_GROUP("source", misc_attributes), FIELD_END};
static const Field net_attributes[] = {FIELD_TEXT("interface", HostdevDef, interface), FIELD_END};
static const Field net_source[] = {FIELD_GROUP("source", net_attributes), FIELD_END};

static const Field *const kinds[HOSTDEV_TYPE_MAX_] = {
    [HOSTDEV_USB] = usb_source,   [HOSTDEV_PCI] = pci_source,
    [HOSTDEV_SCSI] = scsi_source, [HOSTDEV_SCSI_HOST] = scsi_host_source,
    [HOSTDEV_MDEV] = mdev_source, [HOSTDEV_STORAGE] = storage_source,
    [HOSTDEV_MISC] = misc_source, [HOSTDEV_NET] = net_source};
static const Field teaming_fields[] = {FIELD_CHOICE("@type", HostdevDef, teaming, teamings),
                                       FIELD_TEXT("@persistent", HostdevDef, teaming_persistent),
                                       FIELD_END};

static const Field hostdev_fields[] = {
    FIELD_WORD("@mode", HostdevDef, mode, modes),
    FIELD_WORD("@type", HostdevDef, type, hostdev_types, .flags = FIELD_REQUIRED),
    FIELD_YESNO("@managed", HostdevDef, managed),
    FIELD_CHOICE("@sgio", HostdevDef, sgio, sgios, .flags = FIELD_NOT_ACTED),
    FIELD_CHOICE("@rawio", HostdevDef, rawio, yes_no, .flags = FIELD_NOT_ACTED),
    FIELD_TEXT("@model", HostdevDef, model),
    FIELD_ON_OFF("@display", HostdevDef, display),
    FIELD_ON_OFF("@ramfb", HostdevDef, ramfb),
    FIELD_SWITCH(NULL, HostdevDef, type, kinds),
    FIELD_GROUP("teaming", teaming_fields),
    FIELD_PRESENT("readonly", HostdevDef, readonly),
    FIELD_PRESENT("shareable", HostdevDef, shareable),
    FIELD_INFO_BOOT(HostdevDef),
    FIELD_END};

static int check(ElementReader *reader, xmlNodePtr node, void *object) {
    HostdevDef *hostdev = object;

    if (hostdev->managed == TRISTATE_ABSENT)
        hostdev->managed = TRISTATE_NO;
    if (hostdev->type == HOSTDEV_USB && !hostdev->has_usb_address &&
        !(hostdev->has_vendor && hostdev->has_product))
        return element_missing(reader, node, "source vendor and product, or address");
    if (hostdev->type == HOSTDEV_MDEV) {
        if (!hostdev->model)
            return element_missing(reader, node, "@model");
        if (hostdev->display == TRISTATE_ABSENT && streq(hostdev->model, "vfio-pci"))
            hostdev->display = TRISTATE_NO;
    }
    return 0;
}

const Element hostdev_element = {"hostdev", sizeof(HostdevDef), hostdev_fields, NULL, check};
