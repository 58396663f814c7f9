"""The aggregate tables of the embedded store.

One table per window length, rows in the order in which they were written, so nearly in the order of time: DuckDB's
row-group statistics then serve as the index of a range of time, and no index grows with the years. What makes a write
cheap is the *extent* of each series in each table, kept in memory and in the file: a row newer than the newest known
of its series cannot be there yet, so only the others are looked up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.ports import SeriesInfo
from domain.readings import Floats, Ints, Rows
from domain.windows import Aggregates

_NEVER = np.int64(np.iinfo(np.int64).min)
_VALUES = ("count", "mean", "min", "max", "last", "coverage", "flag", "revision")
_DTYPES: tuple[type[np.generic], ...] = (
    np.int64, np.float64, np.float64, np.float64, np.float64, np.float64, np.uint8, np.int64,
)  # fmt: skip
_COLUMNS = ", ".join(("series", "start", *_VALUES))
_TABLE = (
    "CREATE TABLE IF NOT EXISTS aggregates_{} (series INTEGER, start BIGINT, count BIGINT, mean DOUBLE, min DOUBLE,"
    " max DOUBLE, last DOUBLE, coverage DOUBLE, flag UTINYINT, revision BIGINT)"
)
_LATEST_WINDOW_S = 60

Columns = dict[str, NDArray[Any]]


@dataclass(slots=True)
class _Extent:
    """Start of the oldest and newest window of each series (by its number) in one table, and its newest ``last``."""

    first: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    newest: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    latest: Floats = field(default_factory=lambda: np.empty(0))

    def grown(self, n: int) -> "_Extent":
        """A copy with room for ``n`` series."""
        more = max(0, n - len(self.newest))
        return _Extent(
            np.concatenate([self.first, np.full(more, _NEVER)]),
            np.concatenate([self.newest, np.full(more, _NEVER)]),
            np.concatenate([self.latest, np.full(more, np.nan)]),
        )


class AggregateTables:
    """Writes and reads aggregates on a connection it is given. Not thread-safe: the store serialises the writes.

    ``write`` runs inside the caller's transaction; call ``committed`` or ``rolled_back`` after it.
    """

    def __init__(self, connection: Any) -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS series (id INTEGER, name VARCHAR, area VARCHAR)")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS extents (window_s INTEGER, series INTEGER, first BIGINT, newest BIGINT,"
            " latest DOUBLE)"
        )
        self._names: list[str] = []
        self._areas: list[str] = []
        self._ids: dict[str, int] = {}
        self._extents: dict[int, _Extent] = {}
        for number, name, area in connection.execute("SELECT id, name, area FROM series ORDER BY id").fetchall():
            self._ids[name] = number
            self._names.append(name)
            self._areas.append(area)
        for (window_s,) in connection.execute("SELECT DISTINCT window_s FROM extents").fetchall():
            self._extents[window_s] = self._load(connection, window_s)
        self._pending: dict[int, _Extent] = {}
        self._registered = len(self._names)
        self._moved: dict[int, str] = {}

    def _load(self, connection: Any, window_s: int) -> _Extent:
        rows = connection.execute("SELECT * FROM extents WHERE window_s = ?", [window_s]).fetchnumpy()
        extent = _Extent().grown(len(self._names))
        extent.first[rows["series"]] = rows["first"]
        extent.newest[rows["series"]] = rows["newest"]
        extent.latest[rows["series"]] = _column(rows["latest"], np.float64)
        return extent

    def write(self, connection: Any, batches: Sequence[Aggregates]) -> None:
        """Put the batches in; an older revision never replaces a newer one, whatever the order they come in."""
        by_window: dict[int, list[Aggregates]] = {}
        for batch in batches:
            if len(batch):
                by_window.setdefault(batch.window_s, []).append(batch)
        numbers = {id(batch): self._numbers(batch) for group in by_window.values() for batch in group}
        self._register(connection)
        for window_s, group in by_window.items():
            self._write_table(connection, window_s, _joined(group, [numbers[id(batch)] for batch in group]))

    def committed(self) -> None:
        self._extents.update(self._pending)
        self._pending = {}
        for number, area in self._moved.items():
            self._areas[number] = area
        self._moved = {}
        self._registered = len(self._names)

    def rolled_back(self) -> None:
        for name in self._names[self._registered :]:
            del self._ids[name]
        del self._names[self._registered :]
        del self._areas[self._registered :]
        self._pending = {}
        self._moved = {}

    def _numbers(self, batch: Aggregates) -> NDArray[np.int32]:
        used = np.zeros(len(batch.series), dtype=bool)
        used[batch.i] = True
        out = np.full(len(batch.series), -1, dtype=np.int32)
        for k in np.flatnonzero(used):
            name = batch.series[k]
            number = self._ids.get(name)
            if number is None:
                number = self._ids[name] = len(self._names)
                self._names.append(name)
                self._areas.append(batch.area)
            elif self._areas[number] != batch.area and number < self._registered:
                self._moved[number] = batch.area
            out[k] = number
        return out

    def _register(self, connection: Any) -> None:
        fresh = range(self._registered, len(self._names))
        if fresh:
            connection.execute(
                "INSERT INTO series SELECT unnest(?), unnest(?), unnest(?)",
                [list(fresh), self._names[fresh.start :], self._areas[fresh.start :]],
            )
        for number, area in self._moved.items():
            connection.execute("UPDATE series SET area = ? WHERE id = ?", [area, number])

    def _write_table(self, connection: Any, window_s: int, rows: Columns) -> None:
        if window_s not in self._extents:
            connection.execute(_TABLE.format(int(window_s)))
        extent = self._extents.get(window_s, _Extent()).grown(len(self._names))
        perhaps_there = rows["start"] <= extent.newest[rows["series"]]
        if perhaps_there.any():
            kept = np.ones(len(perhaps_there), dtype=bool)
            kept[self._replaced(connection, window_s, rows, np.flatnonzero(perhaps_there))] = False
            rows = {name: column[kept] for name, column in rows.items()}
        if len(rows["start"]) == 0:
            return
        connection.register("staged", rows)
        connection.execute(f"INSERT INTO aggregates_{int(window_s)} SELECT {_COLUMNS} FROM staged")
        connection.unregister("staged")
        self._extend(connection, window_s, extent, rows)

    def _replaced(self, connection: Any, window_s: int, rows: Columns, at: NDArray[np.intp]) -> NDArray[np.int64]:
        """Delete the stored rows that those ``at`` replace; positions of the rows that must not be written."""
        looked_up = {name: rows[name][at] for name in ("series", "start", "revision")}
        connection.register("looked_up", {"position": at.astype(np.int64), **looked_up})
        table = f"aggregates_{int(window_s)}"
        span = [int(looked_up["start"].min()), int(looked_up["start"].max())]
        on = "old.start BETWEEN ? AND ? AND old.series = new.series AND old.start = new.start"
        newer = connection.execute(
            f"SELECT position FROM {table} old, looked_up new WHERE {on} AND old.revision > new.revision", span
        ).fetchnumpy()["position"]
        connection.execute(
            f"DELETE FROM {table} old USING looked_up new WHERE {on} AND old.revision <= new.revision", span
        )
        connection.unregister("looked_up")
        return np.asarray(newer, dtype=np.int64)

    def _extend(self, connection: Any, window_s: int, extent: _Extent, rows: Columns) -> None:
        order = np.lexsort((rows["start"], rows["series"]))
        series, start, last = rows["series"][order], rows["start"][order], rows["last"][order]
        ends = np.flatnonzero(np.append(series[1:] != series[:-1], True))
        begins = np.append(0, ends[:-1] + 1)
        touched = series[ends]
        known = extent.first[touched] != _NEVER
        extent.first[touched] = np.where(known, np.minimum(extent.first[touched], start[begins]), start[begins])
        newer = start[ends] >= extent.newest[touched]
        extent.latest[touched[newer]] = last[ends][newer]
        extent.newest[touched] = np.maximum(extent.newest[touched], start[ends])
        values = {
            "series": touched,
            "first": extent.first[touched],
            "newest": extent.newest[touched],
            "latest": extent.latest[touched],
        }
        connection.register("touched", values)
        connection.execute(
            "UPDATE extents SET first = t.first, newest = t.newest, latest = t.latest FROM touched t"
            " WHERE extents.window_s = ? AND extents.series = t.series",
            [window_s],
        )
        if not known.all():
            connection.register("fresh", {name: column[~known] for name, column in values.items()})
            connection.execute(
                "INSERT INTO extents SELECT CAST(? AS INTEGER), series, first, newest, latest FROM fresh", [window_s]
            )
            connection.unregister("fresh")
        connection.unregister("touched")
        self._pending[window_s] = extent

    def read(self, connection: Any, name: str, window_s: int, start: int, end: int, limit: int) -> Aggregates:
        """Of one series, oldest first; empty when the series or the window length is not known."""
        number, extent = self._ids.get(name), self._extents.get(window_s)
        if number is None or extent is None or limit <= 0 or end <= start:
            return _empty(name, window_s)
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM aggregates_{int(window_s)} WHERE series = ? AND start >= ? AND start < ?"
            " ORDER BY start LIMIT ?",
            [number, start, end, limit],
        ).fetchnumpy()
        columns = [_column(rows[name], kind) for name, kind in zip(_VALUES, _DTYPES, strict=True)]
        starts = np.asarray(rows["start"], dtype=np.int64)
        return Aggregates(self._areas[number], window_s, [name], np.zeros(len(starts), np.int32), starts, *columns)

    def series(self) -> list[SeriesInfo]:
        """From the extents alone: as fast after years as on the first day."""
        windows = sorted(self._extents, key=lambda window_s: (window_s != _LATEST_WINDOW_S, window_s))
        tables = [self._extents[window_s].grown(len(self._names)) for window_s in windows]
        out = []
        for name in sorted(self._ids):
            k = self._ids[name]
            found = next((extent for extent in tables if extent.newest[k] != _NEVER), None)
            if found is not None:
                first, newest, latest = int(found.first[k]), int(found.newest[k]), float(found.latest[k])
                out.append(SeriesInfo(name, self._areas[k], first, newest, latest))
        return out

    def windows(self) -> list[int]:
        """Window lengths that have a table, seconds."""
        return sorted(self._extents)

    def known(self, name: str) -> bool:
        return name in self._ids


def _joined(group: Sequence[Aggregates], numbers: Sequence[Rows]) -> Columns:
    """The batches of one window length as columns, each (series, start) once: highest revision, then the last come."""
    rows: Columns = {"series": np.concatenate([n[b.i] for b, n in zip(group, numbers, strict=True)])}
    rows["start"] = np.concatenate([np.asarray(batch.start, dtype=np.int64) for batch in group])
    for name, kind in zip(_VALUES, _DTYPES, strict=True):
        rows[name] = np.concatenate([np.asarray(getattr(batch, name), dtype=kind) for batch in group])
    order = np.lexsort((rows["revision"], rows["series"], rows["start"]))
    series, start = rows["series"][order], rows["start"][order]
    newest = np.append((series[1:] != series[:-1]) | (start[1:] != start[:-1]), True)
    return {name: column[order[newest]] for name, column in rows.items()}


def _column(column: NDArray[Any], kind: type[np.generic]) -> NDArray[Any]:
    """DuckDB takes NaN in as NULL and gives a masked array back."""
    values = np.ma.filled(column.astype(kind), np.nan) if np.ma.isMaskedArray(column) else column
    return np.asarray(values, dtype=kind)


def _empty(name: str, window_s: int) -> Aggregates:
    columns = [np.empty(0, dtype=kind) for kind in _DTYPES]
    return Aggregates("", window_s, [name], np.empty(0, np.int32), np.empty(0, np.int64), *columns)
