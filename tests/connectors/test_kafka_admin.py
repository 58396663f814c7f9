"""Topics are made once, as they are meant, and what is wrong with them is said."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from kafka import KafkaAdminClient

from connectors import kafka_admin
from connectors.embedded_broker import EmbeddedBroker
from connectors.kafka_admin import EMBEDDED_API
from connectors.kafka_security import KafkaSecurity
from domain.errors import Misconfigured, Unavailable
from domain.topics import ALERTS, CHECKPOINTS, COMPACTED, READINGS_AIR, TOPICS
from tests.native import tools
from tests.native.kafka import NativeKafka


@pytest.fixture
def empty_kafka() -> Iterator[str]:
    """A broker of its own: these tests change topics that others need."""
    try:
        kafka = NativeKafka()
    except tools.Missing as error:
        pytest.skip(f"needs Kafka: {error}")
    with kafka:
        yield kafka.address


def test_provision_check_repeat_and_another_count(empty_kafka: str) -> None:
    assert [problem for problem in kafka_admin.check(empty_kafka) if "is missing" not in problem] == []
    assert len(kafka_admin.check(empty_kafka)) == len(TOPICS)
    with pytest.raises(Misconfigured, match=r"readings.*replication"):
        kafka_admin.provision(empty_kafka, replication_factor=3)
    assert sorted(kafka_admin.provision(empty_kafka)) == sorted(TOPICS)
    assert kafka_admin.check(empty_kafka) == []
    assert kafka_admin.provision(empty_kafka) == []
    with _admin(empty_kafka) as admin:
        admin.wait_for_topics(list(TOPICS))
        for topic in TOPICS:
            assert _config(admin, topic, "cleanup.policy") == ("compact" if topic in COMPACTED else "delete")
        assert int(_config(admin, READINGS_AIR, "retention.ms")) == 7 * 86_400_000
        assert int(_config(admin, CHECKPOINTS, "max.message.bytes")) == 64 << 20


def test_a_topic_with_another_count_is_misconfigured_and_nothing_is_made(empty_kafka: str) -> None:
    with _admin(empty_kafka) as admin:
        admin.create_topics({ALERTS: {"num_partitions": 3, "replication_factor": 1}}, wait_for_metadata=True)
    with pytest.raises(Misconfigured, match=r"alerts has 3 partitions, not 4: delete it"):
        kafka_admin.provision(empty_kafka)
    problems = kafka_admin.check(empty_kafka)
    assert len(problems) == len(TOPICS)
    assert "topic findings is missing: run `borough provision`" in problems


async def test_the_embedded_broker_passes_the_check() -> None:
    broker = EmbeddedBroker()
    await broker.start()
    try:
        assert await asyncio.to_thread(kafka_admin.check, broker.address, api_version=EMBEDDED_API) == []
    finally:
        await broker.stop()


def test_nobody_there_is_unavailable_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    for call in (kafka_admin.check, kafka_admin.provision):
        with pytest.raises(Unavailable, match=r"^Kafka at 127.0.0.1:1 cannot be reached[^\n]*$"):
            call("127.0.0.1:1", timeout_s=1)
    assert caplog.text == ""


def test_security_that_cannot_work_together_is_refused() -> None:
    with pytest.raises(Misconfigured, match="NTLM"):
        KafkaSecurity(mechanism="NTLM", username="a")
    with pytest.raises(Misconfigured, match="user name"):
        KafkaSecurity(mechanism="PLAIN")
    options = KafkaSecurity(tls=True, mechanism="SCRAM-SHA-512", username="a", password="b").options()
    assert options["security_protocol"] == "SASL_SSL"
    assert KafkaSecurity().options() == {"security_protocol": "PLAINTEXT"}


def _admin(address: str) -> Any:
    return KafkaAdminClient(bootstrap_servers=address)


def _config(admin: Any, topic: str, name: str) -> str:
    from kafka.admin import ConfigResource, ConfigResourceType

    answer = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
    return str(_find(answer, name))


def _find(tree: Any, name: str) -> Any:
    """The value of a config in whatever nesting the client answers with."""
    if isinstance(tree, dict):
        if name in tree:
            found = tree[name]
            return found.get("value") if isinstance(found, dict) else found
        if tree.get("name") == name and "value" in tree:
            return tree["value"]
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            found = _find(branch, name)
            if found is not None:
                return found
    return None
