"""Adopted thresholds: which counts when, whatever the order they come in, and what the desk then raises."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from connectors.alert_store import SqliteAlertStore
from domain import topics
from domain.codec import encode
from domain.errors import Rejected
from domain.messages import Action, Adoption, Finding, Why
from domain.ports import Record
from streams.desk import check_adoption
from streams.takers import DeskTaker
from streams.threshold_book import ThresholdBook, adoption_of


def adoption(name: str, time: int, threshold: float, rule: str = "r", area: str = "a") -> Adoption:
    return Adoption(name, rule, area, threshold, 0.0, time, by="ana", reason="too many")


def finding(name: str, time: int, score: float, phase: str = "open", rule: str = "r") -> Finding:
    why = Why("x", 1.0, None, None, None, None, time)
    return Finding(name, rule, "anomaly", phase, "a", "p", ["s/air.no2"], time, time, score, "low", why)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_the_last_one_before_the_finding_counts(order: Sequence[int]):
    made = [adoption("1", 100, 0.6), adoption("2", 200, 0.8), adoption("3", 300, 0.5)]
    book = ThresholdBook()
    for k in order:
        book.take(made[k])
    assert [book.at("r", "a", t) for t in (99, 100, 199, 200, 299, 300, 10**9)] == [0, 0.6, 0.6, 0.8, 0.8, 0.5, 0.5]
    assert book.at("r", "elsewhere", 250) == 0
    assert [one.id for one in book.in_force()] == ["3"]
    assert [one.id for one in book.all()] == ["3", "2", "1"]


def test_each_is_kept_once_before_it_counts():
    kept: list[str] = []
    book = ThresholdBook([adoption("1", 1, 0.6)], lambda one: kept.append(one.id))
    for one in (adoption("1", 1, 0.6), adoption("2", 2, 0.7), adoption("2", 2, 0.7)):
        book.take(one)
    assert kept == ["2"]

    def fail(one: Adoption) -> None:
        raise OSError("disk")

    failing = ThresholdBook((), fail)
    with pytest.raises(OSError, match="disk"):
        failing.take(adoption("3", 1, 0.9))
    assert failing.at("r", "a", 5) == 0


def test_messages_of_the_topic_are_told_apart():
    assert adoption_of(encode(adoption("1", 1, 0.6))) == adoption("1", 1, 0.6)
    assert adoption_of(encode(Action("x", "alert", "verdict", 1, verdict="false"))) is None
    assert adoption_of(b"{}") is None


@pytest.mark.parametrize(
    ("change", "field"),
    [({"threshold": 1.5}, "threshold"), ({"by": ""}, "by"), ({"reason": ""}, "reason"), ({"area": ""}, "area")],
)
def test_what_cannot_be_adopted(change: dict[str, object], field: str):
    with pytest.raises(Rejected) as refused:
        check_adoption(msgspec.structs.replace(adoption("1", 1, 0.6), **change))
    assert refused.value.field == field


class Nowhere:
    async def send(self, records: Sequence[Record]) -> None: ...

    async def settle(self) -> None: ...

    def taken(self, consumer: str, topic: str, partition: int, next_offset: int) -> None: ...

    async def pressed(self, consumer: str) -> None: ...


def desk(tmp_path: Path, book: ThresholdBook) -> tuple[DeskTaker, SqliteAlertStore]:
    alerts = SqliteAlertStore(tmp_path / "alerts.sqlite")
    return DeskTaker(alerts, Nowhere(), Nowhere(), book), alerts


def messages(*ones: Finding | Adoption | Action) -> list[tuple[str, bytes]]:
    return [(topics.FINDINGS if isinstance(one, Finding) else topics.ALERT_ACTIONS, encode(one)) for one in ones]


async def raised(tmp_path: Path, *ones: Finding | Adoption | Action) -> list[str]:
    taker, alerts = desk(tmp_path, ThresholdBook())
    await taker._work_off(messages(*ones))
    return sorted(alert.id for alert in alerts.find(None, None, None, 100))


ALL = (
    finding("before", 99, 0.55),
    finding("low", 150, 0.55),
    finding("high", 160, 0.75),
    finding("other", 170, 0.55, rule="q"),
    finding("grows", 180, 0.55),
    finding("grows", 190, 0.9, "update"),
    finding("ends", 200, 0.55),
    finding("ends", 210, 0.55, "close"),
)


async def test_findings_below_the_threshold_raise_no_alert_until_they_grow(tmp_path: Path):
    expected = ["before", "grows", "high", "other"]
    assert await raised(tmp_path / "1", adoption("1", 100, 0.7), *ALL) == expected
    assert await raised(tmp_path / "2", ALL[0], adoption("1", 100, 0.7), *ALL[1:]) == expected


async def test_an_alert_that_was_raised_is_followed_to_its_end_whatever_is_adopted(tmp_path: Path):
    taker, alerts = desk(tmp_path, ThresholdBook())
    close = finding("f", 300, 0.55, "close")
    await taker._work_off(messages(finding("f", 50, 0.55), adoption("1", 100, 0.9), close))
    found = alerts.get("f")
    assert found is not None
    assert found.cleared == 300
