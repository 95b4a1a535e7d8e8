# SPDX-License-Identifier: LGPL-2.1-or-later
"""virt-manager on a screen of its own: what a person does with a domain there."""
import os
import shutil
import subprocess

import pytest

from conftest import HERE, picture

NEEDS = ("virt-manager", "xvfb-run", "dbus-run-session")


@pytest.fixture(autouse=True)
def installed():
    for name in NEEDS:
        if not shutil.which(name):
            pytest.skip(f"SKIP: {name} is not installed: tests/clients/run-all installs it")


def use_virt_manager(uri, name, vcpus, directory):
    """What virt-manager-day says: the steps that it came through."""
    environment = {**os.environ, "XDG_RUNTIME_DIR": directory, "NO_AT_BRIDGE": "0"}
    result = subprocess.run(["xvfb-run", "-a", "-s", "-screen 0 1400x900x24", "dbus-run-session", "--",
                             f"{HERE}/virt-manager-day", uri, name, str(vcpus), directory], env=environment,
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    steps = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("ok ")]
    assert result.returncode == 0, f"came through {steps}: {result.stdout[-1500:]}{result.stderr[-3000:]}"
    return steps


@pytest.mark.client("virt-manager", "virt-manager", "list, details, another number of vCPUs, under Xvfb")
def test_virt_manager(daemon, guest):
    daemon.boot("vm1", maximum=4, current=4)
    assert use_virt_manager(daemon.uri, "vm1", 3, daemon.root) == ["details", "vcpus", "list"]
    counts = daemon.counts("vm1")  # it never plugs: the definition has them, the machine after its next start
    assert counts["current", "config"] == counts["maximum", "config"] == 3
    assert counts["current", "live"] == 4
    for word in "details", "list":
        path = f"{daemon.root}/virt-manager-{word}.png"
        assert os.path.getsize(path) > 10000
        os.rename(path, f"{path[:-4]}-{daemon.side}.png")
        picture(f"{path[:-4]}-{daemon.side}.png")
