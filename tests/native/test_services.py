"""The native services start, keep their data over a restart and leave nothing behind."""

import socket
import urllib.request

import pytest

from tests.native import tools
from tests.native.influx import BUCKET, ORG, TOKEN, NativeInflux
from tests.native.kafka import NativeKafka


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_kafka_starts_restarts_and_leaves_nothing() -> None:
    try:
        kafka = NativeKafka()
    except tools.Missing as error:
        pytest.skip(f"needs Kafka: {error}")
    with kafka:
        assert _listening(kafka.port)
        kafka.kill()
        assert not _listening(kafka.port)
        kafka.start()
        assert _listening(kafka.port)
    assert not _listening(kafka.port)
    assert not kafka.folder.exists()


def test_influx_keeps_its_data_over_a_restart() -> None:
    try:
        influx = NativeInflux()
    except tools.Missing as error:
        pytest.skip(f"needs InfluxDB: {error}")
    with influx:
        _post(influx.url + f"/api/v2/write?bucket={BUCKET}&org={ORG}&precision=ms", b"m,series=a x=1.5 1772431200000")
        influx.restart()
        query = f'from(bucket:"{BUCKET}") |> range(start: 2026-03-01T00:00:00Z, stop: 2026-03-03T00:00:00Z)'
        answer = _post(influx.url + f"/api/v2/query?org={ORG}", query.encode(), "application/vnd.flux")
    assert b"2026-03-02T06:00:00Z,1.5,x,m,a" in answer
    assert not _listening(influx.port)
    assert not influx.folder.exists()


def _post(url: str, body: bytes, kind: str = "text/plain") -> bytes:
    request = urllib.request.Request(url, body, {"Authorization": f"Token {TOKEN}", "Content-Type": kind})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())
