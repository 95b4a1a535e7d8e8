# SPDX-License-Identifier: LGPL-2.1-or-later
"""After a reboot of the host, which test_before_reboot.py has prepared."""
import os

from conftest import Daemon, unit, wait_for
from test_before_reboot import IMAGE
from test_package import check_nobody


def test_what_is_to_run_runs():
    """Without anybody's call: the domains marked for autostart, and what ran and was saved when the host went down."""
    host = Daemon()
    wait_for(lambda: set(host.qemus()) == {"starts", "ran", "passes"}, 60,
             lambda: f"guests after the reboot, but {host.qemus()}: {host.log()}")
    assert unit("vireod.service", "ActiveState") == "active"
    for name in "starts", "ran":
        wait_for(lambda: host.virsh("domstate", name).strip() == "running", 60, f"'{name}' that runs")
        check_nobody(host, name)
        host.virsh("setvcpus", name, "2", "--live")
        assert host.counts(name)[("current", "live")] == 2
    assert host.virsh("domstate", "off").strip() == "shut off"
    assert host.virsh("dominfo", "ran").count("Managed save:   no") == 1


def test_a_transient_disk():
    """Whatever the host's end left of its overlay, there is a new one."""
    host = Daemon()
    assert os.path.exists(IMAGE + ".TRANSIENT-passes")
    host.virsh("destroy", "passes")
    assert not os.path.exists(IMAGE + ".TRANSIENT-passes")
    host.virsh("undefine", "passes")
    os.unlink(IMAGE)
