# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the daemon takes of the machine while it has no domains."""
import os

import pytest

SANITIZED = "asan" in os.environ.get("VIREO_BUILD", "")


def memory(daemon):
    """{field: KB} of Vm* and Rss* in /proc/PID/status"""
    with open(f"/proc/{daemon.pid()}/status") as f:
        return {line.split(":")[0]: int(line.split()[1]) for line in f if line.startswith(("Vm", "Rss"))}


@pytest.mark.skipif(SANITIZED, reason="SKIP: the sanitizers' own memory is a hundred times that of the daemon")
def test_memory(daemon, capsys):
    found = memory(daemon)
    with capsys.disabled():
        print(f"\nvireod without domains: RssAnon {found['RssAnon']} KB, VmRSS {found['VmRSS']} KB")
    assert found["RssAnon"] <= 2000
