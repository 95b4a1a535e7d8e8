/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A table of its own over the definition's structs: the rows that are here are compared. Words are
 * compared by their number. */
#include "conf/domain-abi.h"

#include "conf/cpu.h"
#include "conf/domain-features.h"
#include "conf/iommu.h"

#define NUMBER(path, Type, member) FIELD_UINT(path, Type, member, 0, 0)
#define ELEMENT_OF(name, Type)                                                                     \
    static const Element name##_abi = {#name, sizeof(Type), name##_rows, NULL, NULL}

static const Field disk_rows[] = {NUMBER("@device", DiskDef, device),
                                  FIELD_TEXT("@model", DiskDef, model),
                                  FIELD_TEXT("target@dev", DiskDef, target),
                                  NUMBER("target@bus", DiskDef, bus),
                                  NUMBER("driver@queues", DiskDef, queues),
                                  NUMBER("blockio@logical_block_size", DiskDef, logical_block_size),
                                  FIELD_PRESENT("readonly", DiskDef, readonly),
                                  FIELD_TEXT("serial", DiskDef, serial),
                                  FIELD_TEXT("wwn", DiskDef, wwn),
                                  FIELD_TEXT("vendor", DiskDef, vendor),
                                  FIELD_TEXT("product", DiskDef, product),
                                  FIELD_INFO(DiskDef),
                                  FIELD_END};
ELEMENT_OF(disk, DiskDef);

static const Field controller_rows[] = {NUMBER("@type", ControllerDef, type),
                                        FIELD_INT("@index", ControllerDef, index, -1, 0),
                                        FIELD_TEXT("@model", ControllerDef, model),
                                        NUMBER("@ports", ControllerDef, ports),
                                        NUMBER("@vectors", ControllerDef, vectors),
                                        FIELD_TEXT("model@name", ControllerDef, pci_model),
                                        NUMBER("target@chassis", ControllerDef, chassis),
                                        NUMBER("target@port", ControllerDef, port),
                                        NUMBER("target@busNr", ControllerDef, busnr),
                                        NUMBER("driver@queues", ControllerDef, queues),
                                        FIELD_INFO(ControllerDef),
                                        FIELD_END};
ELEMENT_OF(controller, ControllerDef);

static const Field interface_rows[] = {FIELD_TEXT("mac@address", InterfaceDef, mac),
                                       FIELD_TEXT("model@type", InterfaceDef, model),
                                       FIELD_INFO(InterfaceDef), FIELD_END};
ELEMENT_OF(interface, InterfaceDef);

/* Of serials, parallel ports and channels. */
static const Field chardev_rows[] = {NUMBER("@kind", ChardevDef, kind),
                                     FIELD_TEXT("target@type", ChardevDef, target_type),
                                     FIELD_TEXT("target@name", ChardevDef, target_name),
                                     FIELD_TEXT("target/model@name", ChardevDef, target_model),
                                     FIELD_INFO(ChardevDef),
                                     FIELD_END};
ELEMENT_OF(chardev, ChardevDef);

static const Field input_rows[] = {NUMBER("@type", InputDef, type), NUMBER("@bus", InputDef, bus),
                                   FIELD_TEXT("@model", InputDef, model), FIELD_INFO(InputDef),
                                   FIELD_END};
ELEMENT_OF(input, InputDef);

static const Field tpm_rows[] = {FIELD_TEXT("@model", TpmDef, model),
                                 FIELD_TEXT("backend@version", TpmDef, version), FIELD_INFO(TpmDef),
                                 FIELD_END};
ELEMENT_OF(tpm, TpmDef);

static const Field sound_rows[] = {NUMBER("@model", SoundDef, model), FIELD_INFO(SoundDef),
                                   FIELD_END};
ELEMENT_OF(sound, SoundDef);

