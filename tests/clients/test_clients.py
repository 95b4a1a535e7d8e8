# SPDX-License-Identifier: LGPL-2.1-or-later
"""Other people's programs, unmodified, each at its normal job. One that is not installed is skipped;
tests/clients/run-all installs them first."""
import glob
import os
import shutil
import socket
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../system"))
from conftest import daemon, wait_for  # noqa: E402,F401


def program(name):
    if not shutil.which(name):
        pytest.skip(f"SKIP: {name} is not installed: tests/clients/run-all installs it")
    return shutil.which(name)


def run(daemon, *words, ok=True):
    result = subprocess.run(list(map(str, words)), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90,
                            env={**os.environ, "HOME": daemon.root})
    assert (result.returncode == 0) == ok, f"{words}: {result.stdout[-1000:]}{result.stderr[-1000:]}"
    return result.stdout


def install(daemon, name, *words, ok=True):
    return run(daemon, program("virt-install"), "--connect", daemon.uri, "--name", name, "--memory", 64, "--virt-type",
               "qemu", "--noautoconsole", "--osinfo", "detect=off,require=off", *words, ok=ok)


def disk(daemon, name="a.qcow2"):
    os.makedirs(f"{daemon.root}/disks", exist_ok=True)
    path = f"{daemon.root}/disks/{name}"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "64M"], check=True)
    return path


def test_virt_install_imports_a_disk(daemon):
    path = disk(daemon)
    install(daemon, "i1", "--import", "--disk", f"path={path}", "--network", "none", "--graphics", "none")
    assert daemon.virsh("domstate", "i1").strip() == "running"
    assert path in daemon.virsh("domblklist", "i1")
    assert "disks" in daemon.virsh("pool-list")  # it makes a pool of the disk's directory


def test_virt_install_makes_a_disk(daemon):
    install(daemon, "i2", "--import", "--disk", f"size=1,path={daemon.root}/new.qcow2", "--network", "user",
            "--graphics", "vnc")
    assert os.path.exists(f"{daemon.root}/new.qcow2")
    assert "vnc" in daemon.virsh("domdisplay", "i2")
    assert daemon.virsh("domstate", "i2").strip() == "running"


def test_virt_install_boots_by_network(daemon):
    install(daemon, "i3", "--pxe", "--disk", "none", "--network", "user", "--graphics", "none")
    assert "user" in daemon.virsh("domiflist", "i3")


def test_virt_xml_changes_a_definition(daemon):
    daemon.define("vm1", boot=False)
    edit = [program("virt-xml"), "-c", daemon.uri, "vm1"]
    run(daemon, *edit, "--edit", "--vcpus", "3", "--define")
    run(daemon, *edit, "--edit", "--metadata", "title=edited", "--define")
    run(daemon, *edit, "--add-device", "--network", "user", "--define")
    xml = daemon.virsh("dumpxml", "vm1")
    assert ">3</vcpu>" in xml and "<title>edited</title>" in xml and "<interface type='user'>" in xml


def test_virt_clone_copies_a_disk(daemon):
    path = disk(daemon)
    daemon.define("vm1", boot=False, extra=f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{path}'/>"
                                           "<target dev='vda'/></disk>")
    run(daemon, program("virt-clone"), "--connect", daemon.uri, "--original", "vm1", "--name", "vm2", "--auto-clone")
    clones = [p for p in glob.glob(f"{daemon.root}/disks/*") if p != path]
    assert len(clones) == 1 and clones[0] in daemon.virsh("domblklist", "vm2")


def test_what_is_told_is_valid(daemon):
    validate = program("virt-xml-validate")
    daemon.define("vm1", boot=False)
    for schema, command in (("domain", ["dumpxml", "vm1"]), ("capability", ["capabilities"]),
                            ("domaincaps", ["domcapabilities"])):
        path = f"{daemon.root}/{schema}.xml"
        with open(path, "w") as f:
            f.write(daemon.virsh(*command))
        run(daemon, validate, path, schema)


def test_exporter_is_up(daemon):
    exporter = program("prometheus-libvirt-exporter")
    daemon.paused("vm1", extra=f"<disk type='file'><source file='{disk(daemon)}'/><target dev='vda'/></disk>")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([exporter, "--libvirt.uri", daemon.uri, "--web.listen-address", f"127.0.0.1:{port}"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def metrics():
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as s:
                s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                text = b""
                while piece := s.recv(65536):
                    text += piece
                return text.decode()
        except OSError:
            return ""
    try:
        text = wait_for(metrics, 20, "answer of the exporter")
        assert "libvirt_up 1" in text and 'libvirt_domain_block_stats_read_bytes_total{' in text
    finally:
        process.kill()
        process.wait()


def test_qmp_proxy(daemon):
    proxy = program("virt-qemu-qmp-proxy")
    daemon.paused("vm1")
    path = f"{daemon.root}/qmp.sock"
    process = subprocess.Popen(["/usr/bin/python3", proxy, "-c", daemon.uri, "vm1", path], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: os.path.exists(path), 20, "socket of the proxy")
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(path)
            talk = s.makefile("rw")
            assert "QMP" in talk.readline()
            for command in ("qmp_capabilities", "query-status"):
                talk.write(f'{{"execute":"{command}"}}\n')
                talk.flush()
                answer = talk.readline()
                assert '"return"' in answer, answer
    finally:
        process.kill()
        process.wait()
