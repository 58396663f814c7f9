"""How every detector of the registry does on real series: cost, false alerts, injected faults found.

``python benchmarks/detectors.py --data ../shared/data`` prints one table. Each series is streamed through the detector
and the episode gate, as in the pipeline; nothing is tuned to a series. False alerts are episodes on the series as
recorded (which hold real events too, so the figure is an upper bound). Faults are injected with a seed into copies of
the series, one fault a copy, in its last two fifths; found means an onset between the fault's begin and end that
is not there without the fault.
"""

import argparse
import csv
import gzip
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from domain.quantities import quantity
from domain.readings import Floats, Ints
from domain.scores import Judged
from domain.sensors import Sensor
from models.episodes import Episodes
from models.registry import DETECTORS, detector
from models.series_spec import SeriesSpec

WEEK_S = 604_800.0
SHAPES = ((1, 1), (1, 12), (100, 1))  # rows × readings of each in a frame, for the cost
READINGS_MAX = 4_000  # per series: stock detectors take up to 0.2 ms a reading


@dataclass(frozen=True)
class Series:
    name: str
    t: Ints
    x: Floats

    @property
    def weeks(self) -> float:
        return float(self.t[-1] - self.t[0]) / 1_000 / WEEK_S

    @property
    def interval_s(self) -> float:
        return float(np.median(np.diff(self.t))) / 1_000


def load(folder: Path) -> Iterator[Series]:
    """The series of the three domains: air, traffic, energy; the last readings of each."""
    marylebone = folder / "aurn-marylebone/marylebone_1998_2005_hourly.csv.gz"
    for column in ("no2", "pm10", "o3"):
        yield _series(f"air.{column}", marylebone, "date", column, "%Y-%m-%d %H:%M:%S")
    beijing = sorted((folder / "beijing-air").glob("*.csv.gz"))[0]
    for column in ("PM2.5", "NO2"):
        yield _beijing(f"air.{'pm25' if column == 'PM2.5' else 'no2'}", beijing, column)
    metro = folder / "metro-interstate/Metro_Interstate_Traffic_Volume.csv.gz"
    yield _series("traffic.flow", metro, "date_time", "traffic_volume", "%d-%m-%Y %H:%M")
    for part in ("train", "test"):
        pems = folder / f"pems-i405/{part}.csv.gz"
        yield _series("traffic.flow", pems, "5 Minutes", "Lane 1 Flow (Veh/5 Minutes)", "%d/%m/%Y %H:%M")
    for path in sorted((folder / "nab/data/realTraffic").glob("speed_*.csv.gz")):
        yield _series("traffic.speed", path, "timestamp", "value", "%Y-%m-%d %H:%M:%S")
    pjm = folder / "pjm-east/PJME_hourly.csv.gz"
    yield _series("energy.active_power", pjm, "Datetime", "PJME_MW", "%d-%m-%Y %H:%M")
    taxi = folder / "nab/data/realKnownCause/nyc_taxi.csv.gz"
    yield _series("traffic.flow", taxi, "timestamp", "value", "%Y-%m-%d %H:%M:%S")


def _series(name: str, path: Path, when: str, column: str, pattern: str) -> Series:
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        rows = [(row[when], row[column]) for row in csv.DictReader(file) if row[column] not in ("", "NA")]
    return _tail(name, {_ms(datetime.strptime(t, pattern)): float(x) for t, x in rows})  # noqa: DTZ007 UTC by _ms


def _beijing(name: str, path: Path, column: str) -> Series:
    with gzip.open(path, "rt", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row[column] not in ("", "NA")]
    times = (datetime(*(int(row[part]) for part in ("year", "month", "day", "hour"))) for row in rows)  # noqa: DTZ001
    return _tail(name, {_ms(t): float(row[column]) for t, row in zip(times, rows, strict=True)})


def _tail(name: str, by_time: dict[int, float]) -> Series:
    t = np.array(sorted(by_time), np.int64)
    x = np.array([by_time[int(k)] for k in t])
    return Series(name, t[-READINGS_MAX:], x[-READINGS_MAX:])


def _ms(when: datetime) -> int:
    return int(when.replace(tzinfo=UTC).timestamp() * 1_000)


def local_sigma(x: Floats) -> float:
    """Robust standard deviation of the change from one reading to the next, over √2."""
    steps = np.diff(x)
    return float(1.4826 * np.median(np.abs(steps - np.median(steps))) / np.sqrt(2)) or float(np.std(steps)) or 1.0


def _spike(x: Floats, at: int, span: int, rng: np.random.Generator) -> slice:
    x[at] += rng.choice([-1, 1]) * 8 * local_sigma(x)
    return slice(at, at + 1)


def _shift(x: Floats, at: int, span: int, rng: np.random.Generator) -> slice:
    x[at : at + span] += rng.choice([-1, 1]) * 1.5 * np.std(x[:at])
    return slice(at, at + span)


def _noise(x: Floats, at: int, span: int, rng: np.random.Generator) -> slice:
    x[at : at + span] += rng.normal(0, 5 * local_sigma(x), len(x[at : at + span]))
    return slice(at, at + span)


