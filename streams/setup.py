"""What an analyser is made with: the register, how long to wait, which detectors."""

from dataclasses import dataclass

from domain.sensors import SensorRegister
from models.road_names import DEFAULT
from streams.analyser import Analyser
from streams.area import Area
from streams.area_clock import Patience
from streams.board import Board
from streams.pipeline import pipeline


@dataclass(frozen=True, slots=True)
class Setup:
    """The same setup gives the same results in every way of running."""

    register: SensorRegister
    patience: Patience
    detector: str
    road_detectors: tuple[str, ...] = DEFAULT

    def analyser(self, topic: str, partition: int) -> Analyser:
        """A fresh one. Raises: Misconfigured: no detector, or no road detector, has such a name."""
        return Analyser(topic, partition, self.register, self._area)

    def _area(self, name: str) -> Area:
        board = Board.of(name, self.register, self.patience)
        return Area(board, pipeline(board, self.detector, self.road_detectors))
