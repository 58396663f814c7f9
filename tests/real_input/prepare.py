"""Real recordings as tidy tables, and what their hourly means must be; plain csv code that knows nothing of Borough.

``python tests/real_input/prepare.py OUT`` writes ``<name>/readings.csv.gz`` and ``<name>/sensors.csv`` for each.

- marylebone: London Marylebone Road, hourly 1998 to 2005 (UK-AIR, Defra; Open Government Licence v3), UTC
- i94: Interstate 94 at Minneapolis, hourly 2012 to 2018 (UCI, CC BY 4.0); several rows an hour, the first one counts
- pjm: PJM East, hourly 2002 to 2018 (CC0), not in the order of time; of repeated hours the first one counts

The files say local time for the last two without a zone; it is taken as UTC.
"""

import csv
import gzip
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DATA_SETS = "BOROUGH_DATA_SETS"
AIR = {
    "no2": "air.no2",
    "o3": "air.o3",
    "pm10": "air.pm10",
    "pm25": "air.pm25",
    "so2": "air.so2",
    "nox": "air.nox",
    "co": "air.co",
}


class Row(NamedTuple):
    """One reading; ``time`` is UTC."""

    time: datetime
    series: str
    value: float


def folder() -> Path:
    """Where the data sets are: ``BOROUGH_DATA_SETS``, else ``../shared/data`` beside the checkout."""
    return Path(os.environ.get(DATA_SETS, ROOT.parent / "shared" / "data"))


def absent() -> str:
    """One line that says that the data sets are not there; empty when they are."""
    missing = [name for name, (path, _, _) in RECORDINGS.items() if not (folder() / path).is_file()]
    return f"no recordings of {', '.join(missing)} in {folder()}: set {DATA_SETS}" if missing else ""


def _table(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _marylebone(path: Path) -> Iterator[Row]:
    for row in _table(path):
        time = datetime.fromisoformat(row["date"]).replace(tzinfo=UTC)
        for column, quantity in AIR.items():
            if row[column]:
                yield Row(time, f"marylebone/{quantity}", float(row[column]))


def _i94(path: Path) -> Iterator[Row]:
    for row in _table(path):
        yield Row(_day_first(row["date_time"]), "i94/traffic.flow", float(row["traffic_volume"]))


def _pjm(path: Path) -> Iterator[Row]:
    for row in _table(path):
        yield Row(_day_first(row["Datetime"]), "pjm-east/energy.active_power", float(row["PJME_MW"]) * 1_000)


def _day_first(text: str) -> datetime:
    return datetime.strptime(text, "%d-%m-%Y %H:%M").replace(tzinfo=UTC)


#: Name → file in the data sets, how it is read, and its row of the sensors table (areas and places of the real world).
RECORDINGS: dict[str, tuple[str, Callable[[Path], Iterator[Row]], str]] = {
    "marylebone": (
        "aurn-marylebone/marylebone_1998_2005_hourly.csv.gz", _marylebone,
        "marylebone,marylebone-road,51.52253,-0.15461,3600,London Marylebone Road",
    ),
    "i94": (
        "metro-interstate/Metro_Interstate_Traffic_Volume.csv.gz", _i94,
        "i94,i94-westbound,44.963,-93.190,3600,Interstate 94 between Minneapolis and St Paul",
    ),
    "pjm": (
        "pjm-east/PJME_hourly.csv.gz", _pjm,
        "pjm-east,pjm-east,39.95,-75.16,3600,PJM East",
    ),
}  # fmt: skip


@cache
def rows(name: str) -> tuple[Row, ...]:
    """Readings of a recording by time and series; of several at one time the first in the file."""
    path, read, _ = RECORDINGS[name]
    first: dict[tuple[datetime, str], Row] = {}
    for row in read(folder() / path):
        first.setdefault((row.time, row.series), row)
    return tuple(sorted(first.values()))


def hourly_means(name: str) -> dict[tuple[str, datetime], tuple[int, float]]:
    """(series, start of the hour) → (how many readings, their mean), computed from the file alone."""
    sums: dict[tuple[str, datetime], tuple[int, float]] = {}
    for row in rows(name):
        key = (row.series, row.time.replace(minute=0, second=0, microsecond=0))
        count, total = sums.get(key, (0, 0.0))
        sums[key] = (count + 1, total + row.value)
    return {key: (count, total / count) for key, (count, total) in sums.items()}


def write(name: str, out: Path, start: datetime | None = None, end: datetime | None = None) -> Path:
    """Write ``readings.csv.gz`` and ``sensors.csv`` of a recording or a part of it; returns the path of the first."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "sensors.csv").write_text(f"sensor,area,lat,lon,interval_s,place\n{RECORDINGS[name][2]}\n", encoding="utf-8")
    path = out / "readings.csv.gz"
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("time", "series", "value"))
        for row in rows(name):
            if (start is None or row.time >= start) and (end is None or row.time < end):
                writer.writerow((f"{row.time:%Y-%m-%dT%H:%M:%SZ}", row.series, repr(row.value)))
    return path


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python tests/real_input/prepare.py OUT", file=sys.stderr)
        return 2
    if missing := absent():
        print(missing, file=sys.stderr)
        return 2
    for name in RECORDINGS:
        print(write(name, Path(sys.argv[1]) / name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
