"""The headline: simulated days with the standard mix of events and faults through ``backtest``, scored.

``python benchmarks/city.py --days 32 --size 40 --seed 7`` plays the scenario ``standard-month`` (two quiet days first)
into files, runs the backtest over them as anybody would, and scores its alerts against the truth. ``--write FILE``
makes the page in docs/quality; ``--detector`` takes any of the registry.
"""

import argparse
import csv
import re
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from domain.times import HOUR_MS, MINUTE_MS
from service.backtest import backtest
from service.playing import write_play
from service.scoring import case_of, report_of, scored
from service.settings import ROWS
from simulator.scenario import load
from simulator.scenario_run import Play
from simulator.scoreboard import FALSE, Said
from simulator.scoreboard_figures import Score

LATENESS_S = 30.0
HORIZON_S = 3_600.0


def run(scenario: str, days: float, size: int, seed: int, detector: str, folder: Path) -> dict[str, Any]:
    """The score's report, with what it was made of under ``run``."""
    chosen = replace(load(scenario), days=days, size=size)
    began = time.perf_counter()
    digest = write_play(Play.of(chosen, seed), folder / "city", 1)
    made = time.perf_counter()
    summary = backtest(
        readings=folder / "city" / "readings.csv", sensors=folder / "city" / "sensors.csv",
        links=folder / "city" / "links.csv", events=None, out=folder / "out", detector=detector,
        lateness_s=LATENESS_S, horizon_s=HORIZON_S,
    )  # fmt: skip
    done = time.perf_counter()
    case = case_of(folder / "city", str(folder / "out"), None)
    result, held = scored(case)
    return {
        **report_of(case, result, held),
        "false_alerts": false_alerts(result, folder / "out" / "alerts.csv"),
        "run": {
            "scenario": scenario, "days": days, "size": size, "seed": seed, "detector": detector,
            "readings": summary.readings, "sha256": str(digest),
            "generate_s": round(made - began, 1), "backtest_s": round(done - made, 1),
        },
    }  # fmt: skip


def false_alerts(result: Score, alerts: Path) -> list[dict[str, Any]]:
    """What of the ordinary town is alerted: by field, kind and reason, the most frequent first.

    Two columns say what it may be: onsets from two minutes before a full hour to nine after it (by chance 20 %: what
    is expected goes by hours), and alerts, true or false, at another sensor of the field within three hours (weather,
    demand).
    """
    with alerts.open(encoding="utf-8", newline="") as file:
        why = {row["alert"]: row["why"] for row in csv.DictReader(file)}
    groups: dict[tuple[str, str, str], list[Said]] = {}
    for judgement in result.judgements:
        if judgement.verdict == FALSE:
            said = judgement.said
            named = re.search(r"\(([^()]+)\)[^()]*$", why[said.alert]) if said.kind == "quality" else None
            reason = named.group(1) if named else "not what was expected"
            groups.setdefault((judgement.domain, said.kind, reason), []).append(said)
    everyone = [(j.domain, j.said) for j in result.judgements]
    return [
        {
            "field": field, "said": kind, "reason": reason, "false alerts": len(group),
            "at a full hour": sum((said.onset // MINUTE_MS + 2) % 60 <= 11 for said in group),
            "another sensor, too": sum(_others(said, field, everyone) for said in group),
        }
        for (field, kind, reason), group in sorted(groups.items(), key=lambda each: (-len(each[1]), each[0]))
    ]  # fmt: skip


def _others(said: Said, field: str, everyone: list[tuple[str, Said]]) -> bool:
    mine = {name.partition("/")[0] for name in said.series}
    return any(
        other == field
        and abs(one.raised - said.raised) < 3 * HOUR_MS
        and mine.isdisjoint(name.partition("/")[0] for name in one.series)
        for other, one in everyone
    )


def page(report: dict[str, Any]) -> str:
    """Markdown of a report."""
    how, figures = report["run"], report["figures"]
    parts = [
        "# How Borough does in the simulated city\n",
        f"`python benchmarks/city.py --scenario {how['scenario']} --days {how['days']:g} --size {how['size']} "
        f"--seed {how['seed']} --detector {how['detector']} --write docs/quality/city.md`\n",
        f"{how['readings']:,} readings of {how['size']} sensors, {report['start']} to {report['end']}; readings table "
        f"`{how['sha256'][:16]}…`. 2 shared cores: generated in {how['generate_s']:.0f} s, analysed in "
        f"{how['backtest_s']:.0f} s. What the figures mean: [the simulator](../simulator.md).\n",
        "## Figures\n", _table(("figure", "value"), [(k.replace("_", " "), v) for k, v in figures.items()]),
        "## By kind\n", _of_rows(report["by_kind"]),
        "## By domain\n", _of_rows(report["by_domain"]),
        "## False alerts: what of the ordinary town is alerted\n", _of_rows(report["false_alerts"]),
        "At a full hour: onset from two minutes before to nine after it; by chance 20 % would be. Another sensor, too: "
        "one of the field is alerted within three hours, as weather and demand would have it.\n",
        "## Road alerts beside known yardsticks\n",
        _table(
            ("figure", "Borough", *(y["name"] for y in report["yardsticks"])),
            [(k.replace("_", " "), v, *(y.get(k) for y in report["yardsticks"])) for k, v in report["roads"].items()],
        ),
        "The bar counts its 20 s from when the data could show it; Borough's delay counts from the cause, which a loop "
        "that reports once a minute cannot show sooner than its next report.\n",
    ]  # fmt: skip
    return "\n".join(parts)


def _of_rows(rows: list[dict[str, Any]]) -> str:
    return _table([name.replace("_", " ") for name in rows[0]], [tuple(row.values()) for row in rows]) if rows else ""


def _table(head: Any, rows: Any) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join("–" if cell is None else f"{cell}" for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", default="standard-month")
    parser.add_argument("--days", type=float, default=5.0, help="of the scenario, its two quiet ones included")
    parser.add_argument("--size", type=int, default=40, help="sensors of the town")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--detector", default=ROWS["detector"].default)
    parser.add_argument("--write", type=Path, help="the page to be made, e.g. docs/quality/city.md")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="borough-city-") as folder:
        report = run(args.scenario, args.days, args.size, args.seed, args.detector, Path(folder))
    text = page(report)
    if args.write:
        args.write.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
