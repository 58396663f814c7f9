"""``docs/quality/roads.md``: the road detectors in tables, beside the yardsticks."""

import csv
import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

from simulator.scoreboard import FALSE
from simulator.scoreboard_figures import Score, on_roads, share

_HEAD = (
    "choice", "events", "detected", "crashes", "stopped vehicles", "alerts", "false", "false share", "mean delay (s)",
    "median delay (s)", "false per peak hour on 87 loops",
)  # fmt: skip
#: As in the domain notes: Utah 2001, Dudek 1974, the UK bar for stopped-vehicle detection.
_YARDSTICKS = (
    ("APID in service (Utah 2001)", "", "0.86", "", "", "", "", "", "150", "", "8"),
    ("Standard normal deviate (Dudek 1974)", "35", "0.92", "", "", "", "", "0.01", "66", "", ""),
    ("UK stopped-vehicle bar", "", "≥ 0.80", "", "", "", "", "≤ 0.15", "≤ 20", "", ""),
)
_NEEDED = ("speed", "occupancy")


def page(command: str, said: str, alone: Mapping[str, Score], whole: Mapping[str, Score], recording: str) -> str:
    """Markdown. Road findings alone by choice, all that is said of the loops, and what a recording allows."""
    return "\n".join(
        [
            "# Incidents on the roads: the classics side by side\n",
            f"`{command}`\n",
            f"{said} on two shared cores. Simulated towns with six crashes and six stopped vehicles a day "
            "and some sensor faults, two quiet days first; seeds pooled. Thresholds that are ours were chosen on seeds "
            "1-5. Why the default is what it is: [decision 0020](../decisions/0020-road-detectors.md).\n",
            "## Road findings alone\n",
            _table([*(_row(name, result) for name, result in alone.items()), *_YARDSTICKS]),
            "Events are all that happens to the traffic: also crowds, fog and roadworks, which none of the four is "
            "made for, and stopped vehicles that leave most of a road free. The delay counts from the beginning of "
            "the cause; a minute has to close first, and the queue has to reach a loop: they are about a kilometre "
            "apart. The yardsticks were measured on other roads, with other spacings and other definitions of a false "
            "alarm.\n",
            "## With all else that is said of the loops\n",
            _table([_row(name, result) for name, result in whole.items()]),
            "Alerts that call traffic an anomaly or an incident; what is called a sensor fault is not among them.\n",
            "## On a recording\n",
            recording + "\n",
        ]
    )


def recorded(folder: Path) -> str:
    """What the recorded PeMS data allows, in words."""
    path = folder / "test.csv.gz"
    if not path.is_file():
        return "PeMS I-405: the recording is not here, nothing was run on it."
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        columns = next(csv.reader(file))
    if not any(word in column.lower() for column in columns for word in _NEEDED):
        return (
            f"PeMS I-405 (shared data) holds {', '.join(columns[1:])} of one detector: neither speed nor occupancy, "
            "and no second station. The bottleneck test needs the speeds of two stations, the other three need "
            "occupancies by the minute, so none of the four can be run on it, and nothing is claimed for it."
        )
    return f"PeMS I-405 holds {', '.join(columns[1:])}; this benchmark reads no such recording yet."


def _row(name: str, result: Score) -> tuple[str, ...]:
    figures = on_roads(result)
    said = [j for j in result.judgements if j.domain == "traffic" and j.said.kind in ("anomaly", "incident")]
    return (
        name, _cell(figures["events"]), _cell(figures["detection"]), _cell(_found(result, "crash")),
        _cell(_found(result, "stopped-vehicle")), _cell(len(said)), _cell(sum(j.verdict == FALSE for j in said)),
        _cell(figures["false_share"]), _cell(figures["delay_mean_s"]), _cell(figures["delay_median_s"]),
        _cell(figures["false_per_peak_hour_on_87"]),
    )  # fmt: skip


def _found(result: Score, kind: str) -> float | None:
    return share(one.found for one in result.outcomes if one.truth.kind == kind)


def _cell(figure: float | int | None) -> str:
    return "–" if figure is None else f"{figure:.4g}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(_HEAD) + " |", "|" + "---|" * len(_HEAD)]
    lines += ["| " + " | ".join(cell or "–" for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
