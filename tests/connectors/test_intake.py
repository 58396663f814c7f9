import gzip
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.intake import IntakeLimits, TooLong, Unsupported, parse_body
from connectors.intake_columns import Intake
from domain.errors import Rejected

GOOD = {"time": "2026-03-02T06:00:00Z", "series": "loop-014/traffic.speed", "value": 51.2}
T = 1_772_431_200_000


def rows_of(intake: Intake) -> list[tuple[int, str, int, float]]:
    r = intake.readings
    columns = zip(intake.positions.tolist(), r.i.tolist(), r.t.tolist(), r.x.tolist(), strict=True)
    return [(position, r.series[i], t, x) for position, i, t, x in columns]


def other(**fields: object) -> dict[str, object]:
    return {**GOOD, **fields}


THREE = [GOOD, other(series="air-1/air.no2", value=40, extra=[1, {}]), other(time="2026-03-02T07:00:00.250+01:00")]
EXPECTED = [
    (0, "loop-014/traffic.speed", T, 51.2),
    (1, "air-1/air.no2", T, 40.0),
    (2, "loop-014/traffic.speed", T + 250, 51.2),
]
ARRAY = json.dumps(THREE).encode()
NDJSON = b"\n".join(json.dumps(row).encode() for row in THREE) + b"\n"
CSV = (
    b"note,value,time,series\r\n"
    b"a,51.2,2026-03-02T06:00:00Z,loop-014/traffic.speed\r\n"
    b"\r\n"
    b"b,40,2026-03-02T06:00:00Z,air-1/air.no2\r\n"
    b'"c, d",51.2,2026-03-02T07:00:00.250+01:00,loop-014/traffic.speed'
)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (ARRAY, "application/json"),
        (ARRAY, ""),
        (b"\xef\xbb\xbf \n" + ARRAY, "application/json; charset=utf-8"),
        (NDJSON, "application/x-ndjson"),
        (NDJSON, "application/json"),
        (NDJSON.replace(b"\n", b"\r\n\r\n"), "application/octet-stream"),
        (CSV, "text/csv"),
        (CSV, "application/x-www-form-urlencoded"),
        (CSV.replace(b'"c, d"', b"c"), "text/plain"),
        (b"\xef\xbb\xbf" + CSV, ""),
    ],
)
def test_every_kind_of_body_gives_the_same_readings(body: bytes, kind: str, packed: bool) -> None:
    sent = gzip.compress(body[:30]) + gzip.compress(body[30:]) if packed else body
    for encoding in ("gzip", "") if packed else ("", "identity"):
        intake = parse_body(sent, kind, encoding)
        assert rows_of(intake) == EXPECTED
        assert intake.rejections == []


def test_one_object_is_one_reading() -> None:
    assert rows_of(parse_body(json.dumps(GOOD).encode())) == EXPECTED[:1]
    assert rows_of(parse_body(json.dumps(GOOD, indent=2).encode(), "application/json")) == EXPECTED[:1]


BAD_ITEMS = [
    ("value", '{"time":"2026-03-02T06:00:00Z","series":"a/air.no2","value":NaN}', "finite"),
    ("value", '{"time":"2026-03-02T06:00:00Z","series":"a/air.no2","value":-Infinity}', "finite"),
    ("value", '{"time":"2026-03-02T06:00:00Z","series":"a/air.no2","value":1e999}', "finite"),
    ("value", '{"time":"2026-03-02T06:00:00Z","series":"a/air.no2","value":' + "9" * 5_000 + "}", "finite"),
    ("value", '{"time":"2026-03-02T06:00:00Z","series":"a/air.no2","value":"forty"}', "number"),
    ("value", '{"time":"2026-03-02T06:00:00Z","series":"a/air.no2","value":true}', "number"),
    ("value", '{"time":"2026-03-02T06:00:00Z","series":"a/air.no2","value":null}', "number"),
    ("value", '{"time":"2026-03-02T06:00:00Z","series":"a/air.no2"}', "missing"),
    ("time", '{"series":"a/air.no2","value":1}', "missing"),
    ("time", '{"time":"2026-03-02T06:00:00","series":"a/air.no2","value":1}', "time zone missing"),
    ("time", '{"time":"yesterday","series":"a/air.no2","value":1}', "RFC 3339"),
    ("time", '{"time":1772431200,"series":"a/air.no2","value":1}', "RFC 3339"),
    ("series", '{"time":"2026-03-02T06:00:00Z","value":1}', "missing"),
    ("series", '{"time":"2026-03-02T06:00:00Z","series":"a","value":1}', "sensor/quantity"),
    ("series", '{"time":"2026-03-02T06:00:00Z","series":"a/air.radium","value":1}', "unknown quantity"),
    ("series", '{"time":"2026-03-02T06:00:00Z","series":"a b/air.no2","value":1}', "sensor name"),
    ("series", '{"time":"2026-03-02T06:00:00Z","series":"\\ud800/air.no2","value":1}', "sensor name"),
    ("series", '{"time":"2026-03-02T06:00:00Z","series":["a"],"value":1}', "text"),
    ("reading", "17", "object"),
    ("reading", '["a"]', "object"),
]


