# SPDX-License-Identifier: LGPL-2.1-or-later
"""vireo's commands about the host, its pools, and what is measured of a guest: virsh's output and errors, and what they
did."""
import json
import os
import re

import pytest

from conftest import wait_for

KSM = "/sys/kernel/mm/ksm/pages_to_scan"
DISK = """<disk type='file'><driver name='qemu' type='qcow2'/><source file='{}/h.qcow2'/><target dev='vda' bus='virtio'/></disk>"""
NETWORK = "<network><name>n</name></network>"

SAME = [
    ["nodedev-list"], ["nodedev-list", "--tree"], ["nodedev-list", "--cap", "pci,net"], ["nodedev-list", "--cap", "bogus"],
    ["nodedev-list", "--inactive"], ["nodedev-list", "--all"], ["nodedev-list", "--tree", "--cap", "pci"],
    ["nodedev-list", "--tree", "--inactive"], ["nodedev-info", "computer"], ["nodedev-info", "nothing"],
    ["node-memory-tune"], ["node-memory-tune", "--shm-pages-to-scan", "-1"],
    ["node-memory-tune", "--shm-merge-across-nodes", "7"],
    ["net-dhcp-leases", "n"], ["net-dhcp-leases", "n", "--mac", "52:54:00:00:00:01"], ["net-dhcp-leases", "nothing"],
    ["domblkthreshold", "h", "vdz", "1"], ["domblkthreshold", "off", "vda", "1"],
    ["domdirtyrate-calc", "h", "--mode", "bogus"], ["domdirtyrate-calc", "h", "--seconds", "x"],
    ["domdirtyrate-calc", "h", "--seconds", "0"], ["domdirtyrate-calc", "h", "--seconds", "61"],
    *(["migrate", "h", "qemu+unix:///system?socket=/nothing", "--p2p", *words.split()] for words in (
        "--parallel-connections 2", "--postcopy-bandwidth 5 --unsafe", "--comp-mt-level 3", "--comp-mt-threads 2",
        "--comp-mt-dthreads 2", "--tls --tls-destination x", "--disks-port 5", "--disks-uri tcp://x", "--postcopy-bandwidth x")),
    ["migrate-compcache", "h"], ["migrate-compcache", "h", "--size", "x"], ["migrate-compcache", "h", "--size", "4096"],
]

# What the definition of a pool is made of; a kind that is refused is printed all the same.
POOLS = [
    "--source-host h --source-path /p --source-dev /d --source-name n --source-format f --source-initiator iqn --target /t",
    "--source-dev /d --auth-type chap --auth-username u --secret-usage s --source-protocol-ver 4",
    "--source-host h --auth-type ceph --auth-username u --secret-uuid 11111111-1111-1111-1111-111111111111",
    "--source-dev /d --auth-type chap --auth-username u", "--adapter-name host1", "--adapter-wwnn a", "--adapter-parent x",
    "--adapter-wwnn a --adapter-wwpn b --adapter-parent scsi_host3",
    "--adapter-wwnn a --adapter-wwpn b --adapter-parent-wwnn 1 --adapter-parent-wwpn 2",
    "--adapter-wwnn a --adapter-wwpn b --adapter-parent-fabric-wwn c", "",
]


@pytest.fixture
def host(daemon):
    """A machine with a disk, paused, one that is off, and a network that is off."""
    os.system(f"qemu-img create -q -f qcow2 {daemon.root}/h.qcow2 64M")
    daemon.paused("h", extra=DISK.format(daemon.root))
    daemon.define("off", boot=False, extra=DISK.format(daemon.root))
    with open(f"{daemon.root}/n.xml", "w") as f:
        f.write(NETWORK)
    daemon.virsh("net-define", f"{daemon.root}/n.xml")
    return daemon


def test_says_what_virsh_says(host):
    for words in SAME:
        virsh, vireo = host.both(*words)
        assert virsh == vireo, words


def test_a_pool_is_made_of_all_options(daemon):
    for words in POOLS:
        virsh, vireo = (said.replace('"', "'") for _, said, _ in
                        daemon.both("pool-define-as", "x", "iscsi", *words.split(), "--print-xml"))
        assert virsh == vireo, words


def test_a_threshold(host):
    """What QEMU holds it to is in the statistics."""
    for size, number in ("5G", 5 << 30), ("1000000", 1000000):
        host.vireo("domblkthreshold", "h", "vda", size)
        assert f"block.0.threshold={number}\n" in host.virsh("domstats", "h", "--block")
    assert "'x' for <threshold>" in host.vireo("domblkthreshold", "h", "vda", "x", ok=False)


def test_a_dirty_rate(host):
    host.vireo("domdirtyrate-calc", "h", "--seconds", "1")
    wait_for(lambda: "dirtyrate.calc_status=2\n" in host.virsh("domstats", "h", "--dirtyrate"), 60, "the rate")


def test_the_cache_of_a_migration(host):
    host.vireo("migrate-compcache", "h", "--size", str(128 << 20))
    assert json.loads(host.vireo("migrate-compcache", "h", "--json")) == {"bytes": 128 << 20}


@pytest.mark.skipif(not os.access(KSM, os.W_OK), reason="SKIP: this kernel has no KSM that may be set")
def test_ksm(host):
    def pages():
        with open(KSM) as f:
            return int(f.read())
    before = pages()
    try:
        host.vireo("node-memory-tune", "--shm-pages-to-scan", str(before + 1))
        assert pages() == before + 1
        assert json.loads(host.vireo("node-memory-tune", "--json"))["shm_pages_to_scan"] == before + 1
    finally:
        host.vireo("node-memory-tune", "--shm-pages-to-scan", str(before))


def test_facts_of_a_device(host):
    """Of each device of the host; the parents are those of the tree."""
    for name in host.vireo("nodedev-list").split():
        facts = json.loads(host.vireo("nodedev-info", name, "--json"))
        xml = host.virsh("nodedev-dumpxml", name)
        parent = re.search("<parent>(.*?)</parent>", xml)
        assert facts["name"] == name and facts["parent"] == (parent[1] if parent else "")
