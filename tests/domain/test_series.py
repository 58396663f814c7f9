"""Names of series and the table of quantities."""

import pytest

from domain.errors import Rejected
from domain.quantities import QUANTITIES, quantity
from domain.series import parse_series


@pytest.mark.parametrize(
    "name", ["loop-014/traffic.flow", "a/air.no2", "Zähler.7@nord:1+2/energy.active_power", "x" * 128 + "/generic.rpm"]
)
def test_takes(name: str) -> None:
    parsed = parse_series(name)
    assert f"{parsed.sensor}/{parsed.quantity.name}" == name


@pytest.mark.parametrize(
    "name",
    [
        "", "/", "loop-014", "/traffic.flow", "loop-014/", "a b/traffic.flow", "a,b/traffic.flow", 'a"/traffic.flow',
        "a\n/traffic.flow", "a\x00/traffic.flow", "x" * 129 + "/traffic.flow", "a/traffic.flow/", "a/b/traffic.flow",
        "a/traffic.flow\n", "a/Traffic.flow", "a/traffic.flux", "a/generic.", "a/generic.a b", "a/generic." + "x" * 65,
        "../traffic.flow ", "=1+1/x", "a/traffic.flow" + "x" * 10_000_000,
    ],
)  # fmt: skip
def test_refuses_with_the_field(name: str) -> None:
    with pytest.raises(Rejected) as refused:
        parse_series(name)
    assert refused.value.field == "series"
    assert len(refused.value.value) <= 120


def test_quantities_of_the_design() -> None:
    for name, unit in [
        ("traffic.flow", "veh/h"), ("traffic.speed", "km/h"), ("air.no2", "µg/m³"), ("air.co", "mg/m³"),
        ("energy.active_power", "kW"), ("energy.energy_import", "kWh"), ("energy.voltage", "V"),
    ]:  # fmt: skip
        assert quantity(name).unit == unit
    assert quantity("traffic.occupancy").upper == 1
    assert [q.name for q in QUANTITIES.values() if q.cumulative] == ["energy.energy_import", "energy.energy_export"]
    assert all(q.lower < q.upper for q in QUANTITIES.values())
    assert all(name == q.name for name, q in QUANTITIES.items())


def test_generic_is_accepted_with_wide_bounds() -> None:
    q = quantity("generic.bearing_temp-2")
    assert (q.field, q.unit) == ("generic", "")
    assert q.lower < -1e200 < 1e200 < q.upper
