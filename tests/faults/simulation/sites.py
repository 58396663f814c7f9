"""The processes of a town, assembled from the real parts as ``service/assemble.py`` does, on the stand-ins."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from connectors import checkpoints_file
from connectors.checkpoints_file import FileCheckpoints
from connectors.embedded_broker import EmbeddedPublisher
from connectors.gateway import Gateway, GatewayLimits
from connectors.progress import BrokerProgress, TakenLedger
from connectors.pump import Pump
from domain.errors import Unavailable
from domain.ports import Log, Publisher
from domain.topics import ALERTS as ALERTS_TOPIC
from domain.topics import READINGS
from service.ground import CONSUMERS
from streams.agents import ALERTS, ANALYSE, STORE
from streams.setup import Setup
from streams.takers import DeskTaker, StoreTaker
from streams.worker import Worker, rank_of
from tests.faults.simulation.broker import SimBroker, SimGroup, SimKafka, SimPast
from tests.faults.simulation.disk import SimDisk, SimPath
from tests.faults.simulation.judge import Outcome
from tests.faults.simulation.keepers import NobodyHeld, SimAlerts, SimCheckpoints, SimOutbox, SimStore
from tests.faults.simulation.loop import Process, SimLoop

MODES = ("embedded", "distributed")
CHECKPOINT_S = 3.0
_TICK_S = 10.0
_ROLES = {"embedded": ("town",), "distributed": ("gateway", "worker-1", "worker-2", "desk", "store")}
_WINDOW_BYTES = 20_000  # of the embedded publisher: small, so that it is short of room
_STOP_S = 4.0
_ASK_S = 15.0


@dataclass(frozen=True)
class Parts:
    """The classes that are put together."""

    worker: type[Worker] = Worker
    store: type[StoreTaker] = StoreTaker
    desk: type[DeskTaker] = DeskTaker
    pump: type[Pump] = Pump
    checkpoints: type[FileCheckpoints] = FileCheckpoints
    keeper: type[SimStore] = SimStore
    rank: Callable[[bytes], int] = rank_of
    past: Callable[[SimBroker], Log | None] = SimPast


class _Ground:
    """Broker, groups, and how publishers and checkpoints are made: as ``service.ground.Ground``."""

    def __init__(self, machine: "Machine", broker: SimBroker) -> None:
        self.broker = broker
        self.groups = {spec.name: SimGroup(spec, broker) for spec in (ANALYSE, ALERTS, STORE)}
        self.relay: Callable[[], Publisher] = lambda: SimKafka(broker)
        if not broker.volatile:
            self.progress: BrokerProgress | TakenLedger = BrokerProgress()
            self.checkpoints: Callable[[], Any] = lambda: SimCheckpoints(broker, machine.topic, machine.parts.rank)
            self.publisher = self.relay
            return
        # No web part here that would take the alerts.
        ledger = TakenLedger({topic: names for topic, names in CONSUMERS.items() if topic != ALERTS_TOPIC})
        folder: Any = SimPath(machine.disk, "checkpoints")
        self.progress = ledger
        self.checkpoints = lambda: machine.parts.checkpoints(folder)
        self.publisher = lambda: _embedded_publisher(broker, ledger)


def _embedded_publisher(broker: SimBroker, ledger: TakenLedger) -> Publisher:
    publisher = EmbeddedPublisher("", ledger, bytes_in_flight_max=_WINDOW_BYTES)
    publisher._kafka = SimKafka(broker)  # type: ignore[assignment]
    return publisher


class Machine:
    """Everything that outlives a process, and the processes by name."""

    def __init__(
        self, loop: SimLoop, rng: random.Random, mode: str, setup: Setup, clock: Callable[[], int], parts: Parts
    ) -> None:
        self.loop, self.rng, self.mode, self.parts = loop, rng, mode, parts
        self.clock = clock
        self._setup = setup
        self.away: set[str] = set()
        self._quiet = False
        self.disk = SimDisk(rng)
        self.outbox = SimOutbox(self._fails("outbox"))
        self.store = parts.keeper(self._fails("store"))
        self.alerts = SimAlerts(self._fails("alerts"))
        self.topic: dict[str, list[tuple[int, bytes]]] = {}
        self.processes: dict[str, Process] = {}
        self.gateway: tuple[Process, Gateway] | None = None
        self._workers: dict[str, tuple[Worker, Any, asyncio.Task[Any]]] = {}
        self._starts = 0
        self._ground = self._new_ground()

    def _new_ground(self) -> _Ground:
        self._starts += 1
        return _Ground(self, SimBroker(self.rng, f"broker-{self._starts}", volatile=self.mode == "embedded"))

    @property
    def broker(self) -> SimBroker:
        return self._ground.broker

    @contextmanager
    def installed(self) -> Iterator[None]:
        """With the simulated disk under the checkpoint files."""
        real = checkpoints_file.os
        checkpoints_file.os = self.disk  # type: ignore[assignment]
        try:
            yield
        finally:
            checkpoints_file.os = real

    def _fails(self, what: str) -> Callable[[], bool]:
        return lambda: what in self.away or (not self._quiet and self.rng.random() < 0.003)

    # --- processes

    def start(self) -> None:
        if self.mode == "distributed":
            for group in self._ground.groups.values():
                self.loop.spawn(None, group.watch())
        for name in _ROLES[self.mode]:
            self.start_one(name)

    def start_one(self, name: str) -> None:
        if self.mode == "embedded":
            self._ground = self._new_ground()
            self._ground.broker.calm = self._quiet
        process = self.processes[name] = Process(name)
        self.loop.spawn(process, self._assemble(process))

    async def _assemble(self, process: Process) -> None:
        ground, name = self._ground, process.name
        run = asyncio.get_running_loop().create_task
        if name in ("store", "town"):
            store = self.parts.store(self.store, ground.progress)  # type: ignore[arg-type]
            run(store.run())
            ground.groups["store"].start(store.take)
        if name in ("desk", "town"):
            desk = self.parts.desk(self.alerts, ground.publisher(), ground.progress)  # type: ignore[arg-type]
            run(desk.run())
            ground.groups["alerts"].start(desk.take)
        if name in ("gateway", "town"):
            self._open_gateway(process, ground)
        if name.startswith("worker") or name == "town":
            self._open_worker(name, ground)

    def _open_gateway(self, process: Process, ground: _Ground) -> None:
        run = asyncio.get_running_loop().create_task
        pump = self.parts.pump(self.outbox, ground.publisher(), "gw", self.clock)
        held: Any = NobodyHeld()
        limits = GatewayLimits(tick_s=_TICK_S)
        gateway = Gateway("gw", self.outbox, self._setup.register, held, self.clock, limits, pump.wake)
        run(pump.run())
        run(gateway.run())
        self.gateway = process, gateway

    def _open_worker(self, name: str, ground: _Ground) -> None:
        worker = self.parts.worker(
            self._setup.analyser, ground.publisher(), ground.relay(), ground.checkpoints(), ground.progress,
            ground.broker.instance, self.parts.past(ground.broker),
        )  # fmt: skip
        member = ground.groups["analyse"].start(worker.take, worker.revoke)
        self._workers[name] = worker, member, asyncio.get_running_loop().create_task(worker.run(CHECKPOINT_S))

    def kill(self, name: str) -> None:
        self.processes[name].alive = False

    async def leave(self, name: str) -> None:
        """Stop in good order, as the service does: the last checkpoint first, then the group."""
        process = self.processes[name]
        group = self._ground.groups["analyse"]

        async def stop() -> None:
            worker, member, running = self._workers[name]
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            with suppress(TimeoutError):
                async with asyncio.timeout(_STOP_S):
                    await worker.checkpoint()
            await group.leave(member)

        await self.ask(process, stop())
        self.kill(name)

    def power_cut(self, name: str) -> None:
        """The machine of a dead process goes off: what it has not synced is lost."""
        if name == "town":
            self.disk.power_cut()
        if name in ("town", "gateway"):
            self.outbox.power_cut(self.rng.randint(0, self.outbox.unsynced))

    async def ask(self, process: Process, work: Coroutine[Any, Any, Any]) -> bool:
        """Let a process do something; whether it was done. A process that dies or is stopped gives no answer."""
        task = self.loop.spawn(process, work)
        patience = self.loop.time() + _ASK_S
        while not task.done() and process.alive and self.loop.time() < patience:
            await asyncio.sleep(0.02)
        if not task.done():
            return False
        error = task.exception()
        if error is not None and not isinstance(error, Unavailable):
            raise error
        return error is None

    # --- the end

    async def calm(self) -> None:
        """No more faults; everybody runs."""
        self._quiet = True
        self.away.clear()
        self.broker.up = self.broker.calm = True
        for name, process in list(self.processes.items()):
            process.paused = False
            if not process.alive:
                self.start_one(name)
        while self.gateway is None or not self.gateway[0].alive:
            await asyncio.sleep(0.1)

    def waits_for(self) -> list[str]:
        """What has not come to its end."""
        waits = [f"outbox: {self.outbox.depth()} entries"] if self.outbox.depth() else []
        for name, group in self._ground.groups.items():
            for place in group.places:
                end = len(self.broker.logs[place])
                if group.committed[place] != end:
                    waits.append(f"{name}: {place[0]}-{place[1]} committed {group.committed[place]} of {end}")
        return waits

    def readings_log(self) -> dict[tuple[str, int], list[bytes]]:
        """What stands in the readings topics; embedded, where that is forgotten, what the gateway has written."""
        log: dict[tuple[str, int], list[bytes]] = defaultdict(list)
        if self.mode == "embedded":
            for entry in self.outbox.history:
                log[entry.topic, entry.partition].append(entry.value)
            return log
        return {place: values for place, values in self.broker.logs.items() if place[0] in READINGS}

    def outcome(self) -> Outcome:
        return Outcome(self.readings_log(), self.store.aggregates, self.store.others, self.alerts.alerts)
