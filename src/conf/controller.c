/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/controller.h"

const Words controller_types = WORDS("ide", "fdc", "scsi", "sata", "virtio-serial", "ccid", "usb",
                                     "pci", "xenbus", "isa");

static const Field target_fields[] = {
    FIELD_UINT("@chassisNr", ControllerDef, chassis_nr, 0, 255, .flags = FIELD_ANY_BASE,
               FIELD_GIVEN(ControllerDef, has_chassis_nr)),
    FIELD_UINT("@chassis", ControllerDef, chassis, 0, 255, .flags = FIELD_ANY_BASE,
               FIELD_GIVEN(ControllerDef, has_chassis)),
    FIELD_UINT("@port", ControllerDef, port, 0, 255, .hex = 1, .flags = FIELD_ANY_BASE,
               FIELD_GIVEN(ControllerDef, has_port)),
    FIELD_UINT("@busNr", ControllerDef, busnr, 0, 254, .flags = FIELD_ANY_BASE,
               FIELD_GIVEN(ControllerDef, has_busnr)),
    FIELD_UINT("@index", ControllerDef, target_index, 0, 30, .flags = FIELD_ANY_BASE,
               FIELD_GIVEN(ControllerDef, has_target_index)),
    FIELD_ON_OFF("@hotplug", ControllerDef, hotplug),
    FIELD_UINT("node", ControllerDef, node, 0, 1023, FIELD_GIVEN(ControllerDef, has_node)),
    FIELD_END};
static const Field driver_fields[] = {
    FIELD_UINT("@queues", ControllerDef, queues, 0, 65535),
    FIELD_UINT("@cmd_per_lun", ControllerDef, cmd_per_lun, 0, UINT32_MAX),
    FIELD_UINT("@max_sectors", ControllerDef, max_sectors, 0, UINT32_MAX),
    FIELD_ON_OFF("@ioeventfd", ControllerDef, ioeventfd),
    FIELD_UINT("@iothread", ControllerDef, iothread, 1, 16384),
    FIELD_VIRTIO(ControllerDef),
    FIELD_END};

static const Field controller_fields[] = {
    FIELD_WORD("@type", ControllerDef, type, controller_types, .flags = FIELD_REQUIRED),
    FIELD_INT("@index", ControllerDef, index, 0, 1000, .flags = FIELD_ALWAYS | FIELD_NOT_NEGATIVE),
    FIELD_TEXT("@model", ControllerDef, model),
    FIELD_UINT("@ports", ControllerDef, ports, 0, UINT32_MAX,
               FIELD_GIVEN(ControllerDef, has_ports)),
    FIELD_UINT("@vectors", ControllerDef, vectors, 0, INT32_MAX,
               FIELD_GIVEN(ControllerDef, has_vectors)),
    FIELD_TEXT("model@name", ControllerDef, pci_model),
    FIELD_GROUP("target", target_fields),
    FIELD_GROUP("driver", driver_fields),
    FIELD_INFO_BOOT(ControllerDef),
    FIELD_SIZE("pcihole64", ControllerDef, hole64, FIELD_GIVEN(ControllerDef, has_hole64)),
    FIELD_END};

static void init(void *object) {
    ((ControllerDef *)object)->index = -1;
}

static const Words pci_models = WORDS("pci-root", "pcie-root", "pci-bridge", "dmi-to-pci-bridge",
                                      "pcie-to-pci-bridge", "pcie-root-port",
                                      "pcie-switch-upstream-port", "pcie-switch-downstream-port",
                                      "pci-expander-bus", "pcie-expander-bus");
static const Words usb_models = WORDS(
    "piix3-uhci", "piix4-uhci", "ehci", "ich9-ehci1", "ich9-uhci1", "ich9-uhci2", "ich9-uhci3",
    "vt82c686b-uhci", "pci-ohci", "nec-xhci", "qusb1", "qusb2", "qemu-xhci", "none");
static const Words scsi_models = WORDS("auto", "buslogic", "lsilogic", "lsisas1068", "vmpvscsi",
                                       "ibmvscsi", "virtio-scsi", "lsisas1078",
                                       "virtio-transitional", "virtio-non-transitional", "ncr53c90",
                                       "dc390", "am53c974");
static const Words serial_models = WORDS("virtio", "virtio-transitional",
                                         "virtio-non-transitional");
static const Words ide_models = WORDS("piix3", "piix4", "ich6");

/* A companion is one, also where nobody says of which ports. */
static void set_master(ControllerDef *controller) {
    static const char *const companions[] = {"ich9-uhci1", "ich9-uhci2", "ich9-uhci3"};

    if (controller->type != CONTROLLER_USB || controller->info.has_master)
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(companions); i++)
        if (streq_ptr(controller->model, companions[i])) {
            controller->info.has_master = true;
            controller->info.master_port = 2 * i;
        }
}

static int check(ElementReader *reader, xmlNodePtr node, void *object) {
    static const Words *const models[CONTROLLER_TYPE_MAX_] = {
        [CONTROLLER_PCI] = &pci_models,
        [CONTROLLER_USB] = &usb_models,
        [CONTROLLER_SCSI] = &scsi_models,
        [CONTROLLER_VIRTIO_SERIAL] = &serial_models,
        [CONTROLLER_IDE] = &ide_models};
    ControllerDef *controller = object;
    const Words *words = models[controller->type];

    if (controller->model && words && words_find(words, controller->model) < 0)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "Unknown model type '%.80s' of a controller of type '%s' (line %ld)",
                            controller->model, words_name(&controller_types, controller->type),
                            xmlGetLineNo(node));
    if (controller->model && streq(controller->model, "auto"))
        free(TAKE_PTR(controller->model));
    set_master(controller);
    return 0;
}

const Element controller_element = {"controller", sizeof(ControllerDef), controller_fields, init,
                                    check};
