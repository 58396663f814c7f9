"""After an outage of the workers: how fast the backlog drains while readings go on coming, and in how much memory.

A real Kafka and a real InfluxDB; worker, store and alert desk each a process of its own. Scaled down in one way only:
nobody waits for the outage. Its readings and ticks, second by second as the gateway frames them, are written at once
before the worker starts; from then on readings come by the clock at the stated rate, until the backlog is gone. Then
the last windows are closed, and every series is counted in InfluxDB and summed up (values are multiples of 1/8, so sums
are exact) before a figure is printed. Embedded, the outage stands in the outbox and `borough serve` starts on it, while
readings go on coming by HTTP; its store is read when it has stopped.

    .venv/bin/python benchmarks/backlog.py            # 10 minutes at 10 and 1,000 readings/s
    .venv/bin/python benchmarks/backlog.py --minutes 2 --rates 1000
"""

import argparse
import asyncio
import itertools
import json
import logging
import math
import os
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from kafka import KafkaAdminClient

from benchmarks.arrivals import Load, Sent, Writing
from connectors.duckdb_store import DuckDbStore
from connectors.kafka_publisher import KafkaPublisher
from connectors.outbox import SqliteOutbox
from domain.codec import decode
from domain.ports import Entry, Record
from domain.readings import Frame
from domain.times import format_time
from service import data_dir
from tests.native.influx import BUCKET, DATABASE, ORG, TOKEN, NativeInflux
from tests.native.kafka import NativeKafka
from tests.system.program import Running, accept, borough, call, sensors_table, until

GROUP = "borough-analyse"
FACTOR = 4.0  # the floor: consumed at least so many times as fast as readings come
LATENESS_S = 10
LAG_S = 10  # has caught up: a checkpoint is written every 5 s, so committed offsets are never nearer
MEMORY_MB_MAX = {"Kafka": 1_000.0, "embedded": 1_500.0}  # of the worker, of all parts in one; with 10,000 series
QUIET_S = 3_600  # an hour later everything is closed


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


def embedded(load: Load, minutes: float, seed: int) -> Outcome:
    """The gateway's own files, as it leaves them when everything behind it stands still; then everything starts."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="borough-backlog-")))
        data = data_dir.prepare(folder / "data")
        sent = Sent(load, time.time_ns() // 1_000_000 - int(minutes * 60_000), np.random.default_rng(seed))
        outbox = SqliteOutbox(data / data_dir.OUTBOX, 1 << 34)
        for _ in range(int(minutes * 60)):
            outbox.append(sent.next_second())
        waiting = outbox.depth()
        outbox.close()
        backlog, began = sent.readings, time.monotonic()
        env = settings(folder, load, OUTBOX_BYTES_MAX=str(1 << 34))
        serve = stack.enter_context(Running(folder / "serve", "serve", "--data-dir", data, env=env))
        per_second = waiting / (minutes * 60)
        with Memory(serve.process.pid) as memory:
            base = serve.ready()
            ready, used = time.monotonic(), cpu_s_of(serve.process.pid)
            with Writing(sent, lambda entries: post(base, entries)):
                until(lambda: figure(base, "outbox_entries") <= LAG_S * per_second, "the outbox is empty", 3_600)
                drained, worked_off = time.monotonic(), sent.readings - LAG_S * load.rate
                cpu_s = cpu_s_of(serve.process.pid) - used
            time.sleep(60 + 2 * LATENESS_S)  # its own clock closes the last minute
        assert serve.interrupt() == 0, serve.err()
        wrong = differing(sent, kept(data / data_dir.HISTORY))
        assert not wrong, wrong[:5]
        return Outcome(load, backlog, worked_off, ready - began, drained - ready, memory.peak_mb, cpu_s)


def post(base: str, entries: list[Entry]) -> None:
    """Frames as a sensor network would send them; the ticks are the gateway's own."""
    for entry in entries:
        frame = decode(entry.value)
        if isinstance(frame, Frame):
            r = frame.readings
            rows = [
                {"series": r.series[i], "time": format_time(t), "value": x}
                for i, t, x in zip(r.i.tolist(), r.t.tolist(), r.x.tolist(), strict=True)
            ]
            assert accept(base, rows)["accepted"] == len(rows)


def figure(base: str, name: str) -> float:
    text = call(base + "/metrics").body.decode()
    return float(text.partition(f"\nborough_gateway_{name} ")[2].split()[0])


def kept(path: Path) -> dict[str, tuple[int, float]]:
    """Series → count and sum of its minutes in the embedded store."""
    store = DuckDbStore(path)
    try:
        found = {}
        for info in store.series():
            rows = store.aggregates(info.series, 60, 0, 1 << 50, 1_000_000)
            some = rows.count > 0
            found[info.series] = int(rows.count.sum()), float((rows.count[some] * rows.mean[some]).sum())
        return found
    finally:
        store.close()


def stored(url: str, sent: Sent) -> list[str]:
    """What InfluxDB says otherwise of the minutes of any series: its count, or its sum."""
    found: dict[str, tuple[int, float]] = {}
    query = """SELECT "count", "mean" FROM aggregates WHERE window_s='60' GROUP BY "series" """
    question = urllib.parse.urlencode({"q": query, "db": DATABASE})
    with urllib.request.urlopen(f"{url}/query?{question}", timeout=120) as answer:
        for one in json.load(answer)["results"][0].get("series", ()):
            # A point that is just being written may lack any of its fields: it is not there yet.
            rows = [(count, mean) for _, count, mean in one["values"] if count and mean is not None]
            count, total = sum(count for count, _ in rows), sum(count * mean for count, mean in rows)
            found[one["tags"]["series"]] = count, total
    return differing(sent, found)


def differing(sent: Sent, found: dict[str, tuple[int, float]]) -> list[str]:
    wrong = []
    for k, name in enumerate(sent.names):
        count, total = found.get(name, (0, 0.0))
        if count != sent.counts[k] or not math.isclose(total, sent.sums[k], rel_tol=1e-9, abs_tol=1e-9):
            wrong.append(f"{name}: {count} counted, {sent.counts[k]} sent")
    return wrong


WAYS = {"Kafka": distributed, "embedded": embedded}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the outage")
    parser.add_argument("--rates", type=int, nargs="+", default=[10, 1_000], help="readings/s")
    parser.add_argument("--ways", nargs="+", choices=sorted(WAYS), default=sorted(WAYS))
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    print(f"outage of {asked.minutes:g} minutes, seed {asked.seed}, {os.cpu_count()} cores", flush=True)
    slow = []
    for rate, (title, run) in itertools.product(asked.rates, WAYS.items()):
        if title not in asked.ways:
            continue
        outcome = run(Load.of(rate), asked.minutes, asked.seed)
        print(outcome.line(title), flush=True)
        if outcome.factor < FACTOR:
            slow.append(f"{title}, {rate}/s: {outcome.factor:.1f} × arrivals, {FACTOR:g} is the floor")
        if outcome.peak_mb > (bound := MEMORY_MB_MAX[title]):
            slow.append(f"{title}, {rate}/s: {outcome.peak_mb:.0f} MB, {bound:g} MB is the bound")
    if slow:
        sys.exit("\n".join(slow))


if __name__ == "__main__":
    main()
