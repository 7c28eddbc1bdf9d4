"""The upgrade command and the restart of a machine, with the order that they ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from localcluster.errors import LocalClusterError
from tests.stacks.machines.site import CLUSTER, Site, until

if TYPE_CHECKING:
    from tests.stacks.machines.trial import Trial
    from tests.stacks.machines.virtual import Machine

pytestmark = pytest.mark.machines

_UPGRADE = "/usr/local/sbin/sensorthings-upgrade"
_NEXT = Path(__file__).with_name("next-minor-version.sh")
_SECURITY = Path(__file__).with_name("security-updates.sh")


def _offer_next(machine: Machine) -> str:
    """A mirror offers the next minor version of PostgreSQL, which is told."""
    return machine.run("sh", "-c", _NEXT.read_text())


def test_security_updates_come_by_themselves_but_for_what_would_restart_the_database(well: Site) -> None:
    for member in CLUSTER.databases:
        offered = ["netbase", "postgresql-15", "postgresql-client-15", "etcd-server"]
        assert well.of(member).run("sh", "-c", _SECURITY.read_text(), "sh", *offered).split() == ["netbase"]


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
    # systemd-nspawn ends where a machine asks to be restarted, and leaves that to whoever started it.
    until(lambda: not machine.is_there, f"{primary.name} to restart", 120)
    place.power_off(primary)
    place.boot(primary)


def test_the_next_minor_version_comes_to_the_standby_and_then_to_the_primary(trial: Trial) -> None:
    place = trial.place
    primary, standby = place.primary, place.standby
    before = trial.node.ask(primary, "SHOW server_version")
    (version,) = {_offer_next(place.of(member)) for member in (primary, standby)}
    assert not before.startswith(version)
    trial.fault()
    with pytest.raises(LocalClusterError, match="runs an older version than the one that is offered"):
        place.of(primary).run(_UPGRADE)
    for member in (standby, primary):
        place.of(member).run(_UPGRADE)
        assert trial.node.ask(member, "SHOW server_version").startswith(version)
    assert (place.primary, place.standby) == (standby, primary)
    for member in (standby, primary):
        assert "runs the newest version already" in place.of(member).run(_UPGRADE)
