"""Waiting for what is away: again and again, for as long as it takes, saying so."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from domain.errors import Unavailable

T = TypeVar("T")

log = structlog.get_logger(__name__)


async def until_available(attempt: Callable[[], Awaitable[T]]) -> T:
    """The result of ``attempt``, tried again while it raises ``Unavailable`` (or ``Full``): 0.2 s to 5 s apart."""
    async for trial in AsyncRetrying(
        retry=retry_if_exception_type(Unavailable),
        wait=wait_random_exponential(multiplier=0.2, max=5),
        before_sleep=_say,
    ):
        with trial:
            return await attempt()
    raise AssertionError("AsyncRetrying without a stop condition does not end")


def _say(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("waiting", reason=str(error), attempt=state.attempt_number)
