"""How real the simulated city is: ``python benchmarks/realism.py --data ../shared/data`` writes ``docs/realism.md``.

The same weeks of the year of a simulated town and of recorded series are put side by side: daily profile, distribution,
autocorrelation, neighbours, speed against occupancy, scatter, gaps. Each distance stands beside the one between two
recordings of the same place (another year), which is what "as near as real" can mean. Then the detectors of the
registry get the same injected faults on simulated and on recorded series.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

mpl.use("Agg")
import matplotlib.pyplot as plt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import detectors as bench
from benchmarks.recorded import Recorded, read_recorded
from domain.readings import Floats, Ints
from domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from simulator.demo import demo_script
from simulator.plan import Town, plan_town
from simulator.signals import City

ROOT = Path(__file__).resolve().parents[1]
LONDON = ZoneInfo("Europe/London")
START = int(datetime(2026, 9, 7, tzinfo=UTC).timestamp() * 1_000)  # a Monday; the recordings start in that week too
STEP_MS = 5 * MINUTE_MS
SIZE = 60
LAGS = (1, 24, 168)


@dataclass(frozen=True)
class Simulated:
    """Means of 5 minutes ``[series, n]`` from :data:`START` on."""

    names: list[str]
    x: Floats
    town: Town

    def hourly(self, name: str) -> Floats:
        return np.asarray(self.fine(name).reshape(-1, 12).mean(axis=1))

    def fine(self, name: str) -> Floats:
        return np.asarray(self.x[self.names.index(name)])


def simulate(seed: int, weeks: int) -> Simulated:
    town = plan_town(seed, SIZE)
    city = City(town, seed)
    bins = weeks * 7 * DAY_MS // STEP_MS
    total, count = np.zeros((len(town.series), bins)), np.zeros((len(town.series), bins))
    row_of = {name: row for row, name in enumerate(town.series)}
    for begin in range(START, START + weeks * 7 * DAY_MS, 6 * HOUR_MS):
        part = city.readings(begin, begin + 6 * HOUR_MS)
        rows = np.array([row_of[name] for name in part.series])[part.i]
        at = (rows, (part.t - START) // STEP_MS)
        np.add.at(total, at, part.x)
        np.add.at(count, at, 1)
    return Simulated(town.series, total / np.maximum(count, 1), town)


def clock_hours(n: int, local: str) -> tuple[Ints, NDArray[np.bool_]]:
    """Hour of the day and whether it is a working day, for n hours from :data:`START`."""
    zone = ZoneInfo(local)
    times = [datetime.fromtimestamp((START + k * HOUR_MS) / 1_000, zone) for k in range(n)]
    return np.array([t.hour for t in times]), np.array([t.weekday() < 5 for t in times])


def profile(x: Floats, hour: Ints, chosen: NDArray[np.bool_]) -> Floats:
    """Mean of each hour over the mean of all."""
    return np.array([np.nanmean(x[chosen & (hour == h)]) for h in range(24)]) / np.nanmean(x)


def acf(x: Floats, lag: int) -> float:
    a, b = x[:-lag], x[lag:]
    both = np.isfinite(a) & np.isfinite(b)
    return float(np.corrcoef(a[both], b[both])[0, 1])


def ks(a: Floats, b: Floats) -> float:
    """Kolmogorov and Smirnov: largest difference of the distributions, each over its mean."""
    a, b = (np.sort(x[np.isfinite(x)] / np.nanmean(x)) for x in (a, b))
    grid = np.concatenate([a, b])
    return float(
        np.max(np.abs(np.searchsorted(a, grid, "right") / len(a) - np.searchsorted(b, grid, "right") / len(b)))
    )


def scatter(x: Floats) -> float:
    """Robust standard deviation of a value against its two neighbours in time, over the mean."""
    away = x[1:-1] - (x[:-2] + x[2:]) / 2
    away = away[np.isfinite(away)]
    return float(1.4826 * np.median(np.abs(away - np.median(away))) / np.sqrt(1.5) / np.nanmean(x))


def fano(counts: Floats) -> float:
    """Variance over mean of counts by day, trend taken off by the neighbours; 1 is Poisson."""
    by_day = counts.reshape(-1, 288)[:, 120:204].ravel()
    away = by_day[1:-1] - (by_day[:-2] + by_day[2:]) / 2
    away = away[np.isfinite(away)]
    return float(np.var(away) / 1.5 / np.nanmean(by_day))


def weekly_residual(x: Floats) -> Floats:
    """What the hour of the week does not explain."""
    weeks = x[: len(x) // 168 * 168].reshape(-1, 168)
    return np.asarray((weeks - np.nanmean(weeks, axis=0)).ravel())


def correlation(a: Floats, b: Floats) -> float:
    both = np.isfinite(a) & np.isfinite(b)
    return float(np.corrcoef(a[both], b[both])[0, 1])


def ranks(x: Floats) -> Floats:
    return np.argsort(np.argsort(x)).astype(np.float64)


def gaps(x: Floats) -> tuple[float, float, float]:
    """Share missing, gaps per 1,000 values, median length of a gap in values."""
    missing = ~np.isfinite(x)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], missing.astype(int), [0]])))
    lengths = edges[1::2] - edges[::2]
    return float(missing.mean()), 1_000 * len(lengths) / len(x), float(np.median(lengths)) if len(lengths) else 0.0


@dataclass(frozen=True)
class Pair:
    """A simulated series beside a recording, and the recording's other year."""

    what: str
    against: str
    mine: Floats
    theirs: Floats
    other: Floats
    zone: str  # local time of both, by whose hours the profile goes; recordings are stamped in it


