"""The gateway on its own: the readings door and what operators ask of it."""

import asyncio
from collections.abc import Callable

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.responses import Response

from connectors.gateway import Gateway
from service.assemble import routers_of
from web.answers import Answer
from web.metrics import RequestMetrics, metrics_response
from web.problems import Problem, install


def gateway_app(gateway: Gateway, ready: Callable[[], dict[str, str]], registry: CollectorRegistry) -> FastAPI:
    """POST /v1/readings, /healthz, /readyz, /metrics."""
    app = FastAPI(title="Borough gateway", version="1", openapi_url="/v1/openapi.json", docs_url=None, redoc_url=None)
    install(app)
    for router in routers_of(gateway):
        app.include_router(router)

    @app.get("/healthz")
    async def healthz() -> Response:
        return Answer({"status": "ok"})

    @app.get("/readyz")
    async def readyz() -> Response:
        states = await asyncio.to_thread(ready)
        missing = {name: state for name, state in states.items() if state != "ok"}
        if missing:
            raise Problem(503, "; ".join(f"{name}: {reason}" for name, reason in missing.items()), missing=missing)
        return Answer({"status": "ok", "parts": states})

    @app.get("/metrics")
    async def metrics() -> Response:
        return metrics_response(registry)

    app.add_middleware(RequestMetrics, registry=registry)
    return app
