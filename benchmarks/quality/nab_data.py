"""The files of the Numenta Anomaly Benchmark as columns, with their labelled windows and the results it ships."""

import csv
import gzip
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.nab_scorer import Window
from domain.readings import Floats, Ints


@dataclass(frozen=True, slots=True)
class NabFile:
    """One series. Rows stand in the order of the file; a time may occur twice.

    Attributes:
        name: ``category/file.csv``. t: ``int64[n]`` epoch ms. x: ``float64[n]``.
        windows: what is labelled as anomalous.
    """

    name: str
    t: Ints
    x: Floats
    windows: list[Window]


def load(folder: Path) -> list[NabFile]:
    """All 58 files, by name. Raises: OSError: ``folder`` is not the data of NAB."""
    labels: dict[str, list[list[str]]] = json.loads((folder / "combined_windows.json").read_text(encoding="utf-8"))
    files = []
    for name in sorted(labels):
        rows = _rows(folder / "data" / f"{name}.gz")
        t = np.array([_ms(row["timestamp"]) for row in rows], np.int64)
        x = np.array([float(row["value"]) for row in rows])
        files.append(NabFile(name, t, x, [(_ms(first), _ms(last)) for first, last in labels[name]]))
    return files


def shipped(folder: Path, detector: str, name: str) -> Floats:
    """``float64[n]``: the anomaly scores of a detector for a file, as NAB ships them."""
    rows = _rows(folder / "shipped-results" / detector / f"{name}.gz")
    return np.array([float(row["anomaly_score"]) for row in rows])


def published(folder: Path, detector: str) -> dict[str, tuple[float, float]]:
    """By profile: the threshold and the score that NAB publishes for a detector."""
    thresholds = _json(folder / "published_thresholds.json")[detector]
    results = _json(folder / "published_final_results.json")[detector]
    return {profile: (float(thresholds[profile]["threshold"]), float(results[profile])) for profile in results}


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _ms(when: str) -> int:
    return int(datetime.fromisoformat(when).replace(tzinfo=UTC).timestamp() * 1_000)
