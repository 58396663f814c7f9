"""A table of readings of any size, checked and sorted by DuckDB in a temporary folder.

The file is parsed once. Rows that are no readings are kept apart with their line; the others become (time, number of
the series, value), sorted by time and read in slices.
"""

import tempfile
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from pathlib import Path

import duckdb
import numpy as np

from connectors import table_columns
from connectors.duckdb_file import literal, open_memory
from connectors.table_header import check_header, read_header
from domain.errors import Misconfigured, Rejected, shorten
from domain.readings import Readings
from domain.series import parse_series
from domain.times import parse_time

# RFC 3339 as far as DuckDB's cast cannot be trusted to see to it: the zone must be there.
_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)"
_LINE_BYTES_MAX = 2_000_000


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row of a table that is no reading; ``line`` is its line in the file (the header is line 1)."""

    line: int
    field: str
    value: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.field} = {self.value!r}: {self.reason}"


class ReadingsTable:
    """Reads the file when made. Close it: it holds a temporary folder.

    Raises:
        Misconfigured: no such file, not a table, or a column is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            raise Misconfigured(f"{path}: no such file")
        self._folder = tempfile.TemporaryDirectory(prefix="borough-readings-")
        self._connection = open_memory(Path(self._folder.name))
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    def _load(self) -> None:
        run = self._connection.execute
        self._parse()
        run("CREATE TABLE names AS SELECT name, row_number() OVER (ORDER BY name) - 1 AS code FROM"
            " (SELECT DISTINCT series AS name FROM parsed WHERE series IS NOT NULL)")  # fmt: skip
        self._names = [row[0] for row in run("SELECT name FROM names ORDER BY code").fetchall()]
        self._wrong_names = dict(_wrong(self._names))
        run("CREATE TABLE wrong_names (name VARCHAR)")
        if self._wrong_names:
            run("INSERT INTO wrong_names SELECT unnest(?)", [list(self._wrong_names)])
        is_bad = (
            "t IS NULL OR x IS NULL OR NOT isfinite(x) AND NOT missing OR series IS NULL"
            " OR series IN (SELECT name FROM wrong_names)"
        )
        run(f"CREATE TABLE bad AS SELECT n, raw_time, series, raw_value FROM parsed WHERE {is_bad}")
        run("CREATE TABLE sorted AS SELECT t, code::INTEGER AS code, x FROM parsed JOIN names ON name = series"
            " WHERE n NOT IN (SELECT n FROM bad) ORDER BY t, n"
            if run("SELECT count(*) FROM bad").fetchone()[0] else
            "CREATE TABLE sorted AS SELECT t, code::INTEGER AS code, x FROM parsed JOIN names ON name = series"
            " ORDER BY t, n")  # fmt: skip
        run("DROP TABLE parsed")
        self._rows: int = run("SELECT count(*) FROM sorted").fetchone()[0]

    def _parse(self) -> None:
        """Into the table ``parsed``; by the letter of the CSV standard first."""
        create = "CREATE TABLE parsed AS SELECT row_number() OVER () AS n, "
        try:
            try:
                self._connection.execute(create + self._parsed("true"))
            except duckdb.InvalidInputException as error:
                if "strict_mode" not in str(error):
                    raise
                # Line ends of two kinds, a quote amid a cell: read what can be read.
                self._connection.execute(create + self._parsed("false"))
        except duckdb.Error as error:
            raise Misconfigured(f"{self._path} cannot be read: {str(error).splitlines()[0][:300]}") from None

    def _parsed(self, strict: str) -> str:
        """Columns t (µs), x, missing, series, and the raw texts of those that could not be read."""
        if self._path.name.endswith(".parquet"):
            return self._parsed_parquet()
        header = read_header(self._path)
        check_header(self._path, header, table_columns.READINGS)
        named = [name or f"column {k} without a name" for k, name in enumerate(header)]
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in named)
        source = (
            f"read_csv({literal(str(self._path))}, delim=',', quote='\"', escape='\"', header=true, auto_detect=false,"
            f" columns={{{columns}}}, ignore_errors=true, store_rejects=true, rejects_limit=0,"
            f" max_line_size={_LINE_BYTES_MAX}, strict_mode={strict})"
        )
        time = f'CASE WHEN regexp_full_match("time", \'{_TIME}\') THEN epoch_us(try_cast("time" AS TIMESTAMPTZ)) END'
        value = "CASE WHEN NOT contains(value, '_') THEN try_cast(value AS DOUBLE) END"  # the cast reads 1_000
        return _selected(time, value, "trim(coalesce(value, '')) = ''", '"time"', "value") + (
            f' FROM (SELECT "time", series, value FROM {source})'
        )

    def _parsed_parquet(self) -> str:
        source = f"read_parquet({literal(str(self._path))})"
        try:
            described = self._connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        except duckdb.Error as error:
            raise Misconfigured(f"{self._path} cannot be read: {str(error).splitlines()[0][:300]}") from None
        types = {row[0]: str(row[1]) for row in described}
        check_header(self._path, list(types), table_columns.READINGS)
        if types["time"].startswith("TIMESTAMP"):
            time = 'epoch_us(CAST("time" AS TIMESTAMPTZ))'
        else:
            text = 'CAST("time" AS VARCHAR)'
            time = f"CASE WHEN regexp_full_match({text}, '{_TIME}') THEN epoch_us(try_cast({text} AS TIMESTAMPTZ)) END"
        # A file of a data frame writes a missing number as NaN or as null: both are missing.
        missing = "value IS NULL" + (" OR isnan(value)" if types["value"] in ("DOUBLE", "FLOAT") else "")
        return (
            _selected(time, "try_cast(value AS DOUBLE)", missing, 'CAST("time" AS VARCHAR)', "CAST(value AS VARCHAR)")
            + f' FROM (SELECT "time", series, value FROM {source})'
        )

    def bad_rows(self) -> Iterator[BadRow]:
        """In the order of the file."""
        torn = self._torn_rows()
        lines = [bad.line for bad in torn]
        cursor = self._connection.execute("SELECT * FROM bad ORDER BY n")
        rows = iter(lambda: cursor.fetchmany(10_000), [])
        judged = (self._judged(_line(n, lines), *cells) for some in rows for n, *cells in some)
        yield from merge(torn, judged, key=lambda bad: bad.line)

    def _torn_rows(self) -> list[BadRow]:
        """Lines that have not the cells of the header, or are no UTF-8: those the parser itself left out."""
        if self._path.name.endswith(".parquet"):
            return []
        rows = self._connection.execute(
            "SELECT line, any_value(csv_line), any_value(error_message) FROM reject_errors GROUP BY line ORDER BY line"
        ).fetchall()
        return [BadRow(int(line), "row", shorten(text or ""), str(why).splitlines()[0]) for line, text, why in rows]

    def _judged(self, line: int, time: str | None, series: str | None, value: str | None) -> BadRow:
        """The first thing that is wrong with the row, in the words that the gateway uses."""
        if time is None and value is None:  # both could be read
            return self._judged_series(line, series)
        if time is None or not time.strip():
            return BadRow(line, "time", "", "time is missing")
        try:
            parse_time(time)
        except Rejected as error:
            return BadRow(line, "time", error.value, error.reason)
        if series is None or series in self._wrong_names:
            return self._judged_series(line, series)
        if value is None or not value.strip():
            return BadRow(line, "time", shorten(time), "write it as 2026-03-02T06:00:00Z")
        finite = value.strip().lower().lstrip("+-") not in ("nan", "inf", "infinity")
        return BadRow(line, "value", shorten(value), "value is a number" if finite else "value is a finite number")

    def _judged_series(self, line: int, series: str | None) -> BadRow:
        if series is None:
            return BadRow(line, "series", "", "series is missing")
        return BadRow(line, "series", shorten(series), self._wrong_names[series])

    def chunks(self, chunk_rows: int) -> Iterator[Readings]:
        """By time; each chunk names the series it holds."""
        for at in range(0, self._rows, chunk_rows):
            rows = self._connection.execute(
                f"SELECT t, code, x FROM sorted WHERE rowid >= {at} AND rowid < {at + chunk_rows}"
            ).fetchnumpy()
            used, i = np.unique(np.asarray(rows["code"]), return_inverse=True)
            x = np.ma.filled(rows["x"], np.nan) if np.ma.isMaskedArray(rows["x"]) else rows["x"]
            t = np.asarray(rows["t"], dtype=np.int64) // 1_000
            names = [self._names[k] for k in used]
            yield Readings(names, i.astype(np.int32), t, np.asarray(x, dtype=np.float64))

    def close(self) -> None:
        """Delete the temporary folder."""
        self._connection.close()
        self._folder.cleanup()


def _selected(time: str, value: str, missing: str, raw_time: str, raw_value: str) -> str:
    """Raw texts are kept only in rows that may be bad: else most of a large file would be kept twice."""
    doubtful = "t IS NULL OR x IS NULL OR NOT isfinite(x)"
    return (
        f"{time} AS t, {missing} AS missing, CASE WHEN missing THEN 'nan'::DOUBLE ELSE {value} END AS x,"
        " nullif(trim(CAST(series AS VARCHAR)), '') AS series,"
        f" CASE WHEN {doubtful} THEN {raw_time} END AS raw_time, CASE WHEN {doubtful} THEN {raw_value} END AS raw_value"
    )


def _wrong(names: list[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        try:
            parse_series(name)
        except Rejected as error:
            yield name, error.reason


def _line(n: int, torn: list[int]) -> int:
    """Line of the n-th row that was read: the header and the torn lines before it stand above it."""
    line = n + 1
    while (shifted := n + 1 + bisect_right(torn, line)) != line:
        line = shifted
    return line
