"""Named scenarios as data, and a run of one into tidy files with its truth."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from domain.errors import Misconfigured
from domain.times import DAY_MS, HOUR_MS, MINUTE_MS, format_time
from simulator.events import Crash, FeederFault, Overload, PollutionEpisode, WorldEvent
from simulator.faults import CounterReset, Drift, DropOut, Noisy, Offset, SensorFault, Silent, Spikes, Stuck, WrongUnit
from simulator.plan import Town, plan_town
from simulator.script import FixedScript, truth
from simulator.signals import City
from simulator.transport import Duplicate, Late, OutOfOrder, TransportFault
from simulator.truth import write_truth

_START_MS = 1_772_409_600_000  # Monday 2 March 2026, 00:00 UTC
_CHUNK_MS = HOUR_MS

Item = WorldEvent | SensorFault | TransportFault
#: what, on which target, when (minutes after the start of the scenario), for how many minutes, how strong
Step = tuple[Callable[[str, int, int, float], Item], str, float, float, float]


@dataclass(frozen=True, slots=True)
class Scenario:
    """``days`` includes the quiet days at the beginning, in which a detector learns what is usual."""

    name: str
    title: str
    days: float
    steps: tuple[Step, ...] = ()
    size: int = 120
    start_ms: int = _START_MS

    @property
    def end_ms(self) -> int:
        return self.start_ms + int(self.days * DAY_MS)

    def script(self) -> FixedScript:
        items = [
            make(target, self.start_ms + int(at * MINUTE_MS), self.start_ms + int((at + minutes) * MINUTE_MS), strength)
            for make, target, at, minutes, strength in self.steps
        ]
        return FixedScript(
            tuple(item for item in items if isinstance(item, WorldEvent)),
            tuple(item for item in items if isinstance(item, SensorFault)),
            tuple(item for item in items if isinstance(item, TransportFault)),
        )


def _late(target: str, start: int, end: int, strength: float) -> Item:
    return Late(target, start, end, int(strength * 10 * MINUTE_MS))


def _again(target: str, start: int, end: int, strength: float) -> Item:
    return Duplicate(target, start, end, int(strength * 10 * MINUTE_MS))


def _shuffled(target: str, start: int, end: int, strength: float) -> Item:
    return OutOfOrder(target, start, end, int(strength * 10 * MINUTE_MS))


def _minute(day: int, clock: str) -> float:
    """Minutes from the start to a clock time (UTC) of a day counted from 1."""
    hour, _, minute = clock.partition(":")
    return (day - 1) * 1_440.0 + int(hour) * 60 + int(minute)


_TABLE = (
    Scenario("quiet-day", "Three ordinary days: nothing should alert", 3),
    Scenario(
        "rush-hour-crash", "A crash on the ring road in the evening peak, and one in the next morning's", 4,
        (
            (Crash, "loop-010", _minute(3, "17:05"), 35, 0.9),
            (Crash, "loop-003", _minute(4, "08:10"), 20, 0.8),
        ),
    ),
    Scenario(
        "pollution-episode", "Smoke over Southfields in the evening, stagnant air over Millbrook the next day", 4,
        (
            (PollutionEpisode, "southfields", _minute(3, "18:30"), 150, 0.8),
            (PollutionEpisode, "millbrook", _minute(4, "11:00"), 90, 0.5),
        ),
    ),
    Scenario(
        "feeder-fault", "A feeder trips at night, another is overloaded at tea time", 4,
        (
            (FeederFault, "substation-lenwick", _minute(3, "02:40"), 25, 1.0),
            (Overload, "substation-market", _minute(3, "17:30"), 60, 0.8),
            (FeederFault, "substation-quarry-hill", _minute(4, "13:15"), 12, 0.6),
        ),
    ),
    Scenario(
        "failing-sensors", "Every kind of sensor fault, none of them an event in the town", 5,
        (
            (Stuck, "loop-006", _minute(3, "07:00"), 180, 1.0),
            (Silent, "loop-020", _minute(3, "09:00"), 90, 1.0),
            (DropOut, "loop-030", _minute(3, "12:00"), 120, 1.0),
            (Drift, "air-004/air.no2", _minute(3, "06:00"), 600, 0.8),
            (Noisy, "air-011/air.pm25", _minute(3, "14:00"), 120, 1.0),
            (CounterReset, "meter-009", _minute(3, "15:20"), 240, 1.0),
            (Spikes, "meter-016/energy.active_power", _minute(4, "08:00"), 180, 1.0),
            (WrongUnit, "loop-041/traffic.speed", _minute(4, "10:00"), 240, 1.0),
            (Offset, "air-014/air.o3", _minute(4, "11:00"), 300, 1.0),
            (Stuck, "meter-025/energy.active_power", _minute(4, "16:00"), 200, 1.0),
            (WrongUnit, "meter-033/energy.active_power", _minute(5, "07:30"), 120, 1.0),
            (Noisy, "loop-050/traffic.occupancy", _minute(5, "09:00"), 120, 1.0),
        ),
    ),
    Scenario(
        "busy-day", "A crash, smoke, a tripped feeder, failing sensors and a slow feed on one day", 4,
        (
            (Crash, "loop-014", _minute(3, "08:00"), 30, 0.85),
            (Silent, "loop-045", _minute(3, "10:00"), 60, 1.0),
            (PollutionEpisode, "eastgate", _minute(3, "12:30"), 80, 0.7),
            (_late, "ring-north", _minute(3, "14:00"), 40, 1.0),
            (FeederFault, "substation-harrow-lane", _minute(3, "16:10"), 20, 1.0),
            (Stuck, "air-002", _minute(3, "17:00"), 150, 1.0),
            (_again, "priory", _minute(3, "20:00"), 60, 0.5),
            (_shuffled, "roads-south", _minute(4, "07:30"), 45, 0.5),
        ),
    ),
)  # fmt: skip
SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in _TABLE}


def run_to_files(name: str, seed: int, out_dir: Path) -> Path:
    """Write ``readings.csv``, ``sensors.csv``, ``links.csv`` and ``truth.csv`` of a scenario; returns the folder.

    The same name, seed and version give the same bytes. Readings stand in order of time: files have no transport.

    Raises:
        Misconfigured: there is no such scenario, or a step names a place that the town does not have.
    """
    scenario = SCENARIOS.get(name)
    if scenario is None:
        raise Misconfigured(f"no scenario {name}; there are {', '.join(SCENARIOS)}")
    town = plan_town(seed, scenario.size)
    script = scenario.script()
    labels = list(truth(script, town, scenario.start_ms, scenario.end_ms))
    for label in labels:
        if not label.series:
            raise Misconfigured(f"scenario {name}: {town.name} has nothing at {label.place}, where {label.kind} is set")
    out_dir.mkdir(parents=True, exist_ok=True)
    write_sensors(out_dir / "sensors.csv", town)
    write_links(out_dir / "links.csv", town)
    write_truth(out_dir / "truth.csv", labels)
    _write_readings(out_dir / "readings.csv", City(town, seed), script, scenario)
    return out_dir


def _write_readings(path: Path, city: City, script: FixedScript, scenario: Scenario) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write("time,series,value\n")
        for start in range(scenario.start_ms, scenario.end_ms, _CHUNK_MS):
            readings = city.readings(start, min(start + _CHUNK_MS, scenario.end_ms), script)
            times = {t: format_time(t) for t in set(readings.t.tolist())}
            columns = zip(readings.t.tolist(), readings.i.tolist(), readings.x.tolist(), strict=True)
            file.writelines(f"{times[t]},{readings.series[i]},{x:.12g}\n" for t, i, x in columns)


_SENSOR_COLUMNS = (
    "sensor", "area", "lat", "lon", "interval_s", "place", "asset", "road_class", "free_flow_speed", "rated_kw",
)  # fmt: skip


def write_sensors(path: Path, town: Town) -> None:
    """The sensors table; empty where a column does not apply."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(_SENSOR_COLUMNS)
        for sensor in town.sensors:
            rows.writerow(["" if (cell := getattr(sensor, column)) is None else cell for column in _SENSOR_COLUMNS])


def write_links(path: Path, town: Town) -> None:
    """The road graph."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("from", "to", "metres"))
        rows.writerows((link.source, link.target, link.metres) for link in town.links)
