"""Labelled faults on a recording: the same however it is cut into chunks, and only where the label says."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from domain.readings import Readings
from domain.sensors import Sensor
from domain.times import MINUTE_MS
from simulator.inject import Injector, Recorded, Recording
from simulator.scenario import read_faults
from simulator.scenario_nodes import BadFile
from simulator.scenario_run import lines
from simulator.transport import Arrivals

START = 1_772_409_600_000  # 2026-03-02T00:00:00Z
SERIES = ["s1/air.no2", "s1/generic.dust", "s2/energy.energy_import"]
SENSORS = {"s1": Sensor("s1", "town"), "s2": Sensor("s2", "country")}


def recording(chunk: int = 10_000) -> Iterator[Readings]:
    """Three hours of three series, a reading a minute each."""
    n = 180
    t = np.repeat(START + np.arange(n, dtype=np.int64) * MINUTE_MS, 3)
    i = np.tile(np.arange(3, dtype=np.int32), n)
    x = np.where(i == 2, 500 + t % 10_000_000 / 1e6, 20 + 5 * np.sin(np.arange(3 * n) / 9))
    whole = Readings(SERIES, i, t, x)
    for at in range(0, len(whole), chunk):
        yield whole.take(np.arange(at, min(at + chunk, len(whole))))


def injector(folder: Path, events: str) -> Injector:
    path = folder / "faults.yaml"
    path.write_text("events:\n" + events)
    steps = read_faults(path)
    return Injector(Recorded(SERIES, SENSORS), steps, Recording.of(recording()), "faults.yaml")


def values(parts: Sequence[Arrivals]) -> dict[tuple[str, int], float]:
    return {
        (part.readings.series[i], t): x
        for part in parts
        for i, t, x in zip(part.readings.i.tolist(), part.readings.t.tolist(), part.readings.x.tolist(), strict=True)
    }


EVENTS = """\
  - {kind: stuck, target: s1/air.no2, at: day 1 00:30, for: 30 min}
  - {kind: offset, target: s1/generic.dust, at: 2026-03-02T01:00:00Z, for: 20 min}
  - {kind: counter-reset, target: s2, at: day 1 02:00, for: 30 min}
"""


def test_faults_change_what_their_labels_name_and_nothing_else(tmp_path: Path) -> None:
    made = injector(tmp_path, EVENTS)
    before, after = values([Arrivals(c.t, c) for c in recording()]), values(list(made.played(recording())))
    assert list(before) == list(after)  # every row where it was
    changed = {key for key in before if before[key] != after[key]}
    labelled = {
        (name, t) for name, t in before for label in made.truths
        if name in label.series and label.start <= t < label.end
    }  # fmt: skip
    assert changed <= labelled
    assert len(changed) > 0.9 * len(labelled)
    held = before["s1/air.no2", START + 29 * MINUTE_MS]
    assert {after["s1/air.no2", START + k * MINUTE_MS] for k in range(30, 60)} == {held}
    assert after["s2/energy.energy_import", START + 121 * MINUTE_MS] < 1
    assert [(label.cause, label.kind, label.area) for label in made.truths] == [
        ("sensor", "stuck", "town"), ("sensor", "offset", "town"), ("sensor", "counter-reset", "country"),
    ]  # fmt: skip


@pytest.mark.parametrize("chunk", [3, 50, 131])
def test_it_does_not_matter_how_the_recording_is_cut(chunk: int, tmp_path: Path) -> None:
    whole = list(injector(tmp_path, EVENTS).played(recording()))
    pieces = list(injector(tmp_path, EVENTS).played(recording(chunk)))
    assert values(whole) == values(pieces)


PAIR = ["s1/air.no2", "s1/air.o3", "s1/air.pm25"]


def pair(chunk: int) -> Iterator[Readings]:
    """An instrument: NO2 and PM2.5 every minute, O3 every other, all at the same second."""
    n = 90
    t = np.repeat(START + np.arange(n, dtype=np.int64) * MINUTE_MS, 3)
    i = np.tile(np.arange(3, dtype=np.int32), n)
    kept = (i != 1) | (t // MINUTE_MS % 2 == 0)
    whole = Readings(PAIR, i[kept], t[kept], (1_000 * i + (t - START) / MINUTE_MS)[kept])
    for at in range(0, len(whole), chunk):
        yield whole.take(np.arange(at, min(at + chunk, len(whole))))


@pytest.mark.parametrize("chunk", [1, 7, 10_000])
def test_swapped_channels_change_places_however_the_recording_is_cut(chunk: int, tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(
        "faults:\n  - {kind: offset, target: s1/air.o3, at: day 1 00:40, for: 10 min}\n"
        "  - {kind: swapped-channels, target: s1, at: day 1 00:30, for: 30 min}\n"
    )
    town = Recorded(PAIR, {"s1": Sensor("s1", "town")})
    made = Injector(town, read_faults(path), Recording.of(pair(chunk)), "faults.yaml")
    after = values(list(made.played(pair(chunk))))
    assert made.truths[1].series == ("s1/air.no2", "s1/air.o3")
    for minute in range(20, 70):
        t, acting = START + minute * MINUTE_MS, 30 <= minute < 60
        even = minute - minute % 2
        assert after["s1/air.no2", t] == (1_000 + even if acting else minute)  # the last that O3 has said
        if minute % 2 == 0:
            wrong = 90 if 40 <= minute < 50 else 0  # what comes out of the swapped channel reads too high
            assert after["s1/air.o3", t] == (minute if acting else 1_000 + minute) + wrong
        assert after["s1/air.pm25", t] == 2_000 + minute  # has no partner in this recording


def test_transport_faults_change_the_order_and_lose_readings(tmp_path: Path) -> None:
    events = "  - {kind: out-of-order, target: town, at: day 1 00:30, for: 60 min}\n"
    events += "  - {kind: feed-down, target: country, at: day 1 01:00, for: 10 min}\n"
    rows = [line for part in injector(tmp_path, events).played(recording(60)) for line in lines(part)]
    times = [row.partition(",")[0] for row in rows]
    assert times != sorted(times)
    assert len(rows) == 3 * 180 - 10


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ("  - {kind: stuck, target: s3, at: day 1 00:30, for: 5 min}\n",
         "faults.yaml:2: target s3: no such sensor or series was recorded; did you mean s2 or s1"),
        ("  - {kind: late, target: s1, at: day 1 00:30, for: 5 min}\n", "faults.yaml:2: target s1: no such area"),
        ("  - {kind: counter-reset, target: s1, at: day 1 00:30, for: 5 min}\n",
         "faults.yaml:2: target s1: measures nothing that counter-reset could change"),
        ("  - {kind: swapped-channels, target: s1, at: day 1 00:30, for: 5 min}\n",
         "faults.yaml:2: target s1: measures nothing that swapped-channels could change"),
        ("  - {kind: clock-skew, target: s1/air.no2, at: day 1 00:30, for: 5 min}\n",
         "faults.yaml:2: target s1/air.no2: no such sensor was recorded"),
        ("  - {kind: stuck, target: s1, at: day 9 00:30, for: 5 min}\n",
         "faults.yaml:2: at 2026-03-10T00:30:00Z: nothing was recorded in this time"),
        ("  - {kind: silent, target: s1, at: day 1 00:30, for: 5 min}\n"
         "  - {kind: noise, target: s1/air.no2, at: day 1 00:32, for: 5 min}\n",
         "faults.yaml:3: kind noise: silent and noise exclude each other"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_recording_is_told(events: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadFile) as error:
        injector(tmp_path, events)
    assert error.value.lines[0].startswith(said), error.value.lines
