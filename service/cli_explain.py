"""``explain``: why an alert was raised, recomputed from what is kept of the log, and whether it comes out the same."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer

from domain.errors import Misconfigured, Rejected
from service import api_client
from service.cli_options import AsJson, with_settings
from service.data_dir import ALERTS, recorded_service
from service.settings import Settings

_NUMBERS = ("observed", "expected", "lower", "upper", "one_in", "since")


@with_settings("place", "client")
def explain(
    settings: Settings,
    alert: Annotated[str, typer.Argument(metavar="ALERT", help="Its id, as 'query alerts' shows it.")],
    as_json: AsJson = False,
) -> int:
    """Recompute an alert from the log and compare: exit code 0 when it comes out the same, 1 when not."""
    base = settings.api if settings.api_url else recorded_service(settings.data_dir)
    if settings.api_url or (base and api_client.answers(base)):
        found = api_client.call(f"{base}/v1/alerts/{quote(alert, safe='')}/recomputation")["data"]
    else:
        found = _from_files(settings, alert)
    if as_json:
        print(json.dumps({"data": found, "meta": {}, "links": {}}, indent=2))
    else:
        _print(found)
    return 0 if found["equal"] else 1


def _from_files(settings: Settings, alert: str) -> dict[str, Any]:
    from connectors.alert_store import SqliteAlertStore
    from service.explaining import explained

    path = settings.data_dir / ALERTS
    if not path.is_file():
        raise Misconfigured(f"no alerts in {settings.data_dir}, nothing runs on it: give --data-dir or --api-url")
    store = SqliteAlertStore(path)
    try:
        known = store.get(alert)
    finally:
        store.close()
    if known is None:
        raise Rejected("alert", alert, "there is no alert with this id; 'borough query alerts' lists them")
    return explained(settings.data_dir, known)


def _print(found: dict[str, Any]) -> None:
    said, again = found["alert"], found["recomputed"]
    why = said["why"]
    print(why["sentence"])
    print(f"\nalert {said['id']}, rule {said['rule']}, {said['place']} in {said['area']}")
    print(f"{'':12}{'as raised':>28}  {'recomputed':>28}")
    for name in _NUMBERS:
        print(f"{name:12}{_text(why[name]):>28}  {_text(again['why'][name] if again else None):>28}")
    print(f"{'score':12}{_text(said['score']):>28}  {_text(again['score'] if again else None):>28}")
    for name, told in (("as raised", why), ("recomputed", again["why"] if again else None)):
        print(f"\n{name}:")
        for line in _details(told) if told else ["nothing was found"]:
            print(f"  {line}")
    if found["equal"]:
        print(f"\nThe same, to the last bit, from {found['messages']} messages of the log.")
    else:
        differs = ", ".join(found["differs"])
        print(f"\nNOT the same after {found['messages']} messages of the log; these differ: {differs}.")


def _details(why: dict[str, Any]) -> list[str]:
    channels = ", ".join(f"{c['name']} {c['share']:.0%}" for c in why["channels"]) or "none"
    neighbours = ", ".join(f"{n['series']} {_text(n.get('observed'))}" for n in why["neighbours"]) or "none"
    earlier = ", ".join(f"{e['time'][:13]}h {_text(e['value'])}" for e in why["earlier"]) or "not known"
    model = why["model"]
    parameters = ", ".join(f"{name} {value}" for name, value in model["parameters"].items()) or "none"
    return [
        f"channels: {channels}",
        f"neighbours: {neighbours}",
        f"same hour on earlier days: {earlier}",
        f"model: {model['name']} version {model['version']}; parameters: {parameters}",
    ]


def _text(value: object) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
