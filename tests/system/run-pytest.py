#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs pytest for meson: its exit status, or 77 when every test was skipped."""
import os
import shutil
import signal
import sys
import tempfile

import pytest


class Counter:
    passed = 0
    skipped = 0

    def pytest_runtest_logreport(self, report):
        expected = hasattr(report, "wasxfail")  # an expected failure is reported as skipped, but it ran
        self.skipped += report.skipped and not expected
        self.passed += report.when == "call" and (report.passed or expected)


def end(*_):
    """meson's timeout: SIGTERM, then SIGKILL half a second later. What was started ends here and now."""
    for instance in list(sys.modules["conftest"].Daemon.live if "conftest" in sys.modules else []):
        instance.kill()
    shutil.rmtree(scratch, ignore_errors=True)
    print("ended by SIGTERM", flush=True)
    os._exit(1)


scratch = tempfile.mkdtemp(prefix="vireo-pytest.", dir="/tmp")
signal.signal(signal.SIGTERM, end)
counter = Counter()
status = pytest.main(["-q", "-rsx", "-p", "no:cacheprovider", "-x", "--durations=3", f"--basetemp={scratch}/t",
                      *sys.argv[1:]], plugins=[counter])
shutil.rmtree(scratch, ignore_errors=True)
if status == 0 and counter.passed == 0 and counter.skipped:
    status = 77
sys.exit(int(status))
