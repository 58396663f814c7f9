"""States and messages from which findings can be made again, in one SQLite file of bounded size.

Written by a thread of its own that may fall behind or fail: then evidence is lost, never a reading. Read by anybody,
also while it is written.
"""

import queue
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from domain.errors import Misconfigured, Unavailable

log = structlog.get_logger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS setups (id INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS cuts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, time INTEGER NOT NULL, setup INTEGER NOT NULL,
    state BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS cuts_key ON cuts (key, id);
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, cut INTEGER NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS messages_cut ON messages (cut);
CREATE INDEX IF NOT EXISTS messages_key ON messages (key, id);
"""
_WAITING_MAX = 4_096
_BATCH_S = 0.5
_Entry = tuple[str, str, int, bytes]  # what, key, time, body


@dataclass(frozen=True, slots=True)
class Cut:
    """A state that was kept, and with which setup it was made; ``time`` is the clock of the log, epoch ms."""

    id: int
    key: str
    time: int
    setup: int


class EvidenceFile:
    """Implements ``streams.evidence.Keeper``. ``close`` writes what waits.

    Args:
        path: the file. bytes_max: the oldest states go, with their messages, when the file holds more.
        setup: describes what the analysers are made with; asked at every cut and kept where it has changed.

    Raises:
        Misconfigured: the file cannot be opened.
    """

    def __init__(self, path: Path, bytes_max: int, setup: Callable[[], bytes]) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._setup = setup
        self._waiting: queue.Queue[_Entry | None] = queue.Queue(_WAITING_MAX)
        self._cuts: dict[str, int] = {}
        self._setup_kept: tuple[bytes, int] = (b"", 0)
        self.lost = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = _connected(path)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = OFF")  # evidence that a power cut may take is no harm
            self._db.executescript(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise Misconfigured(f"{path} cannot be opened: {error}; move it away to start a new one") from None
        self._size = int(self._db.execute(_SIZE).fetchone()[0])
        self._thread = threading.Thread(target=self._write, name="evidence", daemon=True)
        self._thread.start()

    # --- the keeper's side: never waits, never raises

    def cut(self, key: str, time: int, state: bytes) -> None:
        self._put(("setup", "", 0, self._setup()))
        self._put(("cut", key, time, state))

    def add(self, key: str, message: bytes) -> bool:
        return self._put(("message", key, 0, message))

    def _put(self, entry: _Entry) -> bool:
        try:
            self._waiting.put_nowait(entry)
        except queue.Full:
            self.lost += 1
            return False
        return True

    def close(self) -> None:
        """Write what waits and let go of the file."""
        self._waiting.put(None)
        self._thread.join()
        self._db.close()

    # --- the thread

    def _write(self) -> None:
        going_on = True
        while going_on:
            batch = [self._waiting.get()]
            threading.Event().wait(_BATCH_S if batch[0] is not None else 0)
            while not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            going_on = None not in batch
            try:
                self._db.execute("BEGIN IMMEDIATE")
                for entry in batch:
                    if entry is not None:
                        self._keep(*entry)
                self._forget()
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                self.lost += len(batch)
                self._cuts.clear()  # what follows belongs to no state until the next cut
                log.warning("evidence could not be kept", path=str(self._path), reason=str(error))
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def _keep(self, what: str, key: str, time: int, body: bytes) -> None:
        if what == "setup":
            if body != self._setup_kept[0]:
                self._setup_kept = (body, self._insert("INSERT INTO setups (body) VALUES (?)", zlib.compress(body, 1)))
            return
        packed = zlib.compress(body, 1)
        if what == "cut":
            row = (key, time, self._setup_kept[1], packed)
            self._cuts[key] = self._insert("INSERT INTO cuts (key, time, setup, state) VALUES (?, ?, ?, ?)", *row)
        elif key in self._cuts:
            self._insert("INSERT INTO messages (cut, key, body) VALUES (?, ?, ?)", self._cuts[key], key, packed)
        self._size += len(packed)

    def _insert(self, statement: str, *values: str | int | bytes) -> int:
        return int(self._db.execute(statement, values).lastrowid or 0)

    def _forget(self) -> None:
        """The oldest states and what followed them, until the file is small enough; the newest of a key stay."""
        while self._size > self._bytes_max:
            oldest = self._db.execute("SELECT min(id) FROM cuts").fetchone()[0]
            if oldest is None or oldest in self._cuts.values():
                return
            self._db.execute("DELETE FROM messages WHERE cut = ?", (oldest,))
            self._db.execute("DELETE FROM cuts WHERE id = ?", (oldest,))
            self._size = int(self._db.execute(_SIZE).fetchone()[0])


_SIZE = """SELECT (SELECT coalesce(sum(length(state)), 0) FROM cuts) +
    (SELECT coalesce(sum(length(body)), 0) FROM messages)"""


class EvidenceReader:
    """The other side. Raises: Misconfigured: there is no such file; Unavailable: it cannot be read just now."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise Misconfigured(f"no evidence is kept in {path}: see the setting evidence_bytes_max")
        self._path = path
        self._db = _connected(path)

    def cuts(self, key: str) -> list[Cut]:
        """Every state of a topic and partition, oldest first."""
        rows = self._rows("SELECT id, key, time, setup FROM cuts WHERE key = ? ORDER BY id", key)
        return [Cut(*row) for row in rows]

    def state(self, cut: Cut) -> bytes:
        return zlib.decompress(self._rows("SELECT state FROM cuts WHERE id = ?", cut.id)[0][0])

    def setup(self, cut: Cut) -> bytes:
        return zlib.decompress(self._rows("SELECT body FROM setups WHERE id = ?", cut.setup)[0][0])

    def messages(self, cut: Cut) -> Iterator[bytes]:
        """What followed a state, up to the end or to where the program was started anew, in order."""
        after = 0
        query = "SELECT id, body FROM messages WHERE key = ? AND cut >= ? AND id > ? ORDER BY id LIMIT 200"
        while rows := self._rows(query, cut.key, cut.id, after):
            yield from (zlib.decompress(row[1]) for row in rows)
            after = rows[-1][0]

    def close(self) -> None:
        self._db.close()

    def _rows(self, query: str, *values: str | int) -> list[Any]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise Unavailable(f"{self._path}: {error}") from None


def _connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
