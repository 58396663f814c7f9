"""The demo's schedule: something in the past, something at once, something for ever, the same every time."""

from domain.readings import Readings
from domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from simulator.demo import demo_script
from simulator.plan import plan_town
from simulator.script import truth
from simulator.signals import City

TOWN = plan_town(7)
NOW = 1_795_000_000_000


def table(readings: Readings) -> dict[tuple[str, int], float]:
    return {(readings.series[i], int(t)): float(x) for i, t, x in zip(readings.i, readings.t, readings.x, strict=True)}


def test_history_has_events_and_faults() -> None:
    past = list(truth(demo_script(TOWN, 7, NOW), TOWN, NOW - 3 * DAY_MS, NOW - MINUTE_MS))
    assert {label.kind for label in past} >= {"crash", "pollution-episode", "feeder-fault", "stuck", "offset", "silent"}
    # Mostly ordinary, so that it can be learned; the station that is dead since yesterday disturbs no other.
    others = [label for label in past if label.kind != "silent"]
    assert sum(label.end - label.start for label in others) < 10 * HOUR_MS
    (dead,) = (label for label in past if label.kind == "silent")
    assert dead.start <= NOW - 20 * HOUR_MS
    assert dead.end > NOW


def test_something_plain_is_reported_within_twenty_seconds_whatever_the_second() -> None:
    city = City(TOWN, 7)
    for now in range(NOW, NOW + MINUTE_MS, 7_000):
        script = demo_script(TOWN, 7, now)
        quiet, played = table(city.readings(now, now + 25_000)), table(city.readings(now, now + 25_000, script))
        halved = {name for (name, t), x in played.items() if x < 0.5 * quiet[(name, t)]}
        assert sum("energy.active_power" in name for name in halved) >= 2
        assert any("traffic.speed" in name for name in halved)


def test_goes_on_for_ever_and_is_the_same_however_it_is_asked() -> None:
    far = NOW + 40 * DAY_MS
    whole = list(truth(demo_script(TOWN, 7, NOW), TOWN, far, far + 6 * HOUR_MS))
    again = demo_script(TOWN, 7, NOW)
    starts = range(far, far + 6 * HOUR_MS, 10 * MINUTE_MS)
    pieces = {label for start in starts for label in truth(again, TOWN, start, start + 10 * MINUTE_MS)}
    assert pieces == set(whole)
    assert 50 <= len(whole) <= 80
    assert {label.cause for label in whole} == {"world", "sensor", "transport"}


def test_no_place_is_hit_by_two_events_at_a_time() -> None:
    events = demo_script(TOWN, 7, NOW).events(NOW, NOW + 3 * DAY_MS)
    labels = [event.truth(TOWN) for event in events if event.kind != "crash"]
    assert len(labels) > 100
    for k, one in enumerate(labels):
        for other in labels[k + 1 :]:
            if one.area == other.area:
                assert one.end <= other.start or other.end <= one.start, (one, other)


def test_other_seed_other_schedule() -> None:
    a, b = (list(truth(demo_script(TOWN, seed, NOW), TOWN, NOW, NOW + HOUR_MS)) for seed in (7, 8))
    assert a != b
