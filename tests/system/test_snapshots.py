# SPDX-License-Identifier: LGPL-2.1-or-later
"""Snapshots by name: their tree, what is kept of them, those inside of images, and the way back."""
import json
import os
import re
import signal
import subprocess
import xml.etree.ElementTree as ElementTree

import libvirt
import pytest
from conftest import client, end_of, refused, wait_for
from images import chain, disk, file_holds, holds, image, write


def create(daemon, snap, *words, name="s1", ok=True):
    return daemon.virsh("snapshot-create-as", name, snap, *words, ok=ok)


def names(daemon, *words, name="s1"):
    return daemon.virsh("snapshot-list", name, "--name", *words).split()


def fill(path, pattern):
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", f"write -P {pattern} 0 1M", path], check=True, capture_output=True)


def inside(path):
    """The names of the snapshots that the image itself has."""
    said = subprocess.run(["qemu-img", "info", "-U", "--output=json", path], check=True, capture_output=True, text=True)
    return [snapshot["name"] for snapshot in json.loads(said.stdout).get("snapshots", [])]


def off(daemon):
    """A domain with two images that does not run."""
    first, second = image(f"{daemon.root}/first.qcow2"), image(f"{daemon.root}/second.qcow2")
    daemon.define("s1", boot=False, extra=disk(first) + disk(second, "vdb"))
    return first, second


def kept(daemon):
    """The directory of the files of its snapshots."""
    uuid = daemon.virsh("domuuid", "s1").strip()
    return f"{daemon.root}/lib/snapshots/{uuid}"


def xml(daemon, snap):
    return daemon.virsh("snapshot-dumpxml", "s1", snap)


def test_tree(daemon):
    """Made, listed, and still there for the next daemon; a file that cannot be used is named and left alone."""
    first, second = off(daemon)
    assert create(daemon, "a", "--description", "the <first>") == "Domain snapshot a created\n"
    create(daemon, "b")
    assert "already exists" in create(daemon, "b", ok=False)
    daemon.virsh("snapshot-current", "s1", "--snapshotname", "a")
    create(daemon, "c")
    assert inside(first) == inside(second) == ["a", "b", "c"]
    whole, path = [xml(daemon, snap) for snap in "abc"], kept(daemon)
    for _ in range(2):
        assert names(daemon) == ["a", "b", "c"]
        assert names(daemon, "--roots") == ["a"] and names(daemon, "--leaves") == ["b", "c"]
        assert names(daemon, "--no-leaves") == ["a"] and names(daemon, "--inactive", "--internal") == ["a", "b", "c"]
        assert names(daemon, "--from", "a") == ["b", "c"] and names(daemon, "--topological")[0] == "a"
        assert not names(daemon, "--external") + names(daemon, "--active") + names(daemon, "--no-metadata")
        assert daemon.virsh("snapshot-current", "s1", "--name").strip() == "c"
        assert daemon.virsh("snapshot-parent", "s1", "c").strip() == "a"
        assert daemon.virsh("list", "--all", "--name", "--with-snapshot").split() == ["s1"]
        assert not daemon.virsh("list", "--all", "--name", "--without-snapshot").split()
        assert whole == [xml(daemon, snap) for snap in "abc"]
        daemon.stop(signal.SIGKILL)
        for text, name in (("<snapshot version='1'><domainsnapshot><name>x", "x"),
                           ("<snapshot version='2'><domainsnapshot><name>later</name></domainsnapshot></snapshot>", "later"),
                           (f"<snapshot version='1'>{whole[0]}</snapshot>", "other")):
            with open(f"{path}/{name}.xml", "w") as f:
                f.write(text)
        daemon.start()
        assert names(daemon) == ["a", "b", "c"]
        log = daemon.log_text()
        assert "x.xml' cannot be used" in log and "of another version" in log and "of another snapshot" in log


