# SPDX-License-Identifier: LGPL-2.1-or-later
"""Simulated domains below a test's vireod: tests/system's Daemon with QEMUs that are tests/sim/vireo-sim."""
import json
import os
import re
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../system"))
from conftest import Daemon, wait_for  # noqa: E402

os.environ["VIREOD_KVM"] = "/dev/null"  # a simulated QEMU needs none
Daemon.settings = ["user = root"]  # the simulator makes its control socket beside the monitor
MODERN = {"query-version": {"qemu": {"major": 9, "minor": 0, "micro": 0}, "package": ""},
          "query-kvm": {"present": True, "enabled": True}}


def emulator(daemon, name, behaviour):
    """The path of an emulator that behaves so. Its argv[0] is one that Daemon.qemus() knows."""
    path = f"{daemon.root}/{name}.emulator"
    with open(f"{path}.json", "w") as f:
        json.dump(behaviour, f)
    with open(path, "w") as f:
        f.write(f"#!/bin/bash\nexec -a qemu-system-simulated {sys.executable} -S {HERE}/vireo-sim "
                f"--behaviour {path}.json \"$@\"\n")
    os.chmod(path, 0o755)
    return path


def define(daemon, name, behaviour, maximum=8, current=1, arch="x86_64", machine="q35", extra_cpu="", kind="kvm",
           os_xml="", features=""):
    """kind: "qemu" has the quirks of QEMU without KVM (src/qemu/quirks.c), by the version in `replies`."""
    behaviour = {"replies": MODERN, "arch": arch, **behaviour}
    path = emulator(daemon, name, behaviour)
    xml = f"""<domain type='{kind}'><name>{name}</name><memory unit='MiB'>64</memory>
  <vcpu current='{current}'>{maximum}</vcpu>
  <os><type arch='{arch}' machine='{machine}'>hvm</type>{os_xml}</os>
  {f"<features><acpi/>{features}</features>" if arch == "x86_64" else ""}{extra_cpu}
  <devices><emulator>{path}</emulator><memballoon model='none'/></devices></domain>"""
    with open(f"{daemon.root}/{name}.xml", "w") as f:
        f.write(xml)
    daemon.virsh("define", f"{daemon.root}/{name}.xml")


def start(daemon, name, behaviour=None, **options):
    define(daemon, name, behaviour or {}, **options)
    daemon.virsh("start", name)


def plug_by_hand(daemon, name, vcpu, alias):
    """What somebody does past vireod, by the monitor, with the CPU type that QEMU names."""
    def command(**line):
        return json.loads(daemon.virsh("qemu-monitor-command", name, json.dumps(line)))
    cpu = command(execute="query-hotpluggable-cpus")["return"][0]["type"]
    added = command(execute="device_add",
                    arguments={"driver": cpu, "id": alias, "socket-id": vcpu, "core-id": 0, "thread-id": 0})
    assert "error" not in added, added


def ask(daemon, name, **request):
    """The simulator's truth; `set` changes its behaviour, `replace` all of it, `release` wakes a silent guest."""
    with open(f"{daemon.root}/run/domains/{name}.xml") as f:
        monitor = re.search(r'<monitor path="([^"]+)"', f.read()).group(1)
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(monitor + ".ctl")
        s.sendall(json.dumps(request).encode() + b"\n")
        with s.makefile() as stream:
            return json.loads(stream.readline())


def online(daemon, name):
    """The vCPUs that vireod says are online."""
    xml = daemon.virsh("dumpxml", name)
    found = re.findall(r"<vcpu id='(\d+)' enabled='(yes|no)'", xml)
    if found:
        return [int(i) for i, enabled in found if enabled == "yes"]
    current = re.search(r"<vcpu[^>]*?(?: current='(\d+)')?>(\d+)</vcpu>", xml)
    return list(range(int(current.group(1) or current.group(2))))


def sent(daemon, name):
    """The vCPU commands QEMU has received: [["device_add", "vcpu1"], ...]."""
    return [row for row in ask(daemon, name, log=True)["log"] if row[0] in ("device_add", "device_del", "cpu-add")]


def agree(daemon, name, seconds=10):
    """Waits until vireod and the simulator see the same vCPUs."""
    wait_for(lambda: online(daemon, name) == ask(daemon, name)["online"], seconds,
             f"agreement on '{name}': {online(daemon, name)} and {ask(daemon, name)['online']}")
