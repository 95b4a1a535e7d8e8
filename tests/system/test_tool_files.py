# SPDX-License-Identifier: LGPL-2.1-or-later
"""vireo's commands that have a terminal, a file or an editor: console, screenshot, volumes, edit, secrets."""
import base64
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

from conftest import BUSY, VIREO, wait_for

CONSOLE = "<serial type='pty'/>"
VIDEO = "<video><model type='vga'/></video>"
UUID = "2b5c3a0e-9c4d-4f6e-8a1b-0c1d2e3f4a5b"


class Terminal:
    """A vireo on a pty of its own."""

    def __init__(self, daemon, *arguments, **environment):
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen([VIREO, "-c", daemon.uri, *arguments], stdin=theirs, stdout=theirs, stderr=theirs,
                                        start_new_session=True, env=dict(os.environ, **environment))
        os.close(theirs)
        self.text = b""

    def wait_for(self, words, seconds=60):
        """Until it has printed that; what came before it."""
        end = time.monotonic() + seconds * BUSY
        while words not in self.text:
            assert time.monotonic() < end, (words, self.text[-2000:])
            if select.select([self.ours], [], [], 1)[0]:
                try:
                    self.text += os.read(self.ours, 4096)
                except OSError:  # EIO: nobody has the other end
                    assert words in self.text, (words, self.text[-2000:])
        before, _, self.text = self.text.partition(words)
        return before

    def type(self, words):
        os.write(self.ours, words)

    def end(self):
        self.process.kill()
        self.process.wait()
        os.close(self.ours)


def test_console(daemon, guest):
    """The guest's own terminal driver echoes what is typed; only Ctrl + ] is not the guest's."""
    xml = f"{daemon.root}/c1.xml"
    with open(xml, "w") as f:
        f.write(re.sub("<serial type='file'>.*?</serial>", CONSOLE, daemon.xml("c1"), flags=re.S))
    daemon.virsh("define", xml)
    daemon.virsh("start", "c1", "--paused")
    terminal = Terminal(daemon, "console", "c1")
    try:
        terminal.wait_for(b"Escape character is ^]")
        daemon.virsh("resume", "c1")
        terminal.wait_for(b"ONLINE 0")
        terminal.type(b"are you there?")
        terminal.wait_for(b"are you there?")
        terminal.type(b"\x03")
        terminal.wait_for(b"^C")
        busy = daemon.vireo("console", "c1", ok=False)
        assert "without a controlling TTY" in busy
        second = Terminal(daemon, "console", "c1")
        second.wait_for(b"Active console session exists")
        assert second.process.wait(30 * BUSY) == 1
        second.end()
        terminal.type(b"bye\x1d")
        assert terminal.process.wait(30 * BUSY) == 0
        before = termios.tcgetattr(terminal.ours)
        ended = Terminal(daemon, "console", "c1")
        ended.wait_for(b"Escape character")
        wait_for(lambda: termios.tcgetattr(ended.ours) != before, 20, "a raw terminal")
        ended.process.terminate()
        assert ended.process.wait(30 * BUSY) == -signal.SIGTERM
        assert termios.tcgetattr(ended.ours) == before
        ended.end()
        third = Terminal(daemon, "console", "c1", "--devname", "serial0", "--force")
        third.wait_for(b"Escape character")
        wait_for(lambda: termios.tcgetattr(third.ours) != before, 20, "a raw terminal: the console is open")
        daemon.virsh("destroy", "c1")
        assert third.process.wait(30 * BUSY) == 0  # it ends with its guest
        third.end()
    finally:
        terminal.end()

def test_start_and_create_with_a_console(daemon):
    """Without a terminal the machine runs all the same, as virsh has it."""
    for name in "s", "c":
        with open(f"{daemon.root}/{name}.xml", "w") as f:
            f.write(re.sub("<serial type='file'>.*?</serial>", CONSOLE, daemon.xml(name, boot=False), flags=re.S))
    daemon.virsh("define", f"{daemon.root}/s.xml")
    for name, words in ("s", ["start", "s"]), ("c", ["create", f"{daemon.root}/c.xml"]):
        terminal = Terminal(daemon, *words, "--console", "--paused")
        cooked = termios.tcgetattr(terminal.ours)
        try:
            terminal.wait_for(b"Escape character is ^]")
            wait_for(lambda: termios.tcgetattr(terminal.ours) != cooked, 20, "a raw terminal")
            terminal.type(b"\x1d")
            assert terminal.process.wait(30 * BUSY) == 0
        finally:
            terminal.end()
        assert daemon.virsh("domstate", name) == "paused\n\n"
        daemon.virsh("destroy", name)
    for program in "virsh", VIREO:
        assert "controlling TTY" in daemon.run(program, "start", "s", "--console", "--paused", ok=False).stderr
        assert daemon.virsh("domstate", "s") == "paused\n\n"
        daemon.virsh("destroy", "s")


