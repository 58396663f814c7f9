"""PeMS' daily tests: each fires on a day of its fault, none on a good day."""

import numpy as np
import pytest

from domain.flags import Flag, Test
from domain.quantities import quantity
from domain.scores import Judged
from domain.sensors import Sensor
from models.day_verdict import DayVerdicts
from models.series_spec import SeriesSpec

DAY_MS, STEP = 86_400_000, 300_000
N = DAY_MS // STEP
INTERVAL = np.full(2, 300.0)


def made(road_class: str | None = None) -> DayVerdicts:
    verdicts = DayVerdicts()
    sensor = Sensor("loop", "a", road_class=road_class)
    verdicts.ensure([SeriesSpec(f"loop/{q}", quantity(q), sensor) for q in ("traffic.occupancy", "traffic.flow")])
    return verdicts


def day(number: int, occupancy: np.ndarray, flow: np.ndarray | None = None, tests: int = 0) -> Judged:
    flow = 600 + 60 * (np.arange(len(occupancy)) % 7) if flow is None else flow
    t = number * DAY_MS + np.arange(len(occupancy)) * STEP
    n = 2 * len(occupancy)
    flag = Flag.SUSPECT if tests else Flag.GOOD
    return Judged(
        np.repeat(np.arange(2, dtype=np.int32), len(t)), np.tile(t, 2), np.concatenate((occupancy, flow)),
        np.full(n, flag, np.uint8), np.full(n, tests, np.uint32),
    )  # fmt: skip


GOOD = 0.1 + 0.01 * (np.arange(N) % 5)


def verdict(second: Judged, road_class: str | None = None):
    verdicts = made(road_class)
    verdicts.observe(day(0, GOOD))
    verdicts.observe(second)
    (first,), (told,) = verdicts.close_day(2 * DAY_MS, INTERVAL).values()
    assert first.verdict == "good"
    return told


def test_a_good_day_is_good() -> None:
    told = verdict(day(1, GOOD))
    assert (told.verdict, told.cause, told.impact) == ("good", "", 0.0)


@pytest.mark.parametrize(
    ("second", "road_class", "words", "cause"),
    [
        (day(1, GOOD[: N // 2]), None, "Insufficient", "silent"),
        (day(1, np.where(np.arange(N) % 10 < 7, 0.0, GOOD)), None, "Card off", "dropout"),
        (day(1, np.where(np.arange(N) % 10 < 7, 0.0, GOOD)), "rural", "good", ""),
        (day(1, np.where(np.arange(N) % 20 < 19, 0.0, GOOD)), "rural", "Card off", "dropout"),
        (day(1, np.where(np.arange(N) % 4 == 0, 0.8, GOOD)), None, "High value", "clipped"),
        (day(1, np.full(N, 0.12)), None, "Constant", "stuck"),
        (day(1, GOOD, np.where(np.arange(N) % 50 < 49, 0.0, 600.0)), "ramp", "Card off", "dropout"),
        (day(1, GOOD, np.full(N, 3_000.0)), "ramp", "High value", "clipped"),
        (day(1, GOOD, tests=int(Test.NOISE)), None, "Failed tests", "noise"),
    ],
)
def test_each_fault_has_its_verdict(second: Judged, road_class: str | None, words: str, cause: str) -> None:
    told = verdict(second, road_class)
    assert (told.verdict, told.cause) == (words, cause)
    assert (told.share > 0) == (words != "good")


def test_a_few_contradictions_are_intermittent() -> None:
    second = day(1, GOOD)
    second.tests[: N // 20] |= np.uint32(Test.PHYSICS)
    second.flag[: N // 20] = Flag.SUSPECT
    told = verdict(second)
    assert (told.verdict, told.cause) == ("Intermittent", "intermittent")


def test_state_goes_out_and_in_and_frames_do_not_matter() -> None:
    whole, cut = made(), made()
    second = day(1, np.where(np.arange(N) % 3 == 0, 0.0, 0.12))
    whole.observe(day(0, GOOD))
    cut.observe(day(0, GOOD))
    whole.observe(second)
    for part in np.array_split(np.arange(N), 7):
        cut.observe(second.take(np.concatenate((part, part + N))))
        again = made()
        again.restore(cut.snapshot())
        cut = again
    assert cut.close_day(2 * DAY_MS, INTERVAL) == whole.close_day(2 * DAY_MS, INTERVAL)


def test_what_failed_against_its_neighbours_later_counts_once() -> None:
    verdicts = made()
    verdicts.observe(day(0, GOOD))
    verdicts.observe(day(1, GOOD))
    whole = day(1, GOOD, tests=int(Test.NEIGHBOUR))
    verdicts.observe_apart(whole.take(whole.row == 0).take(np.arange(N // 4)))
    verdicts.observe_apart(day(0, GOOD, tests=int(Test.NEIGHBOUR)).take(np.arange(2)))
    (first,), (told,) = verdicts.close_day(2 * DAY_MS, INTERVAL).values()
    assert first.verdict == "good"  # two readings are no tenth of a day
    assert (told.verdict, told.cause, told.share) == ("Failed tests", "neighbour", 0.25)
    verdicts.observe_apart(whole)  # of a day that is closed
    assert verdicts.close_day(3 * DAY_MS, INTERVAL) == {}


def test_what_was_bad_before_is_not_counted_as_bad_again() -> None:
    verdicts = made()
    verdicts.observe(day(0, GOOD))
    bad = day(1, GOOD, tests=int(Test.DRIFT))
    verdicts.observe(bad)
    bad.tests[:] |= np.uint32(Test.NEIGHBOUR)
    verdicts.observe_apart(bad)
    told = verdicts.close_day(2 * DAY_MS, INTERVAL)[DAY_MS][0]
    assert (told.verdict, told.share) == ("Failed tests", 1.0)
