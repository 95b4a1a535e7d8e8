# SPDX-License-Identifier: LGPL-2.1-or-later
"""OpenStack Nova's own libvirt driver (python3-nova) at its day's work, here and beside a private libvirtd."""
import os
import re
import subprocess
import tempfile

import pytest

from conftest import GUEST, HERE, TABLE

BRIDGE = "vireo-nova0"
PYTHON = "/usr/bin/python3"


@pytest.fixture(autouse=True)
def nova():
    if subprocess.run([PYTHON, "-c", "import nova.virt.libvirt"], capture_output=True).returncode:
        pytest.skip("SKIP: python3-nova is not installed: tests/clients/run-all installs it")


@pytest.fixture
def bridge():
    """What Neutron has made before an instance comes."""
    subprocess.run(["ip", "link", "add", BRIDGE, "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "link", "set", BRIDGE, "up"], check=True)
        yield BRIDGE
    finally:
        subprocess.run(["ip", "link", "del", BRIDGE], check=True)


def day(daemon, other, bridge):
    """{step: "ok" or why not} of nova-day there, and all that it said."""
    here, there = os.path.basename(daemon.root), os.path.basename(other.root)  # as names of hosts
    with tempfile.TemporaryDirectory(prefix="vireo-nova.", dir="/tmp") as directory:
        os.chmod(directory, 0o755)
        result = subprocess.run([PYTHON, f"{HERE}/nova-day", "--uri", daemon.uri, "--dir", directory, "--guest", GUEST,
                                 "--bridge", bridge, "--to", daemon.uri.replace(here, "%s"), there],
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1800)
    rows = re.findall(r"^(ok|FAILED) (\w+)(?:: (.*))?", result.stdout, re.M)
    return {step: why if word == "FAILED" else "ok" for word, step, why in rows}, result.stdout + result.stderr


@pytest.mark.client("OpenStack Nova", "python3-nova", "its libvirt driver's day, to the end")
def test_a_day_of_nova(daemon, other, guest, bridge):
    steps, said = day(daemon, other, bridge)
    for step, result in steps.items():
        TABLE.add(("OpenStack Nova", "python3-nova", f"driver: {step}"), daemon.side,
                  "ok" if result == "ok" else f"fails: {result}")
    assert "destroy" in steps and set(steps.values()) == {"ok"}, said[-6000:]
    assert daemon.virsh("list", "--all", "--name").strip() == ""
