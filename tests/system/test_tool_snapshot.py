# SPDX-License-Identifier: LGPL-2.1-or-later
"""vireo's commands for snapshots of disks and for block jobs; the answers are virsh's."""
import json
import signal
import subprocess

import pytest

from conftest import BUSY, VIREO, wait_for
from images import MIB, chain, disk, file_holds, holds, image, job, write

SNAP = ("snapshot-create-as", "s1")
FLAGS = ("--disk-only", "--no-metadata", "--atomic")


@pytest.fixture
def over(daemon):
    """A paused machine whose disk has an image below it: both paths, the lower first."""
    base = image(f"{daemon.root}/base.qcow2")
    daemon.paused("s1", extra=disk(base))
    write(daemon, "s1", 1)
    path = f"{daemon.root}/over"
    assert daemon.vireo(*SNAP, "one", *FLAGS, "--diskspec", f"vda,file={path}") == "Domain snapshot one created\n"
    write(daemon, "s1", 2, MIB)
    return base, path


def both(daemon, *words, ok=True):
    """What vireo says, and virsh the same."""
    said = daemon.vireo(*words, ok=ok)
    assert said.strip() == daemon.virsh(*words, ok=ok).strip(), words
    return said


def test_snapshot(daemon, over):
    base, path = over
    assert chain(daemon, "s1") == [path, base, "end"] and file_holds(base, 1)
    xml = f"{daemon.root}/snapshot.xml"
    with open(xml, "w") as f:
        f.write(f"<domainsnapshot><name>two</name><disks><disk name='vda'><source file='{daemon.root}/second'/></disk></disks>"
                "</domainsnapshot>")
    assert daemon.vireo("snapshot-create", "s1", xml, *FLAGS) == f"Domain snapshot two created from '{xml}'\n"
    assert json.loads(daemon.vireo(*SNAP, "three", *FLAGS, "--json")) == {"name": "three"}
    assert chain(daemon, "s1")[1:] == [f"{daemon.root}/second", path, base, "end"]
    said = daemon.vireo("snapshot-create-as", "s1", "n&1", "why", "--print-xml", "--diskspec", "vda,snapshot=no",
                        "--diskspec", "vdb,stype=block,driver=qcow2,file=/dev/a,,b")
    assert "<name>n&amp;1</name>" in said and "<description>why</description>" in said
    assert '<disk name="vda" snapshot="no"/>' in said and '<source dev="/dev/a,b"/>' in said
    assert '<driver type="qcow2"/>' in said and "domainsnapshot" in said


def test_by_name(daemon):
    """What virsh says of snapshots that have a name, and their tree."""
    path = image(f"{daemon.root}/disk.qcow2")
    daemon.define("s1", boot=False, extra=disk(path))
    for snap, of in (("a", None), ("b", "a"), ("c", "a"), ("d", "b"), ("e", "c"), ("root2", None)):
        if of:
            assert daemon.vireo("snapshot-current", "s1", "--snapshotname", of) == f"Snapshot {of} set as current\n"
        assert daemon.vireo("snapshot-create-as", "s1", snap) == f"Domain snapshot {snap} created\n"
    assert daemon.vireo("snapshot-current", "s1", "--name").strip() == "root2"
    for words in (("snapshot-list",), ("snapshot-list", "--tree"), ("snapshot-list", "--parent"), ("snapshot-list", "--roots"),
                  ("snapshot-list", "--name", "--leaves"), ("snapshot-list", "--from", "a"),
                  ("snapshot-list", "--from", "a", "--descendants", "--name"), ("snapshot-list", "--external"),
                  ("snapshot-list", "--tree", "--from", "b"), ("snapshot-list", "--topological", "--name"),
                  ("snapshot-info", "a"), ("snapshot-info", "--current"), ("snapshot-parent", "d"), ("snapshot-dumpxml", "a"),
                  ("snapshot-current",)):
        said = [daemon.run(program, words[0], "s1", *words[1:]).stdout.rstrip() for program in ("virsh", VIREO)]
        assert said[0] == said[1], words
    for words in (("snapshot-parent", "a"), ("snapshot-info", "no"), ("snapshot-delete", "no"), ("snapshot-revert", "no"),
                  ("snapshot-delete",), ("snapshot-info",)):
        both(daemon, words[0], "s1", *words[1:], ok=False)
    assert [row["parent"] for row in json.loads(daemon.vireo("snapshot-list", "s1", "--json"))][:2] == [None, "a"]
    assert json.loads(daemon.vireo("snapshot-info", "s1", "d", "--json"))["parent"] == "b"
    assert daemon.vireo("complete", "snapshot-revert", "s1", "").split() == ["a", "b", "c", "d", "e", "root2"]
    assert daemon.vireo("snapshot-revert", "s1", "b") == "Domain snapshot b reverted\n"
    assert daemon.vireo("snapshot-delete", "s1", "c", "--children-only") == "Domain snapshot c children deleted\n"
    assert daemon.vireo("snapshot-delete", "s1", "a", "--children") == "Domain snapshot a deleted\n"
    assert not daemon.vireo("snapshot-list", "s1", "--name").strip()


