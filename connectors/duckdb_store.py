"""The embedded store: history in one DuckDB file, in this process."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import msgspec
import numpy as np

from connectors.duckdb_aggregates import AggregateTables
from connectors.duckdb_export import copy_query
from connectors.duckdb_file import is_fatal, open_file, told_apart
from domain.codec import decode_as, encode
from domain.errors import Rejected, Rejection, Unavailable
from domain.messages import Finding, Forecast, Health, Quarantined
from domain.ports import Result, SeriesInfo
from domain.windows import Aggregates

M = TypeVar("M", bound=msgspec.Struct)

#: Kinds that come in small numbers: key columns with their type, then the message itself as JSON.
_MESSAGES: dict[type[msgspec.Struct], tuple[str, dict[str, str], tuple[str, ...]]] = {
    Finding: ("findings", {"id": "VARCHAR", "phase": "VARCHAR", "time": "BIGINT"}, ("id", "phase", "time")),
    Forecast: ("forecasts", {"series": "VARCHAR", "issued": "BIGINT"}, ("series", "issued")),
    Health: ("health", {"asset": "VARCHAR", "time": "BIGINT"}, ("asset", "time")),
    Quarantined: ("quarantine", {"id": "VARCHAR", "time": "BIGINT", "reason": "VARCHAR"}, ("id",)),
}
_TYPES: dict[str, Callable[[list[Any]], Any]] = {
    "VARCHAR": lambda column: np.array(column, dtype=object),
    "BIGINT": lambda column: np.array(column, dtype=np.int64),
}


class DuckDbStore:
    """``domain.ports.Store`` on one file. Any thread may call; writes take turns, reads run beside them.

    Aggregates are keyed by (series, window_s, start): the same or a newer revision replaces, an older one never does.
    The others are keyed by their ids; the last write of a key holds. A write is one transaction and in the log on disk
    when it returns. Make one store per file: it keeps what it knows of the series in memory.

    Raises:
        Misconfigured: another process holds the file, or it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(path)
        self._lock = threading.RLock()
        self._closed = False
        self._open()

    def _open(self) -> None:
        connection = open_file(self._path)
        try:
            with told_apart(self._path):
                for table, columns, key in _MESSAGES.values():
                    described = ", ".join(f"{name} {kind}" for name, kind in columns.items())
                    described += f", body VARCHAR, PRIMARY KEY ({', '.join(key)})"
                    connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({described})")
                self._tables = AggregateTables(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    # --- writing

    def write(self, results: Iterable[Result]) -> list[Rejection]:
        """One transaction, durable on return. Raises: Unavailable, Full: nothing of it was stored."""
        aggregates: list[Aggregates] = []
        messages: dict[type[msgspec.Struct], list[tuple[Any, ...]]] = {}
        rejections: list[Rejection] = []
        for position, result in enumerate(results):
            try:
                if isinstance(result, Aggregates):
                    _check_text(result.series, result.area)
                    aggregates.append(result)
                else:
                    columns = _MESSAGES[type(result)][1]
                    row = (*(getattr(result, name) for name in columns), encode(result).decode())
                    messages.setdefault(type(result), []).append(row)
            except UnicodeEncodeError as error:
                rejected = Rejected("text", repr(error.object), "not text that can be written as UTF-8")
                rejections.append(Rejection.of(position, rejected))
        if aggregates or messages:
            self._write(aggregates, messages)
        return rejections

    def _write(
        self, aggregates: Sequence[Aggregates], messages: dict[type[msgspec.Struct], list[tuple[Any, ...]]]
    ) -> None:
        with self._lock, self._healthy():
            connection = self._connection
            connection.begin()
            try:
                self._tables.write(connection, aggregates)
                for kind, rows in messages.items():
                    _write_messages(connection, kind, rows)
                connection.commit()
            except BaseException:
                self._tables.rolled_back()
                _rollback(connection)
                raise
            self._tables.committed()

    # --- reading

    def aggregates(self, series: str, window_s: int, start: int, end: int, limit: int) -> Aggregates:
        """Of one series with ``start <= window start < end`` (epoch ms), oldest first, at most ``limit``."""
        with self._cursor() as cursor:
            return self._tables.read(cursor, series, window_s, start, end, limit)

    def series(self) -> list[SeriesInfo]:
        """By name; ``first`` and ``last`` are starts of its 60 s windows, or of the shortest it has."""
        with self._lock:
            return self._tables.series()

    def quarantined(self, start: int, end: int, limit: int) -> list[Quarantined]:
        """Newest first, ``start <= time < end``."""
        return self._messages(Quarantined, "time >= ? AND time < ? ORDER BY time DESC, id", [start, end], limit)

    def quarantine_counts(self) -> dict[str, int]:
        """How many by reason, most first."""
        with self._cursor() as cursor:
            return dict(
                cursor.execute("SELECT reason, count(*) FROM quarantine GROUP BY 1 ORDER BY 2 DESC, 1").fetchall()
            )

    def health(self, asset: str | None, limit: int) -> list[Health]:
        """Newest first, of one asset or of all."""
        if asset is None:
            return self._messages(Health, "true ORDER BY time DESC, asset", [], limit)
        return self._messages(Health, "asset = ? ORDER BY time DESC", [asset], limit)

    def forecasts(self, series: str, limit: int) -> list[Forecast]:
        """Of one series, newest first."""
        return self._messages(Forecast, "series = ? ORDER BY issued DESC", [series], limit)

    def findings(self, start: int, end: int, limit: int) -> list[Finding]:
        """Newest first, ``start <= time < end``."""
        return self._messages(Finding, "time >= ? AND time < ? ORDER BY time DESC, id, phase", [start, end], limit)

    def _messages(self, kind: type[M], condition: str, values: list[Any], limit: int) -> list[M]:
        with self._cursor() as cursor:
            table = _MESSAGES[kind][0]
            rows = cursor.execute(
                f"SELECT body FROM {table} WHERE {condition} LIMIT ?", [*values, max(0, limit)]
            ).fetchall()
        return [decode_as(kind, row[0].encode()) for row in rows]

    # --- taking out

    def copy_aggregates(self, series: str | None, window_s: int, start: int, end: int, path: Path) -> int:
        """Write one series, or all, as the table ``aggregates`` of design.md; the ending says CSV, .csv.gz or Parquet.

        Returns the number of rows. Raises: Misconfigured: unknown ending, or the file cannot be written.
        """
        with self._cursor() as cursor:
            return copy_query(cursor, self._tables.windows(), series, window_s, start, end, Path(path))

    def backup(self) -> None:
        """Fold the write-ahead log into the file, so that a copy of the file alone is complete."""
        with self._lock, self._healthy():
            self._connection.execute("CHECKPOINT")

    def close(self) -> None:
        """Let go of the file; calling it again does nothing."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._connection.close()

    # --- keeping the connection

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        with self._healthy():
            cursor = self._connection.cursor()
            try:
                yield cursor
            finally:
                cursor.close()

    @contextmanager
    def _healthy(self) -> Iterator[None]:
        """Errors told apart; after a fatal one (a full disk at a bad moment) the file is opened again."""
        if self._closed:
            raise Unavailable(f"{self._path} is closed")
        try:
            with told_apart(self._path):
                yield
        except BaseException as error:
            if is_fatal(error.__cause__ or error):
                self._reopen()
            raise

    def _reopen(self) -> None:
        with self._lock:
            self._connection.close()
            self._open()


def _write_messages(connection: Any, kind: type[msgspec.Struct], rows: list[tuple[Any, ...]]) -> None:
    table, columns, key = _MESSAGES[kind]
    at = [list(columns).index(name) for name in key]
    last_of_key = {tuple(row[k] for k in at): row for row in rows}
    named = dict(zip([*columns, "body"], zip(*last_of_key.values(), strict=True), strict=True))
    staged = {name: _TYPES[columns.get(name, "VARCHAR")](list(column)) for name, column in named.items()}
    connection.register("staged", staged)
    connection.execute(f"INSERT OR REPLACE INTO {table} SELECT {', '.join(staged)} FROM staged")
    connection.unregister("staged")


def _check_text(names: Iterable[str], area: str) -> None:
    for name in names:
        name.encode()
    area.encode()


def _rollback(connection: Any) -> None:
    with suppress(duckdb.Error):  # DuckDB may have rolled back by itself
        connection.rollback()
