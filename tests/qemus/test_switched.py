# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that is switched to post-copy on its way: each QEMU says in its own words how far it is."""
from several import emulator  # noqa: F401 (a fixture)
from conftest import daemon, end_of, wait_for  # noqa: F401 (a fixture)
from test_migrate import other, state  # noqa: F401 (a fixture)
from test_postcopy import allowed, moving  # noqa: F401 (a fixture)
from writing_guest import sector_guest, written


def test_there_and_back(daemon, other, allowed, emulator):  # noqa: F811
    """Short, and long enough to be interrupted, which leaves what can be resumed."""
    sector_guest(daemon, "vm1", emulator=emulator)
    with moving(daemon, other) as process:
        daemon.virsh("migrate-postcopy", "vm1")
        code, said = end_of(process)
        assert code == 0, said
    assert state(other, "vm1") == "running (migrated)" and not daemon.qemus()
    with moving(other, daemon, postcopy_speed="1") as process:
        other.virsh("migrate-postcopy", "vm1")
        wait_for(lambda: state(daemon, "vm1") == "running (post-copy)", 20, "post-copy")
        assert state(other, "vm1") == "paused (post-copy)"
        other.virsh("domjobabort", "vm1", "--postcopy")
        assert end_of(process)[0] != 0
    wait_for(lambda: state(other, "vm1") == "paused (post-copy failed)", 20, lambda: state(other, "vm1"))
    wait_for(lambda: state(daemon, "vm1") == "running (post-copy failed)", 20, lambda: state(daemon, "vm1"))
    other.virsh("migrate-setspeed", "vm1", "--postcopy", "1000")
    other.virsh("migrate", "--live", "--postcopy", "--postcopy-resume", "vm1", daemon.uri)
    assert state(daemon, "vm1") == "running (migrated)" and not other.qemus()
    before = written(daemon, "vm1")
    wait_for(lambda: written(daemon, "vm1") != before, 20, "guest that writes")
