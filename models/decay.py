"""How much of a running mean has gone by: ``expm1(−recent / span)``, which regular readings ask for again and again."""

from typing import Final

import numpy as np

_KEPT: Final = 64


class Decays:
    """The last answers; numpy gives them, so that columns and plain numbers come to the same."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[float, float], float] = {}

    def __call__(self, recent: float, span: float) -> float:
        known = self._known.get((recent, span))
        if known is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            known = self._known[recent, span] = float(np.expm1(-recent / span))
        return known
