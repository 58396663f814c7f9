"""City series of the open data sets, cut in two halves: one that rules may be designed on, one that is only scored.

Air: stations; traffic: I-94 by years, PeMS by file, the NAB traffic recordings by file; energy: PJM East by years.
"""

import csv
import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from domain.readings import Floats, Ints

HALVES = ("design", "held-out")
DOMAINS = ("traffic", "air", "energy")
_HELD_STATIONS = ("Dingling", "Huairou", "Shunyi")
_BEIJING = {"PM2.5": ("air.pm25", 1.0), "PM10": ("air.pm10", 1.0), "SO2": ("air.so2", 1.0), "NO2": ("air.no2", 1.0),
            "CO": ("air.co", 1e-3), "O3": ("air.o3", 1.0)}  # fmt: skip
_MARYLEBONE = {
    "no2": "design",
    "pm10": "design",
    "co": "design",
    "o3": "held-out",
    "pm25": "held-out",
    "nox": "held-out",
}
_NAB = {"speed_t4013": "design", "occupancy_t4013": "design", "speed_6005": "held-out", "occupancy_6005": "held-out"}


@dataclass(frozen=True, slots=True)
class City:
    """One series: ``t`` epoch ms, ``x`` in the unit of ``quantity``."""

    name: str
    quantity: str
    domain: str
    half: str
    t: Ints
    x: Floats

    @property
    def interval_s(self) -> float:
        return float(np.median(np.diff(self.t))) / 1_000

    def part(self, begin: int, end: int, name: str) -> "City":
        """Readings ``begin <= k < end`` under another name."""
        return City(name, self.quantity, self.domain, self.half, self.t[begin:end], self.x[begin:end])


def load(data: Path, domain: str, half: str) -> list[City]:
    """The series of one domain and half. Raises: OSError: a file that is not there."""
    made = {"traffic": _traffic, "air": _air, "energy": _energy}[domain]
    return [city for city in made(data) if city.half == half]


def _traffic(data: Path) -> Iterator[City]:
    path = data / "metro-interstate/Metro_Interstate_Traffic_Volume.csv.gz"
    whole = _city("i94", "traffic.flow", "traffic", "", path, "date_time", "traffic_volume", "%d-%m-%Y %H:%M")
    yield from _by_years(whole)
    for part, half in (("train", "design"), ("test", "held-out")):
        path = data / f"pems-i405/{part}.csv.gz"
        column = "Lane 1 Flow (Veh/5 Minutes)"
        city = _city(f"pems-{part}", "traffic.flow", "traffic", half, path, "5 Minutes", column, "%d/%m/%Y %H:%M")
        yield City(city.name, city.quantity, city.domain, half, city.t, 12 * city.x)  # per 5 minutes to per hour
    for name, half in _NAB.items():
        quantity = "traffic.speed" if name.startswith("speed") else "generic.occupancy"
        path = data / f"nab/data/realTraffic/{name}.csv.gz"
        yield _city(name, quantity, "traffic", half, path, "timestamp", "value", "%Y-%m-%d %H:%M:%S")


def _air(data: Path) -> Iterator[City]:
    for path in sorted((data / "beijing-air").glob("*.csv.gz")):
        station = path.name.split("_")[2]
        half = "held-out" if station in _HELD_STATIONS else "design"
        rows = list(_rows(path))
        for column, (quantity, factor) in _BEIJING.items():
            known = {_beijing_time(row): factor * float(row[column]) for row in rows if row[column] not in ("", "NA")}
            yield _of(f"{station.lower()}-{quantity[4:]}", quantity, "air", half, known)
    path = data / "aurn-marylebone/marylebone_1998_2005_hourly.csv.gz"
    for column, half in _MARYLEBONE.items():
        name = f"marylebone-{column}"
        yield _city(name, f"air.{column}", "air", half, path, "date", column, "%Y-%m-%d %H:%M:%S")


def _energy(data: Path) -> Iterator[City]:
    path = data / "pjm-east/PJME_hourly.csv.gz"
    whole = _city("pjme", "energy.active_power", "energy", "", path, "Datetime", "PJME_MW", "%d-%m-%Y %H:%M")
    yield from _by_years(whole)


def _by_years(city: City) -> Iterator[City]:
    """A series of many years: the first half of its readings for design, the rest held out."""
    middle = len(city.t) // 2
    for half, part in zip(HALVES, (slice(None, middle), slice(middle, None)), strict=True):
        yield City(f"{city.name}-{half}", city.quantity, city.domain, half, city.t[part], city.x[part])


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def _beijing_time(row: dict[str, str]) -> int:
    return _ms(datetime(*(int(row[part]) for part in ("year", "month", "day", "hour")), tzinfo=UTC))


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1_000)


def _city(name: str, quantity: str, domain: str, half: str, path: Path, when: str, column: str, pattern: str) -> City:
    read: Callable[[str], int] = lambda text: _ms(datetime.strptime(text, pattern).replace(tzinfo=UTC))  # noqa: E731
    known: dict[int, float] = {}
    for row in _rows(path):
        if row[column] not in ("", "NA"):
            known.setdefault(read(row[when]), float(row[column]))
    return _of(name, quantity, domain, half, known)


def _of(name: str, quantity: str, domain: str, half: str, known: dict[int, float]) -> City:
    t = np.array(sorted(known), dtype=np.int64)
    return City(name, quantity, domain, half, t, np.array([known[k] for k in t.tolist()]))
