"""World events change what they name, when they say, and nothing else."""

from functools import cache

import numpy as np
import pytest

from domain.readings import Readings
from domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from simulator.events import (
    EVENTS,
    BonfireNight,
    BurstMain,
    ConstructionDust,
    Crash,
    Crowd,
    FeederFault,
    Fog,
    Ice,
    Inversion,
    LightingStuck,
    Overload,
    PollutionEpisode,
    Roadworks,
    SaharanDust,
    SolarTrip,
    StoppedVehicle,
    TrafficEvent,
    VoltageSag,
    WorldEvent,
)
from simulator.plan import plan_town
from simulator.scoreboard import Outcome
from simulator.script import FixedScript, truth
from simulator.signals import City

TOWN = plan_town(7)
MONDAY = 1_772_409_600_000
START = MONDAY + 17 * HOUR_MS
END = START + 30 * MINUTE_MS
NOON = MONDAY + 12 * HOUR_MS

EVENTS_PLAYED = [
    Crash("loop-010", START, END, 0.9),
    Crash("loop-030", START + 17_000, END, 0.8),
    StoppedVehicle("loop-003", START, END, 1.0),
    Roadworks("loop-040", START - HOUR_MS, END, 0.8),
    BurstMain("loop-045", START, END, 1.0),
    Crowd("roads-south", START, END, 0.6),
    Fog("town", START, END, 0.8),
    Ice("ring-north", START, END, 0.8),
    PollutionEpisode("southfields", START, END, 0.5),
    ConstructionDust("millbrook", START, END, 0.6),
    BonfireNight("town", START, END, 0.8),
    SaharanDust("town", START, START + 6 * HOUR_MS, 1.0),
    Inversion("town", NOON, NOON + HOUR_MS, 1.0),
    FeederFault("substation-lenwick", START, END, 1.0),
    Overload("substation-market", START, END, 0.8),
    VoltageSag("substation-market", START, END, 0.2),
    LightingStuck("substation-lenwick", NOON, NOON + HOUR_MS, 1.0),
    SolarTrip("substation-castle-meadow", NOON, NOON + HOUR_MS, 1.0),
]


def test_every_kind_is_played() -> None:
    assert {event.kind for event in EVENTS_PLAYED} == set(EVENTS)


def table(readings: Readings) -> dict[tuple[str, int], float]:
    return {(readings.series[i], int(t)): float(x) for i, t, x in zip(readings.i, readings.t, readings.x, strict=True)}


@cache
def city() -> City:
    """Shared: what it says does not depend on what it was asked before (test_signals)."""
    return City(TOWN, 7)


@cache
def clean(start: int, end: int) -> dict[tuple[str, int], float]:
    return table(city().readings(start, end))


Changes = dict[tuple[str, int], tuple[float, float]]


def changed(event: WorldEvent, start: int, end: int) -> Changes:
    """What is told without and with the event, where that differs; NaN for a speed that there was nobody to measure."""
    was, now = clean(start, end), table(city().readings(start, end, FixedScript((event,))))
    assert all(name.endswith("traffic.speed") for name, _ in was.keys() ^ now.keys())
    both = {key: (was.get(key, np.nan), now.get(key, np.nan)) for key in was.keys() | now.keys()}
    return {key: (before, after) for key, (before, after) in both.items() if before != after}


