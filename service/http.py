"""The HTTP server: uvicorn in the loop of the service, on a socket that is bound before anything else starts."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from domain.errors import Misconfigured


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises: Misconfigured: in use, or not ours to take."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, proto)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(1_024)
        return sock
    except OSError as error:
        raise Misconfigured(
            f"cannot listen on {host}:{port} ({error.strerror}): change --port (BOROUGH_PORT) or --host (BOROUGH_HOST)"
        ) from None


def url_of(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """Leaves signals to the service, and is stopped with patience for the answers under way."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ended = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def run_on(self, sock: socket.socket) -> None:
        """Answer requests until stopped."""
        try:
            await self.serve(sockets=[sock])
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """Take no more requests; return when those under way are answered."""
        self.should_exit = True
        await self._ended.wait()


def server(app: Any) -> Server:
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1, server_header=False
    )
    return Server(config)
