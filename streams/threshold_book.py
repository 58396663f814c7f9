"""Which threshold is in force for a rule in an area, at an event time: what was adopted, in its order.

An adoption counts for findings whose time is at or after its own, whenever it is read: so the same log gives the same
alerts in every replay, in whatever order findings and actions happen to be delivered.
"""

from collections.abc import Callable, Iterable

from domain.codec import decode_as
from domain.errors import Rejected
from domain.messages import Adoption

DEFAULT = 0.0  # without an adoption everything that is found is told, as the rule itself decides


class ThresholdBook:
    """Adoptions by rule and area, oldest first; each once."""

    def __init__(
        self, known: Iterable[Adoption] = (), keep: Callable[[Adoption], None] = lambda adoption: None
    ) -> None:
        """``keep`` makes an adoption durable; it is called before the adoption counts."""
        self._keep = keep
        self._adoptions: dict[tuple[str, str], list[Adoption]] = {}
        self._ids: set[str] = set()
        for adoption in known:
            self._enter(adoption)

    def take(self, adoption: Adoption) -> None:
        """Keep it and let it count; the same one again changes nothing."""
        if adoption.id not in self._ids:
            self._keep(adoption)
            self._enter(adoption)

    def at(self, rule: str, area: str, time: int) -> float:
        """The threshold for a finding at ``time``, epoch ms."""
        threshold = DEFAULT
        for adoption in self._adoptions.get((rule, area), ()):
            if adoption.time <= time:
                threshold = adoption.threshold
        return threshold

    def in_force(self) -> list[Adoption]:
        """The last adoption of each rule and area."""
        return [self._adoptions[place][-1] for place in sorted(self._adoptions)]

    def find(self, adoption: str) -> Adoption | None:
        return next((one for all_of in self._adoptions.values() for one in all_of if one.id == adoption), None)

    def all(self) -> list[Adoption]:
        """Every adoption, newest first."""
        found = [one for all_of in self._adoptions.values() for one in all_of]
        return sorted(found, key=lambda one: (-one.time, one.id))

    def _enter(self, adoption: Adoption) -> None:
        self._ids.add(adoption.id)
        place = (adoption.rule, adoption.area)
        # A new list: others may be reading the old one.
        known = [*self._adoptions.get(place, ()), adoption]
        self._adoptions[place] = sorted(known, key=lambda one: (one.time, one.id))


def adoption_of(raw: bytes) -> Adoption | None:
    """The adoption in a message of ``alert.actions``; None when it is another kind of message."""
    try:
        return decode_as(Adoption, raw)
    except Rejected:
        return None
