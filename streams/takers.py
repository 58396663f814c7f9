"""What consumes results: the taker for the store and the taker for the alert desk. Acknowledged only when durable."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from domain import topics
from domain.codec import decode_as, encode
from domain.errors import Rejected
from domain.messages import Action, Adoption, Alert, Finding
from domain.ports import AlertStore, Progress, Publisher, Record, Result, Store
from domain.topics import partition_of
from streams.desk import check_action, check_adoption, held_back, holder, on_action, on_finding
from streams.quarantine import refused_result
from streams.records import result_of
from streams.retrying import until_available
from streams.threshold_book import ThresholdBook, adoption_of

log = structlog.get_logger(__name__)

_LINGER_S = 0.05
_Held = tuple[str, int, int, Callable[[], None]]  # topic, partition, offset, acknowledge


class Taker(Protocol):
    """Takes messages; ``run`` works them off in batches for ever."""

    async def take(self, topic: str, partition: int, offset: int, value: bytes, ack: Callable[[], None]) -> None: ...

    async def run(self) -> None: ...


class _Batches:
    """Messages that wait to be worked off; ``take`` blocks when too many wait."""

    def __init__(self, consumer: str, progress: Progress, size_max: int) -> None:
        self._consumer = consumer
        self._progress = progress
        self._queue: asyncio.Queue[tuple[_Held, bytes]] = asyncio.Queue(size_max)

    async def put(self, held: _Held, value: bytes) -> None:
        await self._queue.put((held, value))

    async def next(self) -> list[tuple[_Held, bytes]]:
        batch = [await self._queue.get()]
        await asyncio.sleep(_LINGER_S)  # one transaction for what comes close together
        while not self._queue.empty():
            batch.append(self._queue.get_nowait())
        return batch

    def done(self, batch: Sequence[tuple[_Held, bytes]]) -> None:
        last: dict[tuple[str, int], int] = {}
        for (topic, partition, offset, ack), _ in batch:
            ack()
            last[topic, partition] = offset
        for (topic, partition), offset in last.items():
            self._progress.taken(self._consumer, topic, partition, offset + 1)


class StoreTaker:
    """Results to the store, in their order."""

    def __init__(self, store: Store, progress: Progress) -> None:
        self._store = store
        self._batches = _Batches("store", progress, 2_000)
        self.written = 0
        self.refused = 0

    async def take(self, topic: str, partition: int, offset: int, value: bytes, ack: Callable[[], None]) -> None:
        await self._batches.put((topic, partition, offset, ack), value)

    async def run(self) -> None:
        while True:
            batch = await self._batches.next()
            results = [result for (topic, *_), value in batch if (result := self._decoded(topic, value)) is not None]
            if results:
                await self._write(results)
            self._batches.done(batch)

    def _decoded(self, topic: str, value: bytes) -> Result | None:
        try:
            return result_of(topic, value)
        except Rejected as error:
            self.refused += 1
            log.warning("result that cannot be read is left out", topic=topic, reason=str(error))
            return None

    async def _write(self, results: list[Result]) -> None:
        refused = await until_available(lambda: asyncio.to_thread(self._store.write, results))
        self.written += len(results) - len(refused)
        self.refused += len(refused)
        for rejection in refused:
            log.error("the store refused a result", field=rejection.field, reason=rejection.reason)
        aside = [refused_result(results[rejection.position], rejection) for rejection in refused]
        kept = [one for one in aside if one is not None]
        if kept:
            await until_available(lambda: asyncio.to_thread(self._store.write, kept))


class DeskTaker:
    """Findings and operators' actions to alerts: kept first, then published."""

    def __init__(
        self, alerts: AlertStore, publisher: Publisher, progress: Progress, thresholds: ThresholdBook | None = None
    ) -> None:
        self._alerts = alerts
        self._thresholds = thresholds
        self._publisher = publisher
        self._batches = _Batches("desk", progress, 500)
        self.refused = 0
        self.held_back = 0

    async def take(self, topic: str, partition: int, offset: int, value: bytes, ack: Callable[[], None]) -> None:
        await self._batches.put((topic, partition, offset, ack), value)

    async def run(self) -> None:
        while True:
            batch = await self._batches.next()
            await self._work_off([(topic, value) for (topic, *_), value in batch])
            self._batches.done(batch)

    async def _work_off(self, messages: list[tuple[str, bytes]]) -> None:
        touched = await until_available(lambda: asyncio.to_thread(self._apply, messages))
        records = [_alert_record(alert) for alert in touched.values()]
        await until_available(lambda: self._publish(records))

    def _apply(self, messages: list[tuple[str, bytes]]) -> dict[str, Alert]:
        """Work the messages off and keep what changed; returns every alert they spoke of, as it is now."""
        touched: dict[str, Alert] = {}
        active = {alert.id: alert for alert in self._alerts.find("active", None, None, 10_000)}
        for topic, value in messages:
            try:
                if topic == topics.FINDINGS:
                    alert = self._finding(value, touched, active)
                elif (adoption := adoption_of(value)) is not None:
                    self._adopted(adoption)
                    continue
                else:
                    alert = self._action(value, touched)
            except Rejected as error:
                self.refused += 1
                log.warning("message for the desk that cannot be used", topic=topic, reason=str(error))
                continue
            if alert is None:
                continue
            touched[alert.id] = active[alert.id] = alert
            if alert.cleared is not None:
                active.pop(alert.id)
        self._alerts.put(list(touched.values()))
        return touched

    def _finding(self, value: bytes, touched: dict[str, Alert], active: dict[str, Alert]) -> Alert | None:
        finding = decode_as(Finding, value)
        known = touched.get(finding.id) or self._alerts.get(finding.id) or holder(finding, active.values())
        book = self._thresholds
        if book is not None and held_back(finding, known, book.at(finding.rule, finding.area, finding.time)):
            self.held_back += 1
            return None
        changed = on_finding(finding, known, active.values())
        alert = changed or known
        assert alert is not None  # a finding that is not known always raises an alert
        return alert

    def _adopted(self, adoption: Adoption) -> None:
        """A threshold is durable, in the audit trail, before the next message is worked off."""
        check_adoption(adoption)
        if self._thresholds is not None:
            self._thresholds.take(adoption)

    def _action(self, value: bytes, touched: dict[str, Alert]) -> Alert:
        action = decode_as(Action, value)
        check_action(action)
        known = touched.get(action.alert) or self._alerts.get(action.alert)
        if known is None:
            raise Rejected("alert", action.alert, "no alert has this id")
        return on_action(action, known) or known

    async def _publish(self, records: list[Record]) -> None:
        await self._publisher.send(records)
        await self._publisher.settle()


def _alert_record(alert: Alert) -> Record:
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", f"{alert.id}/{alert.revision}".encode()),
        ("ce_type", b"borough.alerts.v1"),
        ("ce_source", b"/borough/alerts"),
    )
    return Record(topics.ALERTS, partition_of(alert.area), alert.id.encode(), encode(alert), headers)
