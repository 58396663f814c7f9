"""A scenario played: its readings in the order in which they arrive, and the tidy tables with their truth.

The order of arrival and every byte follow from scenario, seed and version alone: neither the speed at which it is sent
nor the number of processes that compute it, nor how it is cut, changes anything.
"""

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain.times import HOUR_MS, format_time
from simulator.plan import Town, plan_town
from simulator.scenario import Scenario
from simulator.scoreboard import domain_of
from simulator.script import FixedScript, truth
from simulator.signals import City
from simulator.transport import Arrivals, arrivals
from simulator.truth import Truth, write_truth

STRETCH_MS = HOUR_MS  # computed at once
MANIFEST = "scenario.json"
HEADER = "time,series,value\n"
_SENSOR_COLUMNS = (
    "sensor", "area", "lat", "lon", "interval_s", "place", "asset", "road_class", "free_flow_speed", "rated_kw",
)  # fmt: skip


@dataclass
class Play:
    """A scenario under a seed, checked and ready."""

    scenario: Scenario
    seed: int
    town: Town
    script: FixedScript
    city: City = field(repr=False)

    @classmethod
    def of(cls, scenario: Scenario, seed: int) -> "Play":
        """Raises: BadFile: the scenario asks for what cannot be in this town."""
        town = plan_town(seed, scenario.size)
        return cls(scenario, seed, town, scenario.script(town, seed), City(town, seed))

    @property
    def truths(self) -> list[Truth]:
        return list(truth(self.script, self.town, self.scenario.start_ms, self.scenario.end_ms))

    @property
    def starts(self) -> range:
        """Of the stretches that are computed at once, epoch ms."""
        return range(self.scenario.start_ms, self.scenario.end_ms, STRETCH_MS)

    def stretch(self, start: int) -> Arrivals:
        """What is measured in one stretch, by arrival.

        Without any transport fault in the scenario a reading arrives when it is measured, so that the table is in order
        of time; with one, everything has its usual journey and the faults act: late ones stand later, doubled ones
        twice, lost ones not at all.
        """
        end = min(start + STRETCH_MS, self.scenario.end_ms)
        readings = self.city.readings(start, end, self.script)
        if not self.script.feed:
            return Arrivals(readings.t, readings)
        return arrivals(self.town, readings, self.script.transport(start, end), self.seed)

    def stretches(self) -> Iterator[Arrivals]:
        """One after the other, in this process."""
        return (self.stretch(start) for start in self.starts)

    def steps(self, stretches: Iterable[Arrivals], step_ms: int) -> Iterator[tuple[int, Arrivals]]:
        """``(now, what has arrived since the step before)``, until everything has arrived.

        ``stretches`` are those of :attr:`starts` in order, wherever they were computed.
        """
        waiting: Arrivals | None = None
        now = self.scenario.start_ms
        for start, fresh in zip(self.starts, stretches, strict=True):
            waiting = fresh if waiting is None else waiting.merged(fresh)
            end = min(start + STRETCH_MS, self.scenario.end_ms)
            while now < end:
                now = min(now + step_ms, end)
                due, waiting = waiting.split(now)
                yield now, due
        while waiting is not None and (len(waiting.readings) or waiting.garbage):
            now += step_ms
            due, waiting = waiting.split(now)
            yield now, due


class Digest:
    """SHA-256 of the readings table that a play makes, whether it is written or sent."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256(HEADER.encode())
        self.readings = 0

    def take(self, due: Arrivals) -> bytes:
        """The rows of the table, which are added to the sum."""
        rows = "".join(lines(due)).encode()
        self._sum.update(rows)
        self.readings += len(due.readings)
        return rows

    def __str__(self) -> str:
        return self._sum.hexdigest()


def lines(due: Arrivals) -> Iterator[str]:
    """Rows of ``readings.csv``. What arrived unreadable stands as a row without a time, its bytes in hex."""
    readings = due.readings
    times = {t: format_time(t) for t in set(readings.t.tolist())}
    columns = zip(due.at.tolist(), readings.t.tolist(), readings.i.tolist(), readings.x.tolist(), strict=True)
    garbage = list(due.garbage)
    for at, t, i, x in columns:
        while garbage and garbage[0][0] <= at:
            yield f"unreadable,{garbage.pop(0)[1].hex()},\n"
        yield f"{times[t]},{readings.series[i]},{'' if x != x else format(x, '.12g')}\n"
    for _, raw in garbage:
        yield f"unreadable,{raw.hex()},\n"


def write_side_tables(play: Play, out: Path) -> None:
    """Everything but the readings: sensors, links, truth. Raises: OSError."""
    out.mkdir(parents=True, exist_ok=True)
    write_sensors(out / "sensors.csv", play.town)
    write_links(out / "links.csv", play.town)
    write_truth(out / "truth.csv", play.truths)


def write_manifest(play: Play, out: Path, version: str, digest: Digest) -> None:
    """What the tables are of, and what a score needs to know besides: the span, the sensors, the gates."""
    scenario = play.scenario
    sums = {name: _sum(out / name) for name in ("sensors.csv", "links.csv", "truth.csv")}
    told: dict[str, Any] = {
        "scenario": scenario.name, "title": scenario.title, "seed": play.seed, "version": version,
        "start": format_time(scenario.start_ms), "end": format_time(scenario.end_ms),
        "sensors": sensors_by_domain(play.town), "readings": digest.readings, "expect": dict(scenario.expect),
        "sha256": {"readings.csv": str(digest), **sums},
    }  # fmt: skip
    (out / MANIFEST).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def sensors_by_domain(town: Town) -> dict[str, int]:
    counts: dict[str, int] = {}
    for sensor in town.sensors:
        domain = domain_of([f"{sensor.sensor}/{quantity}" for quantity in town.quantities(sensor)])
        counts[domain] = counts.get(domain, 0) + 1
    return counts


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


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
