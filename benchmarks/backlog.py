"""After an outage of the workers: how fast the backlog drains while readings go on coming, and in how much memory.

A real Kafka and a real InfluxDB; worker, store and alert desk each a process of its own. Scaled down in one way only:
nobody waits for the outage. Its readings and ticks, second by second as the gateway frames them, are written at once
before the worker starts; from then on readings come by the clock at the stated rate, until the backlog is gone. Then
the last windows are closed, and every series is counted in InfluxDB and summed up (values are multiples of 1/8,
so sums are exact) before a figure is printed.

    .venv/bin/python benchmarks/backlog.py            # 10 minutes at 10, 1,000 and 10,000 readings/s
    .venv/bin/python benchmarks/backlog.py --minutes 2 --rates 1000
"""

import argparse
import asyncio
import json
import logging
import os
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from kafka import KafkaAdminClient

from connectors.gateway_frames import frame_entries
from connectors.gateway_judge import Place
from connectors.kafka_publisher import KafkaPublisher
from domain.codec import encode_tick
from domain.ports import Entry, Record
from domain.readings import Readings, Tick
from domain.series import parse_series
from domain.topics import PARTITIONS, READINGS, READINGS_TRAFFIC
from tests.native.influx import BUCKET, DATABASE, ORG, TOKEN, NativeInflux
from tests.native.kafka import NativeKafka
from tests.system.program import Running, borough, sensors_table, until

GROUP = "borough-analyse"
FACTOR = 4.0  # the floor: consumed at least so many times as fast as readings come
LATENESS_S = 10
LAG_S = 10  # has caught up: a checkpoint is written every 5 s, so committed offsets are never nearer
MEMORY_MB_MAX = 1_000.0  # of the worker, stated: with 10,000 series
AREAS = 40
FRAME_READINGS_MAX = 1_000
QUIET_S = 3_600  # an hour later everything is closed


@dataclass(frozen=True)
class Load:
    """``rate`` readings/s from ``series`` series, each every ``interval_s`` seconds."""

    rate: int
    series: int
    interval_s: int

    @classmethod
    def of(cls, rate: int) -> "Load":
        interval_s = 10 if rate < 10_000 else 1
        return cls(rate, rate * interval_s, interval_s)

    def area(self, k: int) -> str:
        return f"area-{k * min(AREAS, self.series // 10) // self.series:02d}"

    def name(self, k: int) -> str:
        return f"s{k:05d}/traffic.flow"


@dataclass
class Sent:
    """What was written, second by second, and how many readings lie before each offset."""

    load: Load
    begin: int  # epoch ms
    rng: np.random.Generator
    seqs: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    before: dict[tuple[str, int], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0]))
    seconds: int = 0
    counts: Any = None
    sums: Any = None

    def __post_init__(self) -> None:
        self.counts, self.sums = np.zeros(self.load.series, np.int64), np.zeros(self.load.series)
        self.names = [self.load.name(k) for k in range(self.load.series)]
        self.places = {
            name: Place(name.partition("/")[0], parse_series(name).quantity, READINGS_TRAFFIC, self.load.area(k))
            for k, name in enumerate(self.names)
        }

    @property
    def readings(self) -> int:
        return int(self.counts.sum())

    def next_second(self) -> list[Entry]:
        """The frames of one second, then the ticks that end it."""
        load, s = self.load, self.seconds
        who = np.arange(s % load.interval_s, load.series, load.interval_s)
        rhythm = 900 + 300 * np.sin(s / 600 + who)
        x = np.round((rhythm + self.rng.normal(0, 20, len(who))) * 8) / 8
        t = np.full(len(who), self.begin + s * 1_000) + self.rng.integers(0, 900, len(who))
        self.counts[who] += 1
        self.sums[who] += x
        readings = Readings([self.names[k] for k in who], np.arange(len(who), dtype=np.int32), t, x)
        entries = frame_entries("bench", [readings], self.places.__getitem__, self._seq, FRAME_READINGS_MAX)
        self.seconds += 1
        return entries + self.ticks(self.begin + self.seconds * 1_000)

    def ticks(self, now: int) -> list[Entry]:
        return [
            Entry(topic, p, seq, b"tick", encode_tick(Tick("bench", seq, now)))
            for topic in READINGS
            for p in range(PARTITIONS)
            for seq in (self._seq(topic, p),)
        ]

    def note(self, entries: list[Entry]) -> None:
        """They are written now, in this order."""
        for entry in entries:
            lane = self.before[entry.topic, entry.partition]
            _, found, columns = entry.value.partition(b'"x":[')
            lane.append(lane[-1] + (columns.count(b",") + 1 if found else 0))

    def _seq(self, topic: str, partition: int) -> int:
        self.seqs[topic, partition] += 1
        return self.seqs[topic, partition]