def _drop_out(x: Floats, at: int, span: int, rng: np.random.Generator) -> slice:
    x[at : at + span] = 0.0
    return slice(at, at + span)


def _drift(x: Floats, at: int, span: int, rng: np.random.Generator) -> slice:
    n = len(x[at : at + 4 * span])
    x[at : at + 4 * span] += np.linspace(0, 2.5 * np.std(x[:at]), n)
    return slice(at, at + 4 * span)


FAULTS: dict[str, Callable[[Floats, int, int, np.random.Generator], slice]] = {
    "spike": _spike,
    "shift": _shift,
    "noise": _noise,
    "drop-out": _drop_out,
    "drift": _drift,
}


def run(name: str, columns: list[Series]) -> list[set[int]]:
    """Onsets (epoch ms) of each series: all are rows of one detector and one gate."""
    made, episodes = detector(name), Episodes()
    made.ensure([_spec(k, series.name) for k, series in enumerate(columns)])
    row = np.repeat(np.arange(len(columns), dtype=np.int32), [len(series.t) for series in columns])
    n = len(row)
    t = np.concatenate([series.t for series in columns])
    x = np.concatenate([series.x for series in columns])
    judged = Judged(row, t, x, np.ones(n, np.uint8), np.zeros(n, np.uint32))
    gated = episodes.gate(judged, made.observe(judged), np.array([series.interval_s for series in columns]))
    onsets: list[set[int]] = [set() for _ in columns]
    for k in gated.opened:
        onsets[row[k]].add(int(t[k]))
    return onsets


def cost(name: str, rows: int, at_once: int, seed: int) -> float:
    """Microseconds of CPU per reading in frames of ``at_once`` readings of each of ``rows`` rows, five minutes apart,
    once eight days have filled what the detector remembers."""
    made, rng = detector(name), np.random.default_rng(seed)
    made.ensure([_spec(k, "traffic.flow") for k in range(rows)])
    row = np.repeat(np.arange(rows, dtype=np.int32), at_once)
    warm = 8 * 288 // at_once
    spent, frames = 0.0, warm + max(300, 4_000 // (rows * at_once))
    for k in range(frames):
        t = np.tile((k * at_once + np.arange(at_once)) * 300_000, rows)
        n = len(row)
        judged = Judged(row, t, rng.normal(500, 50, n), np.ones(n, np.uint8), np.zeros(n, np.uint32))
        begin = time.process_time()
        made.observe(judged)
        spent += time.process_time() - begin if k >= warm else 0.0
    return spent / ((frames - warm) * rows * at_once) * 1e6


def _spec(k: int, name: str) -> SeriesSpec:
    return SeriesSpec(f"s{k}/{name}", quantity(name), Sensor(f"s{k}", "a"))


def injected(columns: list[Series], copies: int, seed: int) -> Iterator[tuple[str, int, Series, int, int]]:
    """``(fault, which series, faulty copy, from, to)``; event times in epoch ms."""
    rng = np.random.default_rng(seed)
    for fault, inject in FAULTS.items():
        for which, series in enumerate(columns):
            span = max(12, int(6 * 3_600 / series.interval_s))
            for _ in range(copies):
                x = series.x.copy()
                at = int(rng.integers(int(0.6 * len(x)), len(x) - 4 * span - 1))
                hit = inject(x, at, span, rng)
                end = series.t[min(hit.stop + 1, len(x) - 1)]
                yield fault, which, Series(series.name, series.t, x), int(series.t[at]), int(end)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--copies", type=int, default=2)
    options.add_argument("--detectors", nargs="*", default=list(DETECTORS))
    options.add_argument("--verbose", action="store_true", help="alerts of every series")
    chosen = options.parse_args()
    columns = list(load(chosen.data))
    faulty = list(injected(columns, chosen.copies, chosen.seed))
    weeks = sum(series.weeks for series in columns)
    print(f"{len(columns)} series, {weeks:.0f} sensor-weeks, {len(faulty)} injected faults, seed {chosen.seed}")
    print(
        f"{'detector':18}{'µs 1 × 1':>10}{'1 × 12':>10}{'100 × 1':>10}{'alerts/wk':>11}"
        + "".join(f"{f:>10}" for f in FAULTS)
    )
    for name in chosen.detectors:
        clean = run(name, columns)
        found = run(name, [series for _, _, series, _, _ in faulty])
        hits: dict[str, list[bool]] = {fault: [] for fault in FAULTS}
        for (fault, which, _, start, end), onsets in zip(faulty, found, strict=True):
            hits[fault].append(any(start <= onset <= end for onset in onsets - clean[which]))
        rates = "".join(f"{np.mean(hits[fault]):10.2f}" for fault in FAULTS)
        per_week = sum(map(len, clean)) / weeks
        costs = "".join(f"{cost(name, *shape, chosen.seed):10.1f}" for shape in SHAPES)
        print(f"{name:18}{costs}{per_week:11.2f}{rates}", flush=True)
        for series, onsets in zip(columns, clean, strict=True) if chosen.verbose else ():
            print(f"    {series.name:22}{series.interval_s:7.0f} s{len(onsets) / series.weeks:8.2f} alerts/week")


if __name__ == "__main__":
    main()
