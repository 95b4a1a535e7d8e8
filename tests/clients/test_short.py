# SPDX-License-Identifier: LGPL-2.1-or-later
"""What only ./check's suite clients runs: less of what tests/nightly runs whole."""
import subprocess
import sys

import pytest

from conftest import HERE, private_libvirtd
from test_clients import run
from test_programs import EXAMPLES, installed, machine


@pytest.mark.short
@pytest.mark.client("virsh", "libvirt-clients", "command lines of which no guest is needed, beside libvirtd", beside="it is in it")
def test_virsh_beside_libvirtd():
    if not private_libvirtd.LIBVIRTD:
        pytest.skip("SKIP: libvirtd is not installed: scripts/packages clients installs it")
    done = subprocess.run([sys.executable, f"{HERE}/differ", "--short"], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=280)
    print("figure: virsh beside libvirtd:", done.stdout.splitlines()[-1] if done.stdout else "")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@pytest.mark.short
@pytest.mark.client("libsys-virt-perl", "libsys-virt-perl", "six examples on one guest")
def test_perl_examples(daemon, guest):
    """Three that look at the host and three that look at the guest; nightly has each alone."""
    machine(daemon)
    for example, words, said in (("auth", [], "VMM type: QEMU"), ("node-cpu", [], ""), ("hv-stat", [], ""),
                                 ("dump-info", [], "vm1"), ("dom-stats", ["vm1"], "State: 1"), ("vcpuinfo", [], "")):
        assert said in run(daemon, "perl", installed(f"{EXAMPLES}/{example}.pl"), daemon.uri, *words)


PYTHON = """
import sys, libvirt
c = libvirt.open(sys.argv[1])
d = c.lookupByName("vm1")
assert d.isActive() and d.info()[3] == 2
d.setVcpusFlags(3, libvirt.VIR_DOMAIN_AFFECT_LIVE)
assert len(d.vcpus()[0]) == 3 and d.blockInfo("vda")[0] == 1 << 20
stats = c.getAllDomainStats()[0][1]
assert stats["vcpu.current"] == 3 and stats["block.count"] == 1, stats
d.suspend()
d.resume()
print("done", d.state()[0])
"""


@pytest.mark.short
@pytest.mark.client("python3-libvirt", "python3-libvirt", "looks, a vCPU plugged, statistics, suspend")
def test_python(daemon, guest):
    machine(daemon)
    assert "done 1" in run(daemon, "/usr/bin/python3", "-c", PYTHON, daemon.uri)
    daemon.wait_online("vm1", "0-2")


@pytest.mark.short
@pytest.mark.client("OpenStack Nova", "python3-libvirt", "the calls of its driver at the start and for the inventory")
def test_calls_of_nova(daemon, guest):
    daemon.boot("vm1", current=2)
    said = run(daemon, f"{HERE}/nova-calls", daemon.uri)
    assert said.count("ok ") == 5, said
