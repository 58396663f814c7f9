"""Roads: each rule explains itself, several see one thing once, cuts and restarts change nothing."""

from collections.abc import Sequence

import msgspec
import pytest

from domain.messages import Finding
from domain.readings import Frame, Readings, Tick
from domain.sensors import Link, Sensor, SensorRegister
from domain.topics import partition_of
from models.road_names import NAMES
from models.road_pairs import road_pairs
from streams.area_clock import Patience
from streams.setup import Setup
from streams.state import pack, restore, snapshot, unpack

T0, MINUTE = 1_772_409_600_000, 60_000
DAY = 1_440
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


Row = tuple[float, ...]


class Road:
    """Three loops along a road; ``loops`` are those that have sent something from the beginning."""

    def __init__(self, names: Sequence[str], links: list[Link] = LINKS) -> None:
        sensors = [Sensor(f"l{k}", AREA, interval_s=60.0, place=f"Junction {k}") for k in (1, 2, 3)]
        setup = Setup(SensorRegister(sensors, links), Patience(10_000, 7_200_000), "null", tuple(names))
        self.analyser = setup.analyser("readings.traffic", partition_of(AREA))
        self.seq = 0

    def minutes(
        self, rows: Sequence[Row], start: int = 0, every: int = 1, quantity: str = "occupancy"
    ) -> list[Finding]:
        """What is found on the roads; frames of ``every`` minutes, a tick behind each. NaN: nothing is sent."""
        found = []
        for first in range(0, len(rows), every):
            sent = [
                (f"l{j}/traffic.{quantity}", T0 + k * MINUTE, x)
                for k, row in enumerate(rows[first : first + every], start=start + first)
                for j, x in enumerate(row, start=1)
                if x == x
            ]
            end = T0 + (start + min(first + every, len(rows))) * MINUTE + 15_000
            messages = [Frame("gw", self.seq + 1, AREA, Readings.of(sent))] if sent else []
            for message in (*messages, Tick("gw", self.seq + 2, end)):
                step = self.analyser.on_message(message)
                found += [f for flow in step.flows for f in flow.findings if f.rule.startswith("traffic.")]
            self.seq += 2
        return found


NAN = float("nan")
CALM = (0.2, 0.2, 0.2)
BLOCKED = (0.2, 0.4, 0.08)
STORY = [CALM] * 6 + [BLOCKED] * 6 + [CALM] * 10


@pytest.mark.parametrize(("name", "words"), [("california7", ""), ("california8", "with no wave of braking traffic")])
def test_an_incident_between_two_loops_is_one_finding_with_its_end(name: str, words: str):
    found = Road([name]).minutes(STORY)
    assert [f.phase for f in found] == ["open", "close"]
    opened, closed = found
    assert opened.rule == f"traffic.{name}"
    assert opened.series == ["l2/traffic.occupancy", "l3/traffic.occupancy"]
    assert (opened.kind, opened.place, opened.area, opened.severity) == ("incident", "Junction 2", AREA, "high")
    assert opened.onset == T0 + 6 * MINUTE
    assert opened.time == T0 + 10 * MINUTE, "three minutes in a row"
    assert closed.time == T0 + 12 * MINUTE
    why = opened.why
    assert "piles up at Junction 2 (occupancy 40%) and thins out at Junction 3 (8%)" in why.sentence
    assert words in why.sentence
    assert (why.observed, why.since) == (0.4, opened.onset)
    assert [(n["series"], n["observed"]) for n in why.neighbours] == [
        ("l3/traffic.occupancy", 0.08), ("l1/traffic.occupancy", 0.2),
    ]  # fmt: skip
    assert sum(channel.share for channel in why.channels) == 1.0
    assert (why.model.name, why.model.parameters["relative"], why.model.parameters["on_delay"]) == (opened.rule, 0.5, 3)


def test_a_wave_that_empties_again_is_told_by_7_and_not_by_8():
    wave = [CALM] * 4 + [(0.2, 0.4, 0.3)] + [(0.2, 0.4, 0.1)] * 6 + [CALM] * 8
    assert [f.phase for f in Road(["california7"]).minutes(wave)] == ["open", "close"]
    assert Road(["california8"]).minutes(wave) == []


