"""What findings were made of is kept, so that they can be made again: states of the analysers, and every message since.

A :class:`Recorder` stands before one analyser. Before its first message, and whenever so many bytes have passed, it
hands the state of the analyser to the keeper; then every message, before it is applied. A finding is recomputed by
putting the
newest state from before it back and applying the messages that followed: the same code, the same input (decision 0012).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from domain.codec import decode_as, encode
from domain.messages import Alert, Finding
from streams.analyser import Analyser, Step
from streams.desk import on_finding
from streams.state import pack, restore, snapshot, unpack

_BYTES_BETWEEN_STATES = 8 << 20


class Keeper(Protocol):
    """Where evidence goes. Never waits and never raises: the flow of readings does not depend on it."""

    def cut(self, key: str, time: int, state: bytes) -> None:
        """From here on, messages of ``key`` follow this state; ``time`` is the clock of the log, epoch ms."""

    def add(self, key: str, message: bytes) -> bool:
        """The next message of ``key``; False when it could not be kept, so that a new cut is needed."""


class Recorder:
    """An analyser whose input is kept; in everything else the analyser itself."""

    kind = Analyser.kind
    version = Analyser.version

    def __init__(self, analyser: Analyser, key: str, keeper: Keeper, every: int = _BYTES_BETWEEN_STATES) -> None:
        self._analyser = analyser
        self._key = key
        self._keeper = keeper
        self._every = self._since = every  # bytes since the last cut: the first message needs one

    def __getattr__(self, name: str) -> Any:
        return getattr(self._analyser, name)

    def apply(self, raw: bytes) -> Step:
        if self._since >= self._every:
            state = pack(snapshot(self._analyser))
            self._keeper.cut(self._key, self._analyser.clock, state)
            self._since = 0
            self._every = max(self._every, 2 * len(state))  # states never take more room than messages
        kept = self._keeper.add(self._key, raw)
        self._since = self._since + len(raw) if kept else self._every
        return self._analyser.apply(raw)

    def snapshot(self) -> dict[str, Any]:
        return self._analyser.snapshot()

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._analyser.restore(payload)
        self._since = self._every


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What came of recomputing an alert: ``alert`` as the stages say it now (None: they find nothing)."""

    alert: Alert | None
    equal: bool
    messages: int
    differs: tuple[str, ...] = ()


#: What the stages say of an alert; the rest (state, actions, incident, revision) is what people and the desk made of
#: it.
SAID = ("rule", "kind", "severity", "area", "place", "series", "onset", "raised", "score", "why")


def recompute(alert: Alert, analyser: Analyser, state: bytes, messages: Iterable[bytes]) -> Recomputed:
    """Run the stages again from ``state`` over ``messages`` until they say what the alert says, or to the end.

    An alert is told again while it lasts; the one that is kept is one of its tellings, and that one must come out.

    Raises:
        Rejected: the state is one of another version of this program.
    """
    restore(analyser, unpack(state))
    known: Alert | None = None
    count = 0
    for raw in messages:
        count += 1
        for finding in (f for flow in analyser.apply(raw).flows for f in flow.findings if f.id == alert.id):
            known = on_finding(decode_as(Finding, encode(finding)), known, ()) or known
            if known is not None and not differences(alert, known):
                return Recomputed(known, equal=True, messages=count)
    return Recomputed(known, equal=False, messages=count, differs=differences(alert, known) if known else SAID)


def differences(one: Alert, other: Alert) -> tuple[str, ...]:
    """Which of what the stages say differs; numbers must be equal to the last bit."""
    return tuple(
        name for name in SAID if msgspec.json.encode(getattr(one, name)) != msgspec.json.encode(getattr(other, name))
    )
