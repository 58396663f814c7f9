"""A server process of its own: started on loopback with a folder of its own, stopped by whoever started it."""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

_START_S = 120.0  # a JVM on a busy machine
_STOP_S = 15.0


#: Below what systems hand out for connections (Linux from 32768, others from 49152): nobody takes the port of a server
#: that is down for a moment. Each process begins elsewhere, so test runs beside each other do not meet.
_PORTS = range(20_000, 32_000)
_next_port = itertools.count(os.getpid() * 101)


def free_port() -> int:
    """A loopback port that was free just now, and is not handed out again before all others."""
    for k in itertools.islice(_next_port, len(_PORTS)):
        port = _PORTS[k % len(_PORTS)]
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"no free port in {_PORTS}")


class NativeService:
    """Base of the native servers. Use as a context manager, or call ``start`` and ``stop``; ports never change."""

    name = "service"

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"borough-{self.name}-"))
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def ready(self) -> bool:
        raise NotImplementedError

    def start(self) -> Self:
        """Listening on return; with the data of the last run when there was one."""
        log = (self.folder / "server.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                self.command(),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_S
        while not self.ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.name} did not start:\n{self.log()[-2_000:]}")
            time.sleep(0.1)
        return self

    def stop(self) -> None:
        """Stop as an operator would, and remove the folder."""
        self._end(signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """``kill -9``: what was not durable is gone."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop as an operator would and start again on the same data."""
        self._end(signal.SIGTERM)
        self.start()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Reachable but dumb: the process is stopped where it stands."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def log(self) -> str:
        path = self.folder / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(_STOP_S)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()
