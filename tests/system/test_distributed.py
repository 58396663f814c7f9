"""Every part a process of its own, on a real Kafka and a real InfluxDB: started in any order, fed by HTTP and topic."""

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from domain.times import MINUTE_MS, format_time
from tests.native.service import free_port

ROOT = Path(__file__).resolve().parents[2]
SENSORS = "sensor,area,lat,lon,interval_s\nloop-1,north,52,-1,20\nair-1,centre,52,-1,60\n"
PATIENCE_S = 90


class Town:
    """The parts by name, their addresses, and how to ask them."""

    def __init__(self, folder: Path, kafka: str, influx: str) -> None:
        (folder / "sensors.csv").write_text(SENSORS, encoding="utf-8")
        self.folder = folder
        self.kafka = kafka
        self.environment = {
            **os.environ,
            "BOROUGH_BROKER": f"kafka://{kafka}",
            "BOROUGH_STORE": f"influx://{influx.removeprefix('http://')}/borough/autogen?org=borough",
            "BOROUGH_STORE_TOKEN": "borough:borough",
            "BOROUGH_SENSORS": str(folder / "sensors.csv"),
            "BOROUGH_LATENESS_S": "1",
            "BOROUGH_WAIT_S": "60",
        }
        self.parts: dict[str, subprocess.Popen[bytes]] = {}
        self.web, self.gateway = (f"http://127.0.0.1:{free_port()}" for _ in range(2))

    def start(self, name: str, command: str, *flags: str) -> None:
        arguments = [sys.executable, "-m", "service", command, "--data-dir", str(self.folder / name), *flags]
        with (self.folder / f"{name}.log").open("wb") as log:
            self.parts[name] = subprocess.Popen(
                arguments, cwd=ROOT, env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "service", *arguments]
        return subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=True)

    def stop(self) -> None:
        for part in self.parts.values():
            part.terminate()
        for part in self.parts.values():
            part.wait(20)

    def get(self, url: str) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    return json.load(answer)
            except OSError:  # not there yet, or not ready yet
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)


@pytest.fixture
def town(tmp_path: Path, kafka_address: str, influx_url: str) -> Iterator[Town]:
    with ExitStack() as stack:
        parts = Town(tmp_path, kafka_address, influx_url)
        stack.callback(parts.stop)
        yield parts


async def produce(address: str, topic: str, partition: int, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=address)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, partition=partition)
    finally:
        await producer.stop()


@pytest.mark.timeout(300)
def test_the_parts_make_one_system(town: Town) -> None:
    town.start("web", "web", "--port", town.web.rpartition(":")[2])
    town.start("worker-1", "worker")
    town.start("gateway", "gateway", "--port", town.gateway.rpartition(":")[2])
    town.run("provision")
    town.start("store", "store")
    town.start("alerts", "alerts")
    town.start("worker-2", "worker")
    for door in (town.gateway, town.web):
        assert town.get(f"{door}/readyz")["data"]["status"] == "ok"

    begin = int(time.time() * 1_000) // MINUTE_MS * MINUTE_MS - 10 * MINUTE_MS
    readings = [(begin + k * 20_000, 100.0 + k) for k in range(24)]
    body = [{"time": format_time(t), "series": "loop-1/traffic.flow", "value": x} for t, x in readings]
    request = urllib.request.Request(f"{town.gateway}/v1/readings", json.dumps(body + body).encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer)["accepted"] == 48

    # One more on its own, on a partition that is not its area's, after something that is no message at all.
    lone = {"time": format_time(begin + 485_000), "series": "loop-1/traffic.flow", "value": 500.0}
    for partition in range(4):
        asyncio.run(produce(town.kafka, "readings.traffic", partition, b"\xff poison"))
        asyncio.run(produce(town.kafka, "readings.traffic", partition, json.dumps(lone).encode()))

    def windows() -> list[dict[str, Any]]:
        query = f"window=60&start={format_time(begin)}&end={format_time(begin + 60 * MINUTE_MS)}"
        rows = town.get(f"{town.web}/v1/series/loop-1/traffic.flow/aggregates?{query}")["data"]
        return sorted(rows, key=lambda row: str(row["window_start"]))

    deadline = time.monotonic() + PATIENCE_S
    while sum(row["count"] for row in windows()) < 25 and time.monotonic() < deadline:
        time.sleep(1)
    found = windows()
    assert [row["count"] for row in found] == [3] * 8 + [1]
    assert [row["mean"] for row in found] == pytest.approx([101.0 + 3 * k for k in range(8)] + [500.0])
    assert [row["window_start"] for row in found] == [format_time(begin + k * MINUTE_MS) for k in range(9)]
    reasons = [item["reason"] for item in town.get(f"{town.web}/v1/quarantine")["data"]]
    assert any("not a message" in reason for reason in reasons)

    table = town.run("query", "aggregates", "--series", "loop-1/traffic.flow", "--window", "60", "--format", "csv")
    assert table.stdout.splitlines()[0].startswith("window_start,window_s,series,count,mean,min,max,last")
    assert len(table.stdout.splitlines()) == 10