static const Field video_rows[] = {NUMBER("model@type", VideoDef, model),
                                   FIELD_SIZE("model@ram", VideoDef, ram),
                                   FIELD_SIZE("model@vram", VideoDef, vram),
                                   FIELD_SIZE("model@vgamem", VideoDef, vgamem),
                                   NUMBER("model@heads", VideoDef, heads),
                                   FIELD_INFO(VideoDef),
                                   FIELD_END};
ELEMENT_OF(video, VideoDef);

static const Field watchdog_rows[] = {FIELD_TEXT("@model", WatchdogDef, model),
                                      FIELD_INFO(WatchdogDef), FIELD_END};
ELEMENT_OF(watchdog, WatchdogDef);

static const Field memballoon_rows[] = {NUMBER("@model", MemballoonDef, model),
                                        FIELD_INFO(MemballoonDef), FIELD_END};
ELEMENT_OF(memballoon, MemballoonDef);

static const Field rng_rows[] = {FIELD_TEXT("@model", RngDef, model), FIELD_INFO(RngDef),
                                 FIELD_END};
ELEMENT_OF(rng, RngDef);

static const Field panic_rows[] = {FIELD_TEXT("@model", PanicDef, model), FIELD_INFO(PanicDef),
                                   FIELD_END};
ELEMENT_OF(panic, PanicDef);

static const Field memory_rows[] = {
    NUMBER("@model", MemoryDef, model), FIELD_SIZE("target/size", MemoryDef, size),
    NUMBER("target/node", MemoryDef, node), FIELD_INFO(MemoryDef), FIELD_END};
ELEMENT_OF(memory, MemoryDef);

static const Field vsock_rows[] = {FIELD_TEXT("@model", VsockDef, model), FIELD_INFO(VsockDef),
                                   FIELD_END};
ELEMENT_OF(vsock, VsockDef);

#define DEVICES(name, member, of) FIELD_LIST(name, DomainDef, member, n_##member, of##_abi)

static const Field device_rows[] = {DEVICES("disk", disks, disk),
                                    DEVICES("controller", controllers, controller),
                                    DEVICES("interface", interfaces, interface),
                                    DEVICES("chardev", chardevs, chardev),
                                    DEVICES("input", inputs, input),
                                    DEVICES("tpm", tpms, tpm),
                                    DEVICES("sound", sounds, sound),
                                    DEVICES("video", videos, video),
                                    DEVICES("watchdog", watchdogs, watchdog),
                                    FIELD_ONE("memballoon", DomainDef, memballoon, memballoon_abi),
                                    DEVICES("rng", rngs, rng),
                                    DEVICES("panic", panics, panic),
                                    DEVICES("memory", memories, memory),
                                    FIELD_PART("iommu", DomainDef, iommu, iommu_fields),
                                    FIELD_ONE("vsock", DomainDef, vsock, vsock_abi),
                                    FIELD_END};

static const Field domain_rows[] = {NUMBER("@type", DomainDef, virt),
                                    FIELD_TEXT("genid", DomainDef, genid),
                                    FIELD_SIZE("maxMemory", DomainDef, max_memory_kib),
                                    NUMBER("maxMemory@slots", DomainDef, memory_slots),
                                    FIELD_SIZE("memory", DomainDef, memory_kib),
                                    NUMBER("vcpu", DomainDef, n_vcpus_max),
                                    FIELD_TEXT("os/type@arch", DomainDef, os.arch),
                                    FIELD_PART("features", DomainDef, features, features_fields),
                                    FIELD_PART("cpu", DomainDef, cpu, cpu_fields),
                                    FIELD_GROUP("devices", device_rows),
                                    FIELD_END};
static const Element domain_abi = {"domain", sizeof(DomainDef), domain_rows, NULL, NULL};

bool domain_abi_equal(const DomainDef *a, const DomainDef *b, char path[ELEMENT_PATH_SIZE]) {
    size_t len;

    if (element_equal(&domain_abi, a, b, path))
        return true;
    len = strlen(path);
    if (len > 2 && strcmp(&path[len - 2], "/.") == 0) /* an element's own text */
        path[len - 2] = '\0';
    return false;
}
