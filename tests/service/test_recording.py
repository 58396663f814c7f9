"""What is heard of the readings topics: every reading once, and what was dropped before it could be read is counted."""

import os
from pathlib import Path

from connectors.kafka_tail import Tailed
from domain.codec import encode_frame, encode_tick
from domain.readings import Frame, Readings, Tick
from domain.topics import READINGS
from service.data_dir import forget_service, record_service, recorded_broker, recorded_service
from service.recording import Heard

TOPIC = READINGS[0]
START = 1_772_409_600_000  # 2026-03-02T00:00:00Z


def message(offset: int, value: bytes, partition: int = 0) -> Tailed:
    return Tailed(TOPIC, partition, offset, b"", value, ())


def frame(seq: int, *values: float) -> bytes:
    rows = [("loop-1/traffic.flow", START + 1_000 * k, x) for k, x in enumerate(values)]
    return encode_frame(Frame("gw", seq, "north", Readings.of(rows)))


def test_each_frame_counts_once_and_what_is_no_reading_not_at_all() -> None:
    heard = Heard({})
    sent = [frame(0, 1.5, float("nan")), frame(0, 1.5), encode_tick(Tick("gw", 1, START)), b"?", frame(2, 3.0)]
    found = [row for offset, raw in enumerate(sent) for row in heard.readings(message(7 + offset, raw))]
    assert [(t, str(x)) for t, _, x in found] == [
        ("2026-03-02T00:00:00Z", "1.5"), ("2026-03-02T00:00:01Z", "nan"), ("2026-03-02T00:00:00Z", "3.0"),
    ]  # fmt: skip
    assert heard.sensors == {"loop-1": {"sensor": "loop-1", "area": "north"}}
    assert heard.dropped == 0


def test_what_the_broker_dropped_is_counted_by_partition() -> None:
    heard = Heard({})
    for offset, partition in ((3, 0), (4, 0), (9, 0), (100, 1), (102, 1)):
        assert len(list(heard.readings(message(offset, frame(offset, 1.0), partition)))) == 1
    assert heard.dropped == 4 + 1


def test_the_broker_of_a_running_service_is_found_in_its_folder(tmp_path: Path) -> None:
    assert recorded_broker(tmp_path) is None
    record_service(tmp_path, "http://127.0.0.1:1", "127.0.0.1:2")
    assert (recorded_service(tmp_path), recorded_broker(tmp_path)) == ("http://127.0.0.1:1", "127.0.0.1:2")
    record_service(tmp_path, "http://127.0.0.1:1")
    assert recorded_broker(tmp_path) is None  # it runs on Kafka
    forget_service(tmp_path)
    assert recorded_service(tmp_path) is None
    (tmp_path / "service.json").write_text(f'{{"url": "http://127.0.0.1:1", "pid": {os.getpid()}}}')
    assert recorded_broker(tmp_path) is None  # a note of an earlier version
