"""Settings to running parts: the wiring of the whole system, and the only place where its parts meet."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry

from connectors.alert_store import SqliteAlertStore
from connectors.audit_store import SqliteAuditStore
from connectors.gateway import Gateway, GatewayLimits
from connectors.held import HeldReadings
from connectors.http_door import readings_router
from connectors.outbox import SqliteOutbox
from connectors.pump import Pump
from connectors.tables_in import read_links, read_sensors
from domain.ports import AlertStore, Store
from domain.sensors import OpenRegister, Sensor, SensorRegister
from domain.times import SECOND_MS
from models.registry import detector
from models.road_names import parse_names
from service import data_dir
from service.crew import Crew
from service.explaining import explained, open_evidence, recorded
from service.feed import ActionSender, AdoptionSender, AlertFeed, follow_readings
from service.figures import Figures
from service.ground import Ground, open_ground
from service.settings import Settings
from service.threshold_desk import AUDIT, ThresholdDesk, open_book
from streams.agents import ALERTS, ANALYSE, STORE, AgentSpec, Revoke, Take, make_app
from streams.analyser import Analyser
from streams.area_clock import Patience
from streams.setup import Setup
from streams.takers import DeskTaker, StoreTaker
from streams.threshold_book import ThresholdBook
from streams.worker import Worker
from web.api_explain import explain_router
from web.api_thresholds import thresholds_router
from web.app import WebParts, create_app
from web.latest import LatestBook
from web.live import LiveFeed
from web.parts import DemoDesk

log = structlog.get_logger(__name__)

Clock = Callable[[], int]


def wall_clock() -> int:
    """Epoch ms, now."""
    return time.time_ns() // 1_000_000


def make_register(settings: Settings, more: Sequence[Sensor] = ()) -> SensorRegister:
    """The sensors table, open to others where settings say so. Raises: Misconfigured."""
    sensors = [*more, *(read_sensors(settings.sensors) if settings.sensors else [])]
    links = read_links(settings.links) if settings.links else []
    return OpenRegister(sensors, links) if settings.accept_unknown else SensorRegister(sensors, links)


def make_setup(settings: Settings, register: SensorRegister) -> Setup:
    """Raises: Misconfigured: no detector has the name in the settings."""
    detector(settings.detector)  # analysers make theirs with the first reading: too late to say it on one line
    patience = Patience(int(settings.lateness_s * SECOND_MS), int(settings.horizon_s * SECOND_MS))
    return Setup(register, patience, settings.detector, parse_names(settings.road_detectors))


@dataclass(slots=True)
class Site:
    """What the parts of one process are made from and what they have become.

    Attributes:
        clock: epoch ms; the demo's runs in simulated time.
        agents: Faust apps by name, started together by :func:`start_agents`.
        states: name → ``ok`` or what it waits for; ``/readyz`` shows them.
    """

    settings: Settings
    crew: Crew
    ground: Ground
    register: SensorRegister
    clock: Clock = wall_clock
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    figures: Figures = field(init=False)
    states: dict[str, Callable[[], str]] = field(default_factory=dict)
    agents: dict[str, Any] = field(default_factory=dict)
    live: LiveFeed | None = None
    thresholds: ThresholdBook | None = None

    def __post_init__(self) -> None:
        self.figures = Figures(self.registry)

    async def end_streams(self) -> None:
        """End every open live feed."""
        if self.live is not None:
            self.live.close()

    def ready(self) -> dict[str, str]:
        return {name: state() for name, state in self.states.items()}


async def open_site(
    settings: Settings, crew: Crew, register: SensorRegister, clock: Clock = wall_clock, part: str = ""
) -> Site:
    """``part``: the one that this process is, empty when it is all of them. Raises: Misconfigured, Unavailable."""
    await asyncio.to_thread(data_dir.prepare, settings.data_dir)
    return Site(settings, crew, await open_ground(settings, crew, part), register, clock)


def add_worker(site: Site) -> Worker:
    """The analyse agent, its state and its checkpoints."""
    setup = make_setup(site.settings, site.register)
    ground = site.ground
    make_analyser: Callable[[str, int], Analyser] = setup.analyser
    if site.settings.evidence_bytes_max:
        evidence = open_evidence(site.settings.data_dir, site.settings.evidence_bytes_max, setup)
        site.crew.close(evidence.close, "evidence")
        make_analyser = recorded(setup, evidence)
    worker = Worker(
        make_analyser,
        ground.publisher(),
        ground.relay(),
        ground.checkpoints,
        ground.progress,
        ground.instance,
        ground.past,
    )
    _add_agent(site, ANALYSE, worker.take, worker.revoke)
    site.figures.of_worker(worker)
    site.figures.of_damage("checkpoints", ground.checkpoints.damaged)
    return worker


def add_desk(site: Site, alerts: AlertStore) -> DeskTaker:
    """The alert agent: findings and actions to alerts."""
    audit = SqliteAuditStore(site.settings.data_dir / AUDIT)
    site.crew.close(audit.close, "audit trail")
    site.thresholds = open_book(audit)
    desk = DeskTaker(alerts, site.ground.publisher(), site.ground.progress, site.thresholds)
    site.crew.run(desk.run(), "desk")
    _add_agent(site, ALERTS, desk.take, None)
    site.figures.of_desk(desk)
    return desk


def add_store(site: Site, store: Store) -> StoreTaker:
    """The store agent: results to the store."""
    taker = StoreTaker(store, site.ground.progress)
    site.crew.run(taker.run(), "store writer")
    _add_agent(site, STORE, taker.take, None)
    site.figures.of_store(taker)
    return taker


def _add_agent(site: Site, spec: AgentSpec, take: Take, revoke: Revoke | None) -> None:
    folder = site.settings.data_dir / "faust" / spec.name
    folder.mkdir(parents=True, exist_ok=True)
    site.agents[spec.name] = make_app(spec, site.ground.address, site.ground.security.options(), folder, take, revoke)
    site.states[spec.name] = lambda: "starting"


async def start_agents(site: Site, worker: Worker | None = None) -> None:
    """All agents of this process at once, for each needs seconds to join its group; the worker's checkpoints too."""
    for name, app in site.agents.items():
        site.crew.on_stop(app.stop, f"agent {name}")
    await asyncio.gather(*(app.start() for app in site.agents.values()))
    site.states.update({name: lambda: "ok" for name in site.agents})
    if worker is not None:
        site.crew.on_stop(worker.checkpoint, "last checkpoint")
        site.crew.run(worker.run(site.settings.checkpoint_s), "checkpoints")


