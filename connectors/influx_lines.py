"""Results as InfluxDB line protocol: the text that is stored.

Measurement ``aggregates`` has the tags area, series, window_s and the window's start as its time (ms); a point written
again overwrites itself. The kinds that come in small numbers carry the whole message in the field ``body``.
"""

import re
from functools import lru_cache
from urllib.parse import unquote
from zlib import crc32

import numpy as np

from connectors.column_text import Column, number_column, rows_text
from domain.codec import encode
from domain.messages import Finding, Forecast, Health, Quarantined
from domain.readings import Floats
from domain.windows import Aggregates

# Line protocol has no escape for a line break, and none that holds everywhere for a backslash: these go as %0A, %5C.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\%]")
_SPECIAL = re.compile(r"([,= ])")
_NS_PER_MS = 1_000_000
_SLOTS = 64
_FLOATS = ("mean", "min", "max", "last", "coverage")


@lru_cache(maxsize=200_000)
def tag(text: str) -> str:
    """A tag value, escaped; :func:`untag` gives the text back from what a query answers."""
    return _SPECIAL.sub(r"\\\1", _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", text))


def untag(value: str) -> str:
    """Inverse of :func:`tag` as the database answers it (its own escapes already taken away)."""
    return unquote(value) if "%" in value else value


def aggregates_lines(batch: Aggregates) -> str:
    """The n lines of a batch, times in ms; a number that is not finite is left out. Empty text for an empty batch."""
    if len(batch) == 0:
        return ""
    area = f"area={tag(batch.area)}," if batch.area else ""
    heads = [f"aggregates,{area}series={tag(name)},window_s={batch.window_s} count=" for name in batch.series]
    text = rows_text(
        len(batch),
        [heads[k] for k in batch.i.tolist()],
        number_column(batch.count),
        "i,flag=",
        number_column(batch.flag),
        "i,revision=",
        number_column(batch.revision),
        "i",
        *(part for name in _FLOATS for part in _float_field(name, getattr(batch, name))),
        " ",
        number_column(batch.start),
        "\n",
    )
    return text[:-1]


def _float_field(name: str, values: Floats) -> tuple[Column, Column]:
    """Name and number; nothing at all where the number is not finite."""
    finite = np.isfinite(values)
    if finite.all():
        return f",{name}=", number_column(values)
    return [f",{name}=" if known else "" for known in finite.tolist()], number_column(values)


def message_line(message: Finding | Forecast | Health | Quarantined) -> str:
    """The line of one message, time in ns. Findings and quarantine of one ms are told apart by their id: see _apart."""
    body = _quoted(encode(message).decode())
    match message:
        case Finding():
            slot, nanos = _apart(f"{message.id}|{message.phase}")
            at = message.time * _NS_PER_MS + nanos
            return f"findings,{_tags(area=message.area)}slot={slot} body={body} {at}"
        case Forecast():
            tags = _tags(area=message.area, series=message.series)[:-1]
            return f"forecasts,{tags} body={body} {message.issued * _NS_PER_MS}"
        case Health():
            tags = _tags(area=message.area, asset=message.asset)[:-1]
            return f"health,{tags} body={body} {message.time * _NS_PER_MS}"
        case Quarantined():
            slot, nanos = _apart(message.id)
            known = f"body={body},id={_quoted(message.id)},reason={_quoted(message.reason)}"
            return f"quarantine,{_tags(topic=message.topic)}slot={slot} {known} {message.time * _NS_PER_MS + nanos}"


def _apart(key: str) -> tuple[int, int]:
    """Slot and nanoseconds within the millisecond, made from the key: the same comes to the same point again.

    A tag with the id itself would make the database hold one series per message for ever; with 64 slots two of a
    thousand in one ms meet with a probability of about one in 130.
    """
    number = crc32(key.encode())
    return number % _SLOTS, (number // _SLOTS) % (_NS_PER_MS - 1)  # never the last: reads end before it


def _tags(**tags: str) -> str:
    return "".join(f"{name}={tag(value)}," for name, value in tags.items() if value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
