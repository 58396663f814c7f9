"""The HTTP door: POST /v1/readings, POST /v1/replay, GET /v1/gateway."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response
from starlette.requests import ClientDisconnect

from connectors.gateway import Gateway, Receipt
from connectors.intake import IntakeLimits, TooLong, Unsupported, parse_body
from connectors.intake_columns import Intake
from domain.errors import Rejected, Unavailable
from domain.times import parse_time

_INLINE_BYTES_MAX = 64 << 10  # a longer body is parsed in a thread: no client holds up the others
_ANSWER_INLINE_MAX = 1_000
_BODY_S_MAX = 60.0
_DISCARD_BYTES_MAX = 32 << 20  # of a body that is too long: most clients read the answer only after sending all
_RETRY_AFTER_S = 5
_RECORDING = re.compile(r"[\w.\-]{1,64}")

_EXAMPLE = {"time": "2026-03-02T06:00:00Z", "series": "loop-014/traffic.speed", "value": 51.2}
_READING = {
    "type": "object",
    "required": ["time", "series", "value"],
    "properties": {"time": {"type": "string"}, "series": {"type": "string"}, "value": {"type": "number"}},
}
_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"oneOf": [_READING, {"type": "array", "items": _READING}]},
            "example": _EXAMPLE,
        },
        "application/x-ndjson": {"schema": {"type": "string"}},
        "text/csv": {"schema": {"type": "string"}, "example": "time,series,value\n"},
    },
}
_RECEIPT = {
    "type": "object",
    "required": ["accepted", "rejected", "held"],
    "properties": {
        "accepted": {"type": "integer"},
        "held": {"type": "integer"},
        "rejected": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["position", "field", "value", "reason"],
                "properties": {
                    "position": {"type": "integer"},
                    "field": {"type": "string"},
                    "value": {"type": "string"},
                    "reason": {"type": "string"},
                },
            },
        },
    },
}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    202: {"description": "Durable", "content": {"application/json": {"schema": _RECEIPT}}},
    400: {"description": "The body cannot be read at all"},
    408: {"description": "The body did not arrive in time"},
    413: {"description": "Too long: send it in parts"},
    415: {"description": "A content type that cannot be meant"},
    503: {"description": "Nothing was taken: try again after Retry-After seconds"},
}


def readings_router(gateway: Gateway, limits: IntakeLimits | None = None) -> APIRouter:
    """The routes by which readings come in over HTTP; errors are RFC 9457 problems."""
    router = APIRouter(tags=["readings"])
    bounds = limits or IntakeLimits()
    openapi = {"requestBody": _BODY}

    @router.post("/v1/readings", status_code=202, responses=_PROBLEMS, openapi_extra=openapi, response_model=None)
    async def post_readings(request: Request) -> Response:
        """Take readings: a JSON object or array, NDJSON, or CSV `time,series,value`; each may be gzipped.

        Answers when the accepted readings are durable. `rejected` says of each other reading where it stood (from 0),
        which field is at fault and why; `held` counts those kept until their sensor is registered.
        """
        return await _answer(request, bounds, gateway.accept)

    @router.post("/v1/replay", status_code=202, responses=_PROBLEMS, openapi_extra=openapi, response_model=None)
    async def post_replay(
        request: Request, recording: Annotated[str, Query(alias="gateway")] = "", tick: str = ""
    ) -> Response:
        """Take a recording: as POST /v1/readings without a limit in the past.

        `gateway` names the recording; `tick` (RFC 3339), when given, lets its time pass once the readings are durable.
        """
        if not _RECORDING.fullmatch(recording):
            return _problem(400, "gateway names the recording: 1 to 64 letters, digits or . - _", field="gateway")
        try:
            now = parse_time(tick) if tick else None
        except Rejected as error:
            return _problem(400, error.reason, field="tick", value=error.value)

        async def take(intake: Intake) -> Receipt:
            receipt = await gateway.accept_history(intake, recording)
            if now is not None:
                await gateway.tick_history(now, recording)
            return receipt

        return await _answer(request, bounds, take)

    @router.get("/v1/gateway", response_model=None)
    async def get_gateway() -> Response:
        """The gateway's name, what waits in its outbox, and what is held of sensors that nobody has registered."""
        depth = await asyncio.to_thread(gateway.outbox.depth)
        held = await asyncio.to_thread(gateway.held.listing)
        data = {
            "name": gateway.name,
            "outbox": {"entries": depth},
            "accepted": gateway.accepted_total,
            "rejected": gateway.rejected_total,
            "held": {"readings": gateway.held.total(), "sensors": [asdict(row) for row in held]},
        }
        return _json(200, {"data": data, "meta": {}, "links": {"self": "/v1/gateway"}})

    return router


