"""The table of everything that can happen: complete, its bounds hold, its places exist."""

import pytest

from domain.errors import Misconfigured
from simulator.events import EVENTS
from simulator.faults import FAULTS
from simulator.kinds import KINDS, PLACES, Kind
from simulator.plan import plan_town
from simulator.transport import TRANSPORT

TOWN = plan_town(7)
START = 1_772_409_600_000 + 12 * 3_600_000


def test_has_every_class_once_under_its_cause() -> None:
    assert {name for name, kind in KINDS.items() if kind.cause == "world"} == set(EVENTS)
    assert {name for name, kind in KINDS.items() if kind.cause == "sensor"} == set(FAULTS)
    assert {name for name, kind in KINDS.items() if kind.cause == "transport"} == set(TRANSPORT)
    assert len(KINDS) == len(EVENTS) + len(FAULTS) + len(TRANSPORT) == 43


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_is_made_at_each_kind_of_place_with_its_bounds_and_has_a_label(kind: Kind) -> None:
    assert len(kind.title) > 10
    assert kind.strength.lower <= kind.strength.default <= kind.strength.upper
    for place in kind.targets:
        target = min(PLACES[place](TOWN))
        kind.check(TOWN, target, kind.strength.default)
        label = kind.make(target, START, START + 20 * 60_000, kind.strength.default).truth(TOWN)
        assert (label.cause, label.kind, label.start) == (kind.cause, kind.name, START)
        assert label.series
        assert set(label.series) <= set(TOWN.series)


def test_missing_place_and_strength_out_of_bounds_are_one_clear_line() -> None:
    with pytest.raises(Misconfigured, match=r"^crash at loop-999: give a loop, such as loop-001, loop-002, loop-003$"):
        KINDS["crash"].check(TOWN, "loop-999", 0.8)
    with pytest.raises(Misconfigured, match=r"^crash with strength 2: give 0\.05 to 1$"):
        KINDS["crash"].check(TOWN, "loop-001", 2.0)
    with pytest.raises(Misconfigured, match=r"strength 10 ms: give 1000 to 3\.6e"):
        KINDS["late"].check(TOWN, "ring-north", 10)
    with pytest.raises(Misconfigured, match="give a road area or a town"):
        KINDS["fog"].check(TOWN, "loop-001", 0.8)
