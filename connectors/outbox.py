"""The outbox in a SQLite file: what was accepted and is not yet safe downstream.

WAL with ``synchronous=FULL``: an entry is on the disk when ``append`` returns. One connection, guarded by a lock and
held exclusively, so that two gateways can never hand out the same seq from one file.
"""

import logging
import shutil
import sqlite3
import uuid
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from connectors.sqlite_damage import checksum, with_checksums
from connectors.sqlite_file import open_database, transaction, translated
from domain.errors import Full, Misconfigured
from domain.ports import Entry

log = logging.getLogger(__name__)

SEQ_FIRST = 1
#: An entry's row id is its lane (topic and partition) and its seq: reading and forgetting are ranges of one b-tree.
_LANE_STEP = 1 << 48
_ENTRY_OVERHEAD_BYTES = 32
_DISK_RESERVE_BYTES = 32 << 20  # kept free, so that forgetting can still be written when the disk is full
_FREE_BYTES_MAX = 64 << 20  # more unused pages than this are given back to the disk
_VACUUM_PAGES = 1_024
_FORGET_ENTRIES = 256  # in one transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lanes (
    lane INTEGER PRIMARY KEY, topic TEXT NOT NULL, "partition" INTEGER NOT NULL, next_seq INTEGER NOT NULL,
    crc INTEGER, UNIQUE (topic, "partition"));
CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, key BLOB NOT NULL, value BLOB NOT NULL, crc INTEGER);
CREATE TABLE IF NOT EXISTS damaged (id INTEGER PRIMARY KEY, key BLOB, value BLOB);
"""

_ENTRIES = "SELECT id, key, value, crc FROM entries"
_LANES = 'SELECT lane, topic, "partition", next_seq FROM lanes'


class SqliteOutbox:
    """Implements :class:`domain.ports.Outbox`; blocking, safe to call from several threads.

    ``name`` is the gateway's name of this start: one made with the file and kept in it, and a part that is new at every
    start. So a lost file, or an old copy of it that was put back, cannot give out again what was used before: with a
    new name its seqs are new, and entries of an earlier start keep the name they were written with.

    Args:
        path: the file; it and its ``-wal`` belong to one process at a time.
        bytes_max: how much may wait, keys and values together.
        prefix: what a new gateway name begins with.

    Attributes:
        damaged: what could not be read any more, in words. Such entries are kept in the table ``damaged``.

    Raises:
        Misconfigured: the file is damaged (it is set aside, the message says where), in use, or cannot be written.
    """

    def __init__(self, path: Path, bytes_max: int, prefix: str = "gw") -> None:
        if bytes_max <= 0:
            raise Misconfigured(f"outbox limit is {bytes_max} bytes: it must be above 0")
        self.path = path
        self.bytes_max = bytes_max
        self._lock = Lock()
        self.damaged: list[str] = []
        self._db = open_database(path, "outbox", _SCHEMA, _verify_heads, self._say)
        try:
            self._depth = self._bytes = 0
            self._put_aside([row for row in self._db.execute(_ENTRIES) if not _intact(row)])
            self.name = f"{self._gateway_name(prefix)}.{uuid.uuid4().hex[:6]}"
            self._lanes: dict[tuple[str, int], int] = {}
            self._next: dict[tuple[str, int], int] = {}
            for lane, topic, partition, next_seq in self._db.execute(_LANES):
                self._lanes[topic, partition] = lane
                self._next[topic, partition] = next_seq
            self._depth, self._bytes = self._measure(0, 1 << 62)
        except BaseException:
            self._db.close()
            raise

    def next_seq(self, topic: str, partition: int) -> int:
        """See :class:`domain.ports.Outbox`."""
        return self._next.get((topic, partition), SEQ_FIRST)

    def append(self, entries: Sequence[Entry]) -> None:
        """See :class:`domain.ports.Outbox`.

        Raises:
            ValueError: a seq that is not the next one of its topic and partition (a bug of the caller).
            Full, Unavailable: nothing was taken.
        """
        with self._lock:
            following: dict[tuple[str, int], int] = {}
            for entry in entries:
                key = entry.topic, entry.partition
                expected = following.get(key, self._next.get(key, SEQ_FIRST))
                if entry.seq < expected:
                    raise ValueError(f"seq {entry.seq} of {key} was given out before; the next one is {expected}")
                following[key] = entry.seq + 1
            size = sum(_size(len(entry.key), len(entry.value)) for entry in entries)
            self._check_room(size)
            with transaction(self._db, self.path):
                for key, next_seq in following.items():
                    self._save_lane(key, next_seq)
                self._db.executemany(
                    "INSERT INTO entries (id, key, value, crc) VALUES (?, ?, ?, ?)",
                    map(self._row, entries),
                )
            self._next.update(following)
            self._depth += len(entries)
            self._bytes += size

    def read(self, topic: str, partition: int, after_seq: int, limit: int) -> list[Entry]:
        """See :class:`domain.ports.Outbox`."""
        with self._lock:
            if (topic, partition) not in self._lanes:
                return []
            base = self._id(topic, partition, 0)
            with translated(self.path):
                rows = self._db.execute(
                    "SELECT id, key, value, crc FROM entries WHERE id > ? AND id < ? ORDER BY id LIMIT ?",
                    (base + max(after_seq, 0), base + _LANE_STEP, limit),
                ).fetchall()
            bad = [row for row in rows if not _intact(row)]
            self._put_aside(bad)
        return [Entry(topic, partition, row[0] - base, row[1], row[2]) for row in rows if row not in bad]

    def forget(self, topic: str, partition: int, up_to_seq: int) -> None:
        """See :class:`domain.ports.Outbox`; not synced: after a power cut an entry may come once more, as a repeat."""
        while self._forget_some(topic, partition, up_to_seq):
            pass  # the lock is free in between: appending does not wait for a long clearing out

    def _forget_some(self, topic: str, partition: int, up_to_seq: int) -> bool:
        with self._lock:
            if (topic, partition) not in self._lanes:
                return False
            first, last = self._id(topic, partition, 0), self._id(topic, partition, min(up_to_seq, _LANE_STEP - 1))
            with translated(self.path):
                (last,) = self._db.execute(
                    "SELECT max(id) FROM (SELECT id FROM entries WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?)",
                    (first, last, _FORGET_ENTRIES),
                ).fetchone()
                if last is None:
                    return False
                count, size = self._measure(first, last)
                self._db.execute("PRAGMA synchronous=NORMAL")
            try:
                with transaction(self._db, self.path):
                    self._db.execute("DELETE FROM entries WHERE id BETWEEN ? AND ?", (first, last))
                self._depth -= count
                self._bytes -= size
                self._shrink()
            finally:
                with translated(self.path):
                    self._db.execute("PRAGMA synchronous=FULL")
            return count == _FORGET_ENTRIES

    def depth(self) -> int:
        """See :class:`domain.ports.Outbox`."""
        return self._depth

    def bytes_waiting(self) -> int:
        """How much of ``bytes_max`` is used."""
        return self._bytes

    def close(self) -> None:
        """Let go of the file; what was appended stays."""
        with self._lock:
            self._db.close()

    def _row(self, entry: Entry) -> tuple[int, bytes, bytes, int]:
        number = self._id(entry.topic, entry.partition, entry.seq)
        return number, entry.key, entry.value, checksum(number, entry.key, entry.value)

    def _put_aside(self, rows: list[tuple[int, bytes, bytes, int | None]]) -> None:
        if not rows:
            return
        with transaction(self._db, self.path):
            numbers = [row[:1] for row in rows]
            copy = "INSERT OR REPLACE INTO damaged SELECT id, key, value FROM entries WHERE id = ?"
            self._db.executemany(copy, numbers)  # within the file: what is no longer text stays as it is
            self._db.executemany("DELETE FROM entries WHERE id = ?", numbers)
        self._depth, self._bytes = self._measure(0, 1 << 62)
        self._say(f"{len(rows)} entries do not match their checksum and were put aside in the table damaged")

    def _say(self, trouble: str) -> None:
        self.damaged.append(f"{self.path}: {trouble}")
        log.error("the outbox is damaged: accepted readings may be lost. %s: %s", self.path, trouble)

    def _gateway_name(self, prefix: str) -> str:
        row = self._db.execute("SELECT value FROM facts WHERE name = 'gateway'").fetchone()
        if row is not None:
            return str(row[0])
        name = f"{prefix}-{uuid.uuid4().hex[:8]}"
        with transaction(self._db, self.path):
            self._db.execute("INSERT INTO facts VALUES ('gateway', ?, ?)", (name, checksum("gateway", name)))
        return name

    def _id(self, topic: str, partition: int, seq: int) -> int:
        return self._lanes[topic, partition] * _LANE_STEP + seq

    def _save_lane(self, key: tuple[str, int], next_seq: int) -> None:
        # A lane made in a transaction that fails stays in memory with its number; it is written with the next one.
        lane = self._lanes.setdefault(key, len(self._lanes))
        self._db.execute(
            'INSERT INTO lanes (lane, topic, "partition", next_seq, crc) VALUES (?, ?, ?, ?, ?)'
            " ON CONFLICT (lane) DO UPDATE SET next_seq = excluded.next_seq, crc = excluded.crc",
            (lane, *key, next_seq, checksum(lane, *key, next_seq)),
        )

    def _measure(self, first: int, last: int) -> tuple[int, int]:
        with translated(self.path):
            count, content = self._db.execute(
                "SELECT count(*), coalesce(sum(length(key) + length(value)), 0) FROM entries WHERE id BETWEEN ? AND ?",
                (first, last),
            ).fetchone()
        return count, content + count * _ENTRY_OVERHEAD_BYTES

    def _check_room(self, size: int) -> None:
        if self._bytes + size > self.bytes_max:
            raise Full(f"outbox {self.path} is full: {self._bytes} of {self.bytes_max} bytes wait to go downstream")
        free = shutil.disk_usage(self.path.parent).free
        if free - size < _DISK_RESERVE_BYTES:
            raise Full(f"disk of the outbox {self.path} is full: {free} bytes free")

    def _shrink(self) -> None:
        (free,) = self._db.execute("PRAGMA freelist_count").fetchone()
        (page,) = self._db.execute("PRAGMA page_size").fetchone()
        if free * page > _FREE_BYTES_MAX:
            with translated(self.path):
                self._db.execute(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})").fetchall()


def _verify_heads(db: sqlite3.Connection) -> None:
    """The gateway's name and the lanes, without which no entry can be placed. Raises: sqlite3.DatabaseError."""
    for table in ("facts", "lanes", "entries"):
        with_checksums(db, table)
    heads = [
        *db.execute("SELECT name, value, crc FROM facts"),
        *db.execute('SELECT lane, topic, "partition", next_seq, crc FROM lanes'),
    ]
    for *columns, crc in heads:
        if crc is not None and crc != checksum(*columns):
            raise sqlite3.DatabaseError(f"{columns[0]} does not match its checksum")


def _intact(row: tuple[int, bytes, bytes, int | None]) -> bool:
    """An entry of an earlier program has no checksum: it is taken as it is."""
    number, key, value, crc = row
    if not isinstance(key, bytes) or not isinstance(value, bytes):
        return False
    return crc is None or crc == checksum(number, key, value)


def _size(key: int, value: int) -> int:
    return key + value + _ENTRY_OVERHEAD_BYTES
