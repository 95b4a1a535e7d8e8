# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is made on the host before a machine starts: the firmware's variables, a TPM, a virtiofsd."""
import glob
import os
import pwd
import re
import shutil
import signal
import uuid

import pytest

from conftest import VIREO, Daemon, wait_for

EMULATOR = shutil.which("qemu-system-x86_64")
CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
VARS = "/usr/share/OVMF/OVMF_VARS_4M.fd"
SECURE = "/usr/share/OVMF/OVMF_CODE_4M.ms.fd"

needs_ovmf = pytest.mark.skipif(not os.path.exists(CODE), reason="SKIP: no OVMF: scripts/packages test")
needs_swtpm = pytest.mark.skipif(not shutil.which("swtpm_setup"), reason="SKIP: no swtpm: scripts/packages test")
needs_virtiofsd = pytest.mark.skipif(not os.path.exists("/usr/lib/qemu/virtiofsd"), reason="SKIP: no virtiofsd")


def define(daemon, name, os_xml="<type arch='x86_64' machine='q35'>hvm</type>", devices="", more="", ns="",
           attributes=""):
    path = f"{daemon.root}/{name}.xml"
    with open(path, "w") as f:
        f.write(f"""<domain type='qemu' {ns}><name>{name}</name><memory unit='MiB'>96</memory><vcpu>1</vcpu>{more}
  <os {attributes}>{os_xml}</os><features><acpi/></features>
  <devices><emulator>{EMULATOR}</emulator><memballoon model='none'/>{devices}</devices></domain>""")
    daemon.virsh("define", path)


def start(daemon, name, *options, **parts):
    define(daemon, name, **parts)
    daemon.virsh("start", name, "--paused", *options)


def serves(path):
    """The processes with this word on their command line."""
    found = []
    for directory in glob.glob("/proc/[0-9]*"):
        try:
            with open(f"{directory}/cmdline") as f:
                if path in f.read() and "qemu-system" not in os.readlink(f"{directory}/exe"):
                    found.append(int(directory.split("/")[2]))
        except OSError:
            continue
    return found


def nvram(daemon, name):
    return f"{daemon.root}/lib/nvram/{name}_VARS.fd"


def content(path):
    with open(path, "rb") as f:
        return f.read()


# ---- firmware ----

@needs_ovmf
def test_the_variables_are_copied_once(daemon):
    start(daemon, "efi", os_xml="<type arch='x86_64' machine='q35'>hvm</type>"
          f"<loader readonly='yes' type='pflash'>{CODE}</loader>")
    assert f"<nvram>{nvram(daemon, 'efi')}</nvram>" in daemon.virsh("dumpxml", "efi", "--inactive")
    assert content(nvram(daemon, "efi")) == content(VARS)
    daemon.virsh("destroy", "efi")
    with open(nvram(daemon, "efi"), "r+b") as f:
        f.write(b"mine")
    daemon.virsh("start", "efi", "--paused")
    assert content(nvram(daemon, "efi"))[:4] == b"mine"


@needs_ovmf
def test_the_variables_are_copied_anew_when_asked(daemon):
    start(daemon, "efi", os_xml="<type arch='x86_64' machine='q35'>hvm</type>"
          f"<loader readonly='yes' type='pflash'>{CODE}</loader>")
    for again in (["start", "efi", "--paused", "--reset-nvram"], ["restore", f"{daemon.root}/saved", "--reset-nvram"]):
        daemon.virsh(*(["save", "efi", f"{daemon.root}/saved"] if again[0] == "restore" else ["destroy", "efi"]))
        with open(nvram(daemon, "efi"), "r+b") as f:
            f.write(b"mine")
        daemon.virsh(*again)
        assert content(nvram(daemon, "efi")) == content(VARS), again


@needs_ovmf
def test_the_variables_are_copied_anew_when_a_snapshot_is_gone_back_to(daemon):
    """No snapshot is made of a machine with such firmware; one that was made without can be said to be of it."""
    parts = {"devices": f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{daemon.root}/a.qcow2'/>"
                        "<target dev='vda' bus='virtio'/></disk>", "more": f"<uuid>{uuid.uuid4()}</uuid>"}
    os.system(f"qemu-img create -q -f qcow2 {daemon.root}/a.qcow2 1M")
    define(daemon, "efi", **parts)
    daemon.virsh("snapshot-create-as", "efi", "s")
    define(daemon, "efi", os_xml="<type arch='x86_64' machine='q35'>hvm</type>"
           f"<loader readonly='yes' type='pflash'>{CODE}</loader>", **parts)
    with open(f"{daemon.root}/s.xml", "w") as f:
        f.write(re.sub("<domain .*</domain>", lambda _: daemon.virsh("dumpxml", "efi", "--inactive"),
                       daemon.virsh("snapshot-dumpxml", "efi", "s"), flags=re.S))
    daemon.virsh("snapshot-create", "efi", f"{daemon.root}/s.xml", "--redefine")
    daemon.virsh("start", "efi", "--paused")
    daemon.virsh("destroy", "efi")
    for program, options in ("virsh", []), ("virsh", ["--reset-nvram"]), (VIREO, ["--reset-nvram"]):
        with open(nvram(daemon, "efi"), "r+b") as f:
            f.write(b"mine")
        daemon.run(program, "snapshot-revert", "efi", "s", "--paused", *options)
        assert (content(nvram(daemon, "efi")) == content(VARS)) == bool(options)
        daemon.virsh("destroy", "efi")


