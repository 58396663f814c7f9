"""The town: size, names, bounds of the table, map."""

from collections import Counter

import pytest

from domain.errors import Misconfigured
from domain.sensors import SensorRegister
from domain.series import parse_series
from simulator.plan import plan_town


def test_has_at_least_120_sensors_in_three_domains() -> None:
    town = plan_town(7)
    fields = [parse_series(name).quantity.field for name in town.series]
    sensors = {field: {name.split("/")[0] for name in town.series if f"/{field}." in name} for field in set(fields)}
    assert len(town.sensors) == 120
    assert {field: len(names) for field, names in sensors.items()} == {"traffic": 60, "air": 20, "energy": 40}
    assert {name.split("/")[1] for name in town.series} == {
        "traffic.flow", "traffic.speed", "traffic.occupancy", "air.no2", "air.pm25", "air.pm10", "air.o3",
        "energy.active_power", "energy.energy_import", "energy.voltage",
    }  # fmt: skip


def test_same_seed_same_town_other_seed_other_ground() -> None:
    assert plan_town(3) == plan_town(3)
    assert plan_town(3).ground != plan_town(4).ground
    assert [s.sensor for s in plan_town(3).sensors] == [s.sensor for s in plan_town(4).sensors]


def test_every_sensor_is_placed_and_described() -> None:
    for sensor in plan_town(7).sensors:
        assert sensor.lat is not None
        assert 52.6 < sensor.lat < 52.85
        assert sensor.lon is not None
        assert -1.1 < sensor.lon < -0.75
        assert sensor.place
        assert sensor.interval_s in (60, 300)
        if sensor.sensor.startswith("loop"):
            assert sensor.free_flow_speed
            assert sensor.road_class in ("primary", "secondary", "tertiary")
        if sensor.sensor.startswith("meter"):
            assert sensor.rated_kw


def test_links_join_known_loops_and_close_the_ring() -> None:
    town = plan_town(7)
    loops = {site.sensor.sensor for site in town.loops}
    assert all({link.source, link.target} <= loops and link.metres > 0 for link in town.links)
    ring = {site.sensor.sensor for site in town.loops if site.road.road_class == "primary"}
    onwards = {link.source: link.target for link in town.links if {link.source, link.target} <= ring}
    at, met = min(ring), set()
    while at not in met:
        met.add(at)
        at = onwards[at]
    assert met == ring


@pytest.mark.parametrize("size", [20, 61, 360, 1_000, 10_000])
def test_other_sizes(size: int) -> None:
    town = plan_town(1, size)
    assert len(SensorRegister(town.sensors)) == size
    by_area = Counter(sensor.area for sensor in town.sensors)
    assert max(by_area.values()) <= 24
    assert all(town.meters[meter.main].main is None for meter in town.meters if meter.main is not None)
    boroughs = {loop.road.name: loop.road.borough for loop in town.loops}
    by_sensor = {loop.sensor.sensor: boroughs[loop.road.name] for loop in town.loops}
    assert all(by_sensor[link.source] == by_sensor[link.target] for link in town.links)


@pytest.mark.parametrize("size", [0, 19, 100_001])
def test_impossible_size_is_refused(size: int) -> None:
    with pytest.raises(Misconfigured, match="20 to 100000"):
        plan_town(1, size)


def test_map_is_geojson_with_everything_that_is_drawn() -> None:
    town = plan_town(7)
    features = town.map()["features"]
    kinds = {feature["properties"]["kind"] for feature in features}
    assert kinds == {"district", "park", "river", "road", "label"}
    assert {f["properties"]["name"] for f in features if f["properties"]["kind"] == "road"} == {
        road.name for road in town.ground.roads
    }
    for feature in features:
        coordinates = feature["geometry"]["coordinates"]
        if feature["geometry"]["type"] == "Polygon":
            assert coordinates[0][0] == coordinates[0][-1]
            lon, lat = coordinates[0][0]
        else:
            lon, lat = coordinates if feature["geometry"]["type"] == "Point" else coordinates[0]
        assert -1.2 < lon < -0.7
        assert 52.5 < lat < 52.9
