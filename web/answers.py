"""The envelope of every answer, cursors, and the reading of query parameters."""

import base64
import binascii
from typing import Any

from starlette.responses import Response

from domain.errors import Rejected
from domain.times import parse_time
from web.problems import Problem
from web.shapes import dumps

LIMIT_MAX = 10_000


class Answer(Response):
    """``{"data", "meta", "links"}`` as JSON; NaN becomes null."""

    media_type = "application/json"

    def __init__(
        self,
        data: Any,
        meta: dict[str, Any] | None = None,
        links: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        body = dumps({"data": data, "meta": meta or {}, "links": links or {}})
        super().__init__(body, headers={"Cache-Control": "no-store", **(headers or {})})


def read_time(name: str, text: str | None) -> int | None:
    """A time parameter in epoch ms; None when it is absent or empty.

    Raises:
        Problem: 422, naming the parameter.
    """
    if not text:
        return None
    try:
        return parse_time(text.replace(" ", "+"))  # an unescaped + of an offset arrives as a blank
    except Rejected as error:
        raise Problem(422, f"{name}: {error.reason}", field=name, value=error.value, reason=error.reason) from None


def make_cursor(*parts: str | int) -> str:
    """An opaque cursor of these parts."""
    return base64.urlsafe_b64encode(" ".join(str(part) for part in parts).encode()).decode().rstrip("=")


def read_cursor(cursor: str | None, parts: int) -> list[str] | None:
    """The parts of a cursor, None when there is none.

    Raises:
        Problem: 422 when it was not made by ``make_cursor``.
    """
    if not cursor:
        return None
    try:
        found = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(" ", parts - 1)
        int(found[0])
    except (binascii.Error, ValueError):
        found = []
    if len(found) != parts:
        raise Problem(422, "cursor: take it from links.next of the page before", field="cursor", value=cursor[:120])
    return found
