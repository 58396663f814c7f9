"""The pages: the live page, and the list of the API's addresses. Everything on them comes from this server."""

from typing import Any

from fastapi import APIRouter, FastAPI
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse, Response

from domain.quantities import QUANTITIES
from web.api_sensors import sensor_objects
from web.assets import TEMPLATE_DIR
from web.parts import WebParts
from web.shapes import alert_object

ALERTS_WITHOUT_SCRIPT = 100


def _operations(openapi: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per address and method, in the order of the OpenAPI document."""
    return [
        {
            "method": method.upper(),
            "path": path,
            "summary": operation.get("summary", ""),
            "description": operation.get("description", ""),
            "parameters": [
                {"name": item["name"], "in": item["in"], "description": item.get("description", "")}
                for item in operation.get("parameters", [])
            ],
        }
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]


def pages_router(parts: WebParts, app: FastAPI, version: str) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    templates = Environment(
        loader=FileSystemLoader(TEMPLATE_DIR), autoescape=select_autoescape(["html"]), undefined=StrictUndefined
    )
    static = f"/static/{version}"

    boot = {"zone": parts.zone, "town": parts.town, "units": {name: row.unit for name, row in QUANTITIES.items()}}

    def page(name: str, **values: Any) -> Response:
        html = templates.get_template(name).render(static=static, town=parts.town, zone=parts.zone, **values)
        return HTMLResponse(html, headers={"Cache-Control": "no-cache"})

    @router.get("/")
    def live_page() -> Response:
        alerts = parts.alerts.find("active", None, None, ALERTS_WITHOUT_SCRIPT)
        return page(
            "live.html",
            alerts=[alert_object(alert) for alert in alerts],
            sensors=sensor_objects(parts),
            boot=boot,
            demo=parts.demo is not None,
        )

    @router.get("/docs")
    def docs_page() -> Response:
        return page("docs.html", operations=_operations(app.openapi()))

    return router
