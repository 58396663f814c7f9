"""Figures about the web part itself, in a registry of their own, and the address where all are read."""

import time

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.live import LiveFeed


class RequestMetrics:
    """Counts requests by route and status, and times them; the live feed is counted but not timed."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        self._count = Counter(
            "borough_web_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "borough_web_request_seconds", "Time to the end of an answer.", ("route",), registry=registry
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        finally:
            # The route's template, not the path: paths hold names, and there is no end of them.
            route = getattr(scope.get("route"), "path", None) or "(none)"
            self._count.labels(scope["method"], route, str(status)).inc()
            if route != "/v1/live":
                self._seconds.labels(route).observe(time.perf_counter() - started)


def watch_live(live: LiveFeed, registry: CollectorRegistry) -> None:
    """Gauges of the live feed."""
    Gauge("borough_live_clients", "Open live feeds.", registry=registry).set_function(lambda: live.clients)
    Gauge("borough_live_dropped", "Clients let go because they were too slow.", registry=registry).set_function(
        lambda: live.dropped
    )


def metrics_response(registry: CollectorRegistry) -> Response:
    return Response(generate_latest(registry), media_type=None, headers={"Content-Type": CONTENT_TYPE_LATEST})
