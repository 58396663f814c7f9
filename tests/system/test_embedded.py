"""``borough serve`` as a sender and a reader of it see it: what goes in by HTTP comes out once, and right."""

import gzip
import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.system.program import Running, accept, all_pages, borough, call, get, post, query, sensors_table, until
from tests.system.recomputed import Reading, counted, differences, millis, rfc, windows

LOOPS = [f"loop-{n}" for n in range(1, 5)]
SENSORS = [*((loop, "ring-north", 60) for loop in LOOPS), ("air-1", "park", 60), ("meter-1", "substation", 60)]
HORIZON_S = 1_800
KINDS = {"array": "application/json", "lines": "application/x-ndjson", "csv": "text/csv"}


class Town:
    """A running system and every reading it has accepted, in the order of sending."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.sensors = sensors_table(folder / "sensors.csv", SENSORS)
        self.sent: list[Reading] = []
        self.base = ""
        self.running: Running | None = None
        #: The beginning of a minute whose window is over: what is posted for it is stored at once.
        self.minute = (int(time.time()) // 60 - 10) * 60_000

    def start(self) -> None:
        self.running = Running(
            self.folder, "serve", "--port", "0", "--lateness-s", "1", "--checkpoint-s", "1", "--data-dir", self.data,
            env={"BOROUGH_SENSORS": str(self.sensors), "BOROUGH_HORIZON_S": str(HORIZON_S)},
        )  # fmt: skip
        self.base = self.running.ready()

    def stop(self) -> None:
        assert self.running is not None
        with self.running as running:
            assert running.interrupt() == 0
            assert running.err() == ""

    def post(self, readings: list[Reading], form: str = "array", zipped: bool = False) -> dict[str, Any]:
        body = {
            "array": lambda: json.dumps([r.json() for r in readings]),
            "lines": lambda: "\n".join(json.dumps(r.json()) for r in readings),
            "csv": lambda: "time,series,value\n" + "".join(r.csv() for r in readings),
        }[form]().encode()
        more = {"Content-Encoding": "gzip"} if zipped else {}
        answer = accept(self.base, gzip.compress(body) if zipped else body, KINDS[form], **more)
        self.sent += readings
        return answer

    def wrong(self, series: str, window_s: int = 60) -> list[str]:
        """How what the API says of a series differs from what was sent."""
        answer = call(f"{self.base}/v1/series/{series}")
        if answer.status == 404:
            return ["there is no such series"]
        path = f"/v1/series/{series}/aggregates?window={window_s}&start=2000-01-01T00:00:00Z"
        return differences(all_pages(self.base, path), windows(self.sent, window_s)[series])

    def settle(self, *series: str) -> None:
        """Wait until every minute of these series is stored right."""
        for name in series:
            try:
                until(partial(self._right, name), f"{name} is stored right")
            except AssertionError:
                assert self.wrong(name)[:5] == []
                raise

    def _right(self, series: str) -> bool:
        return not self.wrong(series)

    def row(self, series: str, ms: int) -> dict[str, Any]:
        path = f"/v1/series/{series}/aggregates?window=60&start={rfc(ms)}&end={rfc(ms + 60_000)}"
        answer = call(self.base + path)
        assert answer.status in (200, 404)
        rows = answer.json()["data"] if answer.status == 200 else []
        assert len(rows) <= 1
        return dict(rows[0]) if rows else {}

    def counts(self) -> dict[str, int]:
        return dict(get(self.base + "/v1/quarantine")["meta"]["counts"])


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    town = Town(tmp_path_factory.mktemp("embedded"))
    town.start()
    try:
        yield town
    finally:
        assert town.running is not None
        with town.running:
            pass


def test_every_form_of_post_is_counted_once_and_right(town: Town) -> None:
    at, flow = town.minute, "loop-1/traffic.flow"
    one = Reading(at + 1_000, flow, 900.0)
    assert accept(town.base, one.json()) == {"accepted": 1, "rejected": [], "held": 0}
    town.sent.append(one)
    for n, (form, zipped) in enumerate((form, zipped) for form in KINDS for zipped in (False, True)):
        readings = [
            Reading(at + n * 6_000 + k * 250 + 2_000, series, round(800 + 37.3 * n + k / 7, 3))
            for k in range(20)
            for series in (flow, "loop-1/traffic.speed", "air-1/air.no2", "meter-1/energy.active_power")
            if not (series.endswith("speed") and k % 2)
        ]
        readings = [r._replace(value=r.value / 10) if "speed" in r.series else r for r in readings]
        assert town.post(readings, form, zipped) == {"accepted": len(readings), "rejected": [], "held": 0}
    town.settle(flow, "loop-1/traffic.speed", "air-1/air.no2", "meter-1/energy.active_power")


def test_the_same_table_in_every_way_of_asking(town: Town) -> None:
    series = "loop-1/traffic.flow"
    path = f"{town.base}/v1/series/{series}/aggregates"
    period = f"window=60&start={rfc(town.minute)}&end={rfc(town.minute + 3_600_000)}"
    by_name, by_header = call(f"{path}.csv?{period}"), call(f"{path}?{period}", headers={"Accept": "text/csv"})
    assert by_name.headers["content-type"].startswith("text/csv")
    assert by_name.body == by_header.body
    ran = borough("query", "aggregates", "--series", series, "--window", 60, "--format", "csv", "--data-dir", town.data)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == by_name.body.decode()
    rows = get(f"{path}?{period}")["data"]
    columns = by_name.body.decode().splitlines()[0].split(",")
    assert [[str(row[name]) for name in columns] for row in rows] == [
        line.split(",") for line in by_name.body.decode().splitlines()[1:]
    ]
    columns = ["series", "quantity", "unit", "sensor", "area", "latest"]
    assert set(get(town.base + "/v1/series/" + series)["data"]) >= set(columns)
    assert call(f"{town.base}/v1/series/loop-1/traffic.occupancy/aggregates?{period}").status == 404
    assert call(f"{town.base}/v1/series/nobody/traffic.flow/aggregates?{period}").status == 404


def test_a_repeat_counts_once_before_and_after_its_window_closed(town: Town) -> None:
    series = "loop-2/traffic.flow"
    open_now = Reading(int(time.time() * 1_000) // 1_000 * 1_000, series, 512.25)
    for _ in range(3):
        town.post([open_now])
    closed = [Reading(town.minute + 60_000 + k * 1_000, series, 400.0 + k) for k in range(30)]
    town.post([*closed, *closed])
    until(lambda: town.row(series, town.minute + 60_000).get("count") == 30, "the closed minute is stored")
    before = town.row(series, town.minute + 60_000)
    town.post(closed)
    town.post(closed[::-1], "csv")
    town.post([Reading(town.minute + 120_000, series, 7.0)])  # behind the repeats: once it is in, they are
    until(lambda: town.row(series, town.minute + 120_000), "what was sent behind the repeats is stored")
    assert town.row(series, town.minute + 60_000) == before
    assert (before["revision"], before["count"]) == (1, 30)


def test_a_late_reading_within_the_horizon_makes_the_next_revision(town: Town) -> None:
    series, at = "loop-3/traffic.flow", town.minute
    town.post([Reading(at + k * 1_000, series, 100.0 + k) for k in range(10)])
    until(lambda: town.row(series, at), "the minute is stored")
    assert (town.row(series, at)["revision"], town.row(series, at)["count"]) == (1, 10)
    town.post([Reading(at + 60_000, series, 55.0), Reading(at + 120_000, series, 56.0)])
    until(lambda: town.row(series, at + 120_000), "time has gone on")
    town.post([Reading(at + 30_000, series, 1_000.0)])
    until(lambda: town.row(series, at)["revision"] == 2, "the revision is stored")
    town.settle(series)
    assert town.row(series, at)["last"] == 1_000.0
    assert town.row(series, at + 60_000)["revision"] == 1


def test_a_correction_replaces_and_is_flagged(town: Town) -> None:
    series, at = "loop-3/traffic.flow", town.minute
    assert town.row(series, at)["flag"] != 3
    was = town.row(series, at)["revision"]
    town.post([Reading(at + 30_000, series, 90.0)])
    until(lambda: town.row(series, at)["revision"] == was + 1, "the correction is stored")
    row = town.row(series, at)
    assert (row["count"], row["last"], row["max"], row["flag"]) == (11, 90.0, 109.0, 3)
    town.settle(series)
    town.post([Reading(at + 30_000, series, 1_000.0)])  # the old value once more: a repeat, not a correction
    town.post([Reading(at + 180_000, series, 57.0)])
    until(lambda: town.row(series, at + 180_000), "what was sent behind it is stored")
    assert town.row(series, at) == row


def test_beyond_the_horizon_it_is_kept_in_quarantine(town: Town) -> None:
    series, at = "loop-4/traffic.flow", town.minute
    newest = Reading(at + 300_000, series, 10.0)
    town.post([newest])
    town.settle(series)
    before = town.counts()
    late = Reading(newest.ms - HORIZON_S * 1_000 - 60_000, series, 11.5)
    assert accept(town.base, [late.json()])["accepted"] == 1
    until(lambda: town.counts() != before, "it is in quarantine")
    (reason,) = town.counts().keys() - {name for name, n in before.items() if town.counts()[name] == n}
    assert "late" in reason
    assert town.counts()[reason] == before.get(reason, 0) + 1
    kept = [item for item in get(town.base + "/v1/quarantine")["data"] if item["series"] == series]
    assert [(item["reading_time"], float(item["value"]), item["field"]) for item in kept] == [
        (rfc(late.ms), 11.5, "time")
    ]
    assert accept(town.base, [late.json()])["accepted"] == 1  # the same again is the same thing
    town.post([Reading(at + 360_000, series, 12.0)])
    town.settle(series)
    assert town.counts()[reason] == before.get(reason, 0) + 1
    ran = borough("query", "quarantine", "--format", "csv", "--data-dir", town.data)
    assert ran.returncode == 0
    assert sum(series in line for line in ran.stdout.splitlines()) == 1


def bad(town: Town) -> dict[str, tuple[bytes, dict[str, str], int | str]]:
    """What is sent, and the status it gets, or the field that is at fault in a 202."""
    good = Reading(town.minute, "loop-1/traffic.flow", 1.0).json()

    def one(**changes: object) -> bytes:
        return json.dumps({**good, **changes}).encode()

    def raw(value: str) -> bytes:
        return one(value="@").replace(b'"@"', value.encode())

    zipped = gzip.compress(one() * 1_000)
    return {
        "unknown quantity": (one(series="loop-1/traffic.happiness"), {}, "series"),
        "unknown sensor": (one(series="stranger/traffic.flow"), {}, "series"),
        "not a series": (one(series="loop-1"), {}, "series"),
        "NaN": (raw("NaN"), {}, "value"),
        "Inf": (raw("Infinity"), {}, "value"),
        "1e999": (raw("1e999"), {}, "value"),
        "text": (one(value="many"), {}, "value"),
        "null": (one(value=None), {}, "value"),
        "true": (one(value=True), {}, "value"),
        "no time": (json.dumps({k: v for k, v in good.items() if k != "time"}).encode(), {}, "time"),
        "no zone": (one(time="2026-03-02T06:00:00"), {}, "time"),
        "no such day": (one(time="2026-02-30T06:00:00Z"), {}, "time"),
        "far past": (one(time="1926-03-02T06:00:00Z"), {}, "time"),
        "far future": (one(time=rfc(int(time.time() * 1_000) + 86_400_000)), {}, "time"),
        "wrong unit": (one(value=900_000), {}, "value"),
        "long value": (one(value="9" * 10_000), {}, "value"),
        "many digits": (raw("9" * 10_000), {}, "value"),
        "10 MB": (one(value="9" * 10_000_000), {}, 413),
        "deep": (b"[" * 100_000 + b"]" * 100_000, {}, 400),
        "deep value": (raw("[" * 10_000 + "]" * 10_000), {}, 400),
        "broken UTF-8": (one().replace(b"loop-1", b"loop-\xff"), {}, 400),
        "cut gzip": (zipped[: len(zipped) // 2], {"Content-Encoding": "gzip"}, 400),
        "no gzip": (one(), {"Content-Encoding": "gzip"}, 400),
        "bomb": (gzip.compress(b" " * 100_000_000), {"Content-Encoding": "gzip"}, 413),
        "nonsense": (b"what is this?", {}, 400),
        "half a body": (one()[:20], {}, 400),
        "empty": (b"", {}, 400),
        "picture": (b"\x89PNG\r\n\x1a\n", {"Content-Type": "image/png"}, 415),
    }


def test_bad_input_gets_an_answer_and_the_next_good_reading_is_in(town: Town) -> None:
    series, answers = "air-1/air.pm10", {}
    for n, (name, (body, headers, _)) in enumerate(bad(town).items()):
        answers[name] = post(town.base, body, **({"Content-Type": "application/json"} | headers))
        town.post([Reading(town.minute + 240_000 + n * 1_000, series, float(n))])
    for name, (_, _, wanted) in bad(town).items():
        answer = answers[name]
        if isinstance(wanted, int):
            assert answer.status == wanted, (name, answer.status, answer.body[:300])
            assert answer.headers["content-type"] == "application/problem+json", name
            assert answer.json()["status"] == wanted
            assert answer.json()["detail"], name
        else:
            told = answer.json()
            assert (answer.status, told["accepted"]) == (202, 0), (name, answer)
            (rejection,) = told["rejected"]
            assert (rejection["position"], rejection["field"]) == (0, wanted), (name, rejection)
            assert rejection["reason"], name
            assert len(answer.body) < 2_000, name
    town.settle(series)


def test_good_and_bad_in_one_body_are_told_apart(town: Town) -> None:
    at, series = town.minute + 420_000, "air-1/air.o3"
    good = [Reading(at + k * 1_000, series, 40.0 + k) for k in range(3)]
    items: list[Any] = [good[0].json(), 7, {**good[1].json(), "value": "x"}, good[1].json(), {}, good[2].json()]
    told = accept(town.base, items)
    assert (told["accepted"], [r["position"] for r in told["rejected"]]) == (3, [1, 2, 4])
    body = "time,series,value\n" + good[0].csv() + "nonsense\n" + good[1].csv() + f"{rfc(at)},{series},\n"
    told = accept(town.base, body.encode(), "text/csv")
    assert (told["accepted"], [r["position"] for r in told["rejected"]]) == (2, [1, 3])
    body = "\n".join((json.dumps(good[0].json()), "{", json.dumps(good[2].json())))
    told = accept(town.base, body.encode(), "application/x-ndjson")
    assert (told["accepted"], [r["position"] for r in told["rejected"]]) == (2, [1])
    town.sent += good
    town.settle(series)


def test_unknown_sensors_are_held_listed_and_released_when_registered(town: Town) -> None:
    series, at = "newcomer/traffic.flow", town.minute
    readings = [Reading(at + k * 1_000, series, 300.0 + k) for k in range(20)]
    told = accept(town.base, [r.json() for r in readings])
    assert (told["accepted"], told["held"], len(told["rejected"])) == (0, 20, 20)
    assert accept(town.base, [r.json() for r in readings])["held"] == 20  # twice is once
    listed = {item["sensor"]: item for item in get(town.base + "/v1/quarantine/sensors")["data"]}
    assert (listed["newcomer"]["count"], listed["newcomer"]["first"]) == (20, rfc(at))
    assert call(f"{town.base}/v1/series/{series}").status == 404

    stored = {name: query(name, 60, "--data-dir", town.data) for name in windows(town.sent, 60)}
    town.stop()
    sensors_table(town.sensors, [*SENSORS, ("newcomer", "ring-north", 60)])
    town.start()
    town.sent += readings
    town.settle(series)
    assert "newcomer" not in {item["sensor"] for item in get(town.base + "/v1/quarantine/sensors")["data"]}
    for name, rows in stored.items():
        now = {row["window_start"]: row for row in query(name, 60, "--data-dir", town.data)}
        assert [now[row["window_start"]] for row in rows] == rows


def test_after_the_end_the_folder_says_the_same(town: Town) -> None:
    newest = max(r.ms for r in town.sent)
    until(lambda: time.time() * 1_000 > newest - newest % 60_000 + 62_000, "the last minute is over")
    everything = sorted(windows(town.sent, 60))
    town.settle(*everything)
    running = {name: query(name, 60, "--data-dir", town.data) for name in everything}
    assert all(running.values())
    town.stop()
    for name in everything:
        rows = query(name, 60, "--data-dir", town.data)
        assert rows == running[name]
        assert not differences(rows, windows(town.sent, 60)[name])
        assert sum(int(row["count"]) for row in rows) == sum(key[0] == name for key in counted(town.sent))
        assert all(millis(row["window_start"]) % 60_000 == 0 for row in rows)
    ran = borough("query", "series", "--format", "csv", "--data-dir", town.data)
    assert {line.split(",")[0] for line in ran.stdout.splitlines()[1:]} == set(everything)
