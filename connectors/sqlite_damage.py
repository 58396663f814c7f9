"""What SQLite does not notice: bytes flipped inside a row, and a write-ahead log whose end it passes over in silence.

A row's own checksum is kept beside it. Of the log, SQLite takes the transactions up to the first frame that does not
verify, as after a crash; frames of the same generation that lie behind it mean that more than a crash has happened.
"""

import sqlite3
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

_HEADER = struct.Struct(">8I")  # magic, format, page size, checkpoint, two salts, two sums
_GENERATIONS_MAX = 1 << 20
_FRAME = struct.Struct(">6I")  # page, size after commit, two salts, two sums


def checksum(*parts: bytes | int | str) -> int:
    """CRC-32 of the columns of a row."""
    crc = 0
    for part in parts:
        crc = zlib.crc32(part if isinstance(part, bytes) else str(part).encode(), crc)
        crc = zlib.crc32(b"\x1f", crc)
    return crc


def with_checksums(db: sqlite3.Connection, table: str) -> None:
    """Give a table of an earlier program its column ``crc``; rows without one cannot be verified."""
    if "crc" not in {row[1] for row in db.execute(f"PRAGMA table_info({table})")}:
        db.execute(f"ALTER TABLE {table} ADD COLUMN crc INTEGER")


@dataclass(frozen=True, slots=True)
class LogBefore:
    """What the write-ahead log looked like before SQLite opened it: frames of its generation, and what is odd."""

    frames: int
    odd: str

    @classmethod
    def of(cls, database: Path) -> "LogBefore":
        """Reads only the heads of the frames."""
        try:
            with database.with_name(database.name + "-wal").open("rb") as file:
                size = file.seek(0, 2)
                file.seek(0)
                head = file.read(_HEADER.size)
                if len(head) < _HEADER.size:
                    return cls(0, "its log ends within the first bytes" if size else "")
                _, _, page_size, _, *salts, _, _ = _HEADER.unpack(head)
                page_size = page_size if 512 <= page_size <= 65_536 else 8_192
                step = _FRAME.size + page_size
                whole, rest = divmod(size - _HEADER.size, step)
                ours = 0
                for k in range(whole):
                    file.seek(_HEADER.size + k * step)
                    page, _, *frame_salts, _, _ = _FRAME.unpack(file.read(_FRAME.size))
                    behind = (salts[0] - frame_salts[0]) & 0xFFFFFFFF  # the salt rises by one each generation
                    if page == 0 or frame_salts[1] == salts[1] or not 0 < behind < _GENERATIONS_MAX:
                        ours = k + 1
        except OSError:
            return cls(0, "")
        return cls(max(ours, 1 if whole else 0), "its log ends within a frame" if rest else "")

    def trouble(self, db: sqlite3.Connection) -> str:
        """What SQLite has left out, in words; empty when it has taken everything. Ask right after opening."""
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        _, frames, _ = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if self.frames > max(frames, 0):
            return f"{self.frames - max(frames, 0)} pages at the end of its log do not verify and were left out"
        return self.odd


def set_aside(path: Path) -> Path:
    """Move a file that cannot be used, with its log, to a name of its own beside it; that name."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-shm", ""):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.rename(aside.with_name(aside.name + suffix))
    return aside
