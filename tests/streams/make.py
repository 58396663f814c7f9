"""What the tests of the dataflow are made of: areas, readings, frames, and a slow and plain recomputation."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from domain.readings import Frame, Readings, Tick
from domain.sensors import Sensor, SensorRegister
from domain.windows import RUNNING_HOP_S, RUNNING_S, TUMBLING_S, Aggregates
from models.quality import QualityTests
from streams.analyser import Analyser, Step
from streams.area import Area
from streams.area_clock import Patience
from streams.board import Board
from streams.maintain import MaintainStage
from streams.pipeline import Pipeline
from streams.setup import Setup
from streams.stage import Flow
from streams.validate import ValidateStage
from streams.window import WindowStage

T0 = 1_772_409_600_000  # 2026-03-02T00:00:00Z
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
TOPIC, PARTITION = "readings.air", 1
AREA = "a2"  # partition 1 of 4
PATIENCE = Patience(lateness_ms=10_000, horizon_ms=2 * HOUR)

Row = tuple[str, int, float]
Key = tuple[str, int, int]  # series, window in seconds, start


def series(k: int) -> str:
    return f"s{k}/air.no2"


def register(n: int = 8, interval_s: float | None = None, area: str = AREA) -> SensorRegister:
    return SensorRegister([Sensor(f"s{k}", area, interval_s=interval_s) for k in range(n)])


def windows_only(name: str, sensors: SensorRegister, patience: Patience) -> Area:
    """An area whose pipeline ends with the windows: what models say of it is tested elsewhere."""
    board = Board.of(name, sensors, patience)
    return Area(board, Pipeline((ValidateStage(board, QualityTests()), WindowStage(board)), MaintainStage(board)))


class Feed:
    """One analyser, with the whole pipeline where a detector is named, and the seq of its gateway; keeps all steps."""

    def __init__(self, sensors: SensorRegister | None = None, patience: Patience = PATIENCE, detector: str = ""):
        sensors = register() if sensors is None else sensors
        self.analyser = (
            Setup(sensors, patience, detector).analyser(TOPIC, PARTITION)
            if detector
            else Analyser(TOPIC, PARTITION, sensors, lambda name: windows_only(name, sensors, patience))
        )
        self.seq = 0
        self.steps: list[Step] = []

    def frame(self, rows: Iterable[Row]) -> Step:
        self.seq += 1
        return self._kept(self.analyser.on_message(Frame("gw", self.seq, AREA, Readings.of(rows))))

    def tick(self, time: int) -> Step:
        self.seq += 1
        return self._kept(self.analyser.on_message(Tick("gw", self.seq, time)))

    def raw(self, raw: bytes) -> Step:
        return self._kept(self.analyser.apply(raw))

    def _kept(self, step: Step) -> Step:
        self.steps.append(step)
        return step

    @property
    def flows(self) -> list[Flow]:
        return [flow for step in self.steps for flow in step.flows]


@dataclass(frozen=True)
class Window:
    """One aggregate as it was last published."""

    count: int
    mean: float
    min: float
    max: float
    last: float
    flag: int
    revision: int
    coverage: float


def rows_of(batches: Iterable[Aggregates]) -> Iterator[tuple[Key, Window]]:
    for b in batches:
        for k in range(len(b)):
            yield (
                (b.series[b.i[k]], b.window_s, int(b.start[k])),
                Window(
                    int(b.count[k]), float(b.mean[k]), float(b.min[k]), float(b.max[k]), float(b.last[k]),
                    int(b.flag[k]), int(b.revision[k]), float(b.coverage[k]),
                ),
            )  # fmt: skip


def final_windows(flows: Iterable[Flow]) -> dict[Key, Window]:
    """The aggregates that stand at the end; revisions must count from 1 without a gap."""
    kept: dict[Key, Window] = {}
    for flow in flows:
        for key, window in rows_of(flow.closed):
            before = kept[key].revision if key in kept else 0
            assert window.revision == before + 1, (key, before, window)
            kept[key] = window
    return kept


def recomputed(readings: dict[tuple[str, int], float]) -> dict[Key, tuple[int, float, float, float, float]]:
    """Count, sum, min, max, last of every window of every length that holds a reading; one reading at a time."""
    held: dict[Key, list[tuple[int, float]]] = defaultdict(list)
    for (name, t), x in readings.items():
        for length in TUMBLING_S:
            held[name, length, t // (length * 1_000) * length * 1_000].append((t, x))
        for length in RUNNING_S:
            hour = t // HOUR * HOUR
            for back in range(length // RUNNING_HOP_S):
                held[name, length, hour - back * HOUR].append((t, x))
    return {
        key: (len(part), sum(x for _, x in part), min(x for _, x in part), max(x for _, x in part), max(part)[1])
        for key, part in held.items()
    }


def assert_windows_equal(found: dict[Key, Window], readings: dict[tuple[str, int], float], closed_by: int) -> None:
    """Every window that ends by ``closed_by`` is there, and says what the readings say; no other is."""
    expected = {key: value for key, value in recomputed(readings).items() if key[2] + key[1] * 1_000 <= closed_by}
    assert found.keys() == expected.keys()
    for key, (count, total, low, high, last) in expected.items():
        window = found[key]
        assert (window.count, window.min, window.max, window.last) == (count, low, high, last), key
        assert np.isclose(window.mean * count, total, rtol=1e-9, atol=1e-9), key