async def _answer(request: Request, limits: IntakeLimits, take: Callable[[Intake], Awaitable[Receipt]]) -> Response:
    try:
        async with asyncio.timeout(_BODY_S_MAX):
            body = await _body(request, limits.body_bytes_max)
    except ClientDisconnect:
        return _problem(400, "the body was cut off")  # nobody reads it
    except TimeoutError:
        return _problem(408, f"the body did not arrive within {_BODY_S_MAX:.0f} s")
    except TooLong as error:
        return _problem(413, error.reason, field=error.field, value=error.value)
    try:
        intake = await _parsed(body, request, limits)
        receipt = await take(intake)
    except TooLong as error:
        return _problem(413, error.reason, field=error.field, value=error.value)
    except Unsupported as error:
        return _problem(415, error.reason, field=error.field, value=error.value)
    except Rejected as error:
        return _problem(400, error.reason, field=error.field, value=error.value)
    except Unavailable as error:
        return _problem(503, str(error), headers={"Retry-After": str(_RETRY_AFTER_S)})
    if len(receipt.rejected) > _ANSWER_INLINE_MAX:
        return await asyncio.to_thread(_json, 202, receipt)
    return _json(202, receipt)


async def _parsed(body: bytes, request: Request, limits: IntakeLimits) -> Intake:
    kind = request.headers.get("content-type", "")
    encoding = request.headers.get("content-encoding", "")
    if len(body) > _INLINE_BYTES_MAX or encoding or body.startswith(b"\x1f\x8b"):
        return await asyncio.to_thread(parse_body, body, kind, encoding, limits)
    return parse_body(body, kind, encoding, limits)


async def _body(request: Request, bytes_max: int) -> bytes:
    """The body as sent; what is beyond the limit is never kept. Raises: TooLong."""
    parts: list[bytes] = []
    size = 0
    declared = request.headers.get("content-length", "")
    waits_for_leave = request.headers.get("expect", "").lower() == "100-continue"
    if not (waits_for_leave and declared.isdigit() and int(declared) > bytes_max):
        async for part in request.stream():
            size += len(part)
            if size <= bytes_max:
                parts.append(part)
            elif size > _DISCARD_BYTES_MAX:
                break
            else:
                parts.clear()
        if size <= bytes_max:
            return b"".join(parts)
    raise TooLong("body", declared or f"{size} bytes", f"longer than {bytes_max} bytes: send it in parts")


def _json(status: int, content: Any, kind: str = "application/json", headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(content), status, headers, kind)


_TITLES = {
    400: "Bad request",
    408: "Request timeout",
    413: "Content too large",
    415: "Unsupported media type",
    503: "Service unavailable",
}


def _problem(status: int, detail: str, headers: dict[str, str] | None = None, **more: str) -> Response:
    shown = {name: text.encode("utf-8", "replace").decode() for name, text in more.items()}
    content = {"type": "about:blank", "title": _TITLES[status], "status": status, "detail": detail, **shown}
    return _json(status, content, "application/problem+json", headers)
