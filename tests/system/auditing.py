# SPDX-License-Identifier: LGPL-2.1-or-later
"""What ausearch finds in the log of auditd: the host's, or, where none runs, one of the test's own."""
import os
import re
import shutil
import subprocess
import tempfile

import pytest

from conftest import wait_for

SBIN = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
CONFIG = """local_events = yes
write_logs = yes
log_file = {0}/audit.log
log_group = root
log_format = RAW
flush = NONE
priority_boost = 0
max_log_file_action = IGNORE
space_left = 2
admin_space_left = 1
space_left_action = IGNORE
admin_space_left_action = IGNORE
disk_full_action = IGNORE
disk_error_action = IGNORE
plugin_dir = {0}/plugins.d
"""


def auditctl(*words):
    return subprocess.run([shutil.which("auditctl", path=SBIN), *words], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=20).stdout


def status(name):
    """A number of auditctl -s, None where audit cannot be used."""
    found = re.search(rf"^{name} (\d+)", auditctl("-s"), re.M)
    return int(found.group(1)) if found else None


class Auditd:
    """The host's."""

    log = ["--input-logs"]

    def records(self, *kinds, about=""):
        """The records of these types that have `about` in them, as written."""
        out = subprocess.run([shutil.which("ausearch", path=SBIN), *self.log, "-m", ",".join(kinds), "--raw"],
                             stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20).stdout
        return [line for line in out.splitlines() if about in line]

    def wait_for(self, words, *kinds, about="", seconds=10):
        return wait_for(lambda: [line for line in self.records(*kinds, about=about) if words in line], seconds,
                        lambda: f"record with '{words}' among {self.records(*kinds, about=about)}")

    def stop(self):
        pass


class OwnAuditd(Auditd):
    def __init__(self):
        self.enabled = status("enabled")
        self.dir = tempfile.mkdtemp(prefix="vireo-audit.", dir="/tmp")
        os.mkdir(f"{self.dir}/plugins.d", 0o750)
        with open(f"{self.dir}/auditd.conf", "w") as f:
            f.write(CONFIG.format(self.dir))
        os.chmod(f"{self.dir}/auditd.conf", 0o640)
        self.log = ["-if", f"{self.dir}/audit.log"]
        # setpriv becomes auditd: it ends with the test run, however that ends.
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", shutil.which("auditd", path=SBIN), "-n",
                                         "-c", self.dir, "-s", "enable"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def runs(self):
        return self.process.poll() is None and status("enabled") == 1 and status("pid") == self.process.pid

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        auditctl("-e", str(self.enabled))
        shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture
def auditd():
    if os.geteuid() != 0 or not all(shutil.which(name, path=SBIN) for name in ("auditd", "auditctl", "ausearch")):
        pytest.skip("SKIP: auditd needs root and its package")
    if status("enabled") is None:
        pytest.skip("SKIP: audit cannot be used here: a container, or the kernel has none")
    if status("pid"):
        yield Auditd()
        return
    instance = OwnAuditd()
    try:
        try:
            wait_for(lambda: instance.runs() or instance.process.poll() is not None, 10, "auditd")
        finally:
            if instance.process.poll() is not None:
                pytest.skip("SKIP: auditd does not run here")
        yield instance
    finally:
        instance.stop()
