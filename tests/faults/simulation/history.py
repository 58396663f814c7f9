"""One history: a small town, its processes, its senders and its faults, all from one seed.

``run(seed, mode)`` lets the real gateway, pump, worker, takers, checkpoints and stages work on the stand-ins of this
folder, then lets everything come to rest, and returns what there is to judge. Run as a program it replays a seed:

    python -m tests.faults.simulation.history --mode embedded --seed 17
"""

import argparse
import asyncio
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from domain.sensors import Sensor, SensorRegister
from streams.area_clock import Patience
from streams.setup import Setup
from tests.faults.simulation.judge import differences
from tests.faults.simulation.loop import SimLoop, Stuck
from tests.faults.simulation.sites import MODES, Machine, Parts
from tests.faults.simulation.town import SENSORS, Faults, Senders

T0 = 1_772_409_600_000  # 2026-03-02T00:00:00Z
RUN_S = 200.0
DRAIN_S_MAX = 400.0
_CLOSING_MS = 90 * 60_000  # within the horizon: beyond it an area lives in its own time


@dataclass(slots=True)
class History:
    """What a seed led to."""

    mode: str
    seed: int
    steps: int
    trace: int
    faults: list[str]
    found: list[str] = field(default_factory=list)  # what is wrong, in words; empty when all is well
    messages: int = 0


def setup() -> Setup:
    register = SensorRegister([Sensor(name, area, interval_s=10.0) for name, area, _ in SENSORS])
    return Setup(register, Patience(lateness_ms=10_000, horizon_ms=2 * 3_600_000), "null")


def run(seed: int, mode: str, parts: Parts | None = None) -> History:
    """Never raises for what goes wrong inside: it is told in ``found``.

    Args:
        parts: the classes to run; mutants put others in their place.
    """
    rng = random.Random(f"{mode}-{seed}")
    loop = SimLoop(rng)
    with _silence(), _own_randomness(rng):
        machine = Machine(loop, rng, mode, setup(), lambda: T0 + int(loop.time() * 1_000), parts or Parts())
        senders, faults = Senders(machine, rng), Faults(machine, rng)
        found: list[str] = []
        try:
            with machine.installed():
                loop.run(_play(machine, senders, faults, found))
        except Stuck as error:
            found.append(f"stuck: {error}")
        finally:
            loop.end()
        messages = sum(map(len, machine.readings_log().values()))
        if not found:
            found = differences(machine.outcome(), setup(), senders.accepted)
    return History(mode, seed, loop.steps, loop.trace, faults.told, found, messages)


async def _play(machine: Machine, senders: Senders, faults: Faults, found: list[str]) -> None:
    machine.start()
    sending, breaking = machine.loop.spawn(None, senders.run(RUN_S)), machine.loop.spawn(None, faults.run(RUN_S))
    await asyncio.wait({sending, breaking})
    for done in (sending, breaking):
        if done.exception() is not None:
            raise done.exception()  # type: ignore[misc]
    await machine.calm()
    await senders.tick(machine.clock() + _CLOSING_MS)
    deadline = machine.loop.time() + DRAIN_S_MAX
    while (waits := machine.waits_for()) and machine.loop.time() < deadline:
        await asyncio.sleep(1.0)
    if waits:
        found.append(f"after {DRAIN_S_MAX:g} quiet seconds it still waits for {', '.join(waits[:5])}")


@contextmanager
def _silence() -> Iterator[None]:
    """What the parts say about faults that were meant is not printed."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        structlog.configure(**before)


@contextmanager
def _own_randomness(rng: random.Random) -> Iterator[None]:
    """Back-off draws from the global generator."""
    before = random.getstate()
    random.seed(rng.random())
    try:
        yield
    finally:
        random.setstate(before)


def replay(mode: str, seed: int) -> History:
    history = run(seed, mode)
    print(f"{mode} seed {seed}: {history.steps} steps, {history.messages} messages, trace {history.trace:012x}")
    for line in history.faults:
        print(" ", line)
    print("  nothing wrong" if not history.found else "\n".join(f"  WRONG {line}" for line in history.found[:20]))
    return history


if __name__ == "__main__":
    words = argparse.ArgumentParser(description="Replay one history of the simulation.")
    words.add_argument("--mode", choices=MODES, required=True)
    words.add_argument("--seed", type=int, required=True)
    given = words.parse_args()
    raise SystemExit(1 if replay(given.mode, given.seed).found else 0)
