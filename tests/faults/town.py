"""A distributed run under load: every part a process, each behind its own proxy to Kafka and InfluxDB."""

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, TopicPartition

from service.ledger import aside_of, check, read_ledger
from tests.faults.broker import ProxiedKafka
from tests.faults.counts import COUNTS, POSTS_PER_S
from tests.faults.ledger import Ledger, Load, Stream, post
from tests.faults.proxy import Proxy
from tests.faults.recovery import MINUTE_MS, PATIENCE_S, back
from tests.native.influx import BUCKET, ORG, TOKEN, NativeInflux
from tests.system.log import PARTITIONS, TOPICS, partition_of
from tests.system.past import DAY_MS, past
from tests.system.program import Ran, Running, all_pages, borough, sensors_table, table, until
from tests.system.recomputed import Reading

LATENESS_S, HORIZON_S = 1, 25 * 86_400
RESULTS = ("aggregates", "findings", "forecasts", "health", "quarantine")
GROUPS = {"borough-analyse": tuple(TOPICS.values()), "borough-store": RESULTS, "borough-alerts": ("findings",)}


def _area(partition: int, kind: str) -> str:
    """The first name of an area of this kind that lands on the partition."""
    return next(name for k in range(1_000) if partition_of(name := f"{kind}-{k}") == partition)


def make_streams(now: int) -> tuple[list[Stream], list[Stream], dict[str, str]]:
    """Streams that are sent until they are taken, those that are sent once, and the area of each sensor.

    Every readings topic and every partition has one of both; their times are weeks old, so each post revises a
    window that is closed. One more lives months ago, in a time of its own: its windows close as it goes on.
    """
    begin = now // MINUTE_MS * MINUTE_MS - 20 * DAY_MS
    quantity = {"road": "traffic.flow", "park": "air.no2", "grid": "energy.active_power"}
    again, once, areas = [], [], {}
    for kind, name in quantity.items():
        for partition in PARTITIONS if kind == "road" else PARTITIONS[:1]:
            area = _area(partition, kind)
            areas |= {f"{area}-a": area, f"{area}-b": area}
            again.append(Stream(f"{area}-a/{name}", begin, 7_000))
            once.append(Stream(f"{area}-b/{name}", begin, MINUTE_MS))
    areas["old-a"] = "museum"
    again.append(Stream("old-a/traffic.flow", begin - 60 * DAY_MS, 7_000))
    return again, once, areas


