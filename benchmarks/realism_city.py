"""The simulated side of ``realism.py``: twelve weeks of a town, pairs with recordings, columns for detectors."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import detectors as bench
from benchmarks.realism_measures import profile
from benchmarks.recorded import Recorded
from domain.readings import Floats, Ints
from domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from simulator.plan import Town, plan_town
from simulator.signals import City

START = int(datetime(2026, 9, 7, tzinfo=UTC).timestamp() * 1_000)  # a Monday; the recordings start in that week too
STEP_MS = 5 * MINUTE_MS
SIZE = 60
COLUMN = 2_000  # values of each series that the detectors see


@dataclass(frozen=True)
class Simulated:
    """Means of 5 minutes ``[series, n]`` from :data:`START` on."""

    names: list[str]
    x: Floats
    town: Town

    def hourly(self, name: str) -> Floats:
        return np.asarray(np.nanmean(self.fine(name).reshape(-1, 12), axis=1))

    def fine(self, name: str) -> Floats:
        return np.asarray(self.x[self.names.index(name)])


def simulate(seed: int, weeks: int) -> Simulated:
    town = plan_town(seed, SIZE)
    city = City(town, seed)
    bins = weeks * 7 * DAY_MS // STEP_MS
    total, count = np.zeros((len(town.series), bins)), np.zeros((len(town.series), bins))
    row_of = {name: row for row, name in enumerate(town.series)}
    for begin in range(START, START + weeks * 7 * DAY_MS, 6 * HOUR_MS):
        part = city.readings(begin, begin + 6 * HOUR_MS)
        rows = np.array([row_of[name] for name in part.series])[part.i]
        at = (rows, (part.t - START) // STEP_MS)
        np.add.at(total, at, part.x)
        np.add.at(count, at, 1)
    # Where nobody passed in five minutes there is no speed.
    return Simulated(town.series, np.where(count > 0, total / np.maximum(count, 1), np.nan), town)


def clock_hours(n: int, local: str) -> tuple[Ints, NDArray[np.bool_]]:
    """Hour of the day and whether it is a working day, for n hours from :data:`START`."""
    zone = ZoneInfo(local)
    times = [datetime.fromtimestamp((START + k * HOUR_MS) / 1_000, zone) for k in range(n)]
    return np.array([t.hour for t in times]), np.array([t.weekday() < 5 for t in times])


@dataclass(frozen=True)
class Pair:
    """A simulated series beside a recording, and the recording's other year."""

    what: str
    against: str
    mine: Floats
    theirs: Floats
    other: Floats
    zone: str  # local time of both, by whose hours the profile goes; recordings are stamped in it


def pairs(sim: Simulated, recorded: Recorded) -> list[Pair]:
    town = sim.town
    ring = next(site.sensor.sensor for site in town.loops if site.road.road_class == "primary")
    kerb = max(town.stations, key=lambda site: site.roadside).sensor.sensor
    main = next(site.sensor.sensor for site in town.meters if site.main is None)
    rows = [Pair("traffic.flow", "I-94", sim.hourly(f"{ring}/traffic.flow"), *recorded.flow, "Europe/London")]
    for quantity in ("no2", "o3", "pm10"):
        series = sim.hourly(f"{kerb}/air.{quantity}")
        rows.append(Pair(f"air.{quantity}", "Marylebone Road", series, *recorded.kerb[quantity], "UTC"))
    for quantity in ("no2", "pm25", "o3"):
        series = sim.hourly(f"{town.stations[0].sensor.sensor}/air.{quantity}")
        rows.append(Pair(f"air.{quantity}", "Beijing", series, *recorded.beijing_years[quantity], "UTC"))
    power = sim.hourly(f"{main}/energy.active_power")
    rows.append(Pair("energy.active_power", "PJM East", power, *recorded.load, "Europe/London"))
    return rows


def profiles(pair: Pair) -> dict[str, tuple[Floats, Floats, Floats]]:
    hour, work = clock_hours(len(pair.mine), pair.zone)
    n = len(pair.theirs)
    stamped, stamped_work = np.arange(n) % 24, np.arange(n) // 24 % 7 < 5
    return {
        kind: (
            profile(pair.mine, hour, work == want),
            profile(pair.theirs, stamped, stamped_work == want),
            profile(pair.other, stamped, stamped_work == want),
        )
        for kind, want in (("working days", True), ("weekends", False))
    }


def twin_columns(sim: Simulated) -> list[bench.Series]:
    """Simulated series of the kinds and intervals that ``bench.load`` gives of recordings."""
    town = sim.town
    kerb = max(town.stations, key=lambda site: site.roadside).sensor.sensor
    other = town.stations[1].sensor.sensor
    loops = [site.sensor.sensor for site in town.loops]
    main = next(site.sensor.sensor for site in town.meters if site.main is None)
    hourly = [(f"{kerb}/air.{q}", 12) for q in ("no2", "pm10", "o3")] + [
        (f"{other}/air.{q}", 12) for q in ("pm25", "no2")
    ]
    hourly += [(f"{loops[0]}/traffic.flow", 12), (f"{main}/energy.active_power", 12), (f"{loops[4]}/traffic.flow", 6)]
    fine = [(f"{name}/traffic.flow", 1) for name in loops[1:3]] + [
        (f"{name}/traffic.speed", 1) for name in loops[3:15:4]
    ]
    columns = []
    for name, per in (*hourly, *fine):
        x = sim.fine(name).reshape(-1, per).mean(axis=1)[:COLUMN]
        there = np.flatnonzero(np.isfinite(x))
        t = START + there.astype(np.int64) * per * STEP_MS
        columns.append(bench.Series(name.split("/")[1], t, x[there]))
    return columns
