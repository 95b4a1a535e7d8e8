# SPDX-License-Identifier: LGPL-2.1-or-later
"""Storage pools and volumes as stock virsh drives them; the truth is in the directory and in qemu-img."""
import json
import os
import signal
import subprocess

import pytest


def info(path):
    return json.loads(subprocess.check_output(["qemu-img", "info", "--output=json", path]))


def images(daemon):
    return os.path.join(daemon.root, "lib", "images")


def volumes(daemon, pool="default"):
    return {line.split()[0] for line in daemon.virsh("vol-list", pool).splitlines()[2:] if line.strip()}


def test_the_life_of_volumes(daemon):
    """Made, listed, looked at, grown, cloned, wiped, deleted; each seen in the directory."""
    where = images(daemon)
    daemon.virsh("vol-create-as", "default", "a.qcow2", "10M", "--format", "qcow2")
    assert info(f"{where}/a.qcow2")["virtual-size"] == 10 << 20 and info(f"{where}/a.qcow2")["format"] == "qcow2"
    daemon.virsh("vol-create-as", "default", "b.img", "1M", "--allocation", "1M")
    assert os.stat(f"{where}/b.img").st_blocks * 512 >= 1 << 20
    assert oct(os.stat(f"{where}/b.img").st_mode & 0o777) == "0o600"
    daemon.virsh("vol-create-as", "default", "top.qcow2", "10M", "--format", "qcow2", "--backing-vol", "a.qcow2",
                 "--backing-vol-format", "qcow2")
    assert info(f"{where}/top.qcow2")["backing-filename"] == f"{where}/a.qcow2"
    xml = daemon.virsh("vol-dumpxml", "top.qcow2", "default")
    assert "<format type='qcow2'/>" in xml and f"<path>{where}/a.qcow2</path>" in xml
    daemon.virsh("vol-resize", "a.qcow2", "20M", "default")
    assert info(f"{where}/a.qcow2")["virtual-size"] == 20 << 20
    daemon.virsh("vol-resize", "a.qcow2", "5M", "default", "--delta")
    assert info(f"{where}/a.qcow2")["virtual-size"] == 25 << 20
    error = daemon.virsh("vol-resize", "a.qcow2", "1M", "default", ok=False)
    assert "a.qcow2" in error and "shrink" in error
    with open(f"{where}/b.img", "r+b") as f:
        f.write(b"x" * 4096)
    daemon.virsh("vol-clone", "b.img", "c.img", "--pool", "default")
    assert open(f"{where}/c.img", "rb").read(4096) == b"x" * 4096
    daemon.virsh("vol-wipe", "b.img", "default")
    assert open(f"{where}/b.img", "rb").read() == bytes(1 << 20)
    # What takes no place takes none afterwards.
    with open(f"{where}/b.img", "r+b") as f:
        f.write(b"first")
        f.seek((1 << 30) - 5)
        f.write(b"last.")
    daemon.virsh("pool-refresh", "default")
    daemon.virsh("vol-wipe", "b.img", "default")
    with open(f"{where}/b.img", "rb") as f:
        assert f.read(5) == bytes(5) and f.seek((1 << 30) - 5) and f.read() == bytes(5)
    assert os.stat(f"{where}/b.img").st_blocks * 512 < 1 << 28
    assert volumes(daemon) == {"a.qcow2", "b.img", "c.img", "top.qcow2"}
    daemon.virsh("vol-delete", "c.img", "default")
    assert not os.path.exists(f"{where}/c.img") and "c.img" not in volumes(daemon)
    assert daemon.virsh("vol-pool", f"{where}/a.qcow2").strip() == "default"


def test_what_is_refused(daemon, tmp_path):
    """Names that leave the directory, a second file of a name, other kinds of pools, a directory twice: all refused,
    and nothing is changed."""
    where = images(daemon)
    daemon.virsh("vol-create-as", "default", "a", "1M")
    for name, code in (("../x", "operation is not valid"), (".x", "name"), ("x/y", "operation is not valid"), ("a", "exists already"),
                       (".", "operation is not valid"), ("..", "operation is not valid")):
        error = daemon.virsh("vol-create-as", "default", name, "1M", ok=False)
        assert code in error, error
    with open(f"{where}/stray", "w"):
        pass  # behind the pool's back
    assert "exists already" in daemon.virsh("vol-create-as", "default", "stray", "1M", ok=False)
    assert os.listdir(where) in (["a", "stray"], ["stray", "a"])
    assert "'logical' is not supported" in daemon.virsh("pool-define-as", "l", "logical", ok=False)
    error = daemon.virsh("pool-define-as", "again", "dir", "--target", where, ok=False)
    assert "conflict" in error and "default" in error
    error = daemon.virsh("pool-define-as", "x", "dir", "--target", "relative", ok=False)
    assert "absolute path" in error or "relative" in error
    error = daemon.virsh("vol-create-as", "default", "odd", "1M", "--format", "nonesuch", ok=False)
    assert "nonesuch" in error and "odd" in error
    assert sorted(os.listdir(where)) == ["a", "stray"]
    assert "no storage vol" in daemon.virsh("vol-info", "/nowhere", ok=False)