@needs_ovmf
def test_an_undefine_says_what_becomes_of_the_variables(daemon):
    for option, stays in (("--keep-nvram", True), ("--nvram", False)):
        start(daemon, "efi", os_xml="<type arch='x86_64' machine='q35'>hvm</type>"
              f"<loader readonly='yes' type='pflash'>{CODE}</loader>")
        daemon.virsh("destroy", "efi")
        assert "cannot undefine domain with nvram" in daemon.virsh("undefine", "efi", ok=False)
        daemon.virsh("undefine", "efi", option)
        assert os.path.exists(nvram(daemon, "efi")) == stays


@needs_ovmf
def test_a_template_of_ones_own(daemon):
    with open(f"{daemon.root}/template.fd", "wb") as f:
        f.write(content(VARS)[:-4] + b"TMPL")
    start(daemon, "own", os_xml="<type arch='x86_64' machine='q35'>hvm</type>"
          f"<loader readonly='yes' type='pflash'>{CODE}</loader>"
          f"<nvram template='{daemon.root}/template.fd'>{daemon.root}/some/where/own.fd</nvram>")
    assert content(f"{daemon.root}/some/where/own.fd")[-4:] == b"TMPL"


@needs_ovmf
@pytest.mark.parametrize("machine, features, more, chosen", [
    ("q35", "", "", SECURE),
    ("pc", "", "", CODE),
    ("q35", "<feature enabled='no' name='secure-boot'/>", "", CODE),
    ("q35", "<feature enabled='yes' name='secure-boot'/><feature enabled='no' name='enrolled-keys'/>", "",
     "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd"),
    ("q35", "", "<loader secure='no'/>", CODE),
])
def test_firmware_is_chosen_by_what_is_asked_for(daemon, machine, features, more, chosen):
    start(daemon, "auto", attributes="firmware='efi'",
          os_xml=f"<type arch='x86_64' machine='{machine}'>hvm</type><firmware>{features}</firmware>{more}")
    live = daemon.virsh("dumpxml", "auto")
    assert f">{chosen}</loader>" in live and f">{nvram(daemon, 'auto')}</nvram>" in live
    assert ("<smm state='on'>" in live or "<smm state='on'/>" in live) == ("secboot" in chosen or ".ms." in chosen)
    assert chosen not in daemon.virsh("dumpxml", "auto", "--inactive")


@needs_ovmf
def test_firmware_that_is_not_to_be_had(daemon):
    define(daemon, "never", attributes="firmware='efi'",
           os_xml="<type arch='x86_64' machine='pc'>hvm</type><firmware>"
           "<feature enabled='yes' name='secure-boot'/></firmware>")
    failed = daemon.virsh("start", "never", ok=False)
    assert "Unable to find any firmware to satisfy 'efi' for domain 'never'" in failed
    define(daemon, "gone", os_xml="<type arch='x86_64' machine='q35'>hvm</type>"
           "<loader readonly='yes' type='pflash'>/nowhere/OVMF_CODE.fd</loader>")
    failed = daemon.virsh("start", "gone", ok=False)
    assert "cannot read the firmware '/nowhere/OVMF_CODE.fd' (<loader>) of domain 'gone'" in failed
    shutil.copy(CODE, f"{daemon.root}/lonely.fd")
    define(daemon, "lonely", os_xml="<type arch='x86_64' machine='q35'>hvm</type>"
           f"<loader readonly='yes' type='pflash'>{daemon.root}/lonely.fd</loader>")
    assert "unable to find any master var store for loader" in daemon.virsh("start", "lonely", ok=False)


# ---- TPM ----

TPM = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>"


@needs_swtpm
def test_a_tpm_lives_with_its_guest(daemon):
    start(daemon, "tpm", devices=TPM)
    assert len(serves(f"{daemon.root}/lib/swtpm/")) == 1
    assert '"type":"emulator"' in daemon.virsh("qemu-monitor-command", "tpm",
                                               '{"execute":"query-tpm"}').replace(" ", "")
    daemon.virsh("destroy", "tpm")
    assert not serves(f"{daemon.root}/lib/swtpm/")
    assert glob.glob(f"{daemon.root}/lib/swtpm/*/tpm2/tpm2-00.permall")
    daemon.virsh("start", "tpm", "--paused")
    daemon.virsh("destroy", "tpm")
    daemon.virsh("undefine", "tpm")
    assert not glob.glob(f"{daemon.root}/lib/swtpm/*")


