# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks at hosts that want to know who asks: QEMU is told by objects of type secret, and nobody else is told."""
import base64
import http.server
import os
import re
import shutil
import signal
import socket
import subprocess
import threading

import libvirt
import pytest

from conftest import PATIENT, refused, wait_for
from test_device import PORTS, device, nodes
from test_device_kinds import objects

UUID = "44444444-2222-4111-8111-11111111111"
PASSWORD, COOKIE = "open-sesame-4711", "crumb-0815"
AUTH = "<auth username='ali'><secret type='iscsi' uuid='{}'/></auth>"
COOKIES = f"<cookies><cookie name='session'>{COOKIE}</cookie><cookie name='lang'>en</cookie></cookies>"
CONTENT = os.urandom(1 << 16)


class Web(http.server.BaseHTTPRequestHandler):
    """One file, for those who know the password and have the cookie."""
    protocol_version = "HTTP/1.1"
    asked = []

    def answer(self, body):
        wanted = "Basic " + base64.b64encode(f"ali:{PASSWORD}".encode()).decode()
        self.asked.append((self.path, self.headers["Authorization"], self.headers["Cookie"]))
        if self.path.startswith("/locked") and self.headers["Authorization"] != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="cave"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        found = re.match(r"bytes=(\d+)-(\d+)", self.headers["Range"] or "")
        first, last = map(int, found.groups()) if found else (0, len(CONTENT) - 1)
        part = CONTENT[first:last + 1]
        self.send_response(206 if found else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(part)))
        if found:
            self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(CONTENT)}")
        self.end_headers()
        if body:
            self.wfile.write(part)

    def do_GET(self):
        self.answer(True)

    def do_HEAD(self):
        self.answer(False)

    def log_message(self, *_):
        pass


@pytest.fixture
def web():
    if not any(os.path.exists(f"{folder}/block-curl.so") for folder in
               ("/usr/lib/x86_64-linux-gnu/qemu", "/usr/lib/qemu", "/usr/lib64/qemu")):
        pytest.skip("SKIP: QEMU's driver for http is not installed (qemu-block-extra)")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    server.daemon_threads = True
    Web.asked.clear()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def connection(daemon):
    daemon.configure(*PATIENT)
    connection = libvirt.open(daemon.uri)
    yield connection
    connection.close()


def secret(connection, last=1, value=PASSWORD, usage="<usage type='iscsi'><target>cave{}</target></usage>"):
    made = connection.secretDefineXML(f"<secret private='yes'><uuid>{UUID}{last}</uuid>{usage.format(last)}</secret>")
    if value:
        made.setValue(value.encode())
    return made


def page(port, target="sda", auth=AUTH.format(UUID + "1"), name="locked/a.iso", more=COOKIES, device="cdrom", bus="scsi"):
    return f"""<disk type='network' device='{device}'><driver name='qemu' type='raw'/>
<source protocol='http' name='{name}'><host name='127.0.0.1' port='{port}'/>{more}{auth}</source>
<target dev='{target}' bus='{bus}'/><readonly/></disk>"""


SCSI = "<controller type='scsi' model='virtio-scsi'/>"


def secrets(daemon, name):
    return {each for each in objects(daemon, name) if "secret" in each}


def told_nobody(daemon, name, *values):
    """Neither the command line nor any file of the daemon's but its store has one of the values."""
    with open(f"/proc/{daemon.qemus()[name]}/cmdline", "rb") as f:
        line = f.read()
    with open(f"/proc/{daemon.qemus()[name]}/environ", "rb") as f:
        line += f.read()
    for value in values:
        for form in (value.encode(), base64.b64encode(value.encode())):
            assert form not in line
            for folder in ("log", "run", "lib", "vireod.log"):
                found = subprocess.run(["grep", "-rlaF", form.decode(), f"{daemon.root}/{folder}"],
                                       capture_output=True, text=True).stdout.split()
                if value == COOKIE:  # part of a definition that only root reads
                    found = [path for path in found if path != f"{daemon.root}/run/domains/{name}.xml"]
                assert not found, form


def first_bytes(daemon, name, node):
    """What QEMU reads there; qemu-io says it on its output."""
    daemon.virsh("qemu-monitor-command", name, "--hmp", f'qemu-io {node} "read -v 0 16"')
    with open(f"{daemon.root}/log/qemu/{name}.log") as f:
        return bytes.fromhex(re.findall(r"^00000000:  ((?:[0-9a-f]{2} ){16})", f.read(), re.M)[-1])


