"""Machines with several channels: point-wise F1 and false-alarm rate of ``borough backtest`` on runs of a pump loop.

``python benchmarks/quality/assets.py --seeds 12`` writes the runs of every rig of :mod:`pump_loop` as readings, one
file a run, has ``borough backtest`` read them, and counts a second as alarmed when it lies between onset and cleared of
an alert. Beside it: the textbook's T² with Q (Kourti and MacGregor 1995) fitted on the first 400 rows, and no detector
at all. ``--held-out`` uses other seeds than the ones that were looked at when the defaults were chosen.
"""

import argparse
import csv
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.quality.pump_loop import RIGS, Rig, Run, run
from domain.times import format_time
from models.registry import DEFAULT
from service.backtest import backtest

Alarmed = NDArray[np.bool_]
_FIT = 400


def through_backtest(r: Run) -> Alarmed:
    """Alarmed seconds by ``borough backtest``'s own alerts.csv."""
    with tempfile.TemporaryDirectory() as folder:
        readings, sensors, out = (Path(folder) / name for name in ("readings.csv", "sensors.csv", "out"))
        out.mkdir()
        write_run(r, readings, sensors)
        backtest(
            readings=readings, sensors=sensors, links=None, events=None, out=out, detector=DEFAULT,
            lateness_s=10.0, horizon_s=7_200.0,
        )  # fmt: skip
        alarmed = np.zeros(len(r.t), dtype=bool)
        for onset, cleared in alerts(out / "alerts.csv"):
            alarmed |= (r.t >= onset) & (r.t <= cleared)
        return alarmed


def write_run(r: Run, readings: Path, sensors: Path) -> None:
    """A run as the two tables that ``borough backtest`` reads."""
    names = [f"pump-1.{channel}" for channel in r.channels]
    with sensors.open("w", newline="") as file:
        csv.writer(file).writerows([("sensor", "area", "lat", "lon", "interval_s", "asset")])
        csv.writer(file).writerows([(name, "test-loop", "", "", "1", "pump-1") for name in names])
    with readings.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("time", "series", "value"))
        for t, x in zip(r.t.tolist(), r.x.tolist(), strict=True):
            when = format_time(t)
            rows.writerows((when, f"{name}/generic.{c}", v) for name, c, v in zip(names, r.channels, x, strict=True))


def alerts(path: Path) -> Iterator[tuple[int, int]]:
    """Onset and cleared of every alert, epoch ms; one that is still open has no end."""
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            yield _ms(row["onset"]), _ms(row["cleared"]) if row["cleared"] else 1 << 60


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000)


def t2_with_q(r: Run) -> Alarmed:
    """Principal components that hold 90 %, 99 % limits from the fitted rows, smoothed by the median of five."""
    z = (r.x - r.x[:_FIT].mean(axis=0)) / (r.x[:_FIT].std(axis=0) + 1e-12)
    _, size, axes = np.linalg.svd(z[:_FIT], full_matrices=False)
    var = size**2 / (_FIT - 1)
    k = int(np.searchsorted(np.cumsum(var) / var.sum(), 0.9)) + 1
    part = z @ axes[:k].T
    t2, q = (part**2 / var[:k]).sum(axis=1), ((z - part @ axes[:k]) ** 2).sum(axis=1)
    over = (t2 > np.quantile(t2[:_FIT], 0.99)) | (q > np.quantile(q[:_FIT], 0.99))
    return np.array([np.median(over[max(0, i - 4) : i + 1]) > 0.5 for i in range(len(over))])


def nothing(r: Run) -> Alarmed:
    return np.zeros(len(r.t), dtype=bool)


DETECTORS: dict[str, Callable[[Run], Alarmed]] = {
    "borough backtest": through_backtest,
    "T² with Q": t2_with_q,
    "null": nothing,
}


def counts(alarmed: Alarmed, truth: Alarmed) -> NDArray[np.int64]:
    """True and false alarms, misses, true silence."""
    return np.array(
        [(alarmed & truth).sum(), (alarmed & ~truth).sum(), (~alarmed & truth).sum(), (~alarmed & ~truth).sum()]
    )


def figures(c: NDArray[np.int64]) -> tuple[float, float, float]:
    """Point-wise F1, false-alarm rate, miss rate."""
    tp, fp, fn, tn = c.tolist()
    return 2 * tp / max(1, 2 * tp + fp + fn), fp / max(1, fp + tn), fn / max(1, fn + tp)


def measured(rig: Rig, seeds: range, alarmed: Callable[[Run], Alarmed], skip: int) -> NDArray[np.int64]:
    """Pooled counts over the runs of a rig, rows before ``skip`` left out."""
    total = np.zeros(4, dtype=np.int64)
    for seed in seeds:
        r = run(rig, seed)
        total += counts(alarmed(r)[skip:], r.anomalous[skip:])
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--skip", type=int, default=0, help="rows at the begin that are not counted")
    parser.add_argument("--rigs", default="", help="comma separated; default: all")
    given = parser.parse_args()
    first = 1_000 if given.held_out else 0
    seeds = range(first, first + given.seeds)
    print(f"seeds {seeds.start} to {seeds.stop - 1}, rows from {given.skip} on; F1 / false-alarm rate / miss rate\n")
    print(f"| rig | {' | '.join(DETECTORS)} |\n|---|{'---|' * len(DETECTORS)}")
    totals = {name: np.zeros(4, dtype=np.int64) for name in DETECTORS}
    begun = time.perf_counter()
    for rig in RIGS:
        if given.rigs and rig.name not in given.rigs.split(","):
            continue
        cells = []
        for name, detector in DETECTORS.items():
            found = measured(rig, seeds, detector, given.skip)
            totals[name] += found
            cells.append("{:.3f} / {:.3f} / {:.3f}".format(*figures(found)))
        print(f"| {rig.name} | {' | '.join(cells)} |", flush=True)
    print("| **all** | " + " | ".join("{:.3f} / {:.3f} / {:.3f}".format(*figures(c)) for c in totals.values()) + " |")
    print(f"\n{time.perf_counter() - begun:.0f} s in all")


if __name__ == "__main__":
    main()
