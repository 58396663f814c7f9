"""Which verdicts make the worklist, and in which order."""

from domain.messages import Health, Verdict
from domain.times import DAY_MS
from domain.worklist import enough, worklist

DAY = 20_000 * DAY_MS


def health(asset: str, day: int, *verdicts: Verdict) -> Health:
    return Health(asset, "centre", DAY + day * DAY_MS, {}, verdicts=list(verdicts))


def bad(sensor: str, impact: float) -> Verdict:
    return Verdict(sensor, "Card off", "dropout", 0.7, impact)


GOOD = Verdict("fine", "good", "", 0.0, 0.0)
MESSAGES = [
    health("a", 3, bad("a1", 5.0), GOOD),
    health("b", 3, bad("b1", 50.0), bad("b2", 5.0)),
    health("late", 2, bad("late1", 9.0)),
    health("a", 2, bad("a0", 900.0)),
    health("gone", 1, bad("gone1", 800.0)),
    health("gone", 0, bad("gone1", 700.0)),
]


def test_the_newest_verdicts_of_each_asset_by_impact() -> None:
    assert [work.verdict.sensor for work in worklist(MESSAGES)] == ["b1", "late1", "a1", "b2"]
    assert {work.day for work in worklist(MESSAGES)} == {DAY + 3 * DAY_MS, DAY + 2 * DAY_MS}


def test_of_an_earlier_day() -> None:
    assert [work.verdict.sensor for work in worklist(MESSAGES, DAY + 2 * DAY_MS)] == ["a0", "gone1", "late1"]
    assert worklist(MESSAGES, DAY - 5 * DAY_MS) == []
    assert worklist([]) == []


def test_how_far_back_is_enough() -> None:
    assert enough(MESSAGES, None)
    assert not enough(MESSAGES[:3], None)
    assert not enough(MESSAGES, DAY + 1 * DAY_MS)
    assert not enough([], None)
