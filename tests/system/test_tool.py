# SPDX-License-Identifier: LGPL-2.1-or-later
"""vireo, the tool: the main job, what scripts read, errors and exit statuses."""
import json

import conftest
import pytest


def test_main_job(daemon, guest):
    daemon.boot("v1")
    daemon.vireo("setvcpus", "v1", "--count", "3", "--live")
    daemon.wait_online("v1", "0-2")
    assert daemon.vireo("vcpucount", "v1") == daemon.virsh("vcpucount", "v1")
    daemon.vireo("setvcpus", "v1", "2", "--live")
    daemon.wait_online("v1", "0-1")
    daemon.vireo("destroy", "v1")
    daemon.vireo("undefine", "v1")
    assert "v1" not in daemon.vireo("list", "--all")


@pytest.mark.parametrize("command", [
    ["list", "--all"], ["list", "--name", "--all"], ["list", "--uuid", "--all"], ["domstate", "p1", "--reason"],
    ["domid", "p1"], ["domuuid", "p1"], ["vcpucount", "p1"], ["vcpucount", "p1", "--live", "--maximum"],
    ["vcpucount", "p1", "--current", "--live"], ["vcpucount", "p1", "--current", "--config"],
    ["vcpucount", "p1", "--current"], ["vcpucount", "p1", "--current", "--maximum"],
    ["dumpxml", "p1"], ["dumpxml", "p1", "--inactive"], ["vcpupin", "p1"], ["nodeinfo"], ["hostname"],
    ["maxvcpus"], ["domblklist", "p1", "--details"], ["domblklist", "p1", "--inactive"], ["domiflist", "p1"],
    ["net-list", "--all"], ["pool-list", "--all"],
    ["domcontrol", "p1"], ["perf", "p1"], ["perf", "p1", "--config", "--enable", "cpu_cycles,branch_misses"],
    ["perf", "p1", "--config"], ["iface-mac", "lo"], ["iface-name", "00:00:00:00:00:00"],
    ["managedsave-remove", "p1"], ["list", "--all", "--managed-save"], ["qemu-monitor-command", "p1", "--hmp", "info version"],
])
def test_same_output_as_virsh(daemon, command):
    daemon.paused("p1")
    daemon.virsh("setvcpus", "p1", "2", "--live")
    daemon.define("p2", boot=False)
    assert daemon.vireo(*command) == daemon.virsh(*command)


@pytest.mark.parametrize("command", [["start", "nope"], ["setvcpus", "p1", "9", "--live"], ["domstate", "nope"],
                                     ["define", "/nonexistent.xml"], ["start", "p1"], ["setvcpus", "p1", "2", "3"],
                                     ["vcpucount", "p1", "--current", "--live", "--maximum"],
                                     ["dumpxml", "p1", "//name"], ["domdisplay", "p1"], ["vncdisplay", "p1"],
                                     ["domif-setlink", "p1", "x", "sideways"],
                                     ["send-key", "p1", "KEY_NOPE"], ["blkiotune", "p1", "--weight", "-5"],
                                     ["memtune", "p1", "--hard-limit", "x"], ["net-info", "nope"],
                                     ["set-lifecycle-action", "p1", "reboot", "x"], ["schedinfo", "p1", "x", "--live", "--current"]])
def test_same_error_as_virsh(daemon, command):
    daemon.paused("p1")
    assert daemon.vireo(*command, ok=False).strip() == daemon.virsh(*command, ok=False).strip()


def test_json(daemon):
    daemon.paused("j1")
    assert any(row.get("name") == "j1" for row in json.loads(daemon.vireo("list", "--json")))
    for command in (["vcpucount", "j1"], ["vcpuinfo", "j1"], ["dominfo", "j1"], ["domstate", "j1"], ["nodeinfo"]):
        json.loads(daemon.vireo(*command, "--json"))


def test_usage_errors(daemon):
    assert "unknown command" in daemon.vireo("frobnicate", ok=False)
    assert "support option" in daemon.vireo("list", "--frob", ok=False)
    assert "SYNOPSIS" in daemon.vireo("setvcpus", "--help")


def test_no_daemon(daemon):
    daemon.stop()
    error = daemon.vireo("list", ok=False)
    assert daemon.socket in error
    daemon.start()


def test_define_tells_what_is_not_acted_on(daemon):
    path = f"{daemon.root}/odd.xml"
    with open(path, "w") as f:
        f.write("<domain type='qemu'><name>odd</name><memory>65536</memory><vcpu>1</vcpu>\n"
                "<os><type arch='x86_64' machine='pc'>hvm</type></os>\n<devices><frob/>\n"
                "<interface type='user'><frob/></interface></devices></domain>")
    done = daemon.run(conftest.VIREO, "define", path)
    assert "'odd' defined" in done.stdout
    assert "line 3: /domain/devices/frob is not known" in done.stderr
    assert "line 4: /domain/devices/interface/frob is not known" in done.stderr


def test_doctor(daemon):
    daemon.paused("d1")
    findings = json.loads(daemon.vireo("doctor", "d1", "--json"))
    topics = {finding["topic"] for finding in findings}
    assert {"kvm", "cgroups", "audit", "resctrl", "qemu"} <= topics
    assert any("version" in finding["text"] for finding in findings
               if finding["topic"] == "qemu")
    quirks = [finding["text"] for finding in findings if finding["topic"] == "quirks"]
    assert any("domain 'd1': QEMU" in text and "without KVM" in text for text in quirks), quirks
    assert "failed to get domain 'nope'" in daemon.vireo("doctor", "nope", ok=False)


def test_top(daemon):
    daemon.paused("t1")
    look, = json.loads(daemon.vireo("top", "--interval", "1", "--count", "1", "--json").strip())
    assert look["domain"] == "t1" and [vcpu["vcpu"] for vcpu in look["vcpus"]] == [0]
    assert "Steal %" in daemon.vireo("top", "t1", "--interval", "1", "--count", "1")


def test_completion_knows_the_domains(daemon):
    daemon.define("c1", boot=False)
    daemon.define("d2", boot=False)
    assert daemon.vireo("-q", "complete", "--", "vcpucount", "").split() == ["c1", "d2"]
    assert daemon.vireo("-q", "complete", "--", "ops", "list", "--domain", "d").split() == ["d2"]
