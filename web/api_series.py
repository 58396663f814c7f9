"""Series and their aggregates, as JSON and as CSV."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from domain.times import DAY_MS, MINUTE_MS, format_time
from domain.windows import RUNNING_S, WINDOWS_S, Aggregates
from web.answers import LIMIT_MAX, Answer, make_cursor, read_cursor, read_time
from web.catalogue import find_series, known_series
from web.parts import WebParts
from web.problems import Problem
from web.shapes import AGGREGATE_COLUMNS, aggregate_rows, csv_text

WindowText = Annotated[str, Query(alias="window", description=f"Length in seconds, one of {list(WINDOWS_S)}.")]
StartText = Annotated[str | None, Query(description="First window start, inclusive, RFC 3339. Default: end - 24 h.")]
EndText = Annotated[str | None, Query(description="Exclusive, RFC 3339. Default: the end of the series' data.")]
LimitText = Annotated[int | None, Query(ge=1, le=LIMIT_MAX, description="Rows of one page. CSV default: all rows.")]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which aggregates: epoch ms, ``start <= window start < end``; ``limit`` None means all."""

    series: str
    unit: str
    area: str
    window_s: int
    start: int
    end: int
    limit: int | None


def _window(text: str) -> int:
    choices = {str(window): window for window in WINDOWS_S}
    if text not in choices:
        reason = "window is one of " + ", ".join(choices) + " seconds"
        raise Problem(422, f"{reason} (got {text[:120]})", field="window", value=text[:120], reason=reason)
    return choices[text]


def _wanted(
    parts: WebParts, sensor: str, quantity: str, window: str, start: str | None, end: str | None, limit: int | None
) -> _Wanted:
    known = find_series(parts, sensor, quantity)
    window_s = _window(window)
    first, stop = read_time("start", start), read_time("end", end)
    if stop is None:
        newest = known.last if known.last is not None else (parts.latest.now or 0)
        stop = max(newest + MINUTE_MS, (first or 0) + 1)
    if first is None:
        # A running window reaches back from the data's end, so that many of them must start earlier.
        first = stop - DAY_MS - (window_s * 1_000 if window_s in RUNNING_S else 0)
    if first >= stop:
        reason = f"start lies before end ({format_time(first)} is not before {format_time(stop)})"
        raise Problem(422, reason, field="start", value=format_time(first), reason=reason)
    return _Wanted(known.series, known.unit, known.area, window_s, first, stop, limit)


def _page(parts: WebParts, wanted: _Wanted, after: int | None, limit: int) -> tuple[Aggregates, int | None]:
    """At most ``limit`` aggregates and the start of the last one when more follow."""
    start = wanted.start if after is None else max(wanted.start, after + 1)
    batch = parts.store.aggregates(wanted.series, wanted.window_s, start, wanted.end, limit)
    full = len(batch) >= limit
    more = full and len(parts.store.aggregates(wanted.series, wanted.window_s, int(batch.start[-1]) + 1, wanted.end, 1))
    return batch, int(batch.start[-1]) if more else None


def _csv_pages(parts: WebParts, wanted: _Wanted) -> Iterator[str]:
    yield ",".join(AGGREGATE_COLUMNS) + "\n"
    after: int | None = None
    while True:
        batch, after = _page(parts, wanted, after, LIMIT_MAX)
        yield csv_text(aggregate_rows(batch))
        if after is None:
            return


def _query(wanted: _Wanted, limit: int, after: int) -> str:
    return urlencode(
        {
            "window": wanted.window_s,
            "start": format_time(wanted.start),
            "end": format_time(wanted.end),
            "limit": limit,
            "cursor": make_cursor(after),
        }
    )


