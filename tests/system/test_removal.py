# SPDX-License-Identifier: LGPL-2.1-or-later
"""Removals from a guest that answers, one by one and many; their deadlines and events."""
import time

import libvirt

from conftest import VIREO, end_of, silent, wait_for
import subprocess

ASYNC_COUNT, ASYNC_VCPU = 1 << 5, 1 << 2  # libvirt 12.4's flags


def watch(daemon, name, event):
    """`vireo event`, once it listens."""
    watcher = subprocess.Popen([VIREO, "-c", daemon.uri, "event", name, "--event", event, "--loop", "--timeout", "60"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    wait_for(lambda: f"client {watcher.pid}: event" in daemon.log_text(), 10, "registration")
    return watcher


def seen(watcher):
    watcher.send_signal(2)
    _, out = end_of(watcher)
    return [line.split("': ")[-1] for line in out.splitlines() if line.startswith("event '")]


def test_1_to_16_to_1(daemon, guest):
    """Two calls; a slow guest that ejects one CPU after the other does not run into the deadline."""
    daemon.boot("b1", maximum=16)
    daemon.virsh("setvcpus", "b1", "16", "--live")
    daemon.wait_online("b1", "0-15")
    daemon.virsh("setvcpus", "b1", "1", "--live", "--config")
    assert daemon.counts("b1")[("current", "live")] == 1
    daemon.wait_online("b1", "0", 5)
    assert "CPU 15" not in daemon.virsh("qemu-monitor-command", "b1", "--hmp", "info cpus")


def test_events(daemon, guest):
    """vcpu-removed for each vCPU, beside device-removed; device-added for a plug."""
    daemon.boot("e1")
    added, removed, device = (watch(daemon, "e1", e) for e in ("device-added", "vcpu-removed", "device-removed"))
    daemon.virsh("setvcpus", "e1", "3", "--live")
    daemon.wait_online("e1", "0-2")
    daemon.virsh("setvcpus", "e1", "1", "--live")
    assert seen(added) == ["vcpu1", "vcpu2"]
    assert sorted(seen(removed)) == ["1", "2"]
    assert sorted(seen(device)) == ["vcpu1", "vcpu2"]


def test_asynchronous_flags(daemon, guest):
    """libvirt 12.4's flag: the call returns once the guest has been asked, the event comes when it answered."""
    silent(daemon, "a1")
    removed = watch(daemon, "a1", "vcpu-removed")
    connection = libvirt.open(daemon.uri)
    domain = connection.lookupByName("a1")
    start = time.monotonic()
    domain.setVcpu("2", 0, libvirt.VIR_DOMAIN_AFFECT_LIVE | ASYNC_VCPU)
    domain.setVcpusFlags(1, libvirt.VIR_DOMAIN_AFFECT_LIVE | ASYNC_COUNT)
    assert time.monotonic() - start < 4.5  # it would wait 5
    assert daemon.counts("a1")[("current", "live")] == 3
    domain.setVcpusFlags(2, libvirt.VIR_DOMAIN_AFFECT_CONFIG | ASYNC_COUNT)  # nothing live: it means nothing
    connection.close()
    daemon.wake("a1")
    wait_for(lambda: daemon.counts("a1")[("current", "live")] == 1, 30, "end of both removals")
    assert sorted(seen(removed)) == ["1", "2"]


def test_deadline_of_the_domain(daemon, guest):
    """An element of <metadata> sets it; one given with the call goes before it."""
    metadata = ("<metadata><v:domain xmlns:v='urn:vireo:domain'><v:unplug timeout-ms='700'/></v:domain></metadata>")
    daemon.boot("d1", cmdline="vireo.deaf", metadata=metadata)
    daemon.virsh("setvcpus", "d1", "2", "--live")
    daemon.wait_online("d1", "0-1")
    daemon.deafen("d1")
    for arguments, seconds in (((), 0.7), (("--timeout", "2"), 2)):
        start = time.monotonic()
        assert "timed out" in daemon.vireo("setvcpus", "d1", "1", "--live", *arguments, ok=False)
        assert seconds <= time.monotonic() - start < 4.8  # the daemon's own is 5
    assert "must be 10 to 3600000 milliseconds" in bad_metadata(daemon)


def bad_metadata(daemon):
    path = f"{daemon.root}/bad.xml"
    with open(path, "w") as f:
        f.write(daemon.xml("bad", metadata="<metadata><d xmlns='urn:vireo:domain'><unplug timeout-ms='x'/></d>"
                           "</metadata>"))
    return daemon.virsh("define", path, ok=False)
