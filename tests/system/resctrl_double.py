# SPDX-License-Identifier: LGPL-2.1-or-later
"""A resctrl file system with the kernel's rules (tests/doubles/resctrl-fuse), and a vireod that uses it."""
import os
import shutil
import subprocess
import tempfile

import pytest

from conftest import BUILD, PATIENT, wait_for

DOUBLE = os.path.join(BUILD, "tests/unit/host/resctrl-fuse")


class Resctrl:
    def __init__(self, *options):
        self.root = tempfile.mkdtemp(prefix="vireo-resctrl.", dir="/tmp")
        self.process = subprocess.Popen([DOUBLE, self.root, *options], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: os.path.exists(f"{self.root}/info") or self.process.poll() is not None, 10, "resctrl double")
        if self.process.poll() is not None:
            error = self.process.stderr.read()
            self.stop()
            pytest.skip(f"SKIP: FUSE cannot be used here: {error.strip()}")
        # As an administrator has to: the default group gives up what machines can have.
        self.write("schemata", "L3:0=3;1=3\n")

    def read(self, name):
        with open(f"{self.root}/{name}") as f:
            return f.read()

    def write(self, name, text):
        with open(f"{self.root}/{name}", "w") as f:
            f.write(text)

    def groups(self):
        return sorted(name for name in os.listdir(self.root)
                      if os.path.isdir(f"{self.root}/{name}") and name not in ("info", "mon_groups", "mon_data"))

    def tasks(self, name):
        return {int(line) for line in self.read(f"{name}/tasks").split()}

    def stop(self):
        subprocess.run(["umount", "-l", self.root], stderr=subprocess.DEVNULL, timeout=10)
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.root, ignore_errors=True)


@pytest.fixture
def resctrl(daemon):
    if not os.path.exists(DOUBLE):
        pytest.skip("SKIP: no resctrl double (package libfuse3-dev when it was built)")
    if os.geteuid() != 0 or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("SKIP: /dev/fuse cannot be used")
    made = []

    def mount(*options):
        made.append(Resctrl(*options))
        daemon.configure(f"resctrl = {made[-1].root}", *PATIENT)
        return made[-1]

    yield mount
    for instance in made:
        instance.stop()
