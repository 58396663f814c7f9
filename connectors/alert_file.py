"""The file of alerts as it is opened: verified from end to end, and a good copy of it beside it.

Made at every start and at every clean stop, the copy stands in for a file that is damaged (which is set aside), and for
single alerts whose checksum does not match.
"""

import logging
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from connectors.sqlite_damage import LogBefore, checksum, set_aside, with_checksums
from domain.errors import Misconfigured, Unavailable

log = logging.getLogger(__name__)

_GOOD = ".good"
_ROWS = "SELECT id, revision, onset, state, area, body, crc FROM alerts"


def open_alerts(path: Path, schema: str) -> tuple[sqlite3.Connection, list[str]]:
    """A connection in autocommit, and what was found to be damaged, in words.

    Raises:
        Misconfigured: it cannot be opened, or is damaged and there is no good copy.
        Unavailable: another process holds it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"{path} cannot be opened: {error}") from None
    damaged: list[str] = []
    try:
        connection = _opened(path, schema, damaged)
    except sqlite3.Error as error:
        if not _is_damage(error):
            raise _refusal(path, error) from None
        if not _good(path).exists():
            raise damage(path, error) from None
        aside = set_aside(path)
        damaged.append(f"{path} was damaged ({_line(error)}): set aside as {aside.name}, its last good copy is used")
        _copy(_good(path), path)
        connection = _opened(path, schema, damaged)
    _mend(connection, path, damaged)
    for words in damaged:
        log.error("alerts: %s", words)
    keep_good_copy(connection, path)
    return connection, damaged


def keep_good_copy(connection: sqlite3.Connection, path: Path) -> None:
    """Copy the file as it is now; a disk that does not take it leaves the copy before in place."""
    new = path.with_name(path.name + _GOOD + ".new")
    try:
        new.unlink(missing_ok=True)
        with closing(sqlite3.connect(new)) as copy:
            connection.backup(copy)
        _sync(new)
        new.replace(_good(path))
        _sync(path.parent)
    except (sqlite3.Error, OSError) as error:
        log.warning("no copy of %s was made: %s", path, error)


def damage(path: Path, error: sqlite3.Error) -> Misconfigured:
    """One line for a damaged file that nothing can stand in for."""
    return Misconfigured(
        f"{path} is damaged or not an alert file ({_line(error)}); move it with its -wal and -shm files away and put a "
        "backup in place, or start without it"
    )


def _opened(path: Path, schema: str, damaged: list[str]) -> sqlite3.Connection:
    before = LogBefore.of(path)
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        trouble = before.trouble(connection)
        connection.executescript(schema)
        with_checksums(connection, "alerts")
    except BaseException:
        connection.close()
        raise
    if trouble:
        damaged.append(f"{path}: {trouble}")
    return connection


def _mend(connection: sqlite3.Connection, path: Path, damaged: list[str]) -> None:
    """Alerts that do not match their checksum are taken from the good copy, or left out."""
    bad = [row[0] for row in _rows(connection) if row[-1] is not None and row[-1] != _checksum(row)]
    if not bad:
        return
    kept: dict[str, tuple[Any, ...]] = {}
    if _good(path).exists():
        with closing(sqlite3.connect(_good(path))) as copy, suppress(sqlite3.DatabaseError):
            good = {row[0] for row in _rows(copy) if row[-1] == _checksum(row)}
            kept = {row[0]: row for row in copy.execute(_ROWS) if row[0].encode() in good}
    connection.execute("BEGIN IMMEDIATE")
    for name in bad:
        connection.execute("DELETE FROM alerts WHERE id = CAST(? AS TEXT)", (name,))
    connection.executemany(
        "INSERT OR REPLACE INTO alerts (id, revision, onset, state, area, body, crc) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [row for name, row in kept.items() if _missing(connection, name)],
    )
    connection.execute("COMMIT")
    taken = sum(not _missing(connection, name) for name in kept)
    damaged.append(f"{path}: {len(bad)} alerts do not match their checksum; {taken} are in the last good copy")


def _rows(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Texts as bytes, for damaged ones need not be UTF-8."""
    connection.text_factory = bytes
    try:
        return connection.execute(_ROWS).fetchall()
    finally:
        connection.text_factory = str


def _missing(connection: sqlite3.Connection, name: str) -> bool:
    return connection.execute("SELECT 1 FROM alerts WHERE id = ?", (name,)).fetchone() is None


def _checksum(row: tuple[object, ...]) -> int:
    return checksum(*(part if isinstance(part, bytes | int | str) else repr(part) for part in row[:-1]))


def _good(path: Path) -> Path:
    return path.with_name(path.name + _GOOD)


def _copy(source: Path, to: Path) -> None:
    to.write_bytes(source.read_bytes())
    _sync(to)


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _is_damage(error: sqlite3.Error) -> bool:
    return not isinstance(error, sqlite3.OperationalError) or "malformed" in str(error)


def _refusal(path: Path, error: sqlite3.Error) -> Misconfigured | Unavailable:
    if "locked" in str(error):
        return Unavailable(f"{path}: {error}")
    return Misconfigured(f"{path} cannot be opened: {error}")


def _line(error: sqlite3.Error) -> str:
    return (str(error).splitlines() or [""])[0]
