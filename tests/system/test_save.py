# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests saved to files and brought back: with the vCPUs they have, as one truth whatever dies meanwhile."""
import glob
import json
import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess

import pytest

from conftest import HOLES, wait_for


def files(daemon):
    return sorted(os.path.basename(p) for p in glob.glob(f"{daemon.root}/lib/save/*"))


def online_ids(daemon, name):
    return [line.split()[1] for line in daemon.virsh("vcpuinfo", name).splitlines() if line.startswith("VCPU:")]


def answers(daemon, name):
    """The guest runs: it sees a new CPU."""
    before = daemon.said(name, "ONLINE")
    daemon.virsh("setvcpus", name, "4", "--live")
    wait_for(lambda: daemon.said(name, "ONLINE") > before, 60, "guest that sees a new CPU")


def test_managed_save_keeps_plugged_vcpus(daemon, guest):
    daemon.boot("vm1", maximum=4, current=1, cmdline=HOLES)
    daemon.virsh("setvcpu", "vm1", "3", "--enable")
    daemon.virsh("setvcpu", "vm1", "1", "--enable")
    daemon.wait_online("vm1", "0-2")  # it counts them as they come
    daemon.virsh("vcpupin", "vm1", "3", "0", "--live")
    daemon.virsh("managedsave", "vm1")
    assert daemon.virsh("domstate", "vm1", "--reason").strip() == "shut off (saved)"
    assert files(daemon) == ["vm1.save"]
    assert not daemon.qemus()
    assert "vm1" in daemon.virsh("list", "--all", "--with-managed-save")
    assert "vm1" not in daemon.virsh("list", "--all", "--without-managed-save")
    assert "Managed save:   yes" in daemon.virsh("dominfo", "vm1")
    assert "<name>vm1</name>" in daemon.virsh("managedsave-dumpxml", "vm1")
    assert "managed save image exists" in daemon.virsh("undefine", "vm1", ok=False)
    daemon.virsh("start", "vm1")
    assert daemon.virsh("domstate", "vm1", "--reason").strip() == "running (restored)"
    assert files(daemon) == []
    assert online_ids(daemon, "vm1") == ["0", "1", "3"]
    assert daemon.virsh("vcpupin", "vm1", "--vcpu", "3").splitlines()[2].split() == ["3", "0"]
    answers(daemon, "vm1")
    daemon.wait_online("vm1", "0-3")


def test_its_display_gets_a_port_that_is_free_now(daemon):
    path = f"{daemon.root}/vm1.image"
    daemon.paused("vm1", extra="<graphics type='vnc' autoport='yes'/>")
    address = daemon.virsh("domdisplay", "vm1").strip()
    daemon.virsh("save", "vm1", path)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 5900 + int(address.rpartition(":")[2])))
        taken.listen()
        daemon.virsh("restore", path)
    assert daemon.virsh("domdisplay", "vm1").strip() not in ("", address)


def test_the_definition_of_a_file(daemon, guest):
    path = f"{daemon.root}/vm1.image"
    other = f"{daemon.root}/other.xml"
    daemon.paused("vm1", maximum=4)
    daemon.virsh("save", "vm1", path)
    xml = daemon.virsh("save-image-dumpxml", path)
    with open(other, "w") as f:
        f.write(xml.replace("<vcpu", "<title>of the file</title><vcpu", 1))
    daemon.virsh("save-image-define", path, other)
    assert "<title>of the file</title>" in daemon.virsh("save-image-dumpxml", path)
    with open(other, "w") as f:
        f.write(xml.replace(">4</vcpu>", ">8</vcpu>"))
    assert "maximum of vCPUs" in daemon.virsh("save-image-define", path, other, ok=False)
    assert "maximum of vCPUs" in daemon.virsh("restore", path, "--xml", other, ok=False)
    daemon.virsh("restore", path)
    assert "of the file" in daemon.virsh("dumpxml", "vm1")


