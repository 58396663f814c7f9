"""The parameters of the judgement of machines; one set for all of them."""

from dataclasses import dataclass

from domain.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class AssetParameters:
    """All in rows of the asset's own cadence, or shares.

    Attributes:
        calibration: rows from which the usual is learned. window, noise_window: rows of the running mean and variance.
        memory: rows that the references remember. level, noise: factors on the nominal thresholds.
        lower: share of the threshold below which a state counts as usual again. recovered: share of the largest T² of
            the alarm below which the machine has come back, if not quite to where it was. rest: rows it stays there.
        accept: rows after which a novel state is the new usual one.
        looks: factor per decade of rows watched. habit: factor per recent alarm, forgotten over ``habit_memory`` rows.
    """

    calibration: int = 320
    window: int = 20
    noise_window: int = 30
    memory: int = 400
    level: float = 1.1
    noise: float = 1.15
    lower: float = 0.5
    recovered: float = 0.15
    rest: int = 30
    accept: int = 1_000
    looks: float = 0.25
    habit: float = 0.2
    habit_memory: int = 86_400

    def __post_init__(self) -> None:
        if self.calibration < 4 * max(self.window, self.noise_window):
            raise Misconfigured(f"calibration {self.calibration} is too short for a window of {self.window} rows")
        if not 0 < self.lower < 1:
            raise Misconfigured(f"lower {self.lower} must lie between 0 and 1")