def test_a_disc_is_made_as_a_raw_file(daemon):
    daemon.virsh("vol-create-as", "default", "disc.iso", "1M", "--format", "iso")
    assert os.stat(f"{images(daemon)}/disc.iso").st_size == 1 << 20
    assert "<format type='raw'/>" in daemon.virsh("vol-dumpxml", "disc.iso", "default")


def test_sizes_that_no_file_has(daemon):
    """They are an overflow, or the kernel's error; and what a file holds is not cut off."""
    daemon.virsh("vol-create-as", "default", "full", "2M", "--allocation", "2M")
    for size, said in ("8E", "numerical overflow"), ("18446744073709551615", "numerical overflow"), ("7E", "cannot"):
        assert said in daemon.virsh("vol-create-as", "default", "new", size, ok=False), size
    for size, *more in ("8E",), ("18446744073709551615",), ("9223372036854775807", "--delta"):
        assert "Invalid argument" in daemon.virsh("vol-resize", "full", size, "default", *more, ok=False), size
    for size, *more in ("1M",), ("1M", "--shrink"), ("1M", "--shrink", "--delta"), ("0", "--shrink"):
        said = daemon.virsh("vol-resize", "full", size, "default", *more, ok=False)
        assert "invalid argument: can't shrink capacity below existing allocation" in said, said
    with open(f"{images(daemon)}/behind", "wb") as f:
        f.truncate(2 << 20)
    daemon.virsh("pool-refresh", "default")
    with open(f"{images(daemon)}/behind", "r+b") as f:  # the pool has not seen this
        f.write(b"x" * (2 << 20))
    assert "existing allocation" in daemon.virsh("vol-resize", "behind", "1M", "default", "--shrink", ok=False)
    assert volumes(daemon) == {"full", "behind"}


def test_directories_are_volumes(daemon):
    """As with libvirt: seen, made, deleted while they are empty, and nothing else is done to them."""
    where = images(daemon)
    os.makedirs(f"{where}/seen")
    daemon.virsh("pool-refresh", "default")
    daemon.virsh("vol-create-as", "default", "made", "5", "--format", "dir")
    assert os.path.isdir(f"{where}/made") and volumes(daemon) == {"made", "seen"}
    for name in ("made", "seen"):
        assert "dir" in daemon.virsh("vol-info", name, "default").split("Type:")[1].split()
        assert "<volume type='dir'>" in daemon.virsh("vol-dumpxml", name, "default")
        for words in (["vol-wipe", name, "default"], ["vol-resize", name, "1M", "default"],
                      ["vol-clone", name, "copy", "--pool", "default"]):
            assert daemon.virsh(*words, ok=False)
    open(f"{where}/seen/file", "w").close()
    daemon.virsh("vol-delete", "made", "default")
    assert "not empty" in daemon.virsh("vol-delete", "seen", "default", ok=False)
    assert sorted(os.listdir(where)) == ["seen"] and volumes(daemon) == {"seen"}


def test_how_volumes_are_made(daemon):
    """Metadata beforehand is for qcow2 alone; a clone shares its blocks or is not made; a volume may be empty."""
    where = images(daemon)
    daemon.virsh("vol-create-as", "default", "empty", "0")
    assert os.stat(f"{where}/empty").st_size == 0
    daemon.virsh("vol-create-as", "default", "a", "64M", "--format", "qcow2")
    daemon.virsh("vol-clone", "a", "b", "--pool", "default", "--prealloc-metadata")
    assert os.stat(f"{where}/b").st_size > 64 << 20 > os.stat(f"{where}/a").st_size
    for words in (["vol-create-as", "default", "c", "1M"], ["vol-create-as", "default", "c", "1M", "--format", "vmdk"],
                  ["vol-create-as", "default", "c", "1M", "--format", "qcow2", "--backing-vol", "a"],
                  ["vol-clone", "empty", "c", "--pool", "default"]):
        assert "metadata" in daemon.virsh(*words, "--prealloc-metadata", ok=False)
    assert "share" in daemon.virsh("vol-clone", "a", "c", "--pool", "default", "--reflink", ok=False)
    daemon.virsh("vol-clone", "empty", "c", "--pool", "default", "--reflink", ok=None)
    assert set(os.listdir(where)) - {"c"} == volumes(daemon) - {"c"} == {"empty", "a", "b"}


