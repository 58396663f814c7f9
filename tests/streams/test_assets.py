"""Machines in the pipeline: which assets are one, the finding of a fault, and what ordinary sensors are spared."""

import numpy as np
import pytest

from domain.messages import Finding
from domain.readings import Frame, Readings, Tick
from domain.sensors import Sensor, SensorRegister
from domain.series import parse_series
from domain.topics import partition_of
from models.series_spec import SeriesSpec
from streams.analyser import Analyser
from streams.area_clock import Patience
from streams.machine import machines_of
from streams.setup import Setup
from streams.state import pack, restore, snapshot, unpack

T0, SECOND = 1_772_409_600_000, 1_000
CHANNELS = ("acc1", "acc2", "current", "pressure", "flow")
TOPIC, AREA = "readings.energy", "loop"
PARTITION = partition_of(AREA)


def spec(series: str, asset: str | None) -> SeriesSpec:
    name = parse_series(series)
    return SeriesSpec(series, name.quantity, Sensor(name.sensor, AREA, asset=asset))


@pytest.mark.parametrize(
    ("series", "asset", "found"),
    [
        (["a/generic.flow", "b/generic.flow", "c/generic.flow"], "pump", {"pump": [0, 1, 2]}),
        (["a/generic.flow", "b/generic.flow"], "pump", {}),
        ([f"p/generic.c{k}" for k in range(5)], None, {"p": [0, 1, 2, 3, 4]}),
        ([f"p/generic.c{k}" for k in range(4)], "p", {}),
        (["l/traffic.flow", "l/traffic.speed", "l/traffic.occupancy"], None, {}),
        ([f"m/energy.{q}" for q in ("active_power", "voltage", "current", "power_factor", "frequency")], None, {}),
        (["a/energy.current", "b/energy.voltage", "c/energy.energy_import"], "motor", {}),
    ],
)
def test_what_is_a_machine(series: list[str], asset: str | None, found: dict[str, list[int]]):
    assert machines_of([spec(name, asset) for name in series]) == found


class Plant:
    """An analyser with one pump, fed second by second."""

    def __init__(self, asset: str | None = "pump-1") -> None:
        names = [f"pump-1.{c}" for c in CHANNELS]
        self.series = [f"{name}/generic.{c}" for name, c in zip(names, CHANNELS, strict=True)]
        register = SensorRegister([Sensor(name, AREA, interval_s=1.0, asset=asset) for name in names])
        self.analyser: Analyser = Setup(register, Patience(10_000, 7_200_000), "null").analyser(TOPIC, PARTITION)
        self.seq = 0

    def feed(self, x: np.ndarray, start: int, per_frame: int) -> list[Finding]:
        found: list[Finding] = []
        for at in range(0, len(x), per_frame):
            part = x[at : at + per_frame]
            rows = [
                (name, T0 + (start + at + k) * SECOND, float(v))
                for k, row in enumerate(part)
                for name, v in zip(self.series, row, strict=True)
            ]
            found += self._step(Frame("gw", self._next(), AREA, Readings.of(rows)))
            found += self._step(Tick("gw", self._next(), T0 + (start + at + len(part)) * SECOND))
        return found

    def pass_time(self, second: int) -> list[Finding]:
        return self._step(Tick("gw", self._next(), T0 + second * SECOND))

    def _next(self) -> int:
        self.seq += 1
        return self.seq

    def _step(self, message: Frame | Tick) -> list[Finding]:
        step = self.analyser.on_message(message)
        return [f for flow in step.flows for f in flow.findings if f.rule == "asset.novelty"]


def pump(fault: slice = slice(600, 750)) -> np.ndarray:
    rng = np.random.default_rng(17)
    x = np.array([0.03, 0.04, 1.3, 2.0, 32.0]) + rng.normal(0, 1, (1_000, 5)) * [3e-4, 4e-4, 0.1, 0.2, 0.5]
    x[fault, 3] += 0.8
    x[fault, 4] -= 2.5
    return x


def test_a_fault_is_one_finding_that_says_where_it_shows_and_ends():
    plant = Plant()
    found = plant.feed(pump(), 0, 10)
    assert [f.phase for f in found] == ["open", "close"]
    opened, closed = found
    assert opened.id == closed.id
    assert opened.place == "pump-1"
    assert 595 < (opened.onset - T0) / SECOND < 615
    assert opened.onset <= opened.time < T0 + 620 * SECOND
    assert 745 < (closed.time - T0) / SECOND < 790
    assert set(opened.series[:2]) == {"pump-1.pressure/generic.pressure", "pump-1.flow/generic.flow"}
    assert sum(c.share for c in opened.why.channels) == pytest.approx(1, abs=0.2)
    assert "pump-1 does not run as it did" in opened.why.sentence
    assert opened.why.model.parameters["window"] == 20
    assert opened.why.observed is not None
    assert opened.why.lower is not None
    assert not opened.why.lower <= opened.why.observed <= (opened.why.upper or 0)
    assert opened.why.trace[-1].time <= opened.time


def test_frames_of_any_length_say_the_same():
    assert Plant().feed(pump(), 0, 10) == Plant().feed(pump(), 0, 250)


def test_sensors_without_an_asset_are_left_alone():
    assert Plant(asset=None).feed(pump(), 0, 50) == []


def test_a_machine_that_falls_silent_in_a_fault_is_not_left_open():
    plant = Plant()
    found = plant.feed(pump(slice(600, 1_000)), 0, 50)
    assert [f.phase for f in found] == ["open"]
    (closed,) = plant.pass_time(1_500)
    assert closed.phase == "close"
    assert closed.time == T0 + 999 * SECOND


@pytest.mark.parametrize("cut", [200, 500, 620])
def test_state_taken_out_and_put_back_goes_on_as_before(cut: int):
    whole = Plant().feed(pump(), 0, 20)
    first, second = Plant(), Plant()
    head = first.feed(pump()[:cut], 0, 20)
    restore(second.analyser, unpack(pack(snapshot(first.analyser))))
    second.seq = first.seq
    assert head + second.feed(pump()[cut:], cut, 20) == whole
