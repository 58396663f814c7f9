"""The form of scenario files and of fault files: one table each, from which reading and JSON Schema both follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from domain.errors import Rejected
from simulator import scenario_nodes as nodes
from simulator.kinds import KINDS, Strength
from simulator.plan import SIZE_MAX, SIZE_MIN
from simulator.scenario_nodes import Field, Moment, Problems
from simulator.scoreboard_gates import BOUNDS

DAYS_MAX = 400
SEED_MAX = 2_147_483_647
RATE_MAX = 50  # of one kind a day
EVENTS_MAX = 5_000

_TIME_SCHEMA = {
    "anyOf": [
        {"type": "string", "pattern": nodes.DAY_PATTERN},
        {"type": "string", "pattern": nodes.TIME_PATTERN},
    ]
}
_DURATION_SCHEMA = {"type": "string", "pattern": nodes.DURATION_PATTERN}
_WORDS = {"type": "string", "minLength": 1, "maxLength": 400}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is to happen, as written; ``lasts`` in ms, ``line`` where it stands in the file."""

    kind: str
    target: str
    at: Moment
    lasts: int
    strength: float
    line: int


@dataclass(frozen=True, slots=True)
class MixPart:
    """Things drawn by the seed: ``rates`` of each kind a day, from ``since`` on."""

    rates: Mapping[str, float]
    since: Moment
    line: int


def _bounded(kind: str, strength: float) -> None:
    """Raises: Rejected: out of the kind's bounds."""
    s = KINDS[kind].strength
    if not s.lower <= strength <= s.upper:
        raise Rejected("strength", f"{strength:g}", f"of {kind} must be from {s.lower:g} to {s.upper:g} {_unit(s)}")


def _unit(strength: Strength) -> str:
    unit = "" if strength.unit == "1" else f" {strength.unit}"
    return f"({strength.means}{',' if unit else ''}{unit})"


def _event(problems: Problems, what: str, node: yaml.Node) -> Step | None:
    read = nodes.mapping(problems, what, node, EVENT)
    if read is None or any(read.get(name) is None for name in ("kind", "target", "at", "for")):
        return None
    strength = read.get("strength")
    strength = KINDS[read["kind"]].strength.default if strength is None else strength
    try:
        _bounded(read["kind"], strength)
    except Rejected as error:
        problems.add(nodes.line_of(node), f"{what}.strength", error.value, error.reason)
        return None
    return Step(read["kind"], read["target"], read["at"], read["for"], strength, nodes.line_of(node))


def _events(problems: Problems, what: str, node: yaml.Node) -> list[Step]:
    return nodes.sequence(problems, what, node, _event, EVENTS_MAX)


def _mix(problems: Problems, what: str, node: yaml.Node) -> MixPart | None:
    read = nodes.mapping(problems, what, node, MIX)
    if read is None or read.get("per_day") is None or read.get("from") is None:
        return None
    rates = {kind: rate for kind, rate in read["per_day"].items() if rate is not None}
    return MixPart(rates, read["from"], nodes.line_of(node))


def _per_day(problems: Problems, what: str, node: yaml.Node) -> dict[str, float] | None:
    return nodes.mapping(problems, what, node, RATES)


def _expect(problems: Problems, what: str, node: yaml.Node) -> dict[str, float] | None:
    return nodes.mapping(problems, what, node, GATES)


def _named(names: Mapping[str, Any]) -> nodes.Read:
    def read(problems: Problems, what: str, node: yaml.Node) -> str:
        if isinstance(node, yaml.ScalarNode) and node.value in names:
            return str(node.value)
        value = node.value if isinstance(node, yaml.ScalarNode) else "(not a word)"
        raise Rejected(what, value, f"unknown{nodes.nearest(str(value), names)}")

    return read


