"""The Faust agents: the only place where the stream library is met. Each moves messages between Kafka and one taker.

Everything is named here, for names travel on the wire: app ids are consumer groups. Values stay raw bytes, events are
held un-acknowledged until the taker says so, and nothing may leave an agent (an exception there would acknowledge and
lose the message).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faust
import structlog
from faust.transport.drivers import aiokafka as driver

from domain import topics

log = structlog.get_logger(__name__)

_FETCH_WAIT_MS = 50

Take = Callable[[str, int, int, bytes, Callable[[], None]], Awaitable[None]]
Revoke = Callable[[Iterable[tuple[str, int]]], None]


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """One agent: its name, its consumer group and what it reads."""

    name: str
    group: str
    topics: tuple[str, ...]


ANALYSE = AgentSpec("analyse", "borough-analyse", topics.READINGS)
ALERTS = AgentSpec("alerts", "borough-alerts", (topics.FINDINGS, topics.ALERT_ACTIONS))
STORE = AgentSpec("store", "borough-store", topics.RESULTS)


class _PromptThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust is not typed for us
    """Faust lets a fetch wait 1.5 s at the broker. The embedded broker answers only then, also when messages come
    meanwhile, and one fetch is under way at a time: so it must not wait long."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = _FETCH_WAIT_MS
        return consumer


class _PromptConsumer(driver.Consumer):  # type: ignore[misc]
    def _new_consumer_thread(self) -> Any:
        return _PromptThread(self, loop=self.loop, beacon=self.beacon)


class _PromptTransport(driver.Transport):  # type: ignore[misc]
    Consumer = _PromptConsumer


def make_app(
    spec: AgentSpec,
    broker: str,
    security: Mapping[str, Any],
    folder: Path,
    take: Take,
    revoke: Revoke | None = None,
) -> faust.App:
    """An app with one agent; start it with ``await app.start()``, never through Faust's own command line.

    Args:
        broker: ``host:port``.
        security: aiokafka's keyword arguments for TLS and a name: ``ssl_context``, ``sasl_mechanism`` and so on.
        folder: Faust insists on one of its own, which exists; nothing of ours is kept there.
        take: given topic, partition, offset, value and a callable that acknowledges.
        revoke: told which partitions are taken away.
    """
    app = faust.App(
        spec.group,
        broker=f"kafka://{broker}",
        broker_credentials=_credentials(security),
        datadir=str(folder),
        store="memory://",
        key_serializer="raw",
        value_serializer="raw",
        autodiscover=False,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=0.5,
        stream_wait_empty=False,  # with events held back, the default hangs on stop
        broker_session_timeout=6.0,  # the least that brokers allow by default: so soon others take over
        broker_heartbeat_interval=1.5,
        broker_rebalance_timeout=15.0,  # a member that does not rejoin (paused, half-open) holds all others up so long
    )
    app.transport = _PromptTransport(app.conf.broker_consumer, app)
    channel = app.topic(*spec.topics, key_serializer="raw", value_serializer="raw")

    async def deliver(stream: Any) -> None:
        async for event in stream.noack().events():
            message = event.message
            try:
                await take(message.topic, message.partition, message.offset, message.value or b"", event.ack)
            except asyncio.CancelledError:
                raise
            except Exception:
                # A bug of ours: leaving would lose the message, so it stays un-acknowledged for the next start.
                log.exception("message could not be taken", topic=message.topic, offset=message.offset)

    app.agent(channel, name=spec.name)(deliver)
    if revoke is not None:
        app.on_partitions_revoked.connect(_on_revoked(revoke), weak=False)
    return app


def _credentials(security: Mapping[str, Any]) -> Any:
    """Faust has its own words for what its Kafka client is told."""
    context = security.get("ssl_context")
    if "sasl_mechanism" in security:
        return faust.SASLCredentials(
            username=security["sasl_plain_username"],
            password=security["sasl_plain_password"],
            mechanism=security["sasl_mechanism"],
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context)


def _on_revoked(revoke: Revoke) -> Callable[..., Awaitable[None]]:
    async def revoked(_: Any, partitions: Iterable[Any], **__: Any) -> None:
        revoke([(place.topic, place.partition) for place in partitions])

    return revoked
