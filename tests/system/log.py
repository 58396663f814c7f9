"""What stands in the readings topics: written and read with Kafka's own clients, as a foreign producer would."""

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence

from confluent_kafka import Consumer, Producer, TopicPartition
from kafka.partitioner.default import murmur2

from tests.system.recomputed import Reading

PARTITIONS = list(range(4))
TOPICS = {"traffic": "readings.traffic", "air": "readings.air", "energy": "readings.energy"}


def topic_of(series: str) -> str:
    return TOPICS[series.partition("/")[2].partition(".")[0]]


def partition_of(area: str) -> int:
    """Where a standard Java or Python client puts a message with the area as its key."""
    return (int(murmur2(area.encode())) & 0x7FFFFFFF) % len(PARTITIONS)


class Log:
    """Writes messages in the forms of the design; ``close`` returns when the broker has all of them."""

    def __init__(self, address: str, gateway: str) -> None:
        self._producer = Producer(
            {"bootstrap.servers": address, "acks": "all", "enable.idempotence": True, "message.max.bytes": 4 << 20}
        )
        self._address = address
        self.gateway = gateway
        self._seq: defaultdict[tuple[str, int], Iterator[int]] = defaultdict(itertools.count)

    def raw(self, topic: str, partition: int, value: bytes | None, key: bytes | None = None) -> None:
        self._producer.produce(topic, value, key, partition)
        self._producer.poll(0)

    def frame(
        self, area: str, readings: Sequence[Reading], topic: str = "", partition: int | None = None, times: int = 1
    ) -> None:
        """One frame; ``times`` more than once is a gateway that did not hear the broker's answer."""
        topic = topic or topic_of(readings[0].series)
        place = partition_of(area) if partition is None else partition
        names = list(dict.fromkeys(r.series for r in readings))
        body = {
            "v": 1, "gateway": self.gateway, "seq": next(self._seq[topic, place]), "area": area, "series": names,
            "i": [names.index(r.series) for r in readings], "t": [r.ms for r in readings],
            "x": [r.value for r in readings],
        }  # fmt: skip
        for _ in range(times):
            self.raw(topic, place, json.dumps(body).encode(), area.encode())

    def tick(self, ms: int) -> None:
        """To every partition of every readings topic."""
        for topic in TOPICS.values():
            for place in PARTITIONS:
                body = {"v": 1, "gateway": self.gateway, "seq": next(self._seq[topic, place]), "tick": ms}
                self.raw(topic, place, json.dumps(body).encode())

    def settle(self) -> None:
        assert self._producer.flush(60) == 0


def messages(address: str, topics: Sequence[str]) -> dict[tuple[str, int], list[bytes]]:
    """All that stands in the topics, by topic and partition, in its order."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "system-test-reader", "enable.auto.commit": False})
    found: dict[tuple[str, int], list[bytes]] = {}
    try:
        for topic, place in itertools.product(topics, PARTITIONS):
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, place), timeout=10)
            assert low == 0
            lane = found[topic, place] = []
            consumer.assign([TopicPartition(topic, place, 0)])
            while len(lane) < high:
                for message in consumer.consume(high - len(lane), timeout=10):
                    assert message.error() is None
                    lane.append(message.value() or b"")
    finally:
        consumer.close()
    return found
