"""What has been started, and is stopped in reverse order; half a start is undone."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from typing import Any

import structlog

log = structlog.get_logger(__name__)

_STOP_S_MAX = 4.0


class Crew:
    """Started parts. A background task that fails ends the whole: see ``failed``."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> "Crew":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def on_stop(self, stop: Callable[[], Awaitable[object]], name: str) -> None:
        """Call this when everything started after it has been stopped; it gets a few seconds."""

        async def patiently() -> None:
            try:
                async with asyncio.timeout(_STOP_S_MAX):
                    await stop()
            except TimeoutError:
                log.warning("part did not stop in time", part=name)
            except Exception:
                log.exception("part did not stop cleanly", part=name)

        self._stack.push_async_callback(patiently)

    def close(self, close: Callable[[], object], name: str) -> None:
        """As :meth:`on_stop`, for what closes without waiting for others; runs in a thread."""
        self.on_stop(lambda: asyncio.to_thread(close), name)

    def run(self, work: Coroutine[Any, Any, object], name: str) -> None:
        """A background task, for as long as the crew lasts."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)

        async def stop() -> None:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task

        self.on_stop(stop, name)

    def _ended(self, task: asyncio.Task[object]) -> None:
        if task.cancelled() or task.exception() is None or self.failed.done():
            return
        error = task.exception()
        assert error is not None
        self.failed.set_result(error)
