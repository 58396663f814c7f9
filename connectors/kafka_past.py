"""Going back in a topic: a stretch of one partition by its offsets, read without a group."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from connectors.kafka_security import PLAIN, KafkaSecurity
from connectors.kafka_tail import FETCH_BYTES, close
from domain.errors import Unavailable

_POLL_MS = 500


class KafkaPast:
    """Implements ``domain.ports.Log``. Connects when first used and stays connected; ``stop`` at the end.

    Args:
        patience_s: after so long without anything it raises.
    """

    def __init__(self, address: str, security: KafkaSecurity = PLAIN, *, patience_s: float = 30.0) -> None:
        self._address = address
        self._security = security
        self._patience_s = patience_s
        self._consumer: Any = None
        self._turn = asyncio.Lock()

    async def end(self, topic: str, partition: int) -> int:
        """See ``domain.ports.Log``."""
        place = TopicPartition(topic, partition)
        async with self._turn:
            try:
                async with asyncio.timeout(self._patience_s):
                    consumer = await self._connected()
                    return int((await consumer.end_offsets([place]))[place])
            except (KafkaError, OSError, KeyError, TimeoutError) as error:
                await self._drop()
                raise self._away(error) from error

    async def between(self, topic: str, partition: int, begin: int, end: int) -> AsyncIterator[tuple[int, bytes]]:
        """See ``domain.ports.Log``. Offsets that retention or a transaction's marker has taken are passed over."""
        place = TopicPartition(topic, partition)
        async with self._turn:
            try:
                consumer = await self._connected()
                first = (await consumer.beginning_offsets([place]))[place]
                last = min(end, (await consumer.end_offsets([place]))[place])
                at = max(begin, first)
                if at >= last:
                    return
                consumer.assign([place])
                consumer.seek(place, at)
                while at < last:
                    found = await self._more(consumer, place)
                    for message in found:
                        if message.offset >= last:
                            break
                        yield message.offset, message.value or b""
                    at = await consumer.position(place)
                consumer.unsubscribe()
            except (KafkaError, OSError, KeyError, TimeoutError) as error:
                await self._drop()
                raise self._away(error) from error

    async def stop(self) -> None:
        """Close the connection."""
        await self._drop()

    async def _more(self, consumer: Any, place: TopicPartition) -> list[Any]:
        """What comes next; nothing when only the position has moved on. Raises: TimeoutError."""
        before = await consumer.position(place)
        async with asyncio.timeout(self._patience_s):
            while True:
                batches = await consumer.getmany(place, timeout_ms=_POLL_MS)
                found = list(batches.get(place, ()))
                if found or await consumer.position(place) > before:
                    return found

    async def _connected(self) -> Any:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._address,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                max_partition_fetch_bytes=FETCH_BYTES,
                **self._security.options(),
            )
            try:
                await consumer.start()
            except BaseException:
                await close(consumer)
                raise
            self._consumer = consumer
        return self._consumer

    async def _drop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await close(consumer)

    def _away(self, error: BaseException) -> Unavailable:
        return Unavailable(f"Kafka at {self._address} does not give its past: {error or type(error).__name__}")
