"""Readings per second and core that the simulated city makes: ``python benchmarks/simulator.py [--size N]``.

CPU time of this process, one thread. Before a figure is printed the result is checked: as many readings as the
intervals say, all finite, the same when the time is cut otherwise, and no vehicle made or lost on the roads. Memory
is the highest resident size after the first hour and at the end.
"""

import argparse
import os
import resource
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from domain.times import HOUR_MS, MINUTE_MS
from simulator.cells import advance, at_rest
from simulator.demand import Demand
from simulator.demo import demo_script
from simulator.network import build
from simulator.plan import Town, plan_town
from simulator.publisher import history
from simulator.signals import City

NOW = 1_795_000_000_000 // HOUR_MS * HOUR_MS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=120, help="sensors of the town")
    parser.add_argument("--hours", type=int, default=72, help="length of the history that is made")
    chosen = parser.parse_args()
    began = time.process_time()
    town = plan_town(7, chosen.size)
    city, script = City(town, 7), demo_script(town, 7, NOW)
    city.readings(NOW, NOW + MINUTE_MS)  # counters are integrated from their commissioning once
    print(
        f"town of {len(town.sensors)} sensors, {len(town.series)} series: ready in {time.process_time() - began:.2f} s"
    )
    start = NOW - chosen.hours * HOUR_MS
    per_hour = sum(HOUR_MS / 1_000 / (s.interval_s or 60) * len(town.quantities(s)) for s in town.sensors)
    sums = set()
    for minutes in (15, 60):
        city = City(town, 7)  # nothing is left over from the other way to cut
        began, count, total = time.process_time(), 0, 0.0
        for _, areas in history(city, script, start, NOW, minutes * MINUTE_MS):
            count += sum(map(len, areas.values()))
            total += sum(float(np.sum(np.round(readings.x))) for readings in areas.values())
        spent = time.process_time() - began
        assert np.isfinite(total)
        # A silent sensor leaves some out, and so do loops that nobody passes in a minute of the night: no speed.
        assert 0.97 * per_hour * chosen.hours <= count <= per_hour * chosen.hours, (count, per_hour * chosen.hours)
        sums.add(total)
        print(
            f"history in steps of {minutes} min: {count:,} readings in {spent:.2f} s = {count / spent:,.0f} per second"
        )
        print(f"highest resident size so far {resident():.0f} MiB")
    assert len(sums) == 1, "the same stretch, cut otherwise, gave other values"
    conserve(town, start)


def resident() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024


def conserve(town: Town, start: int) -> None:
    """An hour of traffic: what entered is on the roads or has left."""
    network = build(town, 7)
    demand = Demand(network.roads, network.peak, 7, town.name)
    by_road = demand.at(start + np.arange(60, dtype=np.int64) * MINUTE_MS)
    before = at_rest(network, by_road[:, 0])
    after = advance(network, before, start, by_road, np.zeros(60), ())[0]
    error = after.held.sum() - before.held.sum() - (after.entered - after.left)
    assert abs(error) < 1e-6 * after.entered, error
    print(
        f"an hour of {len(network.length)} cells: {after.entered:,.0f} vehicles entered, {after.left:,.0f} left, ",
        end="",
    )
    print(f"{after.held.sum() - before.held.sum():+,.0f} on the roads, error {error:.1e}")


if __name__ == "__main__":
    main()