def test_the_definition_as_a_person_wrote_it(daemon):
    """One without addresses, controllers and aliases is the same machine: they are added as at define."""
    path, other = f"{daemon.root}/vm1.image", f"{daemon.root}/other.xml"
    written = daemon.define("vm1", boot=False)
    uuid = daemon.virsh("domuuid", "vm1").strip()
    daemon.virsh("start", "vm1", "--paused")
    live = daemon.virsh("dumpxml", "vm1")
    with open(written) as f, open(other, "w") as g:
        text = f.read()
        g.write(text if "<uuid>" in text else text.replace("</name>", f"</name><uuid>{uuid}</uuid>", 1))
    daemon.virsh("save", "vm1", path)
    daemon.virsh("restore", path, "--xml", other)
    restored = daemon.virsh("dumpxml", "vm1")
    assert restored.count("<address ") == live.count("<address ") and "<alias name=" in restored


@pytest.mark.parametrize("content, what", [
    (b"", "is empty"),
    (b"LibvirtQemudSave" + bytes(200), "libvirt's QEMU driver"),
    (b"QEVM" + bytes(200), "bare migration stream"),
    (b"\x7fELF" + bytes(200), "core dump"),
    (b"VireoSaved", "is cut"),
    (b"something else that is longer than sixty-four bytes, which a header has", "image magic is incorrect"),
    (b"VireoSavedGuest\n" + struct.pack("<IIQQII", 2, 1, 4096, 4096, 10, 0) + bytes(5000), "version 2"),
    (b"VireoSavedGuest\n" + struct.pack("<IIQQII", 1, 0, 4096, 4096, 10, 0) + bytes(5000), "did not come to its end"),
    (b"VireoSavedGuest\n" + struct.pack("<IIQQII", 1, 1, 4096, 4096, 10, 0) + bytes(5000), "damaged"),
    (b"VireoSavedGuest\n" + struct.pack("<IIQQII", 1, 1, 1 << 60, 1 << 60, 10, 0) + bytes(5000), "is cut"),
    (b"VireoSavedGuest\n" + struct.pack("<IIQQII", 1, 1, 4096, 4096, 1 << 31, 0) + bytes(5000), "damaged"),
])
def test_files_that_are_none(daemon, content, what):
    path = f"{daemon.root}/image"
    with open(path, "wb") as f:
        f.write(content)
    assert what in daemon.virsh("restore", path, ok=False)
    assert what in daemon.virsh("save-image-dumpxml", path, ok=False)


def test_a_cut_file_and_refusals(daemon, guest):
    path = f"{daemon.root}/vm1.image"
    daemon.paused("vm1")
    assert "mutually exclusive" in daemon.virsh("save", "vm1", path, "--running", "--paused", ok=False)
    assert "No such file" in daemon.virsh("save", "vm1", "/nonexistent/dir/file", ok=False)
    assert daemon.virsh("domstate", "vm1").strip() == "paused"  # a save that failed ends nothing
    assert "does not have managed save" in daemon.virsh("managedsave-dumpxml", "vm1", ok=False)
    daemon.virsh("save", "vm1", path)
    assert "not running" in daemon.virsh("save", "vm1", path, ok=False)
    assert "not running" in daemon.virsh("managedsave", "vm1", ok=False)
    os.truncate(path, os.path.getsize(path) - 1)
    assert "is cut" in daemon.virsh("restore", path, ok=False)
    assert daemon.virsh("domstate", "vm1").strip() == "shut off"
    assert "No such file" in daemon.virsh("restore", f"{daemon.root}/none", ok=False)
    readonly = daemon.run("virsh", "-r", "save", "vm1", path, ok=False)
    assert "read only" in readonly.stderr


def test_force_boot_and_removal(daemon, guest):
    daemon.paused("vm1")
    daemon.virsh("managedsave", "vm1")
    daemon.virsh("managedsave-remove", "vm1")
    assert files(daemon) == []
    daemon.virsh("start", "vm1", "--paused")
    daemon.virsh("managedsave", "vm1")
    daemon.virsh("start", "vm1", "--force-boot", "--paused")
    assert files(daemon) == []
    daemon.virsh("managedsave", "vm1")
    daemon.virsh("undefine", "vm1", "--managed-save")
    assert files(daemon) == []


