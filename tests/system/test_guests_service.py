# SPDX-License-Identifier: LGPL-2.1-or-later
"""vireo-guests, which vireo-guests.service runs when the host stops and starts."""
import os
import subprocess

from conftest import BUILD, VIREO, daemon, guest  # noqa: F401 (fixtures)


def guests(daemon, what, ok=True, **settings):
    """Its stdout and stderr."""
    environment = {**os.environ, "VIREO": f"{VIREO} -c {daemon.uri}", "STATE": f"{daemon.root}/guests", **settings}
    done = subprocess.run(["/bin/sh", f"{BUILD}/daemon/units/vireo-guests", what], env=environment, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=280)
    assert (done.returncode == 0) == ok, done
    return done.stdout + done.stderr


def paused(daemon, *names):
    for name in names:
        daemon.define(name)
        daemon.virsh("start", name, "--paused")


def test_saved_and_started(daemon):
    paused(daemon, "a", "b", "off")
    daemon.virsh("destroy", "off")
    said = guests(daemon, "stop")
    assert "saving 'a'" in said and "saving 'b'" in said and "off" not in said
    assert daemon.virsh("list", "--all", "--with-managed-save", "--name").split() == ["a", "b"]
    assert daemon.qemus() == {}
    daemon.virsh("start", "b")
    said = guests(daemon, "start")
    assert "starting 'a'" in said and "'b'" not in said  # somebody else was faster
    assert sorted(daemon.qemus()) == ["a", "b"]
    assert not os.path.exists(f"{daemon.root}/guests")
    assert guests(daemon, "start") == ""


def test_a_transient_one_cannot_be_saved(daemon):
    paused(daemon, "p", "t")
    daemon.virsh("undefine", "t")
    assert "'t' is transient and cannot be saved" in guests(daemon, "stop", ok=False)
    assert list(daemon.qemus()) == ["t"]
    assert "not started" in guests(daemon, "start", ON_BOOT="ignore")
    assert list(daemon.qemus()) == ["t"]


def test_shut_down(daemon, guest):
    """A guest that listens, and one that does not."""
    daemon.boot("listens")
    paused(daemon, "deaf")
    said = guests(daemon, "stop", ok=False, ON_SHUTDOWN="shutdown", SHUTDOWN_TIMEOUT="60", PARALLEL_SHUTDOWN="2")
    assert "shutting down 'listens'" in said and "'listens' has not" not in said
    assert "'deaf' has not shut down within 60 s" in said
    assert list(daemon.qemus()) == ["deaf"]


def test_one_after_the_other(daemon):
    """The second is not asked while the first still runs."""
    paused(daemon, "first", "second")
    said = guests(daemon, "stop", ok=False, ON_SHUTDOWN="shutdown", SHUTDOWN_TIMEOUT="2")
    assert said.count("shutting down") == 1 and said.count("has not shut down within 2 s") == 2
    assert guests(daemon, "stop", ok=False, ON_SHUTDOWN="perhaps").count("may be 'suspend' or 'shutdown'") == 1