def pairs(sim: Simulated, recorded: Recorded) -> list[Pair]:
    town = sim.town
    ring = next(site.sensor.sensor for site in town.loops if site.road.road_class == "primary")
    kerb = max(town.stations, key=lambda site: site.roadside).sensor.sensor
    main = next(site.sensor.sensor for site in town.meters if site.main is None)
    rows = [Pair("traffic.flow", "I-94", sim.hourly(f"{ring}/traffic.flow"), *recorded.flow, "Europe/London")]
    for quantity in ("no2", "o3", "pm10"):
        series = sim.hourly(f"{kerb}/air.{quantity}")
        rows.append(Pair(f"air.{quantity}", "Marylebone Road", series, *recorded.kerb[quantity], "UTC"))
    for quantity in ("no2", "pm25", "o3"):
        series = sim.hourly(f"{town.stations[0].sensor.sensor}/air.{quantity}")
        rows.append(Pair(f"air.{quantity}", "Beijing", series, *recorded.beijing_years[quantity], "UTC"))
    power = sim.hourly(f"{main}/energy.active_power")
    rows.append(Pair("energy.active_power", "PJM East", power, *recorded.load, "Europe/London"))
    return rows


def profiles(pair: Pair) -> dict[str, tuple[Floats, Floats, Floats]]:
    hour, work = clock_hours(len(pair.mine), pair.zone)
    n = len(pair.theirs)
    stamped, stamped_work = np.arange(n) % 24, np.arange(n) // 24 % 7 < 5
    return {
        kind: (
            profile(pair.mine, hour, work == want),
            profile(pair.theirs, stamped, stamped_work == want),
            profile(pair.other, stamped, stamped_work == want),
        )
        for kind, want in (("working days", True), ("weekends", False))
    }


def nrms(a: Floats, b: Floats) -> float:
    return float(np.sqrt(np.mean((a - b) ** 2)))


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


def speed_curve(speed: Floats, occupancy: Floats) -> Floats:
    """Median speed over free speed in ten classes of equal size by occupancy."""
    order = np.argsort(occupancy, kind="stable")
    free = np.quantile(speed, 0.95)
    return np.array([np.median(part) for part in np.array_split(speed[order], 10)]) / free


