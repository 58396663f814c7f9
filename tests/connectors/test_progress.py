"""The ledger of what has been taken."""

import asyncio

import pytest

from connectors.progress import NOBODY_WAITS, BrokerProgress, TakenLedger


def test_the_slowest_consumer_counts_and_offsets_never_fall() -> None:
    ledger = TakenLedger({"findings": frozenset({"store", "desk"}), "nobody": frozenset()})
    assert ledger.taken_up_to("findings", 0) == 0
    ledger.taken("store", "findings", 0, 10)
    assert ledger.taken_up_to("findings", 0) == 0
    ledger.taken("desk", "findings", 0, 7)
    ledger.taken("desk", "findings", 0, 3)
    ledger.taken("stranger", "findings", 0, 1)
    assert ledger.taken_up_to("findings", 0) == 7
    assert ledger.taken_up_to("findings", 1) == 0
    assert ledger.taken_up_to("nobody", 0) == NOBODY_WAITS
    assert ledger.taken_up_to("unknown", 0) == NOBODY_WAITS


async def test_wait_returns_when_all_marks_are_passed() -> None:
    ledger = TakenLedger({"a": frozenset({"x"}), "b": frozenset({"x", "y"})})
    waiting = asyncio.create_task(ledger.wait({("a", 0): 2, ("b", 3): 5, ("free", 0): 9}))
    ledger.taken("x", "b", 3, 5)
    ledger.taken("y", "b", 3, 6)
    ledger.taken("x", "a", 0, 1)
    await asyncio.sleep(0.01)
    assert not waiting.done()
    ledger.taken("x", "a", 0, 2)
    async with asyncio.timeout(1):
        await waiting


async def test_one_of_many_waiters_may_be_cancelled() -> None:
    ledger = TakenLedger({"a": frozenset({"x"})})
    waiting = [asyncio.create_task(ledger.wait({("a", 0): 1})) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[2].cancel()
    await asyncio.sleep(0)
    ledger.taken("x", "a", 0, 1)
    async with asyncio.timeout(1):
        results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results].count(asyncio.CancelledError) == 1


async def test_only_the_consumers_that_hold_up_are_pressed() -> None:
    ledger = TakenLedger({"a": frozenset({"fast", "slow"})})
    ledger.taken("fast", "a", 0, 5)
    fast, slow = (asyncio.create_task(ledger.pressed(name)) for name in ("fast", "slow"))
    await asyncio.sleep(0)
    ledger.press("a", 0)
    async with asyncio.timeout(1):
        await slow
    assert not fast.done()
    fast.cancel()


async def test_a_durable_broker_never_presses() -> None:
    progress = BrokerProgress()
    progress.taken("store", "findings", 0, 4)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await progress.pressed("store")
