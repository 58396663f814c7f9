"""Readings that come second by second, framed as the gateway frames them: for ``benchmarks/backlog.py``."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from connectors.gateway_frames import frame_entries
from connectors.gateway_judge import Place
from domain.codec import encode_tick
from domain.ports import Entry
from domain.readings import Readings, Tick
from domain.series import parse_series
from domain.topics import PARTITIONS, READINGS, READINGS_TRAFFIC

AREAS = 40
FRAME_READINGS_MAX = 1_000


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