def test_web(daemon, connection, web):
    """The page of a drive is opened with password and cookies; both go with the medium, and come with another."""
    secret(connection)
    daemon.paused("w1", extra=SCSI + page(web))
    wanted = "Basic " + base64.b64encode(f"ali:{PASSWORD}".encode()).decode()
    assert ("/locked/a.iso", wanted, f"session={COOKIE}; lang=en") in Web.asked
    assert secrets(daemon, "w1") == {"file-scsi0-0-0-0-auth-secret0", "file-scsi0-0-0-0-httpcookie-secret0"}
    assert COOKIE not in daemon.virsh("dumpxml", "w1")
    assert COOKIE in daemon.virsh("dumpxml", "w1", "--security-info")
    told_nobody(daemon, "w1", PASSWORD, COOKIE)
    daemon.virsh("update-device", "w1", device(daemon, page(web, name="open/b.iso", auth="", more="")), "--live")
    assert secrets(daemon, "w1") == set()
    assert "<auth" not in daemon.virsh("dumpxml", "w1")
    daemon.virsh("update-device", "w1", device(daemon, page(web, name="locked/c.iso", more="")), "--live")
    assert secrets(daemon, "w1") == {"file-scsi0-0-0-0-auth-secret0"}
    assert ("/locked/c.iso", wanted, None) in Web.asked
    told_nobody(daemon, "w1", PASSWORD)
    # a medium that cannot be had leaves the old one there, with what opens it
    secret(connection, 2, "wrong")
    said = daemon.virsh("update-device", "w1", device(daemon, page(web, auth=AUTH.format(UUID + "2"))), "--live", ok=False)
    assert "401" in said, said
    assert secrets(daemon, "w1") == {"file-scsi0-0-0-0-auth-secret0"}
    assert "locked/c.iso" in daemon.virsh("qemu-monitor-command", "w1", '{"execute":"query-named-block-nodes"}')
    daemon.stop()
    daemon.start()
    daemon.virsh("change-media", "w1", "sda", "--eject", "--force", "--live")
    assert secrets(daemon, "w1") == set()


def test_attached(daemon, connection, web):
    """A disk comes with its secrets and goes with them; one that does not come leaves none."""
    secret(connection)
    secret(connection, 2, "wrong")
    daemon.paused("w1", extra=PORTS + SCSI)
    daemon.virsh("resume", "w1")  # a QEMU that is paused closes no descriptor
    before = nodes(daemon, "w1")
    one = device(daemon, page(web, "sdb", device="disk"))
    daemon.virsh("attach-device", "w1", one, "--live", "--config")
    assert len(secrets(daemon, "w1")) == 2
    assert first_bytes(daemon, "w1", nodes(daemon, "w1")[0]) == CONTENT[:16]
    told_nobody(daemon, "w1", PASSWORD, COOKIE)
    fds = os.listdir(f"/proc/{daemon.qemus()['w1']}/fd")
    assert not [fd for fd in fds if "secret" in os.readlink(f"/proc/{daemon.qemus()['w1']}/fd/{fd}")]
    daemon.virsh("detach-device", "w1", one, "--live")
    wait_for(lambda: nodes(daemon, "w1") == before and not secrets(daemon, "w1"), 30, "a QEMU without the disk")
    other = device(daemon, page(web, "sdc", device="disk", auth=AUTH.format(UUID + "2")))
    assert "401" in daemon.virsh("attach-device", "w1", other, "--live", ok=False)
    assert nodes(daemon, "w1") == before and not secrets(daemon, "w1")


