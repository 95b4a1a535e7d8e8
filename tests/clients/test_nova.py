# SPDX-License-Identifier: LGPL-2.1-or-later
"""OpenStack Nova's own libvirt driver (python3-nova) at its day's work, here and beside a private libvirtd."""
import os
import re
import subprocess
import sys
import tempfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../system"), os.path.join(HERE, "../bench")]
import private_libvirtd  # noqa: E402
from conftest import GUEST, daemon, guest  # noqa: E402,F401

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


def day(uri, bridge):
    """{step: "ok" or why not} of nova-day there, and all that it said."""
    with tempfile.TemporaryDirectory(prefix="vireo-nova.", dir="/tmp") as directory:
        os.chmod(directory, 0o755)
        result = subprocess.run([PYTHON, f"{HERE}/nova-day", "--uri", uri, "--dir", directory, "--guest", GUEST, "--bridge",
                                 bridge], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1500)
    rows = re.findall(r"^(ok|FAILED) (\w+)(?:: (.*))?", result.stdout, re.M)
    return {step: why if word == "FAILED" else "ok" for word, step, why in rows}, result.stdout + result.stderr


def test_a_day_of_nova(daemon, guest, bridge):
    here, said = day(daemon.uri, bridge)
    print("\n".join(f"nova {step}: {result}" for step, result in here.items()))
    assert "destroy" in here and set(here.values()) == {"ok"}, said[-6000:]
    assert daemon.virsh("list", "--all", "--name").strip() == ""


def test_the_same_day_on_libvirtd(guest, bridge):
    """Nothing is asked of it but that it ends: what does not work there is named beside ours."""
    if not private_libvirtd.LIBVIRTD:
        pytest.skip("SKIP: libvirtd is not installed: tests/clients/run-all installs it")
    there = private_libvirtd.Libvirtd()
    try:
        rows, _ = day(there.uri, bridge)
    finally:
        there.stop()
    print("\n".join(f"nova {step}, libvirtd: {result}" for step, result in rows.items()))
    assert rows
