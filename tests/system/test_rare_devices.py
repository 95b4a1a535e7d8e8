# SPDX-License-Identifier: LGPL-2.1-or-later
"""What few machines have, by real QEMUs."""
import json
import os
import re

import pytest

AARCH64 = "/usr/bin/qemu-system-aarch64"


def property_of(daemon, name, path, key):
    reply = json.loads(daemon.virsh("qemu-monitor-command", name, json.dumps(
        {"execute": "qom-get", "arguments": {"path": path, "property": key}})))
    return reply.get("return", reply)


# ---- IOMMUs ----

def test_a_virtio_iommu(daemon, guest):
    """It has the address of its definition, and what is behind it says so; the guest boots with it."""
    daemon.boot("g", extra="<iommu model='virtio'/><rng model='virtio'><backend model='random'/><driver iommu='on'/></rng>")
    kept, live = daemon.virsh("dumpxml", "--inactive", "g"), daemon.virsh("dumpxml", "g")
    address = re.search(r"<iommu model='virtio'>\s*(<address type='pci' domain='0x0000' bus='0x00' slot='0x(..)' "
                        r"function='0x0'/>)\s*</iommu>", kept)
    assert re.search(r"<iommu model='virtio'>\s*<alias name='iommu0'/>\s*" + re.escape(address[1]), live)
    assert property_of(daemon, "g", "/machine/peripheral/iommu0", "type") == "virtio-iommu-pci"
    assert property_of(daemon, "g", "/machine/peripheral/iommu0", "addr") == int(address[2], 16) << 3
    assert property_of(daemon, "g", "/machine/peripheral/rng0", "iommu_platform") is True


@pytest.mark.parametrize("model", ["smmuv3", "virtio"])
def test_an_iommu_of_arm(daemon, model):
    if not os.path.exists(AARCH64) or not os.path.exists("/usr/share/AAVMF"):
        pytest.skip("SKIP: qemu-system-arm and qemu-efi-aarch64 are not installed")
    path = f"{daemon.root}/arm.xml"
    with open(path, "w") as f:
        f.write(f"<domain type='qemu'><name>arm</name><memory unit='MiB'>64</memory><os firmware='efi'><type arch='aarch64' "
                f"machine='virt'>hvm</type></os><features><acpi/></features><devices><memballoon model='none'/>"
                f"<iommu model='{model}'/></devices></domain>")
    daemon.virsh("define", path)
    daemon.virsh("start", "arm", "--paused")
    if model == "smmuv3":
        assert property_of(daemon, "arm", "/machine", "iommu") == "smmuv3"
    else:  # one of another model that is asked for the first one ends QEMU 7.2
        assert property_of(daemon, "arm", "/machine/peripheral/iommu0", "type") == "virtio-iommu-pci"
