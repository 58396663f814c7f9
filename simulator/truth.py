"""What really happened: the labels against which alerts are scored."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from domain.times import format_time

COLUMNS = ("cause", "kind", "place", "area", "start", "end", "series")


@dataclass(frozen=True, slots=True)
class Truth:
    """One label. ``cause`` is world (should alert), sensor (should be named a sensor fault) or transport (should not
    alert); ``start`` and ``end`` in epoch ms, the end exclusive and after the last effect;
    ``series`` all it can touch."""

    cause: str
    kind: str
    place: str
    area: str
    start: int
    end: int
    series: tuple[str, ...]


def write_truth(path: Path, truths: Iterable[Truth]) -> None:
    """``truth.csv``, by start; the series of a label are separated by semicolons."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for truth in sorted(truths, key=lambda t: (t.start, t.kind, t.place)):
            start, end = format_time(truth.start), format_time(truth.end)
            rows.writerow((truth.cause, truth.kind, truth.place, truth.area, start, end, ";".join(truth.series)))
