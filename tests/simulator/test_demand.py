"""Demand follows the local clock, the week, holidays and home games."""

from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from domain.times import HOUR_MS, MINUTE_MS
from simulator.demand import Demand
from simulator.network import build
from simulator.plan import plan_town

TOWN = plan_town(7)


@cache
def demand() -> Demand:
    net = build(TOWN, 7)
    return Demand(net.roads, net.peak, 7, TOWN.name)


def mean(when: str, minutes: int = 60, area: str = "") -> float:
    start = int(datetime.fromisoformat(when).replace(tzinfo=ZoneInfo("Europe/London")).timestamp() * 1_000)
    rows = [k for k, road in enumerate(TOWN.ground.roads) if road.area.endswith(area)]
    return float(demand().at(start + np.arange(minutes, dtype=np.int64) * MINUTE_MS)[rows].mean())


def test_mornings_without_school_are_quieter_and_evenings_are_not() -> None:
    """Means of the five days of a half-term week beside those of the weeks before and after."""
    out = np.mean([mean(f"2026-10-{day}T07:30") for day in range(26, 31)])
    inside = np.mean([mean(f"2026-{day}T07:30") for day in ("10-19", "10-20", "10-21", "11-02", "11-03", "11-04")])
    assert 0.75 < out / inside < 0.95
    evening = mean("2026-10-27T17:00") / mean("2026-10-20T17:00")
    assert 0.85 < evening < 1.15


def test_football_night_fills_the_roads_to_the_ground() -> None:
    """Wednesday 18 March 2026 is a home game, the Wednesdays beside it are none."""
    game = mean("2026-03-18T18:30", area="south") / mean("2026-03-18T18:30", area="north")
    usual = mean("2026-03-11T18:30", area="south") / mean("2026-03-11T18:30", area="north")
    assert game > 1.08 * usual


def test_bank_holiday_is_like_a_sunday() -> None:
    assert mean("2026-05-04T08:00") < 0.6 * mean("2026-05-11T08:00")


@pytest.mark.parametrize(("before", "after"), [("2026-03-27", "2026-03-30"), ("2026-10-23", "2026-10-26")])
def test_the_peak_keeps_its_local_time_when_the_clocks_change(before: str, after: str) -> None:
    peaks = []
    for day in (before, after):
        start = int(datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/London")).timestamp() * 1_000)
        t = start + 5 * HOUR_MS + np.arange(300, dtype=np.int64) * MINUTE_MS
        total = np.convolve(demand().at(t).sum(axis=0), np.ones(45) / 45, mode="valid")
        peaks.append(int(np.argmax(total)))
    assert abs(peaks[0] - peaks[1]) < 25
