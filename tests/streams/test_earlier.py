"""The same hour on earlier days goes with a finding, also of days ago, and survives a restart."""

import msgspec
import numpy as np

from domain.messages import Earlier, Finding, Why
from domain.sensors import Sensor, SensorRegister
from domain.windows import Aggregates
from streams.area_clock import Patience
from streams.board import Board
from streams.earlier import EarlierStage
from streams.quarantine import Origin
from streams.stage import Flow
from streams.state import pack, unpack

T0, HOUR = 1_772_409_600_000, 3_600_000
SERIES = "a/air.no2"


def stage() -> EarlierStage:
    board = Board.of("x", SensorRegister([Sensor("a", "x")]), Patience(10_000, 2 * HOUR))
    board.index.rows([SERIES])
    return EarlierStage(board)


def hours(first: int, count: int) -> Flow:
    n = np.arange(first, first + count)
    ones = np.ones(count)
    batch = Aggregates(
        "x", 3_600, [SERIES], np.zeros(count, np.int32), T0 + n * HOUR, ones.astype(np.int64), n * 1.0, ones, ones,
        ones, ones, ones.astype(np.uint8), ones.astype(np.int64),
    )  # fmt: skip
    return Flow("x", Origin("", ""), 0, [SERIES], closed=[batch])


def finding(onset: int, phase: str = "open") -> Finding:
    why = Why("x", 1.0, None, None, None, None, onset)
    return Finding("f", "r", "anomaly", phase, "x", "a", [SERIES], onset, onset, 0.6, "low", why)


def told(stage: EarlierStage, onset: int) -> list[Earlier]:
    flow = stage.on_frame(Flow("x", Origin("", ""), 0, [SERIES], findings=[finding(onset)]))
    earlier = flow.findings[0].why.earlier
    assert isinstance(earlier, list)
    return earlier


def test_seven_days_newest_first():
    kept = stage()
    kept.on_tick(hours(0, 24 * 8))
    onset = T0 + (24 * 7 + 5) * HOUR + 1_234
    assert told(kept, onset) == [Earlier(T0 + (24 * d + 5) * HOUR, 24.0 * d + 5) for d in (6, 5, 4, 3, 2, 1, 0)]


def test_days_that_are_not_there_are_left_out_and_a_day_later_the_picture_is_the_same():
    kept = stage()
    kept.on_tick(hours(0, 30))
    kept.on_tick(hours(60, 24))
    onset = T0 + 85 * HOUR
    before = told(kept, onset)
    assert [e.value for e in before] == [61.0, 13.0]
    kept.on_tick(hours(84, 24))
    assert told(kept, onset) == before


def test_a_revision_replaces_and_an_old_hour_does_not():
    kept = stage()
    kept.on_tick(hours(0, 24 * 9))
    late = hours(3, 1)
    kept.on_tick(late)
    assert told(kept, T0 + 24 * 8 * HOUR + 3 * HOUR)[-1].value == 27.0, "hour 3 lies eight days back, hour 27 seven"


def test_state_and_older_messages():
    kept, again = stage(), stage()
    kept.on_tick(hours(0, 100))
    again.restore(unpack(pack(kept.snapshot())))
    onset = T0 + 99 * HOUR
    assert told(again, onset) == told(kept, onset) != []
    assert b"earlier" not in msgspec.json.encode(finding(onset)), "a finding without history looks as it always did"


def test_before_the_first_hour_is_over_there_are_no_earlier_days_however_frames_are_cut():
    assert told(stage(), T0) == []