def _as_csv(parts: WebParts, wanted: _Wanted, path: str, cursor: str | None) -> Response:
    name = wanted.series.replace("/", "_") + f"_{wanted.window_s}s.csv"
    headers = {"Content-Disposition": f'inline; filename="{name}"', "Cache-Control": "no-store", "Vary": "Accept"}
    kind = "text/csv; charset=utf-8"
    if wanted.limit is None and not cursor:
        return StreamingResponse(_csv_pages(parts, wanted), headers=headers, media_type=kind)
    limit = wanted.limit or LIMIT_MAX
    batch, after = _page(parts, wanted, _after(cursor), limit)
    if after is not None:
        headers["Link"] = f'<{path}?{_query(wanted, limit, after)}>; rel="next"'
    return Response(",".join(AGGREGATE_COLUMNS) + "\n" + csv_text(aggregate_rows(batch)), 200, headers, kind)


def _as_json(parts: WebParts, wanted: _Wanted, path: str, cursor: str | None) -> Response:
    limit = wanted.limit or LIMIT_MAX
    batch, after = _page(parts, wanted, _after(cursor), limit)
    rows = [dict(zip(AGGREGATE_COLUMNS, row, strict=True)) for row in aggregate_rows(batch)]
    meta = {
        "series": wanted.series,
        "unit": wanted.unit,
        "area": wanted.area,
        "window_s": wanted.window_s,
        "start": format_time(wanted.start),
        "end": format_time(wanted.end),
        "zone": parts.zone,
        "rows": len(rows),
    }
    bounds = urlencode({"window": wanted.window_s, "start": meta["start"], "end": meta["end"]})
    links = {"csv": f"{path}.csv?{bounds}"}
    headers = {"Vary": "Accept"}
    if after is not None:
        links["next"] = f"{path}?{_query(wanted, limit, after)}"
        headers["Link"] = f'<{links["next"]}>; rel="next"'
    return Answer(rows, meta, links, headers)


def _after(cursor: str | None) -> int | None:
    found = read_cursor(cursor, 1)
    return int(found[0]) if found else None


def _prefers_csv(accept: str) -> bool:
    """True when text/csv stands in the Accept header, and JSON does not stand before it."""
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    if "text/csv" not in kinds:
        return False
    return "application/json" not in kinds or kinds.index("text/csv") < kinds.index("application/json")


def series_router(parts: WebParts) -> APIRouter:
    router = APIRouter(prefix="/v1/series", tags=["series"])

    @router.get("", summary="Every series with its latest value")
    def list_series(area: str | None = None, quantity: str | None = None) -> Response:
        rows = [
            known.object()
            for known in known_series(parts).values()
            if (not area or known.area == area) and (not quantity or known.quantity == quantity)
        ]
        return Answer(rows, {"found": len(rows), "zone": parts.zone})

    @router.get("/{sensor}/{quantity}", summary="One series")
    def one_series(sensor: str, quantity: str) -> Response:
        known = find_series(parts, sensor, quantity)
        path = f"/v1/series/{known.series}"
        links = {"aggregates": f"{path}/aggregates", "forecasts": f"/v1/forecasts/{known.series}"}
        return Answer(known.object(), {"windows_s": WINDOWS_S}, links)

    @router.get("/{sensor}/{quantity}/aggregates.csv", summary="Aggregates of a series as CSV")
    def aggregates_csv(
        request: Request,
        sensor: str,
        quantity: str,
        window: WindowText = "60",
        start: StartText = None,
        end: EndText = None,
        limit: LimitText = None,
        cursor: str | None = None,
    ) -> Response:
        wanted = _wanted(parts, sensor, quantity, window, start, end, limit)
        return _as_csv(parts, wanted, request.url.path, cursor)

    @router.get("/{sensor}/{quantity}/aggregates", summary="Aggregates of a series as JSON, or CSV by Accept")
    def aggregates(
        request: Request,
        sensor: str,
        quantity: str,
        window: WindowText = "60",
        start: StartText = None,
        end: EndText = None,
        limit: LimitText = None,
        cursor: str | None = None,
    ) -> Response:
        wanted = _wanted(parts, sensor, quantity, window, start, end, limit)
        answer = _as_csv if _prefers_csv(request.headers.get("accept", "")) else _as_json
        return answer(parts, wanted, request.url.path, cursor)

    return router
