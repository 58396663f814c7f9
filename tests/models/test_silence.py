import numpy as np
import pytest

from domain.errors import Misconfigured
from models.silence import Silence

MINUTE = 60_000
INTERVAL = np.array([60.0, 600.0, np.nan])


def seen(silence: Silence, row: int, t: int, now: int) -> None:
    silence.seen(np.array([row], np.int32), np.array([t], np.int64), now, INTERVAL)


def test_a_live_series_is_overdue_after_five_intervals_and_told_of_once():
    silence = Silence()
    seen(silence, 0, 0, 0)
    assert silence.overdue(5 * MINUTE, INTERVAL).tolist() == []
    assert silence.overdue(5 * MINUTE + 1, INTERVAL).tolist() == [0]
    assert silence.overdue(9 * MINUTE, INTERVAL).tolist() == []
    assert silence.silent().tolist() == [0]


def test_it_comes_back_once():
    silence = Silence()
    seen(silence, 0, 0, 0)
    silence.overdue(10 * MINUTE, INTERVAL)
    seen(silence, 0, 11 * MINUTE, 11 * MINUTE)
    assert silence.back().tolist() == [0]
    assert silence.back().tolist() == []
    assert silence.silent().tolist() == []


def test_fast_series_get_two_minutes():
    silence = Silence()
    fast = np.array([1.0])
    silence.seen(np.zeros(1, np.int32), np.zeros(1, np.int64), 0, fast)
    assert silence.overdue(120_000, fast).tolist() == []
    assert silence.overdue(120_001, fast).tolist() == [0]


def test_a_recording_of_the_past_and_an_unknown_interval_are_not_judged():
    silence = Silence()
    seen(silence, 0, 0, 1_000 * MINUTE)
    seen(silence, 2, 1_000 * MINUTE, 1_000 * MINUTE)
    assert silence.overdue(2_000 * MINUTE, INTERVAL).tolist() == []


def test_a_late_reading_does_not_wake_it():
    silence = Silence()
    seen(silence, 0, 5 * MINUTE, 5 * MINUTE)
    silence.overdue(20 * MINUTE, INTERVAL)
    seen(silence, 0, 4 * MINUTE, 21 * MINUTE)
    assert silence.back().tolist() == []


def test_restored_state_goes_on():
    silence, again = Silence(), Silence()
    seen(silence, 0, 0, 0)
    seen(silence, 1, 0, 0)
    silence.overdue(10 * MINUTE, INTERVAL)
    again.restore(silence.snapshot())
    for each in (silence, again):
        seen(each, 0, 12 * MINUTE, 12 * MINUTE)
    assert again.back().tolist() == silence.back().tolist() == [0]
    assert again.overdue(60 * MINUTE, INTERVAL).tolist() == silence.overdue(60 * MINUTE, INTERVAL).tolist() == [0, 1]


def test_durations_must_be_positive():
    with pytest.raises(Misconfigured, match="intervals"):
        Silence(intervals=0)


def steps(silence: Silence, minutes: list[int], interval_s: float = 60.0) -> list[tuple[int, int, int, int]]:
    """Readings of one series at these minutes, one a frame; the gaps told, in minutes."""
    told = []
    for minute in minutes:
        t = np.array([minute * MINUTE], np.int64)
        silence.seen(np.zeros(1, np.int32), t, minute * MINUTE, np.array([interval_s]))
        told += [(row, last // MINUTE, until // MINUTE, due // MINUTE) for row, last, until, due in silence.gaps()]
    return told


def test_gaps_that_keep_coming_are_told_less_and_a_longer_one_still() -> None:
    gap, day = 8, 1_440
    each = [m for k in range(20) for m in range(k * day, (k + 1) * day, 1) if not 600 < m % day < 600 + gap]
    told = steps(Silence(), each)
    assert 2 <= len(told) <= 8  # of twenty
    silence = Silence()
    steps(silence, [*range(0, 600), *range(5 * day, 5 * day + 600)])  # days without a reading
    (found,) = steps(silence, [5 * day + 600 + 12])
    assert found[1:3] == (5 * day + 599, 5 * day + 612)


def test_a_series_that_does_not_keep_its_interval_is_due_after_its_longest_step_of_late() -> None:
    minutes = [*range(0, 100), 103, *range(104, 200), 230]
    (found,) = steps(Silence(), minutes)
    assert found == (0, 199, 230, 199 + 4)
    whole = Silence()
    t = np.array(minutes, np.int64) * MINUTE
    whole.seen(np.zeros(len(t), np.int32), t, 0, np.array([60.0]))
    assert [tuple(x // MINUTE for x in gap[1:]) for gap in whole.gaps()] == [found[1:]]
