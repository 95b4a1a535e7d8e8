# SPDX-License-Identifier: LGPL-2.1-or-later
"""Titles, descriptions and metadata, kept over a restart; and definitions so large that they take time."""
import os
import subprocess
import time

import libvirt
import pytest

from conftest import wait_for

URI = "http://example.org/app"


def test_title_and_description(daemon):
    daemon.paused("m1")
    daemon.virsh("desc", "m1", "--title", "--config", "--live", "A title")
    daemon.virsh("desc", "m1", "--config", "Words")
    assert "A title" in daemon.virsh("desc", "m1", "--title")
    assert "Words" not in daemon.virsh("desc", "m1") and "Words" in daemon.virsh("desc", "m1", "--config")
    assert "newlines" in daemon.virsh("desc", "m1", "--title", "--config", "two\nlines", ok=False)
    daemon.stop()
    daemon.start()
    assert "A title" in daemon.virsh("desc", "m1", "--title")
    daemon.virsh("desc", "m1", "--title", "--live", "--config", "")
    assert "No title" in daemon.virsh("desc", "m1", "--title")


def test_elements(daemon):
    daemon.define("m1", boot=False)
    daemon.virsh("metadata", "m1", URI, "--config", "--key", "app", "--set", "<a n='1'><b/></a>")
    assert '<app:a xmlns:app="http://example.org/app" n="1">' in daemon.virsh("dumpxml", "m1").replace("'", '"')
    assert "<b/>" in daemon.virsh("metadata", "m1", URI)
    daemon.virsh("metadata", "m1", "urn:other", "--config", "--key", "o", "--set", "<o/>")
    daemon.virsh("metadata", "m1", URI, "--config", "--key", "app", "--set", "<c/>")
    assert daemon.virsh("metadata", "m1", URI).strip() == "<c/>"
    daemon.virsh("metadata", "m1", URI, "--config", "--remove")
    assert "not present" in daemon.virsh("metadata", "m1", URI, ok=False)
    assert "<o/>" in daemon.virsh("metadata", "m1", "urn:other")
    daemon.virsh("metadata", "m1", URI, "--config", "--key", "1x", "--set", "<a/>", ok=False)
    daemon.virsh("metadata", "m1", URI, "--config", "--key", "app", "--set", "<a", ok=False)


def test_a_large_definition_stops_nobody(daemon):
    """Tens of thousands of namespaces take the parser seconds; others are served meanwhile."""
    daemon.define("small", boot=False)
    names = "".join(f"<n{i}:e xmlns:n{i}='urn:n{i}'/>" for i in range(60000))
    path = f"{daemon.root}/large.xml"
    with open(path, "w") as f:
        f.write(daemon.xml("large", boot=False).replace("<memory", f"<metadata>{names}</metadata><memory", 1))
    define = subprocess.Popen(["virsh", "-c", daemon.uri, "define", path], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    slowest = 0
    while define.poll() is None:
        start = time.monotonic()
        daemon.virsh("domstate", "small")
        slowest = max(slowest, time.monotonic() - start)
    assert slowest < 2
    daemon.virsh("list", "--all")


def test_what_could_not_be_read_again(daemon):
    """It is refused when it is given: the next daemon would not know the domain."""
    daemon.paused("m1")
    names = "".join(f"<n{i}:e xmlns:n{i}='u{i}'/>" for i in range(4000))
    many = "".join(f"<e xmlns='u{i}'/>" for i in range(5000))
    deep = "<a>" * 254 + "</a>" * 254
    unplug = "<domain><unplug timeout-ms='5s'/></domain>"
    both = libvirt.VIR_DOMAIN_AFFECT_LIVE | libvirt.VIR_DOMAIN_AFFECT_CONFIG
    connection = libvirt.open(daemon.uri)
    domain = connection.lookupByName("m1")

    def told():
        return [domain.XMLDesc(flags) for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE)]

    def give(kind, text, uri=None):
        domain.setMetadata(kind, text, "k" if uri else None, uri, both)

    give(libvirt.VIR_DOMAIN_METADATA_ELEMENT, f"<a>{names}</a>", URI)
    before = told()
    for kind, text, uri, words in (
            (libvirt.VIR_DOMAIN_METADATA_ELEMENT, f"<a>{names}</a>", "urn:other", "more than 4096 namespaces"),
            (libvirt.VIR_DOMAIN_METADATA_ELEMENT, f"<a>{many}</a>", URI, "more namespaces than"),
            (libvirt.VIR_DOMAIN_METADATA_ELEMENT, deep, "urn:other", "nested deeper than 255"),
            (libvirt.VIR_DOMAIN_METADATA_ELEMENT, unplug, "urn:vireo:domain", "must be 10 to 3600000 milliseconds"),
            (libvirt.VIR_DOMAIN_METADATA_TITLE, "a\x01b", None, "could not be read again"),
            (libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, "<" * 1200000, None, "bytes long")):
        with pytest.raises(libvirt.libvirtError, match=words):
            give(kind, text, uri)
        assert told() == before, words
    long = "<description>" + '"' * 1000000 + "</description>"  # six times as long when it is written
    xml = daemon.xml("m2", boot=False, metadata=long)
    for make in connection.createXML, connection.defineXML:
        with pytest.raises(libvirt.libvirtError, match="bytes long"):
            make(xml)
    assert connection.numOfDomains() == 1 and connection.numOfDefinedDomains() == 0
    give(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, "xmlns " * 5000)
    before = told()
    connection.close()
    daemon.stop()
    daemon.start()
    connection = libvirt.open(daemon.uri)
    domain = connection.lookupByName("m1")
    wait_for(domain.isActive, 10, "m1, which runs")
    assert told() == before
    connection.close()


def cpu_times(daemon):
    """Nanoseconds of CPU that the loop's thread has used, and that the others have."""
    used = {}
    for tid in os.listdir(f"/proc/{daemon.pid()}/task"):
        with open(f"/proc/{daemon.pid()}/task/{tid}/schedstat") as f:
            used[int(tid)] = int(f.read().split()[0])
    loop = used.pop(daemon.pid())
    return loop, sum(used.values())


def test_a_large_text_is_read_on_a_worker(daemon):
    """What takes a parser long is not the loop's to do, which has others to serve."""
    connection = libvirt.open(daemon.uri)
    large = "".join(f"<e{i} a='b'>text</e{i}>" for i in range(30000))
    xml = daemon.xml("large", boot=False).replace("<memory", f"<metadata><a:a xmlns:a='urn:a'>{large}</a:a></metadata>"
                                                  "<memory", 1)
    element, config = libvirt.VIR_DOMAIN_METADATA_ELEMENT, libvirt.VIR_DOMAIN_AFFECT_CONFIG
    calls = {
        "define": lambda: connection.defineXML(xml),
        "set": lambda: connection.lookupByName("large").setMetadata(element, "<b/>", "b", "urn:b", config),
        "get": lambda: connection.lookupByName("large").metadata(element, "urn:b", config),
    }
    for what, call in calls.items():
        loop, workers = cpu_times(daemon)
        call()
        loop, workers = (after - before for after, before in zip(cpu_times(daemon), (loop, workers)))
        assert loop < workers / 4, f"{what}: the loop took {loop} ns, workers {workers}"
    connection.close()