def test_redefined(daemon):
    """What is shown can be said again: nothing of it is lost."""
    off(daemon)
    create(daemon, "a", "--description", "d")
    create(daemon, "b")
    path = f"{daemon.root}/snapshot.xml"
    before = {snap: xml(daemon, snap) for snap in "ab"}
    daemon.virsh("snapshot-delete", "s1", "a", "--metadata", "--children")
    assert not names(daemon) and "no current" in daemon.virsh("snapshot-current", "s1", ok=False)
    for snap in "ab":
        with open(path, "w") as f:
            f.write(before[snap])
        daemon.virsh("snapshot-create", "s1", path, "--redefine", *(["--current"] if snap == "b" else []))
        assert xml(daemon, snap) == before[snap]
    assert daemon.virsh("snapshot-current", "s1", "--name").strip() == "b"
    text = before["b"]
    other = re.search("<domain .*</domain>", text, re.S)[0].replace("domain", "inactiveDomain")
    other = re.sub("<uuid>.*</uuid>", "<uuid>99999999-9999-9999-9999-999999999999</uuid>", other)
    for old, new, answer in (("<parent>", "<parent><name>no</name></parent><parent>", "parent no for moment b not found"),
                             ("<name>a</name>", "<name>b</name>", "as its own parent"),
                             ("shutoff", "running", "between online and offline"),
                             ("shutoff", "disk-snapshot", "between disk only and full"),
                             ("shutoff", "asleep", "Invalid state 'asleep'"),
                             ("<state>shutoff</state>", "", "missing state"),
                             ("<name>b</name>", "", "must have a name"),
                             (re.search("<creationTime>.*</creationTime>", text).group(), "", "missing creationTime"),
                             ("<uuid>", "<uuid>1", ""),
                             ("</domain>", "</domain>" + other, "must use uuid")):
        with open(path, "w") as f:
            f.write(text.replace(old, new, 1))
        assert answer in daemon.virsh("snapshot-create", "s1", path, "--redefine", ok=False), answer
    with open(path, "w") as f:
        f.write(before["a"].replace("<creationTime>", "<parent><name>b</name></parent><creationTime>"))
    assert "cycle" in daemon.virsh("snapshot-create", "s1", path, "--redefine", ok=False)
    assert {snap: xml(daemon, snap) for snap in "ab"} == before


def test_refused(daemon):
    """Before anything is done."""
    first, second = off(daemon)
    raw = image(f"{daemon.root}/raw", form="raw")
    for words, answer in ((("--diskspec", "vdz,snapshot=no"), "no disk named 'vdz'"),
                          (("--diskspec", "vda,snapshot=no"), "must use snapshot mode 'internal'"),
                          (("--memspec", f"{daemon.root}/memory"), "memory"),
                          (("--live",), "only during full system"),
                          (("--disk-only", "--diskspec", "vda,snapshot=internal"), "mixing internal and external")):
        assert answer in create(daemon, "a", *words, ok=False), words
    assert "can't start with" in create(daemon, ".a", ok=False) and "can't contain" in create(daemon, "a/b", ok=False)
    assert "number of another" in create(daemon, "12", ok=False)
    daemon.define("s2", boot=False, extra=disk(raw, form="raw"))
    assert "unsupported for storage type raw" in create(daemon, "a", name="s2", ok=False)
    assert not os.path.exists(kept(daemon)) or not os.listdir(kept(daemon))
    assert not inside(first) and not inside(second)


def test_back_to_disks(daemon):
    """The disks and the definition are as they were, and what ran is shut off."""
    first, second = off(daemon)
    fill(first, 1)
    fill(second, 2)
    create(daemon, "a")
    fill(first, 3)
    fill(second, 4)
    daemon.virsh("setvcpus", "s1", "3", "--config")
    create(daemon, "b")
    daemon.virsh("start", "s1", "--paused")
    daemon.virsh("snapshot-revert", "s1", "a")
    assert daemon.virsh("domstate", "s1", "--reason").strip() == "shut off (from snapshot)"
    assert file_holds(first, 1) and file_holds(second, 2)
    assert daemon.counts("s1")["current", "config"] == 1
    daemon.virsh("snapshot-revert", "s1", "b", "--paused")
    assert daemon.counts("s1")["current", "live"] == 3
    holds(daemon, "s1", 3)
    assert daemon.virsh("snapshot-current", "s1", "--name").strip() == "b"
    daemon.virsh("destroy", "s1")
    daemon.virsh("domrename", "s1", "s2")
    daemon.virsh("snapshot-revert", "s2", "a")
    assert "<name>s2</name>" in daemon.virsh("dumpxml", "s2")
    assert "cannot delete inactive domain with 2 snapshots" in daemon.virsh("undefine", "s2", ok=False)
    daemon.virsh("undefine", "s2", "--snapshots-metadata")
    assert not os.path.exists(f"{daemon.root}/lib/snapshots") or not os.listdir(f"{daemon.root}/lib/snapshots")
    assert inside(first) == ["a", "b"]


