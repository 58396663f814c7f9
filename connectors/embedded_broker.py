"""A broker inside this process that speaks the Kafka protocol: librdkafka's mock cluster, on loopback, in memory.

It keeps the newest 5 MB of a partition and silently drops what is older, so nobody may write faster than others take:
:class:`EmbeddedPublisher` sees to that.
"""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from confluent_kafka import KafkaException, Producer

from connectors.kafka_publisher import KafkaPublisher, Sent
from connectors.progress import TakenLedger
from domain.errors import Unavailable
from domain.ports import Record
from domain.topics import PARTITIONS, TOPICS

log = logging.getLogger(__name__)

_START_S = 10.0


class EmbeddedBroker:
    """Started once, stopped once; started again it is empty, with another ``instance``.

    Attributes:
        address: ``127.0.0.1:port`` while it runs.
        instance: names this start; offsets are worth nothing under another one.
    """

    def __init__(self) -> None:
        self._cluster: Any = None
        self.address = ""
        self.instance = ""

    async def start(self) -> None:
        """Listening, with all topics, on return. Raises: Unavailable."""
        try:
            self._cluster, self.address = await asyncio.to_thread(_start)
        except KafkaException as error:
            raise Unavailable(f"the embedded broker does not start: {error}") from None
        self.instance = uuid4().hex

    async def stop(self) -> None:
        """Closes the port and frees the memory. Does nothing when it does not run."""
        cluster, self._cluster = self._cluster, None
        self.address = ""
        if cluster is not None:
            await asyncio.to_thread(_stop, cluster)


def _start() -> tuple[Any, str]:
    cluster = Producer(
        {
            "bootstrap.servers": "127.0.0.1:1",  # replaced by the mock's own address
            "test.mock.num.brokers": 1,
            "log_level": 4,  # the mock announces itself at level 5
        },
        logger=log,
    )
    address = ""
    for topic in TOPICS:  # a metadata request creates the topic, with the mock's default of 4 partitions
        metadata = cluster.list_topics(topic, timeout=_START_S)
        count = len(metadata.topics[topic].partitions)
        if count != PARTITIONS:
            raise Unavailable(f"the embedded broker made {topic} with {count} partitions, not {PARTITIONS}")
        address = "{0.host}:{0.port}".format(next(iter(metadata.brokers.values())))
    return cluster, address


def _stop(cluster: Any) -> None:
    cluster.purge()
    cluster.close()


class _Window:
    """What is sent and not yet taken on one partition, oldest first."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.sent: deque[Sent] = deque()
        self.bytes = 0

    def add(self, sent: Sent) -> None:
        self.sent.append(sent)
        self.bytes += sent.size

    def let_go(self, taken_up_to: int) -> None:
        while self.sent and self.sent[0].offset is not None and self.sent[0].offset < taken_up_to:
            self.bytes -= self.sent.popleft().size


class EmbeddedPublisher:
    """Implements ``domain.ports.Publisher`` on the embedded broker: what it sends counts as durable once it is taken.

    ``send`` waits as long as it takes while a partition's window is full, and ``settle`` until everyone has taken
    what was sent: a store that is away holds the flow up, back to the outbox, and loses nothing. Trouble with the
    broker itself raises ``Unavailable``, with the meaning it has in :class:`KafkaPublisher`.

    The window is per publisher. The broker keeps 5 MB per partition, so at most two publishers may write to one topic
    with the default. A consumer must not wait for its own ``taken``: settle what a consumer publishes with a publisher
    of its own, not with the one that feeds it.

    Args:
        ledger: of this start of the broker.
        bytes_in_flight_max: per partition; one larger message may pass on its own.
    """

    def __init__(
        self, address: str, ledger: TakenLedger, *, bytes_in_flight_max: int = 2_000_000, patience_s: float = 30.0
    ) -> None:
        self._kafka = KafkaPublisher(address, patience_s=patience_s)
        self._ledger = ledger
        self._bytes_max = bytes_in_flight_max
        self._windows: defaultdict[tuple[str, int], _Window] = defaultdict(_Window)

    async def send(self, records: Sequence[Record]) -> None:
        """Hand over, in order. Raises: Unavailable, Rejected (larger than 4 MiB)."""
        for record in records:
            window = self._windows[record.topic, record.partition]
            async with window.turn:
                await self._room(record, window)
                window.add(await self._kafka.begin(record))

    async def settle(self) -> None:
        """Return when everything sent before is taken by all who must take it. Raises: Unavailable."""
        newest = {place: window.sent[-1] for place, window in self._windows.items() if window.sent}
        await self._kafka.settle()
        await self._ledger.wait({place: sent.offset + 1 for place, sent in newest.items() if sent.offset is not None})

    async def stop(self) -> None:
        """Close the connection."""
        await self._kafka.stop()

    async def _room(self, record: Record, window: _Window) -> None:
        """Wait until the record fits into the window. Presses the consumers from half full on."""
        topic, partition = record.topic, record.partition
        window.let_go(self._ledger.taken_up_to(topic, partition))
        if window.bytes * 2 > self._bytes_max:
            self._ledger.press(topic, partition)
        while window.sent and window.bytes + len(record.value) > self._bytes_max:
            self._ledger.press(topic, partition)
            oldest = window.sent[0]
            if oldest.offset is None:
                await self._kafka.settle()
            else:
                await self._ledger.wait({(topic, partition): oldest.offset + 1})
            window.let_go(self._ledger.taken_up_to(topic, partition))
