# SPDX-License-Identifier: LGPL-2.1-or-later
"""What test_reboot.py finds after it."""
from conftest import UNITS, Daemon, run


def test_prepare():
    """One that is to start with the host, one that runs and is brought back by vireo-guests, and one that is off."""
    host = Daemon()
    run("systemctl", "enable", "--now", *UNITS, "vireo-guests.service")
    for name in "starts", "ran", "off":
        host.define(name, maximum=2)
    host.virsh("autostart", "starts")
    host.virsh("start", "ran")
    assert set(host.qemus()) == {"ran"}
