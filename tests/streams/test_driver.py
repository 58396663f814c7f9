"""The pipeline in memory: the same results however the readings were cut."""

import json
from collections.abc import Iterable

import numpy as np
import pytest

from domain.readings import Readings
from domain.sensors import Event, OpenRegister, Sensor, SensorRegister
from streams.area_clock import Patience
from streams.driver import Driver
from streams.records import records_of_step
from streams.setup import Setup
from tests.streams.make import DAY, HOUR, T0, assert_windows_equal, final_windows

PATIENCE = Patience(10_000, 2 * HOUR, 2 * DAY)


def town(n: int) -> SensorRegister:
    """Sensors of three areas, with quantities of two topics in each."""
    return SensorRegister([Sensor(f"s{k}", f"area-{k % 3}") for k in range(n)])


def recording(seed: int, n: int, step_ms: int, days: float, start: int = T0) -> Readings:
    """Readings of ``n`` sensors in the order of time, with gaps."""
    rng = np.random.default_rng(seed)
    t = np.repeat(start + np.arange(int(days * DAY / step_ms)) * step_ms, n)
    i = np.tile(np.arange(n, dtype=np.int32), len(t) // n)
    keep = rng.random(len(t)) > 0.1
    names = [f"s{k}/air.no2" if k % 2 else f"s{k}/energy.voltage" for k in range(n)]
    return Readings(names, i[keep], t[keep], 50 + rng.normal(0, 5, int(keep.sum())))


def cut(readings: Readings, seed: int, pieces: int) -> list[Readings]:
    at = np.sort(np.random.default_rng(seed).integers(0, len(readings), pieces))
    return [readings.take(part) for part in np.split(np.arange(len(readings)), at)]


def run(
    chunks: Iterable[Readings], sensors: SensorRegister, detector: str = "seasonal", events: Iterable[Event] = ()
) -> list[bytes]:
    driver = Driver(Setup(sensors, PATIENCE, detector))
    told: list[bytes] = []
    for step in driver.run(chunks, events):
        told += [record.value for record in records_of_step(step, 0)]
    return told


@pytest.mark.parametrize("detector", ["seasonal", "novelty"])
@pytest.mark.parametrize(("step_ms", "days"), [(60_000, 0.6), (600_000, 3.0), (HOUR, 12.0), (6 * HOUR, 40.0)])
def test_results_do_not_depend_on_how_chunks_are_cut(step_ms: int, days: float, detector: str) -> None:
    readings = recording(1, 6, step_ms, days)
    events = [Event(T0 + DAY + 7, "s1", "repair")]
    whole = run([readings], town(6), detector, events)
    assert len(whole) > 20
    for seed, pieces in ((2, 1), (3, 7), (4, 60)):
        assert run(cut(readings, seed, pieces), town(6), detector, events) == whole


@pytest.mark.parametrize(("n", "step_ms", "days"), [(5, 60_000, 0.5), (5, 900_000, 3.0), (150, HOUR, 4.0)])
def test_every_window_equals_a_recomputation(n: int, step_ms: int, days: float) -> None:
    readings = recording(5, n, step_ms, days)
    flows = [f for step in Driver(Setup(town(n), PATIENCE, "null")).run(cut(readings, 1, 5)) for f in step.flows]
    kept = {
        (readings.series[i], t): x
        for i, t, x in zip(readings.i.tolist(), readings.t.tolist(), readings.x.tolist(), strict=True)
    }
    found = final_windows(flows)
    assert all(window.revision == 1 for window in found.values())
    end = max(key[2] + key[1] * 1_000 for key in found)
    assert end >= readings.t[-1] - HOUR
    assert_windows_equal(found, kept, end)


def test_series_that_lie_years_apart_are_as_if_alone() -> None:
    early = recording(6, 4, HOUR, 5.0, T0 - 4_000 * DAY)
    late = recording(7, 4, HOUR, 5.0)
    named = Readings([name.replace("s", "t", 1) for name in late.series], late.i, late.t, late.x)
    sensors = [Sensor(f"{letter}{k}", f"{letter}{k}") for letter in "st" for k in range(4)]
    both = run([early, named], SensorRegister(sensors))
    alone = run([early], SensorRegister(sensors)), run([named], SensorRegister(sensors))
    assert len(alone[1]) > 20
    assert told_of("t", both) == told_of("t", alone[1]) == sorted(alone[1])
    # As time passes on, the ended ones are told to be silent, and their last running windows come to an end.
    assert windows_of("s", alone[0]) <= windows_of("s", both)
    assert not [raw for raw in both if b"too far ahead" in raw]


def told_of(letter: str, told: list[bytes]) -> list[bytes]:
    """The results of the areas that begin with this letter."""
    areas = [(raw, json.loads(raw)) for raw in told]
    return sorted(raw for raw, body in areas if (body.get("area") or body.get("series")).startswith(letter))


def windows_of(letter: str, told: list[bytes]) -> set[tuple[object, ...]]:
    """Every aggregate of those areas on its own, however they were published together."""
    bodies = [body for raw in told_of(letter, told) if "window_s" in (body := json.loads(raw))]
    columns = ("start", "count", "mean", "min", "max", "last", "flag", "revision")
    return {
        (b["series"][i], b["window_s"], *row)
        for b in bodies
        for i, *row in zip(b["i"], *(b[name] for name in columns), strict=True)
    }


def test_what_comes_after_an_outage_of_days_is_not_ahead_of_the_clock() -> None:
    before, after = recording(12, 3, 600_000, 1.0), recording(13, 3, 600_000, 1.0, T0 + 9 * DAY)
    driver = Driver(Setup(town(3), PATIENCE, "null"))
    flows = [f for step in driver.run([before, after]) for f in step.flows]
    assert [q.reason for f in flows for q in f.quarantined] == []
    assert sum(len(f.readings) for f in flows) == len(before) + len(after)


def test_what_belongs_nowhere_is_put_aside_and_disturbs_nothing() -> None:
    good = recording(8, 3, 600_000, 1.0)
    bad = Readings([*good.series, "nobody/air.no2", "nonsense"], good.i.copy(), good.t, good.x)
    bad.i[::50] = 3
    bad.i[1::50] = 4
    flows = [f for step in Driver(Setup(town(3), PATIENCE, "null")).run([bad]) for f in step.flows]
    reasons = [q.reason for f in flows for q in f.quarantined]
    assert len(reasons) == len(good.t[::50]) + len(good.t[1::50])
    assert sum(len(f.readings) for f in flows) == len(good) - len(reasons)


def test_nothing_gives_nothing() -> None:
    assert run([], town(1)) == run([recording(1, 1, HOUR, 0.0)], town(1)) == []


def test_an_open_register_takes_everybody() -> None:
    flows = [
        f for s in Driver(Setup(OpenRegister(), PATIENCE, "null")).run([recording(9, 5, HOUR, 2.0)]) for f in s.flows
    ]
    assert {f.area for f in flows} == {f"s{k}" for k in range(5)}
    assert [q for f in flows for q in f.quarantined] == []
