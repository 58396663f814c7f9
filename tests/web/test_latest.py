import math

from domain.readings import Readings
from tests.web.fakes import NOON
from web.latest import Latest, LatestBook


def test_the_newest_by_event_time_stays() -> None:
    book = LatestBook()
    book.update(Readings.of([("a/air.no2", NOON, 1.0), ("b/air.no2", NOON, 5.0), ("a/air.no2", NOON - 9, 2.0)]))
    assert book.get("a/air.no2") == Latest(NOON, 1.0)
    book.update(Readings.of([("a/air.no2", NOON - 1, 9.0)]))
    assert book.get("a/air.no2") == Latest(NOON, 1.0)
    book.update(Readings.of([("a/air.no2", NOON, 3.0)]))  # a correction of the same time
    assert book.get("a/air.no2") == Latest(NOON, 3.0)
    assert set(book.snapshot()) == {"a/air.no2", "b/air.no2"}
    assert book.get("c/air.no2") is None
    assert book.now == NOON


def test_changes_are_taken_once() -> None:
    book = LatestBook()
    book.update(Readings.of([("a/air.no2", NOON, math.nan)]))
    assert math.isnan(book.take_changed()["a/air.no2"].value)
    assert book.take_changed() == {}


def test_silence_is_measured_since_the_last_arrival() -> None:
    clock = [100.0]
    book = LatestBook(lambda: clock[0])
    assert book.silent_s() is None
    book.update(Readings.of([("a/air.no2", NOON, 1.0)]))
    clock[0] += 12
    book.tick(NOON + 5)
    assert (book.silent_s(), book.tick_silent_s(), book.now) == (12, 0, NOON + 5)
    book.update(Readings.of([]))
    assert book.silent_s() == 12
