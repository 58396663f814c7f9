"""The live feed: alert changes at once, latest values and the clock about once a second, to any number of clients.

Events are made into text once and shared. A client that cannot keep up is let go: its stream ends, it comes back
with the id of the last event it saw, and what it missed is replayed from the alert store.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass

from domain.ports import AlertStore, Change
from web.latest import LatestBook
from web.shapes import alert_object, dumps, latest_object, time_text

REPLAY_PAGE = 500
REPLAY_MAX = 5_000
QUEUE_MAX = 1_000
STALE_AFTER_S = 30.0


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One server-sent event: ``kind`` is ``alert``, ``latest``, ``clock`` or ``resync``; ``data`` is JSON text."""

    kind: str
    data: str
    id: int | None = None


class _Client:
    """The events that wait for one client; None ends its stream."""

    def __init__(self, queue_max: int) -> None:
        self.queue: asyncio.Queue[LiveEvent | None] = asyncio.Queue(queue_max)

    def end(self) -> None:
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


def _change_event(change: Change) -> LiveEvent:
    return LiveEvent("alert", dumps(alert_object(change.alert)), change.id)


class LiveFeed:
    """Call it from one event loop only.

    Args:
        alerts: where missed changes are replayed from.
        latest: whose changes are sent, gathered over ``every_s`` seconds.
        queue_max: events that may wait for one client before it is let go.
    """

    def __init__(
        self, alerts: AlertStore, latest: LatestBook, every_s: float = 1.0, queue_max: int = QUEUE_MAX
    ) -> None:
        self._alerts = alerts
        self._latest = latest
        self._every_s = every_s
        self._queue_max = queue_max
        self._clients: set[_Client] = set()
        self._pump: asyncio.Task[None] | None = None
        self.dropped = 0
        self.stale_after_s = STALE_AFTER_S

    @property
    def clients(self) -> int:
        """How many streams are open."""
        return len(self._clients)

    def publish(self, changes: Sequence[Change]) -> None:
        """Send what the alert store has taken; call it after ``AlertStore.put``, never before."""
        if self._clients:
            for change in changes:
                self._send(_change_event(change))

    def _send(self, event: LiveEvent) -> None:
        for client in list(self._clients):
            try:
                client.queue.put_nowait(event)
            except asyncio.QueueFull:
                client.end()
                self._clients.discard(client)
                self.dropped += 1

    async def subscribe(self, last_id: int | None) -> AsyncGenerator[LiveEvent, None]:
        """Events from now on; with ``last_id`` first the alert changes after it.

        Ends when this client is too slow. ``resync`` says that the client must load the lists afresh: its id is
        from another history, or it missed more than can be replayed.
        """
        client = _Client(self._queue_max)
        self._clients.add(client)  # before the replay, so that nothing falls between
        self._start_pump()
        try:
            yield self.clock_event()
            seen = 0
            async for event in self._replay(last_id):
                seen = event.id or seen
                yield event
            while (waiting := await client.queue.get()) is not None:
                if waiting.id is None or waiting.id > seen:
                    yield waiting
        finally:
            self._clients.discard(client)
            if not self._clients and self._pump is not None:
                self._pump.cancel()
                self._pump = None

    async def _replay(self, last_id: int | None) -> AsyncIterator[LiveEvent]:
        newest = await asyncio.to_thread(self._alerts.last_change)
        if last_id is None:
            return
        if last_id > newest or newest - last_id > REPLAY_MAX:
            yield LiveEvent("resync", dumps({"last_change": newest}), newest)
            return
        after = last_id
        while page := await asyncio.to_thread(self._alerts.changes, after, REPLAY_PAGE):
            for change in page:
                yield _change_event(change)
            after = page[-1].id

    def close(self) -> None:
        """End every stream, so that the server can stop at once."""
        for client in list(self._clients):
            client.end()
            self._clients.discard(client)

    def clock_event(self) -> LiveEvent:
        """Event time, and how long nothing has come: the page's stale banner is made from this."""
        silent = self._latest.silent_s()
        ticks = self._latest.tick_silent_s()
        body = {
            "time": time_text(self._latest.now),
            "silent_s": None if silent is None else round(silent, 1),
            "tick_silent_s": None if ticks is None else round(ticks, 1),
            "stale_after_s": self.stale_after_s,
        }
        return LiveEvent("clock", dumps(body))

    def _start_pump(self) -> None:
        if self._pump is None:
            self._latest.take_changed()  # a new client loads the whole list by itself
            self._pump = asyncio.get_running_loop().create_task(self._run(), name="live-feed")

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            changed = self._latest.take_changed()
            if changed:
                values = {series: latest_object(value) for series, value in changed.items()}
                self._send(LiveEvent("latest", dumps(values)))
            self._send(self.clock_event())
