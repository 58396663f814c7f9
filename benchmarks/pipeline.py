"""Readings per second through the pipeline on one core: frames as on the wire → validate → window → store text.

1,000 series in 4 areas, a reading every 10 s, 500 readings a frame, ticks in between. Values are multiples of 1/8, so
that sums are exact in any order: every aggregate in the text that goes to the store is compared, number for number,
with a recomputation of its own from the plain arrays, before a time is printed. Beside it: the same with the models
on, through the embedded broker, and the naive way of one event per reading (``benchmarks/naive.py``).

    .venv/bin/python benchmarks/pipeline.py
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(_name, "1")
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks import naive
from connectors.embedded_broker import EmbeddedBroker, EmbeddedPublisher
from connectors.influx_lines import aggregates_lines
from connectors.progress import TakenLedger
from domain import topics
from domain.codec import encode_frame, encode_tick
from domain.ports import Record
from domain.readings import Frame, Readings, Tick
from domain.sensors import Sensor, SensorRegister
from domain.times import HOUR_MS
from domain.topics import partition_of
from models.quality import QualityTests
from streams.analyser import Analyser
from streams.area import Area
from streams.area_clock import Patience
from streams.board import Board
from streams.maintain import MaintainStage
from streams.pipeline import Pipeline
from streams.setup import Setup
from streams.validate import ValidateStage
from streams.window import WindowStage

SEED = 20_260_302
START = 1_772_409_600_000  # 2026-03-02T00:00:00Z
STEP_MS = 10_000
AREAS, SENSORS_PER_AREA = 4, 250
STEPS_PER_FRAME = 2  # of 250 series: 500 readings
LATENESS_MS = 10_000
GOAL = 200_000

Place = tuple[str, int]
Key = tuple[str, int, int]  # series, window in seconds, start in epoch ms
Numbers = tuple[int, float, float, float, float]  # count, mean, min, max, last


@dataclass(frozen=True, slots=True)
class Day:
    """What is sent: ``x[area, sensor, step]`` as messages in the order of the log, and as plain numbers."""

    x: np.ndarray
    log: list[tuple[Place, bytes]]

    @property
    def readings(self) -> int:
        return int(self.x.size)


def sensor_name(area: int, sensor: int) -> str:
    return f"loop-{area:02d}-{sensor:03d}"


def register() -> SensorRegister:
    return SensorRegister(
        Sensor(sensor_name(a, s), f"area-{a}", interval_s=10.0) for a in range(AREAS) for s in range(SENSORS_PER_AREA)
    )


def made_up(hours: float, seed: int) -> Day:
    """Speeds that wander; frames and ticks with a seq per partition, as the gateway writes them."""
    steps = int(hours * HOUR_MS / STEP_MS)
    rng = np.random.default_rng(seed)
    wander = np.cumsum(rng.integers(-8, 9, (AREAS, SENSORS_PER_AREA, steps)), axis=2)
    x = 60 + np.clip(wander, -400, 400) / 8
    log: list[tuple[Place, bytes]] = []
    seqs: dict[Place, int] = {}

    def seq(place: Place) -> int:
        seqs[place] = seqs.get(place, 0) + 1
        return seqs[place]

    places = [(topics.READINGS_TRAFFIC, partition_of(f"area-{a}")) for a in range(AREAS)]
    for begin in range(0, steps, STEPS_PER_FRAME):
        end = min(begin + STEPS_PER_FRAME, steps)
        t = START + np.arange(begin, end) * STEP_MS
        for a, place in enumerate(places):
            readings = Readings(
                [f"{sensor_name(a, s)}/traffic.speed" for s in range(SENSORS_PER_AREA)],
                np.tile(np.arange(SENSORS_PER_AREA, dtype=np.int32), end - begin),
                np.repeat(t, SENSORS_PER_AREA),
                x[a, :, begin:end].T.ravel(),
            )
            log.append((place, encode_frame(Frame("bench", seq(place), f"area-{a}", readings))))
        log += ticks(places, seq, START + end * STEP_MS)
    log += ticks(places, seq, START + steps * STEP_MS + HOUR_MS)
    return Day(x, log)


def ticks(places: list[Place], seq: Callable[[Place], int], time_ms: int) -> list[tuple[Place, bytes]]:
    return [(place, encode_tick(Tick("bench", seq(place), time_ms))) for place in dict.fromkeys(places)]


def recomputed(day: Day) -> dict[Key, Numbers]:
    """Every aggregate, from the plain arrays by reshaping: nothing here is shared with ``streams/``."""
    steps = day.x.shape[2]
    hours = -(-steps * STEP_MS // HOUR_MS)
    expected: dict[Key, Numbers] = {}
    for length, hop, spans in (
        (60, 60, range(-(-steps * STEP_MS // 60_000))),
        (900, 900, range(-(-steps * STEP_MS // 900_000))),
        (3_600, 3_600, range(hours)),
        (28_800, 3_600, range(-7, hours - 6)),
        (86_400, 3_600, range(-23, hours - 22)),
    ):
        for k in spans:
            lo, hi = (max(0, k * hop * 1_000 // STEP_MS), min(steps, (k * hop + length) * 1_000 // STEP_MS))
            part = day.x[:, :, lo:hi]
            columns = [c.ravel().tolist() for c in (part.sum(2) / (hi - lo), part.min(2), part.max(2), part[:, :, -1])]
            for n, numbers in enumerate(zip(*columns, strict=True)):
                name = sensor_name(*divmod(n, SENSORS_PER_AREA)) + "/traffic.speed"
                expected[name, length, START + k * hop * 1_000] = (hi - lo, *numbers)
    return expected


def check(day: Day, expected: dict[Key, Numbers], texts: Iterable[str]) -> int:
    """Compare what the store would be sent with ``expected``; how many aggregates. Ends the program if they differ."""
    found: dict[Key, Numbers] = {}
    for text in texts:
        for line in text.split("\n"):
            head, fields, start = line.rsplit(" ", 2)
            tags = dict(pair.split("=", 1) for pair in head.split(",")[1:])
            value = dict(pair.split("=", 1) for pair in fields.split(","))
            if value["revision"] != "1i" or float(value["coverage"]) > 1:
                raise SystemExit(f"published more than once, or more than whole: {line}")
            number = (float(value[name]) for name in ("mean", "min", "max", "last"))
            found[tags["series"], int(tags["window_s"]), int(start)] = (int(value["count"][:-1]), *number)
    # The last tick is an hour after the last reading: running windows that end later are still open.
    horizon = START + day.x.shape[2] * STEP_MS
    wanted = {key: numbers for key, numbers in expected.items() if key[2] + key[1] * 1_000 <= horizon}
    extra = [key for key in found if key not in wanted]
    extra = [key for key in extra if key[2] + key[1] * 1_000 <= horizon]
    wrong = [key for key, numbers in wanted.items() if found.get(key) != numbers]
    if extra or wrong:
        examples = [(key, wanted.get(key), found.get(key)) for key in [*wrong, *extra][:3]]
        raise SystemExit(f"{len(wrong)} aggregates differ, {len(extra)} too many: {examples}")
    return len(wanted)


def window_only(name: str, sensors: SensorRegister, patience: Patience) -> Area:
    """An area whose pipeline ends with the windows."""
    board = Board.of(name, sensors, patience)
    stages = (ValidateStage(board, QualityTests()), WindowStage(board))
    return Area(board, Pipeline(stages, MaintainStage(board)))


def analysers(kind: str) -> Callable[[Place], Analyser]:
    """Made on demand: with windows only, or the whole pipeline with the named detector."""
    sensors, patience, made = register(), Patience(LATENESS_MS, 2 * HOUR_MS), {}

    def of(place: Place) -> Analyser:
        if place not in made:
            if kind == "windows":
                made[place] = Analyser(*place, sensors, lambda name: window_only(name, sensors, patience))
            else:
                made[place] = Setup(sensors, patience, kind).analyser(*place)
        return made[place]

    return of


def in_memory(day: Day, kind: str) -> tuple[float, list[str]]:
    """CPU seconds and the text for the store."""
    of, texts = analysers(kind), []
    begin = time.process_time()
    for place, raw in day.log:
        for flow in of(place).apply(raw).flows:
            texts += [aggregates_lines(batch) for batch in flow.closed]
    return time.process_time() - begin, texts


async def through_broker(day: Day) -> tuple[float, float, list[str]]:
    """Wall and CPU seconds (of publisher, broker, consumer and analysers, all in this process), and the text."""
    broker = EmbeddedBroker()
    await broker.start()
    ledger = TakenLedger({topics.READINGS_TRAFFIC: frozenset({"analyse"})})
    publisher = EmbeddedPublisher(broker.address, ledger)
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.address, fetch_max_wait_ms=20, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(topics.READINGS_TRAFFIC, p) for p in range(topics.PARTITIONS)])
    of, texts = analysers("windows"), []

    async def publish() -> None:
        for begin in range(0, len(day.log), 50):
            await publisher.send([Record(*place, b"", raw) for place, raw in day.log[begin : begin + 50]])

    begin, busy = time.perf_counter(), time.process_time()
    publishing = asyncio.create_task(publish())
    left = len(day.log)
    while left:
        for place, messages in (await consumer.getmany(timeout_ms=200)).items():
            for message in messages:
                for flow in of((place.topic, place.partition)).apply(message.value).flows:
                    texts += [aggregates_lines(batch) for batch in flow.closed]
            ledger.taken("analyse", place.topic, place.partition, messages[-1].offset + 1)
            left -= len(messages)
    wall, busy = time.perf_counter() - begin, time.process_time() - busy
    await publishing
    await consumer.stop()
    await publisher.stop()
    await broker.stop()
    return wall, busy, texts


def line(title: str, readings: int, seconds: float, bases: list[float], note: str) -> float:
    """Print a row: readings per CPU second, and how many times each of the naive ways that is."""
    rate = readings / seconds
    ratios = "".join(f"{rate / base:9.1f} ×" for base in bases)
    print(f"  {title:54} {rate:>10,.0f} {ratios:22}  {note}", flush=True)
    return rate


def naive_ways(short: Day, expected: dict[Key, Numbers]) -> list[float]:
    """Readings per second of the dict windows in process, and of the same in a Faust agent."""
    seconds, rows = naive.in_process(naive.messages(short.x, START, STEP_MS, sensor_name), LATENESS_MS)
    n = naive.check(rows, expected, START + HOUR_MS)
    plain = line("naive: a JSON message per reading, dict windows", short.readings, seconds, [], f"{n:,} aggregates")
    few = made_up(40 * STEP_MS / HOUR_MS, SEED)
    seconds, rows = naive.through_faust(naive.messages(few.x, START, STEP_MS, sensor_name), LATENESS_MS)
    n = naive.check(rows, recomputed(few), 1 << 50)
    agent = line("naive: the same in a Faust agent, an event at a time", few.readings, seconds, [plain], f"{n:,}")
    return [plain, agent]


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(
        f"pipeline, seed {SEED}, 1 of {os.cpu_count()} cores, Python {sys.version.split()[0]}, numpy {np.__version__}"
    )
    print(f"  command: {Path(sys.executable).name} benchmarks/pipeline.py")
    print(f"  {'readings per CPU second, results checked':54} {'':10} {'× dict':>11}{'× Faust':>11}")
    short, long = made_up(1, SEED), made_up(2, SEED + 1)
    expected, expected_long = recomputed(short), recomputed(long)
    bases = naive_ways(short, expected)
    seconds, texts = in_memory(long, "windows")
    n = check(long, expected_long, texts)
    rate = line("frames → validate → window → store text", long.readings, seconds, bases, f"{n:,} aggregates")
    wall, busy, texts = asyncio.run(through_broker(long))
    n = check(long, expected_long, texts)
    note = f"{n:,}; {long.readings / wall:,.0f} per second of wall time"
    line("the same through the embedded broker", long.readings, busy, bases, note)
    for kind, words in (
        ("null", "with forecasts and maintenance"),
        ("seasonal", "with everything on, seasonal detector"),
    ):
        seconds, texts = in_memory(short, kind)
        n = check(short, expected, texts)
        line(f"… {words}", short.readings, seconds, bases, f"{n:,} aggregates")
    print(f"  goal {GOAL:,} readings per second and core: {'reached' if rate >= GOAL else 'MISSED'}")


if __name__ == "__main__":
    main()
