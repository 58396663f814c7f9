"""World events change what they name, when they say, and nothing else."""

import numpy as np
import pytest

from domain.readings import Readings
from domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from simulator.events import Crash, FeederFault, Overload, PollutionEpisode, WorldEvent
from simulator.plan import plan_town
from simulator.script import FixedScript, truth
from simulator.signals import City

TOWN = plan_town(7)
MONDAY = 1_772_409_600_000
START = MONDAY + 17 * HOUR_MS
END = START + 30 * MINUTE_MS

EVENTS = [
    Crash("loop-010", START, END, 0.9),
    Crash("loop-030", START, END, 0.8),
    PollutionEpisode("southfields", START, END, 0.5),
    FeederFault("substation-lenwick", START, END, 1.0),
    Overload("substation-market", START, END, 0.8),
]


def table(readings: Readings) -> dict[tuple[str, int], float]:
    return {(readings.series[i], int(t)): float(x) for i, t, x in zip(readings.i, readings.t, readings.x, strict=True)}


def changed(event: WorldEvent, start: int, end: int) -> dict[tuple[str, int], tuple[float, float]]:
    city = City(TOWN, 7)
    clean, disturbed = table(city.readings(start, end)), table(city.readings(start, end, FixedScript((event,))))
    assert clean.keys() == disturbed.keys()
    return {key: (clean[key], disturbed[key]) for key in clean if clean[key] != disturbed[key]}


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: f"{e.kind}")
def test_changes_the_named_series_in_its_time_and_nothing_else(event: WorldEvent) -> None:
    label = event.truth(TOWN)
    different = changed(event, START - HOUR_MS, event.over + HOUR_MS)
    instant = {key for key in different if not key[0].endswith("energy_import")}
    assert instant
    assert {name for name, _ in different} <= set(label.series)
    assert all(label.start <= t < label.end for _, t in instant)
    site = label.series[0]
    assert any(name == site for name, _ in instant)
    assert (label.cause, label.start) == ("world", START)


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: f"{e.kind}")
def test_event_does_not_depend_on_how_the_range_is_cut(event: WorldEvent) -> None:
    script = FixedScript((event,))
    whole = table(City(TOWN, 7).readings(START - 5 * MINUTE_MS, END + HOUR_MS, script))
    city = City(TOWN, 7)
    parts: dict[tuple[str, int], float] = {}
    for begin in range(START - 5 * MINUTE_MS, END + HOUR_MS, 7 * MINUTE_MS):
        parts |= table(city.readings(begin, min(begin + 7 * MINUTE_MS, END + HOUR_MS), script))
    assert parts == whole


def test_crash_makes_a_queue_that_spreads_upstream_and_dissolves() -> None:
    event = Crash("loop-010", START, END, 0.9)
    city = City(TOWN, 7)
    clean = city.readings(START, event.over)
    crashed = city.readings(START, event.over, FixedScript((event,)))

    def mean(readings: Readings, loop: str, quantity: str, start: int, end: int) -> float:
        mine = (readings.i == readings.series.index(f"{loop}/{quantity}")) & (readings.t >= start) & (readings.t < end)
        return float(readings.x[mine].mean())

    late = (END - 10 * MINUTE_MS, END)
    for loop in ("loop-010", "loop-009"):
        assert mean(crashed, loop, "traffic.speed", *late) < 0.4 * mean(clean, loop, "traffic.speed", *late)
        assert mean(crashed, loop, "traffic.occupancy", *late) > 1.5 * mean(clean, loop, "traffic.occupancy", *late)
        assert mean(crashed, loop, "traffic.flow", *late) < 0.6 * mean(clean, loop, "traffic.flow", *late)

    def onset(loop: str) -> int:
        mine = clean.i == clean.series.index(f"{loop}/traffic.speed")
        low = crashed.x[mine] < 0.5 * clean.x[mine]
        return int(clean.t[mine][np.argmax(low)])

    assert onset("loop-010") < onset("loop-009") < onset("loop-008")
    after = (event.over - 2 * MINUTE_MS, event.over)
    assert mean(crashed, "loop-010", "traffic.speed", *after) == mean(clean, "loop-010", "traffic.speed", *after)


def test_pollution_raises_particles_of_one_neighbourhood_and_keeps_their_order() -> None:
    event = PollutionEpisode("southfields", START, END, 0.5)
    different = changed(event, START, event.over)
    rise = [now - before for (name, t), (before, now) in different.items() if "pm25" in name and END - 60_000 < t < END]
    assert min(rise) > 60
    readings = City(TOWN, 7).readings(START, event.over, FixedScript((event,)))
    values = table(readings)
    assert all(x <= values[(name.replace("pm25", "pm10"), t)] for (name, t), x in values.items() if "pm25" in name)


def test_counters_stand_still_behind_a_tripped_feeder_and_never_fall() -> None:
    area = "substation-lenwick"
    script = FixedScript((FeederFault(area, START, END), Overload(area, END, END + HOUR_MS)))
    readings = City(TOWN, 7).readings(START - HOUR_MS, END + 3 * HOUR_MS, script)
    for meter in (site for site in TOWN.meters if site.sensor.area == "substation-lenwick"):
        power = readings.i == readings.series.index(f"{meter.sensor.sensor}/energy.active_power")
        counter = readings.i == readings.series.index(f"{meter.sensor.sensor}/energy.energy_import")
        t, rise = readings.t[counter], np.diff(readings.x[counter])
        assert np.all(rise >= 0)
        assert np.all(rise[(t[:-1] >= START) & (t[1:] < END)] == 0)
        assert np.all(readings.x[power][(readings.t[power] >= START) & (readings.t[power] < END)] == 0)
        for window in ((t >= END) & (t < END + HOUR_MS), t >= END + HOUR_MS):
            energy = readings.x[counter][window][-1] - readings.x[counter][window][0]
            hours = (t[window][-1] - t[window][0]) / HOUR_MS
            assert energy == pytest.approx(readings.x[power][window].mean() * hours, rel=0.03)


def test_truth_of_a_script_lists_all_causes_in_the_stretch() -> None:
    script = FixedScript(tuple(EVENTS))
    assert {label.kind for label in truth(script, TOWN, START, END)} == {
        "crash", "pollution-episode", "feeder-fault", "overload",
    }  # fmt: skip
    assert list(truth(script, TOWN, START + DAY_MS, END + DAY_MS)) == []
