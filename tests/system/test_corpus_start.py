# SPDX-License-Identifier: LGPL-2.1-or-later
"""Machines that people published are started by a real QEMU, up to where their CPUs would run (corpus.py says what of
them is replaced). A dozen here; VIREO_CORPUS_ALL=1 (tests/nightly) takes all, and prints the score."""
import glob
import os
import shutil

import pytest

import corpus
from test_taps import host, namespace  # noqa: F401 (fixtures)
from conftest import GUEST

CHOSEN = ["desktop-homelab-0083", "desktop-homelab-0351", "kubevirt-0052", "ovirt-0095", "macos-guest-0352",
          "vfio-passthrough-homelab-0273", "vfio-passthrough-homelab-0336", "virt-install-output-0161",
          "virt-install-output-0184", "vagrant-libvirt-0156", "nova-0120", "provisioning-tools-appliances-0022"]
ALL = os.environ.get("VIREO_CORPUS_ALL")
AT_LEAST = 176  # of 178: raise it when there are more
# Those that do not start, by what is said of them.
REFUSED = {
    "provisioning-tools-appliances-0035": "'/domain/devices/serial@type' of 'stdio'",
    "vagrant-libvirt-0154": "VIRTIO_F_IOMMU_PLATFORM was supported by neither legacy nor transitional device",
}

pytestmark = pytest.mark.skipif(not corpus.files() or not os.path.exists(corpus.OVMF[False]),
                                reason="SKIP: the corpus is not beside the source, or there is no OVMF")


def start(daemon, path):
    """'' when it started, else what was said."""
    directory = f"{daemon.root}/{os.path.basename(path)[:-4]}"
    os.mkdir(directory)
    os.chmod(directory, 0o1777)  # the sockets of unix devices are made by QEMU
    kernel = f"{GUEST}/vmlinuz" if os.path.exists(f"{GUEST}/vmlinuz") else None
    fitted = corpus.Fitted(path, directory, kernel)
    with open(f"{directory}/domain.xml", "w") as f:
        f.write(fitted.xml)
    daemon.virsh("define", f"{directory}/domain.xml")
    started = daemon.run("virsh", "start", fitted.name, "--paused", ok=None)
    if started.returncode == 0:
        assert daemon.virsh("domstate", fitted.name).strip() == "paused"
        daemon.virsh("destroy", fitted.name)
    daemon.virsh("undefine", fitted.name, "--nvram")
    shutil.rmtree(directory)
    for path in glob.glob(f"/dev/shm/vireo-test-{os.path.basename(directory)}"):
        os.unlink(path)
    return started.stderr if started.returncode else ""


def is_expected(name, said):
    return REFUSED[name] in said if name in REFUSED else not said


@pytest.mark.skipif(bool(ALL), reason="SKIP: all of them are taken")
def test_a_dozen_machines_of_people_start(host):  # noqa: F811
    host.virsh("list")
    for name in CHOSEN:
        path = f"{corpus.FOLDER}/{name}.xml"
        said = start(host, path) if os.path.exists(path) else ""
        assert is_expected(name, said), f"{name}: {said[-1500:]}"
    assert not glob.glob(f"{host.root}/run/made/*.json")


@pytest.mark.skipif(not ALL, reason="SKIP: tests/nightly takes all of them")
def test_all_machines_of_people_start(host):  # noqa: F811
    said = {os.path.basename(path)[:-4]: start(host, path) for path in corpus.files()}
    for name in filter(said.get, said):
        print(f"{name}: {said[name][-600:]}")
    started = list(said.values()).count("")
    print(f"corpus: {started} of {len(said)} start")
    assert not [name for name in said if not is_expected(name, said[name])]
    assert started >= AT_LEAST or len(said) < 178