@pytest.mark.parametrize("event", EVENTS_PLAYED, ids=lambda e: f"{e.kind}")
def test_changes_the_named_series_in_its_time_and_nothing_else(event: WorldEvent) -> None:
    label = event.truth(TOWN)
    different = changed(event, event.start - HOUR_MS, -(-event.over // HOUR_MS) * HOUR_MS + 5 * MINUTE_MS)
    instant = {key for key in different if not key[0].endswith("energy_import")}
    assert {name for name, _ in different} <= set(label.series)
    assert all(label.start <= t < label.end for _, t in instant)
    # Each series that is named really changes; a counter may take longer to show it, and the fumes of a queue cannot
    # use up ozone that an evening's have used up already.
    spared = ("energy_import", "air.o3") if isinstance(event, TrafficEvent) else ("energy_import",)
    named = {name for name in label.series if not name.endswith(spared)}
    assert {name for name, _ in instant if not name.endswith(spared)} == named
    assert (label.cause, label.start) == ("world", event.start)
    assert event.end <= label.end <= event.over + HOUR_MS


@pytest.mark.parametrize("event", [EVENTS_PLAYED[k] for k in (1, 5, 11, 16)], ids=lambda e: f"{e.kind}")
def test_event_does_not_depend_on_how_the_range_is_cut(event: WorldEvent) -> None:
    script = FixedScript((event,))
    begin, end = event.start - 5 * MINUTE_MS, min(event.over, event.start + 2 * HOUR_MS)
    whole = table(city().readings(begin, end, script))
    fresh = City(TOWN, 7)
    parts: dict[tuple[str, int], float] = {}
    for cut in reversed(range(begin, end, 7 * MINUTE_MS)):
        parts |= table(fresh.readings(cut, min(cut + 7 * MINUTE_MS, end), script))
    assert parts == whole


def test_events_that_overlap_do_not_depend_on_the_cut_either() -> None:
    crashes = tuple(
        Crash(f"loop-{n:03d}", START + n * MINUTE_MS, START + (n + 20) * MINUTE_MS, 0.9) for n in (5, 9, 30)
    )
    loads = (
        Overload("substation-market", START, END, 0.8),
        FeederFault("substation-market", START + MINUTE_MS, END, 0.5),
    )
    script = FixedScript((*crashes, *loads))
    whole = table(city().readings(START, START + 2 * HOUR_MS, script))
    fresh, parts = City(TOWN, 7), {}
    for cut in range(START, START + 2 * HOUR_MS, 13 * MINUTE_MS):
        parts |= table(fresh.readings(cut, min(cut + 13 * MINUTE_MS, START + 2 * HOUR_MS), script))
    assert parts == whole


def test_crash_makes_a_queue_that_spreads_upstream_and_dissolves() -> None:
    event = Crash("loop-010", START, END, 0.9)
    clean = city().readings(START, event.over)
    crashed = city().readings(START, event.over, FixedScript((event,)))

    def mean(readings: Readings, loop: str, quantity: str, start: int, end: int) -> float:
        mine = (readings.i == readings.series.index(f"{loop}/{quantity}")) & (readings.t >= start) & (readings.t < end)
        return float(readings.x[mine].mean())

    late = (END - 10 * MINUTE_MS, END)
    for loop in ("loop-010", "loop-009"):
        assert mean(crashed, loop, "traffic.speed", *late) < 0.4 * mean(clean, loop, "traffic.speed", *late)
        assert mean(crashed, loop, "traffic.occupancy", *late) > 1.5 * mean(clean, loop, "traffic.occupancy", *late)
        assert mean(crashed, loop, "traffic.flow", *late) < 0.6 * mean(clean, loop, "traffic.flow", *late)

    def onset(loop: str) -> int:
        was, now = table(clean), table(crashed)
        low = [t for (name, t), x in was.items() if name == f"{loop}/traffic.speed" and now.get((name, t), x) < 0.5 * x]
        return min(low)

    assert onset("loop-010") < onset("loop-009") < onset("loop-008")
    over = event.truth(TOWN).end
    assert END < over < event.over
    after = (over, over + 10 * MINUTE_MS)
    for quantity in ("flow", "speed"):
        names = [f"loop-{n:03d}" for n in (8, 9, 10)]
        was, now = ([mean(r, loop, f"traffic.{quantity}", *after) for loop in names] for r in (clean, crashed))
        assert now == was


def test_where_nobody_gets_past_one_stands_on_the_loop_and_where_nobody_comes_there_is_no_speed() -> None:
    event = Crash("loop-010", START, END, 1.0)
    values = table(city().readings(START, END, FixedScript((event,))))

    def told(loop: str, quantity: str) -> list[float]:
        late = END - 10 * MINUTE_MS
        return [x for (name, t), x in values.items() if name == f"{loop}/traffic.{quantity}" and t > late]

    assert {*told("loop-010", "flow"), *told("loop-010", "speed")} == {0.0}
    assert {*told("loop-010", "occupancy")} == {1.0}
    empty = table(city().readings(MONDAY + 2 * HOUR_MS, MONDAY + 4 * HOUR_MS))
    flows = {(name.partition("/")[0], t): x for (name, t), x in empty.items() if name.endswith("flow")}
    speeds = {(name.partition("/")[0], t) for name, t in empty if name.endswith("speed")}
    assert 0 < sum(x == 0 for x in flows.values()) < 0.2 * len(flows)
    assert speeds == {key for key, x in flows.items() if x > 0}


def test_only_what_the_queue_reaches_is_named() -> None:
    """By night hardly anybody comes: the label has the site alone; in the evening peak it has what lies upstream."""
    night = Crash("loop-010", MONDAY + 2 * HOUR_MS, MONDAY + 2 * HOUR_MS + 20 * MINUTE_MS, 0.8).truth(TOWN)
    assert {name.split("/")[0] for name in night.series} == {"loop-010"}
    short, long = (
        {name.split("/")[0] for name in Crash("loop-010", START, START + m * MINUTE_MS, 0.8).truth(TOWN).series}
        for m in (4, 25)
    )
    assert {"loop-010", "loop-009"} <= short
    assert {"loop-010", "loop-009", "loop-008", "loop-007"} <= long
    assert short < long


def test_a_queue_raises_what_is_in_the_air_beside_it_and_its_label_says_so() -> None:
    """A crash on the ring by day: NO2 rises beside the queue; behind the crash, where few still drive, it falls."""
    event = Crash("loop-010", NOON, NOON + 2 * HOUR_MS, 0.7)
    label = event.truth(TOWN)
    beside = {name for name in label.series if name.startswith("air-")}
    loops = {name.partition("/")[0] for name in label.series if name.startswith("loop-")}
    near = {site.sensor.sensor: {TOWN.loops[row].sensor.sensor for row in site.near} for site in TOWN.stations}
    assert all(near[name.partition("/")[0]] & loops for name in beside)
    assert Outcome(label, ()).domain == "traffic"
    hour = (NOON + HOUR_MS, NOON + 2 * HOUR_MS)
    was, now = clean(*hour), table(city().readings(*hour, FixedScript((event,))))
    change = {}
    for name in (name for name in beside if name.endswith("air.no2")):
        before, after = (np.mean([x for (series, _), x in values.items() if series == name]) for values in (was, now))
        change[name] = after / before - 1
    assert max(change.values()) > 0.1, change


def test_pollution_raises_particles_of_one_neighbourhood_and_keeps_their_order() -> None:
    event = PollutionEpisode("southfields", START, END, 0.5)
    different = changed(event, START, event.over)
    rise = [now - before for (name, t), (before, now) in different.items() if "pm25" in name and END - 60_000 < t < END]
    assert min(rise) > 60
    readings = city().readings(START, event.over, FixedScript((event,)))
    values = table(readings)
    assert all(x <= values[(name.replace("pm25", "pm10"), t)] for (name, t), x in values.items() if "pm25" in name)


def test_counters_stand_still_behind_a_tripped_feeder_and_never_fall() -> None:
    area = "substation-lenwick"
    script = FixedScript((FeederFault(area, START, END), Overload(area, END, END + HOUR_MS)))
    readings = city().readings(START - HOUR_MS, END + 3 * HOUR_MS, script)
    # Overloaded mains would rise with their members even if the members' own change were lost: all are checked.
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


@pytest.mark.parametrize("event", [EVENTS_PLAYED[k] for k in (14, 15, 16, 17)], ids=lambda e: f"{e.kind}")
def test_main_feeder_sees_what_is_behind_it(event: WorldEvent) -> None:
    """Power and energy of the main feeder change by the sum of its meters' changes and the losses."""
    start, end = event.start - 30 * MINUTE_MS, event.end + 30 * MINUTE_MS
    was, now = city().readings(start, end), city().readings(start, end, FixedScript((event,)))

    def energy(readings: Readings, name: str) -> float:
        mine = readings.x[readings.i == readings.series.index(f"{name}/energy.energy_import")]
        return float(mine[-1] - mine[0])

    area = [k for k, site in enumerate(TOWN.meters) if site.sensor.area == event.target]
    main = next(k for k in area if TOWN.meters[k].main is None)
    names = {k: TOWN.meters[k].sensor.sensor for k in area}
    rise = {k: energy(now, names[k]) - energy(was, names[k]) for k in area}
    behind = sum(rise[k] for k in area if TOWN.meters[k].main == main)
    if event.kind in ("lighting-stuck-on", "pv-trip"):
        assert rise[main] == pytest.approx(1.03 * behind, rel=0.02, abs=0.05)
        assert behind > 0
    else:
        assert abs(rise[main]) > abs(1.03 * behind)


def test_truth_of_a_script_lists_all_causes_in_the_stretch() -> None:
    script = FixedScript(tuple(EVENTS_PLAYED))
    assert {label.kind for label in truth(script, TOWN, NOON, END)} == set(EVENTS)
    assert list(truth(script, TOWN, START + DAY_MS, END + DAY_MS)) == []
