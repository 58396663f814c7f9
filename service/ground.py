"""What every part stands on: a broker and a store, at addresses. ``embedded`` means that it is started here.

This is the one place that knows which it is; everything above works on ports.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from connectors.checkpoints_file import FileCheckpoints
from connectors.checkpoints_kafka import KafkaCheckpoints
from connectors.embedded_broker import EmbeddedBroker, EmbeddedPublisher
from connectors.kafka_admin import check
from connectors.kafka_past import KafkaPast
from connectors.kafka_publisher import KafkaPublisher
from connectors.kafka_security import PLAIN, KafkaSecurity, knock
from connectors.progress import BrokerProgress, TakenLedger
from domain import topics
from domain.errors import Misconfigured, Unavailable
from domain.ports import Checkpoints, Log, Progress, Publisher, Store
from domain.rights import PARTS, Rights
from service import data_dir
from service.crew import Crew
from service.settings import Settings
from service.transport import broker_address, broker_security, influx
from streams.worker import rank_of

log = structlog.get_logger(__name__)

#: Who must have taken a message of the embedded broker before it counts as safe.
CONSUMERS = {
    **{topic: frozenset({"analyse"}) for topic in topics.READINGS},
    **{topic: frozenset({"store"}) for topic in topics.RESULTS},
    topics.FINDINGS: frozenset({"store", "desk"}),
    topics.ALERTS: frozenset({"web"}),
}
_RETRY_S = 2.0


@dataclass(frozen=True, slots=True)
class Ground:
    """The broker as the parts see it. ``instance`` names its log: offsets mean something only within one."""

    address: str
    instance: str
    progress: Progress
    checkpoints: Checkpoints
    past: Log
    publisher: Callable[[], Publisher]  # a fresh one whose settle waits until consumers have taken
    relay: Callable[[], Publisher]  # a fresh one whose settle waits for the broker only
    security: KafkaSecurity = PLAIN


async def open_ground(settings: Settings, crew: Crew, part: str) -> Ground:
    """Start the embedded broker, or wait for Kafka. ``part`` of ``rights.PARTS``, else all. Raises: Misconfigured."""
    if settings.broker == "embedded":
        return await _embedded(settings, crew)
    return await _kafka(settings, crew, PARTS.get(part))


async def _embedded(settings: Settings, crew: Crew) -> Ground:
    broker = EmbeddedBroker()
    await broker.start()
    crew.on_stop(broker.stop, "embedded broker")
    ledger = TakenLedger(CONSUMERS)
    checkpoints = FileCheckpoints(settings.data_dir / data_dir.CHECKPOINTS)
    crew.on_stop(checkpoints.stop, "checkpoints")
    past = KafkaPast(broker.address)
    crew.on_stop(past.stop, "log")
    return Ground(
        address=broker.address,
        instance=broker.instance,
        progress=ledger,
        checkpoints=checkpoints,
        past=past,
        publisher=_stopped_by(crew, lambda: EmbeddedPublisher(broker.address, ledger)),
        relay=_stopped_by(crew, lambda: KafkaPublisher(broker.address)),
    )


async def _kafka(settings: Settings, crew: Crew, needs: Rights | None) -> Ground:
    address, security = broker_address(settings), broker_security(settings)
    await _wait_for_topics(settings, needs)
    checkpoints = KafkaCheckpoints(address, security, rank=rank_of)
    crew.on_stop(checkpoints.stop, "checkpoints")
    past = KafkaPast(address, security)
    crew.on_stop(past.stop, "log")
    publisher = _stopped_by(crew, lambda: KafkaPublisher(address, security))
    return Ground(address, "kafka", BrokerProgress(), checkpoints, past, publisher, publisher, security)


def _stopped_by(crew: Crew, make: Callable[[], EmbeddedPublisher | KafkaPublisher]) -> Callable[[], Publisher]:
    def made() -> Publisher:
        publisher = make()
        crew.on_stop(publisher.stop, "publisher")
        return publisher

    return made


async def _wait_for_topics(settings: Settings, needs: Rights | None) -> None:
    """Parts start in any order: wait for the broker, its topics and the rights on them, saying so."""
    address, security, wait_s = broker_address(settings), broker_security(settings), settings.wait_s
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    while True:
        try:
            await asyncio.to_thread(knock, address, security)
            problems = await asyncio.to_thread(check, address, security, needs=needs, timeout_s=5.0)
            if not problems:
                return
            reason = "; ".join(problems)
        except Unavailable as error:
            reason = str(error)
        if loop.time() + _RETRY_S > deadline:
            raise Misconfigured(
                f"broker {settings.broker} (BOROUGH_BROKER) is not usable after {wait_s:.0f} s: {reason}"
            )
        log.warning("waiting for the broker", broker=settings.broker, reason=reason)
        await asyncio.sleep(_RETRY_S)


async def open_store(settings: Settings, crew: Crew, part: str = "") -> Store:
    """The embedded store, or InfluxDB once it lets this part in: ``store`` only writes. Raises: Misconfigured."""
    if settings.store == "embedded":
        store = await asyncio.to_thread(_embedded_store, settings)
    else:
        store = await _influx(settings, part)
    crew.close(store.close, "store")
    return store


def _embedded_store(settings: Settings) -> Store:
    from connectors.duckdb_store import DuckDbStore

    return DuckDbStore(settings.data_dir / data_dir.HISTORY)


async def _influx(settings: Settings, part: str) -> Store:
    store = influx(settings)
    check_store = store.check_writing if part == "store" else store.check
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settings.wait_s
    while True:
        try:
            await asyncio.to_thread(check_store)
            return store
        except Unavailable as error:
            if loop.time() + _RETRY_S > deadline:
                raise Misconfigured(
                    f"store (BOROUGH_STORE) is not reachable after {settings.wait_s:.0f} s: {error}"
                ) from None
            log.warning("waiting for the store", reason=str(error))
            await asyncio.sleep(_RETRY_S)
