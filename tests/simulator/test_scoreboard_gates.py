"""Gates hold, fail, and fail where there is nothing to measure; tables that cannot be read are told with their line."""

from dataclasses import replace
from pathlib import Path

import pytest

from domain.errors import Misconfigured
from simulator.scoreboard import Said
from simulator.scoreboard_figures import Score, Span, score
from simulator.scoreboard_gates import BOUNDS, gates
from simulator.scoreboard_tables import read_alerts, read_truth
from simulator.truth import Truth, write_truth

NOON = 1_772_452_800_000
CRASH = Truth("world", "crash", "a junction, with a comma", "ring", NOON, NOON + 600_000, ("loop-1/traffic.flow",))
ALERT = Said("a1", "anomaly", "ring", ("loop-1/traffic.flow",), NOON + 60_000, NOON + 90_000)
SPAN = Span(NOON - 3_600_000, NOON + 3_600_000, {"traffic": 1})


@pytest.fixture
def found() -> Score:
    return score([CRASH], [ALERT, replace(ALERT, alert="a2", series=("loop-2/traffic.flow",))], SPAN)


@pytest.mark.parametrize(
    ("gate", "just", "beyond"),
    [
        ("detection_min", 1.0, None), ("false_share_max", 0.5, 0.49), ("delay_median_max_s", 90, 89),
        ("false_per_operator_hour_max", 0.5, 0.4), ("alerts_max", 2, 1), ("flood_minutes_max", 0, None),
        ("named_right_min", 1.0, None), ("false_per_sensor_week_max", 84, 83),
    ],
)  # fmt: skip
def test_a_gate_holds_up_to_its_bound(gate: str, just: float, beyond: float | None, found: Score) -> None:
    assert gates({gate: just}, found)[0].holds
    if beyond is not None:
        assert not gates({gate: beyond}, found)[0].holds


def test_detection_fails_from_below() -> None:
    missed = score([CRASH, replace(CRASH, area="other", series=("x/y",))], [ALERT], SPAN)
    (gate,) = gates({"detection_min": 0.6}, missed)
    assert (gate.holds, gate.figure) == (False, 0.5)


def test_what_cannot_be_measured_does_not_hold(found: Score) -> None:
    assert [gate.holds for gate in gates({"sensor_detection_min": 0.0, "sensor_delay_median_max_s": 1e6}, found)] == [
        False
    ] * 2


def test_every_gate_bounds_a_figure_that_there_is(found: Score) -> None:
    assert {bound.figure for bound in BOUNDS.values()} <= found.figures.keys()
    assert all(name.endswith(("_min", "_max", "_max_s")) for name in BOUNDS)


def test_truth_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_truth(tmp_path / "truth.csv", [CRASH])
    assert read_truth(tmp_path / "truth.csv") == [CRASH]


ZERO, ONE = "2026-03-02T00:00:00Z", "2026-03-02T01:00:00Z"
TRUTH_HEAD = "cause,kind,place,area,start,end,series\n"
ALERT_HEAD = "alert,series,area,kind,severity,onset,raised,cleared,score,why\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1: column cause: missing; it needs cause, kind, place"),
        ("cause,kind\n", ":1: column place: missing"),
        (TRUTH_HEAD + f"moon,crash,p,a,{ZERO},{ONE},s\n", ":2: cause moon: must be one of world, "),
        (TRUTH_HEAD + f"world,crash,p,a,noon,{ONE},s\n", ":2: start noon: not an RFC 3339 time"),
        (TRUTH_HEAD + f"world,crash,p,a,{ONE},{ZERO},s\n", f":2: end {ZERO}: lies before"),
    ],
)  # fmt: skip
def test_a_truth_table_that_cannot_be_read(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(text)
    with pytest.raises(Misconfigured) as error:
        read_truth(path)
    assert str(error.value).startswith(f"{path}{said}")


def test_an_alerts_table_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "alerts.csv"
    path.write_text(ALERT_HEAD + "a,s/q,ring,storm,low,2026-03-02T00:00:00Z,2026-03-02T01:00:00Z,,1,x\n")
    with pytest.raises(Misconfigured, match=r"alerts.csv:2: kind storm: must be one of anomaly, quality"):
        read_alerts(path)
    with pytest.raises(Misconfigured, match="cannot be read: No such file"):
        read_alerts(tmp_path / "none.csv")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(Misconfigured, match="UTF-8"):
        read_alerts(path)
