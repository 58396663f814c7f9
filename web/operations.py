"""For those who run it: is it alive, is it ready, how does it do."""

import asyncio
from collections.abc import Callable

from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from starlette.responses import Response

from web.answers import Answer
from web.metrics import metrics_response
from web.problems import Problem


def operations_router(ready: Callable[[], dict[str, str]], registry: CollectorRegistry) -> APIRouter:
    """``ready``: name of each part → ``ok``, or what it waits for; it may block."""
    router = APIRouter(tags=["operations"])

    @router.get("/healthz", summary="200 while the process answers")
    async def healthz() -> Response:
        return Answer({"status": "ok"})

    @router.get("/readyz", summary="200 when every part is ready, else 503 with what is missing")
    async def readyz() -> Response:
        states = await asyncio.to_thread(ready)
        missing = {name: state for name, state in states.items() if state != "ok"}
        if missing:
            detail = "; ".join(f"{name}: {reason}" for name, reason in missing.items())
            raise Problem(503, f"Not ready. {detail}", missing=missing, parts=states)
        return Answer({"status": "ok", "parts": states})

    @router.get("/metrics", summary="Prometheus text format")
    def metrics() -> Response:
        return metrics_response(registry)

    return router
