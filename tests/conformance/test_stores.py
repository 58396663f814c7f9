"""What every store does; run on the embedded one and on a real InfluxDB."""

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from connectors.duckdb_store import DuckDbStore
from connectors.influx_store import InfluxStore
from domain.messages import Finding, Forecast, Health, Quarantined, Why
from domain.ports import Store
from domain.windows import Aggregates

MINUTE = 60_000
START = 1_772_431_200_000  # 2026-03-02T06:00:00Z
FAR = START + 10**10
FLOAT_COLUMNS = ("mean", "min", "max", "last", "coverage")


@pytest.fixture(params=["duckdb", "influx"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store
    if request.param == "duckdb":
        made = DuckDbStore(tmp_path / "history.duckdb")
    else:
        url = str(request.getfixturevalue("influx_url")).replace("http://", "influx://")
        influx = InfluxStore.from_url(f"{url}/t{uuid.uuid4().hex}/autogen?org=borough", "borough:borough", 60)
        influx.provision()
        made = influx
    yield made
    made.close()


def batch(
    names: list[str], minutes: range, *, area: str = "ring", window_s: int = 60, revision: int = 1, add: float = 0.0
) -> Aggregates:
    """Each series has one aggregate a minute; values differ everywhere and are no round numbers."""
    m, n = len(names), len(minutes)
    i = np.tile(np.arange(m, dtype=np.int32), n)
    start = np.repeat(START + np.array(minutes, dtype=np.int64) * MINUTE, m)
    mean = np.sqrt(np.arange(m * n) + 2.0) + add
    return Aggregates(
        area, window_s, names, i, start, np.full(m * n, 6, np.int64), mean, mean - 1 / 3, mean + 1e6, mean + 0.1,
        np.full(m * n, 1.0), np.full(m * n, 3, np.uint8), np.full(m * n, revision, np.int64),
    )  # fmt: skip


def read(store: Store, series: str = "a/traffic.flow", window_s: int = 60, limit: int = 1_000_000) -> Aggregates:
    return store.aggregates(series, window_s, START - FAR // 10, FAR, limit)


def assert_same(got: Aggregates, wanted: Aggregates) -> None:
    assert got.series == wanted.series
    assert (got.area, got.window_s) == (wanted.area, wanted.window_s)
    for name in ("i", "start", "count", "flag", "revision", *FLOAT_COLUMNS):
        left, right = getattr(got, name), getattr(wanted, name)
        np.testing.assert_array_equal(left, right, err_msg=name)
        assert left.dtype == right.dtype, name


def finding(name: str, phase: str = "open", time: int = START) -> Finding:
    why = Why('He said "low\\no"', None, 1.5, None, None, None, time)
    return Finding(
        name, "robust", "anomaly", phase, "ring", "Øst, no = 1", ["a/traffic.flow"], time, time, 0.75, "high", why
    )


def quarantined(name: str, time: int = START, reason: str = "unknown quantity", value: str = "12") -> Quarantined:
    return Quarantined(name, time, "readings.air", "gw-1", "x/air.xx", value, "series", reason, 'ü "\\ \n', None)


def health(asset: str, time: int) -> Health:
    return Health(asset, "ring", time, {"gap_rate": 0.25}, None, None, 3.5, 0.125, "læring")


def forecast(series: str, issued: int) -> Forecast:
    return Forecast(series, "ring", issued, [issued + MINUTE], [1 / 3], [0.0], [1.0])


def test_aggregates_come_back_as_they_were(store: Store) -> None:
    one = batch(["a/traffic.flow"], range(50))
    assert store.write([one]) == []
    assert_same(read(store), one)


def test_writing_again_changes_nothing(store: Store) -> None:
    one = batch(["a/traffic.flow"], range(20))
    store.write([one, one])
    store.write([one])
    assert_same(read(store), one)
    assert len(store.series()) == 1


def test_a_newer_revision_replaces(store: Store) -> None:
    store.write([batch(["a/traffic.flow"], range(5))])
    newer = batch(["a/traffic.flow"], range(5), revision=2, add=7)
    store.write([newer])
    assert_same(read(store), newer)


def test_revisions_in_one_write_leave_the_newest(store: Store) -> None:
    newer = batch(["a/traffic.flow"], range(5), revision=2, add=7)
    store.write([batch(["a/traffic.flow"], range(5)), newer])
    assert_same(read(store), newer)


def test_start_is_inclusive_end_exclusive(store: Store) -> None:
    store.write([batch(["a/traffic.flow"], range(10))])
    got = store.aggregates("a/traffic.flow", 60, START + 2 * MINUTE, START + 5 * MINUTE, 100)
    assert ((got.start - START) // MINUTE).tolist() == [2, 3, 4]
    assert len(store.aggregates("a/traffic.flow", 60, START, START, 100)) == 0
    assert len(store.aggregates("a/traffic.flow", 60, START + MINUTE, START, 100)) == 0


def test_oldest_first_whatever_the_order_of_writing(store: Store) -> None:
    for minute in (7, 3, 9, 0):
        store.write([batch(["a/traffic.flow"], range(minute, minute + 1))])
    assert ((read(store).start - START) // MINUTE).tolist() == [0, 3, 7, 9]
    assert ((read(store, limit=2).start - START) // MINUTE).tolist() == [0, 3]
    assert len(read(store, limit=0)) == 0


def test_times_before_1970_and_far_ahead(store: Store) -> None:
    early = batch(["a/traffic.flow"], range(-40_000_000, -39_999_998))
    late = batch(["a/traffic.flow"], range(60_000_000, 60_000_001))
    store.write([early, late])
    got = store.aggregates("a/traffic.flow", 60, -(10**13), 10**13, 10)
    np.testing.assert_array_equal(got.start, np.concatenate([early.start, late.start]))
    assert len(store.aggregates("a/traffic.flow", 60, -(2**60), 2**60, 10)) == 3


def test_window_lengths_are_kept_apart(store: Store) -> None:
    minute, hour = batch(["a/traffic.flow"], range(4)), batch(["a/traffic.flow"], range(4), window_s=3600, add=1)
    store.write([hour, minute])
    assert_same(read(store), minute)
    assert_same(read(store, window_s=3600), hour)
    assert len(read(store, window_s=900)) == 0


def test_unknown_series_is_empty(store: Store) -> None:
    assert len(read(store, "never/air.no2")) == 0
    assert store.series() == []
    store.write([batch(["a/traffic.flow"], range(1))])
    got = read(store, "never/air.no2")
    assert (len(got), got.series, got.window_s) == (0, ["never/air.no2"], 60)
    assert store.forecasts("never/air.no2", 5) == []
    assert store.health("never", 5) == []
    assert store.quarantined(0, FAR, 5) == []
    assert store.quarantine_counts() == {}


def test_missing_numbers_stay_missing(store: Store) -> None:
    one = batch(["a/traffic.flow"], range(6))
    one.coverage[[0, 2, 5]] = np.nan
    one.last[3] = np.nan
    store.write([one])
    assert_same(read(store), one)
    first = read(store, limit=3)
    np.testing.assert_array_equal(first.coverage, one.coverage[:3])


def test_numbers_are_exact(store: Store) -> None:
    one = batch(["a/traffic.flow"], range(6))
    one.mean[:] = [0.1 + 0.2, 1e300, 5e-324, -0.0, 123456789012345.67, 1.0]
    one.count[0] = 2**53 + 1
    store.write([one])
    got = read(store)
    assert got.mean.tolist() == one.mean.tolist()
    assert got.count[0] == 2**53 + 1


ODD = [
    "plain/air.no2",
    "+1:2@x.y-z_/generic.a-b",
    "Straße-Ø/air.no2",
    "交通/air.o3",
    "with blank, comma = and/air.no2",
    'q"uote\\back\\/air.no2',
    "100%25/air.no2",
    "it's ${r}/air.no2",
]


@pytest.mark.parametrize("area", [*ODD, "two\nlines\tand tab", "ends in \\", " "])
def test_odd_names_are_kept(store: Store, area: str) -> None:
    one = batch(ODD, range(2), area=area)
    assert store.write([one]) == []
    assert [info.series for info in store.series()] == sorted(ODD)
    assert {info.area for info in store.series()} == {area}
    for k, name in enumerate(ODD):
        got = read(store, name)
        assert got.mean.tolist() == one.mean[one.i == k].tolist(), name
        assert got.area == area


def test_an_empty_batch_is_no_work(store: Store) -> None:
    assert store.write([]) == []
    assert store.write([batch([], range(0)), batch(["a/traffic.flow"], range(0))]) == []
    assert store.series() == []


def test_series_tell_first_last_and_latest_of_the_minute_windows(store: Store) -> None:
    one = batch(["b/traffic.flow", "a/traffic.flow"], range(3, 8))
    store.write([one, batch(["a/traffic.flow"], range(20, 21), window_s=3600)])
    store.write([batch(["c/air.no2"], range(2), window_s=3600, area="north")])
    a, b, c = store.series()
    assert (a.series, a.area, a.first, a.last) == ("a/traffic.flow", "ring", START + 3 * MINUTE, START + 7 * MINUTE)
    assert (a.latest, b.latest) == (one.last[-1], one.last[-2])
    assert (c.series, c.area, c.first, c.last) == ("c/air.no2", "north", START, START + MINUTE)
    older = batch(["a/traffic.flow"], range(1, 2), add=100)
    revised = batch(["b/traffic.flow"], range(7, 8), revision=2, add=200)
    store.write([older, revised])
    a, b, _ = store.series()
    assert (a.first, a.last, a.latest) == (START + MINUTE, START + 7 * MINUTE, one.last[-1])
    assert (b.last, b.latest) == (START + 7 * MINUTE, revised.last[0])


def test_a_series_that_moves_to_another_area_is_one_series(store: Store) -> None:
    store.write([batch(["a/traffic.flow"], range(4), area="old")])
    store.write([batch(["a/traffic.flow"], range(2, 6), area="new", revision=2, add=5)])
    got = read(store)
    assert ((got.start - START) // MINUTE).tolist() == [0, 1, 2, 3, 4, 5]
    assert got.revision.tolist() == [1, 1, 2, 2, 2, 2]
    assert [(info.area, info.last) for info in store.series()] == [("new", START + 5 * MINUTE)]


def test_a_hundred_thousand_rows(store: Store) -> None:
    names = [f"s{k:03}/traffic.flow" for k in range(200)]
    one = batch(names, range(500))
    assert store.write([one]) == []
    for k in (0, 77, 199):
        got = read(store, names[k])
        assert got.mean.tolist() == one.mean[one.i == k].tolist()
        assert got.start.tolist() == one.start[one.i == k].tolist()
    assert len(store.series()) == 200


def test_messages_come_back_newest_first(store: Store) -> None:
    for k in (2, 0, 1):
        at = START + k * MINUTE
        store.write([health("pump-1", at), health("pump, 2", at + 1), forecast("a/traffic.flow", at)])
    assert [message.time for message in store.health("pump-1", 2)] == [START + 2 * MINUTE, START + MINUTE]
    assert store.health("pump, 2", 1) == [health("pump, 2", START + 2 * MINUTE + 1)]
    assert [message.asset for message in store.health(None, 3)] == ["pump, 2", "pump-1", "pump, 2"]
    assert store.forecasts("a/traffic.flow", 2) == [forecast("a/traffic.flow", START + k * MINUTE) for k in (2, 1)]
    assert store.forecasts("a/traffic.flow", 0) == []


def test_messages_written_again_count_once(store: Store) -> None:
    everything = [
        finding("f"),
        finding("f", "close"),
        health("p", START),
        forecast("a/air.no2", START),
        quarantined("q"),
    ]
    assert store.write(everything) == []
    assert store.write(everything + everything) == []
    assert store.health(None, 10) == [health("p", START)]
    assert store.forecasts("a/air.no2", 10) == [forecast("a/air.no2", START)]
    assert store.quarantined(START, START + 1, 10) == [quarantined("q")]
    assert store.quarantine_counts() == {"unknown quantity": 1}


def test_findings_are_kept_by_id_phase_and_time(store: Store) -> None:
    assert isinstance(store, (DuckDbStore, InfluxStore))
    told = [finding("f"), finding("f", "update", START + 1), finding("f", "update", START + 2), finding("g")]
    store.write([*told, told[1]])
    got = store.findings(START, START + 3, 10)
    assert sorted(got, key=lambda message: (message.time, message.id)) == [told[0], told[3], told[1], told[2]]
    assert [message.time for message in store.findings(START, START + 2, 1)] == [START + 1]


def test_quarantine_by_time_and_by_reason(store: Store) -> None:
    many = [quarantined(f"q{k}", START + k // 100, "not a number" if k % 3 else "unknown quantity") for k in range(300)]
    store.write(many)
    got = store.quarantined(START + 1, START + 3, 1000)
    assert {message.id for message in got} == {f"q{k}" for k in range(100, 300)}
    assert [message.time for message in got] == sorted((message.time for message in got), reverse=True)
    assert len(store.quarantined(START, START + 3, 7)) == 7
    assert store.quarantine_counts() == {"not a number": 200, "unknown quantity": 100}


def test_the_same_thing_quarantined_later_counts_once(store: Store) -> None:
    store.write([quarantined("q", START)])
    store.write([quarantined("q", START + 5)])
    assert [message.time for message in store.quarantined(START, START + 10, 10)] == [START + 5]
    assert store.quarantine_counts() == {"unknown quantity": 1}


def test_text_that_cannot_be_written_is_refused_alone(store: Store) -> None:
    (rejection,) = store.write([health("good", START), health("bad \ud800", START), batch(["a/air.no2"], range(1))])
    assert rejection.position == 1
    assert store.health(None, 10) == [health("good", START)]
    assert len(read(store, "a/air.no2")) == 1


def test_calls_from_many_threads_lose_nothing(store: Store) -> None:
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for minute in range(0, 50, 5):
                store.write([batch([f"{name}/traffic.flow", "shared/traffic.flow"], range(minute, minute + 5))])
                assert len(read(store, f"{name}/traffic.flow")) == minute + 5
                store.series()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"t{k}",)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [info.series for info in store.series()] == [
        "shared/traffic.flow",
        *(f"t{k}/traffic.flow" for k in range(4)),
    ]
    assert len(read(store, "shared/traffic.flow")) == 50


def test_series_that_appear_while_they_are_listed(store: Store) -> None:
    stop = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        while not stop.is_set() and written < 400:
            store.write([batch([f"s{written}/air.no2"], range(1))])
            written += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(15):
            before = written
            assert len(store.series()) >= before
    finally:
        stop.set()
        writer.join()
    assert len(store.series()) == written > 0
