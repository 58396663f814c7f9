"""The body of a request to readings: JSON object, JSON array, NDJSON or tidy CSV, each also gzipped."""

import re
import zlib
from dataclasses import dataclass

from connectors.intake_columns import Intake
from connectors.intake_csv import COLUMNS, header_columns, parse_csv
from connectors.intake_json import parse_array, parse_lines, parse_object
from domain.errors import Rejected

BODY_BYTES_MAX = 1 << 20
UNPACKED_BYTES_MAX = 8 << 20
READINGS_MAX = 50_000

_BOM = b"\xef\xbb\xbf"
_GZIP_MAGIC = b"\x1f\x8b"
_LINES = {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
_JSON = {"application/json", "text/json"}
_CSV = {"text/csv", "application/csv"}
_NEVER = re.compile(r"(image|audio|video|font|multipart|message)/.*|.*[/+]xml|text/html|application/(pdf|zip|msword)")


class TooLong(Rejected):
    """More than one request may carry: send it in parts (HTTP 413)."""


class Unsupported(Rejected):
    """A content type or encoding that cannot be meant for readings (HTTP 415)."""


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """What one request may carry: bytes as sent, bytes once unpacked, readings."""

    body_bytes_max: int = BODY_BYTES_MAX
    unpacked_bytes_max: int = UNPACKED_BYTES_MAX
    readings_max: int = READINGS_MAX


def parse_body(
    body: bytes, content_type: str = "", content_encoding: str = "", limits: IntakeLimits | None = None
) -> Intake:
    """All readings of a request body, and what in it is no reading.

    A position counts the items of an array, the non-blank lines of NDJSON, the non-blank lines after a CSV header.

    Raises:
        Rejected: the body as a whole cannot be read: empty, not UTF-8, not JSON, nested too deeply, broken gzip.
        TooLong: it is longer than the limits. Unsupported: its content type cannot be meant.
    """
    limits = limits or IntakeLimits()
    if len(body) > limits.body_bytes_max:
        raise TooLong("body", f"{len(body)} bytes", f"longer than {limits.body_bytes_max} bytes: send it in parts")
    kind = content_type.partition(";")[0].strip().lower()
    if _NEVER.fullmatch(kind):
        raise Unsupported("content-type", kind, "readings come as JSON, NDJSON or CSV, also gzipped")
    body = _unpacked(body, content_encoding.strip().lower(), limits.unpacked_bytes_max).removeprefix(_BOM)
    start = body[:1_024].lstrip() or body.lstrip()
    if not start:
        raise Rejected("body", "", "the body is empty")
    intake = _parse(body, kind, start[:1], limits.readings_max)
    count = len(intake)
    if count > limits.readings_max:
        raise _too_many(count, limits.readings_max)
    return intake


def _parse(body: bytes, kind: str, first: bytes, readings_max: int) -> Intake:
    if kind in _LINES:
        return parse_lines(_counted(body, readings_max))
    if kind in _CSV:
        return parse_csv(_counted(body, readings_max))
    if first == b"[":
        return parse_array(body, lambda count: _check_count(count, readings_max))
    if first == b"{":
        # A reading has no reason to hold an object at the start of a line: this is one reading a line.
        return parse_lines(_counted(body, readings_max)) if _is_lines(body) else parse_object(body)
    if kind not in _JSON and header_columns(body) is not None:
        return parse_csv(_counted(body, readings_max))
    wanted = "JSON" if kind in _JSON else "JSON, NDJSON, or CSV with the columns " + ", ".join(COLUMNS)
    raise Rejected("body", body[:80].decode("utf-8", "replace"), f"not {wanted}")


def _is_lines(body: bytes) -> bool:
    return b"\n{" in body.strip()


def _counted(body: bytes, readings_max: int) -> bytes:
    """The body, unless it has more lines than one request may carry; the header and a few blank ones are free."""
    _check_count(body.count(b"\n") - 16, readings_max)
    return body


def _check_count(count: int, readings_max: int) -> None:
    if count > readings_max:
        raise _too_many(count, readings_max)


def _too_many(count: int, readings_max: int) -> TooLong:
    return TooLong("body", f"{count} readings", f"more than {readings_max} readings in one request: send it in parts")


def _unpacked(body: bytes, encoding: str, bytes_max: int) -> bytes:
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise Unsupported("content-encoding", encoding, "known are gzip and identity")
    if encoding in ("gzip", "x-gzip") or body.startswith(_GZIP_MAGIC):
        return _gunzip(body, bytes_max)
    return body


def _gunzip(body: bytes, bytes_max: int) -> bytes:
    """Unpack gzip of one or more members; never holds more than ``bytes_max`` of what comes out."""
    parts: list[bytes] = []
    room = bytes_max
    while body:
        unpacker = zlib.decompressobj(wbits=31)
        try:
            part = unpacker.decompress(body, room + 1)
        except zlib.error as error:
            raise Rejected("body", "", f"not gzip, or broken: {error}") from None
        room -= len(part)
        if room < 0:
            raise TooLong("body", "", f"longer than {bytes_max} bytes once unpacked: send it in parts")
        if not unpacker.eof:
            raise Rejected("body", "", "the gzip is cut off before its end")
        parts.append(part)
        body = unpacker.unused_data.lstrip(b"\0")
    return b"".join(parts)
