"""Gateway: single JSON readings, accepted and durable in the outbox, per second and core; the naive way beside it.

    .venv/bin/python -m benchmarks.gateway

Each way runs over ASGI (no socket), and its outbox is read back and compared with what was sent before a figure is
printed.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
from fastapi import FastAPI

from connectors.gateway import Gateway
from connectors.held import HeldReadings
from connectors.http_door import readings_router
from connectors.outbox import SqliteOutbox
from domain.codec import decode
from domain.readings import Frame
from domain.sensors import Sensor, SensorRegister
from domain.times import format_time
from domain.topics import PARTITIONS, READINGS

SENSORS, AREAS = 1_000, 20
START = 1_772_431_200_000
Rows = list[dict[str, object]]


def made_up_readings(count: int) -> Rows:
    """``count`` readings of 1,000 loops, each its own time and value: nothing repeats but the names."""
    return [
        {
            "time": format_time(START + k * 7),
            "series": f"loop-{k % SENSORS:04d}/traffic.speed",
            "value": round(30 + (k * 7919 % 70_000) / 1_000, 3),
        }
        for k in range(count)
    ]


def bodies_of(rows: Rows, size: int, kind: str) -> list[bytes]:
    """Requests of ``size`` readings each as ``array`` or ``ndjson``; of one reading: an object."""
    pieces = [rows[k : k + size] for k in range(0, len(rows), size)]
    if kind == "array":
        return [json.dumps(piece).encode() for piece in pieces]
    return ["\n".join(json.dumps(row) for row in piece).encode() for piece in pieces]


async def measure(folder: Path, bodies: Sequence[bytes], clients: int, rows: Rows) -> tuple[float, float]:
    """Seconds of wall and of processor time until the last answer; then the outbox is compared with ``rows``.

    Both include the client, which runs in the same process.
    """
    outbox = SqliteOutbox(folder / "outbox.sqlite", 1 << 30)
    held = HeldReadings(folder / "held.sqlite")
    register = SensorRegister(Sensor(f"loop-{k:04d}", f"area-{k % AREAS}") for k in range(SENSORS))
    gateway = Gateway(outbox.name, outbox, register, held, lambda: START + 3_600_000)
    app = FastAPI()
    app.include_router(readings_router(gateway))
    waiting = list(reversed(bodies))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://gateway") as client:

        async def one_client() -> None:
            while waiting:
                answer = await client.post("/v1/readings", content=waiting.pop())
                if answer.status_code != 202 or answer.json()["rejected"]:
                    raise SystemExit(f"not accepted: {answer.status_code} {answer.text[:200]}")

        begin, begin_busy = time.perf_counter(), time.process_time()
        await asyncio.gather(*(one_client() for _ in range(clients)))
        wall, busy = time.perf_counter() - begin, time.process_time() - begin_busy
    await gateway.stop()
    check(outbox, rows)
    outbox.close()
    held.close()
    return wall, busy


def check(outbox: SqliteOutbox, rows: Rows) -> None:
    """Every reading sent is in the outbox, once, and nothing else."""
    found: list[tuple[str, str, float]] = []
    for topic in READINGS:
        for partition in range(PARTITIONS):
            for entry in outbox.read(topic, partition, 0, 1 << 30):
                frame = decode(entry.value)
                assert isinstance(frame, Frame)
                r = frame.readings
                triples = zip(r.i.tolist(), r.t.tolist(), r.x.tolist(), strict=True)
                found += [(r.series[i], format_time(t), x) for i, t, x in triples]
    if sorted(found) != sorted((str(row["series"]), str(row["time"]), row["value"]) for row in rows):
        raise SystemExit(f"the outbox does not hold what was sent: {len(found)} of {len(rows)} readings")


def main() -> None:
    """Print one line per way."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(f"gateway, one core, over ASGI, durable in SQLite (synchronous=FULL), Python {sys.version.split()[0]}")
    print(f"  {'':32} {'readings/s':>10} {'per CPU second':>16}")
    ways = [
        ("array of 5,000", 5_000, "array", 4, 300_000),
        ("NDJSON of 5,000", 5_000, "ndjson", 4, 300_000),
        ("NDJSON of 100", 100, "ndjson", 32, 100_000),
        ("one POST a reading, 64 clients", 1, "ndjson", 64, 5_000),
        ("one POST a reading, one client", 1, "ndjson", 1, 1_000),
    ]
    for title, size, kind, clients, count in ways:
        rows = made_up_readings(count)
        bodies = bodies_of(rows, size, kind)
        with tempfile.TemporaryDirectory(dir=os.environ.get("BOROUGH_BENCH_DIR")) as folder:
            wall, busy = asyncio.run(measure(Path(folder), bodies, clients, rows))
        print(f"  {title:32} {count / wall:>10,.0f} {count / busy:>16,.0f}   ({count:,} checked)", flush=True)


if __name__ == "__main__":
    main()