def test_deleted(daemon):
    """One, its children, all; out of the images too, but with --metadata."""
    first, second = off(daemon)
    for snap in "abcde":
        create(daemon, snap)
    daemon.virsh("snapshot-delete", "s1", "b")
    assert daemon.virsh("snapshot-parent", "s1", "c").strip() == "a" and inside(first) == list("acde")
    daemon.virsh("snapshot-delete", "s1", "e", "--metadata")
    assert inside(second) == list("acde") and daemon.virsh("snapshot-current", "s1", "--name").strip() == "d"
    daemon.virsh("snapshot-delete", "s1", "c", "--children-only")
    assert names(daemon) == ["a", "c"] and inside(first) == list("ace")
    daemon.stop(signal.SIGKILL)
    daemon.start()
    assert daemon.virsh("snapshot-parent", "s1", "c").strip() == "a"
    daemon.virsh("snapshot-delete", "s1", "a", "--children")
    assert not names(daemon) and inside(first) == ["e"]


def test_new_images(daemon):
    """Of what runs and what does not; they are known, and cannot be deleted as if they were spare."""
    first, second = off(daemon)
    fill(first, 1)
    create(daemon, "a", "--disk-only")
    assert chain(daemon, "s1")[:2] == [f"{daemon.root}/first.a", first]
    daemon.virsh("start", "s1", "--paused")
    holds(daemon, "s1", 1)
    write(daemon, "s1", 2)
    create(daemon, "b", "--disk-only", "--diskspec", "vdb,snapshot=no")
    assert names(daemon, "--external") == ["a", "b"] and names(daemon, "--disk-only") == ["b"]
    before = xml(daemon, "b")
    tree = ElementTree.fromstring(before)
    assert tree.find("state").text == "disk-snapshot" and tree.find("parent/name").text == "a"
    assert [d.get("snapshot") for d in tree.find("disks")] == ["external", "no"]
    assert tree.find("disks/disk/source").get("file") == f"{daemon.root}/first.b"
    assert tree.find("domain/devices/disk/source").get("file") == f"{daemon.root}/first.a"
    assert tree.find("inactiveDomain/devices/disk/source").get("file") == f"{daemon.root}/first.a"
    for call in ("snapshot-delete", "snapshot-revert"):
        assert "not supported yet" in daemon.virsh(call, "s1", "b", ok=False)
    daemon.stop(signal.SIGKILL)
    daemon.start()
    assert xml(daemon, "b") == before and names(daemon) == ["a", "b"]
    create(daemon, "c", "--disk-only", "--halt")
    assert daemon.virsh("domstate", "s1", "--reason").strip() == "shut off (from snapshot)"
    assert chain(daemon, "s1")[0] == f"{daemon.root}/first.c"
    daemon.virsh("snapshot-delete", "s1", "a", "--children", "--metadata")
    assert os.path.exists(f"{daemon.root}/first.a") and not names(daemon)


def test_guest(daemon, guest):
    """With its memory and the vCPUs that were plugged: it goes on as it was at that moment."""
    first = image(f"{daemon.root}/first.qcow2")
    daemon.boot("s1", maximum=5, extra=disk(first))
    daemon.virsh("setvcpus", "s1", "3", "--live")
    daemon.wait_online("s1", "0-2")
    create(daemon, "a")
    assert daemon.virsh("domstate", "s1").strip() == "running"
    tree = ElementTree.fromstring(xml(daemon, "a"))
    assert tree.find("state").text == "running" and tree.find("memory").get("snapshot") == "internal"
    assert tree.find("domain/vcpu").get("current") == "3" and tree.find("inactiveDomain/vcpu").get("current") == "1"
    daemon.virsh("setvcpus", "s1", "4", "--live")
    daemon.wait_online("s1", "0-3")
    daemon.stop(signal.SIGKILL)
    daemon.start()
    wait_for(lambda: daemon.virsh("domstate", "s1").strip() == "running", 20, "the guest again")
    daemon.virsh("snapshot-revert", "s1", "a")
    assert daemon.virsh("domstate", "s1", "--reason").strip() == "running (from snapshot)"
    assert daemon.counts("s1")["current", "live"] == 3 and daemon.counts("s1")["current", "config"] == 1
    daemon.virsh("setvcpus", "s1", "5", "--live")
    daemon.wait_online("s1", "0-4")
    daemon.virsh("destroy", "s1")
    daemon.virsh("snapshot-revert", "s1", "a", "--paused")
    assert daemon.virsh("domstate", "s1", "--reason").strip() == "paused (from snapshot)"
    assert daemon.counts("s1")["current", "live"] == 3
    daemon.virsh("resume", "s1")
    daemon.virsh("setvcpus", "s1", "4", "--live")
    daemon.wait_online("s1", "0-3")
    daemon.virsh("snapshot-delete", "s1", "a")
    assert not names(daemon) and not inside(first)


