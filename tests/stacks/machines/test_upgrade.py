"""The upgrade command and the restart of a machine, with the order that they ask for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from localcluster.errors import LocalClusterError
from tests.stacks.machines.site import Site, until

if TYPE_CHECKING:
    from tests.stacks.machines.trial import Trial

pytestmark = pytest.mark.machines

_UPGRADE = "/usr/local/sbin/sensorthings-upgrade"
_NEWER = """Package: postgresql-15
Version: 15.99-1
Architecture: amd64
Filename: ./postgresql-15.deb
Size: 1
Description: what a mirror would offer
"""


def test_the_primary_is_not_upgraded_before_its_standby(well: Site) -> None:
    machine = well.of(well.primary)
    offer = 'printf %s "$0" > /srv/repository/Packages'
    machine.run("sh", "-c", offer, _NEWER)
    try:
        with pytest.raises(LocalClusterError, match="runs an older version than the one that is offered"):
            machine.run(_UPGRADE)
    finally:
        machine.run("sh", "-c", ": > /srv/repository/Packages")
        machine.run("apt-get", "update")
    assert well.is_well()


def test_what_is_current_is_left_alone(well: Site) -> None:
    assert "runs the newest version already" in well.of(well.standby).run(_UPGRADE)


def test_both_are_restarted_one_after_the_other_with_no_row_lost(trial: Trial) -> None:
    place = trial.place
    primary, standby = place.primary, place.standby
    trial.fault()
    place.of(standby).run(_UPGRADE, "--restart")
    place.of(primary).run(_UPGRADE, "--restart")
    assert (place.primary, place.standby) == (standby, primary)


def test_a_machine_that_asks_for_a_restart_hands_over_first(trial: Trial) -> None:
    place = trial.place
    primary, standby = place.primary, place.standby
    machine = place.of(primary)
    machine.run("/usr/local/sbin/sensorthings-maintenance")
    assert place.primary == primary, "nothing asked for a restart"
    trial.fault()
    machine.run("touch", "/run/reboot-required")
    machine.run("systemctl", "start", "--no-block", "sensorthings-maintenance")
    until(lambda: place.roles().get(standby.name, "").startswith("Leader"), f"{standby.name} to lead", 120)
    trial.until_written()
    time.sleep(20)
