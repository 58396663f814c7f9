"""A message is placed as every Kafka client places it: murmur2 of the key."""

import aiokafka.partitioner as theirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.quantities import QUANTITIES, quantity
from domain.topics import COMPACTED, PARTITIONS, READINGS, TOPICS, partition_of, topic_of


@given(st.text(max_size=200))
def test_the_partition_is_the_default_partitioners(area: str) -> None:
    everywhere = list(range(PARTITIONS))
    assert partition_of(area) == theirs.DefaultPartitioner()(area.encode(), everywhere, everywhere)


@pytest.mark.parametrize(("area", "partition"), [("", 1), ("ring-north", 0), ("harbour", 1), ("Łódź", 3)])
def test_the_partition_of_an_area_stays(area: str, partition: int) -> None:
    assert partition_of(area) == partition


def test_areas_spread_over_all_partitions() -> None:
    counts = [0] * PARTITIONS
    for k in range(1_000):
        counts[partition_of(f"area-{k}")] += 1
    assert min(counts) > 200


def test_every_quantity_has_a_topic() -> None:
    assert {topic_of(q) for q in QUANTITIES.values()} == set(READINGS)
    assert topic_of(quantity("generic.vibration")) == "readings.energy"


def test_topics_are_named_once() -> None:
    assert len(set(TOPICS)) == len(TOPICS)
    assert set(TOPICS) >= COMPACTED
