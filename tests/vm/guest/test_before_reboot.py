# SPDX-License-Identifier: LGPL-2.1-or-later
"""What test_reboot.py finds after it."""
import os

from conftest import UNITS, Daemon, run

IMAGE = "/var/lib/vireo/transient.raw"


def test_prepare():
    """One that is to start with the host, one that runs and is brought back by vireo-guests, and one that is off. One
    with a transient disk cannot be saved: it ends with the host, and starts again."""
    host = Daemon()
    run("systemctl", "enable", "--now", *UNITS, "vireo-guests.service")
    for name in "starts", "ran", "off":
        host.define(name, maximum=2)
    host.virsh("autostart", "starts")
    host.virsh("start", "ran")
    with open(IMAGE, "wb") as f:
        f.truncate(1 << 20)
    host.define("passes", extra=f"<disk type='file'><source file='{IMAGE}'/><target dev='vda' bus='virtio'/><transient/></disk>")
    host.virsh("start", "passes")
    assert set(host.qemus()) == {"ran", "passes"} and os.path.exists(IMAGE + ".TRANSIENT-passes")
