"""Transport faults change when readings arrive, never what they say."""

from collections import Counter

import numpy as np

from domain.readings import Readings
from domain.times import HOUR_MS, MINUTE_MS
from simulator.plan import plan_town
from simulator.signals import City
from simulator.transport import USUAL_MS, Arrivals, Duplicate, Late, OutOfOrder, TransportFault, arrivals

TOWN = plan_town(7)
START = 1_772_409_600_000 + 9 * HOUR_MS
END = START + 30 * MINUTE_MS
READINGS = City(TOWN, 7).readings(START, END)


def rows(readings: Readings) -> list[tuple[str, int, float]]:
    return [(readings.series[i], int(t), float(x)) for i, t, x in zip(readings.i, readings.t, readings.x, strict=True)]


def arrive(*faults: TransportFault) -> Arrivals:
    return arrivals(TOWN, READINGS, faults, 7)


def in_area(found: Arrivals, area: str) -> np.ndarray:
    names = {sensor.sensor for sensor in TOWN.sensors if sensor.area == area}
    return np.array([name.split("/")[0] in names for name in found.readings.series])[found.readings.i]


def test_without_faults_everything_arrives_once_and_soon() -> None:
    found = arrive()
    delay = found.at - found.readings.t
    assert sorted(rows(found.readings)) == sorted(rows(READINGS))
    assert delay.min() >= 0
    assert delay.max() < USUAL_MS
    assert np.all(np.diff(found.at) >= 0)


def test_late_delays_a_third_of_one_area() -> None:
    found = arrive(Late("ring-north", START, END, 300_000))
    late = found.at - found.readings.t > USUAL_MS
    here = in_area(found, "ring-north")
    assert sorted(rows(found.readings)) == sorted(rows(READINGS))
    assert not late[~here].any()
    assert 0.2 < late[here].mean() < 0.45


def test_out_of_order_overtakes() -> None:
    found = arrive(OutOfOrder("ring-north", START, END, 300_000))
    here = in_area(found, "ring-north")
    assert sorted(rows(found.readings)) == sorted(rows(READINGS))
    assert (np.diff(found.readings.t[here]) < 0).mean() > 0.3


def test_duplicates_come_again_unchanged() -> None:
    found = arrive(Duplicate("ring-north", START, END, 300_000))
    counts = Counter(rows(found.readings))
    names = {sensor.sensor for sensor in TOWN.sensors if sensor.area == "ring-north"}
    twice = {row for row, count in counts.items() if count == 2}
    assert counts.keys() == set(rows(READINGS))
    assert max(counts.values()) == 2
    assert {name.split("/")[0] for name, _, _ in twice} == names


def test_split_and_merge_lose_nothing() -> None:
    found = arrive(Late("ring-north", START, END, 300_000))
    early, rest = found.split(START + 10 * MINUTE_MS)
    assert early.at.max() <= START + 10 * MINUTE_MS < rest.at.min()
    assert sorted(rows(early.merged(rest).readings)) == sorted(rows(found.readings))
