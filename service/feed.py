"""What the web part follows: alerts into its store and the live feed, readings into the latest values, and answers to
operators' actions."""

import asyncio
from contextlib import suppress

import structlog

from connectors.kafka_tail import Tailed, tail
from domain import topics
from domain.codec import decode, decode_as, encode
from domain.errors import Rejected, Unavailable
from domain.messages import Action, Adoption, Alert
from domain.ports import AlertStore, Publisher, Record
from domain.readings import Tick
from domain.topics import partition_of
from service.ground import Ground
from streams.desk import check_action
from streams.threshold_book import ThresholdBook
from web.latest import LatestBook
from web.live import LiveFeed

log = structlog.get_logger(__name__)

_PAUSE_S = 1.0
_ANSWER_S_MAX = 10.0
_CHANGES_PAGE = 500
_LOOK_S = 0.05


class AlertFeed:
    """Keeps the web part's alert store up with the topic, and tells who waits for an action to be done."""

    def __init__(self, ground: Ground, alerts: AlertStore, live: LiveFeed) -> None:
        self._ground = ground
        self._alerts = alerts
        self._live = live
        self._told = 0
        self._waiting: dict[str, asyncio.Future[Alert]] = {}
        self.state = "waiting for the broker"

    async def run(self) -> None:
        self._told = await asyncio.to_thread(self._alerts.last_change)
        while True:
            try:
                alerts = (topics.ALERTS,)
                async for batch in tail(
                    self._ground.address, alerts, start="beginning", security=self._ground.security
                ):
                    self.state = "ok"
                    await self._take(batch)
            except Unavailable as error:
                self.state = str(error)
                log.warning("alerts cannot be followed just now", reason=str(error))
                await asyncio.sleep(_PAUSE_S)

    async def done(self, action: Action) -> Alert:
        """The alert once it carries the action. Raises: Unavailable: no answer in time."""
        future: asyncio.Future[Alert] = asyncio.get_running_loop().create_future()
        self._waiting[action.id] = future
        try:
            async with asyncio.timeout(_ANSWER_S_MAX):
                return await future
        except TimeoutError:
            raise Unavailable("the alert desk does not answer; the action may still be done, look again") from None
        finally:
            del self._waiting[action.id]

    async def _take(self, batch: list[Tailed]) -> None:
        alerts = [alert for message in batch if (alert := _alert(message)) is not None]
        if alerts:
            await asyncio.to_thread(self._alerts.put, alerts)
        for message in batch:
            self._ground.progress.taken("web", message.topic, message.partition, message.offset + 1)
        await self._tell()
        for alert in alerts:
            for action in alert.actions:
                future = self._waiting.get(action.id)
                if future is not None and not future.done():
                    future.set_result(alert)

    async def _tell(self) -> None:
        """Whoever wrote the changes: the desk, where it shares this store, or this feed."""
        while changes := await asyncio.to_thread(self._alerts.changes, self._told, _CHANGES_PAGE):
            self._told = changes[-1].id
            self._live.publish(changes)


class ActionSender:
    """Carries an operator's action to the desk."""

    def __init__(self, publisher: Publisher, feed: AlertFeed) -> None:
        self._publisher = publisher
        self._feed = feed

    async def act(self, action: Action) -> Alert:
        """Returns when the desk has made it durable. Raises: Rejected, Unavailable."""
        check_action(action)
        answer = asyncio.create_task(self._feed.done(action))
        try:
            place = partition_of(action.alert)
            await self._publisher.send([Record(topics.ALERT_ACTIONS, place, action.alert.encode(), encode(action))])
            await self._publisher.settle()
            return await answer
        finally:
            answer.cancel()
            with suppress(asyncio.CancelledError, Unavailable):
                await answer


class AdoptionSender:
    """Carries an adopted threshold to the desk."""

    def __init__(self, publisher: Publisher, book: ThresholdBook) -> None:
        self._publisher = publisher
        self._book = book

    async def send(self, adoption: Adoption) -> None:
        """Returns when it is in the audit trail. Raises: Unavailable."""
        place = partition_of(adoption.area)
        await self._publisher.send([Record(topics.ALERT_ACTIONS, place, adoption.area.encode(), encode(adoption))])
        await self._publisher.settle()
        try:
            async with asyncio.timeout(_ANSWER_S_MAX):
                while self._book.find(adoption.id) is None:
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise Unavailable("the alert desk does not answer; it may still be done, look again") from None


async def follow_readings(ground: Ground, latest: LatestBook) -> None:
    """Newest values and the passing of time, from now on."""
    while True:
        try:
            async for batch in tail(ground.address, topics.READINGS, start="end", security=ground.security):
                for message in batch:
                    _show(message.value, latest)
                await asyncio.sleep(0)
        except Unavailable as error:
            log.warning("readings cannot be followed just now", reason=str(error))
            await asyncio.sleep(_PAUSE_S)


def _show(raw: bytes, latest: LatestBook) -> None:
    try:
        message = decode(raw)
    except Rejected:
        return  # the analyse agent puts it into quarantine
    if isinstance(message, Tick):
        latest.tick(message.time)
    else:
        latest.update(message.readings)


def _alert(message: Tailed) -> Alert | None:
    if not message.value:
        return None
    try:
        return decode_as(Alert, message.value)
    except Rejected as error:
        log.warning("alert that cannot be read", offset=message.offset, reason=str(error))
        return None