def test_a_damaged_managed_save_is_not_thrown_away(daemon, guest):
    daemon.paused("vm1")
    daemon.virsh("managedsave", "vm1")
    path = f"{daemon.root}/lib/save/vm1.save"
    os.truncate(path, os.path.getsize(path) - 1)
    error = daemon.virsh("start", "vm1", ok=False)
    assert "is cut" in error and "--force-boot" in error
    assert files(daemon) == ["vm1.save"]
    daemon.virsh("start", "vm1", "--force-boot", "--paused")


def test_a_core_that_cannot_be_written_removes_nothing(daemon):
    """What stands at the path and cannot be opened is somebody's; a program that runs is such a file."""
    daemon.paused("vm1")
    path = shutil.copy("/bin/sleep", f"{daemon.root}/busy")
    program = subprocess.Popen([path, "600"], stdin=subprocess.DEVNULL)
    try:
        assert "Text file busy" in daemon.virsh("dump", "vm1", path, ok=False)
    finally:
        program.kill()
        program.wait()
    assert os.path.getsize(path) == os.path.getsize("/bin/sleep")
    assert daemon.virsh("domstate", "vm1").strip() == "paused"


def with_locked_image(daemon):
    """A domain that has run, and is saved; its image is locked by somebody else until the process that is returned
    has ended. Its QEMU loads the state, and refuses to run it."""
    path = f"{daemon.root}/d.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "16M"], check=True)
    disk = ("<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
            f"<source file='{path}'/><target dev='vda' bus='virtio'/></disk>")
    daemon.define("vm1", boot=False, extra=disk)
    daemon.virsh("start", "vm1")
    daemon.virsh("managedsave", "vm1")
    return lock_image(path)


