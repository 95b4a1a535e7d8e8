# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is left when the packages are purged: nothing that listens or names them, what guests and people own."""
import glob
import os
import signal

import pytest

from conftest import UNITS, Daemon, run, unit

LIBVIRT = [f"vireod-libvirt{kind}.socket" for kind in ("", "-ro", "-admin")]
IMAGE = "/var/lib/vireo/images/precious.raw"

pytestmark = pytest.mark.skipif(not glob.glob("/payload/packages/*.deb"), reason="SKIP: no packages were brought (--packages)")


def links():
    """What systemd would start of them."""
    return [path for pattern in ("vireo*", "*/vireo*") for path in glob.glob(f"/etc/systemd/system/{pattern}")]


def test_purge():
    """With the optional sockets enabled, a guest that can be saved and one that cannot."""
    host = Daemon()
    run("systemctl", "enable", "--now", *UNITS, "vireo-guests.service")
    run("systemctl", "stop", "vireod.service")
    run("systemctl", "enable", "--now", LIBVIRT[0])
    host.paused("kept")
    with open("/run/brief.xml", "w") as f:
        f.write(host.xml("brief"))
    host.virsh("create", "/run/brief.xml", "--paused")
    os.makedirs(os.path.dirname(IMAGE), exist_ok=True)
    with open(IMAGE, "w") as f:
        f.write("precious")
    brief = host.qemus()["brief"]
    assert os.path.exists("/run/libvirt/libvirt-sock") and links()
    try:
        run("dpkg", "--purge", "vireo-daemon")
        assert set(host.qemus()) == {"brief"}  # guests outlive the daemon
        for name in [*UNITS, *LIBVIRT, "vireo-guests.service"]:
            ended = ("inactive", "failed") if name == "vireo-guests.service" else ("inactive",)  # it says that 'brief' is not saved
            assert unit(name, "ActiveState") in ended and unit(name, "LoadState") == "not-found", name
        sockets = glob.glob("/run/libvirt/*sock*") + glob.glob("/run/vireo/*sock*")
        assert not sockets and not links()
        left = [path for path in glob.glob("/var/lib/vireo/**", recursive=True) if not os.path.isdir(path)]
        assert left == [IMAGE]
        for path in "/etc/vireo", "/var/log/vireo", "/run/vireo", "/usr/libexec/vireo", "/usr/sbin/vireod":
            assert not os.path.exists(path), path
        assert run("dpkg-query", "-W", "-f", "${Status}", "vireo-daemon", ok=None).stdout in ("", "unknown ok not-installed")
    finally:
        os.kill(brief, signal.SIGKILL)
        os.unlink(IMAGE)
