"""Bytes to messages: what is taken, what is refused and with which field, and that nothing is lost on the way."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.codec import (
    MESSAGE_BYTES_MAX,
    Loose,
    decode,
    decode_aggregates,
    decode_as,
    encode,
    encode_aggregates,
    encode_frame,
    encode_loose,
    encode_tick,
)
from domain.errors import Rejected
from domain.messages import Finding, Quarantined
from domain.readings import Frame, Readings, Tick
from domain.times import TIME_MS_MAX
from domain.windows import Aggregates

FRAME = {"v": 1, "gateway": "g", "seq": 1, "area": "a", "series": ["s/air.no2", "t/air.no2"], "i": [1], "t": [5], "x": [1.5]}  # fmt: skip # noqa: E501
TICK = {"v": 1, "gateway": "g", "seq": 1, "tick": 5}
READING = {"time": "2026-03-02T06:00:00Z", "series": "s/air.no2", "value": 1.5}

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
values = st.floats(allow_nan=True, allow_infinity=False)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    series = draw(st.lists(texts, unique=True, max_size=5))
    n = draw(st.integers(0, 30)) if series else 0
    column = lambda of: draw(st.lists(of, min_size=n, max_size=n))  # noqa: E731
    return Frame(
        draw(texts),
        draw(st.integers(0, (1 << 53) - 1)),
        draw(texts),
        Readings(
            series,
            np.array(column(st.integers(0, max(0, len(series) - 1))), np.int32),
            np.array(column(st.integers(-(1 << 63), (1 << 63) - 1)), np.int64),
            np.array(column(values), np.float64),
        ),
    )


def same(a: Readings, b: Readings) -> None:
    assert a.series == b.series
    for name in "itx":
        left, right = getattr(a, name), getattr(b, name)
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)


@given(frames())
def test_a_frame_comes_back_as_it_was(frame: Frame) -> None:
    back = decode(encode_frame(frame))
    assert isinstance(back, Frame)
    assert (back.gateway, back.seq, back.area) == (frame.gateway, frame.seq, frame.area)
    same(back.readings, frame.readings)


@given(texts, st.integers(0, (1 << 53) - 1), st.integers(1 - TIME_MS_MAX, TIME_MS_MAX - 1))
def test_a_tick_comes_back_as_it_was(gateway: str, seq: int, time: int) -> None:
    assert decode(encode_tick(Tick(gateway, seq, time))) == Tick(gateway, seq, time)


@given(st.lists(st.tuples(st.sampled_from(["a/air.no2", "b/generic.x"]), st.integers(-(10**12), 10**12), values)))
def test_loose_readings_come_back_but_for_those_without_a_value(rows: list[tuple[str, int, float]]) -> None:
    readings = Readings.of(rows)
    back = decode(encode_loose(readings, 0, len(readings)))
    assert isinstance(back, Loose)
    assert back.rejections == []
    same(back.readings, Readings.of(row for row in rows if row[2] == row[2]))


def test_one_reading_on_its_own() -> None:
    back = decode(json.dumps(READING).encode())
    assert isinstance(back, Loose)
    same(back.readings, Readings.of([("s/air.no2", 1_772_431_200_000, 1.5)]))


def test_null_stands_for_reported_as_missing() -> None:
    back = decode(json.dumps({**FRAME, "x": [None]}).encode())
    assert isinstance(back, Frame)
    assert np.isnan(back.readings.x).all()


def test_a_frame_may_be_empty_and_carry_more_than_we_know() -> None:
    back = decode(json.dumps({**FRAME, "series": [], "i": [], "t": [], "x": [], "later": {"x": 1}}).encode())
    assert isinstance(back, Frame)
    assert len(back.readings) == 0


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({**FRAME, "v": 2}, "v"),
        ({**TICK, "v": 0}, "v"),
        ({**FRAME, "gateway": ""}, "gateway"),
        ({**FRAME, "gateway": "g" * 129}, "gateway"),
        ({**FRAME, "gateway": "g" * 900_000}, "gateway"),
        ({**FRAME, "seq": -1}, "seq"),
        ({**TICK, "seq": 1 << 53}, "seq"),
        ({**FRAME, "area": ""}, "area"),
        ({**FRAME, "area": "a" * 129}, "area"),
        ({**FRAME, "t": []}, "i,t,x"),
        ({**FRAME, "x": [1.0, 2.0]}, "i,t,x"),
        ({**FRAME, "series": ["s/air.no2", "s/air.no2"]}, "series"),
        ({**FRAME, "i": [2]}, "i"),
        ({**FRAME, "i": [-1]}, "i"),
        ({**FRAME, "i": [1 << 40]}, "i"),
        ({**FRAME, "i": [1 << 64]}, "i,t"),
        ({**FRAME, "t": [1 << 63]}, "i,t"),
        ({**FRAME, "t": [1.5]}, "message"),
        ({**FRAME, "t": ["2026-03-02T06:00:00Z"]}, "message"),
        ({**FRAME, "x": ["many"]}, "message"),
        ({**FRAME, "x": [True]}, "message"),
        ({k: v for k, v in FRAME.items() if k != "t"}, "message"),
        ({k: v for k, v in FRAME.items() if k != "v"}, "message"),
        ({**TICK, "tick": TIME_MS_MAX}, "tick"),
        ({**TICK, "tick": -TIME_MS_MAX}, "tick"),
        ({**TICK, "tick": None}, "message"),
        ({**TICK, "tick": 1.5}, "message"),
        (None, "message"),
        (5, "message"),
        ("reading", "message"),
    ],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value)[:60],
)
def test_a_message_that_is_none_names_the_field(message: Any, field: str) -> None:
    with pytest.raises(Rejected) as refused:
        decode(json.dumps(message).encode())
    assert refused.value.field == field
    assert refused.value.reason
    assert len(refused.value.value) <= 120


@pytest.mark.parametrize(
    "raw",
    [
        b"", b" ", b"{", b"[", b"[1,", b"\xff\xfe\x00", b'{"time":"\xff"}', b'{"a":1}x', b"NaN",
        b'{"time":"2026-03-02T06:00:00Z","series":"a/air.no2","value":NaN}',
        b'{"time":"2026-03-02T06:00:00Z","series":"a/air.no2","value":Infinity}',
        b'{"time":"2026-03-02T06:00:00Z","series":"a\\ud800/air.no2","value":1}',
        b'{"v":1,"gateway":"g","seq":1,"area":"a","series":["s/air.no2"],"i":[0],"t":[0],"x":[1e400]}',
        b"[" * 500_000, b'{"a":' * 200_000, b"[" * 400_000 + b"]" * 400_000,
        b"[" + b" " * MESSAGE_BYTES_MAX + b"]",
        b'{"value":"' + b"9" * 10_000_000 + b'"}',
        bytes.fromhex("1f8b08000000000000"),  # gzip, cut off
    ],
    ids=lambda raw: repr(raw[:40]),
)  # fmt: skip
def test_bytes_that_are_no_message(raw: bytes) -> None:
    with pytest.raises(Rejected) as refused:
        decode(raw)
    assert refused.value.field == "message"


@pytest.mark.parametrize(
    ("reading", "field"),
    [
        ({**READING, "time": None}, "time"),
        ({k: v for k, v in READING.items() if k != "time"}, "time"),
        ({**READING, "time": "2026-03-02T06:00:00"}, "time"),
        ({**READING, "time": 1_772_431_200_000}, "time"),
        ({**READING, "time": "soon"}, "time"),
        ({**READING, "time": ["2026-03-02T06:00:00Z"]}, "time"),
        ({k: v for k, v in READING.items() if k != "series"}, "series"),
        ({**READING, "series": "s/air.gold"}, "series"),
        ({**READING, "series": "air.no2"}, "series"),
        ({**READING, "series": 7}, "series"),
        ({**READING, "series": "x" * 900_000 + "/air.no2"}, "series"),
        ({k: v for k, v in READING.items() if k != "value"}, "value"),
        ({**READING, "value": None}, "value"),
        ({**READING, "value": "1.5"}, "value"),
        ({**READING, "value": True}, "value"),
        ({**READING, "value": [1.5]}, "value"),
        ({**READING, "value": 10**400}, "value"),
        ([READING], "reading"),
        (None, "reading"),
        ("text", "reading"),
    ],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value)[:60],
)
def test_a_bad_reading_is_told_by_position_and_field_and_spoils_no_other(reading: Any, field: str) -> None:
    back = decode(json.dumps([READING, reading, {**READING, "value": 2}]).encode())
    assert isinstance(back, Loose)
    assert [(r.position, r.field) for r in back.rejections] == [(1, field)]
    assert all(r.reason and len(r.value) <= 120 for r in back.rejections)
    assert back.readings.x.tolist() == [1.5, 2.0]


def test_a_value_beyond_a_float_spoils_its_own_reading_only() -> None:
    raw = json.dumps([READING, {**READING, "value": "X"}]).replace('"X"', "1e400").encode()
    back = decode(raw)
    assert isinstance(back, Loose)
    assert [(r.position, r.field) for r in back.rejections] == [(1, "value")]
    assert len(back.readings) == 1


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_rejected(raw: bytes) -> None:
    for read in (decode, decode_aggregates, lambda raw: decode_as(Finding, raw)):
        try:
            read(raw)
        except Rejected as error:
            assert error.reason  # noqa: PT017


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FRAME, *TICK, *READING]), inner, max_size=8)
    ),
    max_leaves=20,
)


@given(json_like)
def test_any_json_is_decoded_or_rejected(message: Any) -> None:
    try:
        decode(json.dumps(message).encode())
    except Rejected as error:
        assert error.reason  # noqa: PT017


def aggregates(**changes: Any) -> Aggregates:
    columns = {
        "i": np.array([0, 1], np.int32), "start": np.array([0, 60_000]), "count": np.array([6, 5]),
        "mean": np.array([1.5, -2.0]), "min": np.array([1.0, -3.0]), "max": np.array([2.0, 1e300]),
        "last": np.array([1.25, 0.1]), "coverage": np.array([1.0, np.nan]), "flag": np.array([1, 4], np.uint8),
        "revision": np.array([1, 2]),
    }  # fmt: skip
    return Aggregates("a", 60, ["s/air.no2", "t/air.no2"], **{**columns, **changes})


def test_aggregates_come_back_as_they_were() -> None:
    batch = aggregates()
    back = decode_aggregates(encode_aggregates(batch))
    assert (back.area, back.window_s, back.series) == (batch.area, batch.window_s, batch.series)
    for name in ("i", "start", "count", "mean", "min", "max", "last", "coverage", "flag", "revision"):
        left, right = getattr(back, name), getattr(batch, name)
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    ("name", "column", "field"),
    [
        ("i", [0, 2], "i"), ("i", [-1, 0], "i"), ("i", [0, 1 << 40], "i,start,…"), ("count", [1], "i,start,…"),
        ("flag", [1, 256], "i,start,…"), ("flag", [-1, 1], "i,start,…"), ("revision", [1, 1 << 64], "i,start,…"),
        ("start", [0, 1 << 50], "start"), ("start", [-(1 << 50), 0], "start"), ("mean", [None, 1.0], "message"),
    ],
)  # fmt: skip
def test_aggregates_of_somebody_else_are_checked(name: str, column: list[Any], field: str) -> None:
    wire = {**json.loads(encode_aggregates(aggregates())), name: column}
    with pytest.raises(Rejected) as refused:
        decode_aggregates(json.dumps(wire).encode())
    assert refused.value.field == field


def test_messages_of_another_version_or_kind_are_refused() -> None:
    wire = json.loads(encode(Quarantined("i", 0, "t", "g", "s", "v", "f", "r")))
    with pytest.raises(Rejected, match="version 1"):
        decode_as(Quarantined, json.dumps({**wire, "v": 2}).encode())
    with pytest.raises(Rejected, match="not a Finding"):
        decode_as(Finding, json.dumps(wire).encode())
    with pytest.raises(Rejected, match="version 1"):
        decode_aggregates(json.dumps({**json.loads(encode_aggregates(aggregates())), "v": 2}).encode())