class Town:
    """Raises: tests.native.tools.Missing: Kafka or InfluxDB cannot be had on this machine."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.kafka, self.influx = ProxiedKafka(seed), NativeInflux()
        self.to_store = {kind: Proxy(self.influx.port, seed + 50 + k) for k, kind in enumerate(("store", "web"))}
        now = int(time.time() * 1_000)
        self.streams, self.once, areas = make_streams(now)
        recording = ["bridge-a/traffic.flow", "bridge-b/traffic.flow"]
        self.recorded = past(recording, now // DAY_MS * DAY_MS - 60 * DAY_MS, seed, shifted=recording[0])
        areas |= {"bridge-a": "bridge", "bridge-b": "bridge"}
        areas |= {f"late-{k}": f"late-{k}" for k in range(COUNTS["out of order"].times)}
        self.sensors = sensors_table(folder / "sensors.csv", [(name, area, 60.0) for name, area in areas.items()])
        self.ledger = Ledger(folder / "ledger.csv")
        self.running: dict[str, Running] = {}
        self.workers = 0
        self.gateway = self.web = ""
        self._stack = ExitStack()

    def load(self) -> Load:
        return Load(
            lambda: self.gateway, self.ledger, self.streams, self.once, self.seed, self.recorded, POSTS_PER_S
        )  # fmt: skip

    # --- parts

    def environment(self, kind: str) -> dict[str, str]:
        influx = (self.to_store.get(kind) or self.to_store["web"]).address
        return {
            "BOROUGH_BROKER": f"kafka://{self.kafka.proxies[kind].address}",
            "BOROUGH_STORE": f"influx://{influx}/{BUCKET}?org={ORG}",
            "BOROUGH_STORE_TOKEN": TOKEN,
            "BOROUGH_SENSORS": str(self.sensors),
            "BOROUGH_LATENESS_S": str(LATENESS_S),
            "BOROUGH_HORIZON_S": str(HORIZON_S),
            "BOROUGH_CHECKPOINT_S": "1.5",
            "BOROUGH_WAIT_S": "90",
            "BOROUGH_PORT": "0",
        }

    def start(self, name: str) -> Running:
        """``worker-1`` is a worker."""
        kind = name.partition("-")[0]
        words = (kind, "--data-dir", self.folder / name / "data")
        self.running[name] = Running(self.folder / name, *words, name=name, env=self.environment(kind))
        return self.running[name]

    def start_worker(self) -> str:
        self.workers += 1
        self.start(f"worker-{self.workers}")
        return f"worker-{self.workers}"

    def send(self, readings: Sequence[Reading]) -> None:
        """Post until it is taken, as a sender does."""
        outcome = ""
        while outcome != "ok":
            outcome = post(self.gateway, readings, 15)
            self.ledger.write(readings, outcome)

    def workers_alive(self) -> list[str]:
        return [n for n, r in self.running.items() if n.startswith("worker") and r.process.poll() is None]

    def start_all(self) -> None:
        provisioned = borough("provision", env={**self.environment("web"), **self.straight()})
        assert provisioned.returncode == 0, provisioned.stderr
        for name in ("gateway", "web", "alerts", "store"):
            self.start(name)
        for _ in range(2):
            self.start_worker()
        self.gateway, self.web = self.running["gateway"].ready(), self.running["web"].ready()
        for name in ("worker-1", "worker-2", "alerts", "store"):
            until(partial(self._says, name, " runs; "), f"{name} runs")

    def straight(self) -> dict[str, str]:
        """Settings that go past the proxies, for commands."""
        store = f"influx://127.0.0.1:{self.influx.port}/{BUCKET}?org={ORG}"
        return {"BOROUGH_BROKER": f"kafka://{self.kafka.address}", "BOROUGH_STORE": store}

    def _says(self, name: str, words: str) -> bool:
        self.running[name].check_alive()
        return words in self.running[name].out()

    # --- is it back?

    def back(self, load: Load, since: float) -> float:
        """Wait until all that is taken by now is counted; seconds since ``since`` (monotonic)."""
        streams = [stream for stream in self.streams if not stream.series.startswith("old")]
        return back(load, self.web, streams, since)

    # --- what is right at the end

    def queried(self, window_s: int = 60) -> str:
        """Every window of the ledger's series, as the command prints it straight from InfluxDB."""
        names = sorted({line.series for line in read_ledger(self.ledger.path)})
        words = [word for name in names for word in ("--series", name)]
        where = ("--data-dir", self.folder / "query", "--window", window_s, "--format", "csv")
        ran = borough("query", "aggregates", *words, *where, env={**self.environment("web"), **self.straight()})
        assert ran.returncode == 0 or "no such series" in ran.stderr, ran.stderr
        return ran.stdout

    def wrong(self) -> list[str]:
        """The ledger against what the command says."""
        stored: dict[str, list[dict[str, str]]] = {}
        for row in table(self.queried()):
            stored.setdefault(row["series"], []).append(row)
        return check(read_ledger(self.ledger.path), stored, aside_of(self.quarantine()), 60)

    def quarantine(self) -> list[dict[str, Any]]:
        env = {**self.environment("web"), **self.straight()}
        ran = borough("query", "quarantine", "--data-dir", self.folder / "query", "--format", "json", env=env)
        assert ran.returncode == 0, ran.stderr
        return list(json.loads(ran.stdout)["data"])

    def settle(self) -> None:
        """Wait until the ledger holds."""
        deadline = time.monotonic() + PATIENCE_S
        while wrong := self.wrong():
            assert time.monotonic() < deadline, (len(wrong), wrong[:10])
            time.sleep(1)

    def alerts(self) -> dict[str, dict[str, Any]]:
        return {item["id"]: item for item in all_pages(self.web, "/v1/alerts?limit=1000")}

    def settled_alerts(self, wanted: set[str]) -> dict[str, dict[str, Any]]:
        """The alerts, once the web part has heard of all that are wanted; what it says when it does not."""
        with suppress(AssertionError):
            until(lambda: set(self.alerts()) >= wanted, "every alert is told", PATIENCE_S)
        return self.alerts()

    def verified(self) -> Ran:
        """``borough verify-ledger``, as an operator runs it."""
        env = {**self.environment("web"), **self.straight()}
        return borough("verify-ledger", self.ledger.path, "--data-dir", self.folder / "query", env=env)

    def lags(self, group: str) -> dict[tuple[str, int], tuple[int, int]]:
        """Committed offset and end of every partition that a group reads."""
        consumer = Consumer({"bootstrap.servers": self.kafka.address, "group.id": group, "enable.auto.commit": False})
        try:
            places = [TopicPartition(topic, place) for topic in GROUPS[group] for place in PARTITIONS]
            return {
                (found.topic, found.partition): (
                    max(found.offset, 0), consumer.get_watermark_offsets(found, timeout=10)[1],
                )
                for found in consumer.committed(places, timeout=10)
            }  # fmt: skip
        finally:
            consumer.close()

    def caught_up(self, group: str) -> None:
        """Wait until the group has committed all that stands there now."""
        target = {place: end for place, (_, end) in self.lags(group).items()}
        until(
            lambda: all(at >= target[place] for place, (at, _) in self.lags(group).items()),
            f"{group} has committed what stood there",
            PATIENCE_S,
        )

    def drained(self, group: str) -> None:
        """Wait until the group has committed the end of everything it reads."""

        def behind() -> dict[tuple[str, int], tuple[int, int]]:
            return {place: lag for place, lag in self.lags(group).items() if lag[0] != lag[1]}

        try:
            until(lambda: not behind(), f"{group} has committed the end", PATIENCE_S)
        except AssertionError:
            assert behind() == {}
            raise

    def __enter__(self) -> Self:
        self._stack.callback(self.ledger.close)
        self._stack.enter_context(self.kafka)
        self._stack.enter_context(self.influx)
        for proxy in self.to_store.values():
            self._stack.enter_context(proxy)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for running in self.running.values():
            running.__exit__(kind, error, tb)
        self._stack.close()