def test_screenshot(daemon, tmp_path):
    daemon.paused("s1", extra=VIDEO)
    path = tmp_path / "picture"
    assert daemon.vireo("screenshot", "s1", path) == daemon.virsh("screenshot", "s1", path)
    assert path.read_bytes()[:2] == b"P6"
    assert "no such screen" in daemon.vireo("screenshot", "s1", tmp_path / "none", "--screen", "1", ok=False)
    assert not (tmp_path / "none").exists()
    os.symlink("/dev/full", tmp_path / "full")
    assert "No space left" in daemon.vireo("screenshot", "s1", tmp_path / "full", ok=False)
    assert (tmp_path / "full").is_symlink()
    made = subprocess.run([VIREO, "-c", daemon.uri, "screenshot", "s1"], cwd=tmp_path, capture_output=True, text=True)
    assert made.returncode == 0 and len(list(tmp_path.glob("s1-*.ppm"))) == 1, made


def test_volumes(daemon, tmp_path):
    os.makedirs(f"{daemon.root}/pool")
    daemon.virsh("pool-create-as", "p", "dir", "--target", f"{daemon.root}/pool")
    daemon.virsh("vol-create-as", "p", "v", "4M", "--format", "raw")
    data = os.urandom(3_000_000)
    (tmp_path / "in").write_bytes(data)
    daemon.vireo("vol-upload", "v", tmp_path / "in", "--pool", "p")
    daemon.vireo("vol-download", "v", tmp_path / "out", "--pool", "p", "--length", "3000000")
    assert (tmp_path / "out").read_bytes() == data
    daemon.vireo("vol-download", "v", tmp_path / "out", "--pool", "p", "--offset", "1000", "--length", "500000")
    assert (tmp_path / "out").read_bytes() == data[1000:501000]
    daemon.vireo("vol-upload", "v", tmp_path / "out", "--pool", "p", "--offset", "1MiB", "--length", "777")
    with open(f"{daemon.root}/pool/v", "rb") as f:
        assert f.read()[1 << 20:][:778] == data[1000:1777] + data[(1 << 20) + 777:][:1]
    # holes stay holes, either way, also at the end and from the middle of one on
    with open(tmp_path / "in", "wb") as f:
        for at in 5 << 20, 40 << 20:
            f.seek(at)
            f.write(data)
        f.truncate(64 << 20)
    daemon.vireo("vol-upload", "v", tmp_path / "in", "--pool", "p", "--sparse")
    daemon.vireo("vol-download", "v", tmp_path / "holes", "--pool", "p", "--sparse")
    whole = (tmp_path / "in").read_bytes()
    for path in tmp_path / "holes", f"{daemon.root}/pool/v":
        assert open(path, "rb").read() == whole and os.stat(path).st_blocks * 512 < 10 << 20, path
    daemon.vireo("vol-download", "v", tmp_path / "holes", "--pool", "p", "--sparse", "--offset", "1000000", "--length", "40MB")
    assert (tmp_path / "holes").read_bytes() == whole[1000000:41000000]
    # what was there before stays when nothing came
    assert "failed to get vol" in daemon.vireo("vol-download", "none", tmp_path / "out", "--pool", "p", ok=False)
    assert (tmp_path / "out").stat().st_size == 500000
    # a full disk ends an upload, and the connection goes on
    os.makedirs(f"{daemon.root}/small")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", f"{daemon.root}/small"]).returncode == 0:
        try:
            daemon.virsh("pool-create-as", "s", "dir", "--target", f"{daemon.root}/small")
            with open(f"{daemon.root}/small/big", "wb") as f:
                f.truncate(64 << 20)
            daemon.virsh("pool-refresh", "s")
            with open(tmp_path / "much", "wb") as f:
                for _ in range(48):
                    f.write(os.urandom(1 << 20))
            assert "No space left" in daemon.vireo("vol-upload", "big", tmp_path / "much", "--pool", "s", ok=False)
            daemon.virsh("pool-destroy", "s")
        finally:
            subprocess.run(["umount", "-l", f"{daemon.root}/small"])
    os.unlink(f"{daemon.root}/pool/v")
    assert "cannot download from volume v" in daemon.vireo("vol-download", "v", tmp_path / "new", "--pool", "p", ok=False)
    assert not (tmp_path / "new").exists()
    assert "cannot open" in daemon.vireo("vol-upload", "v", tmp_path / "nothing", "--pool", "p", ok=False)


