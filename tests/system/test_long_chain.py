# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks with very many images, one above the other."""
import subprocess

from conftest import wait_for
from images import MIB, chain, disk, holds, image, job, write

SNAP = ("snapshot-create-as", "--disk-only", "--no-metadata")


def long_chain(daemon, n):
    """n images, the lowest first."""
    files = [image(f"{daemon.root}/0.qcow2")]
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -q -P 5 0 1M", files[0]], check=True)
    for i in range(1, n):
        files.append(image(f"{daemon.root}/{i}.qcow2", f"{i - 1}.qcow2"))
    return files


def test_a_hundred(daemon):
    """QEMU says of a disk which images it has each inside of the one above it."""
    files = long_chain(daemon, 100)
    daemon.paused("b1", extra=disk(files[-1]))
    holds(daemon, "b1", 5)
    assert "Capacity:       16777216" in daemon.virsh("domblkinfo", "b1", "vda")
    assert "rd_req" in daemon.virsh("domblkstat", "b1", "vda")
    assert "block.count=1" in daemon.virsh("domstats", "--block", "b1").replace(" ", "")
    daemon.virsh(*SNAP, "b1", "s", "--diskspec", f"vda,file={daemon.root}/over")
    write(daemon, "b1", 6, MIB)
    assert len(chain(daemon, "b1")) == 102
    daemon.stop()
    daemon.start()
    wait_for(lambda: daemon.virsh("domstate", "b1").strip() == "paused", 20, "a domain that runs")
    assert len(chain(daemon, "b1")) == 102
    daemon.virsh("blockcommit", "b1", "vda", "--top", files[50], "--base", files[1], "--wait")
    wait_for(lambda: job(daemon, "b1") == {} and len(chain(daemon, "b1")) == 53, 60, "a chain without those")
    daemon.virsh("blockcommit", "b1", "vda", "--active", "--pivot")
    assert chain(daemon, "b1") == [files[0], "end"] == chain(daemon, "b1", inactive=True)
    holds(daemon, "b1", 5)
    holds(daemon, "b1", 6, MIB)
    daemon.virsh("destroy", "b1")
    daemon.virsh("start", "b1", "--paused")
