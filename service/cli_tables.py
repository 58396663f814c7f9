"""How rows are printed or written: CSV, JSON or a table for people. Data goes to stdout and nothing else does."""

import csv
import gzip
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO

from domain.errors import Misconfigured
from service.history import Item

FORMATS = ("table", "csv", "json")


def chosen_format(given: str | None) -> str:
    """The format asked for; else a table on a terminal and CSV in a pipe. Raises: Misconfigured."""
    if given is None:
        return "table" if sys.stdout.isatty() else "csv"
    if given not in FORMATS:
        raise Misconfigured(f"--format: '{given}' is not one of {', '.join(FORMATS)}")
    return given


def print_rows(columns: Sequence[str], rows: Iterable[Item], form: str) -> int:
    """Print all rows on stdout as ``form``; returns how many. Nothing is printed when the first row cannot be had."""
    rows = _started(rows)
    return {"csv": _csv, "json": _json, "table": _table}[form](columns, rows, sys.stdout)


def _started(rows: Iterable[Item]) -> Iterable[Item]:
    each = iter(rows)
    return chain(list(islice(each, 1)), each)


def write_csv(columns: Sequence[str], rows: Iterable[Item], path: Path) -> int:
    """Write all rows to ``path`` (gzip when it ends in .gz), complete or not at all; returns how many."""
    with _replacing(path) as file:
        return _csv(columns, rows, file)


@contextmanager
def _replacing(path: Path) -> Iterator[TextIO]:
    temporary = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        opener: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
        with opener(temporary, "wt", encoding="utf-8", newline="") as file:
            yield file
        temporary.replace(path)
    except OSError as error:
        raise Misconfigured(f"--out: {path} cannot be written: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)


def _csv(columns: Sequence[str], rows: Iterable[Item], out: TextIO) -> int:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in columns])
        count += 1
    return count


def _json(columns: Sequence[str], rows: Iterable[Item], out: TextIO) -> int:
    """One object, written row by row, so that years of rows need no memory."""
    out.write('{"data":[')
    count = 0
    for row in rows:
        plain = {name: None if value != value else value for name, value in row.items()}
        out.write(("," if count else "") + "\n" + json.dumps(plain, ensure_ascii=False))
        count += 1
    out.write(f'\n],"meta":{{"count":{count}}},"links":{{}}}}\n')
    return count


def _table(columns: Sequence[str], rows: Iterable[Item], out: TextIO) -> int:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    count = 0
    for row in rows:
        table.add_row(*(Text(_rounded(row.get(name))) for name in columns))
        count += 1
    # In a pipe there is no width to fit: cells are never cut.
    Console(file=out, width=None if out.isatty() else 10_000).print(table)
    return count


def _cell(value: Any) -> Any:
    if value is None or value != value:
        return ""
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, dict):
        return value.get("sentence", value.get("value", json.dumps(value, ensure_ascii=False)))
    return value


def _rounded(value: Any) -> str:
    cell = _cell(value)
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)
