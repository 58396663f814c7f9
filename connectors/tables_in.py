"""Tidy tables that people bring: sensors, links, events and readings, as CSV (.gz) or Parquet."""

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import duckdb

from connectors import table_columns
from connectors.duckdb_file import open_memory
from connectors.readings_table import BadRow, ReadingsTable
from connectors.table_header import check_header, open_text
from domain.errors import Misconfigured, Rejected, shorten
from domain.readings import Readings
from domain.sensors import Event, Link, Sensor
from domain.times import parse_time

T = TypeVar("T")

__all__ = ["BadRow", "read_events", "read_links", "read_readings", "read_sensors"]


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of a small table; knows where it stands, to say so when something is wrong with it."""

    path: Path
    line: int
    cells: dict[str, str]

    def wrong(self, column: str, reason: str) -> Misconfigured:
        return Misconfigured(
            f"{self.path} line {self.line}, {column} = {shorten(self.cells.get(column, ''))!r}: {reason}"
        )

    def text(self, column: str) -> str:
        value = self.cells.get(column, "").strip()
        if not value:
            raise self.wrong(column, "must not be empty")
        return value

    def text_or_none(self, column: str) -> str | None:
        return self.cells.get(column, "").strip() or None

    def number(self, column: str, lower: float = -math.inf, upper: float = math.inf) -> float:
        try:
            value = float(self.text(column))
        except ValueError:
            raise self.wrong(column, "not a number") from None
        if not math.isfinite(value) or not lower <= value <= upper:
            raise self.wrong(column, f"must be a finite number from {lower:g} to {upper:g}")
        return value

    def number_or_none(self, column: str, lower: float = -math.inf, upper: float = math.inf) -> float | None:
        return self.number(column, lower, upper) if self.cells.get(column, "").strip() else None

    def time(self, column: str) -> int:
        try:
            return parse_time(self.text(column))
        except Rejected as error:
            raise self.wrong(column, error.reason) from None


def read_sensors(path: Path) -> list[Sensor]:
    """The sensors table; ``sensor`` and ``area`` are required, columns it does not know are kept in ``extra``.

    Raises:
        Misconfigured: names file, line, column and value.
    """
    lines: dict[str, int] = {}

    def sensor(row: _Row) -> Sensor:
        name = row.text("sensor")
        if name in lines:
            raise row.wrong("sensor", f"stands twice, also in line {lines[name]}")
        lines[name] = row.line
        return Sensor(
            name,
            row.text("area"),
            row.number_or_none("lat", -90, 90),
            row.number_or_none("lon", -180, 180),
            row.number_or_none("interval_s", 0.001, 366 * 86_400),
            row.text_or_none("place"),
            row.text_or_none("asset"),
            row.text_or_none("road_class"),
            row.number_or_none("free_flow_speed", 0),
            row.number_or_none("rated_kw", 0),
            {name: cell for name, cell in row.cells.items() if name not in table_columns.SENSORS},
        )

    return _read(Path(path), ("sensor", "area"), sensor)


def read_links(path: Path) -> list[Link]:
    """The road graph. Raises: Misconfigured: names file, line, column and value."""
    return _read(
        Path(path), table_columns.LINKS, lambda row: Link(row.text("from"), row.text("to"), row.number("metres", 0))
    )


def read_events(path: Path) -> list[Event]:
    """Maintenance events, by time. Raises: Misconfigured: names file, line, column and value."""

    def event(row: _Row) -> Event:
        kind = row.text("event")
        if kind not in table_columns.EVENT_KINDS:
            raise row.wrong("event", f"must be one of {', '.join(table_columns.EVENT_KINDS)}")
        return Event(row.time("time"), row.text("asset"), kind)

    return sorted(_read(Path(path), table_columns.EVENTS, event), key=lambda found: found.time)


def read_readings(
    path: Path, on_bad_row: Callable[[BadRow], None] | None = None, chunk_rows: int = 100_000
) -> Iterator[Readings]:
    """Readings by time (at one time in the order of the file), in chunks of at most ``chunk_rows``.

    The memory it takes does not grow with the file: DuckDB sorts it in a temporary folder. An empty value is NaN.
    Every bad row is given to ``on_bad_row``, in the order of the file, before the first chunk, and left out.

    Raises:
        Misconfigured: no such file, not a table, or a column is missing.
    """
    table = ReadingsTable(Path(path))
    try:
        for bad in table.bad_rows():
            if on_bad_row is not None:
                on_bad_row(bad)
        yield from table.chunks(chunk_rows)
    finally:
        table.close()


def _read(path: Path, required: Sequence[str], made: Callable[[_Row], T]) -> list[T]:
    try:
        rows = _parquet_rows(path, required) if path.name.endswith(".parquet") else _csv_rows(path, required)
        out = [made(row) for row in rows]
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except (OSError, EOFError, csv.Error, duckdb.Error) as error:
        raise Misconfigured(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    return out


def _csv_rows(path: Path, required: Sequence[str]) -> Iterator[_Row]:
    with open_text(path) as file:
        lines = csv.reader(file, strict=True)
        header = [name.strip() for name in next(lines, [])]
        check_header(path, header, required)
        for cells in lines:
            if not cells:
                continue
            if len(cells) != len(header):
                raise Misconfigured(
                    f"{path} line {lines.line_num}: {len(cells)} cells, the header has {len(header)} columns"
                )
            yield _Row(path, lines.line_num, dict(zip(header, cells, strict=True)))


def _parquet_rows(path: Path, required: Sequence[str]) -> Iterator[_Row]:
    """Rows of a Parquet file as text; the first row is line 2, as in the CSV of the same table."""
    with open_memory(path.parent) as connection:
        result = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
        names = [column[0] for column in result.description]
        times = {column[0] for column in result.description if str(column[1]).startswith("TIMESTAMP")}
        selected = ", ".join(
            f"strftime({_quoted(name)}::TIMESTAMP, '%Y-%m-%dT%H:%M:%S.%gZ')"
            if name in times
            else f"{_quoted(name)}::VARCHAR"
            for name in names
        )
        rows = connection.execute(f"SELECT {selected} FROM read_parquet(?)", [str(path)]).fetchall()
    check_header(path, names, required)
    for line, row in enumerate(rows, start=2):
        yield _Row(path, line, {name: "" if cell is None else cell for name, cell in zip(names, row, strict=True)})


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
