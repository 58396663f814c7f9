"""The recordings that the simulated city is held against, on regular grids with NaN where nothing was recorded."""

import csv
import gzip
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from domain.readings import Floats

_BEIJING = ("Guanyuan", "Aotizhongxin", "Wanliu", "Shunyi")


@dataclass(frozen=True)
class Recorded:
    """Pairs are (the year compared, another year), hourly from a Monday 00:00 on as stamped.

    Attributes:
        lane: vehicles in 5 minutes. speeds: (speed, occupancy) at common times. with_gaps: whole recordings.
    """

    flow: tuple[Floats, Floats]
    load: tuple[Floats, Floats]
    kerb: dict[str, tuple[Floats, Floats]]
    beijing_years: dict[str, tuple[Floats, Floats]]
    stations: dict[str, list[Floats]]
    lane: dict[str, Floats]
    speeds: dict[str, tuple[Floats, Floats]]
    with_gaps: dict[str, Floats]


def read_recorded(folder: Path, weeks: int) -> Recorded:
    n = weeks * 168
    metro = _table(folder / "metro-interstate/Metro_Interstate_Traffic_Volume.csv.gz", "date_time", "%d-%m-%Y %H:%M")
    pjm = _table(folder / "pjm-east/PJME_hourly.csv.gz", "Datetime", "%d-%m-%Y %H:%M")
    road = _table(folder / "aurn-marylebone/marylebone_1998_2005_hourly.csv.gz", "date", "%Y-%m-%d %H:%M:%S")
    beijing = {name: _beijing(next(folder.glob(f"beijing-air/*{name}*.csv.gz"))) for name in _BEIJING}
    years = {"no2": "NO2", "pm25": "PM2.5", "pm10": "PM10", "o3": "O3"}
    first = beijing[_BEIJING[0]]
    september = datetime(2016, 9, 5)  # noqa: DTZ001 as stamped
    kerb = {q: tuple(_hours(road, q, _monday(year), n) for year in (2003, 2001)) for q in ("no2", "o3", "pm10")}
    return Recorded(
        flow=(_hours(metro, "traffic_volume", _monday(2017), n), _hours(metro, "traffic_volume", _monday(2016), n)),
        load=(_hours(pjm, "PJME_MW", _monday(2017), n), _hours(pjm, "PJME_MW", _monday(2010), n)),
        kerb=kerb,
        beijing_years={
            q: (_hours(first, years[q], september, n), _hours(first, years[q], _monday(2015), n)) for q in years
        },
        stations={q: [_hours(t, column, september, n) for t in beijing.values()] for q, column in years.items()},
        lane={part: _lane(folder / f"pems-i405/{part}.csv.gz") for part in ("train", "test")},
        speeds={name: _speed(folder / "nab/data/realTraffic", name) for name in ("6005", "t4013")},
        with_gaps={
            "I-94 flow": _whole(metro, "traffic_volume"),
            "Marylebone Road NO2": _whole(road, "no2"),
            "Marylebone Road PM10": _whole(road, "pm10"),
            "Beijing PM2.5": _whole(first, "PM2.5"),
            "PJM East load": _whole(pjm, "PJME_MW"),
        },
    )


Table = dict[datetime, dict[str, str]]


def _table(path: Path, when: str, pattern: str) -> Table:
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        return {datetime.strptime(row[when], pattern): row for row in csv.DictReader(file)}  # noqa: DTZ007 as stamped


def _beijing(path: Path) -> Table:
    with gzip.open(path, "rt", newline="") as file:
        parts = ("year", "month", "day", "hour")
        return {datetime(*(int(row[part]) for part in parts)): row for row in csv.DictReader(file)}  # noqa: DTZ001


def _monday(year: int) -> datetime:
    """The first Monday of September on or after the 4th."""
    day = datetime(year, 9, 4)  # noqa: DTZ001 as stamped
    return day + timedelta(days=-day.weekday() % 7)


def _hours(table: Table, column: str, start: datetime, n: int) -> Floats:
    rows = (table.get(start + timedelta(hours=k)) for k in range(n))
    return np.array([_number(row, column) for row in rows])


def _number(row: dict[str, str] | None, column: str) -> float:
    return np.nan if row is None or row[column] in ("", "NA") else float(row[column])


def _whole(table: Table, column: str) -> Floats:
    start, end = min(table), max(table)
    return _hours(table, column, start, int((end - start).total_seconds() // 3_600) + 1)


def _lane(path: Path) -> Floats:
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        return np.array([float(row["Lane 1 Flow (Veh/5 Minutes)"]) for row in csv.DictReader(file)])


def _speed(folder: Path, name: str) -> tuple[Floats, Floats]:
    """Where both were recorded at the same time."""
    columns = []
    for what in ("speed", "occupancy"):
        with gzip.open(folder / f"{what}_{name}.csv.gz", "rt", newline="") as file:
            columns.append({row["timestamp"]: float(row["value"]) for row in csv.DictReader(file)})
    times = sorted(columns[0].keys() & columns[1].keys())
    return np.array([columns[0][t] for t in times]), np.array([columns[1][t] for t in times])