def lock_image(path):
    holder = subprocess.Popen(["qemu-io", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    holder.stdin.write(b"write 0 512\n")
    holder.stdin.flush()
    assert b"wrote" in holder.stdout.readline()
    return holder


def let_go(holder):
    holder.stdin.close()
    holder.wait()


def test_a_guest_that_qemu_does_not_let_run_stays_saved(daemon):
    holder = with_locked_image(daemon)
    try:
        assert "lock" in daemon.virsh("start", "vm1", ok=False)
        assert files(daemon) == ["vm1.save"] and not daemon.qemus()
        assert daemon.virsh("domstate", "vm1").strip() == "shut off"
    finally:
        let_go(holder)
    daemon.virsh("start", "vm1")
    assert daemon.virsh("domstate", "vm1", "--reason").strip() == "running (restored)"
    assert files(daemon) == []


def test_a_daemon_that_comes_back_gives_a_refused_guest_its_file_again(daemon):
    holder = with_locked_image(daemon)
    try:
        daemon.crash_at("restore-taken", "start", "vm1", seconds=60)
        wait_for(lambda: daemon.virsh("domstate", "vm1").strip() == "shut off", 60, "end of the QEMU that did not run")
        assert files(daemon) == ["vm1.save"]
    finally:
        let_go(holder)
    daemon.virsh("start", "vm1")
    assert files(daemon) == []


def test_a_managed_save_that_was_taken_is_one(daemon):
    """Nobody knows whether its guest has run: it is kept, listed, and not started by itself."""
    daemon.paused("vm1")
    daemon.virsh("managedsave", "vm1")
    path = f"{daemon.root}/lib/save/vm1.save"
    os.rename(path, f"{path}.taken")
    assert "vm1" in daemon.virsh("list", "--all", "--with-managed-save")
    assert "<name>vm1</name>" in daemon.virsh("managedsave-dumpxml", "vm1")
    assert "may have written to its disks" in daemon.virsh("start", "vm1", ok=False)
    daemon.virsh("domrename", "vm1", "vm2")
    assert files(daemon) == ["vm2.save.taken"]
    daemon.virsh("domrename", "vm2", "vm1")
    daemon.virsh("managedsave-remove", "vm1")
    assert files(daemon) == []


def killed_after_the_save(daemon):
    """A guest in a complete file, its QEMU that is still there, and no vireod."""
    daemon.define("vm1", boot=False)
    daemon.virsh("start", "vm1")
    daemon.stop()
    os.environ["VIREOD_CRASH_AT"] = "save-complete"
    try:
        daemon.start()
    finally:
        del os.environ["VIREOD_CRASH_AT"]
    daemon.run("virsh", "managedsave", "vm1", ok=None)
    daemon.process.wait(100)
    assert files(daemon) == ["vm1.save"] and "vm1" in daemon.qemus()


def tell_qemu(daemon, name, command):
    """Over its monitor, which nobody else has just now."""
    with open(f"/proc/{daemon.qemus()[name]}/environ", "rb") as f:
        path = re.search(rb"VIREO_MONITOR=([^\0]+)", f.read()).group(1)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        stream = s.makefile("rwb")
        stream.readline()
        for word in ("qmp_capabilities", command):
            stream.write(json.dumps({"execute": word}).encode() + b"\n")
            stream.flush()
            while b'"return"' not in (line := stream.readline()):
                assert line and b'"error"' not in line, line


def test_a_saved_guest_that_somebody_let_run_goes_on(daemon):
    killed_after_the_save(daemon)
    tell_qemu(daemon, "vm1", "cont")
    daemon.start()
    wait_for(lambda: not files(daemon), 30, "file that goes, as it is of the past")
    assert daemon.virsh("domstate", "vm1").strip() == "running"
    assert "vm1" in daemon.qemus()


def test_a_file_that_cannot_be_looked_at_is_waited_for(daemon):
    """That nobody can open it just now does not mean that there is none."""
    killed_after_the_save(daemon)
    path = f"{daemon.root}/lib/save/vm1.save"
    os.rename(path, f"{daemon.root}/aside")
    os.symlink("vm1.save", path)
    daemon.start()
    wait_for(lambda: "not settled" in daemon.log_text(), 30, "word that it is not settled")
    assert daemon.virsh("domstate", "vm1").strip() == "paused"
    os.rename(f"{daemon.root}/aside", path)
    wait_for(lambda: daemon.virsh("domstate", "vm1").strip() == "shut off", 60, "end of the saved guest's QEMU")
    assert files(daemon) == ["vm1.save"]


def test_a_saved_guest_does_not_lose_a_disk(daemon):
    """What it may be started without it cannot be restored without: the guest has it."""
    path = f"{daemon.root}/d.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "16M"], check=True)
    disk = ("<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
            f"<source file='{path}' startupPolicy='optional'/><target dev='vda' bus='virtio'/></disk>")
    daemon.paused("vm1", extra=disk)
    daemon.virsh("managedsave", "vm1")
    os.rename(path, f"{path}.aside")
    error = daemon.virsh("start", "vm1", ok=False)
    assert "the disk 'vda'" in error and "cannot go on without" in error
    os.rename(f"{path}.aside", path)
    assert files(daemon) == ["vm1.save"]
    daemon.virsh("start", "vm1")
    assert path in daemon.virsh("dumpxml", "vm1")


def test_a_save_without_descriptors_leaves_one_truth(daemon):
    """What is needed after the file has its name is opened before: a guest that goes on has no file."""
    daemon.define("vm1", boot=False)
    daemon.virsh("start", "vm1")
    saving = subprocess.Popen(["virsh", "-c", daemon.uri, "managedsave", "vm1"], stdin=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    pid = daemon.qemus()["vm1"]
    limits = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
    wait_for(lambda: "<save " in open(f"{daemon.root}/run/domains/vm1.xml").read(), 30, "save that is begun")
    os.kill(pid, signal.SIGSTOP)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    os.kill(pid, signal.SIGCONT)
    try:
        result = saving.wait(200)
    finally:
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, limits)
    assert result != 0
    assert daemon.virsh("domstate", "vm1").strip() == "running"
    assert files(daemon) == []


def test_a_reboot_that_was_asked_for_outlives_a_save(daemon):
    """The guest has not followed yet: its power-off means a reset in the new QEMU, too."""
    def is_asked():
        with open(f"{daemon.root}/run/domains/vm1.xml") as f:
            return "intent='reboot'" in f.read()

    daemon.define("vm1", boot=False)
    daemon.virsh("start", "vm1")
    daemon.virsh("reboot", "vm1")
    assert is_asked()
    daemon.virsh("managedsave", "vm1")
    daemon.virsh("start", "vm1")
    assert is_asked()
    daemon.virsh("shutdown", "vm1")
    assert not is_asked()
    daemon.virsh("managedsave", "vm1")
    daemon.virsh("start", "vm1")
    assert not is_asked()
