"""Errors as RFC 9457 problem documents, every one of them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from domain.errors import Rejected, Unavailable, shorten
from web.security import SECURITY_HEADERS
from web.shapes import dumps

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = "5"

log = structlog.get_logger(__name__)


class Problem(Exception):
    """Ends a request with this status; ``detail`` is a plain-English sentence, ``more`` are extension members."""

    def __init__(self, status: int, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.more = more


def problem_response(
    request: Request,
    status: int,
    detail: str,
    more: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        **(more or {}),
    }
    return Response(dumps(body), status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return problem_response(request, error.status, error.detail, error.more)


def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    details = {
        404: f"There is nothing at {shorten(request.url.path)}. The addresses are listed at /docs.",
        405: f"{request.method} is not possible here.",
    }
    detail = error.detail if isinstance(error.detail, str) else dumps(error.detail)
    if detail == HTTPStatus(error.status_code).phrase:
        detail = details.get(error.status_code, detail)
    return problem_response(request, error.status_code, detail, headers=error.headers)


def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"field": ".".join(str(part) for part in item["loc"][1:]), "reason": item["msg"]} for item in error.errors()
    ]
    detail = "; ".join(f"{item['field'] or 'body'}: {item['reason']}" for item in errors)
    return problem_response(request, 422, detail, {"errors": errors})


def _on_rejected(request: Request, error: Exception) -> Response:
    assert isinstance(error, Rejected)
    return problem_response(
        request, 422, str(error), {"field": error.field, "value": error.value, "reason": error.reason}
    )


def _on_unavailable(request: Request, error: Exception) -> Response:
    return problem_response(
        request, 503, f"Not available just now, try again: {error}", headers={"Retry-After": RETRY_AFTER_S}
    )


def _on_bug(request: Request, error: Exception) -> Response:
    log.error("request failed", method=request.method, path=request.url.path, exc_info=error)
    # This answer is made outside every middleware, so it brings the headers itself.
    return problem_response(
        request, 500, "A fault in Borough. It has been written to the log.", headers=SECURITY_HEADERS
    )


def install(app: FastAPI) -> None:
    """Give every error of the app a problem document."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(Rejected, _on_rejected)
    app.add_exception_handler(Unavailable, _on_unavailable)
    app.add_exception_handler(Exception, _on_bug)