class Memory:
    """Samples the resident memory of a process twice a second."""

    def __init__(self, pid: int) -> None:
        self._status, self._ended = Path(f"/proc/{pid}/status"), threading.Event()
        self.peak_mb = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._ended.wait(0.5):
            for line in self._status.read_text().splitlines():
                if line.startswith("VmRSS:"):
                    self.peak_mb = max(self.peak_mb, int(line.split()[1]) / 1_024)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def cpu_s_of(pid: int) -> float:
    """CPU time that a process has used, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Outcome:
    load: Load
    backlog: int
    worked_off: int  # until the worker had caught up: the backlog, and what came meanwhile
    start_s: float
    drain_s: float
    peak_mb: float
    cpu_s: float  # of the worker, while it drained

    @property
    def factor(self) -> float:
        return self.worked_off / self.drain_s / self.load.rate

    def line(self, title: str) -> str:
        return (
            f"{title:<9} {self.load.rate:>6,}/s  {self.load.series:>6,} series  backlog {self.backlog:>9,}  "
            f"start {self.start_s:4.1f} s, {self.worked_off:>9,} worked off in {self.drain_s:6.1f} s  "
            f"= {self.factor:5.1f} × arrivals  {self.peak_mb:4.0f} MB, {self.cpu_s:.0f} s of CPU"
        )


class Writing:
    """Readings by the clock, second by second, until told to stop."""

    def __init__(self, sent: Sent, write: Callable[[list[Entry]], None]) -> None:
        self._sent, self._write, self._stop = sent, write, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.error: Exception | None = None

    def _run(self) -> None:
        due = time.monotonic()
        try:
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                self._write(self._sent.next_second())
                due += 1
        except Exception as error:
            self.error = error

    def __enter__(self) -> "Writing":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self.error is not None:
            raise self.error


@contextmanager
def kafka_writer(address: str, sent: Sent) -> Iterator[Callable[[list[Entry]], None]]:
    """A function that returns when the broker has all of it."""
    loop = asyncio.new_event_loop()
    publisher = KafkaPublisher(address)

    async def put(entries: list[Entry]) -> None:
        await publisher.send([Record(e.topic, e.partition, e.key, e.value) for e in entries])
        await publisher.settle()

    def write(entries: list[Entry]) -> None:
        loop.run_until_complete(put(entries))
        sent.note(entries)

    try:
        yield write
    finally:
        loop.run_until_complete(publisher.stop())
        loop.close()


def consumed(admin: Any, sent: Sent) -> int:
    """Readings behind the offsets that the worker has committed: behind a checkpoint."""
    total = 0
    for place, found in admin.list_group_offsets(GROUP)[GROUP].items() if admin else ():
        lane = sent.before[place.topic, place.partition]
        total += lane[min(max(found.offset, 0), len(lane) - 1)]
    return total


def settings(folder: Path, load: Load, **more: str) -> dict[str, str]:
    table = sensors_table(
        folder / "sensors.csv",
        [(load.name(k).partition("/")[0], load.area(k), load.interval_s) for k in range(load.series)],
    )
    own = {"SENSORS": str(table), "LATENESS_S": str(LATENESS_S), "WAIT_S": "90", "PORT": "0", **more}
    return {f"BOROUGH_{name}": value for name, value in own.items()}


def distributed(load: Load, minutes: float, seed: int) -> Outcome:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="borough-backlog-")))
        kafka, influx = stack.enter_context(NativeKafka()), stack.enter_context(NativeInflux())
        store = f"influx://{influx.url.removeprefix('http://')}/{BUCKET}?org={ORG}"
        env = settings(folder, load, BROKER=f"kafka://{kafka.address}", STORE=store, STORE_TOKEN=TOKEN)
        ran = borough("provision", env=env)
        assert ran.returncode == 0, ran.stderr
        for part in ("store", "alerts"):
            running = Running(folder / part, part, "--data-dir", folder / part / "data", env=env)
            stack.enter_context(running)
        begin = time.time_ns() // 1_000_000 - int(minutes * 60_000)
        sent = Sent(load, begin, np.random.default_rng(seed))
        write = stack.enter_context(kafka_writer(kafka.address, sent))
        for _ in range(int(minutes * 60)):
            write(sent.next_second())
        backlog = sent.readings
        began = time.monotonic()
        worker = stack.enter_context(Running(folder / "worker", "worker", "--data-dir", folder / "w", env=env))
        with Memory(worker.process.pid) as memory:
            with Writing(sent, write):
                until(lambda: " runs; " in worker.out(), "the worker runs")
                ready, used = time.monotonic(), cpu_s_of(worker.process.pid)
                admin = KafkaAdminClient(bootstrap_servers=kafka.address)
                until(lambda: sent.readings - consumed(admin, sent) <= LAG_S * load.rate, "the backlog is gone", 3_600)
                drained, worked_off = time.monotonic(), consumed(admin, sent)
                cpu_s = cpu_s_of(worker.process.pid) - used
            for _ in range(3):  # the watermark passes the end of every window
                write(sent.ticks(sent.begin + (sent.seconds + QUIET_S) * 1_000))
            until(lambda: stored(influx.url, sent) == [], "every reading is counted", 600)
            admin.close()
        return Outcome(load, backlog, worked_off, ready - began, drained - ready, memory.peak_mb, cpu_s)


def stored(url: str, sent: Sent) -> list[str]:
    """What InfluxDB says otherwise of the minutes of any series: its count, or its sum."""
    found: dict[str, tuple[int, float]] = {}
    query = """SELECT "count", "mean" FROM aggregates WHERE window_s='60' GROUP BY "series" """
    question = urllib.parse.urlencode({"q": query, "db": DATABASE})
    with urllib.request.urlopen(f"{url}/query?{question}", timeout=120) as answer:
        for one in json.load(answer)["results"][0].get("series", ()):
            count = sum(row[1] for row in one["values"])
            found[one["tags"]["series"]] = (
                count,
                sum(row[1] * row[2] for row in one["values"] if row[1]),
            )  # none came: no mean
    wrong = []
    for k, name in enumerate(sent.names):
        count, total = found.get(name, (0, 0.0))
        if count != sent.counts[k] or abs(total - sent.sums[k]) > 1e-9 * max(1.0, abs(sent.sums[k])):
            wrong.append(f"{name}: {count} counted, {sent.counts[k]} sent")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the outage")
    parser.add_argument("--rates", type=int, nargs="+", default=[10, 1_000, 10_000], help="readings/s")
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    print(f"outage of {asked.minutes:g} minutes, seed {asked.seed}, {os.cpu_count()} cores", flush=True)
    slow = []
    for rate in asked.rates:
        outcome = distributed(Load.of(rate), asked.minutes, asked.seed)
        print(outcome.line("Kafka"), flush=True)
        if outcome.factor < FACTOR:
            slow.append(f"{rate}/s: {outcome.factor:.1f} × arrivals, {FACTOR:g} is the floor")
        if outcome.peak_mb > MEMORY_MB_MAX:
            slow.append(f"{rate}/s: {outcome.peak_mb:.0f} MB, {MEMORY_MB_MAX:g} MB is the bound")
    if slow:
        sys.exit("\n".join(slow))


if __name__ == "__main__":
    main()
