"""Messages to Kafka: idempotent, acknowledged by all replicas, in order within a partition."""

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, ProducerClosed

from connectors.kafka_security import PLAIN, KafkaSecurity
from connectors.progress import Pulse
from domain.errors import Misconfigured, Rejected, Unavailable
from domain.ports import Record

log = logging.getLogger(__name__)

MESSAGE_BYTES_MAX = 4 << 20  # topics are provisioned with the same limit
BATCH_BYTES = 256 << 10
_OVERHEAD_BYTES = 100  # of a record and its share of a batch, generously
_STOP_S = 2.0


def size_of(record: Record) -> int:
    """Bytes of a record on the wire, rounded up."""
    return (
        len(record.key)
        + len(record.value)
        + sum(len(name) + len(value) + 10 for name, value in record.headers)
        + _OVERHEAD_BYTES
    )


class Sent:
    """A record on its way; ``offset`` is set when the broker has it."""

    __slots__ = ("offset", "record", "size")

    def __init__(self, record: Record, size: int) -> None:
        self.record = record
        self.size = size
        self.offset: int | None = None


class KafkaPublisher:
    """Implements ``domain.ports.Publisher``. Connects at the first ``send``; ``stop`` at the end.

    What was taken by ``send`` is kept until the broker has acknowledged it. When the connection is lost the client
    repeats what is under way, and when it gives a batch up, a new one is made and everything unacknowledged goes out
    again in order. So ``Unavailable`` means the same everywhere: from ``send``, that the records from the one that did
    not fit were not taken (send the same list again: a repeat is harmless by design); from ``settle``, that it is not
    durable yet (call it again, or send again from the last settled point).

    Args:
        address: ``host:port``, several separated by commas.
        bytes_in_flight_max: ``send`` waits while more is unacknowledged; one larger message may pass on its own.
        patience_s: after so long without progress ``send`` and ``settle`` raise.
    """

    def __init__(
        self,
        address: str,
        security: KafkaSecurity = PLAIN,
        *,
        bytes_in_flight_max: int = 32 << 20,
        patience_s: float = 30.0,
    ) -> None:
        self._address = address
        self._security = security
        self._bytes_max = bytes_in_flight_max
        self._patience_s = patience_s
        self._producer: Any = None
        self._under_way: OrderedDict[int, Sent] = OrderedDict()
        self._bytes = 0
        self._ticket = 0
        self._broken: BaseException | None = None
        self._turn = asyncio.Lock()
        self._moved = Pulse()

    async def send(self, records: Sequence[Record]) -> None:
        """See the class. Raises: Unavailable, Rejected (larger than 4 MiB), Misconfigured (no such partition)."""
        for record in records:
            await self.begin(record)

    async def begin(self, record: Record) -> Sent:
        """Hand over one record; its ``offset`` is set once it is acknowledged. Raises: as ``send``."""
        async with self._turn:
            sent = Sent(record, size_of(record))
            while self._broken is not None or (self._bytes and self._bytes + sent.size > self._bytes_max):
                await self._repair()
                if self._bytes and self._bytes + sent.size > self._bytes_max:
                    await self._movement()
            await self._hand_over(self._ticket, sent)
            self._ticket += 1
            self._bytes += sent.size
            return sent

    async def settle(self) -> None:
        """Return when the broker has acknowledged everything sent before. Raises: Unavailable."""
        end = self._ticket
        while self._under_way and next(iter(self._under_way)) < end:
            if self._broken is not None:
                async with self._turn:
                    await self._repair()
            elif next(iter(self._under_way)) < end:
                await self._movement()

    async def stop(self) -> None:
        """Close the connection. What has not been settled by now may or may not have arrived."""
        producer, self._producer = self._producer, None
        self._broken = None
        self._under_way.clear()
        self._bytes = 0
        if producer is not None:
            await _discard(producer)

    async def _hand_over(self, ticket: int, sent: Sent) -> None:
        record = sent.record
        if self._producer is None:
            self._producer = await self._connect()
        producer = self._producer
        try:
            future = await producer.send(
                record.topic, record.value, record.key, record.partition, headers=list(record.headers)
            )
        except MessageSizeTooLargeError:
            raise Rejected("message", f"{len(record.value)} bytes", f"longer than {MESSAGE_BYTES_MAX} bytes") from None
        except AssertionError:
            raise Misconfigured(
                f"topic {record.topic} has no partition {record.partition}: it was made with another number of them"
            ) from None
        except (KafkaError, OSError) as error:
            if isinstance(error, ProducerClosed) or not getattr(error, "retriable", True):
                self._broken = error
            raise Unavailable(f"Kafka at {self._address} does not take messages: {_say(error)}") from error
        self._under_way[ticket] = sent
        future.add_done_callback(lambda done: self._acknowledged(producer, ticket, done))

    def _acknowledged(self, producer: Any, ticket: int, done: "asyncio.Future[Any]") -> None:
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if producer is not self._producer or ticket not in self._under_way:
            return  # given up already; its successor sends it again
        if error is not None:
            self._broken = self._broken or error
        else:
            sent = self._under_way.pop(ticket)
            sent.offset = done.result().offset
            self._bytes -= sent.size
        self._moved.beat()

    async def _repair(self) -> None:
        """After a batch was given up: send everything that is not acknowledged again, in order. Needs the turn."""
        if self._broken is None:
            return
        log.warning("Kafka at %s: %s; sending %d again", self._address, _say(self._broken), len(self._under_way))
        producer, self._producer = self._producer, None
        if producer is not None:
            await _discard(producer)
        error, waiting = self._broken, self._under_way
        self._producer = await self._connect()
        self._under_way, self._broken = OrderedDict(), None
        try:
            while waiting:
                ticket, sent = next(iter(waiting.items()))
                await self._hand_over(ticket, sent)
                del waiting[ticket]
        finally:
            if waiting:  # interrupted: all of it stays to be sent
                self._under_way = OrderedDict(sorted({**self._under_way, **waiting}.items()))
                self._broken = self._broken or error

    async def _connect(self) -> Any:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._address,
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES,
            max_request_size=MESSAGE_BYTES_MAX,
            request_timeout_ms=int(self._patience_s * 1_000),
            **self._security.options(),
        )
        try:
            await producer.start()
        except BaseException as error:
            await _discard(producer)
            if isinstance(error, (KafkaError, OSError)):
                raise Unavailable(f"Kafka at {self._address} cannot be reached: {_say(error)}") from error
            raise
        return producer

    async def _movement(self) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                await self._moved.wait()
        except TimeoutError:
            raise Unavailable(
                f"Kafka at {self._address}: {len(self._under_way)} messages not acknowledged for {self._patience_s:g} s"
            ) from None


async def _discard(producer: Any) -> None:
    """Stop a producer also when it cannot deliver what it holds: its own ``stop`` would wait for that for ever."""
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(_STOP_S):
            await producer.stop()
            return
    with contextlib.suppress(KafkaError, OSError, asyncio.CancelledError):
        await producer._sender.close()
    with contextlib.suppress(KafkaError, OSError):
        await producer.client.close()


def _say(error: BaseException) -> str:
    return str(error) or type(error).__name__
