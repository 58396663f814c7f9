"""Checkpoints of earlier programs: read, or refused with the reason, and what cannot be read begins anew harmlessly."""

import copy
import gzip
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from domain.errors import Rejected
from domain.readings import Frame, Tick
from streams.analyser import Analyser
from streams.area import closed_until
from streams.state import pack, restore, snapshot, unpack
from tests.golden.write_states import GOLDEN, HOURS, Key, fed, frames, parts, path_of, present
from tests.streams.make import HOUR, MINUTE, T0, rows_of

COMMAND = "python tests/golden/write_states.py"
FILES = sorted(GOLDEN.glob("state.*.gz"))


def key_of(path: Path) -> Key:
    kind, version = path.name.removeprefix("state.").removesuffix(".gz").split(".v")
    return kind, version


@cache
def now_present() -> dict[Key, tuple[str, tuple[Any, ...], dict[str, Any]]]:
    return present()


@cache
def whole(detector: str) -> bytes:
    return pack(snapshot(fed(detector)))


def state_with(detector: str, at: tuple[Any, ...], part: Any) -> dict[str, Any]:
    """A snapshot of today in which one part is another."""
    tree = unpack(whole(detector))
    if not at:
        return part  # type: ignore[no-any-return]
    where = tree
    for key in at[:-1]:
        where = where[key]
    where[at[-1]] = part
    return tree  # type: ignore[no-any-return]


def restored(detector: str, kept: dict[str, Any]) -> Analyser:
    analyser = fed(detector, 0)
    restore(analyser, kept)
    return analyser


def go_on(analyser: Analyser) -> list[Any]:
    """Two more hours; the flows of them."""
    flows = []
    for seq, frame in enumerate(frames(HOURS, HOURS + 2)):
        flows += analyser.on_message(Frame("gw", 1_000 + 2 * seq, "a2", frame)).flows
        flows += analyser.on_message(Tick("gw", 1_001 + 2 * seq, int(frame.t.max()) + MINUTE)).flows
    return flows


def own(payload: Any) -> Any:
    """A payload without the parts in it, which have versions of their own."""
    inside = {at: part["kind"] for at, part in parts(payload)}

    def bare(value: Any, at: tuple[Any, ...]) -> Any:
        if at in inside:
            return {"kind": inside[at]}
        if isinstance(value, dict):
            return {key: bare(item, (*at, key)) for key, item in value.items()}
        return [bare(item, (*at, k)) for k, item in enumerate(value)] if isinstance(value, list) else value

    return bare(payload, ())


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other or (one != one and other != other))


