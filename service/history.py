"""Where ``query`` and ``export`` read from: a running system's API, the embedded store's files, or an InfluxDB."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from domain.errors import Misconfigured, Unavailable
from domain.times import format_time, parse_time
from service import api_client
from service.data_dir import ALERTS, HISTORY, recorded_service
from service.settings import Settings

if TYPE_CHECKING:  # numpy takes longer to import than `borough --help` may take
    from domain.ports import AlertStore, Store

Item = dict[str, Any]
#: No sensor is older, and RFC 3339 knows no later second: 1900-01-01 and 9999-12-31T23:59:59, epoch ms. They are
#: always sent, because the API by itself shows the last day only.
TIME_MIN, TIME_MAX = -2_208_988_800_000, 253_402_300_799_000
_PAGE = 10_000
_PAGE_ALERTS = 1_000
_PAGE_QUARANTINE = 1_000
_WORK_MAX = 100_000


class History(Protocol):
    """Every method gives all there is, oldest first (alerts newest first), as the API's objects."""

    def aggregates(self, series: str, window_s: int, start: int, end: int) -> Iterator[Item]: ...

    def series(self) -> Iterator[Item]: ...

    def alerts(self, state: str | None) -> Iterator[Item]: ...

    def quarantine(self, start: int, end: int) -> Iterator[Item]: ...

    def worklist(self, day: int | None) -> Iterator[Item]:
        """By rank."""


class ApiHistory:
    """Through the HTTP API of a running system."""

    def __init__(self, base: str) -> None:
        self._base = base

    def aggregates(self, series: str, window_s: int, start: int, end: int) -> Iterator[Item]:
        query = {"window": window_s, "start": format_time(start), "end": format_time(end), "limit": _PAGE}
        try:
            yield from api_client.pages(self._base, api_client.series_path(series) + "/aggregates", query)
        except api_client.Missing:
            return  # as a store says it: nothing there

    def series(self) -> Iterator[Item]:
        return api_client.pages(self._base, "/v1/series", {})

    def alerts(self, state: str | None) -> Iterator[Item]:
        return api_client.pages(self._base, "/v1/alerts", {"state": state, "limit": _PAGE_ALERTS})

    def quarantine(self, start: int, end: int) -> Iterator[Item]:
        """The API has no cursor here: each page ends where the one before began, in the same millisecond."""
        seen: set[str] = set()
        while True:
            query = {"start": format_time(start), "end": format_time(end), "limit": _PAGE_QUARANTINE}
            found = list(api_client.pages(self._base, "/v1/quarantine", query))
            fresh = [item for item in found if item["id"] not in seen]
            yield from fresh
            if len(found) < _PAGE_QUARANTINE:
                return
            if not fresh:
                raise Unavailable(
                    f"more than {_PAGE_QUARANTINE} things were put aside at {found[-1]['time']}: "
                    "stop the service and ask again"
                )
            seen.update(item["id"] for item in fresh)
            end = parse_time(found[-1]["time"]) + 1

    def worklist(self, day: int | None) -> Iterator[Item]:
        given = None if day is None else format_time(day)
        return api_client.pages(self._base, "/v1/worklist", {"day": given, "limit": _WORK_MAX})


class StoreHistory:
    """Straight from a store and the file of alerts; nothing else may be running on them."""

    def __init__(self, store: "Store", alerts: "AlertStore | None") -> None:
        self._store, self._alerts = store, alerts

    def aggregates(self, series: str, window_s: int, start: int, end: int) -> Iterator[Item]:
        from web.shapes import AGGREGATE_COLUMNS, aggregate_rows

        while True:
            batch = self._store.aggregates(series, window_s, start, end, _PAGE)
            for row in aggregate_rows(batch):
                yield dict(zip(AGGREGATE_COLUMNS, row, strict=True))
            if len(batch) < _PAGE:
                return
            start = int(batch.start[-1]) + 1

    def series(self) -> Iterator[Item]:
        from domain.series import parse_series

        for info in self._store.series():
            name = parse_series(info.series)
            yield {
                "series": info.series,
                "quantity": name.quantity.name,
                "unit": name.quantity.unit,
                "sensor": name.sensor,
                "area": info.area,
                "latest": {"time": format_time(info.last), "value": info.latest},
            }

    def alerts(self, state: str | None) -> Iterator[Item]:
        from web.shapes import alert_object

        before: tuple[int, str] | None = None
        while self._alerts is not None:
            found = self._alerts.find(state, None, before, _PAGE)
            yield from (alert_object(alert) for alert in found)
            if len(found) < _PAGE:
                return
            before = (found[-1].onset, found[-1].id)

    def quarantine(self, start: int, end: int) -> Iterator[Item]:
        from web.shapes import quarantined_object

        # The port has no cursor: ask for more until fewer come than were asked for.
        limit = _PAGE
        while len(found := self._store.quarantined(start, end, limit)) == limit:
            limit *= 4
        yield from (quarantined_object(item) for item in found)

    def worklist(self, day: int | None) -> Iterator[Item]:
        from web.worklist import work_rows

        yield from work_rows(self._store, day)


def open_history(settings: Settings) -> History:
    """Where the history of these settings is.

    Raises:
        Misconfigured: nothing runs there and the data folder has no history.
        Unavailable: an address was given and nobody answers there, or the InfluxDB does not.
    """
    if settings.api_url:
        return ApiHistory(settings.api)
    base = recorded_service(settings.data_dir)
    if base and api_client.answers(base):
        return ApiHistory(base)
    alerts = _alerts(settings.data_dir / ALERTS)
    if settings.store != "embedded":
        from service.transport import influx

        return StoreHistory(influx(settings), alerts)
    if not (settings.data_dir / HISTORY).is_file():
        raise Misconfigured(
            f"no history in {settings.data_dir} and no system running on it: "
            "give --data-dir (the demo's is var/demo), or --api-url for a running one"
        )
    from connectors.duckdb_store import DuckDbStore

    return StoreHistory(DuckDbStore(settings.data_dir / HISTORY), alerts)


def _alerts(path: Path) -> "AlertStore | None":
    if not path.is_file():
        return None
    from connectors.alert_store import SqliteAlertStore

    return SqliteAlertStore(path)
