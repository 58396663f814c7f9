"""A small disk that can be filled, for a program of its own; needs no rights.

Where the kernel allows it, the program runs in a mount namespace with a tmpfs under one of its folders, which is filled
from outside: its writes fail with ENOSPC, as on a real disk. Elsewhere the size of its files is limited to nothing: its
writes fail with EFBIG, in all of its folders.
"""

import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.program import Running

_FILLING = 64 << 10


class SmallDisk:
    """``before`` starts a program (``Running``) on it; ``full`` and ``nearly_full`` are while they last.

    Args:
        under: the folder that lies on the small disk; it is empty again at every start.
        megabytes: its size.
    """

    def __init__(self, under: Path, megabytes: int) -> None:
        self._under = under
        under.mkdir(parents=True, exist_ok=True)
        self.real = _can_mount(under)
        self.before = (
            ["unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o size={megabytes}m tmpfs "{under}" && exec "$@"', "sh"]
            if self.real
            else []
        )

    @contextmanager
    def full(self, running: Running, left_bytes: int = 0) -> Iterator[None]:
        """Nothing more can be written, or no more than ``left_bytes``."""
        if not self.real:
            limits = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (0, limits[1]))
            try:
                yield
            finally:
                resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, limits)
            return
        inside = Path(f"/proc/{running.process.pid}/root{self._under}")
        ballast = inside / "ballast"
        try:
            with ballast.open("wb", buffering=0) as file:
                try:
                    while (free := shutil.disk_usage(inside).free) > left_bytes:
                        file.write(bytes(min(_FILLING, max(1, free - left_bytes))))
                except OSError:
                    pass  # full
            yield
        finally:
            ballast.unlink()


def _can_mount(under: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(under)]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0
