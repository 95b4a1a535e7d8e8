# SPDX-License-Identifier: LGPL-2.1-or-later
"""The simulator against a real QEMU: the same entities, the same threads' paths, the same errors."""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from record import conversation  # noqa: E402

SIM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vireo-sim")
X86 = ["-machine", "q35,accel=tcg", "-cpu", "max"]
QUERIES = [{"execute": "query-hotpluggable-cpus"}, {"execute": "query-cpus-fast"}]


def simulated(arch, argv, commands):
    with tempfile.TemporaryDirectory(prefix="vireo-model.", dir="/tmp") as directory:
        path = f"{directory}/behaviour"
        with open(path, "w") as f:
            json.dump({"arch": arch}, f)
        return conversation([sys.executable, SIM, "--behaviour", path, *argv], commands)[1:]


def real(arch, argv, commands):
    if not shutil.which(f"qemu-system-{arch}"):
        pytest.skip(f"SKIP: qemu-system-{arch} is not installed")
    return conversation([f"qemu-system-{arch}", *argv], commands)[1:]


def comparable(answers):
    """Without what differs between two runs of one QEMU, or by boot devices."""
    found = json.loads(json.dumps(answers))
    for answer in found:
        for row in answer["return"] if isinstance(answer.get("return"), list) else ():
            row.pop("thread-id", None)
            if row.get("qom-path", "").startswith("/machine/unattached/"):
                row["qom-path"] = "/boot" + ("/thread" if "/thread[" in row["qom-path"] else "")
            for key in ("halted", "cpu-state", "configured", "cpu-index", "qom-type"):
                row.pop(key, None)
    return found


def compare(arch, argv, commands):
    assert comparable(simulated(arch, argv, commands)) == comparable(real(arch, argv, commands))


@pytest.mark.parametrize("smp", ["1,maxcpus=8,sockets=8,cores=1,threads=1", "2,maxcpus=8,sockets=2,cores=2,threads=2",
                                 "1,maxcpus=16,sockets=2,dies=2,cores=2,threads=2"])
def test_entities_on_x86(smp):
    compare("x86_64", [*X86, "-smp", smp], QUERIES)


def test_plug_and_errors_on_x86():
    props = {"driver": "max-x86_64-cpu", "core-id": 0, "thread-id": 0}
    commands = [{"execute": "device_add", "arguments": {**props, "id": "vcpu3", "socket-id": 3}}, *QUERIES,
                {"execute": "device_add", "arguments": {**props, "id": "vcpu3", "socket-id": 2}},
                {"execute": "device_add", "arguments": {**props, "id": "vcpu9", "socket-id": 3}},
                {"execute": "device_add", "arguments": {**props, "id": "vcpu2", "driver": "nonsense"}},
                {"execute": "device_add", "arguments": {"driver": "max-x86_64-cpu", "id": "vcpu2"}},
                {"execute": "device_del", "arguments": {"id": "nope"}}, {"execute": "nope"},
                {"execute": "query-status"}]
    compare("x86_64", [*X86, "-smp", "1,maxcpus=4,sockets=4,cores=1,threads=1"], commands)


def test_cores_on_power():
    """One thread each: QEMU's TCG has no cores of more on pseries."""
    argv = ["-machine", "pseries,accel=tcg", "-cpu", "power10", "-smp", "1,maxcpus=8,sockets=1,cores=8,threads=1"]
    commands = [*QUERIES, {"execute": "device_add", "arguments": {"driver": "power10_v2.0-spapr-cpu-core",
                                                                  "id": "vcpu4", "core-id": 4, "node-id": 0}}, *QUERIES]
    compare("ppc64", argv, commands)


def test_cpus_on_s390x():
    argv = ["-machine", "s390-ccw-virtio,accel=tcg", "-cpu", "qemu", "-smp", "1,maxcpus=4"]
    commands = [*QUERIES, {"execute": "device_add", "arguments": {"driver": "qemu-s390x-cpu", "id": "vcpu2",
                                                                  "core-id": 2}}, *QUERIES]
    compare("s390x", argv, commands)
