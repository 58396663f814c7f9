"""What every alert store does; run on each implementation."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.alert_store import SqliteAlertStore
from domain.messages import Action, Alert, Channel, ModelRef, Why
from domain.ports import AlertStore


def alert(name: str, revision: int = 1, onset: int = 1_000, state: str = "open", area: str = "ring") -> Alert:
    why = Why("Flow is low.", 3.0, 30.0, 20.0, None, 1e6, onset, [Channel("flow", 1.0)], [], ModelRef("robust", "1"))
    return Alert(
        name, "anomaly", "high", state, area, "Æbelø Øst", ["a/traffic.flow"], onset, onset + 5, None, 0.9, why,
        revision=revision, actions=[Action("x", name, "comment", 7, "Zoë", "seen")],
    )  # fmt: skip


@pytest.fixture(params=["sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AlertStore]:
    made = {"sqlite": SqliteAlertStore}[request.param](tmp_path / "alerts.sqlite")
    yield made
    made.close()


def test_an_alert_comes_back_whole(store: AlertStore) -> None:
    (change,) = store.put([alert("a")])
    assert change.alert == alert("a")
    assert store.get("a") == alert("a")
    assert store.get("b") is None


def test_only_a_newer_revision_replaces(store: AlertStore) -> None:
    assert store.put([alert("a", 2)]) != []
    assert store.put([alert("a", 1, state="closed"), alert("a", 2, state="closed")]) == []
    kept = store.get("a")
    assert kept is not None
    assert (kept.revision, kept.state) == (2, "open")
    assert [change.alert.revision for change in store.put([alert("a", 3), alert("a", 5)])] == [3, 5]


def test_changes_rise_by_one_and_show_each_alert_as_it_is_now(store: AlertStore) -> None:
    assert store.last_change() == 0
    store.put([alert("a"), alert("b")])
    store.put([alert("a", 2, state="acknowledged")])
    seen = store.changes(0, 10)
    assert [(change.id, change.alert.id, change.alert.revision) for change in seen] == [
        (1, "a", 2),
        (2, "b", 1),
        (3, "a", 2),
    ]
    assert [change.id for change in store.changes(1, 1)] == [2]
    assert store.changes(3, 10) == []
    assert store.last_change() == 3


def test_find_by_state_and_area(store: AlertStore) -> None:
    store.put([alert("a"), alert("b", state="acknowledged"), alert("c", state="closed"), alert("d", area="north")])
    assert {found.id for found in store.find("active", None, None, 10)} == {"a", "b", "d"}
    assert {found.id for found in store.find("active", "ring", None, 10)} == {"a", "b"}
    assert {found.id for found in store.find("closed", None, None, 10)} == {"c"}
    assert store.find("resolved", None, None, 10) == []
    assert store.find(None, "nowhere", None, 10) == []


def test_find_pages_newest_first_without_gap_or_repeat(store: AlertStore) -> None:
    store.put([alert(f"n{k:02}", onset=1_000 + k // 4) for k in range(30)])
    pages, before = [], None
    while page := store.find(None, None, before, 7):
        pages += [(found.onset, found.id) for found in page]
        before = pages[-1]
    assert pages == sorted(((1_000 + k // 4, f"n{k:02}") for k in range(30)), reverse=True)
    assert store.find(None, None, None, 0) == []


def test_calls_from_many_threads_lose_nothing(store: AlertStore) -> None:
    def work(name: str) -> None:
        for revision in range(1, 21):
            store.put([alert(name, revision)])
            assert store.get(name) is not None

    threads = [threading.Thread(target=work, args=(f"t{k}",)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.last_change() == 80
    assert [change.id for change in store.changes(0, 100)] == list(range(1, 81))
    assert {found.revision for found in store.find(None, None, None, 10)} == {20}
