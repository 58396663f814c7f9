"""The pipeline: read this first.

    frame or tick → validate → window → detect → assets → roads → earlier → forecast → maintain → records

Each stage takes a :class:`~streams.stage.Flow` and returns it with more in it. There is one pipeline per area; areas
live in an :class:`~streams.analyser.Analyser`, one per topic and partition; a :class:`~streams.worker.Worker` feeds
analysers from Kafka, the :class:`~streams.driver.Driver` feeds them from memory. The stages do not know which.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.quality import QualityTests
from models.registry import detector
from models.road_detectors import road_detectors
from models.road_names import DEFAULT
from streams.assets import AssetStage
from streams.board import Board
from streams.detect import DetectStage
from streams.earlier import EarlierStage
from streams.forecast import ForecastStage
from streams.maintain import MaintainStage
from streams.roads import RoadStage
from streams.stage import Stage
from streams.validate import ValidateStage
from streams.window import WindowStage


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The stages of one area in their order; ``maintain`` is named because events go to it directly."""

    stages: tuple[Stage, ...]
    maintain: MaintainStage


def pipeline(board: Board, detector_name: str, road_names: Sequence[str] = DEFAULT) -> Pipeline:
    """A fresh pipeline. Raises: Misconfigured: no detector, or no road detector, has such a name."""
    maintain = MaintainStage(board)
    stages = (
        ValidateStage(board, QualityTests(near=board.near)),
        WindowStage(board),
        DetectStage(board, detector(detector_name)),
        AssetStage(board),
        RoadStage(board, road_detectors(road_names)),
        EarlierStage(board),
        ForecastStage(board),
        maintain,
    )
    return Pipeline(stages, maintain)
