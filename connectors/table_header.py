"""The first line of a table that somebody brings: opened, read and checked before the rest."""

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from domain.errors import Misconfigured

_HEADER_BYTES_MAX = 100_000


def open_text(path: Path) -> IO[str]:
    """A CSV file, or .gz of one, as text; a byte order mark is passed over. Raises: OSError."""
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def read_header(path: Path) -> list[str]:
    """Column names of a CSV file. Raises: Misconfigured: it cannot be read as text."""
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
            line = file.readline(_HEADER_BYTES_MAX).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except (OSError, EOFError) as error:
        raise Misconfigured(f"{path} cannot be read: {error}") from None
    return [name.strip() for name in next(csv.reader([line.rstrip("\r\n")]), [])]


def check_header(path: Path, header: Sequence[str], required: Sequence[str]) -> None:
    """Raises: Misconfigured: a required column is missing, or one stands twice; file and column are named."""
    for name in required:
        if name not in header:
            have = ", ".join(header) if header else "nothing"
            wanted = ", ".join(required)
            raise Misconfigured(f"{path}: column {name} is missing; the first line must name {wanted} (it has {have})")
    for name in header:
        if list(header).count(name) > 1:
            raise Misconfigured(f"{path}: column {name} stands twice in the first line")
