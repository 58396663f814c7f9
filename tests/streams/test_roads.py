"""Loops in the order of the road: pairs, an incident between two of them, its end, and state."""

import pytest

from domain.messages import Finding
from domain.readings import Frame, Readings, Tick
from domain.sensors import Link, Sensor, SensorRegister
from domain.topics import partition_of
from models.road_pairs import road_pairs
from streams.area_clock import Patience
from streams.setup import Setup
from streams.state import pack, restore, snapshot, unpack

T0, MINUTE = 1_772_409_600_000, 60_000
AREA = "ring"
LINKS = [Link("l1", "n", 300.0), Link("n", "l2", 300.0), Link("l2", "l3", 500.0), Link("n", "far", 9_000.0)]


def test_pairs_follow_the_road_through_nodes_and_stop_at_the_next_loop():
    loops = ["l1", "l2", "l3", "far"]
    assert road_pairs(LINKS, loops) == [("l1", "l2", 600.0), ("l2", "l3", 500.0)]
    assert road_pairs(LINKS, ["l1", "l3"]) == [("l1", "l3", 1_100.0)]
    assert road_pairs([Link("a", "b", 10.0), Link("b", "a", 10.0)], ["a", "b"]) == [("a", "b", 10.0), ("b", "a", 10.0)]
    assert road_pairs([], loops) == []


def test_a_fork_or_a_junction_between_loops_makes_no_pair():
    fork = [Link("a", "b", 10.0), Link("a", "c", 10.0), Link("d", "e", 10.0)]
    assert road_pairs(fork, "abcde") == [("d", "e", 10.0)]
    joining = [Link("a", "c", 10.0), Link("b", "c", 10.0)]
    assert road_pairs(joining, "abc") == []


class Road:
    def __init__(self, links: list[Link] = LINKS) -> None:
        sensors = [Sensor(f"l{k}", AREA, interval_s=60.0, place=f"Junction {k}") for k in (1, 2, 3)]
        register = SensorRegister(sensors, links)
        self.analyser = Setup(register, Patience(10_000, 7_200_000), "null").analyser(
            "readings.traffic", partition_of(AREA)
        )
        self.seq = 0

    def minutes(self, occupancies: list[tuple[float, float, float]], start: int = 0) -> list[Finding]:
        found = []
        for k, row in enumerate(occupancies, start=start):
            rows = [(f"l{j}/traffic.occupancy", T0 + k * MINUTE, x) for j, x in enumerate(row, start=1)]
            for message in (Frame("gw", self.seq + 1, AREA, Readings.of(rows)),
                            Tick("gw", self.seq + 2, T0 + (k + 1) * MINUTE + 15_000)):  # fmt: skip
                step = self.analyser.on_message(message)
                found += [f for flow in step.flows for f in flow.findings if f.rule == "traffic.california7"]
            self.seq += 2
        return found


CALM = (0.2, 0.2, 0.2)
BLOCKED = (0.2, 0.4, 0.08)
STORY = [CALM] * 4 + [BLOCKED] * 6 + [CALM] * 8


def test_an_incident_between_two_loops_is_one_finding_with_its_end():
    found = Road().minutes(STORY)
    assert [f.phase for f in found] == ["open", "close"]
    opened, closed = found
    assert opened.series == ["l2/traffic.occupancy", "l3/traffic.occupancy"]
    assert (opened.kind, opened.place, opened.area) == ("incident", "Junction 2", AREA)
    assert opened.onset == T0 + 4 * MINUTE
    assert opened.time == T0 + 8 * MINUTE, "three minutes in a row"
    assert closed.time == T0 + 10 * MINUTE
    assert "piles up at Junction 2 (occupancy 40%) and thins out at Junction 3 (8%)" in opened.why.sentence


def test_without_the_road_graph_nothing_is_said():
    assert Road([]).minutes(STORY) == []
    assert Road().minutes([CALM] * 20) == []


def test_two_minutes_are_not_enough():
    assert Road().minutes([CALM] * 4 + [BLOCKED] * 3 + [CALM] * 8) == []


@pytest.mark.parametrize("cut", [3, 5, 7, 12])
def test_state_goes_on_as_before(cut: int):
    first, second = Road(), Road()
    head = first.minutes(STORY[:cut])
    restore(second.analyser, unpack(pack(snapshot(first.analyser))))
    second.seq = first.seq
    assert head + second.minutes(STORY[cut:], cut) == Road().minutes(STORY)
