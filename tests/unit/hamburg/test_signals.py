"""The programs look like traffic lights: legal transitions, real phase lengths, never green against each other."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traffic_lights.model import traffic_lights
from traffic_lights.schedule import changes
from traffic_lights.signals import CYCLE, LaneType, Program, SignalState, fixed_time

RED, RED_AMBER, GREEN, AMBER = SignalState.RED, SignalState.RED_AMBER, SignalState.GREEN, SignalState.AMBER
LEGAL = {
    LaneType.MOTOR_VEHICLES: [RED, RED_AMBER, GREEN, AMBER],
    LaneType.CYCLISTS: [RED, RED_AMBER, GREEN, AMBER],
    LaneType.PEDESTRIANS: [RED, GREEN],
}

lane_types = st.sampled_from(LaneType)
greens = st.tuples(st.integers(0, CYCLE - 1), st.integers(5, CYCLE - 10)).map(lambda g: range(g[0], g[0] + g[1]))
models = st.integers(1, 5).map(traffic_lights)


@given(lane_types, greens)
def test_fixed_time_program_shows_each_state_in_turn(lane_type: LaneType, green: range) -> None:
    program = fixed_time(lane_type, green)
    seconds = [program.state(second) for second in range(CYCLE)]
    in_turn = [state for state, _ in itertools.groupby(seconds + seconds)]
    for state, following in itertools.pairwise(in_turn):
        legal = LEGAL[lane_type]
        assert following is legal[(legal.index(state) + 1) % len(legal)]
    assert [second for second in range(CYCLE) if program.state(second) is GREEN] == sorted(s % CYCLE for s in green)
    amber = {LaneType.MOTOR_VEHICLES: 3, LaneType.CYCLISTS: 2, LaneType.PEDESTRIANS: 0}[lane_type]
    assert seconds.count(AMBER) == amber
    assert seconds.count(RED_AMBER) == (1 if amber else 0)


@given(lane_types, greens, st.floats(0, 1000))
def test_occurrences_are_when_the_state_changes(lane_type: LaneType, green: range, offset: float) -> None:
    program = fixed_time(lane_type, green)
    found = list(itertools.takewhile(lambda o: o[0] < 3 * CYCLE, program.occurrences(offset)))
    assert found == sorted(found, key=lambda o: o[0])
    assert abs(len(found) - 3 * len(program.changes)) <= 1
    for second, state in found:
        assert program.state(second - offset + 0.001) is state
        assert program.state(second - offset - 0.001) is not state


@pytest.mark.parametrize(
    "form",
    [(), ((0, RED), (0, GREEN)), ((5, RED), (1, GREEN)), ((0, RED), (90, GREEN)), ((0, RED), (10, RED)), ((0, RED),)],
)
def test_program_of_another_form_is_refused(form: tuple[tuple[int, SignalState], ...]) -> None:
    with pytest.raises(ValueError, match=r"the (seconds|states)"):
        Program(90, form)


def test_the_two_streets_are_never_open_together() -> None:
    groups = traffic_lights(1).intersections[0].signal_groups
    main = [group.program for group in groups if group.signal_group_id in {"K1", "K2", "R1", "F1"}]
    cross = [group.program for group in groups if group.signal_group_id in {"K3", "K4", "R2", "F2"}]
    for second in range(CYCLE):
        open_main = any(program.state(second) is not RED for program in main)
        open_cross = any(program.state(second) is not RED for program in cross)
        assert not (open_main and open_cross), second


@given(models, st.floats(0.5, 200), st.floats(1, 5))
def test_schedule_keeps_the_rate_the_order_and_the_sequence(model: object, rate: float, duration: float) -> None:
    assert isinstance(model, type(traffic_lights(1)))
    schedule = list(changes(model, rate=rate, duration=duration))
    due = [change.due for change in schedule]
    assert due == sorted(due)
    assert all(0 <= moment < duration for moment in due)
    # Each group is off by less than one change a second at the edges of the window.
    assert abs(len(schedule) - rate * duration) <= 2 * len(model.signal_groups)
    for group in model.signal_groups:
        states = [change.state for change in schedule if change.name == group.name]
        legal = LEGAL[group.lane_type]
        assert all(b is legal[(legal.index(a) + 1) % len(legal)] for a, b in itertools.pairwise(states))


def test_rate_is_kept_exactly_over_whole_cycles() -> None:
    model = traffic_lights(7)
    rate = 100.0
    cycle = CYCLE / (rate / model.pace)
    assert len(list(changes(model, rate=rate, duration=10 * cycle))) == pytest.approx(
        rate * 10 * cycle, abs=len(model.signal_groups)
    )


def test_states_are_the_codes_that_hamburg_publishes() -> None:
    unit = traffic_lights(1).signal_groups[0].entity({}, {})["unitOfMeasurement"]
    assert unit["definition"] == "0=dark,1=red,2=amber,3=green,4=red-amber,5=amber-flashing,6=green-flashing,9=unknown"


@given(st.integers(1, 200))
def test_names_are_unique_and_places_differ(number: int) -> None:
    model = traffic_lights(number)
    assert len({group.name for group in model.signal_groups}) == 8 * number
    assert len({intersection.position for intersection in model.intersections}) == number
