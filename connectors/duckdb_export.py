"""Aggregates of the embedded store as tidy tables, written by DuckDB itself."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from connectors.duckdb_file import literal
from connectors.table_columns import AGGREGATES
from domain.errors import Misconfigured

_FORMATS = {
    ".csv": "FORMAT csv, HEADER",
    ".csv.gz": "FORMAT csv, HEADER, COMPRESSION gzip",
    ".parquet": "FORMAT parquet",
}


def format_of(path: Path) -> str:
    """DuckDB's COPY options for the file's ending.

    Raises:
        Misconfigured: another ending than .csv, .csv.gz and .parquet.
    """
    for ending, options in _FORMATS.items():
        if path.name.endswith(ending):
            return options
    raise Misconfigured(f"{path}: the name must end in .csv, .csv.gz or .parquet")


def copy_query(
    cursor: Any, windows: Sequence[int], series: str | None, window_s: int, start: int, end: int, path: Path
) -> int:
    """Rows with ``start <= window start < end`` by series and time to ``path``; returns how many.

    Times are RFC 3339 text in CSV and timestamps in Parquet; a number that is not known is an empty cell.
    """
    options = format_of(path)
    stamp = "make_timestamp(a.start * 1000)"
    time = f"strftime({stamp}, '%Y-%m-%dT%H:%M:%SZ')" if "csv" in options else f"CAST({stamp} AS TIMESTAMPTZ)"
    columns = {"window_start": time, "window_s": f"CAST({int(window_s)} AS INTEGER)", "series": "s.name"}
    for name in ("mean", "min", "max", "last", "coverage"):
        columns[name] = f"CASE WHEN isnan(a.{name}) THEN NULL ELSE a.{name} END"
    selected = ", ".join(f"{columns.get(name, f'a.{name}')} AS {name}" for name in AGGREGATES)
    # A window length never stored has no table: the same columns of an empty one then.
    table = f"aggregates_{int(window_s)}" if window_s in windows else "(SELECT * FROM aggregates_none)"
    if window_s not in windows:
        cursor.execute(
            "CREATE TEMP TABLE IF NOT EXISTS aggregates_none (series INTEGER, start BIGINT, count BIGINT, mean DOUBLE,"
            " min DOUBLE, max DOUBLE, last DOUBLE, coverage DOUBLE, flag UTINYINT, revision BIGINT)"
        )
    condition = f"a.start >= {int(start)} AND a.start < {int(end)}"
    if series is not None:
        condition += f" AND s.name = {literal(series)}"
    query = (
        f"SELECT {selected} FROM {table} a JOIN series s ON s.id = a.series WHERE {condition} ORDER BY s.name, a.start"
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        row = cursor.execute(f"COPY ({query}) TO {literal(str(path))} ({options})").fetchone()
    except (duckdb.IOException, OSError) as error:
        raise Misconfigured(f"{path} cannot be written: {error}") from None
    return int(row[0])
