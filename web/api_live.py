"""GET /v1/live: server-sent events."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from web.parts import WebParts
from web.problems import Problem

RECONNECT_MS = 2_000


def live_router(parts: WebParts) -> APIRouter:
    router = APIRouter(tags=["live"])

    def last_id(
        header: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
        query: Annotated[
            str | None, Query(alias="last_event_id", description="As the header, for a first connection.")
        ] = None,
    ) -> int | None:
        text = header or query
        if not text:
            return None
        if not text.isascii() or not text.isdecimal() or len(text) > 18:
            raise Problem(422, "Last-Event-ID is the id of an event of this feed", field="Last-Event-ID")
        return int(text)

    @router.get(
        "/v1/live",
        response_class=EventSourceResponse,
        summary="Alert changes, latest values and the clock as they come",
        description="Events `alert` (its id is the change id: send it back as Last-Event-ID and nothing is missed), "
        "`latest` (series → time, value), `clock` (event time), `resync` (load the lists again).",
    )
    async def live(after: Annotated[int | None, Depends(last_id)]) -> AsyncIterator[ServerSentEvent]:
        retry: int | None = RECONNECT_MS
        async with aclosing(parts.live.subscribe(after)) as events:
            async for event in events:
                yield ServerSentEvent(
                    raw_data=event.data,
                    event=event.kind,
                    id=None if event.id is None else str(event.id),
                    retry=retry,
                )
                retry = None

    return router
