"""Reads YAML node by node, so that whatever is wrong can be told with its line. No value is guessed, no key ignored."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import yaml

from domain.errors import Misconfigured, Rejected, shorten
from domain.times import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, parse_time

DURATION_PATTERN = r"^[0-9]{1,9}(\.[0-9]{1,9})? ?(s|min|h|d)$"
DAY_PATTERN = r"^day [1-9][0-9]{0,2} [0-9]{1,2}:[0-9]{2}(:[0-9]{2})?$"
TIME_PATTERN = r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$"
LASTS_MS_MAX = 400 * DAY_MS
_NUMBER = r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?"
_NULL = "tag:yaml.org,2002:null"
_UNITS_MS = {"s": SECOND_MS, "min": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_NEAR = 3


class BadFile(Misconfigured):
    """Everything that is wrong with a file: one line each, ``file:line: field value: reason``."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("; ".join(self.lines))


@dataclass(slots=True)
class Problems:
    """What has been found wrong with ``file`` so far; lines count from 1."""

    file: str
    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, what: str, value: object, reason: str) -> None:
        text = " ".join(shorten(value).split())
        self.found.append((line, f"{self.file}:{line}: {what}{' ' + text if text else ''}: {reason}"))

    def check(self) -> None:
        """Raises: BadFile: something has been found."""
        if self.found:
            raise BadFile(text for _, text in sorted(dict.fromkeys(self.found)))


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as written: of a day counted from 1 at the beginning, or absolute (epoch ms)."""

    day: int | None
    ms: int  # since that day's midnight UTC, or since the epoch

    def on(self, origin: int) -> int:
        """Epoch ms, day 1 beginning at ``origin``."""
        return self.ms if self.day is None else origin + (self.day - 1) * DAY_MS + self.ms


#: ``(problems, what it is called, node)`` → the value. Raises: Rejected, or adds problems and gives None.
Read = Callable[[Problems, str, yaml.Node], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a mapping: how it is read, and how the JSON Schema describes it."""

    read: Read
    schema: Mapping[str, Any]
    says: str
    required: bool = False