def shape(value: Any) -> Any:
    """Names, types and depths of a payload; of collections that grow with the data only what their items are."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.ndim
    if isinstance(value, dict):
        return {str(key): shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return ["list", shape(value[0])] if value else "list"
    return "number" if isinstance(value, int | float) else type(value).__name__


def alike(one: Any, other: Any) -> bool:
    """Whether two shapes can be of one version: empty lists and dicts fit every other, None fits a value."""
    if "list" in (one, other) or "NoneType" in (one, other):
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        return not one or not other or (one.keys() == other.keys() and all(alike(one[k], other[k]) for k in one))
    if isinstance(one, list) and isinstance(other, list):
        return alike(one[1], other[1])
    return bool(one == other)


def test_every_state_of_this_program_has_a_golden_file() -> None:
    missing = [f"{kind} version {version}" for kind, version in now_present() if not path_of((kind, version)).exists()]
    assert not missing, f"no golden state of {', '.join(missing)}: run '{COMMAND}' and commit what it writes"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_golden_state_is_read_or_refused_with_the_reason(path: Path) -> None:
    kind, version = key_of(path)
    golden = unpack(gzip.decompress(path.read_bytes()))
    assert (golden["kind"], golden["version"]) == (kind, version)
    today = {key[0]: (key[1], *where) for key, where in now_present().items()}
    if kind not in today:
        return  # nothing of today asks for it; that an unknown kind is refused is tested below
    current, detector, at, fresh = today[kind]
    kept = state_with(detector, at, golden)
    if version == current:
        advice = f"the payload of {kind} has changed: raise its version, then run '{COMMAND}'"
        assert alike(shape(own(golden["payload"])), shape(own(fresh["payload"]))), advice
        analyser = restored(detector, kept)
        again = dict(parts(unpack(pack(snapshot(analyser)))))[at]
        assert same(own(again["payload"]), own(golden["payload"])), advice
        assert not [words for words in analyser.begins_anew if f", {kind}: " in words]
    elif not at:
        with pytest.raises(Rejected, match=f"analyser version {version}"):
            restored(detector, kept)
        return
    else:
        analyser = restored(detector, kept)
        assert any(f"{kind} version {version}" in words for words in analyser.begins_anew), analyser.begins_anew
    assert go_on(analyser)


def of_another_version(detector: str, kind: str) -> dict[str, Any]:
    tree = unpack(whole(detector))
    for _, part in parts(tree):
        if part["kind"] == kind:
            part["version"] = "0"
    return tree  # type: ignore[no-any-return]


def windows(flows: list[Any]) -> dict[Any, Any]:
    return dict(rows_of([batch for flow in flows for batch in flow.closed]))


@pytest.mark.parametrize("kind", ["seasonal", "quality", "interval", "shared-ridge", "detect", "forecast", "maintain"])
def test_a_learned_part_of_another_version_costs_nothing_but_itself(kind: str) -> None:
    analyser = restored("seasonal", of_another_version("seasonal", kind))
    assert len(analyser.begins_anew) == 1
    assert not analyser.windows_lost
    assert f"{kind} version 0" in analyser.begins_anew[0]
    wanted, found = windows(go_on(restored("seasonal", unpack(whole("seasonal"))))), windows(go_on(analyser))
    assert found.keys() == wanted.keys()
    for key, window in wanted.items():
        assert (found[key].count, found[key].mean, found[key].revision) == (window.count, window.mean, window.revision)


@pytest.mark.parametrize("kind", ["window", "validate", "reading-log", "series-index"])
def test_without_its_windows_an_area_goes_on_behind_what_it_has_published(kind: str) -> None:
    before = fed("null")
    stored = {}
    late = Frame("gw", 999, "a2", next(frames(HOURS - 1, HOURS)))  # readings of windows that are closed
    analyser = restored("null", of_another_version("null", kind))
    assert any(f"{kind} version 0" in words for words in analyser.begins_anew)
    assert analyser.windows_lost
    closed = closed_until(unpack(whole("null"))["payload"]["areas"]["a2"])
    flows = analyser.on_message(late).flows + go_on(analyser)
    assert [q.reason for flow in flows for q in flow.quarantined if "can no longer be revised" in q.reason]
    stored = windows(flows)
    assert stored
    for name, length, start in stored:
        end = start + length * 1_000
        floor = closed[length] if length in closed else closed[3_600]
        assert (start >= floor) if length in closed else (end > floor), (name, length, start)
    # Nothing is missing from windows that lie wholly behind the loss.
    wanted = windows([*before.on_message(Frame("gw", 999, "a2", late.readings)).flows, *go_on(before)])
    later = {key for key in wanted if key[2] >= T0 + (HOURS + 1) * HOUR and key[1] <= 3_600}
    assert later
    assert {key: stored[key].count for key in later} == {key: wanted[key].count for key in later}
    # The loss is remembered: a second start does not open the old windows again.
    again = restored("null", unpack(pack(snapshot(analyser))))
    more = again.on_message(Frame("gw", 2_000, "a2", late.readings)).flows
    assert not windows(more)


def test_a_state_that_is_damaged_inside_is_refused_with_the_reason() -> None:
    tree = unpack(whole("null"))
    hurt = copy.deepcopy(tree)
    del hurt["payload"]["areas"]["a2"]["validate"]["payload"]["log"]["payload"]["key"]
    analyser = restored("null", hurt)
    assert "not of the shape" in analyser.begins_anew[0]
    assert go_on(analyser)
    del tree["payload"]["seqs"]
    with pytest.raises(Rejected, match="not of the shape"):
        restored("null", tree)
