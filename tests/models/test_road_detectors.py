"""What every road detector must do, the gates behind them, and their names."""

from collections.abc import Callable

import numpy as np
import pytest

from domain.errors import Misconfigured
from domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from models.road_detectors import ROAD_DETECTORS, RoadDetector, carried, road_detectors
from models.road_gates import Gate, OnDelay, UnusualHour
from models.road_names import DEFAULT, NAMES, parse_names
from streams.state import pack, restore, snapshot, unpack

METRES = np.array([500.0, 900.0, 4_900.0, 300.0])


def columns(detector: RoadDetector, steps: int, seed: int = 3) -> list[list[np.ndarray]]:
    """Made so that every detector has something to say and something to miss."""
    rng = np.random.default_rng(seed)
    scale = 60.0 if detector.needs.quantity == "traffic.speed" else 0.3
    level = np.repeat(rng.uniform(0.2, 2.0, (steps // 8 + 1, detector.needs.loops, len(METRES))), 8, axis=0)[:steps]
    x = scale * level * rng.uniform(0.9, 1.1, level.shape)
    x[rng.random(x.shape) < 0.02] = np.nan
    return [list(row) for row in x]


@pytest.mark.parametrize("detector", ROAD_DETECTORS.values(), ids=lambda one: one.name)
class TestEveryDetector:
    def test_it_sees_something_and_not_everything(self, detector: RoadDetector) -> None:
        model = detector.make(METRES)
        seen = np.array([model.step(*row) for row in columns(detector, 400)])
        assert seen.shape == (400, len(METRES))
        assert 0 < seen.sum() < 0.9 * seen.size
        assert model.expected().shape == (2, len(METRES))

    def test_a_restored_one_goes_on_as_before(self, detector: RoadDetector) -> None:
        first, second = detector.make(METRES), detector.make(METRES)
        rows = columns(detector, 300)
        for row in rows[:150]:
            first.step(*row)
        restore(second, unpack(pack(snapshot(first))))
        for row in rows[150:]:
            assert np.array_equal(first.step(*row), second.step(*row))
        assert pack(snapshot(first)) == pack(snapshot(second))

    def test_a_snapshot_is_not_changed_by_what_follows(self, detector: RoadDetector) -> None:
        model = detector.make(METRES)
        kept = model.snapshot()
        before = pack(kept)
        for row in columns(detector, 20):
            model.step(*row)
        assert pack(kept) == before

    def test_places_do_not_depend_on_each_other(self, detector: RoadDetector) -> None:
        rows = columns(detector, 200)
        together = np.array([s for model in [detector.make(METRES)] for s in (model.step(*row) for row in rows)])
        for k in range(len(METRES)):
            alone = detector.make(METRES[k : k + 1])
            assert [bool(alone.step(*(x[k : k + 1] for x in row))[0]) for row in rows] == together[:, k].tolist()

    def test_without_places_and_without_values_nothing_is_seen(self, detector: RoadDetector) -> None:
        nothing = [np.empty(0)] * detector.needs.loops
        assert detector.make(np.empty(0)).step(*nothing).shape == (0,)
        model = detector.make(METRES)
        for _ in range(20):
            assert not model.step(*[np.full(len(METRES), np.nan)] * detector.needs.loops).any()

    def test_places_that_stay_carry_what_is_known_of_them(self, detector: RoadDetector) -> None:
        rows = columns(detector, 200)
        whole, before = detector.make(METRES), detector.make(METRES[:3])
        for row in rows[:100]:
            whole.step(*row)
            before.step(*(x[:3] for x in row))
        after = detector.make(METRES[[2, 3, 0]])
        after.restore(carried(before.snapshot(), after.snapshot(), np.array([2, -1, 0])))
        for row in rows[100:]:
            told = after.step(*(x[[2, 3, 0]] for x in row))
            assert told[[0, 2]].tolist() == whole.step(*row)[[2, 0]].tolist()


def test_the_names_are_those_of_the_table_and_the_default_is_among_them() -> None:
    assert tuple(ROAD_DETECTORS) == NAMES
    assert set(DEFAULT) <= set(NAMES)
    assert [one.name for one in road_detectors(("snd", "california7", "snd"))] == ["california7", "snd"]
    assert {one.rule for one in ROAD_DETECTORS.values()} == {f"traffic.{name}" for name in NAMES}


def test_an_unknown_name_is_named_with_those_that_are_known() -> None:
    with pytest.raises(Misconfigured, match="road_detectors: 'radar' is not known; known are california7, california8"):
        road_detectors(("snd", "radar"))


def test_names_in_a_text() -> None:
    assert parse_names(" SND,california7 ") == ("california7", "snd")
    assert parse_names("none") == ()
    for text in ("", "snd,", "none,snd", "radar"):
        with pytest.raises(ValueError, match=r"^(none|radar|)$"):
            parse_names(text)


def one(gate: Gate, time: int, seen: bool, known: bool = True) -> bool:
    return bool(gate.step(time, np.array([seen]), np.array([known]))[0])


def test_an_on_delay_waits_for_so_many_steps_in_a_row() -> None:
    gate = OnDelay(1, 3)
    seen = [True, True, False, True, True, True, True, False, True]
    assert [one(gate, k, each) for k, each in enumerate(seen)] == [False] * 5 + [True, True, False, False]


DAY0 = 20_500 * DAY_MS


def days(gate: Gate, count: int, there: Callable[[int, int], bool], first: int = 0) -> dict[tuple[int, int], bool]:
    """Five-minute points of whole days; whether anything was told, by day and hour."""
    told: dict[tuple[int, int], bool] = {}
    for day in range(first, first + count):
        for minute in range(0, 1_440, 5):
            seen = there(day, minute // 60)
            said = one(gate, DAY0 + day * DAY_MS + minute * MINUTE_MS, seen)
            told[day, minute // 60] = told.get((day, minute // 60), False) or said
    return {key: said for key, said in told.items() if said}


def test_what_is_there_every_morning_is_not_told_and_what_is_not_is() -> None:
    gate = UnusualHour(1)
    mornings = days(gate, 9, lambda day, hour: hour == 8 or (day, hour) == (6, 14))
    assert mornings == {(6, 14): True}
    assert days(gate, 1, lambda day, hour: hour in (9, 20), first=9) == {(9, 20): True}, "an hour later is still usual"


def test_nothing_is_told_before_there_are_three_days_to_compare_with() -> None:
    for first in range(5):
        told = days(UnusualHour(1), 6, lambda day, hour, first=first: (day, hour) == (first, 14))
        assert told == ({(first, 14): True} if first >= 3 else {})


def test_days_on_which_nothing_was_measured_are_no_days_without_a_queue() -> None:
    gate = UnusualHour(1)
    for day in range(5):
        one(gate, DAY0 + day * DAY_MS + 8 * HOUR_MS, False, known=False)
    assert not one(gate, DAY0 + 5 * DAY_MS + 8 * HOUR_MS, True)


def test_what_lies_more_than_a_week_back_is_forgotten() -> None:
    gate = UnusualHour(1)
    assert not days(gate, 7, lambda day, hour: hour == 8)
    assert days(gate, 8, lambda day, hour: (day, hour) == (14, 8), first=7) == {(14, 8): True}