def edit(daemon, change, *command, ok=True, **environment):
    """The words with an editor that is a sed script."""
    done = subprocess.run([VIREO, "-c", daemon.uri, *command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env=dict(os.environ, EDITOR=f"sed -i -e '{change}'", **environment))
    assert (done.returncode == 0) == ok, done
    return done.stdout + done.stderr


def test_edit(daemon, tmp_path):
    daemon.define("e1", boot=False)
    said = edit(daemon, "s/<name>/<title>edited<\\/title>&/", "edit", "e1", TMPDIR=str(tmp_path))
    assert "Domain 'e1' XML configuration edited." in said
    assert "<title>edited</title>" in daemon.virsh("dumpxml", "e1")
    assert "not changed" in edit(daemon, "s/nothing/x/", "edit", "e1", TMPDIR=str(tmp_path))
    assert os.listdir(tmp_path) == []
    # a text that cannot be: nothing has changed, and the work is not lost
    said = edit(daemon, "s/<vcpu/<vpcu/", "edit", "e1", ok=False, TMPDIR=str(tmp_path))
    kept = re.search(r"what was edited is in (\S+)", said).group(1)
    with open(kept) as f:
        assert "<vpcu" in f.read()
    assert os.stat(kept).st_mode & 0o77 == 0
    assert "<title>edited</title>" in daemon.virsh("dumpxml", "e1")
    # no editor, and an editor that fails
    said = edit(daemon, "", "edit", "e1", ok=False, TMPDIR=str(tmp_path), VISUAL="/nonexistent/editor")
    assert "/nonexistent/editor" in said and "EDITOR" in said


def test_definition_from_a_pipe(daemon):
    """Whose writer takes its time."""
    path = daemon.define("e1", boot=False)
    daemon.virsh("undefine", "e1")
    done = subprocess.run(["sh", "-c", f"(sleep 1; cat {path}) | {VIREO} -c '{daemon.uri}' define /dev/stdin"],
                          capture_output=True, text=True)
    assert done.returncode == 0 and "defined from /dev/stdin" in done.stdout, done


def test_edit_of_what_another_changes(daemon):
    daemon.define("e1", boot=False)
    other = f"virsh -c \"{daemon.uri}\" desc e1 --title --new-desc mine --config; sed -i s/64/65/"
    done = subprocess.run([VIREO, "-c", daemon.uri, "edit", "e1"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env=dict(os.environ, VISUAL=other))
    assert done.returncode == 1 and "changed by somebody else meanwhile" in done.stderr, done
    assert "<title>mine</title>" in daemon.virsh("dumpxml", "e1")
    assert "65536" in daemon.virsh("dumpxml", "e1")


def test_edit_again(daemon):
    """On a terminal a failed edit can be gone on with."""
    daemon.define("e1", boot=False)
    editor = "f() { grep -q vpcu \"$1\" && sed -i \"s/vpcu/vcpu/;s/<name>/<title>second<\\/title>&/\" \"$1\" || " \
             "sed -i s/vcpu/vpcu/ \"$1\"; }; f"
    terminal = Terminal(daemon, "edit", "e1", EDITOR=editor)
    try:
        terminal.wait_for(b"Edit it again? [y,n]:")
        terminal.type(b"y\n")
        terminal.wait_for(b"XML configuration edited.")
        assert terminal.process.wait(30 * BUSY) == 0
    finally:
        terminal.end()
    assert "<title>second</title>" in daemon.virsh("dumpxml", "e1")


def test_edit_of_others(daemon):
    os.makedirs(f"{daemon.root}/pool")
    daemon.virsh("pool-define-as", "p", "dir", "--target", f"{daemon.root}/pool")
    assert "Pool p XML configuration edited." in edit(daemon, "s/pool<\\/path>/other<\\/path>/", "pool-edit", "p")
    assert f"{daemon.root}/other" in daemon.virsh("pool-dumpxml", "p")
    xml = f"{daemon.root}/net.xml"
    with open(xml, "w") as f:
        f.write("<network><name>n</name><forward mode='bridge'/><bridge name='br7'/></network>")
    daemon.virsh("net-define", xml)
    assert "Network n XML configuration edited." in edit(daemon, "s/br7/br8/", "net-edit", "n")
    assert "br8" in daemon.virsh("net-dumpxml", "n")
    daemon.paused("m1")
    daemon.virsh("save", "m1", f"{daemon.root}/image")
    assert "edited" in edit(daemon, "s/<name>/<title>saved<\\/title>&/", "save-image-edit", f"{daemon.root}/image")
    assert "<title>saved</title>" in daemon.virsh("save-image-dumpxml", f"{daemon.root}/image")
    daemon.virsh("start", "m1", "--paused")
    daemon.virsh("managedsave", "m1")
    assert "edited" in edit(daemon, "s/<name>/<title>managed<\\/title>&/", "managedsave-edit", "m1", "--paused")
    assert "<title>managed</title>" in daemon.virsh("managedsave-dumpxml", "m1")

def with_volumes(daemon, name="u"):
    """A domain with a disk of a pool by its path, one by its name, one of no pool, and a medium that is of the pool."""
    pool = f"{daemon.root}/pool"
    for volume in "a", "b", "iso":
        daemon.virsh("vol-create-as", "p", volume, "1M")
    with open(f"{daemon.root}/own", "w") as f:
        f.truncate(1 << 20)
    daemon.define(name, boot=False, extra=f"""
      <disk type='file'><source file='{pool}/a'/><target dev='vda' bus='virtio'/></disk>
      <disk type='volume'><source pool='p' volume='b'/><target dev='vdb' bus='virtio'/></disk>
      <disk type='file'><source file='{daemon.root}/own'/><target dev='vdc' bus='virtio'/></disk>
      <disk type='file' device='cdrom'><source file='{pool}/iso'/><target dev='sda' bus='sata'/></disk>""")


def test_undefine_with_storage(daemon):
    pool = f"{daemon.root}/pool"
    os.makedirs(pool)
    daemon.virsh("pool-define-as", "p", "dir", "--target", pool)
    daemon.virsh("pool-start", "p")
    with_volumes(daemon)
    # nothing is lost by what is refused
    daemon.virsh("start", "u", "--paused")
    virsh, vireo = daemon.both("undefine", "u", "--remove-all-storage")
    assert virsh == vireo and vireo[0] == 1
    daemon.virsh("destroy", "u")
    for words in (["--wipe-storage"], ["--delete-storage-volume-snapshots"], ["--storage", "vda", "--remove-all-storage"],
                  ["--storage", "vda,vdz"]):
        virsh, vireo = daemon.both("undefine", "u", *words)
        assert virsh == vireo and vireo[0] == 1, words
    assert sorted(os.listdir(pool)) == ["a", "b", "iso"] and daemon.virsh("domstate", "u") == "shut off\n\n"
    # all disks, which a medium is not
    said = daemon.run(VIREO, "undefine", "u", "--remove-all-storage", "--wipe-storage", ok=True)
    assert f"Volume 'vda'({pool}/a) removed." in said.stdout and "Volume 'vdb'(b) removed." in said.stdout
    assert f"'vdc'({daemon.root}/own) is in no storage pool" in said.stderr
    assert os.listdir(pool) == ["iso"] and os.path.exists(f"{daemon.root}/own")
    assert "failed to get domain" in daemon.virsh("domstate", "u", ok=False)
    # those that are named
    daemon.virsh("vol-delete", "iso", "p")
    with_volumes(daemon)
    daemon.vireo("undefine", "u", "--storage", f"sda,{pool}/a")
    assert os.listdir(pool) == ["b"]


def test_secrets(daemon, tmp_path):
    (tmp_path / "secret.xml").write_text(f"<secret ephemeral='no' private='no'><uuid>{UUID}</uuid>"
                                         "<usage type='volume'><volume>/v/1</volume></usage></secret>")
    assert daemon.vireo("secret-define", tmp_path / "secret.xml") == f"Secret {UUID} created\n\n"
    assert daemon.vireo("secret-list") == daemon.virsh("secret-list")
    assert daemon.vireo("secret-dumpxml", UUID) == daemon.virsh("secret-dumpxml", UUID)
    value = bytes(range(256))
    (tmp_path / "value").write_text(base64.encodebytes(value).decode())
    assert daemon.vireo("secret-set-value", UUID, "--file", tmp_path / "value") == "Secret value set\n\n"
    assert daemon.vireo("secret-get-value", UUID) == daemon.virsh("secret-get-value", UUID)
    assert base64.b64decode(daemon.vireo("secret-get-value", UUID)) == value
    (tmp_path / "plain").write_bytes(value)
    daemon.vireo("secret-set-value", UUID, "--plain", "--file", tmp_path / "plain")
    assert base64.b64decode(daemon.virsh("secret-get-value", UUID)) == value
    (tmp_path / "plain").write_text("open sesame")
    daemon.vireo("secret-set-value", UUID, "--plain", "--file", tmp_path / "plain")
    assert daemon.virsh("secret-get-value", UUID, "--plain").strip() == "open sesame"
    assert daemon.vireo("secret-get-value", UUID, "--plain").strip() == "open sesame"
    assert "Invalid base64" in daemon.vireo("secret-set-value", UUID, "no!", ok=False)
    assert "is missing" in daemon.vireo("secret-set-value", UUID, ok=False)
    assert daemon.vireo("secret-undefine", UUID) == f"Secret {UUID} deleted\n\n"
    assert "failed to get secret" in daemon.vireo("secret-dumpxml", UUID, ok=False)
    assert "is no uuid" in daemon.vireo("secret-dumpxml", "x", ok=False)


def follow(daemon, program, *command):
    return subprocess.Popen([program, "-c", daemon.uri, *command, "--loop"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            text=True)


def test_events_of_objects(daemon, tmp_path):
    """The same lines as virsh prints."""
    os.makedirs(f"{daemon.root}/pool")
    xml = f"{daemon.root}/net.xml"
    with open(xml, "w") as f:
        f.write("<network><name>n</name><forward mode='bridge'/><bridge name='br7'/></network>")
    (tmp_path / "secret.xml").write_text(f"<secret ephemeral='no' private='no'><uuid>{UUID}</uuid></secret>")
    kinds = {("net-event", "lifecycle"): 2, ("pool-event", "lifecycle"): 2, ("pool-event", "refresh"): 1,
             ("secret-event", "lifecycle"): 2, ("secret-event", "value-changed"): 1}
    watches = {(program, kind): follow(daemon, program, kind[0], "--event", kind[1]) for kind in kinds
               for program in (VIREO, "virsh")}
    wait_for(lambda: daemon.log_text().count(" registered as callback ") == len(watches), 20, "registrations")
    daemon.virsh("net-define", xml)
    daemon.virsh("net-undefine", "n")
    daemon.virsh("pool-define-as", "p", "dir", "--target", f"{daemon.root}/pool")
    daemon.virsh("pool-start", "p")
    daemon.virsh("pool-refresh", "p")
    daemon.virsh("secret-define", tmp_path / "secret.xml")
    daemon.virsh("secret-set-value", UUID, "eA==")
    daemon.virsh("secret-undefine", UUID)
    said = {}
    for (program, kind), process in watches.items():
        said[program, kind] = [process.stdout.readline() for _ in range(kinds[kind])]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60 * BUSY)
    for kind in kinds:
        assert said[VIREO, kind] == said["virsh", kind], (kind, said)
    assert said[VIREO, ("pool-event", "refresh")] == ["event 'refresh' for storage pool p\n"]
    assert daemon.vireo("pool-event", "--list") == daemon.virsh("pool-event", "--list").strip() + "\n\n"
    assert "is required" in daemon.vireo("net-event", ok=False)
    assert "unknown event type x" in daemon.vireo("net-event", "--event", "x", ok=False)
