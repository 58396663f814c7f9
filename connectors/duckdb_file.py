"""Opening a DuckDB file and telling its errors apart by what the caller must do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from domain.errors import BoroughError, Full, Misconfigured, Unavailable

_CONFIG = {
    "threads": "2",
    "memory_limit": "512MB",
    # Nothing may be fetched from the network behind the operator's back.
    "autoinstall_known_extensions": "false",
}


def open_file(path: Path) -> Any:
    """A DuckDB connection to the file, which is made when it is not there.

    Raises:
        Misconfigured: another process holds the file, the folder cannot be written, or the file is damaged.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = duckdb.connect(str(path), config=dict(_CONFIG))
        connection.execute(f"SET temp_directory = {literal(f'{path}.tmp')}")
        connection.execute("SET TimeZone = 'UTC'")
        return connection
    except (duckdb.Error, OSError) as error:
        raise _opening(path, error) from None


def open_memory(temporary: Path, memory_limit: str = "512MB") -> Any:
    """A connection without a file that spills to the folder ``temporary`` when memory runs short."""
    connection = duckdb.connect(config={**_CONFIG, "memory_limit": memory_limit})
    connection.execute(f"SET temp_directory = {literal(str(temporary))}")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def literal(text: str) -> str:
    """Text as an SQL literal, for the places where DuckDB takes no parameter."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def told_apart(path: Path) -> Iterator[None]:
    """Turn DuckDB's errors into ours.

    Raises:
        Full: the disk is full.
        Misconfigured: a block of the file is damaged.
        Unavailable: anything else that may pass (memory, input or output).
    """
    try:
        yield
    except BoroughError:
        raise
    except duckdb.Error as error:
        raise _running(path, error) from error


def is_fatal(error: BaseException) -> bool:
    """Whether DuckDB has given up on this connection: it must be opened again."""
    return isinstance(error, duckdb.FatalException) or "invalidated" in str(error)


def _opening(path: Path, error: Exception) -> BoroughError:
    text = _first_line(error)
    if "Conflicting lock" in text or "Could not set lock" in text:
        return Misconfigured(
            f"{path} is in use by another process: the service is running, use its API (or stop it first)"
        )
    if isinstance(error, OSError) or "Permission denied" in text or "Cannot open file" in text:
        return Misconfigured(f"{path} cannot be opened: {text}; choose another data folder or mend its rights")
    return _damaged(path, text)


def _running(path: Path, error: Exception) -> BoroughError:
    text = _first_line(error)
    if "No space left" in text or "disk quota" in text.lower():
        return Full(f"{path}: the disk is full")
    if "Corrupt database" in text or "Could not read enough bytes" in text:
        return _damaged(path, text)
    return Unavailable(f"{path}: {text}")


def _damaged(path: Path, text: str) -> Misconfigured:
    return Misconfigured(
        f"{path} is damaged or not a DuckDB file ({text}); move it and {path.name}.wal away and put a backup in place, "
        "or start without it and replay the recorded readings"
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
