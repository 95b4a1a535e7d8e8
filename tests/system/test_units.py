# SPDX-License-Identifier: LGPL-2.1-or-later
"""The systemd units, as `meson install` puts them down."""
import os
import re
import shutil
import subprocess

import pytest

from conftest import BUILD


def test_verify(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("SKIP: systemd-analyze is not installed (package systemd)")
    units = []
    for name in ("vireod.service", "vireod.socket", "vireod-ro.socket", "vireod-admin.socket", "vireod-libvirt.socket",
                 "vireod-libvirt-ro.socket", "vireod-libvirt-admin.socket"):
        with open(os.path.join(BUILD, "daemon/units", name)) as f:
            text = f.read()
        if name == "vireod.service":
            # the program has to exist where the unit names it
            line = next(l for l in text.splitlines() if l.startswith("ExecStart="))
            text = text.replace(line, f"ExecStart={os.path.abspath(os.path.join(BUILD, 'daemon/vireod'))}")
            assert "Type=notify" in text and "KillMode=process" in text
        path = tmp_path / name
        path.write_text(text)
        units.append(str(path))
    result = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert not [l for l in result.stderr.splitlines() if "vireod" in l], result.stderr


def test_exposure(tmp_path):
    """What `systemd-analyze security` makes of it; whatever it says against the unit is explained there."""
    done = subprocess.run(["systemd-analyze", "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True) \
        if shutil.which("systemd-analyze") else None
    if not done or int(done.stdout.split()[1]) < 250:
        pytest.skip("SKIP: no systemd-analyze that reads a unit's file (systemd 250)")
    with open(os.path.join(BUILD, "daemon/units/vireod.service")) as f:
        text = f.read()
    line = next(l for l in text.splitlines() if l.startswith("ExecStart="))
    (tmp_path / "vireod.service").write_text(text.replace(line, "ExecStart=/bin/true"))
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                           str(tmp_path / "vireod.service")], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    exposure = float(re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout).group(1))
    assert exposure <= 5.2, done.stdout


def test_socket_activation(tmp_path):
    """A socket passed by systemd (systemd-socket-activate stands in) is served."""
    program = shutil.which("systemd-socket-activate")
    if not program:
        pytest.skip("SKIP: systemd-socket-activate is not installed (package systemd)")
    socket_path = f"{tmp_path}/activated"
    process = subprocess.Popen([program, "-l", socket_path, os.path.join(BUILD, "daemon/vireod"),
                                "--root", str(tmp_path / "root")],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        from conftest import wait_for
        wait_for(lambda: os.path.exists(socket_path), 10, "activation socket")
        result = subprocess.run(["virsh", "-c", f"qemu+unix:///system?socket={socket_path}", "list", "--all"],
                                capture_output=True, text=True, timeout=30)
        assert result.returncode == 0, result.stderr
    finally:
        process.terminate()
        try:
            process.wait(10)
        finally:
            process.kill()


@pytest.mark.parametrize("libvirts", [False, True])
def test_activated_readonly_socket(tmp_path, libvirts):
    """Of the sockets the units pass, the read-only one stays read-only, and the admin program is on its own."""
    program = shutil.which("systemd-socket-activate")
    if not program:
        pytest.skip("SKIP: systemd-socket-activate is not installed (package systemd)")
    from conftest import wait_for
    root = str(tmp_path / "root")
    os.makedirs(f"{root}/run")
    name = "libvirt" if libvirts else "vireo"  # where libvirt has them
    sockets = [f"{root}/run/{name}-sock", f"{root}/run/{name}-sock-ro", f"{root}/run/{name}-admin-sock"]
    definition = tmp_path / "x.xml"
    definition.write_text("<domain type='qemu'><name>x</name><memory>65536</memory><vcpu>1</vcpu><os>"
                          "<type arch='x86_64' machine='q35'>hvm</type></os></domain>")
    process = subprocess.Popen([program, "-l", sockets[0], "-l", sockets[1], "-l", sockets[2],
                                os.path.join(BUILD, "daemon/vireod"), "--root", root],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def virsh(path, *arguments):
        return subprocess.run(["virsh", "-c", f"qemu+unix:///system?socket={path}", *arguments],
                              capture_output=True, text=True, timeout=30)
    try:
        wait_for(lambda: all(os.path.exists(s) for s in sockets), 10, "activation sockets")
        refused = virsh(sockets[1], "define", str(definition))
        assert refused.returncode == 1 and "read only" in refused.stderr, refused
        accepted = virsh(sockets[0], "define", str(definition))
        assert accepted.returncode == 0, accepted
        seen = virsh(sockets[1], "list", "--all", "--name")
        assert seen.stdout.split() == ["x"], seen
        asked = subprocess.run(["virt-admin", "-c", f"libvirtd:///system?socket={sockets[2]}", "server-list"],
                               capture_output=True, text=True, timeout=30)
        assert asked.returncode == 0 and "vireod" in asked.stdout, asked
    finally:
        process.terminate()
        try:
            process.wait(10)
        finally:
            process.kill()
