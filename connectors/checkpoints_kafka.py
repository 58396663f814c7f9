"""Checkpoints on the compacted topic ``checkpoints``, one key per topic and partition."""

import asyncio
import time
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from connectors.kafka_security import PLAIN, KafkaSecurity
from connectors.kafka_tail import close
from domain.errors import Full, Unavailable
from domain.topics import CHECKPOINTS, partition_of

MESSAGE_BYTES_MAX = 64 << 20  # the topic is provisioned with the same limit
_HEADER_BYTES = 1 << 10
_RANK = "borough_rank"
_MAGIC = b"BC1\n"  # then CRC-32 of the rest, 4 bytes big-endian, then the state, deflated
_POLL_MS = 500
_NEWEST = 48  # messages of a partition that are looked at first: some dozen checkpoints of each of its keys


def _equal(state: bytes) -> int:
    return 0


class KafkaCheckpoints:
    """Implements ``domain.ports.Checkpoints``. Connects when first used; ``stop`` at the end.

    Each state is replaced whole. When ``save`` raises, some of its states may have been replaced and others not: each
    is good on its own, because it holds the offset it stands for.

    A worker that was paused past its session may wake and overwrite a newer state. So of the newest states of a key the
    one with the highest rank is loaded, the last written among equals; ``kafka_admin`` gives the topic a compaction lag
    so that an overtaken state is still there. What the topic holds of older states is read only where no good one is
    found among the newest: a load must not take longer the longer the system has run.

    Args:
        rank: how far a state is, such as the offset inside it. Without it the last one written is loaded.

    Attributes:
        damaged: what was passed over, in words.
    """

    def __init__(
        self,
        address: str,
        security: KafkaSecurity = PLAIN,
        *,
        rank: Callable[[bytes], int] = _equal,
        patience_s: float = 30.0,
    ) -> None:
        self.damaged: list[str] = []
        self._address = address
        self._security = security
        self._rank = rank
        self._patience_s = patience_s
        self._producer: Any = None
        self._consumer: Any = None
        self._turn = asyncio.Lock()
        self._reading = asyncio.Lock()

    async def save(self, states: Mapping[str, bytes]) -> None:
        """All of them acknowledged by all replicas on return. Raises: Unavailable; Full, a state beyond 64 MiB."""
        packed = await asyncio.to_thread(lambda: {key: pack(state) for key, state in states.items()})
        for key, value in packed.items():
            if len(value) + _HEADER_BYTES > MESSAGE_BYTES_MAX:
                raise Full(f"checkpoint {key}: {len(value)} bytes deflated, {MESSAGE_BYTES_MAX} is the limit")
        async with self._turn:
            if not packed:
                return
            try:
                async with asyncio.timeout(self._patience_s):
                    self._producer = self._producer or await self._connect()
                    receipts = [
                        await self._producer.send(
                            CHECKPOINTS,
                            value,
                            key.encode(),
                            partition_of(key),
                            headers=[(_RANK, str(self._rank(states[key])).encode())],
                        )
                        for key, value in packed.items()
                    ]
                    await asyncio.gather(*receipts)
            except (KafkaError, OSError, TimeoutError, AssertionError) as error:
                await self._drop_producer()
                raise Unavailable(f"Kafka at {self._address} keeps no checkpoint: {_say(error)}") from error

    async def load(self, key: str) -> bytes | None:
        """The state of this key with the highest rank, None when there is none. Raises: Unavailable."""
        place = TopicPartition(CHECKPOINTS, partition_of(key))
        async with self._reading:
            try:
                consumer = self._consumer = self._consumer or await self._connect_consumer()
                consumer.assign([place])
                best = await self._best(consumer, place, key)
                consumer.unsubscribe()
            except (KafkaError, OSError, KeyError, TimeoutError) as error:
                await self._drop_consumer()
                raise Unavailable(f"Kafka at {self._address} gives no checkpoint: {_say(error)}") from error
            except BaseException:
                await self._drop_consumer()
                raise
        return None if best is None else await asyncio.to_thread(unpack, best)

    async def stop(self) -> None:
        """Close the connections."""
        await self._drop_producer()
        await self._drop_consumer()

    async def _best(self, consumer: Any, place: TopicPartition, key: str) -> bytes | None:
        """Among the newest messages of the partition, else among more and more of them."""
        begin = (await consumer.beginning_offsets([place]))[place]
        end = (await consumer.end_offsets([place]))[place]
        count, before = _NEWEST, end
        while before > begin:
            at = max(begin, end - count)
            best = await self._best_between(consumer, place, key, at, before)
            if best is not None:
                return best
            count, before = count * 8, at
        return None

    async def _best_between(self, consumer: Any, place: TopicPartition, key: str, begin: int, end: int) -> bytes | None:
        # Explicit seek: `seek_to_beginning` has been seen to leave an assigned consumer at the end.
        consumer.seek(place, begin)
        best: tuple[int, bytes] | None = None
        wanted, deadline = key.encode(), time.monotonic() + self._patience_s
        while await consumer.position(place) < end:
            batches = await consumer.getmany(place, timeout_ms=_POLL_MS)
            for found in batches.get(place, ()):
                deadline = time.monotonic() + self._patience_s
                if found.offset >= end:
                    break
                if found.key != wanted or found.value is None:
                    continue
                if not intact(found.value):
                    self.damaged.append(f"{key}: the state at offset {found.offset} is damaged")
                    continue
                rank = self._rank_of(found)
                if best is None or rank >= best[0]:
                    best = rank, found.value
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing came for {self._patience_s:g} s")
        return None if best is None else best[1]

    def _rank_of(self, found: Any) -> int:
        for name, value in found.headers:
            if name == _RANK:
                return int(value)
        return self._rank(unpack(found.value))

    async def _connect_consumer(self) -> Any:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._address,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=MESSAGE_BYTES_MAX,
            fetch_max_bytes=MESSAGE_BYTES_MAX,
            **self._security.options(),
        )
        try:
            await consumer.start()
        except BaseException:
            await close(consumer)
            raise
        return consumer

    async def _drop_consumer(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await close(consumer)

    async def _connect(self) -> Any:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._address,
            acks="all",
            max_request_size=MESSAGE_BYTES_MAX,
            request_timeout_ms=int(self._patience_s * 1_000),
            **self._security.options(),
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        return producer

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await close(producer)


def pack(state: bytes) -> bytes:
    """A state as it is kept."""
    body = zlib.compress(state, level=1)
    return _MAGIC + zlib.crc32(body).to_bytes(4, "big") + body


def intact(value: bytes) -> bool:
    """Whether ``unpack`` will give back what was packed."""
    head = len(_MAGIC)
    if len(value) <= head + 4 or value[:head] != _MAGIC:  # no body: even nothing deflates to something
        return False
    return zlib.crc32(value[head + 4 :]) == int.from_bytes(value[head : head + 4], "big")


def unpack(value: bytes) -> bytes:
    """Inverse of :func:`pack`, of a value that is intact."""
    return zlib.decompress(value[len(_MAGIC) + 4 :])


def _say(error: BaseException) -> str:
    return str(error) or type(error).__name__
