"""Bytes on the wire to messages and back. JSON in columns; the formats are written in docs/reference/messages.md."""

from dataclasses import dataclass, field
from math import isfinite
from typing import Any, TypeVar

import msgspec
import numpy as np

from domain.errors import Rejected, Rejection
from domain.readings import Frame, Readings, Tick
from domain.series import parse_series
from domain.times import TIME_MS_MAX, format_time, parse_time
from domain.windows import Aggregates

VERSION = 1
MESSAGE_BYTES_MAX = 1 << 20
SEQ_MAX = 1 << 53

M = TypeVar("M", bound=msgspec.Struct)


class _FrameWire(msgspec.Struct):
    v: int
    gateway: str
    seq: int
    area: str
    series: list[str]
    i: list[int]
    t: list[int]
    x: list[float | None]


class _TickWire(msgspec.Struct):
    v: int
    gateway: str
    seq: int
    tick: int


class _Probe(msgspec.Struct):
    tick: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    gateway: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    v: int | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class Loose:
    """Readings that came on their own or in an array: no gateway, no seq; and those that were no readings."""

    readings: Readings
    rejections: list[Rejection] = field(default_factory=list)


_frame = msgspec.json.Decoder(_FrameWire)
_tick = msgspec.json.Decoder(_TickWire)
_probe = msgspec.json.Decoder(_Probe)
_any = msgspec.json.Decoder()
_any_number = msgspec.json.Decoder(float_hook=float)
_encoder = msgspec.json.Encoder()
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)  # the second where text is not UTF-8


def encode_frame(frame: Frame) -> bytes:
    """A frame as JSON columns; NaN becomes null."""
    r = frame.readings
    x: list[float | None] = r.x.tolist()
    if np.isnan(r.x).any():
        x = [None if value != value else value for value in x]
    return _encoder.encode(
        _FrameWire(VERSION, frame.gateway, frame.seq, frame.area, r.series, r.i.tolist(), r.t.tolist(), x)
    )


def encode_tick(tick: Tick) -> bytes:
    return _encoder.encode(_TickWire(VERSION, tick.gateway, tick.seq, tick.time))


def encode_loose(readings: Readings, begin: int, end: int) -> bytes:
    """Readings ``begin`` to ``end`` as a JSON array of single readings; only finite values can travel so."""
    part = slice(begin, end)
    rows = zip(readings.i[part].tolist(), readings.t[part].tolist(), readings.x[part].tolist(), strict=True)
    return _encoder.encode(
        [{"time": format_time(t), "series": readings.series[i], "value": x} for i, t, x in rows if isfinite(x)]
    )


def decode(raw: bytes) -> Frame | Tick | Loose:
    """A message of a readings topic: a frame, a tick, one reading, or an array of readings.

    Raises:
        Rejected: nothing of it can be used; ``field`` and ``reason`` say why.
    """
    if len(raw) > MESSAGE_BYTES_MAX:
        raise Rejected("message", f"{len(raw)} bytes", f"longer than {MESSAGE_BYTES_MAX} bytes")
    try:
        if raw.lstrip()[:1] == b"[":
            return _loose(_array(raw))
        probe = _probe.decode(raw)
        if probe.tick is not msgspec.UNSET:
            return _checked_tick(_tick.decode(raw))
        if probe.gateway is not msgspec.UNSET:
            return _checked_frame(_frame.decode(raw))
        return _loose([_any.decode(raw)])
    except _UNREADABLE as error:
        raise Rejected("message", raw[:80].decode("utf-8", "replace"), f"not a message: {error}") from None
    except RecursionError:
        raise Rejected("message", raw[:80].decode("utf-8", "replace"), "nested too deeply") from None


def _array(raw: bytes) -> list[Any]:
    """The entries of an array; a number beyond 64 bits becomes infinite, so that it spoils its own entry only."""
    try:
        items: list[Any] = _any.decode(raw)
    except msgspec.ValidationError:
        items = _any_number.decode(raw)
    return items


def _checked_tick(wire: _TickWire) -> Tick:
    _check_version(wire.v)
    _check_origin(wire.gateway, wire.seq)
    if not -TIME_MS_MAX < wire.tick < TIME_MS_MAX:
        raise Rejected("tick", wire.tick, "not a time in epoch milliseconds of the years 1830 to 2109")
    return Tick(wire.gateway, wire.seq, wire.tick)


def _checked_frame(wire: _FrameWire) -> Frame:
    _check_version(wire.v)
    _check_origin(wire.gateway, wire.seq)
    n, m = len(wire.i), len(wire.series)
    if not wire.area or len(wire.area) > 128:
        raise Rejected("area", wire.area, "an area has 1 to 128 characters")
    if len(wire.t) != n or len(wire.x) != n:
        raise Rejected("i,t,x", f"{n},{len(wire.t)},{len(wire.x)} entries", "the columns of a frame have one length")
    if len(set(wire.series)) != m:
        raise Rejected("series", m, "a series stands twice in the frame")
    try:
        i = np.array(wire.i, dtype=np.int64)
        t = np.array(wire.t, dtype=np.int64)
    except OverflowError:
        raise Rejected("i,t", "", "a number beyond 64 bits") from None
    if n and (i.min() < 0 or i.max() >= m):
        raise Rejected("i", int(i.max()), f"an index outside the {m} series of the frame")
    return Frame(
        wire.gateway,
        wire.seq,
        wire.area,
        Readings(wire.series, i.astype(np.int32), t, np.array(wire.x, dtype=np.float64)),
    )