def test_snapshot_refused(daemon, over):
    for words in ((*FLAGS, "--quiesce"),
                  (*FLAGS, "--reuse-external"), (*FLAGS, "--diskspec", "vdz"), (*FLAGS, "--diskspec", "vda,file=x"),
                  (*FLAGS, "--diskspec", f"vda,file={over[0]}")):
        both(daemon, *SNAP, "x", *words, ok=False)
    for spec in ("vda,size=1", "", "vda,file=/a,file=/b", "vda,stype=network"):
        assert "diskspec" in daemon.vireo(*SNAP, "x", *FLAGS, f"--diskspec={spec}", ok=False), spec
    assert "nothing.xml" in daemon.vireo("snapshot-create", "s1", "/nothing.xml", *FLAGS, ok=False)
    assert "nobody" in daemon.vireo("snapshot-create-as", "nobody", ok=False)
    assert chain(daemon, "s1")[0] == over[1]


def test_jobs(daemon, over):
    """Begun, shown, limited and ended."""
    base, path = over
    assert both(daemon, "blockjob", "s1", "vda") == "No current block job for vda\n"
    assert json.loads(daemon.vireo("blockjob", "s1", "vda", "--json")) == {}
    both(daemon, "blockjob", "s1", "vda", "--abort", ok=False)
    both(daemon, "blockjob", "s1", "vda", "--raw", "--abort", ok=False)
    assert "Block Pull started" in daemon.vireo("blockpull", "s1", "vda", "--bandwidth", "1", "--bytes")
    both(daemon, "blockpull", "s1", "vda", ok=False)
    told = json.loads(daemon.vireo("blockjob", "s1", "vda", "--bytes", "--json"))
    assert told["type"] == "Block Pull" and told["bandwidth"] == 1 and told["end"] > told["cur"]
    assert job(daemon, "s1")["type"] == "Block Pull" and "type=Block Pull" in both(daemon, "blockjob", "s1", "vda", "--raw")
    assert "Bandwidth limit: 1 bytes/s" in both(daemon, "blockjob", "s1", "vda", "--bytes")
    daemon.vireo("blockjob", "s1", "vda", "--bandwidth", "2B", "--bytes")
    assert "Bandwidth limit: 2 bytes/s" in both(daemon, "blockjob", "s1", "vda", "--bytes", "--info")
    assert "malformed" in daemon.vireo("blockjob", "s1", "vda", "--bandwidth", "x", ok=False)
    assert "malformed" in daemon.vireo("blockpull", "s1", "vda", "--bandwidth", "-1", ok=False)
    daemon.vireo("blockjob", "s1", "vda", "--abort")
    assert job(daemon, "s1") == {} and chain(daemon, "s1")[:2] == [path, base]


def test_wait(daemon, over):
    """Until the end of a job, or until both images have the same."""
    base, path = over
    done = daemon.run(VIREO, "blockcommit", "s1", "vda", "--active", "--wait", "--verbose")
    assert "Now in synchronized phase" in done.stdout and done.stderr.endswith("Block commit: [100.00 %]\n"), done
    assert job(daemon, "s1")["type"] == "Active Block Commit"
    daemon.vireo("blockjob", "s1", "vda", "--bandwidth", "7")
    assert "(7.000 MiB/s)" in both(daemon, "blockjob", "s1", "vda")
    daemon.vireo("blockjob", "s1", "vda", "--abort", "--async")
    wait_for(lambda: job(daemon, "s1") == {}, 30, "the job's end")
    assert "overlay image kept" in daemon.vireo("blockcommit", "s1", path, "--keep-overlay")
    assert chain(daemon, "s1")[0] == path and job(daemon, "s1") == {}
    assert json.loads(daemon.vireo("blockcommit", "s1", "vda", "--pivot", "--base", base, "--json")) == {"outcome": "pivoted"}
    assert chain(daemon, "s1") == [base, "end"] and file_holds(base, 2, MIB)
    daemon.vireo(*SNAP, "again", *FLAGS)
    assert "Pull complete" in daemon.vireo("blockpull", "s1", "vda", "--wait", "--verbose")
    assert chain(daemon, "s1") == [f"{daemon.root}/base.again", "end"]
    holds(daemon, "s1", 1)
    for words in (("--base", base, "--shallow"), ("--pivot", "--keep-overlay")):
        assert "mutually exclusive" in daemon.vireo("blockcommit", "s1", "vda", *words, ok=False)
    both(daemon, "blockcommit", "s1", "vdz", ok=False)


def test_wait_ends(daemon, over):
    """By the timeout and by Ctrl-C, which abort the job, and by somebody else's abort."""
    base, path = over
    limit = ("--bandwidth", "1", "--bytes")
    assert "Commit aborted" in daemon.vireo("blockcommit", "s1", "vda", "--active", "--timeout", "1", *limit, ok=False)
    assert job(daemon, "s1") == {}
    for end in ("ctrl-c", "abort"):
        words = [VIREO, "-c", daemon.uri, "blockpull", "s1", "vda", "--wait", *limit]
        tool = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        wait_for(lambda: job(daemon, "s1"), 60, "a job")
        if end == "ctrl-c":
            tool.send_signal(signal.SIGINT)
        else:
            daemon.virsh("blockjob", "s1", "vda", "--abort")
        said = tool.communicate(timeout=60 * BUSY)[0]
        assert tool.returncode == 1 and "Pull aborted" in said, (end, said)
        assert job(daemon, "s1") == {} and chain(daemon, "s1")[:2] == [path, base]
