"""The detectors by name. Adding one is a file and a row here; River is imported only when one of its own is made."""

from collections.abc import Callable

from domain.errors import Misconfigured
from models.contract import Detector
from models.novelty import NoveltyDetector
from models.null import NullDetector
from models.seasonal import SeasonalDetector
from models.stock import PerSeries

DEFAULT = "novelty"

DETECTORS: dict[str, Callable[[], Detector]] = {
    "null": NullDetector,
    "novelty": NoveltyDetector,
    "seasonal": SeasonalDetector,
    "gaussian": lambda: PerSeries("gaussian"),
    "sad": lambda: PerSeries("sad"),
    "half_space_trees": lambda: PerSeries("half_space_trees"),
    "loda": lambda: PerSeries("loda"),
    "ocsvm": lambda: PerSeries("ocsvm"),
}


def detector(name: str) -> Detector:
    """A new detector.

    Raises:
        Misconfigured: no detector has this name.
    """
    make = DETECTORS.get(name)
    if make is None:
        raise Misconfigured(f"detector {name!r} is not known; known are {', '.join(DETECTORS)}")
    return make()
