"""What a reader of the form cannot see: whether places exist in the town, and whether things can be at once."""

from collections.abc import Sequence

from domain.times import format_time
from simulator.kinds import KINDS, PLACES, Item
from simulator.plan import Town
from simulator.scenario_fields import Step
from simulator.scenario_nodes import Problems, nearest
from simulator.world_event import TOWN

Steps = Sequence[tuple[Step, Item]]

#: These cannot be together with any other of their cause on one series: what says nothing cannot be noisy.
_ALONE = ("silent", "feed-down")
#: Of each row the first cannot be at one place together with any of the others: nothing crashes on a closed road, and
#: without supply nothing burns, feeds in or is overloaded; a counter has one register.
_EXCLUDED: dict[str, frozenset[str]] = {
    "burst-main": frozenset({"crash", "stopped-vehicle", "roadworks"}),
    "feeder-fault": frozenset({"overload", "voltage-sag", "lighting-stuck-on", "pv-trip"}),
    "counter-swap": frozenset({"counter-reset", "counter-rollover"}),
    "counter-reset": frozenset({"counter-rollover"}),
}


def check_places(problems: Problems, town: Town, items: Steps, span: tuple[int, int]) -> None:
    """Targets are in the town and of the right sort, times lie within the span (epoch ms)."""
    for step, item in items:
        kind = KINDS[step.kind]
        places = {name for place in kind.targets for name in PLACES[place](town)}
        if step.target not in places:
            wanted = f"{step.kind} needs a {' or a '.join(kind.targets)} of {town.name}"
            problems.add(step.line, "target", step.target, wanted + nearest(step.target, sorted(places)))
        if not span[0] <= item.start < item.end <= span[1]:
            reason = f"lasts until {format_time(item.end)}, which is not within the scenario: it goes from "
            whole = f"{format_time(span[0])} to {format_time(span[1])}"
            problems.add(step.line, "at", format_time(item.start), reason + whole)


def check_together(problems: Problems, town: Town, items: Steps) -> None:
    """No two things that exclude each other act on one series, or at one place, at one time."""
    touched = {id(item): touches(town, item) for _, item in items}
    acting: list[tuple[Step, Item]] = []
    for one, a in sorted(items, key=lambda pair: (pair[1].start, pair[0].line)):
        acting = [pair for pair in acting if pair[1].end > a.start]
        for other, b in acting:
            later, earlier = (one, other) if one.line > other.line else (other, one)
            reason = why_not(earlier.kind, later.kind)
            common = touched[id(a)] & touched[id(b)] if reason else set()
            if common:
                where = f"{min(common)} (line {earlier.line})"
                problems.add(later.line, "kind", later.kind, f"{reason} at the same time: {where}")
        acting.append((one, a))


def why_not(one: str, other: str) -> str:
    """Why two kinds cannot be at one place and time, the one that is there first; empty where they can."""
    if one == other:
        return f"{one} is already there"
    excluded = other in _EXCLUDED.get(one, ()) or one in _EXCLUDED.get(other, ())
    alone = KINDS[one].cause == KINDS[other].cause and bool({one, other} & set(_ALONE))
    return f"{one} and {other} exclude each other" if excluded or alone else ""


def touches(town: Town, item: Item) -> set[str]:
    """Series of a fault; of an event of the town its places, for two crashes may well share a queue."""
    if KINDS[item.kind].cause != "world":
        return set(item.truth(town).series)
    if item.target != TOWN:
        return {item.target}
    return {TOWN, *(name for place in KINDS[item.kind].targets for name in PLACES[place](town))}
