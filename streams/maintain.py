"""Stage: the health of each asset, once a day, and how long it may last.

A day is closed when the watermark has passed its end. A failure or repair counts after the day it falls on: the day's
readings were made by the machine that failed.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from domain.messages import Health, Verdict
from domain.sensors import Event
from domain.times import DAY_MS
from models.asset_days import asset_days
from models.day_verdict import DayVerdicts
from models.health_signals import HealthSignals
from models.remaining_life import RemainingLife
from streams.area_clock import NEVER
from streams.board import Board
from streams.stage import Flow
from streams.state import restore_learned, snapshot
from streams.traces import number


class MaintainStage:
    """Daily signals per series, joined per asset; remaining life where failures are known."""

    kind: ClassVar[str] = "maintain"
    version: ClassVar[str] = "2"

    def __init__(self, board: Board) -> None:
        self._board = board
        self._signals = HealthSignals()
        self._verdicts = DayVerdicts()
        self._life = RemainingLife()
        self._events: list[Event] = []
        self._closed_until = NEVER

    def on_frame(self, flow: Flow) -> Flow:
        self._signals.ensure(self._board.index.specs)
        self._signals.observe(flow.readings, self._board.interval.seconds())
        self._verdicts.ensure(self._board.index.specs)
        self._verdicts.observe(flow.readings)
        self._verdicts.observe_apart(flow.apart)
        return self._close(flow)

    def on_tick(self, flow: Flow) -> Flow:
        self._verdicts.observe_apart(flow.apart)
        return self._close(flow)

    def on_event(self, event: Event) -> None:
        """Keep an event of one of this area's assets until its day is closed."""
        if any(spec.sensor.asset_name == event.asset for spec in self._board.index.specs):
            self._events.append(event)

    def _close(self, flow: Flow) -> Flow:
        until = flow.now - self._board.patience.lateness_ms
        until -= until % DAY_MS
        if flow.now == NEVER or until <= self._closed_until:
            return flow
        self._closed_until = until
        days = asset_days(self._board.index.specs, self._signals.close_day(until))
        verdicts = self._verdicts.close_day(until, self._board.interval.seconds())
        health: list[Health] = []
        for (day, asset), measurements in sorted(days.items()):
            self._apply_events(day)
            health.append(self._day(asset, day, measurements, verdicts.get(day, [])))
        self._apply_events(until)
        return replace(flow, health=flow.health + health)

    def _day(self, asset: str, day: int, signals: dict[str, float], verdicts: list[Verdict]) -> Health:
        self._life.observe(asset, day, signals)
        life = self._life.predict(asset)
        assets = {spec.sensor.sensor: spec.sensor.asset_name for spec in self._board.index.specs}
        return Health(
            asset=asset,
            area=self._board.area,
            time=day,
            signals={name: value for name, x in signals.items() if (value := number(x)) is not None},
            remaining_life=life.remaining,
            lower=life.lower,
            upper=life.upper,
            p_failure=life.p_failure,
            note=life.note,
            verdicts=[verdict for verdict in verdicts if assets[verdict.sensor] == asset],
        )

    def _apply_events(self, before: int) -> None:
        self._events.sort(key=lambda event: event.time)
        while self._events and self._events[0].time < before:
            event = self._events.pop(0)
            self._life.event(event.asset, event.time, event.kind)

    def snapshot(self) -> dict[str, Any]:
        return {
            "signals": snapshot(self._signals),
            "verdicts": snapshot(self._verdicts),
            "life": snapshot(self._life),
            "events": [[event.time, event.asset, event.kind] for event in self._events],
            "closed_until": self._closed_until,
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._signals.ensure(self._board.index.specs)
        restore_learned(self._signals, payload["signals"], self._board.begins_anew)
        self._verdicts.ensure(self._board.index.specs)
        restore_learned(self._verdicts, payload["verdicts"], self._board.begins_anew)
        restore_learned(self._life, payload["life"], self._board.begins_anew)
        self._events = [Event(*row) for row in payload["events"]]
        self._closed_until = payload["closed_until"]
