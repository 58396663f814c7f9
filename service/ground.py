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
from connectors.progress import BrokerProgress, TakenLedger
from domain import topics
from domain.errors import Misconfigured, Unavailable
from domain.ports import Checkpoints, Log, Progress, Publisher, Store
from service import data_dir
from service.crew import Crew
from service.settings import Settings
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


async def open_ground(settings: Settings, crew: Crew) -> Ground:
    """Start the embedded broker, or wait for Kafka. Raises: Misconfigured, Unavailable."""
    if settings.broker == "embedded":
        return await _embedded(settings, crew)
    return await _kafka(settings, crew)


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


async def _kafka(settings: Settings, crew: Crew) -> Ground:
    address = settings.broker.removeprefix("kafka://")
    await _wait_for_topics(address, settings.wait_s)
    checkpoints = KafkaCheckpoints(address, rank=rank_of)
    crew.on_stop(checkpoints.stop, "checkpoints")
    past = KafkaPast(address)
    crew.on_stop(past.stop, "log")
    publisher = _stopped_by(crew, lambda: KafkaPublisher(address))
    return Ground(address, "kafka", BrokerProgress(), checkpoints, past, publisher, publisher)


def _stopped_by(crew: Crew, make: Callable[[], EmbeddedPublisher | KafkaPublisher]) -> Callable[[], Publisher]:
    def made() -> Publisher:
        publisher = make()
        crew.on_stop(publisher.stop, "publisher")
        return publisher

    return made


async def _wait_for_topics(address: str, wait_s: float) -> None:
    """Parts start in any order: wait for the broker and its topics, saying so."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    while True:
        try:
            problems = await asyncio.to_thread(check, address, timeout_s=5.0)
            if not problems:
                return
            reason = "; ".join(problems)
        except Unavailable as error:
            reason = str(error)
        if loop.time() + _RETRY_S > deadline:
            raise Misconfigured(
                f"broker kafka://{address} (BOROUGH_BROKER) is not usable after {wait_s:.0f} s: {reason}"
            )
        log.warning("waiting for the broker", broker=address, reason=reason)
        await asyncio.sleep(_RETRY_S)


async def open_store(settings: Settings, crew: Crew) -> Store:
    """The embedded store, or InfluxDB once it answers. Raises: Misconfigured."""
    store = (
        await asyncio.to_thread(_embedded_store, settings) if settings.store == "embedded" else await _influx(settings)
    )
    crew.close(store.close, "store")
    return store


def _embedded_store(settings: Settings) -> Store:
    from connectors.duckdb_store import DuckDbStore

    return DuckDbStore(settings.data_dir / data_dir.HISTORY)


async def _influx(settings: Settings) -> Store:
    from connectors.influx_store import InfluxStore

    store = InfluxStore.from_url(settings.store, settings.store_token or None)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settings.wait_s
    while True:
        try:
            await asyncio.to_thread(store.check)
            return store
        except Unavailable as error:
            if loop.time() + _RETRY_S > deadline:
                raise Misconfigured(
                    f"store (BOROUGH_STORE) is not reachable after {settings.wait_s:.0f} s: {error}"
                ) from None
            log.warning("waiting for the store", reason=str(error))
            await asyncio.sleep(_RETRY_S)
