# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that is switched to post-copy there and back; test_postcopy*.py are the long forms, for the night."""
from conftest import end_of, wait_for
from test_migrate import other, state  # noqa: F401 (a fixture)
from test_postcopy import allowed, moving  # noqa: F401 (a fixture)
from writing_guest import sector_guest, written


def test_after_the_first_pass(daemon, other, allowed):  # noqa: F811
    """virsh switches it by itself, when the vireod leads, too."""
    sector_guest(daemon, "vm1")
    with moving(daemon, other, "--postcopy-after-precopy") as process:
        daemon.virsh("migrate-setspeed", "vm1", "1000")
        assert end_of(process)[0] == 0
    assert state(other, "vm1") == "running (migrated)" and not daemon.qemus()
    with moving(other, daemon, "--p2p") as process:
        other.virsh("migrate-postcopy", "vm1")
        code, said = end_of(process)
        assert code == 0, said
    assert state(daemon, "vm1") == "running (migrated)" and not other.qemus()
    before = written(daemon, "vm1")
    wait_for(lambda: written(daemon, "vm1") != before, 20, "guest that writes")
