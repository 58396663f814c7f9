"""Who may do what: one row per part of a distributed run, and nothing for anybody else.

``borough provision`` gives exactly this, docs/security.md shows it, and every part checks its own row at the start.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from domain.topics import (
    ALERT_ACTIONS,
    ALERTS,
    CHECKPOINTS,
    FINDINGS,
    READINGS,
    RESULTS,
    TOPICS,
)

PREFIX = "borough-"
#: For ``provision`` and ``doctor`` only: among the super users of the broker, the first user of the store.
ADMIN = "admin"

Operation = Literal["READ", "WRITE"]


class Rule(NamedTuple):
    """``principal`` may do ``operation`` on the topic or group ``name``; READ and WRITE let it describe that too."""

    principal: str
    resource: Literal["TOPIC", "GROUP"]
    name: str
    operation: Operation


@dataclass(frozen=True, slots=True)
class Rights:
    """``group``: the consumer group it reads with, empty for none; ``store``: what it does with the history."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    group: str = ""
    store: Literal["", "READ", "WRITE", "ALL"] = ""

    def topics(self) -> dict[str, frozenset[Operation]]:
        """Topic → what is done on it, in the order of the topics."""
        return {
            topic: frozenset(operation for operation, where in _of(self) if topic in where)
            for topic in TOPICS
            if topic in self.reads or topic in self.writes
        }


def _of(rights: Rights) -> tuple[tuple[Operation, tuple[str, ...]], ...]:
    return (("READ", rights.reads), ("WRITE", rights.writes))


PARTS: dict[str, Rights] = {
    "gateway": Rights(writes=READINGS),
    # Writes readings, too: those that came on another area's partition are passed on.
    "worker": Rights((*READINGS, CHECKPOINTS), (*READINGS, *RESULTS, CHECKPOINTS), "borough-analyse"),
    "alerts": Rights((FINDINGS, ALERT_ACTIONS), (ALERTS,), "borough-alerts"),
    # Reads the history, too: an older revision must not replace a newer one.
    "store": Rights(RESULTS, (), "borough-store", "ALL"),
    "web": Rights((*READINGS, ALERTS), (ALERT_ACTIONS,), "", "READ"),
}


def principal(part: str) -> str:
    """The user name of a part, at the broker and at the store."""
    return PREFIX + part


def rules() -> list[Rule]:
    """The whole table as rules for the broker, in order."""
    found = []
    for part, rights in PARTS.items():
        for topic, operations in rights.topics().items():
            found += [Rule(principal(part), "TOPIC", topic, operation) for operation in sorted(operations)]
        if rights.group:
            found.append(Rule(principal(part), "GROUP", rights.group, "READ"))
    return found


def table() -> str:
    """The table as Markdown."""
    lines = ["| part | user | reads | writes | consumer group | history |", "|---|---|---|---|---|---|"]
    for part, rights in PARTS.items():
        reads, writes = (_names(names) for names in (rights.reads, rights.writes))
        group = f"`{rights.group}`" if rights.group else ""
        lines.append(f"| {part} | `{principal(part)}` | {reads} | {writes} | {group} | {_HISTORY[rights.store]} |")
    lines.append(f"| provision, doctor | `{ADMIN}` | makes topics, users and rules | | | makes buckets and users |")
    return "\n".join(lines) + "\n"


_HISTORY = {"": "", "READ": "read", "WRITE": "write", "ALL": "read, write"}


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
