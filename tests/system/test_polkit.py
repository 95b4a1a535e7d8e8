# SPDX-License-Identifier: LGPL-2.1-or-later
"""access = polkit: what polkit's rules let a user do, asked call by call. The real polkitd on a private bus, with our
policy and the test's rules mounted where it looks for them, in a mount namespace of its own."""
import json
import os
import shutil
import signal
import subprocess

import pytest

from conftest import VIREO, passable, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
POLKITD = "/usr/lib/polkit-1/polkitd"
POLICY = f"{HERE}/../../daemon/units/org.vireo.policy"
USER = 64911
DENIED, UNAVAILABLE = 88, 94
XML = "<domain type='qemu'><name>{}</name><memory>65536</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>"
BUS = """<busconfig><type>system</type><listen>unix:path={0}</listen><auth>EXTERNAL</auth>
<policy context='default'><allow user='*'/><allow send_destination='*'/><allow receive_sender='*'/><allow own='*'/></policy>
</busconfig>"""
# What each place of the script says: "ok", or libvirt's error code.
CLIENT = """
import json, libvirt, sys
libvirt.registerErrorHandler(lambda *a: None, None)
def said(do):
    try:
        do()
        return "ok"
    except libvirt.libvirtError as error:
        return error.get_error_code()
connection = libvirt.open(sys.argv[1])
found = {}
def domain(name):
    return connection.lookupByName(name)
for name, text in json.loads(sys.argv[2]).items():
    found[name] = said(lambda: eval(text, {"c": connection, "d": domain, "libvirt": libvirt}))
print(json.dumps(found))
"""


class Polkit:
    """polkitd and its bus."""

    def __init__(self, root):
        self.root = root
        self.bus = self.polkitd = None
        for name in ("actions", "rules"):
            os.mkdir(f"{root}/{name}")
            os.chmod(f"{root}/{name}", 0o755)
        shutil.copy(POLICY, f"{root}/actions")
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={root}/bus"

    def start(self):
        with open(f"{self.root}/bus.conf", "w") as f:
            f.write(BUS.format(f"{self.root}/bus"))
        self.bus = subprocess.Popen(["dbus-daemon", f"--config-file={self.root}/bus.conf", "--nofork", "--nopidfile"],
                                    stdin=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists(f"{self.root}/bus"), 10, "bus")
        self.start_polkitd()

    def start_polkitd(self):
        mounts = f"mount --bind {self.root}/actions /usr/share/polkit-1/actions && " \
                 f"mount --bind {self.root}/rules /etc/polkit-1/rules.d && exec {POLKITD} --no-debug"
        self.polkitd = subprocess.Popen(["unshare", "--mount", "sh", "-c", mounts], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL)
        wait_for(self.answers, 20, "polkitd that answers")

    def answers(self):
        assert self.polkitd.poll() is None, "polkitd has ended"
        asked = subprocess.run(["busctl", f"--address=unix:path={self.root}/bus", "call", "org.freedesktop.DBus", "/",
                                "org.freedesktop.DBus", "NameHasOwner", "s", "org.freedesktop.PolicyKit1"],
                               capture_output=True, text=True)
        return "true" in asked.stdout

    def rules(self, text):
        with open(f"{self.root}/rules/50-vireo.rules", "w") as f:
            f.write(f"polkit.addRule(function(action, subject) {{ {text} }});\n")
        self.stop_polkitd()
        self.start_polkitd()

    def stop_polkitd(self):
        self.polkitd.send_signal(signal.SIGCONT)
        self.polkitd.kill()
        self.polkitd.wait()

    def stop(self):
        for process in (self.polkitd, self.bus):
            if process and process.poll() is None:
                process.kill()
                process.wait()
        os.environ.pop("DBUS_SYSTEM_BUS_ADDRESS", None)


