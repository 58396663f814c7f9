"""``simulate score``: alerts against truth, as a table, JSON or a page; exit code 1 when a gate does not hold."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from domain.errors import Misconfigured
from service.cli_options import AsJson
from service.cli_problems import line_by_line

_WORDS = {
    "detection": "events of the town found", "sensor_detection": "sensor faults found",
    "named_right": "cause named right", "delay_mean_s": "time to detect, mean (s)",
    "delay_median_s": "time to detect, median (s)", "delay_p95_s": "time to detect, 95 % (s)",
    "sensor_delay_median_s": "time to detect of sensor faults, median (s)",
    "transport_alerted": "transport faults alerted as incidents", "alerts": "alerts",
    "alerts_per_event": "alerts for an event that is found", "false": "false alerts",
    "false_share": "false share", "cannot_verify_share": "cannot verify share",
    "false_per_operator_hour": "false alerts per operator-hour",
    "false_per_sensor_week": "false alerts per sensor-week",
    "alerts_per_operator_hour": "alerts per operator-hour", "flood_minutes": "minutes in flood",
}  # fmt: skip
_ROAD_WORDS = {
    "detection": "detection", "false_share": "false share", "delay_mean_s": "mean delay (s)",
    "delay_median_s": "median delay (s)", "false_per_peak_hour_on_87": "false per peak hour on 87 detectors",
}  # fmt: skip


@line_by_line
def score(
    truth: Annotated[Path, typer.Option(metavar="FOLDER", help="Holds truth.csv, as 'simulate run' writes it.")],
    alerts: Annotated[str, typer.Option(metavar="FOLDER|URL", help="Holds alerts.csv, or a running system's address.")],
    expect: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Hold the gates of this scenario (default: the truth's).")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the score as a page with pictures.")] = None,
    as_json: AsJson = False,
) -> int:
    """Score alerts against the truth; exit code 1 when a gate does not hold."""
    from service.scoring import case_of, report_of, scored

    case = case_of(truth, alerts, expect)
    result, held = scored(case)
    report = report_of(case, result, held)
    if html is not None:
        _write_page(html, report)
    if as_json:
        print(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        _print_tables(report)
    failed = [gate for gate in held if not gate.holds]
    for gate in failed:
        shown = "there is none" if gate.figure is None else f"it is {gate.figure:g}"
        print(f"borough: gate {gate.name} {gate.bound:g} does not hold: {shown}", file=sys.stderr)
    return 1 if failed else 0


def _write_page(path: Path, report: dict[str, Any]) -> None:
    from web.score_page import render

    try:
        path.write_text(render(report), encoding="utf-8")
    except OSError as error:
        raise Misconfigured(f"--html: {path} cannot be written: {error.strerror}") from None


def _print_tables(report: dict[str, Any]) -> None:
    from service.cli_tables import print_rows

    figures = report["figures"]
    print_rows(("figure", "value"), [{"figure": _WORDS[k], "value": _shown(figures[k])} for k in _WORDS], "table")
    columns = ("cause", "kind", "labels", "found", "detection", "named_right", "delay_median_s", "delay_p95_s")
    print_rows(columns, _rows(report["by_kind"]), "table")
    columns = ("domain", "labels", "found", "detection", "alerts", "false", "false_share", "false_per_sensor_week")
    print_rows(columns, _rows(report["by_domain"]), "table")
    names = [yardstick["name"] for yardstick in report["yardsticks"]]
    rows = [
        {"road alerts": words, "Borough": _shown(report["roads"].get(k)), **{
            yardstick["name"]: _shown(yardstick.get(k)) for yardstick in report["yardsticks"]
        }}
        for k, words in _ROAD_WORDS.items()
    ]  # fmt: skip
    print_rows(("road alerts", "Borough", *names), rows, "table")
    if report["gates"]:
        told = {True: "yes", False: "NO"}
        rows = [{**g, "figure": _shown(g["figure"]), "holds": told[g["holds"]]} for g in report["gates"]]
        print_rows(("gate", "bound", "figure", "holds"), rows, "table")


def _rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: _shown(value) for name, value in row.items()} for row in rows]


def _shown(value: Any) -> Any:
    return "–" if value is None else value
