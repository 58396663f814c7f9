"""The ports of web/ in memory, and a small invented town to show through them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from domain.errors import Rejected, Rejection
from domain.messages import Action, Alert, Forecast, Health, Quarantined
from domain.ports import Change, Result, SeriesInfo
from domain.sensors import Sensor, SensorRegister
from domain.windows import Aggregates
from web.app import WebParts
from web.latest import LatestBook
from web.live import LiveFeed

NOON = 1_772_452_800_000  # 2026-03-02T12:00:00Z
MINUTE = 60_000


class FakeStore:
    """Aggregates are held as columns per (series, window); the rest as lists."""

    def __init__(self) -> None:
        self.columns: dict[tuple[str, int], dict[str, np.ndarray]] = {}
        self.infos: dict[str, SeriesInfo] = {}
        self.quarantine: list[Quarantined] = []
        self.healths: list[Health] = []
        self.issues: list[Forecast] = []

    def fill(self, series: str, area: str, window_s: int, start: np.ndarray, mean: np.ndarray) -> None:
        """Windows of ten readings around the mean; ``start`` in epoch ms, ascending."""
        n = len(start)
        self.columns[series, window_s] = {
            "start": start.astype(np.int64),
            "count": np.full(n, 10, np.int64),
            "mean": mean,
            "min": mean - 1,
            "max": mean + 1,
            "last": mean + 0.5,
            "coverage": np.ones(n),
            "flag": np.ones(n, np.uint8),
            "revision": np.ones(n, np.int64),
        }
        self.infos[series] = SeriesInfo(series, area, int(start[0]), int(start[-1]), float(mean[-1]) + 0.5)

    def write(self, results: Iterable[Result]) -> list[Rejection]:
        raise NotImplementedError("the web part only reads")

    def aggregates(self, series: str, window_s: int, start: int, end: int, limit: int) -> Aggregates:
        columns = self.columns.get((series, window_s))
        if columns is None:
            empty = np.empty(0)
            return Aggregates(
                "", window_s, [series], *[empty.astype(kind) for kind in (np.int32, np.int64, np.int64)],
                *[empty] * 5, empty.astype(np.uint8), empty.astype(np.int64),
            )  # fmt: skip
        chosen = np.flatnonzero((columns["start"] >= start) & (columns["start"] < end))[:limit]
        return Aggregates(
            self.infos[series].area,
            window_s,
            [series],
            np.zeros(len(chosen), np.int32),
            **{name: column[chosen] for name, column in columns.items()},
        )

    def series(self) -> list[SeriesInfo]:
        return [self.infos[name] for name in sorted(self.infos)]

    def quarantined(self, start: int, end: int, limit: int) -> list[Quarantined]:
        found = [item for item in self.quarantine if start <= item.time < end]
        return sorted(found, key=lambda item: -item.time)[:limit]

    def quarantine_counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for item in self.quarantine:
            counts[item.reason] = counts.get(item.reason, 0) + 1
        return counts

    def health(self, asset: str | None, limit: int) -> list[Health]:
        return [item for item in self.healths if asset in (None, item.asset)][:limit]

    def forecasts(self, series: str, limit: int) -> list[Forecast]:
        return [item for item in self.issues if item.series == series][:limit]

    def close(self) -> None: ...


class FakeAlertStore:
    def __init__(self) -> None:
        self.alerts: dict[str, Alert] = {}
        self.changed: dict[str, int] = {}
        self.newest = 0

    def put(self, alerts: Sequence[Alert]) -> list[Change]:
        changes = []
        for alert in alerts:
            kept = self.alerts.get(alert.id)
            if kept is None or alert.revision > kept.revision:
                self.newest += 1
                self.alerts[alert.id] = alert
                self.changed[alert.id] = self.newest
                changes.append(Change(self.newest, alert))
        return changes

    def get(self, alert: str) -> Alert | None:
        return self.alerts.get(alert)

    def find(self, state: str | None, area: str | None, before: tuple[int, str] | None, limit: int) -> list[Alert]:
        states = ("open", "acknowledged") if state == "active" else (state,)
        found = [
            alert
            for alert in self.alerts.values()
            if (state is None or alert.state in states)
            and (area is None or alert.area == area)
            and (before is None or (alert.onset, alert.id) < before)
        ]
        return sorted(found, key=lambda alert: (alert.onset, alert.id), reverse=True)[:limit]

    def changes(self, after: int, limit: int) -> list[Change]:
        found = sorted((change, alert) for alert, change in self.changed.items() if change > after)
        return [Change(change, self.alerts[alert]) for change, alert in found[:limit]]

    def last_change(self) -> int:
        return self.newest

    def close(self) -> None: ...


@dataclass
class FakeDesk:
    """Does what the alert desk does with an action, at once."""

    alerts: FakeAlertStore
    live: LiveFeed
    taken: list[Action] = field(default_factory=list)
    error: Exception | None = None

    async def act(self, action: Action) -> Alert:
        if self.error is not None:
            raise self.error
        alert = self.alerts.get(action.alert)
        if alert is None:
            raise Rejected("alert", action.alert, "no such alert")
        self.taken.append(action)
        state = {"open": "acknowledged", "resolved": "closed"}.get(alert.state, alert.state)
        changed = msgspec.structs.replace(
            alert,
            state=state if action.action == "acknowledge" else alert.state,
            revision=alert.revision + 1,
            actions=[*alert.actions, action],
        )
        self.live.publish(self.alerts.put([changed]))
        return changed


@dataclass
class FakeWorld:
    """Everything that stands behind one app."""

    store: FakeStore
    alerts: FakeAlertStore
    latest: LatestBook
    live: LiveFeed
    desk: FakeDesk
    parts: WebParts
    states: dict[str, str]
    held: list[dict[str, Any]]


SENSORS = (
    Sensor("loop-001", "ring-north", 52.41, -1.51, 60.0, place="Station Road, northbound", road_class="A"),
    Sensor("air-01", "centre", 52.40, -1.50, 900.0, place="Market Square"),
    Sensor("meter-07", "centre", 52.405, -1.505, 60.0, place="Library", asset="transformer-3", rated_kw=250.0),
)


def make_world(
    sensors: Iterable[Sensor] = SENSORS, town_map: dict[str, Any] | None = None, every_s: float = 0.02, **more: Any
) -> FakeWorld:
    store, alerts, latest = FakeStore(), FakeAlertStore(), LatestBook()
    live = LiveFeed(alerts, latest, every_s=every_s)
    desk = FakeDesk(alerts, live)
    states = {"broker": "ok", "store": "ok"}
    held: list[dict[str, Any]] = []
    parts = WebParts(
        store=store,
        alerts=alerts,
        register=SensorRegister(sensors),
        map=town_map,
        latest=latest,
        live=live,
        act=desk.act,
        ready=lambda: states,
        clock=lambda: NOON,
        held=lambda: held,
        **more,
    )
    return FakeWorld(store, alerts, latest, live, desk, parts, states, held)
