# SPDX-License-Identifier: LGPL-2.1-or-later
"""A libvirtd of one's own, for a row beside ours: its directories are empty ones in a mount namespace, so that
it sees nothing of a real one and leaves nothing behind. Without cgroups and confinement, as vireod is measured."""
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid

LIBVIRTD = shutil.which("libvirtd", path=os.environ.get("PATH", "") + ":/usr/sbin")
QEMU_CONF = """user = "root"
group = "root"
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
remember_owner = 0
"""
# libvirtd looks for its QEMU user before it reads qemu.conf.
SETUP = """set -e
for dir in /etc/libvirt /var/lib/libvirt /run/libvirt; do mkdir -p $dir; mount -t tmpfs none $dir; done
mkdir /etc/libvirt/qemu
cp "$1/qemu.conf" /etc/libvirt/qemu.conf
for file in passwd group; do
    cp /etc/$file "$1/$file"
    mount --bind "$1/$file" /etc/$file
done
echo libvirt-qemu:x:64055:64055::/:/bin/false >>"$1/passwd"
printf 'libvirt-qemu:x:64055:\\nkvm:x:64056:\\n' >>"$1/group"
if [ "$3" != kvm ]; then # what it has learnt of QEMU with KVM is not for this one
    mkdir -p /var/cache/libvirt
    mount -t tmpfs none /var/cache/libvirt
    mount --bind /dev/null /dev/kvm
fi
eval "$4"
exec "$2" -f "$1/libvirtd.conf" -p "$1/pid"
"""


class Libvirtd:
    def __init__(self, kvm=True, more=""):
        """more: shell that makes more of its host inside the namespace; $1 is its root."""
        self.root = tempfile.mkdtemp(prefix="vireo-libvirtd.", dir="/tmp")
        self.uri = f"qemu+unix:///system?socket={self.root}/libvirt-sock"
        with open(f"{self.root}/qemu.conf", "w") as f:
            f.write(QEMU_CONF)
        with open(f"{self.root}/libvirtd.conf", "w") as f:
            # Guests move between two of them only when they are of two hosts.
            f.write(f'unix_sock_dir = "{self.root}"\nhost_uuid = "{uuid.uuid4()}"\n')
        environment = dict(os.environ, HOME=self.root, XDG_RUNTIME_DIR=self.root, XDG_CONFIG_HOME=self.root,
                           XDG_CACHE_HOME=self.root)
        with open(f"{self.root}/log", "wb") as log:
            self.process = subprocess.Popen(["unshare", "-m", "sh", "-c", SETUP, "sh", self.root, LIBVIRTD,
                                             "kvm" if kvm else "no", more],
                                            env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 20
        while not os.path.exists(f"{self.root}/libvirt-sock"):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise OSError("libvirtd does not start")
            time.sleep(0.05)

    def qemus(self):
        """Pids of the QEMUs it started: only they have sockets below its root's /var/lib/libvirt."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/mountinfo") as f:
                    if self.root[4:] in f.read() and int(pid) != self.process.pid:
                        found.append(int(pid))
            except OSError:
                continue
        return found

    def stop(self):
        for pid in self.qemus():
            os.kill(pid, signal.SIGKILL)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.root, ignore_errors=True)
