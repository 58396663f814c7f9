"""SQLite files that a gateway depends on: opened for one process, checked, every commit synced, errors translated."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.sqlite_damage import LogBefore, set_aside
from domain.errors import Full, Misconfigured, Unavailable

FORMAT = 1


def open_database(
    path: Path,
    what: str,
    schema: str,
    verify: Callable[[sqlite3.Connection], None] = lambda db: None,
    told: Callable[[str], None] = lambda trouble: None,
) -> sqlite3.Connection:
    """Open ``path`` for this process alone, checked from end to end; autocommit, WAL, every commit synced.

    Args:
        verify: looks at what SQLite cannot judge; raises ``sqlite3.DatabaseError`` for a file that cannot be used.
        told: is told what SQLite has left out of the file's log, if anything.

    Raises:
        Misconfigured: it is damaged (set aside, the message says where), in use, or cannot be written.
    """
    db = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        before = LogBefore.of(path)
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
        db.text_factory = _text
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        db.execute("PRAGMA page_size=8192")  # frames are some 30 KB: fewer pages to chain
        db.execute("PRAGMA auto_vacuum=INCREMENTAL")
        db.execute("PRAGMA secure_delete=OFF")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA journal_size_limit=67108864")
        verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        if trouble := before.trouble(db):
            told(trouble)
        db.executescript(f"BEGIN IMMEDIATE; {schema} COMMIT;")
        verify(db)
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, FORMAT):
            raise Misconfigured(f"{what} {path} has format {version}, this program reads {FORMAT}")
        db.execute(f"PRAGMA user_version={FORMAT}")
        return db
    except Misconfigured:
        if db is not None:
            db.close()
        raise
    except (sqlite3.OperationalError, OSError) as error:
        if db is not None:
            db.close()
        if "locked" in str(error):
            raise Misconfigured(f"{what} {path} is in use by another program: stop it or use another folder") from None
        raise Misconfigured(f"{what} {path} cannot be opened: {error}; check the folder and its rights") from None
    except sqlite3.DatabaseError as error:
        if db is not None:
            db.close()
        aside = set_aside(path)
        what_is_wrong = " ".join(str(error).split())[:120]
        raise Misconfigured(
            f"{what} {path} is damaged ({what_is_wrong}) and was set aside as {aside}; start again to go on with an"
            f" empty one, and look there for what was accepted and not yet stored (sqlite3 {aside} .recover)"
        ) from None


def _text(raw: bytes) -> str:
    """What a damaged row calls text need not be UTF-8: its checksum tells, not an error of the decoder."""
    return raw.decode("utf-8", "replace")


@contextmanager
def transaction(db: sqlite3.Connection, path: Path) -> Iterator[None]:
    """All or nothing, durable on leaving. Raises: Full, Unavailable: nothing was changed."""
    with translated(path):
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's errors as what the caller must do. Raises: Full, Unavailable."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise Full(f"disk of {path} is full") from error
        raise Unavailable(f"{path}: {error}") from error
