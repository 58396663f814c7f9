"""An event loop without a clock and without threads: time is a number, and a seed picks which ready step runs next.

Every callback belongs to a :class:`Process` (through the context it was scheduled in). Between any two steps a process
can be killed (its steps are never run again, no ``finally`` runs either) or paused as by SIGSTOP.
"""

import asyncio
import contextvars
import heapq
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

THREAD_S_MAX = 0.03  # what a call in a thread takes at most, of simulated time


class Process:
    """One operating system process: ``alive`` until killed, ``paused`` while stopped."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.paused = False
        self.strike = "kill"  # what befalls it when it is struck

    def __repr__(self) -> str:
        return self.name


_PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


class Stuck(AssertionError):
    """Nothing is left to run and no time to wait for."""


class _Task(asyncio.tasks._PyTask):  # type: ignore[name-defined,misc]  # as itself, told apart by number: sets of tasks have one order
    _count = 0

    def __init__(self, *args: Any, **more: Any) -> None:
        _Task._count += 1
        self._number = _Task._count
        super().__init__(*args, **more)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class SimLoop(asyncio.BaseEventLoop):
    """``run`` a coroutine to its end; ``steps`` counts what was run, ``trace`` digests the order of it."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._rng = rng
        self._now = 0.0
        self._waiting: list[asyncio.Handle] = []
        self._keep: list[Any] = []  # what a killed process left must not be collected: that would run its ``finally``
        self.steps = 0
        self.trace = 0
        self.before_step: Callable[[Process | None], None] = lambda process: None
        self.set_task_factory(self._make_task)
        self.set_exception_handler(lambda loop, context: None)
        _Task._count = 0

    def _make_task(self, loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **more: Any) -> _Task:
        task = _Task(coro, loop=loop, **more)
        self._keep.append(task)
        return task

    def time(self) -> float:
        return self._now

    def spawn(self, process: Process | None, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """A task that belongs to ``process``."""
        context = contextvars.copy_context()
        context.run(_PROCESS.set, process)
        return context.run(self.create_task, work)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result of ``work``, which belongs to no process. Raises: Stuck; what a step of no process raises."""
        asyncio._set_running_loop(self)
        try:
            main = self.spawn(None, work)
            while not main.done():
                self._step()
            return main.result()
        finally:
            asyncio._set_running_loop(None)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]
        """As a thread would: done at once at some later time, answered later still."""
        future = self.create_future()

        def answer(settle: Callable[[Any], None], value: Any) -> None:
            if not future.done():
                settle(value)

        def work() -> None:
            try:
                value = func(*args)
            except Exception as error:
                self.call_later(self._delay(), answer, future.set_exception, error)
            else:
                self.call_later(self._delay(), answer, future.set_result, value)

        self.call_later(self._delay(), work)
        return future

    def _delay(self) -> float:
        return self._rng.random() * THREAD_S_MAX

    def _step(self) -> None:
        """Run one callback: any of those that are ready; when none is, time goes on to the next that is due."""
        ready = self._runnable()
        while not ready:
            if not self._scheduled:
                raise Stuck(f"nothing left to do at {self._now:.3f} s")
            self._due()
            ready = self._runnable()
        handle = ready[self._rng.randrange(len(ready))]
        self._waiting.remove(handle)
        process = _process_of(handle)
        self.steps += 1
        self.trace = (self.trace * 1_000_003 + len(ready) + int(self._now * 1e6)) & 0xFFFFFFFFFFFF
        handle._run()  # type: ignore[attr-defined]
        self.before_step(process)

    def _due(self) -> None:
        handle = heapq.heappop(self._scheduled)  # type: ignore[attr-defined]
        handle._scheduled = False
        if not handle._cancelled:
            self._now = max(self._now, handle._when)
            self._ready.append(handle)  # type: ignore[attr-defined]

    def _runnable(self) -> list[asyncio.Handle]:
        ready = self._ready  # type: ignore[attr-defined]
        while ready:
            self._waiting.append(ready.popleft())
        runnable, stays = [], []
        for handle in self._waiting:
            process = _process_of(handle)
            if handle._cancelled or (process is not None and not process.alive):  # type: ignore[attr-defined]
                if process is not None:
                    self._keep.append(handle)
                continue
            stays.append(handle)
            if process is None or not process.paused:
                runnable.append(handle)
        self._waiting = stays
        return runnable

    def end(self) -> None:
        """Nothing of it runs any more; what is left is closed here and not whenever it is collected."""
        asyncio._set_running_loop(self)
        try:
            for thing in self._keep:
                if isinstance(thing, _Task):
                    thing._log_destroy_pending = False
                    with suppress(BaseException):
                        thing.get_coro().close()
        finally:
            asyncio._set_running_loop(None)
        self._keep, self._waiting = [], []
        self._ready.clear()  # type: ignore[attr-defined]
        self._scheduled.clear()  # type: ignore[attr-defined]
        self.close()

    def _check_closed(self) -> None:
        """What is collected after the end may still want to schedule something: nobody runs it."""

    def _process_events(self, event_list: Any) -> None: ...

    def _write_to_self(self) -> None: ...


def _process_of(handle: asyncio.Handle) -> Process | None:
    return handle._context.get(_PROCESS)  # type: ignore[attr-defined,no-any-return]


def current_process() -> Process | None:
    """The process whose step is running."""
    return _PROCESS.get()