def test_no_secret(daemon, connection, web):
    """Without its secret nothing is started; the error says which disk, which secret and what to do."""
    daemon.define("w1", boot=False, extra=SCSI + page(web))
    domain = connection.lookupByName("w1")
    words = refused(domain.create, libvirt.VIR_ERR_NO_SECRET)
    assert "domain 'w1': disk 'sda': define the secret" in words and UUID + "1" in words
    made = secret(connection, value="")
    words = refused(domain.create, libvirt.VIR_ERR_NO_SECRET)
    assert "disk 'sda'" in words and "secret-set-value" in words
    made.undefine()
    secret(connection, usage="<usage type='ceph'><name>cave{}</name></usage>")
    words = refused(domain.create, libvirt.VIR_ERR_INVALID_SECRET)
    assert "disk 'sda'" in words and "usage 'ceph'" in words and "'iscsi'" in words
    assert not Web.asked and not daemon.qemus()
    connection.secretLookupByUUIDString(UUID + "1").undefine()
    secret(connection, value="wrong")
    assert "401" in refused(domain.create, libvirt.VIR_ERR_INTERNAL_ERROR)
    assert domain.state()[0] == libvirt.VIR_DOMAIN_SHUTOFF


TARGET = "iqn.2026-11.org.example:cave"


@pytest.fixture
def target(daemon):
    """An iSCSI target of one's own, which knows ali by his password; its port."""
    programs = {name: shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin") for name in ("tgtd", "tgtadm")}
    if not all(programs.values()):
        pytest.skip("SKIP: tgt is not installed")
    if os.geteuid() != 0:
        pytest.skip("SKIP: only root runs an iSCSI target")
    image = f"{daemon.root}/target.img"
    with open(image, "wb") as f:
        f.write(CONTENT)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = dict(os.environ, TGT_IPC_SOCKET=f"{daemon.root}/tgt")
    with open(f"{daemon.root}/tgtd.log", "wb") as log:
        process = subprocess.Popen([programs["tgtd"], "-f", "-C", "1", "--iscsi", f"portal=127.0.0.1:{port}"],
                                   env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def admin(*words):
        return subprocess.run([programs["tgtadm"], "-C", "1", "--lld", "iscsi", *words], env=environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    try:
        wait_for(lambda: admin("--op", "show", "--mode", "target").returncode == 0, 20, "a target that answers")
        for words in ("--op new --mode target --tid 1 -T " + TARGET,
                      f"--op new --mode logicalunit --tid 1 --lun 1 -b {image}",
                      "--op bind --mode target --tid 1 -I ALL",
                      f"--op new --mode account --user ali --password {PASSWORD}",
                      "--op bind --mode account --tid 1 --user ali"):
            made = admin(*words.split())
            assert made.returncode == 0, made.stderr
        yield port
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_iscsi(daemon, connection, target):
    """CHAP: who has the password reads the disk."""
    secret(connection)
    disk = f"""<disk type='network' device='disk'><driver name='qemu' type='raw'/>{AUTH.format(UUID + "1")}
<source protocol='iscsi' name='{TARGET}/1'><host name='127.0.0.1' port='{target}'/></source>
<target dev='sda' bus='scsi'/></disk>"""
    daemon.paused("w1", extra=SCSI + disk)
    assert first_bytes(daemon, "w1", nodes(daemon, "w1")[0]) == CONTENT[:16]
    told_nobody(daemon, "w1", PASSWORD)
    daemon.virsh("destroy", "w1")
    secret(connection, value="wrong")
    said = daemon.virsh("start", "w1", ok=False)
    assert "iSCSI" in said and "wrong" not in said, said


def ssh_disk(port, target="vda", more=""):
    return f"""<disk type='network' device='disk'><driver name='qemu' type='raw'/><source protocol='ssh' name='/a.img'>
<host name='127.0.0.1' port='{port}'/>{more}</source><target dev='{target}' bus='virtio'/></disk>"""


def test_ssh(daemon):
    """QEMU's driver goes to the host; what it cannot be told refuses the start by name."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and nobody listens
        port = free.getsockname()[1]
        agent = "<identity username='ali' agentsock='/run/{}.sock'/>"
        for name, disks, words in (
                ("w1", ssh_disk(port, more=agent.format("a")), "ssh"),
                ("w2", ssh_disk(port, more="<knownHosts path='/etc/hosts'/>"), "knownHosts"),
                ("w3", ssh_disk(port, more="<identity username='ali' keyfile='/etc/hosts'/>"), "keyfile"),
                ("w4", ssh_disk(port, more=agent.format("a")) + ssh_disk(port, "vdb", agent.format("b")),
                 "disk 'vdb' wants another ssh agent")):
            daemon.define(name, boot=False, extra=disks)
            assert words in daemon.virsh("start", name, ok=False)