@pytest.mark.parametrize(("field", "item", "reason"), BAD_ITEMS)
@pytest.mark.parametrize("lines", [False, True])
def test_a_bad_reading_costs_only_itself(field: str, item: str, reason: str, lines: bool) -> None:
    pieces = [json.dumps(THREE[0]), item, json.dumps(THREE[2])]
    body = "\n".join(pieces) if lines else "[" + ",".join(pieces) + "]"
    intake = parse_body(body.encode())
    assert rows_of(intake) == [EXPECTED[0], EXPECTED[2]]
    (rejection,) = intake.rejections
    assert (rejection.position, rejection.field) == (1, field)
    assert reason in rejection.reason
    assert len(rejection.value) <= 120
    rejection.value.encode()


@pytest.mark.parametrize(("field", "item", "reason"), BAD_ITEMS)
def test_a_bad_object_is_refused_with_its_reason(field: str, item: str, reason: str) -> None:
    if not item.startswith("{"):
        return
    intake = parse_body(item.encode(), "application/json")
    assert len(intake.readings) == 0
    assert [(r.position, r.field) for r in intake.rejections] == [(0, field)]


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        (b"x,nan,2026-03-02T06:00:00Z,a/air.no2", "value", "finite"),
        (b"x,1_000,2026-03-02T06:00:00Z,a/air.no2", "value", "number"),
        (b"x,12 veh,2026-03-02T06:00:00Z,a/air.no2", "value", "number"),
        (b"x,,2026-03-02T06:00:00Z,a/air.no2", "value", "missing"),
        (b"x,1", "time", "missing"),
        (b"x,1,2026-03-02 06:00,a/air.no2", "time", "zone"),
        (b"x,1,2026-03-02T06:00:00Z,a/air.radium", "series", "unknown quantity"),
        (b"x,1,2026-03-02T06:00:00Z,a\xff/air.no2", "reading", "UTF-8"),
        (b"\xff\xfe,1,2026-03-02T06:00:00Z,a/air.no2", "reading", "UTF-8"),
        (b'"x,1,2026-03-02T06:00:00Z,a/air.no2', "reading", "quotes"),
    ],
)
def test_a_bad_line_of_csv_costs_only_itself(line: bytes, field: str, reason: str) -> None:
    lines = CSV.split(b"\r\n")
    intake = parse_body(b"\r\n".join([*lines[:2], line, lines[-1]]), "text/csv")
    assert rows_of(intake) == [EXPECTED[0], EXPECTED[2]]
    (rejection,) = intake.rejections
    assert (rejection.position, rejection.field) == (1, field)
    assert reason in rejection.reason


