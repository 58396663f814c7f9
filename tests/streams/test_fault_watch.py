"""Flagged readings to named faults with a beginning and an end."""

import numpy as np

from domain.flags import Test
from domain.scores import Judged
from streams.fault_watch import FaultWatch

MINUTE = 60_000
INTERVAL = np.full(2, 300.0)


def readings(*rows: tuple[int, int, int]) -> Judged:
    """(row, minute, tests)."""
    row, t, tests = (np.array(column) for column in zip(*sorted(rows), strict=True))
    n = len(row)
    return Judged(row.astype(np.int32), t * MINUTE, np.zeros(n), np.ones(n, np.uint8), tests.astype(np.uint32))


def told(turns) -> list[tuple[int, str, bool]]:
    return [(turn.time // MINUTE, turn.cause.rule if turn.cause else "", turn.begins) for turn in turns]


def test_good_readings_and_climatology_are_no_fault() -> None:
    watch = FaultWatch()
    assert watch.seen(readings((0, 0, 0), (0, 5, int(Test.CLIMATOLOGY))), INTERVAL) == []
    assert watch.on_time(10_000 * MINUTE, INTERVAL) == []


def test_a_fault_begins_is_renamed_and_ends_after_its_rest() -> None:
    watch = FaultWatch()
    assert told(watch.seen(readings((0, 5, int(Test.SPIKE))), INTERVAL)) == [(5, "quality.spike", True)]
    later = [(0, 5 * k, int(Test.FLAT_LINE | Test.DROPOUT)) for k in range(2, 6)]
    assert told(watch.seen(readings(*later), INTERVAL)) == [(10, "quality.dropout", False)]
    assert watch.on_time(55 * MINUTE, INTERVAL) == []
    assert told(watch.on_time(56 * MINUTE, INTERVAL)) == [(55, "", False)]
    assert watch.cause(0) is None


def test_physics_needs_several_readings_close_together() -> None:
    watch = FaultWatch()
    far = readings(*((0, 60 * k, int(Test.PHYSICS)) for k in range(6)))
    near = readings(*((1, 5 * k, int(Test.PHYSICS)) for k in range(6)))
    assert watch.seen(far, INTERVAL) == []
    assert told(watch.seen(near, INTERVAL)) == [(15, "quality.physics", True)]


def test_frames_and_restores_change_nothing() -> None:
    rng = np.random.default_rng(1)
    bits = [0, 0, 0, int(Test.SPIKE), int(Test.NOISE), int(Test.LEVEL), int(Test.FLAT_LINE)]
    rows = [(0, 5 * k, int(rng.choice(bits)) if k % 60 < 20 else 0) for k in range(400)]
    whole = told(FaultWatch().seen(readings(*rows), INTERVAL))
    watch, parts = FaultWatch(), []
    for k in range(0, 400, 7):
        parts += told(watch.seen(readings(*rows[k : k + 7]), INTERVAL))
        again = FaultWatch()
        again.restore(watch.snapshot())
        watch = again
    assert parts == whole
    assert len(whole) > 5


def test_a_fault_that_proves_itself_later_is_one_of_its_own() -> None:
    watch = FaultWatch()
    drift = [(0, 5 * k, int(Test.DRIFT)) for k in range(20)]
    stuck = [(0, 100 + 5 * k, int(Test.FLAT_LINE)) for k in range(3)]
    assert told(watch.seen(readings(*drift, *stuck), INTERVAL)) == [
        (0, "quality.drift", True),
        (100, "", False),
        (100, "quality.stuck", True),
    ]
    soon = [(1, 5 * k, int(Test.DRIFT)) for k in range(5)] + [(1, 25, int(Test.FLAT_LINE)), (1, 30, int(Test.NOISE))]
    assert told(watch.seen(readings(*soon), INTERVAL)) == [(0, "quality.drift", True)]
