"""Every alert ever raised, in one SQLite file beside the series."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.alert_file import damage, keep_good_copy, open_alerts
from connectors.sqlite_damage import checksum
from domain.codec import decode_as, encode
from domain.errors import Full, Misconfigured, Unavailable
from domain.messages import Alert
from domain.ports import Change

_SCHEMA = """
CREATE TABLE IF NOT EXISTS alerts (
    id TEXT PRIMARY KEY, revision INTEGER NOT NULL, onset INTEGER NOT NULL, state TEXT NOT NULL, area TEXT NOT NULL,
    body BLOB NOT NULL, crc INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alerts_newest ON alerts (onset DESC, id DESC);
CREATE INDEX IF NOT EXISTS alerts_state ON alerts (state, onset DESC, id DESC);
CREATE TABLE IF NOT EXISTS changes (id INTEGER PRIMARY KEY AUTOINCREMENT, alert TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS marks (
    topic TEXT NOT NULL, partition INTEGER NOT NULL, instance TEXT NOT NULL, next_offset INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)) WITHOUT ROWID;
"""
_STATES_OF = {"active": ("open", "acknowledged")}
_UPSERT = """
INSERT INTO alerts (id, revision, onset, state, area, body, crc) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, onset = excluded.onset, state = excluded.state,
    area = excluded.area, body = excluded.body, crc = excluded.crc
WHERE excluded.revision > alerts.revision
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a topic's partition has been worked into the alerts; ``instance`` names the broker that gave the offset
    (an embedded broker starts anew each time, so its old offsets mean nothing)."""

    topic: str
    partition: int
    instance: str
    next_offset: int


class SqliteAlertStore:
    """``domain.ports.AlertStore``. Any thread may call. Each put is one transaction, on disk when it returns.

    Attributes:
        damaged: what was found damaged when it was opened, in words.

    Raises:
        Misconfigured: the file cannot be opened, or is damaged and has no good copy beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(path)
        self._lock = threading.RLock()
        self._closed = False
        self._connection, self.damaged = open_alerts(self._path, _SCHEMA)

    # --- writing

    def put(self, alerts: Sequence[Alert]) -> list[Change]:
        """Keep each alert whose revision is newer than the one kept; return what changed. Raises: Unavailable, Full."""
        return self.put_with_marks(alerts, ())

    def put_with_marks(self, alerts: Sequence[Alert], marks: Sequence[Mark]) -> list[Change]:
        """The alerts and the offsets up to which they account for the findings, in one transaction: both or neither.

        Raises: Unavailable, Full.
        """
        changed: list[Change] = []
        with self._transaction() as connection:
            for alert in alerts:
                row = (alert.id, alert.revision, alert.onset, alert.state, alert.area, encode(alert))
                if connection.execute(_UPSERT, (*row, checksum(*row))).rowcount:
                    cursor = connection.execute("INSERT INTO changes (alert) VALUES (?)", (alert.id,))
                    changed.append(Change(int(cursor.lastrowid or 0), alert))
            connection.executemany(
                "INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?)",
                [(mark.topic, mark.partition, mark.instance, mark.next_offset) for mark in marks],
            )
        return changed

    # --- reading

    def get(self, alert: str) -> Alert | None:
        """The alert with this id."""
        rows = self._rows("SELECT body FROM alerts WHERE id = ?", (alert,))
        return _alert(rows[0][0]) if rows else None

    def find(self, state: str | None, area: str | None, before: tuple[int, str] | None, limit: int) -> list[Alert]:
        """Newest first by (onset, id), those before a cursor; ``state`` may be ``active`` (open or acknowledged)."""
        conditions, values = ["true"], list[int | str]()
        if state is not None:
            states = _STATES_OF.get(state, (state,))
            conditions.append(f"state IN ({', '.join('?' * len(states))})")
            values += states
        if area is not None:
            conditions.append("area = ?")
            values.append(area)
        if before is not None:
            conditions.append("(onset, id) < (?, ?)")
            values += before
        values.append(max(0, limit))
        where = " AND ".join(conditions)
        rows = self._rows(f"SELECT body FROM alerts WHERE {where} ORDER BY onset DESC, id DESC LIMIT ?", tuple(values))
        return [_alert(row[0]) for row in rows]

    def changes(self, after: int, limit: int) -> list[Change]:
        """Changes with a greater id, oldest first, each alert as it is now."""
        rows = self._rows(
            "SELECT changes.id, body FROM changes JOIN alerts ON alerts.id = changes.alert"
            " WHERE changes.id > ? ORDER BY changes.id LIMIT ?",
            (after, max(0, limit)),
        )
        return [Change(row[0], _alert(row[1])) for row in rows]

    def last_change(self) -> int:
        """The id of the newest change, 0 when there is none."""
        return int(self._rows("SELECT coalesce(max(id), 0) FROM changes", ())[0][0])

    def marks(self) -> list[Mark]:
        """How far each topic's partition has been worked in."""
        rows = self._rows("SELECT topic, partition, instance, next_offset FROM marks ORDER BY 1, 2", ())
        return [Mark(*row) for row in rows]

    def close(self) -> None:
        """Let go of the file; calling it again does nothing."""
        with self._lock:
            if not self._closed:
                keep_good_copy(self._connection, self._path)
            self._closed = True
            self._connection.close()

    # --- the connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise _running(self._path, error) from error

    def _rows(self, query: str, values: tuple[int | str, ...]) -> list[Any]:
        with self._lock:
            try:
                return self._connection.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise _running(self._path, error) from error


def _alert(body: bytes) -> Alert:
    return decode_as(Alert, body)


def _running(path: Path, error: sqlite3.Error) -> Misconfigured | Unavailable:
    text = str(error)
    if "full" in text:
        return Full(f"{path}: the disk is full")
    if "malformed" in text or "not a database" in text:
        return damage(path, error)
    return Unavailable(f"{path}: {text}")
