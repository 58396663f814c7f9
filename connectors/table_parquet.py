"""Finishing touches on written CSV tables: Parquet beside them, and only the newest revision of a window."""

import tempfile
from pathlib import Path

from connectors import table_columns
from connectors.duckdb_file import literal, open_memory

_TYPES = {
    **dict.fromkeys(("window_start", "time", "onset", "raised", "cleared", "issued", "target"), "TIMESTAMPTZ"),
    **dict.fromkeys(("series", "area", "kind", "severity", "alert", "why", "asset", "tests"), "VARCHAR"),
    **dict.fromkeys(("window_s", "within_s"), "INTEGER"),
    **dict.fromkeys(("count", "revision"), "BIGINT"),
    "flag": "UTINYINT",
}


def to_parquet(table: str, source: Path, target: Path) -> None:
    """The CSV ``source``, one of the out tables, as Parquet with typed columns."""
    columns = {name: _TYPES.get(name, "DOUBLE") for name in table_columns.OUT[table]}
    with tempfile.TemporaryDirectory(prefix="borough-table-") as folder, open_memory(Path(folder)) as connection:
        # Text read as text: an empty cell of a text column stays empty, of any other it is missing.
        selected = ", ".join(
            f"coalesce({name}, '') AS {name}" if kind == "VARCHAR" else f"CAST({name} AS {kind}) AS {name}"
            for name, kind in columns.items()
        )
        connection.execute(
            f"COPY (SELECT {selected} FROM {_csv(table, source)}) TO {literal(str(target))} (FORMAT parquet)"
        )


def keep_newest_revision(path: Path) -> None:
    """Rewrite ``aggregates.csv`` with one row per series and window, the others left out; the order stays."""
    fresh = path.with_name(f"{path.name}.new")
    columns = ", ".join(table_columns.AGGREGATES)
    with tempfile.TemporaryDirectory(prefix="borough-table-") as folder, open_memory(Path(folder)) as connection:
        connection.execute(
            f"COPY (SELECT {columns} FROM (SELECT row_number() OVER () AS n, * FROM {_csv('aggregates', path)})"
            " QUALIFY row_number() OVER (PARTITION BY series, window_s, window_start"
            " ORDER BY CAST(revision AS BIGINT) DESC, n DESC) = 1"
            f" ORDER BY n) TO {literal(str(fresh))} (FORMAT csv, HEADER)"
        )
    fresh.replace(path)


def keep_last_judgement(path: Path) -> None:
    """Rewrite ``quality.csv`` with the last row of each reading, where the first stood: it revises the others."""
    fresh = path.with_name(f"{path.name}.new")
    columns = ", ".join(table_columns.QUALITY)
    with tempfile.TemporaryDirectory(prefix="borough-table-") as folder, open_memory(Path(folder)) as connection:
        connection.execute(
            f"COPY (SELECT {columns} FROM (SELECT *, min(n) OVER (PARTITION BY series, time) AS place,"
            " row_number() OVER (PARTITION BY series, time ORDER BY n DESC) AS back"
            f" FROM (SELECT row_number() OVER () AS n, * FROM {_csv('quality', path)}))"
            f" WHERE back = 1 ORDER BY place) TO {literal(str(fresh))} (FORMAT csv, HEADER)"
        )
    fresh.replace(path)


def _csv(table: str, path: Path) -> str:
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in table_columns.OUT[table])
    return (
        f"read_csv({literal(str(path))}, delim=',', quote='\"', escape='\"', header=true, auto_detect=false,"
        f" columns={{{columns}}}, max_line_size=20000000)"
    )