@pytest.fixture
def polkit(daemon, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("SKIP: needs root: other users are played")
    for program, package in ((POLKITD, "polkitd"), ("/usr/bin/dbus-daemon", "dbus")):
        if not os.path.exists(program):
            pytest.skip(f"SKIP: needs {program} (package {package})")
    daemon.stop()
    os.chmod(daemon.root, 0o711)
    instance = Polkit(str(tmp_path))
    try:
        instance.start()
        daemon.configure("access = polkit")
        yield instance
    finally:
        instance.stop()


def ask(uri, **calls):
    done = subprocess.run(["/usr/bin/python3", "-B", "-c", CLIENT, uri, json.dumps(calls)], user=USER, group=USER,
                          extra_groups=[], text=True, capture_output=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def define(daemon, *names):
    for name in names:
        with open(f"{daemon.root}/{name}.xml", "w") as f:
            f.write(XML.format(name))
        daemon.virsh("define", f"{daemon.root}/{name}.xml")


def test_nobody_without_a_rule(daemon, polkit):
    """Not even to read, on either socket: no user of the test has a session. Root is not asked about."""
    define(daemon, "a")
    for uri in (daemon.uri, daemon.uri.replace("vireo-sock", "vireo-sock-ro")):
        assert ask(uri, list="c.listAllDomains()", define=f"c.defineXML({XML.format('b')!r})",
                   version="c.getVersion()") == {"list": DENIED, "define": DENIED if uri == daemon.uri else 29,
                                                 "version": DENIED}
    assert daemon.virsh("list", "--all", "--name").split() == ["a"]


def test_rules_see_class_and_domain(daemon, polkit):
    define(daemon, "mine", "other")
    polkit.rules("""
        if (action.id == "org.vireo.read") return polkit.Result.YES;
        if (action.id == "org.vireo.write" && action.lookup("domain_name") == "mine" && action.lookup("domain_uuid")
            && action.lookup("connect_driver") == "QEMU") return polkit.Result.YES;
        if (action.id.indexOf("org.vireo.") == 0) return polkit.Result.NO;""")
    secure = "XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE)"
    assert ask(daemon.uri, list="c.listAllDomains()", xml="d('other').XMLDesc()", mine=f"d('mine').{secure}",
               other=f"d('other').{secure}", set_mine="d('mine').setAutostart(1)",
               set_other="d('other').setAutostart(1)", define=f"c.defineXML({XML.format('new')!r})",
               save="d('mine').managedSave()", dump="d('mine').coreDump('/tmp/x')", resize="d('mine').blockResize('vda', 1)",
               agent="d('mine').fsFreeze()", addresses="d('mine').interfaceAddresses(1)",
               online="d('mine').vcpusFlags(libvirt.VIR_DOMAIN_VCPU_GUEST)") == {
                   "list": "ok", "xml": "ok", "mine": "ok", "other": DENIED, "set_mine": "ok", "set_other": DENIED,
                   "define": DENIED, "save": DENIED, "dump": DENIED, "resize": DENIED, "agent": DENIED,
                   "addresses": DENIED, "online": DENIED}
    assert "mine" in daemon.virsh("list", "--all", "--name", "--autostart")
    assert "other" not in daemon.virsh("list", "--all", "--name", "--autostart")

# What a caller sees of all domains, and the names of the domains of the events until one of "mine" was undefined.
WATCHER = """
import json, libvirt, sys
libvirt.registerErrorHandler(lambda *a: None, None)
libvirt.virEventRegisterDefaultImpl()
c = libvirt.open(sys.argv[1])
names = lambda domains: sorted(d.name() for d in domains)
def refused(look, what):
    try:
        look(what)
        return 0
    except libvirt.libvirtError as error:
        return error.get_error_code() if "other" not in str(error) else str(error)
other = [refused(c.lookupByName, "other"), refused(c.lookupByID, int(sys.argv[2]))]
stats = [record[0] for record in c.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE)]
named = [record[0] for record in c.domainListGetStats(c.listAllDomains(), libvirt.VIR_DOMAIN_STATS_STATE)]
seen = {"all": names(c.listAllDomains()), "defined": c.listDefinedDomains(), "active": len(c.listDomainsID()),
        "n": [c.numOfDomains(), c.numOfDefinedDomains()], "other": other, "stats": names(stats), "named": names(named)}
told = []
c.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lambda c, d, event, detail, o: told.append([d.name(), event]), None)
print(json.dumps(seen), flush=True)
while ["mine", libvirt.VIR_DOMAIN_EVENT_UNDEFINED] not in told:
    libvirt.virEventRunDefaultImpl()
print(json.dumps(told), flush=True)
"""


def test_lists_and_events_show_what_may_be_read(daemon, polkit):
    """A caller who may read one domain learns of no other: in lists, numbers, statistics, operations or events."""
    define(daemon, "mine", "hidden")
    daemon.paused("other")
    number = daemon.virsh("domid", "other").strip()
    daemon.virsh("setvcpus", "other", "2", "--live")
    polkit.rules("""
        var name = action.lookup("domain_name");
        if (action.id == "org.vireo.read" && (!name || name == "mine")) return polkit.Result.YES;
        if (action.id.indexOf("org.vireo.") == 0) return polkit.Result.NO;""")
    caller = {"user": USER, "group": USER, "extra_groups": [], "text": True}
    watcher = subprocess.Popen(["/usr/bin/python3", "-B", "-c", WATCHER, daemon.uri, number], stdout=subprocess.PIPE, **caller)
    try:
        assert json.loads(watcher.stdout.readline()) == {
            "all": ["mine"], "defined": ["mine"], "active": 0, "n": [0, 1], "other": [DENIED, DENIED],
            "stats": ["mine"], "named": ["mine"]}
        define(daemon, "new")
        daemon.virsh("destroy", "other")
        for name in ("hidden", "mine"):
            daemon.virsh("undefine", name)
        told = json.loads(watcher.communicate(timeout=60)[0])
        assert told == [["mine", 1]], told
    finally:
        watcher.kill()
        watcher.wait()
    assert "other" in daemon.vireo("ops", "list", "--all")
    if passable(VIREO):
        asked = subprocess.run([VIREO, "-c", daemon.socket, "ops", "list", "--all"], capture_output=True, timeout=60, **caller)
        assert asked.returncode == 0 and "other" not in asked.stdout, asked


FORGE = """
import socket, struct, sys
sys.path.insert(0, sys.argv[1])
from test_bad_input import frame, read_frame
def string(text):
    return struct.pack(">I", len(text)) + text + b"\\0" * (-len(text) % 4)
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[2])
s.sendall(frame(1, struct.pack(">I", 1) + string(b"qemu:///system") + struct.pack(">I", 0)))
assert read_frame(s)[0][6] == 0
s.sendall(frame(int(sys.argv[4]), string(b"mine") + bytes.fromhex(sys.argv[3]) + struct.pack(">ii", -1, 1)))
head, body = read_frame(s)
print(struct.unpack(">i", body[:4])[0] if head[6] else "done")
"""


def test_the_name_is_the_daemons(daemon, polkit):
    """A call with another domain's uuid and an allowed one's name is about the other; one that names no domain is
    not about the domain that its bytes look like."""
    define(daemon, "mine", "other")
    polkit.rules("""if (action.lookup("domain_name") == "mine") return polkit.Result.YES;
                    return polkit.Result.NO;""")
    set_autostart, create_xml = 29, 10  # whose procedures' arguments begin with a domain, and with a text
    for name, procedure, said in (("mine", set_autostart, "done"), ("other", set_autostart, str(DENIED)),
                                  ("mine", create_xml, str(DENIED))):
        uuid = daemon.virsh("domuuid", name).strip().replace("-", "")
        done = subprocess.run(["/usr/bin/python3", "-B", "-c", FORGE, HERE, daemon.socket, uuid, str(procedure)],
                              user=USER, group=USER, extra_groups=[], text=True, capture_output=True, timeout=60)
        assert done.stdout.strip() == said, (name, procedure, done)


def test_polkit_comes_and_goes(daemon, polkit):
    polkit.rules("return polkit.Result.YES;")
    assert ask(daemon.uri, list="c.listAllDomains()") == {"list": "ok"}
    polkit.stop_polkitd()
    assert ask(daemon.uri, list="c.listAllDomains()") == {"list": UNAVAILABLE}
    polkit.bus.kill()
    polkit.bus.wait()
    assert ask(daemon.uri, list="c.listAllDomains()") == {"list": UNAVAILABLE}
    os.unlink(f"{polkit.root}/bus")
    polkit.start()
    assert ask(daemon.uri, list="c.listAllDomains()") == {"list": "ok"}


def test_a_silent_polkit_stops_nobody_else(daemon, polkit):
    """Neither another client nor the end of the daemon."""
    polkit.polkitd.send_signal(signal.SIGSTOP)
    waiting = subprocess.Popen(["/usr/bin/python3", "-B", "-c", CLIENT, daemon.uri, '{"list": "c.listAllDomains()"}'],
                               user=USER, group=USER, extra_groups=[], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: "org.vireo.read" in daemon.log_text() or waiting.poll() is not None, 5, "question")
        assert daemon.virsh("list", "--all", "--name").split() == []
        assert waiting.poll() is None
        assert daemon.stop() == 0
        assert "are given up" not in daemon.log_text()
    finally:
        waiting.kill()
        waiting.wait()
        polkit.polkitd.send_signal(signal.SIGCONT)
