"""Injected sensor faults through ``borough backtest``: hits, alerts without faults, named causes.

    .venv/bin/python benchmarks/quality/faults.py [--data ../shared/data] [--seed N] [--detector NAME] [--write]

Every series is a sensor of its own in an area of its own. It runs twice, as recorded and with faults; a fault is hit
when an alert of any kind has its onset from the fault's first reading to two readings after its last, and the run
without faults has no alert of that onset. Alerts per sensor-week are those of the run without faults, after the
warm-up. The cause is what the first alert of a sensor fault in that time (else of any kind) says in ``why``.
``--write`` renews ``docs/quality/faults.md`` and its picture.
"""

import argparse
import csv
import os
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

if __name__ == "__main__":
    for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(_name, "1")
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from benchmarks.quality.city_series import DOMAINS, HALVES, City, load
from benchmarks.quality.fault_injection import KINDS, WARM_FAST_MS, WARM_MS, Injected, faulty
from domain.times import format_time
from models.registry import DEFAULT
from service.backtest import backtest

ROOT = Path(__file__).resolve().parents[2]
SEED = 20_261_126
YEAR_MS = 365 * 86_400_000
WEEK_MS = 7 * 86_400_000
FLOORS = {
    "stuck": 0.85,
    "drop-out (zeros)": 0.85,
    "drop-out (missing)": 0.85,
    "drift": 0.85,
    "level": 0.65,
    "noise": 0.65,
    "spike": 0.5,
}
#: What the sentence of an alert must name, by kind of fault.
SAYS = {"stuck": "(stuck)", "drop-out (zeros)": "(drop-out)", "drop-out (missing)": "silent", "drift": "(drift)",
        "level": "(level shift)", "noise": "(noise)", "spike": "(spike)"}  # fmt: skip
SENSOR_KINDS = ("quality", "silence")


