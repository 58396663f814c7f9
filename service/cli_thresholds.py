"""``thresholds`` and ``audit``: what verdicts ask for, adopting it, taking it back, and the trail of all that."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from domain.errors import Misconfigured
from service import api_client
from service.cli_options import AsJson, with_settings
from service.data_dir import ALERTS, recorded_service
from service.settings import Settings

thresholds = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
audit = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

By = Annotated[str, typer.Option(metavar="NAME", help="Who answers for it.")]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; kept for good.")]
Rule = Annotated[str | None, typer.Option(metavar="RULE", help="As in an alert's rule.")]
Area = Annotated[str | None, typer.Option(metavar="AREA", help="The area.")]
Threshold = Annotated[float | None, typer.Option(metavar="0..1", help="Show what this one would have changed.")]


@thresholds.command("list")
@with_settings("place", "client")
def list_(settings: Settings, as_json: AsJson = False) -> None:
    """Thresholds in force that were adopted."""
    with _way(settings) as way:
        found = way.get("", lambda desk: desk.in_force())
    _print(found, as_json, ("id", "rule", "area", "threshold", "before", "since", "by", "reason"))


@thresholds.command("propose")
@with_settings("place", "client")
def propose(
    settings: Settings, rule: Rule = None, area: Area = None, threshold: Threshold = None, as_json: AsJson = False
) -> None:
    """What the verdicts ask for, and what it would have changed in the last 30 days."""
    query = {k: v for k, v in (("rule", rule), ("area", area), ("threshold", threshold)) if v is not None}
    if threshold is not None and not (rule and area):
        raise Misconfigured("--threshold needs --rule and --area")

    def here(desk: Any) -> list[dict[str, Any]]:
        if threshold is not None:
            return [desk.effect_of(rule, area, threshold)]
        return [p for p in desk.proposals() if rule in (None, p["rule"]) and area in (None, p["area"])]

    with _way(settings) as way:
        found = way.get("/proposals?" + urlencode(query), here)
    if as_json:
        _print(found, as_json, ())
        return
    for proposal in found:
        print(_told(proposal))
    if not found:
        print("The verdicts ask for no change (a rule in an area needs five verdicts, three of them false).")


@thresholds.command("adopt")
@with_settings("place", "client")
def adopt(
    settings: Settings,
    rule: Annotated[str, typer.Option(metavar="RULE", help="As in an alert's rule.")],
    area: Annotated[str, typer.Option(metavar="AREA", help="The area.")],
    threshold: Annotated[float, typer.Option(metavar="0..1", help="Findings that score less raise no alert.")],
    by: By,
    reason: Reason,
    as_json: AsJson = False,
) -> None:
    """Adopt a threshold from now on; audited, and can be taken back."""
    body = {"rule": rule, "area": area, "threshold": threshold, "by": by, "reason": reason}
    with _way(settings) as way:
        made = way.post("/adoptions", body, lambda desk: desk.adopt(rule, area, threshold, by, reason))
    _done(made, as_json)


@thresholds.command("revert")
@with_settings("place", "client")
def revert(
    settings: Settings,
    adoption: Annotated[str, typer.Argument(metavar="ADOPTION", help="Its id, as 'thresholds list' shows it.")],
    by: By,
    reason: Reason,
    as_json: AsJson = False,
) -> None:
    """Take an adoption back: what was in force before is in force again."""
    path = f"/adoptions/{quote(adoption, safe='')}/reversals"
    with _way(settings) as way:
        made = way.post(path, {"by": by, "reason": reason}, lambda desk: desk.revert(adoption, by, reason))
    _done(made, as_json)


@audit.command("verify")
@with_settings("place")
def verify(
    settings: Settings,
    head: Annotated[str | None, typer.Option(metavar="HASH", help="A hash noted earlier; it must be there.")] = None,
    as_json: AsJson = False,
) -> int:
    """Compute the audit trail's hashes anew; exit code 1 when an entry was changed, removed or put in between."""
    from connectors.audit_store import SqliteAuditStore
    from service.threshold_desk import AUDIT

    path = settings.data_dir / AUDIT
    if not path.is_file():
        raise Misconfigured(f"no audit trail in {settings.data_dir}: give --data-dir")
    store = SqliteAuditStore(path)
    try:
        found = store.verify()
        cut = head is not None and not found.wrong and head not in {entry.hash for entry in store.entries()}
    finally:
        store.close()
    wrong = found.wrong or (f"no entry has the hash {head}: the trail was cut off or is another one" if cut else "")
    if as_json:
        print(json.dumps({"data": {"entries": found.entries, "head": found.head, "wrong": wrong or None}}))
    elif wrong:
        print(f"{path}: {wrong}; {found.entries} entries before it are as they were written", file=sys.stderr)
    else:
        print(f"{found.entries} entries as they were written; the newest hash is {found.head or 'none'}")
    return 1 if wrong else 0


