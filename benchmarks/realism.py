"""How real the simulated city is: ``python benchmarks/realism.py --data ../shared/data`` writes ``docs/realism.md``.

The same weeks of the year of a simulated town and of recorded series are put side by side: daily profile, distribution,
autocorrelation, neighbours, speed against occupancy, scatter, gaps. Each distance stands beside the one between two
recordings of the same place (another year), which is what "as near as real" can mean. Then the detectors of the
registry get the same injected faults on simulated and on recorded series.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import detectors as bench
from benchmarks.realism_city import COLUMN, START, Pair, Simulated, pairs, profiles, simulate, twin_columns
from benchmarks.realism_measures import (
    FLOW_CLASSES,
    acf,
    correlation,
    fano,
    gaps,
    ks,
    mean_distance,
    nrms,
    over_high,
    ranks,
    scatter,
    speed_curve,
    speed_flow,
    weekly_residual,
)
from benchmarks.realism_pictures import draw
from benchmarks.recorded import Recorded, read_recorded
from domain.readings import Floats
from domain.times import DAY_MS
from simulator.demo import demo_script
from simulator.plan import plan_town
from simulator.script import QUIET, Script
from simulator.signals import City

ROOT = Path(__file__).resolve().parents[1]
LAGS = (1, 24, 168)


def similarity(rows: list[Pair]) -> list[str]:
    lines = [
        "| series | recording | profile, working day | profile, weekend | distribution (KS) | "
        "autocorrelation 1 h, 24 h, 168 h: simulated | recorded | scatter: simulated | recorded |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for pair in rows:
        shapes = profiles(pair)
        cells = [f"{nrms(a, b):.2f} ({nrms(b, c):.2f})" for a, b, c in shapes.values()]
        cells.append(f"{ks(pair.mine, pair.theirs):.2f} ({ks(pair.theirs, pair.other):.2f})")
        cells += [", ".join(f"{acf(x, lag):.2f}" for lag in LAGS) for x in (pair.mine, pair.theirs)]
        cells += [f"{scatter(x):.3f}" for x in (pair.mine, pair.theirs)]
        lines.append(f"| {pair.what} | {pair.against} | " + " | ".join(cells) + " |")
    return lines


def neighbours(sim: Simulated, recorded: Recorded) -> list[str]:
    lines = ["| quantity | simulated stations | Beijing stations |", "|---|---|---|"]
    names = [site.sensor.sensor for site in sim.town.stations]
    for quantity in ("no2", "pm25", "pm10", "o3"):
        mine = [weekly_residual(sim.hourly(f"{name}/air.{quantity}")) for name in names]
        theirs = [weekly_residual(x) for x in recorded.stations[quantity]]
        cells = []
        for group in (mine, theirs):
            found = [correlation(a, b) for k, a in enumerate(group) for b in group[k + 1 :]]
            cells.append(f"{np.nanmedian(found):.2f} ({min(found):.2f} to {max(found):.2f}, {len(found)} pairs)")
        lines.append(f"| air.{quantity} | {cells[0]} | {cells[1]} |")
    return lines


def roads(sim: Simulated, recorded: Recorded) -> tuple[list[str], dict[str, Floats]]:
    lines = [
        "| series | rank correlation of speed and occupancy | speed in the fullest tenth, of free |",
        "|---|---|---|",
    ]
    curves: dict[str, Floats] = {}
    found = {f"recorded {name}": columns for name, columns in recorded.speeds.items()}
    found |= {label: driving(sim, loop)[:2] for loop, label in loops_of(sim)}
    for label, (speed, occupancy) in found.items():
        curves[label] = speed_curve(speed, occupancy)
        rho = np.corrcoef(ranks(speed), ranks(occupancy))[0, 1]
        lines.append(f"| {label} | {rho:.2f} | {curves[label][-1]:.2f} |")
    return lines, curves


def driving(sim: Simulated, loop: str) -> tuple[Floats, Floats, Floats]:
    """Speed, occupancy and flow of a loop in the five minutes in which somebody passed."""
    speed, occupancy, flow = (sim.fine(f"{loop}/traffic.{what}") for what in ("speed", "occupancy", "flow"))
    there = np.isfinite(speed)
    return speed[there], occupancy[there], flow[there]


def loops_of(sim: Simulated) -> list[tuple[str, str]]:
    """Every sixth loop: its name, and how it is called in tables."""
    sites = sim.town.loops[::6]
    return [(site.sensor.sensor, f"simulated {site.sensor.sensor}, {site.road.name}") for site in sites]


def diagrams(sim: Simulated, recorded: Recorded) -> dict[str, tuple[Floats, Floats]]:
    """Speed and flow in 5 minutes. Recorded flow is occupancy times speed, up to a factor; simulated flow is both."""
    found = {f"recorded {name}": (speed, occupancy * speed) for name, (speed, occupancy) in recorded.speeds.items()}
    for loop, label in loops_of(sim):
        speed, occupancy, flow = driving(sim, loop)
        found[f"{label}, counted"] = (speed, flow)
        found[f"{label}, by occupancy"] = (speed, occupancy * speed)
    return found


def speed_by_flow(found: dict[str, tuple[Floats, Floats]]) -> list[str]:
    edges = [f"{a:g} to {b:g}" for a, b in pairwise(FLOW_CLASSES[:-1])]
    head = ["series", *edges, f"above {FLOW_CLASSES[-2]:g}", "points below 0.7 of free speed"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    rows = {label: speed_flow(speed, flow) for label, (speed, flow) in found.items()}
    for label, (*medians, slow) in rows.items():
        cells = ["–" if np.isnan(x) else f"{x:.2f}" for x in medians]
        lines.append(f"| {label} | " + " | ".join(cells) + f" | {100 * slow:.1f} % |")
    mine = [row[:-1] for label, row in rows.items() if label.endswith("by occupancy")]
    theirs = {label: row[:-1] for label, row in rows.items() if label.startswith("recorded")}
    first, second = theirs.values()
    told = [f"{mean_distance(mine, curve):.2f} from {label}" for label, curve in theirs.items()]
    between = mean_distance([first], second)
    lines.append(f"\nMean distance of the simulated curves: {', '.join(told)} (the two recordings: {between:.2f}).")
    return lines


def shares_of_flow(sim: Simulated, recorded: Recorded) -> list[str]:
    """How often a lane or a road is how full."""
    edges = np.array([*FLOW_CLASSES[:-1], np.inf])
    head = ["series", *(f"above {a:g}" for a in FLOW_CLASSES[:-1])]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    columns = {f"recorded I-405 lane 1, {name}": x for name, x in recorded.lane.items()}
    columns |= {label: sim.fine(f"{loop}/traffic.flow") for loop, label in loops_of(sim)}
    for label, x in columns.items():
        counts, _ = np.histogram(over_high(x), edges)
        lines.append(f"| {label} | " + " | ".join(f"{100 * n / counts.sum():.0f} %" for n in counts) + " |")
    return lines


def counting(sim: Simulated, recorded: Recorded) -> list[str]:
    lines = ["| series | variance over mean of 5-minute counts by day (Poisson: 1) |", "|---|---|"]
    lines += [f"| recorded I-405 lane 1, {name} | {fano(x):.2f} |" for name, x in recorded.lane.items()]
    for site in sim.town.loops[::6]:
        counts = sim.fine(f"{site.sensor.sensor}/traffic.flow") / 12
        lines.append(f"| simulated {site.sensor.sensor}, {site.road.name} | {fano(counts):.2f} |")
    return lines


def missing(seed: int, recorded: Recorded) -> list[str]:
    lines = ["| series | missing | gaps per 1,000 values | median length of a gap |", "|---|---|---|---|"]
    for name, x in recorded.with_gaps.items():
        share, often, long = gaps(x)
        lines.append(f"| recorded {name} | {100 * share:.1f} % | {often:.1f} | {long:.0f} |")
    begin = START + 2 * DAY_MS
    town = plan_town(seed)
    for what, script in (("the demo's mix", demo_script(town, seed, begin)), ("nothing scheduled", QUIET)):
        found = [gaps(x) for x in a_day(City(town, seed), begin, script)]
        longest = [length for _, _, length in found if length]
        lines.append(
            f"| simulated, {what}, all series | {100 * np.mean([share for share, _, _ in found]):.1f} % | "
            f"{np.mean([often for _, often, _ in found]):.1f} | {np.median(longest) if longest else 0:.0f} |"
        )
    return lines


def a_day(city: City, begin: int, script: Script) -> Iterator[Floats]:
    """Every series at its own interval, NaN where nothing was reported."""
    readings = city.readings(begin, begin + DAY_MS, script)
    for row, name in enumerate(readings.series):
        n = int(DAY_MS / 1_000 / (city.town.sensor(name.split("/")[0]).interval_s or 60))
        x = np.full(n, np.nan)
        mine = readings.i == row
        x[np.clip((readings.t[mine] - begin) * n // DAY_MS, 0, n - 1)] = readings.x[mine]
        yield x


def detect(sim: Simulated, data: Path, names: list[str], copies: int, seed: int) -> list[str]:
    real = [bench.Series(s.name, s.t[-COLUMN:], s.x[-COLUMN:]) for s in bench.load(data)]
    lines = [
        "| detector | series | false alerts per series-week | " + " | ".join(bench.FAULTS) + " | all |",
        "|---|---|---|" + "---|" * (len(bench.FAULTS) + 1),
    ]
    for name in names:
        for label, columns in (("simulated", twin_columns(sim)), ("recorded", real)):
            faulty = list(bench.injected(columns, copies, seed))
            clean = bench.run(name, columns)
            found = bench.run(name, [series for _, _, series, _, _ in faulty])
            hits: dict[str, list[bool]] = {fault: [] for fault in bench.FAULTS}
            for (fault, which, _, start, end), onsets in zip(faulty, found, strict=True):
                hits[fault].append(any(start <= onset <= end for onset in onsets - clean[which]))
            weeks = sum(series.weeks for series in columns)
            rates = [np.mean(hits[fault]) for fault in bench.FAULTS]
            cells = " | ".join(f"{rate:.2f}" for rate in (*rates, np.mean(rates)))
            lines.append(f"| {name} | {label} ({len(columns)}) | {sum(map(len, clean)) / weeks:.2f} | {cells} |")
    return lines


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    options.add_argument("--out", type=Path, default=ROOT / "docs")
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--weeks", type=int, default=12)
    options.add_argument("--copies", type=int, default=2, help="copies of each series that get a fault of each kind")
    options.add_argument("--detectors", nargs="*", default=["seasonal", "gaussian"])
    chosen = options.parse_args()
    recorded = read_recorded(chosen.data, chosen.weeks)
    sim = simulate(chosen.seed, chosen.weeks)
    rows = pairs(sim, recorded)
    on_roads, curves = roads(sim, recorded)
    found = diagrams(sim, recorded)
    draw(rows, curves, found, chosen.out / "realism")
    text = (Path(__file__).with_name("realism.md.in")).read_text(encoding="utf-8")
    flags = (
        f"--seed {chosen.seed} --weeks {chosen.weeks} --copies {chosen.copies} --detectors {' '.join(chosen.detectors)}"
    )
    parts: dict[str, Callable[[], list[str]]] = {
        "COMMAND": lambda: [f"python benchmarks/realism.py {flags}"],
        "SIMILARITY": lambda: similarity(rows),
        "NEIGHBOURS": lambda: neighbours(sim, recorded),
        "SPEED_FLOW": lambda: speed_by_flow(found),
        "FLOWS": lambda: shares_of_flow(sim, recorded),
        "ROADS": lambda: on_roads,
        "COUNTING": lambda: counting(sim, recorded),
        "GAPS": lambda: missing(chosen.seed, recorded),
        "DETECTORS": lambda: detect(sim, chosen.data, chosen.detectors, chosen.copies, chosen.seed),
    }
    for name, make in parts.items():
        lines = "\n".join(make())
        text = text.replace(f"@{name}@", lines)
        print(lines, flush=True)
    (chosen.out / "realism.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