def test_nothing_is_formatted(daemon, tmp_path):
    """Whether something is overwritten is asked of a pool on a device, which these are not."""
    daemon.virsh("pool-define-as", "p", "dir", "--target", tmp_path / "p")
    for words in (["pool-build", "p", "--overwrite"], ["pool-build", "p", "--no-overwrite"],
                  ["pool-start", "p", "--build", "--no-overwrite"]):
        assert "no device" in daemon.virsh(*words, ok=False)
    assert "no device" in daemon.virsh("pool-create-as", "q", "dir", "--target", tmp_path / "q", "--build",
                                       "--overwrite", ok=False)
    assert os.listdir(tmp_path) == []


def test_pools_over_a_restart(daemon, tmp_path):
    """A persistent pool, an active transient one and autostart outlive a daemon that is killed; what was half made by
    it is no volume."""
    daemon.virsh("pool-define-as", "p", "dir", "--target", tmp_path / "p")
    assert "p" in daemon.virsh("pool-list", "--inactive")
    assert "cannot" in daemon.virsh("pool-start", "p", ok=False)  # no directory yet
    daemon.virsh("pool-build", "p")
    daemon.virsh("pool-start", "p")
    daemon.virsh("pool-autostart", "p")
    os.mkdir(tmp_path / "t")
    daemon.virsh("pool-create-as", "t", "dir", "--target", tmp_path / "t")
    daemon.virsh("vol-create-as", "p", "v", "1M")
    (tmp_path / "p" / ".vireo-new-w").write_text("half")
    uuid = daemon.virsh("pool-uuid", "p")
    daemon.stop(signal.SIGKILL)
    daemon.start()
    assert daemon.virsh("pool-uuid", "p") == uuid
    listing = daemon.virsh("pool-list", "--all")
    assert all(any(line.split()[:2] == [name, "active"] for line in listing.splitlines() if line.strip())
               for name in ("p", "t", "default")), listing
    assert volumes(daemon, "p") == {"v"}
    daemon.virsh("vol-create-as", "p", "w", "1M")  # and is no obstacle
    assert volumes(daemon, "p") == {"v", "w"}
    daemon.virsh("pool-destroy", "t")
    assert " t " not in daemon.virsh("pool-list", "--all")
    assert "still active" in daemon.virsh("pool-undefine", "p", ok=False)
    daemon.virsh("pool-destroy", "p")
    assert "not active" in daemon.virsh("vol-list", "p", ok=False)
    daemon.virsh("pool-undefine", "p")
    daemon.stop(signal.SIGKILL)
    daemon.start()
    assert "p" not in daemon.virsh("pool-list", "--all", "--name").split()


def test_many_at_once(daemon):
    """Volumes of one pool that are asked for at the same time are all made, and the daemon answers meanwhile."""
    calls = [subprocess.Popen(["virsh", "-c", daemon.uri, "vol-create-as", "default", f"v{i}", "1M", "--format",
                               "qcow2"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
             for i in range(12)]
    assert "default" in daemon.virsh("pool-list")
    assert all(call.wait(120) == 0 for call in calls)
    assert volumes(daemon) == {f"v{i}" for i in range(12)}
    daemon.virsh("pool-refresh", "default")
    assert volumes(daemon) == {f"v{i}" for i in range(12)}


@pytest.mark.parametrize("setting, there", [("default_pool = none", False), ("default_pool = {}/elsewhere", True)])
def test_the_default_pool(daemon, tmp_path, setting, there):
    """The settings say where it is, or that there is none."""
    for line in ("pool-destroy", "pool-undefine"):
        daemon.virsh(line, "default")
    daemon.configure(setting.format(tmp_path))
    assert ("default" in daemon.virsh("pool-list", "--name").split()) == there
    if there:
        assert f"<path>{tmp_path}/elsewhere</path>" in daemon.virsh("pool-dumpxml", "default")
