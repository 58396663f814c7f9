"""What the web front door is given: every part it shows, as ports. The service hands them in."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from fastapi import APIRouter
from prometheus_client import CollectorRegistry

from domain.messages import Action, Alert
from domain.ports import AlertStore, Store
from domain.sensors import SensorRegister
from web.latest import LatestBook
from web.live import LiveFeed

#: Names under which a browser on this machine reaches a server bound to loopback.
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")


class DemoDesk(Protocol):
    """The simulated town's engine, in the demo only. Raises Rejected and Unavailable."""

    async def begin(self, kind: str, target: str | None) -> dict[str, Any]:
        """Let something happen now; what the truth says of it."""

    async def score(self) -> dict[str, Any]:
        """What really happened since the town is live, what was said of it and when: ``events`` and ``figures``."""


@dataclass(frozen=True)
class WebParts:
    """Everything that ``create_app`` shows.

    Attributes:
        map: GeoJSON FeatureCollection of the town (WGS 84), or None.
        act: carries an operator's action to the desk; returns the alert when it is durable.
            Raises Unavailable (503) or Rejected (422).
        ready: name of each part → ``ok``, or what it waits for. Blocking is allowed.
        clock: wall clock, epoch ms; stamps actions.
        routers: further doors of the same server, such as the gateway's POST /v1/readings.
        held: sensors that send and are not registered, as dicts ``sensor, count, first, last, example``
            (``first`` and ``last`` epoch ms).
        hosts: accepted Host headers without port (against DNS rebinding); ``*`` takes any.
        demo: the engine behind the demo's buttons; None anywhere else.
        zone: IANA name of the town's time zone; ``town`` its name on the page.
    """

    store: Store
    alerts: AlertStore
    register: SensorRegister
    map: dict[str, Any] | None
    latest: LatestBook
    live: LiveFeed
    act: Callable[[Action], Awaitable[Alert]]
    ready: Callable[[], dict[str, str]]
    clock: Callable[[], int]
    routers: Sequence[APIRouter] = ()
    held: Callable[[], list[dict[str, Any]]] = list
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    hosts: Sequence[str] = LOOPBACK_HOSTS
    demo: DemoDesk | None = None
    zone: str = "Europe/London"
    town: str = "Borough"
