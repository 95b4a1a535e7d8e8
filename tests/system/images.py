# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks whose images change while they are used: made, written to and looked at."""
import json
import os
import re
import subprocess
import xml.etree.ElementTree as ElementTree

MIB = 1 << 20


def image(path, backing=None, size="16M", form="qcow2"):
    below = ["-b", backing, "-F", "qcow2"] if backing else []
    subprocess.run(["qemu-img", "create", "-q", "-f", form, *below, path, *([] if backing else [size])], check=True)
    return path


def disk(path, target="vda", more="", form="qcow2"):
    return (f"<disk type='file'><driver name='qemu' type='{form}'/><source file='{path}'/>{more}"
            f"<target dev='{target}' bus='virtio'/></disk>")


def qmp(daemon, name, command, **arguments):
    text = json.dumps({"execute": command, "arguments": arguments})
    return json.loads(daemon.virsh("qemu-monitor-command", name, text))["return"]


def node_names(daemon, name):
    return {node["node-name"] for node in qmp(daemon, name, "query-named-block-nodes", flat=True)}


def io(daemon, name, words, alias="virtio-disk0"):
    """One command of qemu-io on what the guest has."""
    said = daemon.virsh("qemu-monitor-command", name, "--hmp",
                        f"qemu-io -d /machine/peripheral/{alias}/virtio-backend \"{words}\"")
    assert "rror" not in said and "failed" not in said and "invalid" not in said, said
    return said


def write(daemon, name, pattern, at=0, length=MIB):
    io(daemon, name, f"write -P {pattern} {at} {length}")
    io(daemon, name, "flush")


def holds(daemon, name, pattern, at=0, length=MIB):
    """What the guest reads: QEMU prints it to its own output, which is its log, and not into the answer."""
    path = f"{daemon.root}/log/qemu/{name}.log"
    before = os.path.getsize(path)
    io(daemon, name, f"read -P {pattern} {at} {length}")
    with open(path) as log:
        log.seek(before)
        said = log.read()
    assert f"read {length}/{length} bytes" in said and "failed" not in said, said


def file_holds(path, pattern, at=0, length=MIB):
    said = subprocess.run(["qemu-io", "-U", "-r", "-f", "qcow2", "-c", f"read -P {pattern} {at} {length}", path],
                          capture_output=True, text=True, check=False)
    return said.returncode == 0 and "failed" not in said.stdout


def chain(daemon, name, target="vda", inactive=False):
    """The images of a disk, as the XML names them; "end" when it says that nothing is below the last."""
    text = daemon.virsh("dumpxml", name, *(["--inactive"] if inactive else []))
    at = next(disk for disk in ElementTree.fromstring(text).iter("disk") if disk.find("target").get("dev") == target)
    files = []
    while at is not None:
        source = at.find("source")
        files.append("end" if source is None else source.get("file"))
        at = at.find("backingStore")
    return files


def slow(daemon, name, target="vda", words=("blockcommit",), more=()):
    """Begins a job that is not ready for minutes."""
    return daemon.virsh(*words, name, target, *more, "--bandwidth", "1", "--bytes")


def job(daemon, name, target="vda"):
    """{"type": …, "cur": …}, or {}: there is none."""
    text = daemon.virsh("blockjob", name, target, "--raw")
    return dict(re.findall(r"(\w+)=(.*)", text))
