"""Tidy CSV to readings: ``time,series,value`` in any order, other columns passed over. Each line stands alone."""

import csv
from collections.abc import Sequence
from math import isfinite

import numpy as np

from connectors.intake_columns import Intake, every, from_columns, rejected
from domain.codec import check_reading
from domain.errors import Rejected, Rejection

COLUMNS = ("time", "series", "value")
_HEADER_BYTES_MAX = 8_192
_LINE_CHARS_MAX = 65_536


def header_columns(body: bytes) -> tuple[int, int, int] | None:
    """Where time, series and value stand in the first line, None when it is no such header."""
    line = body[:_HEADER_BYTES_MAX].lstrip().split(b"\n", 1)[0]
    names = [name.strip().lower() for name in _cells(line.decode("utf-8", "replace").strip("\r\ufeff "))]
    if any(names.count(name) != 1 for name in COLUMNS):
        return None
    time, series, value = (names.index(name) for name in COLUMNS)
    return time, series, value


def parse_csv(body: bytes) -> Intake:
    """A header and one reading a line; blank lines do not count, positions count from the line after the header.

    Raises:
        Rejected: the first line does not name the columns time, series and value once each.
    """
    where = header_columns(body)
    if where is None:
        first = body[:80].decode("utf-8", "replace")
        raise Rejected("body", first, "a CSV begins with a header that names time, series and value, each once")
    try:
        text = body.decode()
        sound = True
    except UnicodeDecodeError:
        text = body.decode("utf-8", "surrogateescape")
        sound = False
    lines = [line for line in text.split("\n") if line and not line.isspace()][1:]
    rows = [line.split(",") for line in lines] if b'"' not in body else [_cells(line) for line in lines]
    fast = _all_at_once(rows, where) if sound else None
    return fast if fast is not None else _one_by_one(lines, rows, where)


def _all_at_once(rows: Sequence[list[str]], where: tuple[int, int, int]) -> Intake | None:
    """All rows, or None when one of them needs a closer look."""
    time, series, value = where
    try:
        texts = [row[value] for row in rows]
        values = [float(text) for text in texts]
        if "_" in "".join(texts):  # float() reads 1_000, no other reader of CSV does
            return None
        names, times = [row[series].strip() for row in rows], [row[time].strip() for row in rows]
    except (IndexError, ValueError):
        return None
    return from_columns(names, times, values, every(len(rows)), [])


def _one_by_one(lines: Sequence[str], rows: Sequence[list[str]], where: tuple[int, int, int]) -> Intake:
    good: list[tuple[str, str, float]] = []
    positions: list[int] = []
    rejections: list[Rejection] = []
    for position, (line, row) in enumerate(zip(lines, rows, strict=True)):
        try:
            good.append(_reading(line, row, where))
            positions.append(position)
        except Rejected as error:
            rejections.append(rejected(position, error))
    return from_columns(
        [row[0] for row in good],
        [row[1] for row in good],
        [row[2] for row in good],
        np.array(positions, dtype=np.int64),
        rejections,
    )


def _reading(line: str, row: Sequence[str], where: tuple[int, int, int]) -> tuple[str, str, float]:
    """One line as series, time and value. Raises: Rejected."""
    try:
        line.encode()
    except UnicodeEncodeError:
        raise Rejected("reading", line.encode("utf-8", "replace").decode(), "the line is not UTF-8") from None
    if not row:
        raise Rejected("reading", line, "the quotes of the line do not match, or it is too long")
    item = {name: row[at].strip() for name, at in zip(COLUMNS, where, strict=True) if at < len(row)}
    for name in COLUMNS:
        if not item.get(name):
            raise Rejected(name, line, f"{name} is missing")
    value = _number(item["value"])
    check_reading({**item, "value": value})
    return item["series"], item["time"], value


def _number(text: str) -> float:
    try:
        value = float(text) if "_" not in text else None
    except ValueError:
        value = None
    if value is None:
        raise Rejected("value", text, "value is a number with a decimal point, without a unit")
    if not isfinite(value):
        raise Rejected("value", text, "value is a finite number")
    return value


def _cells(line: str) -> list[str]:
    """The cells of one line, empty when it cannot be read."""
    if len(line) > _LINE_CHARS_MAX:
        return []
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:
        return []
