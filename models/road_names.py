"""The road detectors by name, and which of them raise unless settings say otherwise.

Without numpy: the table of settings reads it, and with it every command.
"""

from collections.abc import Sequence
from typing import Final

NAMES: Final = ("california7", "california8", "snd", "bottleneck")
NONE: Final = "none"
DEFAULT: Final = ("california8", "snd")


def parse_names(text: str) -> tuple[str, ...]:
    """``"snd, california7"`` to names in the order of :data:`NAMES`, each once; ``"none"`` is no name at all.

    Raises:
        ValueError: a name that is not known, or none given; its text is that name.
    """
    given = [word.strip().lower() for word in text.split(",")]
    return () if given == [NONE] else in_order(given)


def in_order(names: Sequence[str]) -> tuple[str, ...]:
    """Raises: ValueError, as :func:`parse_names`."""
    for name in names:
        if name not in NAMES:
            raise ValueError(name)
    return tuple(name for name in NAMES if name in names)
