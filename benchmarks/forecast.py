"""Forecasts on real recordings, through exactly the class that the pipeline runs.

    python benchmarks/forecast.py [data folder] [name …]      names: pems pjm i94 marylebone beijing; default all

Readings are handed over in the order of time, an hour of event time at a step. MAE of what was shown, against
persistence and the seasonal naive (same time a week before) on the same targets; skill = 1 − MAE / best naive MAE of
day and week; "covers" is the share of truths inside the 90 % interval. Nothing is random: no seed.
"""

import csv
import gzip
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from domain.flags import Flag
from domain.quantities import quantity
from domain.scores import Judged
from domain.sensors import Sensor
from domain.times import DAY_MS, HOUR_MS
from models.forecast import SharedRidge
from models.series_spec import SeriesSpec

DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "data"
Series = dict[str, dict[int, float]]  # series name → epoch ms → value


def rows_of(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def stamp(text: str, form: str) -> int:
    return int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp() * 1_000)


def number(text: str) -> float | None:
    return None if text in ("", "NA") else float(text)


def pems(folder: Path) -> Series:
    rows = [*rows_of(folder / "pems-i405/train.csv.gz"), *rows_of(folder / "pems-i405/test.csv.gz")]
    flow = next(name for name in rows[0] if name.startswith("Lane 1 Flow"))
    clock = next(iter(rows[0]))
    return {"i405/traffic.flow": {stamp(r[clock], "%d/%m/%Y %H:%M"): float(r[flow]) * 12 for r in rows}}


def pjm(folder: Path) -> Series:
    rows = rows_of(folder / "pjm-east/PJME_hourly.csv.gz")
    return {
        "pjm/energy.active_power": {stamp(r["Datetime"], "%d-%m-%Y %H:%M"): float(r["PJME_MW"]) * 1e3 for r in rows}
    }


def i94(folder: Path) -> Series:
    rows = rows_of(folder / "metro-interstate/Metro_Interstate_Traffic_Volume.csv.gz")
    return {"i94/traffic.flow": {stamp(r["date_time"], "%d-%m-%Y %H:%M"): float(r["traffic_volume"]) for r in rows}}


def marylebone(folder: Path) -> Series:
    rows = rows_of(folder / "aurn-marylebone/marylebone_1998_2005_hourly.csv.gz")
    clock = next(iter(rows[0]))
    return columns(rows, lambda r: to_ms(r[clock]), "my1", ("no2", "nox", "o3", "pm10", "pm25"), str)


def to_ms(text: str) -> int:
    when = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1_000)


def beijing(folder: Path) -> Series:
    series: Series = {}
    for path in sorted((folder / "beijing-air").glob("*.csv.gz")):
        rows = rows_of(path)
        names = {"pm25": "PM2.5", "pm10": "PM10", "no2": "NO2"}
        series |= columns(
            rows,
            lambda r: stamp(f"{r['year']} {r['month']} {r['day']} {r['hour']}", "%Y %m %d %H"),
            rows[0]["station"],
            tuple(names),
            names.__getitem__,
        )
    return series


def columns(
    rows: list[dict[str, str]],
    clock: Callable[[dict[str, str]], int],
    sensor: str,
    names: tuple[str, ...],
    column: Callable[[str], str],
) -> Series:
    series: Series = {}
    for name in names:
        pairs = ((clock(r), number(r[column(name)])) for r in rows)
        series[f"{sensor}/air.{name}"] = {t: x for t, x in pairs if x is not None}
    return series


SETS: dict[str, Callable[[Path], Series]] = {
    "pems": pems, "pjm": pjm, "i94": i94, "marylebone": marylebone, "beijing": beijing,
}  # fmt: skip


def run(series: Series) -> tuple[list[tuple[int, int, int, float, float, float]], float]:
    """(row, ahead ms, target, value, lower, upper) of everything shown, and µs per reading."""
    specs = [SeriesSpec(name, quantity(name.split("/")[1]), Sensor(name.split("/")[0], "area")) for name in series]
    t = np.concatenate([np.fromiter(values, np.int64) for values in series.values()])
    x = np.concatenate([np.fromiter(values.values(), np.float64) for values in series.values()])
    row = np.repeat(np.arange(len(series)), [len(values) for values in series.values()]).astype(np.int32)
    step = np.median([np.median(np.diff(np.sort(np.fromiter(values, np.int64)))) for values in series.values()])
    interval_s = np.full(len(series), step / 1_000)
    hour = t // HOUR_MS
    order = np.lexsort((t, row, hour))
    t, x, row, hour = t[order], x[order], row[order], hour[order]
    cuts = [0, *(np.flatnonzero(np.diff(hour)) + 1).tolist(), len(t)]
    model = SharedRidge()
    model.ensure(specs)
    said = []
    began = time.perf_counter()
    for a, b in pairwise(cuts):
        good = np.full(b - a, Flag.GOOD, np.uint8)
        model.observe(Judged(row[a:b], t[a:b], x[a:b], good, np.zeros(b - a, np.uint32)), interval_s)
        said.extend(model.issue(int(t[a:b].max())))
    took = time.perf_counter() - began
    shown = []
    for rows in said:
        ahead = rows.target - rows.issued
        columns = (rows.row, ahead, rows.target, rows.value, rows.lower, rows.upper)
        shown.extend(zip(*(column.tolist() for column in columns), strict=True))
    return shown, took / len(t) * 1e6


def report(name: str, series: Series) -> None:
    shown, us = run(series)
    values = list(series.values())
    print(f"\n{name}: {len(series)} series, {sum(map(len, values)):,} readings, {us:.0f} µs per reading")
    print(
        f"{'quantity':<22}{'ahead':>7}{'n':>9}{'MAE':>10}{'persist':>10}{'day':>10}{'week':>10}{'skill':>8}{'covers':>8}"
    )
    table: dict[tuple[str, int], list[tuple[float, ...]]] = {}
    names = list(series)
    for row, ahead, target, value, lower, upper in shown:
        known = values[row]
        bases = (known.get(target - ahead), known.get(target - DAY_MS), known.get(target - 7 * DAY_MS))
        truth = known.get(target)
        if truth is None or None in bases:
            continue
        errors = [abs(truth - base) for base in bases if base is not None]
        key = (names[row].split("/")[1], ahead)
        table.setdefault(key, []).append((abs(truth - value), *errors, float(lower <= truth <= upper)))
    for (what, ahead), entries in sorted(table.items()):
        mae, still, day, week, covers = np.mean(entries, axis=0)
        label = f"{ahead // 60_000} min" if ahead < HOUR_MS or name == "pems" else f"{ahead // HOUR_MS} h"
        skill = 1 - mae / min(day, week)
        print(
            f"{what:<22}{label:>7}{len(entries):>9,}{mae:>10.3g}{still:>10.3g}{day:>10.3g}{week:>10.3g}"
            f"{skill:>8.3f}{covers:>8.3f}"
        )


def main() -> None:
    given = sys.argv[1:]
    folder = Path(given.pop(0)) if given and given[0] not in SETS else DEFAULT
    for name in given or SETS:
        report(name, SETS[name](folder))


if __name__ == "__main__":
    main()
