"""How unusual is a statistic for this very series: its tail, learned online, as log10 evidence.

The 98 % quantile is tracked by stochastic approximation on a log scale; above it the tail is a generalised Pareto
distribution (peaks over threshold; Siffer et al. 2017) with fixed shape and the running mean excess as scale:
``P(S > s) = P0 · (1 + ξ (s − q) / β)^(−1/ξ)``, ``β = mean excess · (1 − ξ)``. A fixed shape above 0 leaves room for the
heavier than exponential tails of city data, where too few exceedances are seen to fit it.
"""

from typing import Final

import numpy as np

from domain.readings import Floats

P0: Final = 0.02
SHAPE: Final = 0.15
STEP: Final = 0.03  # of the log quantile, per independent reading
EXCESS_SHARE_MIN: Final = 0.12  # of the quantile: about that of a Gaussian, the lightest tail assumed
EXCESS_CLIP: Final = 4.0  # one exceedance moves the mean excess as if it were at most so many mean excesses
LOG_P0: Final = float(-np.log10(P0))
EVIDENCE_MAX: Final = 12.0
SECONDS_PER_WEEK: Final = 604_800.0


def evidence(stat: Floats, quantile: Floats, excess: Floats) -> Floats:
    """``−log10 P(S ≥ stat)``, 0..12; below the 98 % quantile a linear stand-in that meets it there."""
    beta = np.maximum(excess, EXCESS_SHARE_MIN * quantile) * (1 - SHAPE)
    over = np.maximum(stat - quantile, 0.0) / np.maximum(beta, 1e-300)
    deep = LOG_P0 + np.log10(1 + SHAPE * over) / SHAPE
    shallow = LOG_P0 * np.minimum(stat / np.maximum(quantile, 1e-300), 1.0)
    return np.asarray(np.minimum(np.where(stat > quantile, deep, shallow), EVIDENCE_MAX), dtype=np.float64)


def learn(stat: Floats, log_quantile: Floats, excess: Floats, gain: Floats) -> tuple[Floats, Floats]:
    """The log quantile and mean excess after ``stat``; ``gain`` > 0 is how much this reading tells."""
    quantile = np.exp(log_quantile)
    over = stat - quantile
    exceeds = over > 0
    moved = log_quantile + STEP * gain * (exceeds - P0)
    step = STEP * gain * exceeds
    return moved, excess + step * (np.minimum(over, EXCESS_CLIP * excess) - excess)


def quantile_at(p: float, quantile: Floats, excess: Floats) -> Floats:
    """The value exceeded with probability ``p`` <= P0."""
    beta = np.maximum(excess, EXCESS_SHARE_MIN * quantile) * (1 - SHAPE)
    return np.asarray(quantile + beta / SHAPE * ((P0 / p) ** SHAPE - 1), dtype=np.float64)


def needed(interval_s: Floats, false_alerts_per_week: float) -> Floats:
    """Evidence at which a reading that comes every ``interval_s`` would be exceeded so often by chance."""
    return np.asarray(np.log10(SECONDS_PER_WEEK / (false_alerts_per_week * np.maximum(interval_s, 1.0))))


def score(found: Floats, need: Floats) -> Floats:
    """0..1, 0.5 where evidence equals what is needed; a logistic curve, one decade of probability is 1.5 logits."""
    return np.asarray(1 / (1 + np.exp(-1.5 * (found - need))), dtype=np.float64)