@pytest.mark.parametrize(
    "broken", [b'{"time":"2026-03-02T06:0', b"\xff\xfe", b"{" * 5_000, b"[" * 100_000, b"nonsense"]
)
def test_a_broken_line_of_ndjson_costs_only_itself(broken: bytes) -> None:
    lines = NDJSON.splitlines()
    intake = parse_body(b"\n".join([lines[0], broken, lines[2]]), "application/x-ndjson")
    assert rows_of(intake) == [EXPECTED[0], EXPECTED[2]]
    assert [rejection.position for rejection in intake.rejections] == [1]


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"", "application/json", "empty"),
        (b" \n\t ", "", "empty"),
        (b"hello", "application/json", "not JSON"),
        (b"hello", "", "not JSON"),
        (b"\x00\x01\x02\x03", "application/octet-stream", "not JSON"),
        (b'{"time":', "application/json", "not JSON"),
        (b'[{"time":"a"},', "application/json", "not JSON"),
        (b'"text"', "application/json", "not JSON"),
        (b'[{"time":"\xff\xfe"}]', "application/json", "UTF-8"),
        (b"[" * 100_000, "application/json", "nested too deeply"),
        (b'{"a":' * 100_000, "application/json", "nested too deeply"),
        (b"time,series\n1,2", "text/csv", "header"),
        (b"time,series,value,value\n1,2,3,4", "text/csv", "header"),
        (gzip.compress(ARRAY)[:-12], "application/json", "cut off"),
        (gzip.compress(ARRAY)[:40], "", "gzip"),
        (b"\x1f\x8bnonsense", "", "gzip"),
    ],
)
def test_nonsense_is_refused_as_a_whole(body: bytes, kind: str, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse_body(body, kind)
    assert reason in caught.value.reason
    assert not isinstance(caught.value, TooLong | Unsupported)


def test_deep_json_within_an_array_never_escapes() -> None:
    for depth in (50, 480, 900, 1_500):
        body = b"[" + json.dumps(GOOD).encode() + b"," + b"[" * depth + b"]" * depth + b"]"
        try:
            intake = parse_body(body)
        except Rejected:
            continue  # nested too deeply for any reader: refused as a whole
        assert rows_of(intake) == EXPECTED[:1]
        assert [r.position for r in intake.rejections] == [1]


def test_what_says_gzip_must_be_gzip() -> None:
    with pytest.raises(Rejected, match="gzip"):
        parse_body(ARRAY, "application/json", "gzip")
    with pytest.raises(Unsupported, match="gzip and identity"):
        parse_body(ARRAY, "application/json", "br")


@pytest.mark.parametrize("kind", ["image/png", "multipart/form-data; boundary=x", "application/xml", "image/svg+xml"])
def test_types_that_cannot_be_meant(kind: str) -> None:
    with pytest.raises(Unsupported):
        parse_body(ARRAY, kind)


def test_limits() -> None:
    limits = IntakeLimits(body_bytes_max=5_000, unpacked_bytes_max=20_000, readings_max=30)
    with pytest.raises(TooLong, match="5000 bytes"):
        parse_body(b" " * 5_001, limits=limits)
    with pytest.raises(TooLong, match="once unpacked"):
        parse_body(gzip.compress(b" " * 20_001), limits=limits)
    many = [b"[" + b",".join([b"0"] * 31) + b"]", b"\n".join([b"{}"] * 60)]
    many.append(b"time,series,value\n" + b"2026-03-02T06:00:00Z,a/air.no2,1\n" * 40)
    for body in many:
        with pytest.raises(TooLong, match="30 readings"):
            parse_body(body, limits=limits)


def test_a_huge_piece_costs_only_itself() -> None:
    huge = {**GOOD, "value": [0] * 100_000}
    for body in (json.dumps([GOOD, huge]), json.dumps(GOOD) + "\n" + json.dumps(huge)):
        intake = parse_body(body.encode())
        assert rows_of(intake) == EXPECTED[:1]
        assert [(r.position, r.field) for r in intake.rejections] == [(1, "reading")]
    with pytest.raises(Rejected, match="not a reading"):
        parse_body(json.dumps(huge).encode())
    assert rows_of(parse_body(json.dumps({**GOOD, "note": "x" * 100_000}).encode())) == EXPECTED[:1]


def test_an_array_of_very_many_small_things_is_not_built() -> None:
    with pytest.raises(TooLong):
        parse_body(gzip.compress(b"[" + b"0," * 3_000_000 + b"0]"))


def test_a_gzip_bomb_is_never_unpacked() -> None:
    with pytest.raises(TooLong, match="once unpacked"):
        parse_body(gzip.compress(bytes(200 << 20), 9)[: 1 << 20])


@given(st.binary(max_size=400), st.sampled_from(["", "application/json", "application/x-ndjson", "text/csv"]))
def test_no_bytes_raise_anything_but_rejected(body: bytes, kind: str) -> None:
    for sent in (body, b"[" + body + b"]", b"time,series,value\n" + body, json.dumps(GOOD).encode() + b"\n" + body):
        try:
            intake = parse_body(sent, kind)
        except Rejected:
            continue
        assert len(intake.positions) == len(intake.readings)


NAMES = st.sampled_from(["a/air.no2", "b/traffic.flow", "c", "d/none.such", 5, None])
TIMES = st.sampled_from(["2026-03-02T06:00:00Z", "2026-03-02T06:00:00", "", 7, None])
VALUES = st.one_of(st.floats(), st.integers(), st.sampled_from(["1", None, True, [], {}]))
ITEMS = st.fixed_dictionaries({}, optional={"time": TIMES, "series": NAMES, "value": VALUES})


@given(st.lists(ITEMS, max_size=12))
def test_array_and_lines_judge_alike_and_account_for_every_item(items: list[dict[str, object]]) -> None:
    as_array = parse_body(json.dumps(items).encode(), "application/json")
    positions = sorted([*as_array.positions.tolist(), *(r.position for r in as_array.rejections)])
    assert positions == list(range(len(items)))
    assert all(math.isfinite(x) for x in as_array.readings.x)
    if items:
        as_lines = parse_body("\n".join(map(json.dumps, items)).encode(), "application/x-ndjson")
        assert rows_of(as_lines) == rows_of(as_array)
        assert [(r.position, r.field, r.reason) for r in as_lines.rejections] == [
            (r.position, r.field, r.reason) for r in as_array.rejections
        ]