def test_a_jump_at_one_loop_is_told_by_the_normal_deviate_without_any_road_graph():
    found = Road(["snd"], []).minutes(STORY)
    assert [f.phase for f in found] == ["open", "close"]
    opened = found[0]
    assert (opened.rule, opened.severity, opened.place) == ("traffic.snd", "medium", "Junction 2")
    assert opened.series == ["l2/traffic.occupancy"]
    assert (opened.onset, opened.time) == (T0 + 6 * MINUTE, T0 + 8 * MINUTE)
    assert "Occupancy at Junction 2 has jumped to 40% since 2026-03-02T00:06:00Z, from 20%" in opened.why.sentence
    assert (opened.why.observed, opened.why.expected, opened.why.upper) == (0.4, 0.2, 0.35)
    assert opened.why.model.parameters["critical"] == 3.0
    assert opened.why.channels[0].name == "occupancy deviate"


def speeds(day: int, hours: dict[int, tuple[int, ...]]) -> list[Row]:
    """A day of speeds; slow at the second loop in the hours given for it."""
    return [(90.0, 30.0 if minute // 60 in hours.get(day, ()) else 90.0, 95.0) for minute in range(DAY)]


def test_a_bottleneck_is_told_when_it_is_not_there_at_that_hour_on_most_days():
    hours = dict.fromkeys(range(5), (8,)) | {4: (8, 13)}
    week = [row for day in range(5) for row in speeds(day, hours)]
    found = Road(["bottleneck"]).minutes(week, every=60, quantity="speed")
    assert [f.phase for f in found] == ["open", "close"]
    opened = found[0]
    assert (opened.rule, opened.severity) == ("traffic.bottleneck", "low")
    assert opened.series == ["l2/traffic.speed", "l3/traffic.speed"]
    assert opened.onset == T0 + (4 * DAY + 13 * 60) * MINUTE
    assert opened.time == opened.onset + 25 * MINUTE, "five points of five minutes"
    assert "slow at Junction 2 (30 km/h) and free again at Junction 3 (95 km/h), 500 m on" in opened.why.sentence
    assert opened.why.model.parameters["needed"] == 5
    assert opened.why.observed == 30.0


def test_the_speed_of_five_minutes_is_weighed_with_the_flow_and_is_no_mean_of_speeds():
    road = Road(["bottleneck"])
    for day in range(4):
        road.minutes(speeds(day, {}), day * DAY, every=60, quantity="speed")
    start = 4 * DAY
    rows = []
    for k in range(30):
        fast = k % 5 == 0  # one minute in five is fast, with one car in it
        rows += [("l2/traffic.flow", T0 + (start + k) * MINUTE, 60.0 if fast else 1_200.0),
                 ("l2/traffic.speed", T0 + (start + k) * MINUTE, 110.0 if fast else 50.0),
                 ("l3/traffic.speed", T0 + (start + k) * MINUTE, 95.0)]  # fmt: skip
    step = road.analyser.on_message(Frame("gw", 10**6, AREA, Readings.of(rows)))
    step = road.analyser.on_message(Tick("gw", 10**6 + 1, T0 + (start + 30) * MINUTE + 15_000))
    (found,) = [f for flow in step.flows for f in flow.findings if f.rule == "traffic.bottleneck"]
    assert found.why.observed == pytest.approx((60 + 4 * 1_200) / (60 / 110 + 4 * 1_200 / 50), rel=1e-5)


def test_several_detectors_at_one_place_are_one_finding():
    found = Road(NAMES).minutes(STORY)
    assert len({f.id for f in found}) == 1
    assert [f.phase for f in found] == ["open", "update", "close"], "two join in the same minute: told once"
    assert len({(f.id, f.phase, f.time) for f in found}) == len(found)
    last = found[-1]
    assert (last.rule, last.severity, last.score) == ("traffic.snd", "high", 0.8)
    assert last.series == ["l2/traffic.occupancy", "l3/traffic.occupancy"]
    assert [c.name for c in last.why.channels] == [
        "occupancy deviate", "occupancy difference", "occupancy difference without a wave",
    ]  # fmt: skip
    assert last.why.sentence.startswith(found[0].why.sentence)
    assert "California algorithm 7 says so too since 2026-03-02T00:06:00Z, at Junction 2." in last.why.sentence


def test_a_queue_that_reaches_the_next_loop_is_the_same_finding():
    queue = [CALM] * 6 + [BLOCKED] * 4 + [(0.45, 0.4, 0.08)] * 5 + [CALM] * 10
    found = Road(["california8", "snd"]).minutes(queue)
    assert len({f.id for f in found}) == 1
    assert found[-1].series == ["l2/traffic.occupancy", "l3/traffic.occupancy", "l1/traffic.occupancy"]


def test_what_comes_after_the_end_is_another_finding():
    found = Road(["snd"]).minutes(STORY + STORY)
    assert [f.phase for f in found] == ["open", "close"] * 2
    assert len({f.id for f in found}) == 2


def test_without_the_road_graph_pairs_say_nothing_and_none_says_nothing():
    assert Road(["california7", "california8", "bottleneck"], []).minutes(STORY) == []
    assert Road([]).minutes(STORY) == []
    assert Road(NAMES).minutes([CALM] * 20) == []


def test_two_minutes_are_not_enough_for_the_california_algorithms():
    assert Road(["california7", "california8"]).minutes([CALM] * 4 + [BLOCKED] * 3 + [CALM] * 8) == []


#: Incidents, a loop that is silent for a while, a pause in which nobody says anything, one that ends in a pause.
LONG = [
    *STORY, *[CALM] * 5, *[BLOCKED] * 3, *[(0.2, NAN, 0.08)] * 2, *[BLOCKED] * 4, *[CALM] * 8, *[(NAN,) * 3] * 14,
    *STORY, *[BLOCKED] * 5, *[(NAN,) * 3] * 7, *[BLOCKED] * 6, *[CALM] * 6, *[BLOCKED] * 6, *[(NAN,) * 3] * 40, CALM,
]  # fmt: skip


def said(finding: Finding) -> str:
    """Without what another stage adds of the days before."""
    return repr(msgspec.structs.replace(finding, why=msgspec.structs.replace(finding.why, earlier=msgspec.UNSET)))


@pytest.mark.parametrize("every", [2, 5, 7, 30])
def test_how_readings_are_cut_into_frames_changes_nothing(every: int):
    whole = Road(NAMES).minutes(LONG)
    assert len({f.id for f in whole}) > 3
    cut = Road(NAMES).minutes(LONG, every=every)
    assert sorted(map(said, cut)) == sorted(map(said, whole))


@pytest.mark.parametrize("cut", [3, 7, 9, 11, 14, 30, 45, 70])
def test_state_goes_on_as_before(cut: int):
    first, second, whole = Road(NAMES), Road(NAMES), Road(NAMES)
    head = first.minutes(LONG[:cut])
    restore(second.analyser, unpack(pack(snapshot(first.analyser))))
    second.seq = first.seq
    assert head + second.minutes(LONG[cut:], cut) == whole.minutes(LONG)
    roads, expected = (
        unpack(pack(snapshot(one.analyser)))["payload"]["areas"][AREA]["roads"] for one in (second, whole)
    )
    assert pack(roads) == pack(expected)


def test_other_detectors_after_a_restart_begin_free_and_what_was_open_ends():
    first, second = Road(["snd"]), Road(["california7"])
    opened = first.minutes(STORY[:9])
    assert [f.phase for f in opened] == ["open"]
    restore(second.analyser, unpack(pack(snapshot(first.analyser))))
    second.seq = first.seq
    after = second.minutes(STORY[9:], 9)
    assert [(f.id, f.phase) for f in after] == [(opened[0].id, "close")]
    assert second.analyser.begins_anew == []


def test_a_state_of_version_1_begins_anew_and_says_so():
    first, second = Road(["california7"]), Road(["california7"])
    first.minutes(STORY[:4])
    kept = unpack(pack(snapshot(first.analyser)))
    kept["payload"]["areas"][AREA]["roads"] = {"kind": "roads", "version": "1", "payload": {"open": []}}
    restore(second.analyser, kept)
    assert [words for words in second.analyser.begins_anew if "roads version 1" in words]
    second.seq = first.seq
    assert [f.phase for f in second.minutes(STORY[4:], 4)] == ["open", "close"]


def test_a_model_of_another_version_begins_anew_and_leaves_the_other_detectors_alone():
    first, second = Road(["california7", "snd"]), Road(["california7", "snd"])
    first.minutes(STORY[:6])
    kept = unpack(pack(snapshot(first.analyser)))
    kept["payload"]["areas"][AREA]["roads"]["payload"]["detectors"][0]["model"]["version"] = "0"
    restore(second.analyser, kept)
    (words,) = second.analyser.begins_anew
    assert "california version 0" in words
    second.seq = first.seq
    assert second.minutes(STORY[6:], 6)[0] == Road(["snd"]).minutes(STORY)[0]


def test_a_road_that_falls_silent_has_no_open_finding():
    found = Road(["snd"]).minutes([*STORY[:10], *[(NAN,) * 3] * 8])
    assert [(f.phase, f.time) for f in found] == [("open", T0 + 8 * MINUTE), ("close", T0 + 10 * MINUTE)]


def test_a_loop_that_joins_later_leaves_the_others_as_they_are():
    late = [(*row[:2], NAN) if k < 7 else row for k, row in enumerate(STORY)]
    assert Road(["snd"]).minutes(late)[0].time == Road(["snd"]).minutes(STORY)[0].time
