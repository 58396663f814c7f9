"""The web front door as one value: ``create_app(parts)`` gives an ASGI app with API, live feed and pages."""

from fastapi import FastAPI

from web.api_alerts import alerts_router
from web.api_demo import demo_router
from web.api_live import live_router
from web.api_records import records_router
from web.api_sensors import sensors_router
from web.api_series import series_router
from web.assets import VersionedFiles, static_version
from web.metrics import RequestMetrics, watch_live
from web.operations import operations_router
from web.pages import pages_router
from web.parts import WebParts
from web.problems import install
from web.security import SameSite, SecurityHeaders

__all__ = ["WebParts", "create_app"]


def create_app(parts: WebParts) -> FastAPI:
    """The app; it owns nothing and needs no lifespan. Call ``parts.live.close()`` before the server stops."""
    app = FastAPI(
        title="Borough",
        version="1",
        summary="Live alerts, series and history of a town's sensors.",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    install(app)
    version = static_version()
    for router in (
        *parts.routers,
        *([demo_router(parts.demo)] if parts.demo else []),
        series_router(parts),
        alerts_router(parts),
        live_router(parts),
        sensors_router(parts),
        records_router(parts),
        operations_router(parts.ready, parts.registry),
        pages_router(parts, app, version),
    ):
        app.include_router(router)
    app.mount("/static", VersionedFiles(version), name="static")
    watch_live(parts.live, parts.registry)
    # The last one added is the outermost.
    app.add_middleware(SameSite, hosts=parts.hosts)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestMetrics, registry=parts.registry)
    return app