@needs_swtpm
@pytest.mark.skipif(os.geteuid() != 0 or "user = root" in Daemon.settings, reason="SKIP: it is run by the tests' own user")
def test_who_a_tpm_is(daemon):
    """As with libvirt it is run by "tss", who has nothing but its state, also what root had of it; no name there gives him
    a file of root's."""
    start(daemon, "tpm", devices=TPM)
    daemon.virsh("destroy", "tpm")
    state, = glob.glob(f"{daemon.root}/lib/swtpm/*/tpm2")
    secret, ours = f"{daemon.root}/secret", pwd.getpwnam("tss").pw_uid
    with open(secret, "w") as f:
        f.write("root's")
    os.symlink(secret, f"{state}/link")
    os.link(secret, f"{state}/hardlink")
    os.chown(f"{state}/tpm2-00.permall", 0, 0)
    daemon.virsh("start", "tpm", "--paused")
    (pid, *_), = [serves(f"{daemon.root}/lib/swtpm/")]
    with open(f"/proc/{pid}/status") as f:
        said = f.read()
    assert re.search(f"^Uid:\t{ours}\t{ours}\t{ours}\t{ours}$", said, re.M) and re.search("^CapEff:\t0+$", said, re.M)
    assert os.stat(f"{state}/tpm2-00.permall").st_uid == ours and os.stat(secret).st_uid == 0
    assert os.lstat(f"{state}/link").st_uid == 0


@needs_swtpm
def test_a_tpm_of_old(daemon):
    start(daemon, "old", devices="<tpm model='tpm-tis'><backend type='emulator' version='1.2'/></tpm>")
    assert glob.glob(f"{daemon.root}/lib/swtpm/*/tpm1.2/tpm-00.permall")


@needs_swtpm
def test_helpers_end_when_both_were_killed(daemon):
    start(daemon, "tpm", devices=TPM)
    daemon.stop(signal.SIGKILL)
    assert len(serves(f"{daemon.root}/lib/swtpm/")) == 1
    daemon.start()
    assert daemon.virsh("domstate", "tpm").strip() == "paused"
    daemon.stop(signal.SIGKILL)
    os.kill(daemon.qemus()["tpm"], signal.SIGKILL)
    daemon.start()
    wait_for(lambda: not serves(f"{daemon.root}/lib/swtpm/"), 10, "end of swtpm")
    wait_for(lambda: not glob.glob(f"{daemon.root}/run/made/*"), 10, "end of what was noted")
    daemon.virsh("start", "tpm", "--paused")


def test_a_secret_for_a_tpm_is_refused_by_name(daemon):
    define(daemon, "locked", devices="<tpm model='tpm-crb'><backend type='emulator' version='2.0'>"
           "<encryption secret='6dd3e4a5-1d76-44ce-961f-f119f5aad935'/></backend></tpm>")
    assert "its <tpm> with <encryption> needs a secret" in daemon.virsh("start", "locked", ok=False)


# ---- virtiofs ----

SHARED = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"


def folder(path, binary=""):
    return (f"<filesystem type='mount'><driver type='virtiofs'/>{binary}<source dir='{path}'/>"
            "<target dir='tag'/></filesystem>")


@needs_virtiofsd
def test_a_virtiofsd_lives_with_its_guest(daemon):
    os.mkdir(f"{daemon.root}/share")
    start(daemon, "share", devices=folder(f"{daemon.root}/share", "<binary><cache mode='none'/></binary>"),
          more=SHARED)
    served = f"source={daemon.root}/share,cache=none"
    assert serves(served)
    daemon.virsh("destroy", "share")
    wait_for(lambda: not serves(served), 10, "end of virtiofsd")
    assert not glob.glob(f"{daemon.root}/run/made/*")


def test_virtiofs_needs_shared_memory(daemon):
    with pytest.raises(AssertionError, match="'virtiofs' requires shared memory"):
        define(daemon, "share", devices=folder(daemon.root))
    assert "share" not in daemon.virsh("list", "--all")


def test_virtiofs_without_its_folder(daemon):
    define(daemon, "share", devices=folder(f"{daemon.root}/share"), more=SHARED)
    assert "of its <filesystem> is not there" in daemon.virsh("start", "share", ok=False)
    assert not glob.glob(f"{daemon.root}/run/made/*")


# ---- what a person says to QEMU ----

def test_words_for_qemu(daemon):
    start(daemon, "words", ns="xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'",
          more="<qemu:commandline><qemu:arg value='-device'/><qemu:arg value='edu,id=mine,addr=0x10'/>"
          "<qemu:env name='QEMU_AUDIO_DRV' value='none'/></qemu:commandline>")
    pid = daemon.qemus()["words"]
    assert b"\0QEMU_AUDIO_DRV=none\0" in content(f"/proc/{pid}/environ")
    assert '"edu"' in daemon.virsh("qemu-monitor-command", "words", '{"execute":"qom-get","arguments":'
                                   '{"path":"/machine/peripheral/mine","property":"type"}}')
    assert "domain 'words' is tainted" in daemon.log_text()


def test_random_numbers_of_qemu_itself(daemon):
    start(daemon, "rng", devices="<rng model='virtio'><backend model='builtin'/></rng>")
    assert '"rng-builtin"' in daemon.virsh("qemu-monitor-command", "rng", '{"execute":"qom-get","arguments":'
                                          '{"path":"/objects/objrng0","property":"type"}}')
