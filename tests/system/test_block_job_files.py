# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a commit has QEMU write to is QEMU's while it goes on, whatever else happens to the domain, and no longer."""
import os
import signal
import subprocess

import pytest

from conftest import wait_for
from images import MIB, chain, disk, holds, image, job, slow, write
from test_selinux import CONTENT, FOUND, IMAGE, can_label, label_of, selinux  # pylint: disable=unused-import

SNAP = ("snapshot-create-as", "--disk-only", "--no-metadata")


def four(daemon, mode=0o600):
    """A paused machine, just started, whose disk has four images; all are root's, and nobody else can write to them."""
    files = [image(f"{daemon.root}/base.qcow2")]
    for n in (1, 2, 3):
        files.append(image(f"{daemon.root}/over{n}", files[-1]))
    for n, path in enumerate(files):  # more than a job writes before it looks at its speed
        subprocess.run(["qemu-io", "-f", "qcow2", "-c", f"write -q -P {n} {4 * n}M 4M", path], check=True)
        os.chmod(path, mode)
        if can_label(f"{daemon.root}/trial"):
            os.setxattr(path, "security.selinux", FOUND.encode() + b"\0")
    daemon.paused("b1", extra="<controller type='usb' model='qemu-xhci'/>" + disk(files[3]))
    write(daemon, "b1", 7)
    return files


def owners(files):
    return [os.stat(path).st_uid for path in files]


def come_and_go(daemon):
    """Something else of the domain, which has its QEMU's rights made anew."""
    path = f"{daemon.root}/more.xml"
    with open(path, "w") as f:
        f.write(disk(image(f"{daemon.root}/more.img"), "sda").replace("'virtio'", "'usb'"))
    daemon.virsh("attach-device", "b1", path)
    daemon.virsh("detach-device", "b1", path)
    assert os.stat(f"{daemon.root}/more.img").st_uid == 0


def restart(daemon):
    daemon.stop(signal.SIGKILL)
    daemon.start()
    wait_for(lambda: job(daemon, "b1"), 20, "the job")


@pytest.mark.parametrize("mode", (0o600, 0o644))
def test_owner(daemon, mode):
    """Those that anybody may read are given for the job alone."""
    files = four(daemon, mode)
    user = os.stat(files[3]).st_uid
    if user == 0:
        pytest.skip("SKIP: QEMU has no user of its own here")
    idle = [user] * 4 if mode == 0o600 else [0, 0, 0, user]
    assert owners(files) == idle
    # in the middle: the base is written to, and the one above the top gets another name below it
    slow(daemon, "b1", more=("--top", files[1], "--base", files[0]))
    during = [user, user if mode == 0o600 else 0, user, user]
    assert owners(files) == during
    come_and_go(daemon)
    restart(daemon)
    assert owners(files) == during
    daemon.virsh("blockjob", "b1", "vda", "--abort")
    assert job(daemon, "b1") == {} and owners(files) == idle
    daemon.virsh("blockcommit", "b1", "vda", "--top", files[1], "--base", files[0], "--wait")
    wait_for(lambda: chain(daemon, "b1") == [files[3], files[2], files[0], "end"], 20, "a chain without the first")
    wait_for(lambda: owners(files) == [idle[0], 0, idle[2], user], 20, "the owners of before")
    # a base that the disk has at the end stays QEMU's
    daemon.virsh("blockcommit", "b1", "vda", "--active", "--pivot")
    wait_for(lambda: owners(files) == [user, 0, 0, 0], 20, "a base that is the disk's")
    come_and_go(daemon)
    write(daemon, "b1", 9, MIB)
    holds(daemon, "b1", 7)
    daemon.virsh("destroy", "b1")
    assert owners(files) == [0] * 4


def test_refused_and_killed(daemon):
    """What was given goes back when QEMU does not begin, and when it ends."""
    files = four(daemon, 0o644)
    user = os.stat(files[3]).st_uid
    if user == 0:
        pytest.skip("SKIP: QEMU has no user of its own here")
    os.rename(files[0], f"{files[0]}.away")
    daemon.virsh("blockcommit", "b1", "vda", "--active", "--base", files[0], ok=False)
    os.rename(f"{files[0]}.away", files[0])
    assert job(daemon, "b1") == {} and owners(files) == [0, 0, 0, user]
    slow(daemon, "b1", more=("--active",))
    assert owners(files) == [user, 0, 0, user]
    os.kill(daemon.qemus()["b1"], signal.SIGKILL)
    wait_for(lambda: daemon.virsh("domstate", "b1").strip() == "shut off", 20, "a domain that has ended")
    assert owners(files) == [0] * 4


def test_label(selinux):
    """The same by labels: what is read has that of all guests, what is written to the guest's own."""
    daemon = selinux
    files = four(daemon)
    own = label_of(files[3])
    idle = [CONTENT] * 3 + [own]
    assert own.startswith(f"{IMAGE}:c") and [label_of(path) for path in files] == idle
    slow(daemon, "b1", more=("--top", files[1], "--base", files[0]))
    during = [own, CONTENT, own, own]
    assert [label_of(path) for path in files] == during
    come_and_go(daemon)
    restart(daemon)
    assert [label_of(path) for path in files] == during
    daemon.virsh("blockjob", "b1", "vda", "--abort")
    assert [label_of(path) for path in files] == idle
    daemon.virsh("blockcommit", "b1", "vda", "--active", "--pivot")
    wait_for(lambda: [label_of(path) for path in files] == [own, FOUND, FOUND, FOUND], 20, "the base's label")
    daemon.virsh("destroy", "b1")
    assert [label_of(path) for path in files] == [FOUND] * 4


def test_label_of_two(selinux):
    """A base that another guest reads is not taken from it."""
    daemon = selinux
    files = four(daemon)
    daemon.paused("b2", extra=disk(image(f"{daemon.root}/other", files[0])))
    said = daemon.virsh("blockcommit", "b1", "vda", "--active", ok=False)
    assert f"'{files[0]}' is in use by several guests" in said, said
    assert job(daemon, "b1") == {} and label_of(files[0]) == CONTENT
    daemon.virsh("destroy", "b2")
    daemon.virsh("blockcommit", "b1", "vda", "--active", "--pivot")
    assert label_of(files[0]).startswith(f"{IMAGE}:c")