@pytest.mark.parametrize("step, made", [("snapshot-begun", False), ("snapshot-made", True)])
@pytest.mark.parametrize("runs", [False, True])
@pytest.mark.parametrize("words", [(), ("--disk-only",)])
def test_killed_making(daemon, step, made, runs, words):
    first, second = off(daemon)
    if runs:
        daemon.virsh("start", "s1", "--paused")
    assert daemon.crash_at(step, "snapshot-create-as", "s1", "a", *words)
    directory = kept(daemon)
    wait_for(lambda: "under way" in daemon.log_text(), 20, "what became of it")
    wait_for(lambda: not any("work=" in open(f"{directory}/{name}").read() for name in os.listdir(directory)), 20,
             "a file that says so")
    assert names(daemon) == (["a"] if made else [])
    if not words:
        assert inside(first) == inside(second) == (["a"] if made else [])
    elif not made:
        assert chain(daemon, "s1")[0] == first and not os.path.exists(f"{daemon.root}/first.a")
    create(daemon, "b", *words)
    assert names(daemon) == (["a", "b"] if made else ["b"])


def test_killed_deleting(daemon):
    first, second = off(daemon)
    create(daemon, "a")
    create(daemon, "b")
    subprocess.run(["qemu-img", "snapshot", "-d", "a", first], check=True)
    assert daemon.crash_at("snapshot-deleted", "snapshot-delete", "s1", "a")
    wait_for(lambda: names(daemon) == ["b"], 20, "the rest of the deletion")
    assert inside(second) == ["b"] and "no parent" in daemon.virsh("snapshot-parent", "s1", "b", ok=False)


def test_killed_reverting(daemon):
    """The disks are those of the snapshot, all of them, before the domain starts again."""
    first, second = off(daemon)
    fill(first, 1)
    fill(second, 2)
    create(daemon, "a")
    fill(first, 3)
    fill(second, 4)
    assert daemon.crash_at("revert-begun", "snapshot-revert", "s1", "a")
    daemon.virsh("start", "s1", "--paused")
    holds(daemon, "s1", 1)
    daemon.virsh("destroy", "s1")
    assert file_holds(second, 2) and daemon.virsh("snapshot-current", "s1", "--name").strip() == "a"


@pytest.mark.parametrize("step", ["revert-ended", "revert-begun"])
def test_killed_reverting_from_a_guest_that_ran(daemon, step):
    """Its QEMU has ended by then: nobody takes it for the one of the snapshot."""
    first, second = off(daemon)
    fill(first, 1)
    fill(second, 2)
    create(daemon, "a")
    daemon.virsh("setvcpus", "s1", "3", "--config")
    create(daemon, "b")
    fill(first, 3)
    daemon.virsh("start", "s1", "--paused")
    assert daemon.crash_at(step, "snapshot-revert", "s1", "a")
    assert daemon.virsh("domstate", "s1").strip() == "shut off" and not daemon.qemus()
    if step == "revert-begun":
        wait_for(lambda: "back at snapshot" in daemon.log_text(), 20, "disks that are back")
    went = step == "revert-begun"
    assert file_holds(first, 1 if went else 3)
    assert daemon.virsh("snapshot-current", "s1", "--name").strip() == ("a" if went else "b")
    assert daemon.counts("s1")["current", "config"] == (1 if went else 3)


