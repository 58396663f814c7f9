"""Stock River detectors"""

from models.null import NullDetector


class PerSeries(NullDetector):
    def __init__(self, name: str) -> None:
        super().__init__()
