"""A disk with a page cache: what is not synced is lost or torn when the power goes.

Stands in for :class:`pathlib.Path` and for ``os`` where :class:`connectors.checkpoints_file.FileCheckpoints` uses them.
A name (made, renamed, deleted) is safe once its folder is synced; the bytes of a file once the file is.
"""

import errno
import os
import random
from collections.abc import Callable
from typing import Any


class _Inode:
    def __init__(self) -> None:
        self.content = b""
        self.synced = b""


class SimDisk:
    """``names`` as programs see them, ``safe`` as they are after a power cut; ``pending`` operations in between."""

    O_RDONLY = os.O_RDONLY

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.names: dict[str, _Inode] = {}
        self._pending: list[tuple[str, _Inode | None]] = []
        self._safe: dict[str, _Inode] = {}
        self._open: dict[int, Any] = {}

    def set_name(self, name: str, inode: _Inode | None) -> None:
        if inode is None:
            self.names.pop(name)
        else:
            self.names[name] = inode
        self._pending.append((name, inode))

    # --- as the module ``os``

    def open(self, folder: "SimPath", flags: int) -> int:
        number = 1_000 + len(self._open)
        self._open[number] = folder
        return number

    def close(self, number: int) -> None:
        del self._open[number]

    def fsync(self, number: int) -> None:
        thing = self._open[number]
        if isinstance(thing, _Inode):
            thing.synced = thing.content
            return
        for name, inode in self._pending:
            self._apply(name, inode)
        self._pending = []

    def _apply(self, name: str, inode: _Inode | None) -> None:
        if inode is None:
            self._safe.pop(name, None)
        else:
            self._safe[name] = inode

    # --- faults

    def power_cut(self) -> None:
        """Of the operations on names a part has reached the disk; of unsynced bytes a part, perhaps with rubbish."""
        for name, inode in self._pending[: self._rng.randint(0, len(self._pending))]:
            self._apply(name, inode)
        self._pending = []
        self.names = dict(self._safe)
        for inode in self.names.values():
            if inode.content != inode.synced:
                inode.content = self._torn(inode)
            inode.synced = inode.content

    def _torn(self, inode: _Inode) -> bytes:
        size = self._rng.randint(0, len(inode.content))
        kept = bytearray(inode.content[:size])
        if kept and self._rng.random() < 0.5:
            begin = self._rng.randrange(len(kept))
            kept[begin:] = bytes(len(kept) - begin)  # allocated, never written
        return bytes(kept)


class SimPath:
    """The part of ``pathlib.Path`` that is used."""

    def __init__(self, disk: SimDisk, name: str) -> None:
        self._disk = disk
        self.name = name

    def __fspath__(self) -> str:
        return self.name

    def __truediv__(self, more: str) -> "SimPath":
        return SimPath(self._disk, f"{self.name}/{more}")

    def __lt__(self, other: "SimPath") -> bool:
        return self.name < other.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SimPath) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def stem(self) -> str:
        return self.name.rpartition("/")[2].rpartition(".")[0]

    @property
    def parent(self) -> "SimPath":
        return SimPath(self._disk, self.name.rpartition("/")[0])

    def with_suffix(self, suffix: str) -> "SimPath":
        return SimPath(self._disk, self.name.rpartition(".")[0] + suffix)

    def mkdir(self, parents: bool = False, exist_ok: bool = False) -> None: ...

    def glob(self, pattern: str) -> list["SimPath"]:
        wanted = pattern.removeprefix("*")
        return [SimPath(self._disk, name) for name in self._disk.names if name.endswith(wanted)]

    def read_bytes(self) -> bytes:
        if self.name not in self._disk.names:
            raise OSError(errno.ENOENT, "no such file")
        return self._disk.names[self.name].content

    def unlink(self, missing_ok: bool = False) -> None:
        if self.name in self._disk.names:
            self._disk.set_name(self.name, None)
        elif not missing_ok:
            raise OSError(errno.ENOENT, "no such file")

    def rename(self, to: "SimPath") -> None:
        inode = self._disk.names[self.name]
        self._disk.set_name(to.name, inode)
        self._disk.set_name(self.name, None)

    def open(self, mode: str) -> "_Writing":
        inode = _Inode()
        self._disk.set_name(self.name, inode)
        return _Writing(self._disk, inode)


class _Writing:
    """A file being written; leaving it does not sync it."""

    def __init__(self, disk: SimDisk, inode: _Inode) -> None:
        self._inode = inode
        self._number = 2_000 + len(disk._open)
        disk._open[self._number] = inode
        self._close: Callable[[int], None] = disk.close

    def write(self, data: bytes) -> None:
        self._inode.content += data

    def flush(self) -> None: ...

    def fileno(self) -> int:
        return self._number

    def __enter__(self) -> "_Writing":
        return self

    def __exit__(self, *_: object) -> None:
        self._close(self._number)