@dataclass(slots=True)
class Part:
    """What came of one domain and half."""

    hits: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    causes: Counter[tuple[str, str]] = field(default_factory=Counter)  # (injected, named)
    alerts: int = 0
    alert_kinds: Counter[str] = field(default_factory=Counter)
    weeks: float = 0.0


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert as it stands in ``alerts.csv``."""

    onset: int
    kind: str
    why: str


def chosen(cities: Sequence[City], rng: np.random.Generator, most: int) -> list[City]:
    """At most ``most`` series: a year of each hourly one, the whole of the others; long ones more than once."""
    picked, order = [], rng.permutation(len(cities))
    for k in range(most):
        city = cities[order[k % len(cities)]]
        fast = city.interval_s < 1_800
        long_ms = min(YEAR_MS, int(city.t[-1] - city.t[0]))
        begin = int(city.t[0]) if fast else int(rng.uniform(city.t[0], city.t[-1] - long_ms))
        part = slice(*np.searchsorted(city.t, (begin, begin + long_ms + 1)).tolist())
        picked.append(city.part(part.start, part.stop, f"{city.name}-{k}"))
    return picked


def run(cities: Sequence[City], detector: str) -> dict[str, list[Raised]]:
    """Alerts by series."""
    with tempfile.TemporaryDirectory(prefix="borough-faults-") as folder:
        readings, sensors = Path(folder, "readings.csv"), Path(folder, "sensors.csv")
        with sensors.open("w", encoding="utf-8") as file:
            file.write("sensor,area,lat,lon\n" + "".join(f"{c.name},area-{c.name},,\n" for c in cities))
        with readings.open("w", encoding="utf-8") as file:
            file.write("time,series,value\n")
            for c in cities:
                rows = zip(c.t.tolist(), c.x.tolist(), strict=True)
                file.write("".join(f"{format_time(t)},{c.name}/{c.quantity},{x!r}\n" for t, x in rows))
        backtest(readings=readings, sensors=sensors, links=None, events=None, out=Path(folder, "out"),
                 detector=detector, lateness_s=10, horizon_s=86_400)  # fmt: skip
        raised: dict[str, list[Raised]] = defaultdict(list)
        with Path(folder, "out", "alerts.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                onset = int(datetime.fromisoformat(row["onset"]).timestamp() * 1_000)
                for series in row["series"].split(";"):
                    raised[series].append(Raised(onset, row["kind"], row["why"]))
        return raised


def score(part: Part, city: City, clean: list[Raised], with_faults: list[Raised], faults: list[Injected]) -> None:
    """Add what came of one series to the figures of its domain and half."""
    warm = int(city.t[0]) + (WARM_FAST_MS if city.interval_s < 1_800 else WARM_MS)
    counted = [alert for alert in clean if alert.onset >= warm]
    part.alerts += len(counted)
    part.alert_kinds.update(_named(alert) for alert in counted)
    part.weeks += (int(city.t[-1]) - warm) / WEEK_MS
    known = {alert.onset for alert in clean}
    tolerance = int(2_000 * city.interval_s)
    for fault in faults:
        found = [a for a in with_faults if fault.start <= a.onset <= fault.end + tolerance and a.onset not in known]
        part.hits[fault.kind].append(bool(found))
        if found:
            first = min(found, key=lambda alert: (alert.kind not in SENSOR_KINDS, alert.onset))
            part.causes[fault.kind, _named(first)] += 1


def _named(alert: Raised) -> str:
    if alert.kind not in SENSOR_KINDS:
        return "anomaly"
    said = [kind for kind, words in SAYS.items() if words in alert.why]
    return said[0] if said else alert.why.rsplit("(", 1)[-1].split(")")[0]


def measure(data: Path, domain: str, half: str, seed: int, detector: str, most: int) -> Part:
    rng = np.random.default_rng([seed, DOMAINS.index(domain), HALVES.index(half)])
    cities = chosen(load(data, domain, half), rng, most)
    spoiled = [faulty(city, rng) for city in cities]
    clean, with_faults = run(cities, detector), run([city for city, _ in spoiled], detector)
    part = Part()
    for city, (_, faults) in zip(cities, spoiled, strict=True):
        name = f"{city.name}/{city.quantity}"
        score(part, city, clean[name], with_faults[name], faults)
    return part


def rate(hits: Sequence[bool]) -> float:
    return float(np.mean(hits)) if hits else float("nan")


def right(part: Part) -> float:
    total = sum(part.causes.values())
    return sum(n for (injected, named), n in part.causes.items() if injected == named) / max(1, total)


def told(parts: dict[tuple[str, str], Part]) -> str:
    """The figures as Markdown tables."""
    head = ["domain, half", "faults", *KINDS, "alerts per sensor-week", "cause right"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for (domain, half), part in parts.items():
        n = sum(len(hits) for hits in part.hits.values())
        rates = [f"{rate(part.hits[kind]):.2f}" for kind in KINDS]
        cells = [f"{domain}, {half}", str(n), *rates, f"{part.alerts / part.weeks:.2f}", f"{right(part):.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    lines.append("| floor | | " + " | ".join(f"{FLOORS[kind]:.2f}" for kind in KINDS) + " | ≤ 2 | 0.85 |")
    causes: Counter[tuple[str, str]] = sum((part.causes for part in parts.values()), Counter())
    names = [*KINDS, *sorted({named for _, named in causes} - set(KINDS))]
    lines += ["", "| injected ↓ named → | " + " | ".join(names) + " |", "|" + "---|" * (len(names) + 1)]
    lines += [f"| {kind} | " + " | ".join(str(causes[kind, name] or "") for name in names) + " |" for kind in KINDS]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--detector", default=DEFAULT)
    parser.add_argument("--series", type=int, default=8, help="series per domain and half")
    parser.add_argument("--half", choices=HALVES, default=None)
    parser.add_argument("--domain", choices=DOMAINS, default=None)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    parts: dict[tuple[str, str], Part] = {}
    for half in [options.half] if options.half else HALVES:
        for domain in [options.domain] if options.domain else DOMAINS:
            part = measure(options.data, domain, half, options.seed, options.detector, options.series)
            parts[domain, half] = part
            print(f"{domain}, {half}: alerts without faults {dict(part.alert_kinds)}", flush=True)
    command = (
        f"benchmarks/quality/faults.py --seed {options.seed} --detector {options.detector} --series {options.series}"
    )
    command += f" --half {options.half}" if options.half else ""
    command += f" --domain {options.domain}" if options.domain else ""
    print(command, told(parts), sep="\n\n")
    if options.write:
        from benchmarks.quality import faults_page

        faults_page.write(ROOT / "docs" / "quality", command, told(parts), parts, KINDS, FLOORS)


if __name__ == "__main__":
    main()