def roads(sim: Simulated, recorded: Recorded) -> tuple[list[str], dict[str, Floats]]:
    curves, lines = (
        {},
        ["| series | rank correlation of speed and occupancy | speed in the fullest tenth, of free |", "|---|---|---|"],
    )
    found = [(f"recorded {name}", speed, occupancy) for name, (speed, occupancy) in recorded.speeds.items()]
    for site in sim.town.loops[::6]:
        name = site.sensor.sensor
        found.append(
            (
                f"simulated {name}, {site.road.name}",
                sim.fine(f"{name}/traffic.speed"),
                sim.fine(f"{name}/traffic.occupancy"),
            )
        )
    for label, speed, occupancy in found:
        curves[label] = speed_curve(speed, occupancy)
        rho = np.corrcoef(ranks(speed), ranks(occupancy))[0, 1]
        lines.append(f"| {label} | {rho:.2f} | {curves[label][-1]:.2f} |")
    return lines, curves


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
    town = plan_town(seed)
    begin = START + 2 * DAY_MS
    readings = City(town, seed).readings(begin, begin + DAY_MS, demo_script(town, seed, begin))
    expected = {s.sensor: DAY_MS / 1_000 / (s.interval_s or 60) for s in town.sensors}
    share, often, longest = [], [], []
    for row, name in enumerate(readings.series):
        n = int(expected[name.split("/")[0]])
        x = np.full(n, np.nan)
        mine = readings.i == row
        x[np.clip((readings.t[mine] - begin) * n // DAY_MS, 0, n - 1)] = readings.x[mine]
        found = gaps(x)
        share.append(found[0])
        often.append(found[1])
        longest += [found[2]] if found[2] else []
    lines.append(
        f"| simulated, the demo's mix, all series | {100 * np.mean(share):.1f} % | {np.mean(often):.1f} | "
        f"{np.median(longest) if longest else 0:.0f} |"
    )
    lines.append("| simulated, nothing scheduled | 0.0 % | 0.0 | 0 |")
    return lines


def twin_columns(sim: Simulated) -> list[bench.Series]:
    """Simulated series of the kinds and intervals that ``bench.load`` gives of recordings."""
    town = sim.town
    kerb = max(town.stations, key=lambda site: site.roadside).sensor.sensor
    other = town.stations[1].sensor.sensor
    loops = [site.sensor.sensor for site in town.loops]
    main = next(site.sensor.sensor for site in town.meters if site.main is None)
    hourly = [(f"{kerb}/air.{q}", 12) for q in ("no2", "pm10", "o3")] + [
        (f"{other}/air.{q}", 12) for q in ("pm25", "no2")
    ]
    hourly += [(f"{loops[0]}/traffic.flow", 12), (f"{main}/energy.active_power", 12), (f"{loops[4]}/traffic.flow", 6)]
    fine = [(f"{name}/traffic.flow", 1) for name in loops[1:3]] + [
        (f"{name}/traffic.speed", 1) for name in loops[3:15:4]
    ]
    columns = []
    for name, per in (*hourly, *fine):
        x = sim.fine(name).reshape(-1, per).mean(axis=1)[:COLUMN]
        columns.append(bench.Series(name.split("/")[1], START + np.arange(len(x), dtype=np.int64) * per * STEP_MS, x))
    return columns


COLUMN = 2_000  # values of each series that the detectors see


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


def draw(rows: list[Pair], curves: dict[str, Floats], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(2, 4, figsize=(13, 5.4), sharex=True)
    for axis, pair in zip(axes.flat, rows, strict=True):
        for (kind, (mine, theirs, _)), line in zip(profiles(pair).items(), ("-", ":"), strict=True):
            axis.plot(mine, line, color="#0b5fa5", label=f"simulated, {kind}")
            axis.plot(theirs, line, color="#b3541e", label=f"recorded, {kind}")
        axis.set_title(f"{pair.what} / {pair.against}", fontsize=9)
        axis.set_ylim(bottom=0)
    axes[0, 0].legend(fontsize=6)
    for axis in axes[1]:
        axis.set_xlabel("hour of the day")
    axes[0, 0].set_ylabel("over the mean")
    _save(figure, folder / "profiles.png")
    figure, axes = plt.subplots(2, 4, figsize=(13, 5.4), sharex=True, sharey=True)
    for axis, pair in zip(axes.flat, rows, strict=True):
        lags = range(1, 8 * 24)
        axis.plot(lags, [acf(pair.mine, lag) for lag in lags], color="#0b5fa5", label="simulated")
        axis.plot(lags, [acf(pair.theirs, lag) for lag in lags], color="#b3541e", label="recorded")
        axis.set_title(f"{pair.what} / {pair.against}", fontsize=9)
    axes[0, 0].legend(fontsize=7)
    for axis in axes[1]:
        axis.set_xlabel("lag, hours")
    _save(figure, folder / "autocorrelation.png")
    figure, axis = plt.subplots(figsize=(6, 3.6))
    for label, curve in curves.items():
        colour = "#b3541e" if label.startswith("recorded") else "#0b5fa5"
        axis.plot(np.arange(5, 100, 10), curve, color=colour, alpha=0.8)
    axis.set_xlabel("percentile of occupancy")
    axis.set_ylabel("speed over free speed")
    axis.set_ylim(0, 1.1)
    axis.set_title("blue simulated, brown recorded", fontsize=9)
    _save(figure, folder / "speed-occupancy.png")


def _save(figure: plt.Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=70, metadata={"Software": None})
    plt.close(figure)


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
    draw(rows, curves, chosen.out / "realism")
    text = (Path(__file__).with_name("realism.md.in")).read_text(encoding="utf-8")
    flags = (
        f"--seed {chosen.seed} --weeks {chosen.weeks} --copies {chosen.copies} --detectors {' '.join(chosen.detectors)}"
    )
    parts: dict[str, Callable[[], list[str]]] = {
        "COMMAND": lambda: [f"python benchmarks/realism.py {flags}"],
        "SIMILARITY": lambda: similarity(rows),
        "NEIGHBOURS": lambda: neighbours(sim, recorded),
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
