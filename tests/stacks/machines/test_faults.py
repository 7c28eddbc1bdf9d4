"""Faults under POSTs to FROST-Server: no acknowledged Observation is lost, and never do two machines take writes.

The session ends with a table of what each of them did.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from localcluster.errors import LocalClusterError
from tests.stacks.machines.site import CLUSTER, Site, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensorthings_stacks.machines.cluster import Member
    from tests.stacks.machines.trial import Trial

pytestmark = pytest.mark.machines


_SWITCH = ("runuser", "-u", "postgres", "--", "psql", "-XAtqc", "SELECT pg_switch_wal()")


def _postmaster(place: Site, member: Member) -> str:
    return (place.data(member) / "15/main/postmaster.pid").read_text().splitlines()[0]


def test_postgresql_of_the_primary_is_killed(trial: Trial) -> None:
    primary = trial.place.primary
    pid = _postmaster(trial.place, primary)
    trial.fault()
    trial.place.of(primary).run("kill", "-9", pid)
    trial.until_written()


def test_patroni_of_the_primary_is_killed(trial: Trial) -> None:
    primary = trial.place.primary
    trial.fault()
    trial.place.of(primary).run("systemctl", "kill", "--signal=KILL", "--kill-who=main", "patroni")
    trial.until_written()
    time.sleep(15)


def test_the_primarys_machine_loses_its_power(trial: Trial) -> None:
    primary = trial.place.primary
    trial.fault()
    trial.place.cut_power(primary)
    trial.until_written()
    trial.place.boot(primary)


def test_the_primarys_machine_is_frozen_for_a_minute(trial: Trial) -> None:
    """As when its host stalls: its kernel acknowledges nothing either."""
    primary = trial.place.primary
    trial.fault()
    with trial.place.of(primary).frozen(), trial.place.segment.unplugged(primary.name):
        trial.until_written()
        time.sleep(max(0.0, trial.began + 60 - time.time()))


def test_all_processes_of_the_primarys_machine_hang_for_a_minute(trial: Trial) -> None:
    """Its kernel goes on: it takes connections that nobody will serve."""
    primary = trial.place.primary
    trial.fault()
    with trial.place.of(primary).frozen():
        trial.until_written()
        time.sleep(max(0.0, trial.began + 60 - time.time()))


def test_the_line_between_the_two_is_cut(trial: Trial) -> None:
    first, second = CLUSTER.databases
    lines = trial.place.segment
    trial.fault()
    with lines.deaf_to(first.name, second.address), lines.deaf_to(second.name, first.address):
        time.sleep(60)
        trial.until_written()


@pytest.mark.parametrize("side", ["primary", "standby"])
def test_the_line_between_the_two_is_cut_in_one_direction(trial: Trial, side: str) -> None:
    member = getattr(trial.place, side)
    trial.fault()
    with trial.place.segment.deaf_to(member.name, CLUSTER.peer(member).address):
        time.sleep(60)
        trial.until_written()


def test_the_primary_is_cut_off_from_both_others_but_not_from_its_clients(trial: Trial) -> None:
    primary = trial.place.primary
    others = CLUSTER.others(primary)
    lines = trial.place.segment
    trial.fault()
    with ExitStack() as cut:
        cut.enter_context(lines.deaf_to(primary.name, *(each.address for each in others)))
        for other in others:
            cut.enter_context(lines.deaf_to(other.name, primary.address))
        time.sleep(60)
        trial.until_written()


def test_one_member_of_etcd_is_lost(trial: Trial) -> None:
    trial.fault()
    with trial.place.of(CLUSTER.witness).frozen():
        time.sleep(40)
        trial.until_written()


def test_two_members_of_etcd_are_lost(trial: Trial) -> None:
    standby = trial.place.of(trial.place.standby)
    trial.fault()
    with trial.place.of(CLUSTER.witness).frozen():
        standby.run("systemctl", "stop", "etcd")
        time.sleep(40)
        trial.until_written()
        standby.run("systemctl", "start", "--no-block", "etcd")


def test_the_primarys_disk_is_full(trial: Trial) -> None:
    primary = trial.place.primary
    filler = trial.place.data(primary) / "filler"
    trial.fault()
    with filler.open("wb") as file:
        # PostgreSQL recycles files of its log, and lives on them for a while.
        for size in (1 << 30, 1 << 20, 1 << 12):
            with suppress(OSError):
                while True:
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), size)
    try:
        for _ in range(200):
            # It uses up the files of its log that it has; the next one finds no room.
            try:
                trial.place.of(primary).run(*_SWITCH)
            except LocalClusterError:
                break
        other = CLUSTER.peer(primary).name
        until(lambda: trial.place.roles().get(other, "").startswith("Leader"), f"{other} to take over", 180)
        trial.until_written()
    finally:
        filler.unlink()


def test_the_standby_is_behind_when_the_primary_is_lost(trial: Trial) -> None:
    place = trial.place
    primary, standby = place.primary, place.standby
    with place.of(standby).frozen():
        # Patroni lets the primary go on alone once the standby is gone for good.
        trial.until_written()
        time.sleep(5)
        trial.fault()
        place.cut_power(primary)
    # What the standby lacks was acknowledged: it must wait for the one that has it.
    time.sleep(45)
    assert not trial.acknowledged_since(trial.began + 1)
    place.boot(primary)
    trial.until_written(180)


def test_both_lose_their_power(trial: Trial) -> None:
    _lose_their_power(trial, CLUSTER.databases)


def test_all_three_lose_their_power(trial: Trial) -> None:
    _lose_their_power(trial, CLUSTER.members)


def _lose_their_power(trial: Trial, members: Sequence[Member]) -> None:
    place = trial.place
    trial.fault()
    for member in members:
        place.of(member).cut_power()
    for member in members:
        place.power_off(member)
        place.boot(member)
    trial.until_written(180)


def test_a_switchover_for_maintenance(trial: Trial) -> None:
    primary = trial.place.primary
    trial.fault()
    trial.place.ctl(primary, "switchover", "--force", "--leader", primary.name, "sensorthings")
    trial.until_written()
