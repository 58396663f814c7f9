"""What lies where in the data folder, and the note by which other commands find the running service."""

import asyncio
import json
import os
from pathlib import Path

from domain.errors import Misconfigured

HISTORY = "history.duckdb"
ALERTS = "alerts.sqlite"
OUTBOX = "outbox.sqlite"
CHECKPOINTS = "checkpoints"  # a folder
SERVICE = "service.json"
ALIVE = "alive"
_BEAT_S = 5.0


def prepare(folder: Path) -> Path:
    """Make the folder. Raises: Misconfigured: it cannot be made or written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise Misconfigured(
            f"data folder {folder} is not writable ({error.strerror}): "
            "change --data-dir (BOROUGH_DATA_DIR) or the rights of the folder"
        ) from None
    return folder


def record_service(folder: Path, url: str, broker: str = "") -> None:
    """Note the address of the service that runs on this folder, and of its embedded broker if it has one."""
    temporary = folder / (SERVICE + ".new")
    temporary.write_text(json.dumps({"url": url, "pid": os.getpid(), "broker": broker}), encoding="utf-8")
    temporary.replace(folder / SERVICE)


def forget_service(folder: Path) -> None:
    (folder / SERVICE).unlink(missing_ok=True)


async def keep_alive_file(folder: Path) -> None:
    """Touch a file for ever, every few seconds: what checks the health of a part without a door looks at its age."""
    while True:
        (folder / ALIVE).touch()
        await asyncio.sleep(_BEAT_S)


def recorded_service(folder: Path) -> str | None:
    """The noted address, if the process that wrote it still lives."""
    return _noted(folder, "url")


def recorded_broker(folder: Path) -> str | None:
    """``host:port`` of the embedded broker of the service on this folder, if that lives and has one."""
    return _noted(folder, "broker") or None


def _noted(folder: Path, name: str) -> str | None:
    try:
        note = json.loads((folder / SERVICE).read_text(encoding="utf-8"))
        value, pid = str(note[name]), int(note["pid"])
        os.kill(pid, 0)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return value
