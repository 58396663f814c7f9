"""Checkpoints in a folder: one file per save, the newest two good ones kept."""

import asyncio
import errno
import os
import struct
import zlib
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from domain.errors import Full, Misconfigured, Unavailable

_MAGIC = b"BOROUGH-CHECKPOINT-1\n"
_PART = struct.Struct(">HQI")  # bytes of the key, bytes of the state, CRC-32 of key and state; both follow
_SUFFIX = ".checkpoint"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

T = TypeVar("T")


class FileCheckpoints:
    """Implements ``domain.ports.Checkpoints`` for one process: nobody else may write to the folder.

    A save is written beside the others, made durable and only then given its name, so it is there whole or not at all.
    Each file holds all keys, those of earlier saves included. A part that does not verify is passed over for the same
    key in the file before.

    Args:
        folder: made when it is missing.

    Attributes:
        damaged: what was passed over, in words.

    Raises:
        Misconfigured: the folder cannot be made or read.
    """

    def __init__(self, folder: Path) -> None:
        self.damaged: list[str] = []
        self._folder = folder
        self._turn = asyncio.Lock()
        self._states: dict[str, bytes] | None = None
        self._good: Path | None = None  # the newest file that verifies throughout
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for left_over in folder.glob("*.tmp"):
                left_over.unlink()
        except OSError as error:
            raise Misconfigured(f"checkpoints folder {folder}: {error.strerror}") from None

    async def save(self, states: Mapping[str, bytes]) -> None:
        """All durable on return, or none replaced. Raises: Full, Unavailable (the disk does not do as told)."""
        async with self._turn:
            await _to_the_end(asyncio.to_thread(self._save, dict(states)))

    async def load(self, key: str) -> bytes | None:
        """The newest good state of this key. Raises: Unavailable."""
        async with self._turn:
            states = await _to_the_end(asyncio.to_thread(self._all))
        return states.get(key)

    async def stop(self) -> None:
        """Nothing is kept open."""

    def _save(self, states: dict[str, bytes]) -> None:
        merged = self._all() | states
        files = self._files()
        path = self._folder / f"{_number(files[-1]) + 1 if files else 1:012d}{_SUFFIX}"
        try:
            _write(path, merged)
        except OSError as error:
            if error.errno in _FULL:
                raise Full(f"checkpoints folder {self._folder}: {error.strerror}; make room") from None
            raise Unavailable(f"checkpoints folder {self._folder}: {error.strerror}") from None
        kept = {path, self._good}
        self._states, self._good = merged, path
        for old in files:
            if old not in kept:
                old.unlink(missing_ok=True)

    def _all(self) -> dict[str, bytes]:
        """The newest good state of every key; the disk is read once."""
        if self._states is not None:
            return self._states
        states: dict[str, bytes] = {}
        for path in reversed(self._files()):
            try:
                parts, trouble = _parse(path.read_bytes())
            except OSError as error:
                if error.errno != errno.EIO:
                    raise Unavailable(f"checkpoint {path}: {error.strerror}") from None
                parts, trouble = {}, "cannot be read from the disk"
            states = parts | states
            if not trouble:
                self._good = path
                break
            self.damaged.append(f"{path}: {trouble}")
        self._states = states
        return states

    def _files(self) -> list[Path]:
        """Oldest first."""
        return sorted(path for path in self._folder.glob(f"*{_SUFFIX}") if path.stem.isdigit())


def _number(path: Path) -> int:
    return int(path.stem)


def _write(path: Path, states: Mapping[str, bytes]) -> None:
    temporary = path.with_suffix(".tmp")
    try:
        with temporary.open("wb") as file:
            file.write(_MAGIC + len(states).to_bytes(4, "big"))
            for key, state in states.items():
                name = key.encode()
                file.write(_PART.pack(len(name), len(state), zlib.crc32(state, zlib.crc32(name))) + name)
                file.write(state)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _parse(raw: bytes) -> tuple[dict[str, bytes], str]:
    """The good parts of a file, and what is wrong with the rest (nothing: an empty text)."""
    at = len(_MAGIC) + 4
    if raw[: len(_MAGIC)] != _MAGIC or len(raw) < at:
        return {}, "does not begin like a checkpoint"
    count = int.from_bytes(raw[len(_MAGIC) : at], "big")
    states: dict[str, bytes] = {}
    trouble = ""
    for number in range(count):
        if at + _PART.size > len(raw):
            return states, f"ends after {number} of {count} parts"
        key_bytes, state_bytes, checksum = _PART.unpack_from(raw, at)
        at += _PART.size
        name, state = raw[at : at + key_bytes], raw[at + key_bytes : at + key_bytes + state_bytes]
        at += key_bytes + state_bytes
        if zlib.crc32(state, zlib.crc32(name)) == checksum and at <= len(raw):
            states[name.decode()] = state
        else:
            trouble = f"part {number + 1} of {count} does not match its checksum"
    if not trouble and at != len(raw):
        trouble = f"{len(raw) - at} bytes too many"
    return states, trouble


async def _to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """The result of a thread; when cancelled meanwhile, wait for the thread first: two must never write at once."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()
        raise
