"""Event times: epoch milliseconds (UTC) inside, RFC 3339 UTC on paper."""

from datetime import UTC, datetime
from functools import lru_cache

from domain.errors import Rejected

SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000

#: Event times and ticks lie within this of 1970: the years 1830 to 2109. What lies outside is no time of a sensor.
TIME_MS_MAX = 1 << 42

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999 in UTC: what can be written again


@lru_cache(maxsize=100_000)
def parse_time(text: str) -> int:
    """RFC 3339 text to epoch milliseconds; ``2026-03-02T06:00:00Z``, any offset, fractions cut to 1 ms.

    Raises:
        Rejected: not a date and time, or without a time zone.
    """
    try:
        when = datetime.fromisoformat(text[:-1] + "Z" if text.endswith("z") else text)
    except (ValueError, TypeError):
        raise Rejected("time", text, "not an RFC 3339 time such as 2026-03-02T06:00:00Z") from None
    if when.tzinfo is None:
        raise Rejected("time", text, "time zone missing: add Z or an offset such as +01:00")
    delta = when - _EPOCH
    ms = (delta.days * 86_400 + delta.seconds) * 1_000 + delta.microseconds // 1_000
    if not _FIRST_MS <= ms <= _LAST_MS:
        raise Rejected("time", text, "outside the years 1 to 9999")
    return ms


def format_time(ms: int) -> str:
    """Epoch milliseconds to RFC 3339 UTC: ``2026-03-02T06:00:00Z``, with ``.123`` only where there are milliseconds."""
    seconds, millis = divmod(int(ms), 1_000)
    text = datetime.fromtimestamp(seconds, UTC).isoformat()[:19]  # strftime does not pad the years before 1000
    return f"{text}.{millis:03d}Z" if millis else f"{text}Z"
