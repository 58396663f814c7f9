"""Transport faults change when readings arrive, never what they say."""

from collections import Counter

import numpy as np
import pytest

from domain.readings import Readings
from domain.times import HOUR_MS, MINUTE_MS
from simulator.kinds import KINDS
from simulator.plan import plan_town
from simulator.signals import City
from simulator.transport import (
    TRANSPORT,
    USUAL_MS,
    Arrivals,
    Burst,
    Corrupt,
    Duplicate,
    FeedDown,
    Late,
    Lost,
    OutOfOrder,
    TransportFault,
    arrivals,
)  # fmt: skip

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


def test_lost_and_feed_down_take_readings_of_one_area_only() -> None:
    here = in_area(arrive(), "ring-north")
    for fault, low, high in (
        (Lost("ring-north", START, END, 0.3), 0.2, 0.4),
        (FeedDown("ring-north", START, END), 1, 1),
    ):
        found = arrive(fault)
        missing = set(rows(READINGS)) - set(rows(found.readings))
        assert low <= len(missing) / here.sum() <= high
        assert set(rows(found.readings)) <= set(rows(READINGS))
        assert len(found.readings) == len(READINGS) - len(missing)
        assert {name.split("/")[0] for name, _, _ in missing} <= {
            s.sensor for s in TOWN.sensors if s.area == "ring-north"
        }


def test_a_burst_holds_back_and_comes_at_once_at_the_end() -> None:
    found = arrive(Burst("ring-north", START, END))
    here = in_area(found, "ring-north")
    assert sorted(rows(found.readings)) == sorted(rows(READINGS))
    assert found.at[here].min() >= END
    assert found.at[here].max() < END + USUAL_MS
    assert (found.at - found.readings.t)[~here].max() < USUAL_MS


def test_corrupt_readings_arrive_as_bytes_that_nobody_can_read() -> None:
    found = arrive(Corrupt("ring-north", START, END, 0.3))
    gone = len(READINGS) - len(found.readings)
    assert gone == len(found.garbage) > 20
    for at, raw in found.garbage:
        assert START <= at < END + USUAL_MS
        with pytest.raises(UnicodeDecodeError):
            raw.decode()
    early, late = found.split(START + 10 * MINUTE_MS)
    assert early.garbage
    assert all(at <= START + 10 * MINUTE_MS for at, _ in early.garbage)
    assert early.merged(late).garbage == found.garbage


@pytest.mark.parametrize("kind", list(TRANSPORT))
def test_each_label_names_its_area_and_every_effect_lies_in_its_time(kind: str) -> None:
    fault = TRANSPORT[kind]("roads-east", START + MINUTE_MS, END - 5 * MINUTE_MS, KINDS[kind].strength.default)
    label, usual, found = fault.truth(TOWN), arrive(), arrive(fault)
    assert label.cause == "transport"
    when = dict(zip(rows(usual.readings), usual.at.tolist(), strict=True))
    now = Counter(zip(rows(found.readings), found.at.tolist(), strict=True))
    changed = [row for row, at in when.items() if now[(row, at)] != 1]
    changed += [row for (row, at), count in now.items() if when[row] != at for _ in range(count)]
    assert {name for name, _, _ in changed} == set(label.series)
    assert all(fault.start <= t < fault.end for _, t, _ in changed)
    assert max((at for (row, at) in now if when[row] != at), default=0) < label.end + USUAL_MS
