"""Who sends what, and what goes wrong when: drawn from the seed."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import numpy as np

from connectors.intake_columns import Intake
from domain.readings import Readings
from tests.faults.simulation.loop import Process
from tests.faults.simulation.sites import Machine

#: Sensor, area, quantity. Areas a2 and ring lie in partitions of their own; three topics are in use.
SENSORS = (
    ("s0", "a2", "air.no2"),
    ("s1", "a2", "air.no2"),
    ("s2", "a2", "traffic.flow"),
    ("s3", "ring", "traffic.flow"),
    ("s4", "ring", "energy.voltage"),
)
_KEEPS = {"store": "store", "desk": "alerts", "gateway": "outbox"}
_STEP_S = 8.0
_AWAY_S_MAX = 10.0
_PAUSE_S = (6.0, 25.0)
Row = tuple[str, int, float]


class Senders:
    """One sender per sensor; each repeats a request until it is told that it was accepted."""

    def __init__(self, machine: Machine, rng: random.Random) -> None:
        self._machine = machine
        self._rng = rng
        self.accepted: list[Row] = []

    async def run(self, seconds: float) -> None:
        async with asyncio.TaskGroup() as group:
            for sensor, _, quantity in SENSORS:
                group.create_task(self._send(f"{sensor}/{quantity}", seconds))

    async def _send(self, series: str, seconds: float) -> None:
        loop, rng = self._machine.loop, self._rng
        silent_from = rng.uniform(0.1, 1.1) * seconds
        kept: list[Row] = []
        late: list[Row] = []
        while loop.time() < seconds:
            await asyncio.sleep(_STEP_S * rng.uniform(0.9, 1.1))
            if silent_from < loop.time() < silent_from + 135:
                continue
            kept.append((series, self._machine.clock(), round(rng.uniform(10, 90), 3)))
            if rng.random() < 0.08:
                late.append(kept.pop())  # comes later, perhaps after its window has closed
            if rng.random() < 0.05 and self.accepted:
                name, t, x = self.accepted[rng.randrange(len(self.accepted))]
                kept.append((name, t, x + 1.0) if name == series and rng.random() < 0.5 else (name, t, x))
            if late and rng.random() < 0.15:
                kept += late
                late = []
            if rng.random() < 0.8 and kept:
                await self._post(kept)
                kept = []
        await self._post([*kept, *late])

    async def _post(self, rows: list[Row]) -> None:
        readings = Readings.of(rows)
        while rows:
            site = self._machine.gateway
            if site is not None and site[0].alive:
                intake = Intake(readings, np.arange(len(readings), dtype=np.int64), [])
                if await self._machine.ask(site[0], site[1].accept(intake)):
                    self.accepted += rows
                    return
            await asyncio.sleep(self._rng.uniform(0.2, 1.0))

    async def tick(self, now: int) -> None:
        """Time passes, on every partition."""
        while True:
            process, gateway = self._machine.gateway  # type: ignore[misc]
            if await self._machine.ask(process, gateway.tick(now)):
                return
            await asyncio.sleep(0.5)


class Faults:
    """A few a history; each begins a random number of steps of its process after a random time."""

    def __init__(self, machine: Machine, rng: random.Random) -> None:
        self._machine = machine
        self._rng = rng
        self.told: list[str] = []
        self._armed: tuple[Process, int] | None = None
        self._struck = False
        machine.loop.before_step = self._after_step

    async def run(self, seconds: float) -> None:
        """One process fault after the other, keepers that are away at the same time."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._in_turn(seconds, self._process_fault, self._rng.randint(1, 6)))
            group.create_task(self._in_turn(seconds, self._keeper_fault, self._rng.randint(0, 5)))

    async def _in_turn(self, seconds: float, strike: Callable[[], Awaitable[None]], count: int) -> None:
        for at in sorted(self._rng.uniform(5, seconds) for _ in range(count)):
            await asyncio.sleep(max(0.0, at - self._machine.loop.time()))
            await strike()

    async def _process_fault(self) -> None:
        kinds = ["kill", "kill", "power"]
        if self._machine.mode == "distributed":
            kinds += ["pause", "pause", "broker", "leave"]
        kind = self._rng.choice(kinds)
        named = {"pause": self._pause, "leave": self._leave, "broker": self._broker}
        await named.get(kind, self._kill)(kind)

    async def _keeper_fault(self) -> None:
        kind = self._rng.choice(["store", "alerts", "outbox"])
        self._say(f"{kind} is away")
        self._machine.away.add(kind)
        await asyncio.sleep(self._rng.uniform(0.1, _AWAY_S_MAX))
        self._machine.away.discard(kind)

    def _say(self, what: str) -> None:
        self.told.append(f"{self._machine.loop.time():8.3f} s, step {self._machine.loop.steps}: {what}")

    async def _strike(self, name: str, what: str, steps: int) -> Process | None:
        """At a step of this process, some steps from now; None when it rests all the time."""
        process = self._machine.processes[name]
        self._armed, self._struck = (process, self._rng.randint(0, steps)), False
        for _ in range(20):
            if self._struck:
                break
            await asyncio.sleep(0.5)
        self._armed = None
        self._say(f"{what} {name}")
        return process if self._struck else None

    def _after_step(self, process: Process | None) -> None:
        if self._armed is None or process is not self._armed[0]:
            return
        target, left = self._armed
        if left:
            self._armed = (target, left - 1)
            return
        self._armed, self._struck = None, True
        if target.strike == "kill":
            target.alive = False
        else:
            target.paused = True

    async def _kill(self, kind: str) -> None:
        name = self._rng.choice(list(self._machine.processes))
        self._machine.processes[name].strike = "kill"
        away = _KEEPS.get(name, self._rng.choice(["store", "alerts"])) if self._rng.random() < 0.6 else None
        if away is not None:  # more befalls a process that is held up
            self._say(f"{away} is away")
            self._machine.away.add(away)
            await asyncio.sleep(self._rng.uniform(0.5, _AWAY_S_MAX))
        await self._strike(name, kind, 100 if away is None else 20)
        self._machine.kill(name)
        if kind == "power":
            self._machine.power_cut(name)
        self._machine.away.discard(away or "")
        await asyncio.sleep(self._rng.uniform(0.1, 4.0))
        self._machine.start_one(name)

    async def _pause(self, kind: str) -> None:
        name = self._rng.choice([n for n in self._machine.processes if n != "gateway"])
        self._machine.processes[name].strike = "pause"
        process = await self._strike(name, kind, 200)
        if process is not None:
            await asyncio.sleep(self._rng.uniform(*_PAUSE_S))
            process.paused = False

    async def _leave(self, kind: str) -> None:
        name = self._rng.choice(["worker-1", "worker-2"])
        self._say(f"{name} leaves")
        await self._machine.leave(name)
        await asyncio.sleep(self._rng.uniform(0.1, 10.0))
        self._machine.start_one(name)

    async def _broker(self, kind: str) -> None:
        self._say("broker dies")
        self._machine.broker.crash()
        await asyncio.sleep(self._rng.uniform(0.1, _AWAY_S_MAX))
        self._machine.broker.up = True