def root(text: str, problems: Problems) -> yaml.Node | None:
    """The document. Raises: BadFile: this is not YAML, or there is nothing in it."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problems.add(line, "YAML", "", " ".join(str(error.problem).split()))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        problems.add(line, "YAML", f"character {error.character:#06x}", "not allowed in YAML")
    except RecursionError:
        problems.add(1, "YAML", "", "nested too deeply")
    else:
        if node is None:
            problems.add(1, "file", "", "is empty")
        return node
    problems.check()
    return None


def line_of(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def mapping(problems: Problems, what: str, node: yaml.Node, fields: Mapping[str, Field]) -> dict[str, Any] | None:
    """The values by key; a key that is unknown, doubled or missing is a problem."""
    if not isinstance(node, yaml.MappingNode):
        problems.add(line_of(node), what, _text(node), f"must be a mapping with {', '.join(fields)}")
        return None
    found: dict[str, Any] = {}
    met: set[str] = set()
    for key, value in node.value:
        name = _text(key)
        if name not in fields:
            problems.add(line_of(key), name, "", f"unknown key of {what}{nearest(name, fields)}")
        elif name in met:
            problems.add(line_of(key), name, "", "stands twice")
        else:
            found[name] = _tried(problems, name, value, fields[name].read)
        met.add(name)
    for name, each in fields.items():
        if each.required and name not in met:
            problems.add(line_of(node), what, "", f"{name} is missing")
    return found


def sequence(problems: Problems, what: str, node: yaml.Node, each: Read, most: int) -> list[Any]:
    """Every element that could be read; more than ``most`` is a problem."""
    if not isinstance(node, yaml.SequenceNode):
        problems.add(line_of(node), what, _text(node), "must be a list")
        return []
    if len(node.value) > most:
        problems.add(line_of(node), what, "", f"has {len(node.value)} elements: at most {most}")
        return []
    read = [_tried(problems, f"{what}[{k}]", child, each) for k, child in enumerate(node.value)]
    return [value for value in read if value is not None]


def _tried(problems: Problems, what: str, node: yaml.Node, read: Read) -> Any:
    try:
        return read(problems, what, node)
    except Rejected as error:
        problems.add(line_of(node), what, error.value, error.reason)
        return None


def text(longest: int = 400) -> Read:
    """Words, not empty."""

    def read(problems: Problems, what: str, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip() or node.tag == _NULL:
            raise Rejected(what, _text(node), "must be words")
        if len(node.value) > longest:
            raise Rejected(what, _text(node), f"longer than {longest} characters")
        return " ".join(node.value.split())

    return read


def one_of(names: Iterable[str]) -> Read:
    allowed = tuple(names)

    def read(problems: Problems, what: str, node: yaml.Node) -> str:
        if isinstance(node, yaml.ScalarNode) and node.value in allowed:
            return str(node.value)
        raise Rejected(what, _text(node), f"must be one of {', '.join(allowed)}")

    return read


def number(lower: float, upper: float, unit: str = "") -> Read:
    """A finite number within inclusive bounds."""
    bounds = f"from {lower:g} to {upper:g}" if math.isfinite(upper) else f"of at least {lower:g}"

    def read(problems: Problems, what: str, node: yaml.Node) -> float:
        plain = isinstance(node, yaml.ScalarNode) and node.style is None and re.fullmatch(_NUMBER, node.value)
        value = float(node.value) if plain else math.nan
        if not lower <= value <= upper or math.isinf(value):
            raise Rejected(what, _text(node), f"must be a number {bounds}{' ' + unit if unit else ''}")
        return value

    return read


def whole(lower: int, upper: int) -> Read:
    """A whole number within inclusive bounds."""

    def read(problems: Problems, what: str, node: yaml.Node) -> int:
        value = _text(node)
        plain = isinstance(node, yaml.ScalarNode) and node.style is None
        if not plain or not re.fullmatch(r"[0-9]{1,12}", value):
            raise Rejected(what, _text(node), f"must be a whole number from {lower} to {upper}")
        if not lower <= int(value) <= upper:
            raise Rejected(what, _text(node), f"must be from {lower} to {upper}")
        return int(value)

    return read


def duration(problems: Problems, what: str, node: yaml.Node) -> int:
    """``90 s``, ``35 min``, ``2.5 h`` or ``3 d`` in ms, longer than nothing."""
    value = _text(node).strip()
    if value.startswith("-"):
        raise Rejected(what, _text(node), "a duration cannot be negative")
    if not isinstance(node, yaml.ScalarNode) or not re.fullmatch(DURATION_PATTERN, value):
        raise Rejected(what, _text(node), "must be a duration such as 90 s, 35 min, 2.5 h or 3 d")
    unit = value.lstrip("0123456789. ")
    ms = int(float(value[: -len(unit)]) * _UNITS_MS[unit])
    if ms <= 0:
        raise Rejected(what, value, "must be longer than nothing")
    if ms > LASTS_MS_MAX:
        raise Rejected(what, value, f"must be at most {LASTS_MS_MAX // DAY_MS} d")
    return ms


def moment(problems: Problems, what: str, node: yaml.Node) -> Moment:
    """``day 3 17:05`` (UTC, the first day is day 1) or an RFC 3339 time."""
    value = _text(node).strip()
    if re.fullmatch(DAY_PATTERN, value):
        _, day, clock = value.split(" ")
        hours, minutes, seconds = (int(part) for part in (*clock.split(":"), "0")[:3])
        if hours > 23 or minutes > 59 or seconds > 59:
            raise Rejected(what, _text(node), "there is no such time of day")
        return Moment(int(day), hours * HOUR_MS + minutes * MINUTE_MS + seconds * SECOND_MS)
    return absolute(problems, what, node, "must be a time such as day 3 17:05 or 2026-03-04T17:05:00Z, both UTC")


def absolute(problems: Problems, what: str, node: yaml.Node, reason: str = "") -> Moment:
    """An RFC 3339 time of this century: for others the town has no calendar."""
    value = _text(node).strip()
    try:
        when = parse_time(value)
    except Rejected as error:
        raise Rejected(what, error.value, reason or error.reason) from None
    if not re.fullmatch(TIME_PATTERN, value):
        raise Rejected(what, value, "must be a time of the years 2000 to 2099 such as 2026-03-04T17:05:00Z")
    return Moment(None, when)


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean …`` with the nearest known names, else the first few of them."""
    names = list(known)
    near = get_close_matches(name, names, _NEAR, 0.5)
    return f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(names[:12])}"


def _text(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    return "(a list)" if isinstance(node, yaml.SequenceNode) else "(a mapping)"
