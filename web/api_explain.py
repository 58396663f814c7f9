"""An alert recomputed from what is kept of the log, beside what it says."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.responses import Response

from domain.messages import Alert
from domain.ports import AlertStore
from web.answers import Answer
from web.problems import Problem


def explain_router(alerts: AlertStore, recompute: Callable[[Alert], dict[str, Any]]) -> APIRouter:
    """``recompute`` blocks for seconds and gives ``equal``, ``recomputed``, ``differs``, ``messages``."""
    router = APIRouter(prefix="/v1/alerts", tags=["alerts"])
    one_at_a_time = asyncio.Semaphore(1)  # it takes a core

    @router.get("/{alert}/recomputation", summary="The alert, recomputed from the log, and whether it is the same")
    async def recomputation(alert: Annotated[str, Path(max_length=200)]) -> Response:
        found = await asyncio.to_thread(alerts.get, alert)
        if found is None:
            raise Problem(404, f"There is no alert {alert}.", alert=alert)
        async with one_at_a_time:
            return Answer(await asyncio.to_thread(recompute, found), {}, {"alert": f"/v1/alerts/{alert}"})

    return router
