# SPDX-License-Identifier: LGPL-2.1-or-later
"""vireo, the tool: the main job, what scripts read, errors and exit statuses."""
import json

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
    ["maxvcpus"], ["qemu-monitor-command", "p1", "--hmp", "info version"],
])
def test_same_output_as_virsh(daemon, command):
    daemon.paused("p1")
    daemon.virsh("setvcpus", "p1", "2", "--live")
    daemon.define("p2", boot=False)
    assert daemon.vireo(*command) == daemon.virsh(*command)


@pytest.mark.parametrize("command", [["start", "nope"], ["setvcpus", "p1", "9", "--live"], ["domstate", "nope"],
                                     ["define", "/nonexistent.xml"], ["start", "p1"], ["setvcpus", "p1", "2", "3"],
                                     ["vcpucount", "p1", "--current", "--live", "--maximum"],
                                     ["dumpxml", "p1", "//name"], ["schedinfo", "p1", "x", "--live", "--current"]])
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