def test_paths_that_are_none(daemon):
    """What is no absolute path is refused, and the daemon lives, also with a file that says so."""
    for words, source in ((["--disk-only"], "rel.qcow2"), ([], "rel.qcow2"), ([], "-rel.qcow2")):
        daemon.define("s1", boot=False, extra=disk(source))
        create(daemon, "a", *words, ok=False)
        assert names(daemon) == [] and not os.path.exists(f"{kept(daemon)}/a.xml")
        daemon.virsh("undefine", "s1")
    first = image(f"{daemon.root}/first.qcow2")
    daemon.define("s1", boot=False, extra=disk(first))
    create(daemon, "a")
    path = f"{kept(daemon)}/a.xml"
    with open(path) as f:
        text = f.read().replace(first, "rel.qcow2").replace("<snapshot ", "<snapshot work='making' ")
    daemon.stop()
    with open(path, "w") as f:
        f.write(text)
    daemon.start()
    wait_for(lambda: "no absolute path" in daemon.log_text(), 20, "what is wrong with it")
    assert "not known yet what became" in create(daemon, "b", ok=False)


def test_killed_loading(daemon):
    """A guest that was being brought back has run nothing: it is ended, and the disks are those of the snapshot."""
    first, second = off(daemon)
    daemon.virsh("start", "s1", "--paused")
    write(daemon, "s1", 1)
    create(daemon, "a")
    write(daemon, "s1", 2)
    assert daemon.crash_at("revert-loaded", "snapshot-revert", "s1", "a")
    wait_for(lambda: not daemon.qemus(), 20, "the end of its QEMU")
    wait_for(lambda: "back at snapshot" in daemon.log_text(), 20, "disks that are back")
    assert file_holds(first, 1) and daemon.virsh("domstate", "s1").strip() == "shut off"
    daemon.virsh("snapshot-revert", "s1", "a")
    assert daemon.virsh("domstate", "s1", "--reason").strip() == "paused (from snapshot)"


def test_not_all_can_go_back(daemon):
    """A disk that is not there: nothing is ended, nothing is changed."""
    first, second = off(daemon)
    daemon.virsh("start", "s1", "--paused")
    create(daemon, "a")
    daemon.virsh("destroy", "s1")
    subprocess.run(["qemu-img", "snapshot", "-d", "a", second], check=True)
    daemon.virsh("start", "s1", "--paused")
    assert "not in all of the images" in daemon.virsh("snapshot-revert", "s1", "a", ok=False)
    assert daemon.virsh("domstate", "s1").strip() == "paused"


def test_qemu_ends_meanwhile(daemon):
    """Nothing of the snapshot is left, in the list or in an image, and the next one can be made."""
    first, second = off(daemon)
    daemon.virsh("start", "s1", "--paused")
    pid = daemon.qemus()["s1"]
    os.kill(pid, signal.SIGSTOP)
    making = client(daemon, "snapshot-create-as", "s1", "a")
    wait_for(lambda: os.path.exists(f"{kept(daemon)}/a.xml"), 20, "a snapshot that is being made")
    assert not names(daemon) and "no domain snapshot" in daemon.virsh("snapshot-info", "s1", "a", ok=False)
    os.kill(pid, signal.SIGKILL)
    status, said = end_of(making)
    assert status == 1 and "error" in said
    wait_for(lambda: daemon.virsh("domstate", "s1").strip() == "shut off", 20, "the end of the domain")
    wait_for(lambda: not os.path.exists(f"{kept(daemon)}/a.xml"), 20, "what is kept of it to go")
    assert not inside(first) and not inside(second)
    daemon.virsh("start", "s1", "--paused")
    create(daemon, "a")
    assert names(daemon) == ["a"]


def test_guest_that_cannot_come_back(daemon):
    """An image has another snapshot of that name, without memory: the domain is shut off and says so."""
    first = image(f"{daemon.root}/first.qcow2")
    daemon.define("s1", boot=False, extra=disk(first))
    fill(first, 1)
    daemon.virsh("start", "s1", "--paused")
    create(daemon, "a")
    daemon.virsh("destroy", "s1")
    for act in ("-d", "-c"):
        subprocess.run(["qemu-img", "snapshot", act, "a", first], check=True)
    fill(first, 2)
    said = daemon.virsh("snapshot-revert", "s1", "a", ok=False)
    assert "cannot be brought back" in said and "its disks are those of the snapshot" in said
    assert daemon.virsh("domstate", "s1").strip() == "shut off" and file_holds(first, 1)
    daemon.virsh("start", "s1", "--paused")