def _check_version(version: int) -> None:
    if version != VERSION:
        raise Rejected("v", version, f"this program reads version {VERSION}")


def _check_origin(gateway: str, seq: int) -> None:
    if not gateway or len(gateway) > 128:
        raise Rejected("gateway", gateway, "a gateway has a name of 1 to 128 characters")
    if not 0 <= seq < SEQ_MAX:
        raise Rejected("seq", seq, "seq is a whole number from 0 to 2^53")


def _loose(items: list[Any]) -> Loose:
    rows: list[tuple[str, int, float]] = []
    rejections: list[Rejection] = []
    for position, item in enumerate(items):
        try:
            rows.append(check_reading(item))
        except Rejected as error:
            rejections.append(Rejection.of(position, error))
    return Loose(Readings.of(rows), rejections)


def check_reading(item: Any) -> tuple[str, int, float]:
    """One decoded JSON reading as ``(series, epoch ms, value)``.

    Raises:
        Rejected: a field is missing, of the wrong type, or cannot be read; it is named.
    """
    if not isinstance(item, dict):
        raise Rejected("reading", item, "a reading is an object with time, series and value")
    for name in ("time", "series", "value"):
        if name not in item:
            raise Rejected(name, item, f"{name} is missing")
    series, time, value = item["series"], item["time"], item["value"]
    if not isinstance(series, str):
        raise Rejected("series", series, "series is text, as in loop-014/traffic.flow")
    parse_series(series)
    if not isinstance(time, str):
        raise Rejected("time", time, "time is RFC 3339 text such as 2026-03-02T06:00:00Z")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Rejected("value", value, "value is a number")
    try:
        number = float(value)
    except OverflowError:
        raise Rejected("value", value, "value is beyond the range of a 64-bit float") from None
    if not isfinite(number):
        raise Rejected("value", value, "value is a finite number")
    return series, parse_time(time), number


def encode(message: msgspec.Struct) -> bytes:
    """Any message of ``domain.messages`` as JSON."""
    return _encoder.encode(message)


class _AggregatesWire(msgspec.Struct):
    v: int
    area: str
    window_s: int
    series: list[str]
    i: list[int]
    start: list[int]
    count: list[int]
    mean: list[float]
    min: list[float]
    max: list[float]
    last: list[float]
    coverage: list[float | None]  # null: the interval of the series is not known yet
    flag: list[int]
    revision: list[int]


_COLUMNS = ("i", "start", "count", "mean", "min", "max", "last", "coverage", "flag", "revision")
_DTYPES: tuple[type[np.generic], ...] = (
    np.int32, np.int64, np.int64, np.float64, np.float64, np.float64, np.float64, np.float64, np.uint8, np.int64,
)  # fmt: skip
_aggregates = msgspec.json.Decoder(_AggregatesWire)


def encode_aggregates(batch: Aggregates) -> bytes:
    columns = [getattr(batch, name).tolist() for name in _COLUMNS]
    return _encoder.encode(_AggregatesWire(VERSION, batch.area, batch.window_s, batch.series, *columns))


def decode_aggregates(raw: bytes) -> Aggregates:
    """Raises: Rejected: not an aggregates message of this version."""
    try:
        wire = _aggregates.decode(raw)
    except (*_UNREADABLE, RecursionError) as error:
        raise Rejected("message", raw[:80].decode("utf-8", "replace"), f"not an aggregates message: {error}") from None
    _check_version(wire.v)
    lengths = {len(getattr(wire, name)) for name in _COLUMNS}
    if len(lengths) != 1:
        raise Rejected("i,start,…", sorted(lengths), "the columns of an aggregates message have one length")
    try:
        columns = [np.array(getattr(wire, name), dtype=kind) for name, kind in zip(_COLUMNS, _DTYPES, strict=True)]
    except OverflowError:
        raise Rejected("i,start,…", "", "a number beyond the bits of its column") from None
    batch = Aggregates(wire.area, wire.window_s, wire.series, *columns)
    if len(batch) and (batch.i.min() < 0 or batch.i.max() >= len(wire.series)):
        raise Rejected("i", int(batch.i.max()), f"an index outside the {len(wire.series)} series of the message")
    if len(batch) and not -TIME_MS_MAX <= batch.start.min() <= batch.start.max() < TIME_MS_MAX:
        raise Rejected("start", int(batch.start.max()), "not a time in epoch milliseconds of the years 1830 to 2109")
    return batch


def decode_as(kind: type[M], raw: bytes) -> M:
    """A message of ``domain.messages``.

    Raises:
        Rejected: not a message of this kind and version.
    """
    try:
        message = msgspec.json.decode(raw, type=kind)
    except (*_UNREADABLE, RecursionError) as error:
        raise Rejected("message", raw[:80].decode("utf-8", "replace"), f"not a {kind.__name__}: {error}") from None
    _check_version(getattr(message, "v", VERSION))
    return message
