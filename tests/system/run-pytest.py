#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs pytest for meson: its exit status, or 77 when every test was skipped."""
import signal
import sys

import pytest


class Counter:
    passed = 0
    skipped = 0

    def pytest_runtest_logreport(self, report):
        self.skipped += report.skipped and not hasattr(report, "wasxfail")
        self.passed += report.when == "call" and (report.passed or hasattr(report, "wasxfail"))


def end(*_):
    """meson's timeout: fixtures still tear down what they started."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


signal.signal(signal.SIGTERM, end)
counter = Counter()
status = pytest.main(["-q", "-rsx", "-p", "no:cacheprovider", "--durations=5", *sys.argv[1:]], plugins=[counter])
if status == 0 and counter.passed == 0 and counter.skipped:
    status = 77
sys.exit(int(status))
