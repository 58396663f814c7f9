"""NAB through Borough: by ``borough backtest`` as anyone would, and by a detector directly where parameters vary."""

import csv
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.nab_data import NabFile
from benchmarks.quality.nab_scorer import Tally, tally, worth
from domain.quantities import quantity
from domain.readings import Floats
from domain.scores import Judged, Scores
from domain.sensors import Sensor
from domain.times import format_time
from models.contract import Detector
from models.episodes import THRESHOLD, Episodes
from models.series_spec import SeriesSpec
from service.backtest import backtest

Detected = list[NDArray[np.bool_]]  # per file, per row


def by_backtest(files: list[NabFile], detector: str, folder: Path) -> Detected:
    """``borough backtest`` on one readings table with all files, no sensors table; score >= 0.5 is a detection."""
    folder.mkdir(parents=True, exist_ok=True)
    readings = folder / "readings.csv"
    with readings.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(("time", "series", "value"))
        for k, file in enumerate(files):
            rows.writerows(
                (format_time(t), _name(k), repr(x)) for t, x in zip(file.t.tolist(), file.x.tolist(), strict=True)
            )
    backtest(
        readings=readings, sensors=None, links=None, events=None, out=folder / "out", detector=detector,
        lateness_s=10, horizon_s=7_200,
    )  # fmt: skip
    loud: set[tuple[str, str]] = set()
    with (folder / "out" / "scores.csv").open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            if row["score"] and float(row["score"]) >= THRESHOLD:
                loud.add((row["series"], row["time"]))
    return [np.array([(_name(k), format_time(t)) in loud for t in file.t.tolist()]) for k, file in enumerate(files)]


def directly(files: list[NabFile], made: Detector) -> tuple[Detected, float]:
    """All files as rows of one detector behind the episode gate: detections, and µs of CPU per sample."""
    made.ensure(specs(files))
    readings, interval = side_by_side(files)
    begin = time.process_time()
    scores = made.observe(readings)
    micros = (time.process_time() - begin) / len(readings) * 1e6
    return detected(files, readings, scores.score, interval), micros


def specs(files: list[NabFile]) -> list[SeriesSpec]:
    return [SeriesSpec(_name(k), quantity("generic.value"), Sensor(f"nab-{k}", "a")) for k in range(len(files))]


def side_by_side(files: list[NabFile]) -> tuple[Judged, Floats]:
    """A row for each file, each time once; and ``float64[rows]`` seconds between its readings."""
    first = [np.unique(file.t, return_index=True)[1] for file in files]
    row = np.repeat(np.arange(len(files), dtype=np.int32), [len(at) for at in first])
    t = np.concatenate([file.t[at] for file, at in zip(files, first, strict=True)])
    x = np.concatenate([file.x[at] for file, at in zip(files, first, strict=True)])
    readings = Judged(row, t, x, np.ones(len(row), np.uint8), np.zeros(len(row), np.uint32))
    return readings, np.array([float(np.median(np.diff(np.unique(file.t)))) / 1_000 for file in files])


def detected(files: list[NabFile], readings: Judged, score: Floats, interval: Floats) -> Detected:
    """Behind the episode gate, back on the rows of the files."""
    unknown = np.full(len(score), np.nan)
    gated = Episodes().gate(readings, Scores(score, unknown, unknown, unknown, unknown, {}), interval)
    columns = []
    for k, file in enumerate(files):
        column = np.zeros(len(file.t), dtype=bool)
        column[np.unique(file.t, return_index=True)[1]] = np.nan_to_num(gated.score[readings.row == k]) >= THRESHOLD
        columns.append(column)
    return columns


def tallies(files: list[NabFile], detected: Detected) -> list[Tally]:
    return [tally(worth(file.t, file.windows), column) for file, column in zip(files, detected, strict=True)]


def _name(k: int) -> str:
    return f"nab-{k:02}/generic.value"


def noisy(files: list[NabFile], seed: int) -> list[NabFile]:
    """Gaussian noise of 2 % of the standard deviation of each file."""
    rng = np.random.default_rng(seed)
    return [replace(file, x=_plus(file.x, rng)) for file in files]


def _plus(x: Floats, rng: np.random.Generator) -> Floats:
    return np.asarray(x + rng.normal(0, 0.02 * float(np.std(x)), len(x)))


def dropped(files: list[NabFile], seed: int) -> list[NabFile]:
    """5 % of the rows are missing."""
    rng = np.random.default_rng(seed)
    return [_kept(file, rng.random(len(file.t)) >= 0.05) for file in files]


def halved(files: list[NabFile], seed: int) -> list[NabFile]:
    """Every second row only."""
    return [_kept(file, np.arange(len(file.t)) % 2 == seed % 2) for file in files]


def _kept(file: NabFile, keep: NDArray[np.bool_]) -> NabFile:
    """Windows shrink to the rows that are left."""
    t = file.t[keep]
    windows = [(int(t[t >= first][0]), int(t[t <= last][-1])) for first, last in file.windows]
    return replace(file, t=t, x=file.x[keep], windows=windows)


PERTURBED: dict[str, Callable[[list[NabFile], int], list[NabFile]]] = {
    "2 % noise": noisy,
    "5 % of the rows dropped": dropped,
    "every second row": halved,
}
