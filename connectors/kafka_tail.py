"""Following topics without a group: every reader sees everything. For the web part."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from connectors.kafka_security import PLAIN, KafkaSecurity
from domain.errors import Unavailable
from domain.topics import PARTITIONS

_POLL_MS = 500
FETCH_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Tailed:
    """A message as it was found. An empty ``value`` is a tombstone: the key is gone."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


async def tail(
    address: str,
    topics: Sequence[str],
    *,
    start: Literal["beginning", "end"],
    security: KafkaSecurity = PLAIN,
    batch_max: int = 1_000,
) -> AsyncIterator[list[Tailed]]:
    """Batches of messages of all partitions, for ever; in order within a partition. An empty one: nothing new just now.

    The first batch is always yielded soon after the positions are fixed, so a caller knows from when on it misses
    nothing. Close the iterator (``aclose``) or cancel its task to let go of the connection.

    Raises:
        Unavailable: the broker cannot be reached, or a topic is missing.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=address,
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # where the broker dropped what we had yet to read: go on with what is left
        max_partition_fetch_bytes=FETCH_BYTES,
        **security.options(),
    )
    places = [TopicPartition(topic, partition) for topic in topics for partition in range(PARTITIONS)]
    try:
        await consumer.start()
        consumer.assign(places)
        # Explicit seeks: `seek_to_beginning` has been seen to leave an assigned consumer at the end.
        offsets = await (consumer.beginning_offsets(places) if start == "beginning" else consumer.end_offsets(places))
        for place in places:
            consumer.seek(place, offsets[place])
        yield []
        while True:
            batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=batch_max)
            yield [_tailed(found) for batch in batches.values() for found in batch]
    except (KafkaError, OSError, KeyError) as error:
        raise Unavailable(f"Kafka at {address} cannot be followed: {error or type(error).__name__}") from error
    finally:
        await close(consumer)


async def close(consumer: Any) -> None:
    """Stop a consumer, with patience, whatever state it is in."""
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(5):
            await consumer.stop()


def _tailed(found: Any) -> Tailed:
    return Tailed(
        found.topic, found.partition, found.offset, found.key or b"", found.value or b"", tuple(found.headers)
    )
