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
        expected = hasattr(report, "wasxfail")  # an expected failure is reported as skipped, but it ran
        self.skipped += report.skipped and not expected
        self.passed += report.when == "call" and (report.passed or expected)


def end(*_):
    """meson's timeout sends SIGTERM first: the fixtures still tear down what they started."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


signal.signal(signal.SIGTERM, end)
counter = Counter()
status = pytest.main(["-q", "-rsx", "-p", "no:cacheprovider", "-x", "--durations=3", *sys.argv[1:]], plugins=[counter])
if status == 0 and counter.passed == 0 and counter.skipped:
    status = 77
sys.exit(int(status))
