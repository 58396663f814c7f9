"""What a reader of the form cannot see: whether places exist in the town, and whether things can be at once."""

from collections.abc import Sequence
from itertools import combinations

from domain.times import format_time
from simulator.kinds import KINDS, PLACES, Item
from simulator.plan import Town
from simulator.scenario_fields import Step
from simulator.scenario_nodes import Problems, nearest

Steps = Sequence[tuple[Step, Item]]

#: These cannot be together with any other of their cause on one series: what says nothing cannot be noisy.
_ALONE = ("silent", "feed-down")
#: These pairs cannot be at one place at once.
_EXCLUDED = (frozenset({"feeder-fault", "overload"}),)


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
    touched = {id(item): _touched(town, step, item) for step, item in items}
    for (one, a), (other, b) in combinations(items, 2):
        if a.start >= b.end or b.start >= a.end:
            continue
        common = touched[id(a)] & touched[id(b)]
        reason = _why_not(one.kind, other.kind) if common else ""
        if reason:
            later, earlier = (one, other) if one.line > other.line else (other, one)
            where = f"{min(common)} (line {earlier.line})"
            problems.add(later.line, "kind", later.kind, f"{reason} at the same time: {where}")


def _why_not(one: str, other: str) -> str:
    if one == other:
        return f"{one} is already there"
    same_cause = KINDS[one].cause == KINDS[other].cause
    for alone in _ALONE:
        if same_cause and alone in (one, other):
            return f"{one} and {other} exclude each other"
    return f"{one} and {other} exclude each other" if frozenset({one, other}) in _EXCLUDED else ""


def _touched(town: Town, step: Step, item: Item) -> set[str]:
    """Series of a fault; of an event of the town its place, for two crashes may well share a queue."""
    if KINDS[step.kind].cause == "world":
        return {step.target}
    return set(item.truth(town).series)
