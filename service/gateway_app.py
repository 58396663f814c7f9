"""The gateway on its own: the readings door and what operators ask of it."""

from collections.abc import Callable

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from connectors.gateway import Gateway
from service.assemble import routers_of
from web.metrics import RequestMetrics
from web.operations import operations_router
from web.problems import install


def gateway_app(gateway: Gateway, ready: Callable[[], dict[str, str]], registry: CollectorRegistry) -> FastAPI:
    """POST /v1/readings and /v1/replay, /healthz, /readyz, /metrics."""
    app = FastAPI(title="Borough gateway", version="1", openapi_url="/v1/openapi.json", docs_url=None, redoc_url=None)
    install(app)
    for router in (*routers_of(gateway), operations_router(ready, registry)):
        app.include_router(router)
    app.add_middleware(RequestMetrics, registry=registry)
    return app
