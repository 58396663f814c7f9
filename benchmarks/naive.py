"""The naive way, for comparison: one JSON message per reading, Python dicts for windows, each reading on its own.

It computes the same tumbling windows (1 min, 15 min, 1 h) with count, mean, min, max, last, written as line protocol,
with the same rule for closing; it has no quality tests, no running windows, no repeats told and no late readings, all
of which would make it slower. :func:`through_faust` feeds it from the embedded broker with a Faust agent that takes one
event after the other, as Faust's tutorial shows.

``benchmarks/pipeline.py`` runs it, checks its results and prints its figures beside ours.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

WINDOWS_S = (60, 900, 3_600)
Key = tuple[str, int, int]


def messages(x: np.ndarray, start: int, step_ms: int, name: Callable[[int, int], str]) -> list[bytes]:
    """``x[area, sensor, step]`` as one message per reading, in the order of time."""
    areas, sensors, steps = x.shape
    names = [[f"{name(a, s)}/traffic.speed" for s in range(sensors)] for a in range(areas)]
    return [
        json.dumps({"time": start + k * step_ms, "series": names[a][s], "value": float(x[a, s, k])}).encode()
        for k in range(steps)
        for a in range(areas)
        for s in range(sensors)
    ]


class Windows:
    """Windows in a dict; ``add`` is called for each reading, ``lines`` holds what has been closed."""

    def __init__(self, lateness_ms: int) -> None:
        self._open: dict[int, dict[Key, list[float]]] = {length: {} for length in WINDOWS_S}
        self._closed_until = dict.fromkeys(WINDOWS_S, 0)
        self._lateness_ms = lateness_ms
        self.lines: list[str] = []

    def add(self, raw: bytes) -> None:
        reading = json.loads(raw)
        series, t, x = reading["series"], reading["time"], reading["value"]
        if not 0 <= x <= 250:
            return
        for length in WINDOWS_S:
            start = t - t % (length * 1_000)
            key = (series, length, start)
            kept = self._open[length].get(key)
            if kept is None:
                self._open[length][key] = [1, x, x, x, x]
            else:
                kept[0] += 1
                kept[1] += x
                kept[2] = min(kept[2], x)
                kept[3] = max(kept[3], x)
                kept[4] = x
        self.close(t)

    def close(self, now: int) -> None:
        """Write the windows that ``now`` (epoch ms) has passed."""
        for length in WINDOWS_S:
            due = now - self._lateness_ms
            due -= due % (length * 1_000)
            if due > self._closed_until[length]:
                self._closed_until[length] = due
                over = [key for key in self._open[length] if key[2] < due]
                for key in over:
                    count, total, low, high, last = self._open[length].pop(key)
                    series, _, start = key
                    self.lines.append(
                        f"aggregates,series={series},window_s={length} count={count}i,"
                        f"mean={total / count},min={low},max={high},last={last} {start}"
                    )


def in_process(rows: Iterable[bytes], lateness_ms: int) -> tuple[float, list[str]]:
    """CPU seconds and the lines."""
    windows = Windows(lateness_ms)
    begin = time.process_time()
    for raw in rows:
        windows.add(raw)
    windows.close(1 << 50)
    return time.process_time() - begin, windows.lines


def check(lines: Iterable[str], expected: dict[Key, tuple[float, ...]], until: int) -> int:
    """Compare with what ``benchmarks/pipeline.py`` recomputes; how many. Ends the program if they differ."""
    found: dict[Key, tuple[float, ...]] = {}
    for line in lines:
        head, fields, start = line.rsplit(" ", 2)
        tags = dict(pair.split("=", 1) for pair in head.split(",")[1:])
        value = dict(pair.split("=", 1) for pair in fields.split(","))
        numbers = (float(value[name]) for name in ("mean", "min", "max", "last"))
        found[tags["series"], int(tags["window_s"]), int(start)] = (int(value["count"][:-1]), *numbers)
    wanted = {k: v for k, v in expected.items() if k[1] in WINDOWS_S and k[2] + k[1] * 1_000 <= until}
    if found != wanted:
        raise SystemExit(f"the naive way differs: {len(found)} aggregates, {len(wanted)} expected")
    return len(found)


async def _through_faust(broker: str, rows: list[bytes], lateness_ms: int) -> tuple[float, list[str]]:
    """CPU seconds of this process, broker and client included, while the messages pass; and the lines."""
    import faust
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": broker, "linger.ms": 50, "queue.buffering.max.messages": 1_000_000})
    windows, begun, done = Windows(lateness_ms), [0.0], asyncio.Event()
    with tempfile.TemporaryDirectory() as folder:
        app = faust.App(
            "naive", broker=f"kafka://{broker}", datadir=folder, store="memory://", web_enabled=False,
            topic_allow_declare=False, topic_disable_leader=True, autodiscover=False, value_serializer="raw",
        )  # fmt: skip
        left = len(rows)

        async def per_reading(stream: Any) -> None:
            nonlocal left
            async for raw in stream:
                begun[0] = begun[0] or time.process_time()
                windows.add(raw)
                left -= 1
                if left == 0:
                    done.set()

        app.agent(app.topic("readings.traffic", value_serializer="raw"))(per_reading)
        await app.start()
        for raw in rows:
            producer.produce("readings.traffic", raw, partition=0)
        await asyncio.to_thread(producer.flush)
        await asyncio.wait_for(done.wait(), 120)
        seconds = time.process_time() - begun[0]
        windows.close(1 << 50)
        await app.stop()
    return seconds, windows.lines


def through_faust(rows: list[bytes], lateness_ms: int) -> tuple[float, list[str]]:
    """Events one by one from the embedded broker; it keeps 5 MB per partition, so ``rows`` must be fewer."""
    from connectors.embedded_broker import EmbeddedBroker

    async def run() -> tuple[float, list[str]]:
        broker = EmbeddedBroker()
        await broker.start()
        try:
            return await _through_faust(broker.address, rows, lateness_ms)
        finally:
            await broker.stop()

    return asyncio.run(run())
