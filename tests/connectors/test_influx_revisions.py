"""What is remembered of the revisions written, and when the database is asked."""

import numpy as np

from connectors.influx_revisions import Revisions
from domain.windows import Aggregates

MINUTE = 60_000


class Database:
    """Remembers what was asked of it."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, int], int] = {}
        self.asked: list[tuple[list[str], int, int]] = []
        self.now = 0.0

    def ask(self, names: list[str], window_s: int, first: int, last: int) -> list[tuple[str, int, int]]:
        self.asked.append((names, first, last))
        held = self.held.items()
        return [(name, start, r) for (name, start), r in held if name in names and first <= start <= last]

    def clock(self) -> float:
        return self.now


def batch(names: list[str], starts: list[int], revisions: list[int]) -> Aggregates:
    n = len(starts)
    x = np.ones(n)
    return Aggregates(
        "ring", 60, names, np.arange(n, dtype=np.int32) % len(names), np.array(starts, np.int64), np.ones(n, np.int64),
        x, x, x, x, x, np.ones(n, np.uint8), np.array(revisions, np.int64),
    )  # fmt: skip


def put(revisions: Revisions, one: Aggregates) -> list[int]:
    wanted = revisions.wanted([one])
    revisions.written(wanted)
    return wanted[0].start.tolist()


def test_a_series_is_asked_for_once_and_what_follows_is_new() -> None:
    base = Database()
    revisions = Revisions(base.ask, base.clock)
    assert put(revisions, batch(["a"], [0], [1])) == [0]
    for k in range(1, 50):
        assert put(revisions, batch(["a"], [k * MINUTE], [1])) == [k * MINUTE]
    assert put(revisions, batch(["a"], [7 * MINUTE], [2])) == [7 * MINUTE]
    assert put(revisions, batch(["a"], [7 * MINUTE], [1])) == []
    assert base.asked == [(["a"], 0, 0)]


def test_what_others_wrote_before_is_asked_for() -> None:
    base = Database()
    base.held = {("a", 0): 4, ("b", 0): 1}
    revisions = Revisions(base.ask, base.clock)
    assert put(revisions, batch(["a", "b"], [0, 0], [3, 3])) == [0]
    assert put(revisions, batch(["a"], [0], [4])) == [0]  # the same again
    assert put(revisions, batch(["a"], [0], [5])) == [0]
    assert put(revisions, batch(["a"], [-MINUTE], [1])) == [-MINUTE]  # older than all that is known
    assert base.asked == [(["a", "b"], 0, 0), (["a"], -MINUTE, -MINUTE)]


def test_after_a_pause_nothing_is_taken_for_granted() -> None:
    base = Database()
    revisions = Revisions(base.ask, base.clock)
    put(revisions, batch(["a"], [0], [1]))
    base.now, base.held = 60.0, {("a", 0): 9}
    assert put(revisions, batch(["a"], [0], [2])) == []
    assert len(base.asked) == 2


def test_many_series_and_days_are_asked_for_in_parts() -> None:
    base = Database()
    names = [f"s{k:03d}" for k in range(120)]
    base.held = {(name, 86_400_000): 5 for name in names}
    revisions = Revisions(base.ask, base.clock)
    starts = [0] * 60 + [86_400_000] * 60
    assert put(revisions, batch(names, starts, [4] * 120)) == [0] * 60
    assert [(len(asked), first) for asked, first, _ in base.asked] == [
        (50, 0),
        (10, 0),
        (50, 86_400_000),
        (10, 86_400_000),
    ]