def test_managed_save(daemon):
    """Its guest would be started onto the disks of another time."""
    first = image(f"{daemon.root}/first.qcow2")
    daemon.define("s1", boot=False, extra=disk(first))
    create(daemon, "a")
    daemon.virsh("start", "s1", "--paused")
    daemon.virsh("managedsave", "s1")
    assert "managedsave-remove" in daemon.virsh("snapshot-revert", "s1", "a", ok=False)
    daemon.virsh("managedsave-remove", "s1")
    listener = client(daemon, "event", "s1", "--event", "lifecycle", "--timeout", "60")
    # It may not listen yet when the first comes.
    wait_for(lambda: daemon.virsh("snapshot-revert", "s1", "a") and listener.poll() is not None, 60, "an event")
    assert "Defined Snapshot" in end_of(listener, 60)[1]


def test_no_room_for_its_file(daemon):
    """What cannot be kept is not made."""
    first, second = off(daemon)
    os.makedirs(f"{daemon.root}/lib/snapshots", exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=1", "none", f"{daemon.root}/lib/snapshots"], check=True)
    try:
        assert "cannot write" in create(daemon, "a", ok=False)
        daemon.virsh("start", "s1", "--paused")
        assert "cannot write" in create(daemon, "a", ok=False)
    finally:
        subprocess.run(["umount", f"{daemon.root}/lib/snapshots"], check=True)
    assert not names(daemon) and not inside(first)
    create(daemon, "a")
    assert inside(second) == ["a"]


def test_transient(daemon):
    first = image(f"{daemon.root}/first.qcow2")
    path = daemon.define("s1", boot=False, extra=disk(first))
    daemon.virsh("undefine", "s1")
    daemon.virsh("create", path, "--paused")
    create(daemon, "a")
    assert "cannot halt" in create(daemon, "b", "--halt", ok=False)
    assert "inactiveDomain" not in xml(daemon, "a")
    daemon.virsh("snapshot-revert", "s1", "a", "--running")
    assert daemon.virsh("domstate", "s1", "--reason").strip() == "running (from snapshot)"
    directory = kept(daemon)
    assert os.listdir(directory) == ["a.xml"]
    daemon.virsh("destroy", "s1")
    assert not os.path.exists(directory) and "s1" not in daemon.virsh("list", "--all")


def test_bindings(daemon, connection):
    """Old and new forms of the calls, as Python's binding makes them."""
    off(daemon)
    domain = connection.lookupByName("s1")
    assert not domain.hasCurrentSnapshot() and domain.snapshotNum() == 0 and domain.listAllSnapshots() == []
    refused(domain.snapshotCurrent, libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT)
    for name in "abc":
        domain.snapshotCreateXML(f"<domainsnapshot><name>{name}</name></domainsnapshot>")
    first = domain.snapshotLookupByName("a")
    refused(first.getParent, libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT)
    refused(domain.snapshotLookupByName, libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT, "no")
    assert domain.snapshotNum() == 3 and domain.snapshotListNames() == ["a", "b", "c"]
    assert domain.snapshotListNames(libvirt.VIR_DOMAIN_SNAPSHOT_LIST_ROOTS) == ["a"]
    assert [s.getName() for s in domain.listAllSnapshots(libvirt.VIR_DOMAIN_SNAPSHOT_LIST_LEAVES)] == ["c"]
    assert first.numChildren() == 1 and first.listChildrenNames() == ["b"]
    below = libvirt.VIR_DOMAIN_SNAPSHOT_LIST_DESCENDANTS
    assert first.numChildren(below) == 2 and first.listChildrenNames(below) == ["b", "c"]
    assert [s.getName() for s in first.listAllChildren(below | libvirt.VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL)] == ["b", "c"]
    last = domain.snapshotCurrent()
    assert last.getName() == "c" and last.isCurrent() and last.hasMetadata() and not first.isCurrent()
    assert last.getParent().getName() == "b" and last.getDomain().name() == "s1"
    reader = libvirt.openReadOnly(daemon.uri.replace("vireo-sock", "vireo-sock-ro"))
    seen = reader.lookupByName("s1").snapshotLookupByName("a")
    assert "<name>a</name>" in seen.getXMLDesc()
    refused(seen.getXMLDesc, libvirt.VIR_ERR_OPERATION_DENIED, libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE)
    reader.close()
    assert re.search(r"<creationTime>\d+</creationTime>", first.getXMLDesc())
    assert domain.revertToSnapshot(first) == 0 and domain.snapshotCurrent().getName() == "a"
    first.delete(libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN)
    assert domain.snapshotNum() == 0
