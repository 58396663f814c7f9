"""What the demo's buttons do: things begin now in the running town, with a label, and are scored while it lives."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from domain.errors import Misconfigured, Rejected, Unavailable
from domain.ports import AlertStore
from domain.times import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, format_time
from service.scoring import said_of
from simulator.kinds import KINDS, PLACES, Item, Kind
from simulator.scenario_checks import touches, why_not
from simulator.scenario_nodes import nearest
from simulator.scenario_run import sensors_by_domain
from simulator.scoreboard_figures import Span, happened, score
from simulator.script import LiveScript, truth
from simulator.signals import City
from simulator.truth import Truth

_NOTE = "demo-events.jsonl"
_SHOWN_MS = 6 * HOUR_MS
_ALERTS_MAX = 2_000
_MINUTES = {"crash": 20, "pollution-episode": 40, "feeder-fault": 12, "silent": 12}
_OTHER_MINUTES = 20
_STRENGTH = {"crash": 1.0, "pollution-episode": 0.9}
_BUSY_MS = 3 * MINUTE_MS


class DemoEngine:
    """The engine of scenarios, played by hand. ``clock`` is simulated time in epoch ms."""

    def __init__(
        self, city: City, script: LiveScript, alerts: AlertStore, clock: Callable[[], int], folder: Path
    ) -> None:
        """What was begun in earlier runs on this folder is taken up again. Raises: Misconfigured."""
        self._city, self._script, self._alerts, self._clock = city, script, alerts, clock
        self._note = folder / _NOTE
        self._since: int | None = None
        for item in _noted(self._note):
            script.add(item)

    def live_since(self, ms: int) -> None:
        """The past has been played: from now on things can begin, and count."""
        self._since = ms

    async def begin(self, kind: str, target: str | None) -> dict[str, Any]:
        """Raises: Rejected: no such kind or place, or it cannot be together with what is there; Unavailable: the past
        is still being played."""
        self._live()
        if kind not in KINDS:
            raise Rejected("kind", kind, f"unknown{nearest(kind, KINDS)}")
        row = KINDS[kind]
        place = await asyncio.to_thread(self._choose, row) if target is None else target
        strength = _STRENGTH.get(kind, row.strength.default)
        try:
            row.check(self._city.town, place, strength)
        except Misconfigured as error:
            raise Rejected("target", place, str(error)) from None
        start = self._clock() // SECOND_MS * SECOND_MS
        item = row.make(place, start, start + _MINUTES.get(kind, _OTHER_MINUTES) * MINUTE_MS, strength)
        await asyncio.to_thread(self._check_together, item)
        with self._note.open("a", encoding="utf-8") as file:
            note = {"kind": kind, "target": place, "start": start, "end": item.end, "strength": strength}
            file.write(json.dumps(note) + "\n")
        self._script.add(item)
        label = await asyncio.to_thread(item.truth, self._city.town)
        return {
            "cause": label.cause, "kind": kind, "target": place, "place": label.place, "area": label.area,
            "start": format_time(start), "end": format_time(item.end), "series": list(label.series),
        }  # fmt: skip

    async def score(self) -> dict[str, Any]:
        """Raises: Unavailable: the past is still being played."""
        since = self._live()
        return await asyncio.to_thread(self._score, since, self._clock())

    async def last_word(self) -> str:
        """The score card in a line, for the end of the demo; empty when the town was never live."""
        if self._since is None:
            return ""
        figures = (await self.score())["figures"]
        count = figures["events"] + figures["sensor_faults"]
        return (
            f"Score card: {figures['found']} of {count} events and sensor faults found, "
            f"{figures['false']} false of {figures['alerts']} alerts"
        )

    def _live(self) -> int:
        if self._since is None:
            raise Unavailable("the town's past is still being played; try again in a moment")
        return self._since

    def _score(self, since: int, now: int) -> dict[str, Any]:
        begin = max(since, now - _SHOWN_MS)
        # What began before may explain an alert of now.
        labels = [label for label in self._truths(begin - DAY_MS, now) if label.start <= now]
        said = [said_of(alert) for alert in self._alerts.find(None, None, None, _ALERTS_MAX)]
        result = score(labels, said, Span(begin, now + 1, sensors_by_domain(self._city.town)))
        names = ("events", "sensor_faults", "transport_faults", "detection", "sensor_detection", "alerts", "false")
        figures = {name: result.figures[name] for name in names}
        found = [one for one in result.outcomes if one.truth.cause != "transport" and one.found]
        events = sorted(happened(result), key=lambda row: str(row["start"]), reverse=True)
        return {"events": events, "figures": {**figures, "found": len(found)}, "now": format_time(now)}

    def _check_together(self, item: Item) -> None:
        """Raises: Rejected."""
        town, now = self._city.town, item.start
        for acting in (s(now, now + 1) for s in (self._script.events, self._script.faults, self._script.transport)):
            for other in acting:
                reason = why_not(other.kind, item.kind) if other.start <= now < other.end else ""
                if reason and touches(town, other) & touches(town, item):
                    raise Rejected("target", item.target, f"{reason} until {format_time(other.end)}")

    def _truths(self, start: int, end: int) -> list[Truth]:
        return list(truth(self._script, self._city.town, start, end + 1))

    def _choose(self, kind: Kind) -> str:
        """A place where it will be seen: the busiest loop, else one where nothing else is going on just now."""
        now = self._clock()
        taken = {name for label in self._truths(now - HOUR_MS, now) for name in (label.area, *_sensors(label))}
        places = sorted(PLACES[kind.targets[0]](self._city.town))
        area_of = {sensor.sensor: sensor.area for sensor in self._city.town.sensors}
        free = [p for p in places if p not in taken and area_of.get(p, p) not in taken]
        free = free or [p for p in places if p not in taken] or places
        if "loop" in kind.targets:
            return self._busiest(free, now)
        return free[(now // SECOND_MS) % len(free)]

    def _busiest(self, loops: list[str], now: int) -> str:
        readings = self._city.readings(now - _BUSY_MS, now, self._script)
        flows = dict.fromkeys(loops, 0.0)
        for i, x in zip(readings.i.tolist(), readings.x.tolist(), strict=True):
            sensor, _, quantity = readings.series[i].partition("/")
            if quantity == "traffic.flow" and sensor in flows and not np.isnan(x):
                flows[sensor] = x
        return max(flows, key=lambda name: flows[name])


def _sensors(label: Truth) -> set[str]:
    return {name.partition("/")[0] for name in label.series}


def _noted(path: Path) -> list[Item]:
    """Raises: Misconfigured: the note is there and cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        notes = [json.loads(line) for line in lines]
        return [
            KINDS[note["kind"]].make(note["target"], note["start"], note["end"], note["strength"]) for note in notes
        ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Misconfigured(f"{path} cannot be read ({error}): remove it or give another --data-dir") from None
