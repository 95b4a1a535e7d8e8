# SPDX-License-Identifier: LGPL-2.1-or-later
"""Titles, descriptions and metadata, kept over a restart; and definitions so large that they take time."""
import subprocess
import time

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
