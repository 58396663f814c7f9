"""The worklist as rows, from a store: for the API and the command line."""

from typing import Any

from domain.ports import Store
from domain.times import DAY_MS, format_time
from domain.worklist import Work, enough, worklist

_FIRST_LOOK = 2_000


def work_rows(store: Store, day: int | None) -> list[dict[str, Any]]:
    """Rows by rank from 1; ``day`` is any time of a day, epoch ms, None for the newest. Blocking."""
    day = None if day is None else day - day % DAY_MS
    limit = _FIRST_LOOK
    # The port has no cursor here: ask for more until they reach back far enough, or there are no more.
    while len(found := store.health(None, limit)) == limit and not enough(found, day):
        limit *= 4
    return [_row(rank, work) for rank, work in enumerate(worklist(found, day), start=1)]


def _row(rank: int, work: Work) -> dict[str, Any]:
    told = work.verdict
    return {
        "rank": rank,
        "day": format_time(work.day),
        "sensor": told.sensor,
        "area": work.area,
        "asset": work.asset,
        "verdict": told.verdict,
        "cause": told.cause,
        "share": told.share,
        "impact": told.impact,
    }
