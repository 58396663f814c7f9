"""A TCP proxy that breaks on demand: what a switch, a cable or a half-dead server does to those who talk through it."""

import asyncio
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

_CHUNK = 64 << 10


class _Link:
    """One connection: client and server side, and what has been read and not yet passed on."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter | None) -> None:
        self.sides = [side for side in (client, server) if side is not None]
        self.dead = False  # bytes vanish, nobody is told

    def reset(self) -> None:
        for side in self.sides:
            sock = side.get_extra_info("socket")
            if sock is not None:
                with suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            side.transport.abort()


class Proxy:
    """Passes bytes between whoever connects to ``port`` and the target. Faults are context managers.

    Args:
        port: of the server behind it on loopback.
        seed: for the resets.
    """

    def __init__(self, port: int, seed: int) -> None:
        self._target = port
        self._rng = random.Random(seed)
        self._links: set[_Link] = set()
        self._delay_s = 0.0
        self._reset_rate = 0.0
        self._answer: bytes | None = None
        self._refuses = False
        self.passed = 0
        self._loop = asyncio.new_event_loop()
        self._gate = asyncio.Event()
        self._gate.set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._sock = socket.socket()
        self._sock.bind(("127.0.0.1", 0))
        self.port = int(self._sock.getsockname()[1])
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @contextmanager
    def cut(self) -> Iterator[None]:
        """A pulled cable: nothing passes, nobody is told; afterwards what was under way arrives."""
        self._call(self._gate.clear)
        try:
            yield
        finally:
            self._call(self._gate.set)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Every connection is reset, new ones at once."""
        self._refuses = True
        self._call(self._reset_all)
        try:
            yield
        finally:
            self._refuses = False

    @contextmanager
    def delayed(self, seconds: float) -> Iterator[None]:
        """Every byte takes so much longer each way."""
        self._delay_s = seconds
        try:
            yield
        finally:
            self._delay_s = 0.0

    @contextmanager
    def resets(self, rate: float) -> Iterator[None]:
        """This share of the chunks that pass is replaced by a reset of their connection."""
        self._reset_rate = rate
        try:
            yield
        finally:
            self._reset_rate = 0.0

    @contextmanager
    def answering(self, status: str, headers: str = "") -> Iterator[None]:
        """For HTTP: the proxy answers itself, the server never hears of it."""
        body = b'{"code":"internal error","message":"said by the proxy"}'
        head = f"HTTP/1.1 {status}\r\n{headers}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._call(self._reset_all)
        self._answer = head.encode() + b"Connection: close\r\n\r\n" + body
        try:
            yield
        finally:
            self._answer = None

    def half_open(self) -> None:
        """Connections of this moment are dead for ever and nobody is told; new ones work."""
        self._call(self._kill_links)

    # --- in the loop's thread

    def _call(self, what: object) -> None:
        done = threading.Event()

        def run() -> None:
            what()  # type: ignore[operator]
            done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(10)

    def _reset_all(self) -> None:
        for link in list(self._links):
            link.reset()

    def _kill_links(self) -> None:
        for link in self._links:
            link.dead = True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(writer, None)
        self._links.add(link)
        try:
            if self._refuses:
                link.reset()
            elif self._answer is not None:
                await self._say(reader, writer, self._answer)
            else:
                await self._gate.wait()
                there, back = await asyncio.open_connection("127.0.0.1", self._target)
                link.sides.append(back)
                ways = [self._one_way(link, reader, back), self._one_way(link, there, writer)]
                tasks = [asyncio.ensure_future(way) for way in ways]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._links.discard(link)
            for side in link.sides:
                side.close()

    @staticmethod
    async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: bytes) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
        await reader.readexactly(int(fields.get(b"content-length", b"0")))
        writer.write(answer)
        await writer.drain()

    async def _one_way(self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A reader and a writer with a delay line between them."""
        line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)
        writing = asyncio.ensure_future(self._write(link, line, writer))
        try:
            while not writing.done() and (chunk := await reader.read(_CHUNK)):
                await line.put((self._loop.time() + self._delay_s, chunk))
            await line.put((0.0, b""))
            await writing
        except OSError:
            return
        finally:
            writing.cancel()

    async def _write(
        self, link: _Link, line: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter
    ) -> None:
        while True:
            due, chunk = await line.get()
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            await self._gate.wait()
            if link.dead:
                await asyncio.Event().wait()
            if not chunk:
                return
            if self._rng.random() < self._reset_rate:
                link.reset()
                return
            writer.write(chunk)
            self.passed += len(chunk)
            await writer.drain()

    def __enter__(self) -> Self:
        self._thread.start()
        starting = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, sock=self._sock), self._loop)
        self._server = starting.result(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        self._gate.set()
        self._reset_all()
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
