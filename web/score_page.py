"""A score as one page that needs nothing else: tables, and bars drawn as SVG."""

from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from web.assets import TEMPLATE_DIR


def render(report: dict[str, Any]) -> str:
    """HTML of a report as ``simulate score --json`` prints it."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATE_DIR), autoescape=select_autoescape(["html"]), undefined=StrictUndefined
    )
    found = sorted(event["delay_s"] for event in report["events"] if event["delay_s"] is not None)
    return templates.get_template("score.html").render(report=report, delays=found, steps=steps(found))


def steps(delays: list[float]) -> str:
    """Points of the cumulative share of delays for an SVG polyline of 600 by 160, minutes 0 to 30 across."""
    points = ["0,160"]
    for k, seconds in enumerate(delays):
        x = min(seconds, 1_800) / 1_800 * 600
        points += [f"{x:.1f},{160 - 160 * k / len(delays):.1f}", f"{x:.1f},{160 - 160 * (k + 1) / len(delays):.1f}"]
    if delays:
        points.append("600,0")
    return " ".join(points)
