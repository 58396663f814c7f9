"""Messages of version 1 as they were first written, byte for byte: these files never change, and decode for ever.

A new version gets files of its own beside them.
"""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from domain.codec import Loose, decode, decode_aggregates, decode_as
from domain.messages import (
    Action,
    Adoption,
    Alert,
    Anticipated,
    Channel,
    Finding,
    Forecast,
    Health,
    ModelRef,
    Point,
    Quarantined,
    Why,
)
from domain.readings import Frame, Readings, Tick
from domain.windows import Aggregates

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
T = 1_772_431_200_000  # 2026-03-02T06:00:00Z

WHY = Why(
    sentence="Speed at Ring North is 21 km/h; 78 to 92 was expected.",
    observed=21.0,
    expected=85.0,
    lower=78.0,
    upper=92.0,
    one_in=40_000.0,
    since=T,
    channels=[Channel("level", 0.75), Channel("jump", 0.25)],
    neighbours=[{"series": "loop-015/traffic.speed", "time": T, "observed": 84.0}],
    model=ModelRef("seasonal", "1", {"threshold": 0.5}),
    trace=[Point(T - 60_000, 84.5, 85.0, 78.0, 92.0), Point(T, None)],
)
ACTION = Action("act-1", "f00d", "acknowledge", T + 60_000, by="ana", reason="seen on camera", verdict="")
MESSAGES: dict[str, msgspec.Struct] = {
    "finding": Finding(
        id="f00d", rule="detector.seasonal", kind="anomaly", phase="open", area="ring-north", place="Ring North",
        series=["loop-014/traffic.speed"], time=T, onset=T, score=0.93, severity="high", why=WHY,
    ),
    "action": ACTION,
    "adoption": Adoption(
        id="ad0b", rule="detector.seasonal", area="ring-north", threshold=0.65, before=0.5, time=T, by="ana",
        reason="roadworks", effect={"days": 30, "alerts": 12, "not_raised": 4}, reverts="",
    ),
    "alert": Alert(
        id="f00d", kind="anomaly", severity="high", state="closed", area="ring-north", place="Ring North",
        series=["loop-014/traffic.speed", "loop-014/traffic.flow"], onset=T, raised=T, cleared=T + 3_600_000,
        score=0.93, why=WHY, rule="detector.seasonal", revision=3, incident="beef", actions=[ACTION],
    ),
    "health": Health(
        asset="pump-7", area="plant", time=T, signals={"generic.vibration.mean": 2.5}, remaining_life=41.0,
        lower=20.0, upper=77.5, p_failure=0.3, note="learned from 4 failures",
    ),
    "forecast": Forecast("pm/air.pm25", "harbour", T, [T + 900_000, T + 1_800_000], [9.5, 10.0], [7.0, 6.5], [12.0, 14.0]),  # noqa: E501
    "anticipated": Anticipated(T, "pm/air.pm25", "pollution", 3_600, 0.125),
    "quarantined": Quarantined(
        id="0ddba11", time=T, topic="readings.air", gateway="gw-1", series="pm/air.pm25", value="99999.0",
        field="value", reason="outside what an instrument can measure in this unit", excerpt="", reading_time=T,
    ),
}  # fmt: skip


def read(name: str) -> bytes:
    return (GOLDEN / f"{name}.v1.json").read_bytes()


def plain(value: Any) -> Any:
    """Arrays as lists, so that whole messages compare; NaN as a word, for it does not equal itself."""
    if isinstance(value, np.ndarray):
        return (value.dtype.str, [plain(item) for item in value.tolist()])
    if isinstance(value, float) and value != value:
        return "nan"
    if isinstance(value, Frame | Readings | Aggregates | Loose):
        return [plain(getattr(value, name)) for name in type(value).__dataclass_fields__]
    return value


READINGS = Readings(
    ["loop-014/traffic.speed", "loop-014/traffic.flow"],
    np.array([0, 1, 0], np.int32),
    np.array([T, T, T + 10_000], np.int64),
    np.array([51.2, 1_260.0, np.nan]),
)
ONE = Readings.of([("loop-014/traffic.speed", T, 51.2)])
AGGREGATES = Aggregates(
    "ring-north", 60, ["loop-014/traffic.speed", "loop-014/traffic.flow"],
    np.array([0, 1], np.int32), np.array([T, T]), np.array([6, 5]), np.array([51.25, 1_260.5]),
    np.array([50.0, 1_200.0]), np.array([52.5, 1_320.0]), np.array([51.2, 1_260.0]), np.array([1.0, np.nan]),
    np.array([1, 4], np.uint8), np.array([1, 2]),
)  # fmt: skip
ON_READINGS_TOPICS = {
    "frame": Frame("gw-1", 4_711, "ring-north", READINGS),
    "tick": Tick("gw-1", 4_712, T),
    "reading": Loose(ONE),
    "readings": Loose(ONE),
}


@pytest.mark.parametrize("name", ON_READINGS_TOPICS)
def test_what_comes_in(name: str) -> None:
    assert plain(decode(read(name))) == plain(ON_READINGS_TOPICS[name])


def test_aggregates() -> None:
    assert plain(decode_aggregates(read("aggregates"))) == plain(AGGREGATES)


@pytest.mark.parametrize("name", MESSAGES)
def test_messages(name: str) -> None:
    assert decode_as(type(MESSAGES[name]), read(name)) == MESSAGES[name]


def test_every_kind_has_a_file() -> None:
    assert {path.name for path in GOLDEN.glob("*.v1.json")} == {
        f"{name}.v1.json" for name in [*MESSAGES, *ON_READINGS_TOPICS, "aggregates"]
    }