_ANY = 1e12
EVENT: dict[str, Field] = {
    "kind": Field(_named(KINDS), {"enum": list(KINDS)}, "What happens.", required=True),
    "target": Field(nodes.text(120), _WORDS, "Where: a sensor, a series or an area, as the kind needs.", required=True),
    "at": Field(nodes.moment, _TIME_SCHEMA, "When it begins, UTC: day 3 17:05, or RFC 3339.", required=True),
    "for": Field(nodes.duration, _DURATION_SCHEMA, "How long the cause acts: 90 s, 35 min, 2 h, 3 d.", required=True),
    "strength": Field(nodes.number(-_ANY, _ANY), {"type": "number"}, "How strong; bounds and unit are the kind's."),
}
RATES: dict[str, Field] = {
    kind: Field(
        nodes.number(0, RATE_MAX), {"type": "number", "minimum": 0, "maximum": RATE_MAX}, f"{each.title} Times a day."
    )
    for kind, each in KINDS.items()
}
MIX: dict[str, Field] = {
    "from": Field(nodes.moment, _TIME_SCHEMA, "From when on things are drawn.", required=True),
    "per_day": Field(_per_day, {"$ref": "#/$defs/rates"}, "How often each kind begins, times a day.", required=True),
}
GATES: dict[str, Field] = {
    name: Field(
        nodes.number(0, _ANY if bound.upper is None else bound.upper),
        {"type": "number", "minimum": 0, **({} if bound.upper is None else {"maximum": bound.upper})},
        f"{'At least' if name.endswith('_min') else 'At most'}: {bound.says}.",
    )
    for name, bound in BOUNDS.items()
}
SCENARIO: dict[str, Field] = {
    "title": Field(nodes.text(), _WORDS, "What happens, in a line.", required=True),
    "teaches": Field(nodes.text(), _WORDS, "What can be learned from it.", required=True),
    "days": Field(
        nodes.number(0.01, DAYS_MAX), {"type": "number", "minimum": 0.01, "maximum": DAYS_MAX},
        "How long it is, with the quiet days at the beginning in which a detector learns.", required=True,
    ),
    "start": Field(nodes.absolute, {"type": "string", "pattern": nodes.TIME_PATTERN}, "Midnight UTC of day 1."),
    "size": Field(
        nodes.whole(SIZE_MIN, SIZE_MAX), {"type": "integer", "minimum": SIZE_MIN, "maximum": SIZE_MAX},
        "Sensors of the town.",
    ),
    "seed": Field(nodes.whole(0, SEED_MAX), {"type": "integer", "minimum": 0, "maximum": SEED_MAX}, "Unless given."),
    "events": Field(
        _events, {"type": "array", "maxItems": EVENTS_MAX, "items": {"$ref": "#/$defs/event"}}, "What happens."
    ),
    "mix": Field(_mix, {"$ref": "#/$defs/mix"}, "What happens besides, drawn by the seed."),
    "expect": Field(_expect, {"$ref": "#/$defs/expect"}, "Gates that a score must hold."),
}  # fmt: skip
#: What can be put onto a recording; what happens in the town cannot.
FAULT_KINDS = [name for name, kind in KINDS.items() if kind.cause != "world"]
FAULT_LISTS = ("faults", "events")
_LIST_OF_FAULTS = {"type": "array", "maxItems": EVENTS_MAX, "items": {"$ref": "#/$defs/fault"}}
FAULTS: dict[str, Field] = {
    "title": Field(nodes.text(), _WORDS, "What is put onto the recording."),
    "faults": Field(_events, _LIST_OF_FAULTS, "Faults of sensors and of transport."),
    "events": Field(_events, _LIST_OF_FAULTS, "The same under the name that scenarios have for it."),
}


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a scenario; ``#/$defs/faults`` is that of a fault file for ``replay --inject``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Borough scenario",
        **_object(SCENARIO),
        "$defs": {
            "event": {**_object(EVENT), "allOf": [_of_kind(kind) for kind in KINDS]},
            "fault": {"$ref": "#/$defs/event", "properties": {"kind": {"enum": FAULT_KINDS}}},
            "mix": _object(MIX),
            "rates": _object(RATES),
            "expect": _object(GATES),
            "faults": {**_object(FAULTS), "oneOf": [{"required": [name]} for name in FAULT_LISTS]},
        },
    }


def _object(fields: Mapping[str, Field]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name, each in fields.items() if each.required],
        "properties": {name: {**each.schema, "description": each.says} for name, each in fields.items()},
    }


def _of_kind(kind: str) -> dict[str, Any]:
    """What else holds for an event of a kind."""
    row = KINDS[kind]
    s = row.strength
    strength = {"minimum": s.lower, "maximum": s.upper, "default": s.default, "description": _unit(s)[1:-1]}
    return {
        "if": {"properties": {"kind": {"const": kind}}},
        "then": {
            "description": f"{row.title} Cause: {row.cause}. Target: {' or '.join(row.targets)}.",
            "properties": {"strength": strength},
        },
    }
