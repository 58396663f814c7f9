"""The HTTP API of a running system, as the command line uses it: all pages of a list, and sending readings."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urljoin
from urllib.request import ProxyHandler, Request, build_opener

from domain.errors import Rejected, Unavailable, shorten

_TIMEOUT_S = 60.0
_RETRY_S_MAX = 30.0
# No proxy from the environment: the address is the user's own system, mostly on this machine.
_opener = build_opener(ProxyHandler({}))


def call(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Any:
    """One request; the decoded JSON answer.

    Raises:
        Rejected: the server refuses this request for good (4xx; 404 is Missing); its own words are kept.
        Unavailable: nobody answers, or "later" (429, 5xx); ``retry_after_s`` is set on the error.
    """
    request = Request(url, data=body, headers={"Accept": "application/json", **(headers or {})})
    try:
        with _opener.open(request, timeout=_TIMEOUT_S) as answer:
            return json.loads(answer.read() or b"null")
    except HTTPError as error:
        detail = _detail(error)
        if error.code == 429 or error.code >= 500:
            raise Later(f"{url} answered {error.code}: {detail}", _seconds(error.headers.get("Retry-After"))) from None
        kind = Missing if error.code == 404 else Rejected
        raise kind("request", url, f"{detail} ({error.code})") from None
    except (URLError, HTTPException, OSError) as error:
        raise Later(f"{url} cannot be reached: {getattr(error, 'reason', error)}", None) from None
    except ValueError:
        raise Unavailable(f"{url} does not answer with JSON: is it a Borough?") from None


class Missing(Rejected):
    """What was asked for is not there (404)."""


class Later(Unavailable):
    """Not now; ``retry_after_s`` is what the server asked for, if it did."""

    def __init__(self, message: str, retry_after_s: float | None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


def _detail(error: HTTPError) -> str:
    raw = error.read()
    try:
        problem = json.loads(raw)
        return shorten(str(problem.get("detail") or problem.get("title") or error.reason))
    except (ValueError, AttributeError):
        return shorten(raw.decode("utf-8", "replace") or str(error.reason))


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdigit() else None


def answers(base: str) -> bool:
    """Whether a Borough listens there."""
    try:
        call(f"{base}/healthz")
    except (Rejected, Unavailable):
        return False
    return True


def pages(base: str, path: str, query: Mapping[str, object]) -> Iterator[dict[str, Any]]:
    """The items of a list, page after page until there is no next one."""
    given = {name: value for name, value in query.items() if value is not None}
    url: str | None = f"{base}{path}?{urlencode(given)}"
    while url:
        answer = call(url)
        yield from answer["data"]
        following = answer.get("links", {}).get("next")
        url = urljoin(url, following) if following else None


def series_path(series: str) -> str:
    """``/v1/series/{sensor}/{quantity}`` with both parts quoted."""
    return "/v1/series/" + "/".join(quote(part, safe="") for part in series.split("/", 1))


def post_patiently(
    url: str, body: bytes, headers: Mapping[str, str], *, patience_s: float, waiting: Callable[[str], None]
) -> Any:
    """Send, and send again while the answer is "later": back-off from 0.2 s, doubling, or as the server asks.

    Raises: Rejected; Unavailable after ``patience_s`` without an answer that takes it.
    """
    delay, waited = 0.2, 0.0
    while True:
        try:
            return call(url, body, headers)
        except Later as error:
            pause = min(error.retry_after_s or delay, _RETRY_S_MAX)
            if waited + pause > patience_s:
                raise
            waiting(str(error))
            time.sleep(pause)
            waited, delay = waited + pause, min(delay * 2, _RETRY_S_MAX)
