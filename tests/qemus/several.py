# SPDX-License-Identifier: LGPL-2.1-or-later
"""The QEMU that VIREO_QEMU_VERSION names (7.2, 10.0, 11.1): the host's, or the one that scripts/make-qemu got."""
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../system"), os.path.join(HERE, "../sim"), os.path.join(HERE, "../data")]
from conftest import Daemon, passable  # noqa: E402

VERSION = os.environ.get("VIREO_QEMU_VERSION", "7.2")
HOST = "/usr/bin/qemu-system-x86_64"
MADE = os.path.join(os.environ.get("VIREO_QEMUS") or os.path.join(HERE, "../../build"),
                    f"qemu-{VERSION}/bin/qemu-system-x86_64")
# What is wrong with one QEMU and right with the others is asked for by this.
OLD = VERSION == "7.2"
ROUNDS = int(os.environ.get("VIREO_ROUNDS", "3"))  # tests/nightly has more


def path():
    """The emulator, None when it is not there."""
    for name in (MADE, HOST):
        if os.access(name, os.X_OK):
            said = subprocess.run([name, "-version"], stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
            if said.startswith(f"QEMU emulator version {VERSION}."):
                return name
    return None


if not passable(path() or HOST):
    Daemon.settings = ["user = root"]


@pytest.fixture
def emulator():
    found = path()
    if found is None:
        pytest.skip(f"SKIP: no QEMU {VERSION}: " + (
            "the host has another one" if OLD else f"scripts/make-qemu {VERSION} says what hinders it"))
    return found


def single_thread(daemon, emulator):
    """The emulator with one thread for all vCPUs."""
    own = f"{daemon.root}/single-qemu-system-x86_64"
    with open(own, "w") as f:
        f.write(f"""#!/bin/bash
for argument; do
    case $argument in
    *,accel=tcg*) set -- "$@" "${{argument/,accel=tcg/}}" -accel tcg,thread=single ;;
    *) set -- "$@" "$argument" ;;
    esac
    shift
done
exec {emulator} "$@"
""")
    os.chmod(own, 0o755)
    return own


def qemu_said(daemon, name):
    """What QEMU itself wrote on its stderr, without the lines that vireod writes into the same log."""
    with open(f"{daemon.root}/log/qemu/{name}.log", errors="replace") as f:
        return [line for line in f.read().splitlines() if line.startswith("qemu-system") or ": warning: " in line]
