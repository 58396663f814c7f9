"""A distributed run: every part a process of its own with a data folder of its own, a real Kafka, a real InfluxDB."""

import random
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.native.influx import BUCKET, ORG, TOKEN, NativeInflux
from tests.native.kafka import NativeKafka
from tests.system.program import Running, all_pages, borough, call, get, query, sensors_table, until
from tests.system.recomputed import Reading, differences, windows

LATENESS_S, HORIZON_S = 1, 2 * 86_400


class Parts:
    """Raises: tests.native.tools.Missing: Kafka or InfluxDB cannot be had on this machine."""

    def __init__(self, folder: Path, sensors: Sequence[tuple[str, str, float]], seed: int) -> None:
        self.kafka, self.influx = NativeKafka(), NativeInflux()
        self.folder = folder
        self.rng = random.Random(seed)
        self.store = f"influx://{self.influx.url.removeprefix('http://')}/{BUCKET}?org={ORG}"
        self.env = {
            "BOROUGH_BROKER": f"kafka://{self.kafka.address}",
            "BOROUGH_STORE": self.store,
            "BOROUGH_STORE_TOKEN": TOKEN,
            "BOROUGH_SENSORS": str(sensors_table(folder / "sensors.csv", sensors)),
            "BOROUGH_LATENESS_S": str(LATENESS_S),
            "BOROUGH_HORIZON_S": str(HORIZON_S),
            "BOROUGH_CHECKPOINT_S": "1.5",
            "BOROUGH_WAIT_S": "90",
            "BOROUGH_PORT": "0",
        }
        self.running: dict[str, Running] = {}
        self.gateway = self.web = ""

    def start(self, name: str) -> None:
        """``worker-1`` is a worker."""
        command = name.partition("-")[0]
        words = (command, "--data-dir", self.folder / name / "data")
        self.running[name] = Running(self.folder / name, *words, name=name, env=self.env)

    def start_all(self) -> None:
        """In a random order, topics and buckets last."""
        names = ["worker-1", "worker-2", "gateway", "alerts", "store", "web"]
        self.rng.shuffle(names)
        began = time.monotonic()
        print("started in the order", *names)
        for name in names:
            self.start(name)
        for name in names:
            until(partial(self._says, name, "waiting for the broker"), f"{name} says what is missing")
        print(f"all wait after {time.monotonic() - began:.1f} s")
        for _ in range(2):  # again is fine
            ran = borough("provision", env=self.env)
            assert ran.returncode == 0, ran.stderr
        print(f"provisioned after {time.monotonic() - began:.1f} s")
        self.gateway, self.web = self.running["gateway"].ready(), self.running["web"].ready()
        for name in ("worker-1", "worker-2", "alerts", "store"):
            until(partial(self._says, name, " runs; "), f"{name} runs")
        print(f"all run after {time.monotonic() - began:.1f} s")

    def _says(self, name: str, words: str) -> bool:
        running = self.running[name]
        running.check_alive()
        return words in running.out() + running.err()

    def rows(self, series: str, window_s: int) -> list[dict[str, Any]]:
        """What the web part says."""
        if call(f"{self.web}/v1/series/{series}").status == 404:
            return []
        path = f"/v1/series/{series}/aggregates?window={window_s}&start=2000-01-01T00:00:00Z&limit=10000"
        return all_pages(self.web, path)

    def queried(self, series: str, window_s: int) -> list[dict[str, str]]:
        """What the command says, straight from InfluxDB."""
        return query(series, window_s, "--store", self.store, "--data-dir", self.folder / "query", env=self.env)

    def wrong(self, readings: Sequence[Reading], window_s: int = 60) -> list[str]:
        return [
            f"{series} {line}"
            for series, wanted in windows(readings, window_s).items()
            for line in differences(self.rows(series, window_s), wanted)
        ]

    def settle(self, readings: Sequence[Reading]) -> None:
        """Wait until every minute is stored right."""
        try:
            until(lambda: not self.wrong(readings), "every minute is stored right", 120)
        except AssertionError:
            assert self.wrong(readings)[:10] == []
            raise

    def alerts(self) -> dict[str, dict[str, Any]]:
        return {item["id"]: item for item in get(self.web + "/v1/alerts?limit=1000")["data"]}

    def __enter__(self) -> Self:
        self.kafka.start()
        try:
            self.influx.start()
        except BaseException:
            self.kafka.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for running in self.running.values():
            running.__exit__(kind, error, tb)
        self.influx.stop()
        self.kafka.stop()