class _Way:
    """To a running system's API, or to the files when nothing runs."""

    def __init__(self, base: str | None, desk: Any) -> None:
        self._base = base
        self._desk = desk

    def get(self, path: str, here: Callable[[Any], Any]) -> Any:
        return api_client.call(f"{self._base}/v1/thresholds{path}")["data"] if self._base else here(self._desk)

    def post(self, path: str, body: dict[str, Any], here: Callable[[Any], Any]) -> Any:
        if not self._base:
            return asyncio.run(here(self._desk))
        headers = {"Content-Type": "application/json"}
        return api_client.call(f"{self._base}/v1/thresholds{path}", json.dumps(body).encode(), headers)["data"]


@contextmanager
def _way(settings: Settings) -> Iterator[_Way]:
    base = settings.api if settings.api_url else recorded_service(settings.data_dir)
    if settings.api_url or (base and api_client.answers(base)):
        yield _Way(base, None)
        return
    from connectors.alert_store import SqliteAlertStore
    from connectors.audit_store import SqliteAuditStore
    from service.assemble import wall_clock
    from service.threshold_desk import AUDIT, ThresholdDesk, open_book

    if not (settings.data_dir / ALERTS).is_file():
        raise Misconfigured(f"no alerts in {settings.data_dir}, nothing runs on it: give --data-dir or --api-url")
    alerts = SqliteAlertStore(settings.data_dir / ALERTS)
    trail = SqliteAuditStore(settings.data_dir / AUDIT)
    try:
        book = open_book(trail)

        async def take(adoption: Any) -> None:
            book.take(adoption)

        yield _Way(None, ThresholdDesk(alerts, book, wall_clock, take))
    finally:
        alerts.close()
        trail.close()


def _print(found: list[dict[str, Any]], as_json: bool, columns: tuple[str, ...]) -> None:
    if as_json:
        print(json.dumps({"data": found, "meta": {}, "links": {}}, indent=2))
        return
    from service.cli_tables import print_rows

    print_rows(columns, found, "table")


def _told(proposal: dict[str, Any]) -> str:
    effect = proposal["effect"]
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in effect["verdicts_of_not_raised"].items()) or "none"
    judged = f" Judged: {proposal['judged']}, wrong: {proposal['wrong']}." if "judged" in proposal else ""
    return (
        f"{proposal['rule']} in {proposal['area']}: {proposal['current']} → {proposal['threshold']}.{judged} Of the "
        f"{effect['alerts']} alerts of the last {effect['days']} days {effect['not_raised']} would not have been "
        f"raised (verdicts: {verdicts})."
    )


def _done(made: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps({"data": made, "meta": {}, "links": {}}, indent=2))
    else:
        print(f"{made['rule']} in {made['area']}: {made['before']} → {made['threshold']} since {made['since']}")
        print(f"take it back with: borough thresholds revert {made['id']} --by … --reason …")
