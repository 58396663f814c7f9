"""The table of rights fits what the parts do, gives nothing beyond it, and is what docs/security.md shows."""

from pathlib import Path

from domain.rights import PARTS, principal, rules, table
from domain.topics import ALERTS, CHECKPOINTS, FINDINGS, QUARANTINE, READINGS, TOPICS
from streams.agents import ALERTS as DESK
from streams.agents import ANALYSE, STORE

ROOT = Path(__file__).resolve().parents[2]


def test_the_agents_may_read_their_topics_in_their_groups() -> None:
    for part, spec in (("worker", ANALYSE), ("alerts", DESK), ("store", STORE)):
        assert PARTS[part].group == spec.group
        assert set(spec.topics) <= set(PARTS[part].reads)


def test_every_topic_is_written_and_read_by_somebody() -> None:
    for topic in TOPICS:
        assert any(topic in rights.writes for rights in PARTS.values()), topic
        assert any(topic in rights.reads for rights in PARTS.values()), topic


def test_what_the_doors_must_not_do() -> None:
    assert PARTS["gateway"].reads == ()
    assert set(PARTS["gateway"].writes) == set(READINGS)
    assert not {*READINGS, FINDINGS, ALERTS, CHECKPOINTS, QUARANTINE} & set(PARTS["web"].writes)
    assert {part for part, rights in PARTS.items() if CHECKPOINTS in rights.reads + rights.writes} == {"worker"}
    assert {part: rights.store for part, rights in PARTS.items() if rights.store} == {"store": "ALL", "web": "READ"}


def test_rules_are_the_table_and_nothing_twice() -> None:
    found = rules()
    assert len(set(found)) == len(found)
    for part, rights in PARTS.items():
        ours = [rule for rule in found if rule.principal == principal(part)]
        for operation, names in (("READ", rights.reads), ("WRITE", rights.writes)):
            topics = {rule.name for rule in ours if (rule.resource, rule.operation) == ("TOPIC", operation)}
            assert topics == set(names)
        assert [rule.name for rule in ours if rule.resource == "GROUP"] == ([rights.group] if rights.group else [])


def test_the_page_shows_the_table() -> None:
    assert table() in (ROOT / "docs" / "security.md").read_text(encoding="utf-8"), (
        "put `borough provision --dry-run`'s table into docs/security.md"
    )