async def start_gateway(site: Site) -> Gateway:
    """The door, its outbox and the pump; ticks begin with :func:`start_ticking`."""
    settings = site.settings
    folder = settings.data_dir
    prefix = settings.gateway_name or "gw"
    outbox = await asyncio.to_thread(SqliteOutbox, folder / data_dir.OUTBOX, settings.outbox_bytes_max, prefix)
    site.crew.close(outbox.close, "outbox")
    held = await asyncio.to_thread(HeldReadings, folder / "held.sqlite")
    site.crew.close(held.close, "held readings")
    pump = Pump(outbox, site.ground.publisher(), outbox.name, site.clock)
    limits = GatewayLimits(future_s=settings.future_s, past_days=settings.past_days, tick_s=settings.tick_s)
    gateway = Gateway(outbox.name, outbox, site.register, held, site.clock, limits, pump.wake)
    site.crew.run(pump.run(), "pump")
    site.crew.on_stop(gateway.stop, "gateway")
    await gateway.release()
    site.figures.of_gateway(gateway)
    site.figures.of_damage("outbox", outbox.damaged)
    site.states["gateway"] = lambda: pump.unavailable or "ok"
    return gateway


def start_ticking(site: Site, gateway: Gateway) -> None:
    """Let the gateway write the passing of time. The demo begins with this only when its past has been played."""
    site.crew.run(gateway.run(), "ticks")


async def start_web(
    site: Site,
    store: Store,
    alerts: AlertStore,
    gateway: Gateway | None,
    town: dict[str, Any] | None = None,
    demo: DemoDesk | None = None,
) -> FastAPI:
    """The pages, the API and the live feed; with the gateway's door when it is in this process."""
    latest = LatestBook()
    live = LiveFeed(alerts, latest)
    feed = AlertFeed(site.ground, alerts, live)
    site.crew.run(feed.run(), "alert feed")
    site.crew.run(follow_readings(site.ground, latest), "readings feed")
    site.states["alert feed"] = lambda: feed.state
    site.states["history"] = lambda: _answers(store)
    sender = ActionSender(site.ground.relay(), feed)
    app = create_app(
        WebParts(
            store=store,
            alerts=alerts,
            register=site.register,
            map=town,
            latest=latest,
            live=live,
            act=sender.act,
            ready=site.ready,
            clock=site.clock,
            routers=[*routers_of(gateway), *_judging_routers(site, alerts)],
            held=lambda: held_of(gateway),
            registry=site.registry,
            hosts=("*",) if site.settings.host not in ("127.0.0.1", "::1", "localhost") else WebParts.hosts,
            town=(town or {}).get("name", "Borough"),
            demo=demo,
        )
    )
    site.live = live
    return app


def _judging_routers(site: Site, alerts: AlertStore) -> list[APIRouter]:
    """Explanations from what this process keeps of the log; thresholds where the alert desk is in this process."""
    routers = [explain_router(alerts, lambda alert: explained(site.settings.data_dir, alert))]
    if site.thresholds is not None:
        sender = AdoptionSender(site.ground.relay(), site.thresholds)
        routers.append(thresholds_router(ThresholdDesk(alerts, site.thresholds, site.clock, sender.send)))
    return routers


def routers_of(gateway: Gateway | None) -> list[APIRouter]:
    return [readings_router(gateway)] if gateway else []


def held_of(gateway: Gateway | None) -> list[dict[str, Any]]:
    """Sensors that send and are not registered."""
    if gateway is None:
        return []
    return [
        {"sensor": s.sensor, "count": s.readings, "first": s.first, "last": s.last, "example": s.series[0]}
        for s in gateway.held.listing()
    ]


def _answers(store: Store) -> str:
    try:
        store.quarantine_counts()
    except Exception as error:
        return f"does not answer: {error}"
    return "ok"


async def open_alerts(site: Site) -> SqliteAlertStore:
    """Every alert ever raised, in a file of this process."""
    alerts = await asyncio.to_thread(SqliteAlertStore, site.settings.data_dir / data_dir.ALERTS)
    site.crew.close(alerts.close, "alerts")
    site.figures.of_damage("alerts", alerts.damaged)
    return alerts
