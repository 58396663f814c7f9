"""JSON bodies to readings: decoded in bulk while all is well, item by item where something is not."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from connectors.intake_columns import Intake, every, from_columns, rejected
from domain.codec import check_reading
from domain.errors import Rejected, Rejection

_FIELDS_MAX = 8  # of a reading on average: bounds what is built of an array that is not made of readings
_PIECE_BYTES_MAX = 64 << 10  # a longer piece that is no reading is not looked into
_DIGITS_MAX = 400  # no float is longer; Python would refuse to read thousands of digits


class _Item(msgspec.Struct, gc=False):
    time: str
    series: str
    value: float


_item = msgspec.json.Decoder(_Item)
_items = msgspec.json.Decoder(list[_Item])
_raws = msgspec.json.Decoder(list[msgspec.Raw])
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def parse_array(body: bytes, check_count: Callable[[int], None]) -> Intake:
    """A JSON array of readings; NaN and Infinity, which are no JSON, cost only the reading they stand in.

    Raises:
        Rejected: not UTF-8, not JSON, nested too deeply; or what ``check_count`` raises for too many items.
    """
    try:
        items = _items.decode(body)
    except _BROKEN:
        return _parse_array_each(body, check_count)
    check_count(len(items))
    return _from_items(items)


def parse_object(body: bytes) -> Intake:
    """One reading. Raises: Rejected: not UTF-8, not JSON, nested too deeply."""
    try:
        return _from_items([_item.decode(body)])
    except _BROKEN as error:
        if len(body) > _PIECE_BYTES_MAX:
            why = "nested too deeply" if isinstance(error, RecursionError) else f"not a reading: {error}"
            raise Rejected("body", body[:80].decode("utf-8", "replace"), why) from None
        return _from_loose([_loads(body)])


def parse_lines(body: bytes) -> Intake:
    """NDJSON: each line stands alone, a broken one is rejected by itself; blank lines do not count."""
    try:
        return _from_items(_item.decode_lines(body))
    except _BROKEN:
        pass
    lines = [line for line in body.split(b"\n") if not line.isspace() and line]
    return _one_by_one(lines)


def _parse_array_each(body: bytes, check_count: Callable[[int], None]) -> Intake:
    check_count(body.count(b",") // _FIELDS_MAX)
    text = _text(body)
    try:
        raws = _raws.decode(text)
    except _BROKEN:
        loose = _loads(body)
        check_count(len(loose))
        return _from_loose(loose)
    check_count(len(raws))
    return _one_by_one(raws)


def _one_by_one(pieces: Sequence[bytes | msgspec.Raw]) -> Intake:
    items: list[_Item] = []
    positions: list[int] = []
    rejections: list[Rejection] = []
    for position, piece in enumerate(pieces):
        try:
            items.append(_item.decode(piece))
            positions.append(position)
        except _BROKEN:
            rejections.append(_why(position, bytes(piece)))
    return _from_items(items, positions, rejections)


def _why(position: int, piece: bytes) -> Rejection:
    """The rejection of a piece that does not decode: in the words of the slow check, which names the field."""
    if len(piece) > _PIECE_BYTES_MAX:
        error = Rejected("reading", piece[:80].decode("utf-8", "replace"), f"longer than {_PIECE_BYTES_MAX} bytes")
        return rejected(position, error)
    try:
        check_reading(_loads(piece))
    except Rejected as error:
        return rejected(position, error if error.field != "body" else Rejected("reading", error.value, error.reason))
    except RecursionError:
        return rejected(position, Rejected("reading", piece[:80].decode("utf-8", "replace"), "nested too deeply"))
    return rejected(position, Rejected("reading", piece[:80].decode("utf-8", "replace"), "not a reading"))


def _from_items(
    items: Sequence[_Item], positions: list[int] | None = None, rejections: list[Rejection] | None = None
) -> Intake:
    where = every(len(items)) if positions is None else np.array(positions, dtype=np.int64)
    return from_columns(
        [item.series for item in items],
        [item.time for item in items],
        [item.value for item in items],
        where,
        [] if rejections is None else rejections,
    )


def _from_loose(items: list[Any]) -> Intake:
    good: list[_Item] = []
    positions: list[int] = []
    rejections: list[Rejection] = []
    for position, item in enumerate(items):
        try:
            check_reading(item)
        except Rejected as error:
            rejections.append(rejected(position, error))
        except RecursionError:
            rejections.append(rejected(position, Rejected("reading", "", "nested too deeply")))
        else:
            good.append(_Item(item["time"], item["series"], float(item["value"])))
            positions.append(position)
    return _from_items(good, positions, rejections)


def _loads(body: bytes) -> Any:
    """Python's reader, which also knows NaN and Infinity. Raises: Rejected."""
    text = _text(body)
    try:
        return json.loads(text, parse_constant=float, parse_int=_whole)
    except RecursionError:
        raise Rejected("body", text[:80], "nested too deeply") from None
    except ValueError as error:
        raise Rejected("body", text[:80], f"not JSON: {error}") from None


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise Rejected("body", body[:80].decode("utf-8", "replace"), f"not UTF-8 at byte {error.start}") from None


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) < _DIGITS_MAX else float(digits)
