"""Health once a day, and events that count after the day they fall on."""

from typing import Any

import numpy as np

from domain.messages import Health
from domain.scores import Judged
from domain.sensors import Event, Sensor, SensorRegister
from streams.area_clock import Patience
from streams.board import Board
from streams.maintain import MaintainStage
from streams.quarantine import Origin
from streams.stage import Flow
from streams.state import pack, restore, snapshot, unpack

DAY, HOUR = 86_400_000, 3_600_000
T0 = 20_000 * DAY
LATENESS = 10_000


class Plant:
    """A maintain stage with machines pump-1 (two sensors) and fan-1; ``day`` runs hourly readings of one day."""

    def __init__(self) -> None:
        sensors = [
            Sensor("pump-1.bearing", "plant", asset="pump-1", interval_s=3_600.0),
            Sensor("pump-1.motor", "plant", asset="pump-1", interval_s=3_600.0),
            Sensor("fan-1", "plant", interval_s=3_600.0),
        ]
        self.board = Board.of("plant", SensorRegister(sensors), Patience(LATENESS, 2 * HOUR))
        self.board.index.rows([f"{s.sensor}/generic.vibration" for s in sensors])
        self.board.interval.ensure(self.board.index.specs)
        self.stage = MaintainStage(self.board)

    def _flow(self, now: int, **parts: Any) -> Flow:
        return Flow("plant", Origin("", ""), now, self.board.index.names, now=now, **parts)

    def day(self, n: int, value: float = 1.0) -> list[Health]:
        health = []
        for hour in range(24):
            t = T0 + n * DAY + hour * HOUR
            readings = Judged(
                np.arange(3, dtype=np.int32), np.full(3, t), value + np.arange(3.0), np.ones(3, np.uint8),
                np.zeros(3, np.uint32),
            )  # fmt: skip
            health += self.stage.on_frame(self._flow(t, readings=readings)).health
        return health

    def tick(self, now: int) -> list[Health]:
        return self.stage.on_tick(self._flow(now)).health


def test_a_day_is_told_once_when_it_is_over_with_the_lateness() -> None:
    plant = Plant()
    assert plant.day(0) == []
    assert plant.tick(T0 + DAY + LATENESS - 1) == []
    told = plant.tick(T0 + DAY + LATENESS)
    assert [(h.asset, h.area, h.time) for h in told] == [("fan-1", "plant", T0), ("pump-1", "plant", T0)]
    assert all(h.signals for h in told)
    assert plant.tick(T0 + DAY + 2 * LATENESS) == []
    silent = plant.tick(T0 + 3 * DAY)  # one more day is over with its lateness: nothing came, and that is told
    assert [(h.asset, h.time) for h in silent] == [("fan-1", T0 + DAY), ("pump-1", T0 + DAY)]
    assert {value for h in silent for value in h.signals.values()} == {1.0}
    told = plant.tick(T0 + 30 * DAY)
    assert {h.time for h in told} <= {T0 + n * DAY for n in range(2, 9)}  # what is silent for a week has ended


def test_series_of_a_machine_are_told_together_apart_by_their_part() -> None:
    plant = Plant()
    plant.day(0)
    fan, pump = plant.tick(T0 + DAY + LATENESS)
    assert {name.split("|")[1] for name in pump.signals} == {"bearing", "motor"}
    assert "generic.vibration" in fan.signals


def test_an_event_waits_for_its_day_and_those_of_others_are_passed_over(monkeypatch: Any) -> None:
    plant = Plant()
    told: list[tuple[str, object]] = []
    life = plant.stage._life
    observe, event = life.observe, life.event
    monkeypatch.setattr(life, "observe", lambda a, d, s: (told.append((a, (d - T0) // DAY)), observe(a, d, s))[1])
    monkeypatch.setattr(life, "event", lambda a, t, k: (told.append((a, k)), event(a, t, k))[1])
    for n in range(4):
        plant.day(n)
        if n == 1:
            plant.stage.on_event(Event(T0 + DAY + 13 * HOUR, "pump-1", "failure"))
            plant.stage.on_event(Event(T0 + DAY + 5 * HOUR, "fan-1", "inspection"))
            plant.stage.on_event(Event(T0 + DAY, "somebody-else", "failure"))
    plant.tick(T0 + 4 * DAY + LATENESS)
    order = [item for item in told if item[0] == "pump-1"]
    assert order == [("pump-1", 0), ("pump-1", 1), ("pump-1", "failure"), ("pump-1", 2), ("pump-1", 3)]
    assert ("fan-1", "inspection") in told
    assert ("somebody-else", "failure") not in told


def test_several_days_at_once_are_told_in_their_order_with_events_between(monkeypatch: Any) -> None:
    plant = Plant()
    order: list[object] = []
    life = plant.stage._life
    observe = life.observe
    monkeypatch.setattr(life, "observe", lambda a, d, s: (order.append((d - T0) // DAY), observe(a, d, s))[1])
    monkeypatch.setattr(life, "event", lambda a, t, k: order.append(k))
    readings = [np.arange(3 * 24) // 24]
    t = T0 + np.arange(3 * 24) * HOUR
    judged = Judged(
        readings[0].astype(np.int32) * 0 + 2, t, np.ones(72), np.ones(72, np.uint8), np.zeros(72, np.uint32)
    )
    plant.stage.on_event(Event(T0 + DAY + 1, "fan-1", "repair"))
    plant.stage.on_frame(plant._flow(T0, readings=judged))
    told = plant.tick(T0 + 3 * DAY + LATENESS)
    assert [h.time for h in told] == [T0, T0 + DAY, T0 + 2 * DAY]
    assert order == [0, 1, "repair", 2]


def test_state_goes_out_and_in_between_and_within_days() -> None:
    plant = Plant()
    plant.day(0)
    plant.stage.on_event(Event(T0 + HOUR, "pump-1", "failure"))
    again = Plant()
    restore(again.stage, unpack(pack(snapshot(plant.stage))))
    for n in range(1, 6):
        assert plant.day(n, 1.0 + n) == again.day(n, 1.0 + n)
    assert plant.tick(T0 + 7 * DAY) == again.tick(T0 + 7 * DAY)
    assert pack(snapshot(plant.stage)) == pack(snapshot(again.stage))
