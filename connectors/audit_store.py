"""What was decided, by whom and why: an append-only table in SQLite whose rows hang together by hashes.

Each row's hash covers the row and the hash of the row before, so that a row that was changed, removed or put in
between is found. Whoever notes the newest hash elsewhere can also tell that nothing was cut off at the end.
"""

import hashlib
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from domain.errors import Misconfigured, Unavailable

_SCHEMA = """
CREATE TABLE IF NOT EXISTS trail (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, time INTEGER NOT NULL, body BLOB NOT NULL,
    before TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS trail_stays BEFORE UPDATE ON trail
    BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END;
CREATE TRIGGER IF NOT EXISTS trail_is_kept BEFORE DELETE ON trail
    BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END;
"""
_COLUMNS = "number, id, kind, time, body, before, hash"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row; ``hash`` covers everything before it."""

    number: int
    id: str
    kind: str
    time: int
    body: bytes
    before: str
    hash: str


@dataclass(frozen=True, slots=True)
class Verified:
    """``entries`` that hang together, the newest ``head``, and the first thing that is ``wrong``, in words."""

    entries: int
    head: str
    wrong: str = ""


class SqliteAuditStore:
    """Any thread may call; an entry is on disk when ``append`` returns. Raises: Misconfigured: it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise Misconfigured(f"audit trail {path} cannot be opened: {error}") from None

    def append(self, kind: str, entry: str, time: int, body: bytes) -> None:
        """The same ``entry`` id again changes nothing. Raises: Unavailable."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    self._append(kind, entry, time, body)
                    self._db.execute("COMMIT")
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise Unavailable(f"{self._path}: {error}") from error

    def _append(self, kind: str, entry: str, time: int, body: bytes) -> None:
        if self._db.execute("SELECT 1 FROM trail WHERE id = ?", (entry,)).fetchone():
            return
        last = self._db.execute("SELECT number, hash FROM trail ORDER BY number DESC LIMIT 1").fetchone() or (0, "")
        number = last[0] + 1
        row = (number, entry, kind, time, body, last[1], hash_of(number, entry, kind, time, body, last[1]))
        self._db.execute("INSERT INTO trail VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def entries(self, kind: str | None = None) -> Iterator[Entry]:
        """Oldest first. Raises: Unavailable."""
        where, values = ("WHERE kind = ?", (kind,)) if kind else ("", ())
        with self._lock:
            try:
                rows = self._db.execute(f"SELECT {_COLUMNS} FROM trail {where} ORDER BY number", values).fetchall()
            except sqlite3.Error as error:
                raise Unavailable(f"{self._path}: {error}") from error
        return (Entry(n, one, kind, time, _bytes(body), *hashes) for n, one, kind, time, body, *hashes in rows)

    def verify(self) -> Verified:
        """Compute every hash anew. Raises: Unavailable."""
        head, count = "", 0
        for entry in self.entries():
            if entry.number != count + 1:
                return Verified(count, head, f"entry {count + 1} is missing")
            if entry.before != head:
                return Verified(count, head, f"entry {entry.number} does not follow the one before")
            if entry.hash != hash_of(entry.number, entry.id, entry.kind, entry.time, entry.body, head):
                return Verified(count, head, f"entry {entry.number} ({entry.kind} {entry.id}) was changed")
            head, count = entry.hash, count + 1
        return Verified(count, head)

    def close(self) -> None:
        with self._lock:
            self._db.close()


def _bytes(body: object) -> bytes:
    """The body as it was written; one that somebody has put there as text can have no hash of ours."""
    return body if isinstance(body, bytes) else str(body).encode() + b"\x00"


def hash_of(number: int, entry: str, kind: str, time: int, body: bytes, before: str) -> str:
    """SHA-256 over the parts, each with its length, so that no two rows can read alike."""
    digest = hashlib.sha256()
    for part in (str(number).encode(), entry.encode(), kind.encode(), str(time).encode(), body, before.encode()):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
