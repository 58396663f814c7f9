"""What a real Kafka carries is recorded to the last reading, and what is not there to be recorded is told."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from connectors import kafka_admin
from connectors.kafka_publisher import KafkaPublisher
from domain.codec import encode_frame, encode_loose, encode_tick
from domain.ports import Record
from domain.quantities import quantity
from domain.readings import Frame, Tick
from domain.topics import partition_of, topic_of
from simulator.scenario import Scenario
from simulator.scenario_run import HEADER, Digest, Play, write_sensors
from tests.system.program import Running, borough, until

pytestmark = pytest.mark.timeout(300)

#: An hour and a half of a small town.
PLAY = Play.of(Scenario("short", "short", "Short", "in a test", 0.06, size=24), 7)


def messages() -> list[Record]:
    """The whole play as a gateway writes it: frames by area, some twice, ticks, readings on their own, and rubbish."""
    found: list[Record] = []
    for seq, start in enumerate(PLAY.starts):
        readings = PLAY.stretch(start).readings
        area_of = {sensor.sensor: sensor.area for sensor in PLAY.town.sensors}
        places: dict[tuple[str, str], list[int]] = {}
        for row, name in enumerate(readings.series):
            place = (topic_of(quantity(name.partition("/")[2])), area_of[name.partition("/")[0]])
            places.setdefault(place, []).append(row)
        for number, ((topic, area), series) in enumerate(sorted(places.items())):
            mine = readings.take([row in series for row in readings.i])  # type: ignore[arg-type]
            frame = encode_frame(Frame(f"gw-{number}", seq, area, mine))
            loose = encode_loose(mine, 0, len(mine))
            where = (topic, partition_of(area), area.encode())
            found += [Record(*where, raw) for raw in ([loose] if number == 2 else [frame, frame])]
            found += [Record(*where, raw) for raw in (encode_tick(Tick("gw", seq, start)), b'{"v":1,"gateway"')]
    return found


async def publish(address: str) -> None:
    publisher = KafkaPublisher(address)
    await publisher.send(messages())
    await publisher.settle()
    await publisher.stop()


def test_what_kafka_carries_is_recorded_to_the_last_reading(kafka_address: str, tmp_path: Path) -> None:
    kafka_admin.provision(kafka_address)
    write_sensors(tmp_path / "sensors.csv", PLAY.town)
    words = ("--broker", f"kafka://{kafka_address}", "--sensors", tmp_path / "sensors.csv", "--data-dir", tmp_path)
    digest = Digest()
    sent = b"".join(digest.take(due) for due in PLAY.stretches()).decode().splitlines()
    recorded = tmp_path / "recorded" / "readings.csv"
    with Running(tmp_path, "simulate", "record", "--out", recorded.parent, "--for", "10m", *words) as listening:
        until(recorded.exists, "it listens")
        asyncio.run(publish(kafka_address))
        until(lambda: recorded.read_text().count("\n") > len(sent), "all is recorded")
        assert listening.interrupt() == 0
    found = recorded.read_text()
    assert found.startswith(HEADER)
    assert Counter(found.splitlines()[1:]) == Counter(sent)
    assert (recorded.parent / "sensors.csv").read_text() == (tmp_path / "sensors.csv").read_text()


def test_nobody_to_listen_to_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    for words, said in (
        (("--data-dir", tmp_path), f"no running service with an embedded broker is noted in {tmp_path}"),
        (("--broker", "kafka://127.0.0.1:1"), "Kafka at 127.0.0.1:1 cannot be reached"),
    ):
        ran = borough("simulate", "record", "--out", tmp_path / "rec", "--for", "5s", *words)
        assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (1, "", 1), ran.stderr
        assert said in ran.stderr
    assert not (tmp_path / "rec").exists()
