"""``truth.csv`` and ``alerts.csv`` as the referee reads them; what cannot be read is one line with its place."""

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from domain.errors import Misconfigured, Rejected, shorten
from domain.messages import KINDS
from domain.times import parse_time
from simulator.scoreboard import NAMED, Said
from simulator.truth import COLUMNS, Truth

ALERT_COLUMNS = ("alert", "series", "area", "kind", "onset", "raised")

T = TypeVar("T")
Cells = dict[str, str]


def read_truth(path: Path) -> list[Truth]:
    """Raises: Misconfigured: no such file, a column is missing, or a row cannot be read."""
    return _read(path, COLUMNS, _label)


def read_alerts(path: Path) -> list[Said]:
    """Raises: as :func:`read_truth`."""
    return _read(path, ALERT_COLUMNS, _said)


def _label(cells: Cells) -> Truth:
    start, end = _time(cells, "start"), _time(cells, "end")
    if end < start:
        raise Rejected("end", cells["end"], "lies before start")
    cause = _one_of(cells, "cause", tuple(NAMED))
    return Truth(cause, cells["kind"], cells["place"], cells["area"], start, end, _names(cells["series"]))


def _said(cells: Cells) -> Said:
    kind = _one_of(cells, "kind", KINDS)
    onset, raised = _time(cells, "onset"), _time(cells, "raised")
    return Said(cells["alert"], kind, cells["area"], _names(cells["series"]), onset, raised, cells.get("verdict", ""))


def _one_of(cells: Cells, column: str, allowed: Sequence[str]) -> str:
    if cells[column] not in allowed:
        raise Rejected(column, cells[column], "must be one of " + ", ".join(allowed))
    return cells[column]


def _time(cells: Cells, column: str) -> int:
    try:
        return parse_time(cells[column])
    except Rejected as error:
        raise Rejected(column, error.value, error.reason) from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(";") if name)


def _read(path: Path, columns: Sequence[str], make: Callable[[Cells], T]) -> list[T]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            missing = [column for column in columns if column not in (rows.fieldnames or ())]
            if missing:
                raise Misconfigured(f"{path}:1: column {missing[0]}: missing; it needs {', '.join(columns)}")
            return list(_made(path, rows, make))
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise Misconfigured(f"{path} cannot be read as CSV in UTF-8: {error}") from None


def _made(path: Path, rows: "csv.DictReader[str]", make: Callable[[Cells], T]) -> Iterator[T]:
    for row in rows:
        cells = {name: (cell or "") for name, cell in row.items() if isinstance(name, str)}
        try:
            yield make(cells)
        except Rejected as error:
            raise Misconfigured(
                f"{path}:{rows.line_num}: {error.field} {shorten(error.value)}: {error.reason}"
            ) from None
