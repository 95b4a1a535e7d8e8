#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs pytest for meson: its exit status, or 77 when every test was skipped."""
import sys

import pytest


class Counter:
    passed = 0
    skipped = 0

    def pytest_runtest_logreport(self, report):
        self.skipped += report.skipped
        self.passed += report.when == "call" and report.passed


counter = Counter()
status = pytest.main(["-q", "-rs", "-p", "no:cacheprovider", "-x", *sys.argv[1:]], plugins=[counter])
if status == 0 and counter.passed == 0 and counter.skipped:
    status = 77
sys.exit(int(status))
