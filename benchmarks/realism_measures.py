"""What series are compared by: pure functions of columns, NaN where nothing was recorded. Used by ``realism.py``."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats, Ints

#: Edges of flow over its 99th percentile, by which speed-flow diagrams are compared.
FLOW_CLASSES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
CONGESTED = 0.7  # of the free speed: below it a point is on the lower branch


def profile(x: Floats, hour: Ints, chosen: NDArray[np.bool_]) -> Floats:
    """Mean of each hour over the mean of all."""
    return np.array([np.nanmean(x[chosen & (hour == h)]) for h in range(24)]) / np.nanmean(x)


def acf(x: Floats, lag: int) -> float:
    a, b = x[:-lag], x[lag:]
    both = np.isfinite(a) & np.isfinite(b)
    return float(np.corrcoef(a[both], b[both])[0, 1])


def ks(a: Floats, b: Floats) -> float:
    """Kolmogorov and Smirnov: largest difference of the distributions, each over its mean."""
    a, b = (np.sort(x[np.isfinite(x)] / np.nanmean(x)) for x in (a, b))
    grid = np.concatenate([a, b])
    return float(
        np.max(np.abs(np.searchsorted(a, grid, "right") / len(a) - np.searchsorted(b, grid, "right") / len(b)))
    )


def scatter(x: Floats) -> float:
    """Robust standard deviation of a value against its two neighbours in time, over the mean."""
    away = x[1:-1] - (x[:-2] + x[2:]) / 2
    away = away[np.isfinite(away)]
    return float(1.4826 * np.median(np.abs(away - np.median(away))) / np.sqrt(1.5) / np.nanmean(x))


def fano(counts: Floats) -> float:
    """Variance over mean of counts by day, trend taken off by the neighbours; 1 is Poisson."""
    by_day = counts.reshape(-1, 288)[:, 120:204].ravel()
    away = by_day[1:-1] - (by_day[:-2] + by_day[2:]) / 2
    away = away[np.isfinite(away)]
    return float(np.var(away) / 1.5 / np.nanmean(by_day))


def weekly_residual(x: Floats) -> Floats:
    """What the hour of the week does not explain."""
    weeks = x[: len(x) // 168 * 168].reshape(-1, 168)
    return np.asarray((weeks - np.nanmean(weeks, axis=0)).ravel())


def correlation(a: Floats, b: Floats) -> float:
    both = np.isfinite(a) & np.isfinite(b)
    return float(np.corrcoef(a[both], b[both])[0, 1])


def ranks(x: Floats) -> Floats:
    return np.argsort(np.argsort(x)).astype(np.float64)


def gaps(x: Floats) -> tuple[float, float, float]:
    """Share missing, gaps per 1,000 values, median length of a gap in values."""
    missing = ~np.isfinite(x)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], missing.astype(int), [0]])))
    lengths = edges[1::2] - edges[::2]
    return float(missing.mean()), 1_000 * len(lengths) / len(x), float(np.median(lengths)) if len(lengths) else 0.0


def nrms(a: Floats, b: Floats) -> float:
    return float(np.sqrt(np.mean((a - b) ** 2)))


def speed_curve(speed: Floats, occupancy: Floats) -> Floats:
    """Median speed over free speed in ten classes of equal size by occupancy."""
    order = np.argsort(occupancy, kind="stable")
    free = np.quantile(speed, 0.95)
    return np.array([np.median(part) for part in np.array_split(speed[order], 10)]) / free


def over_high(x: Floats) -> Floats:
    """Over the 99th percentile: the highest flow that is more than an accident of counting."""
    return np.asarray(x / np.nanquantile(x, 0.99))


def free_speed(speed: Floats, flow: Floats) -> float:
    """Median speed of the emptier half of the points with any traffic."""
    some = flow > 0
    return float(np.median(speed[some & (flow <= np.median(flow[some]))]))


def speed_flow(speed: Floats, flow: Floats) -> list[float]:
    """Median speed over free speed in each class of flow, NaN below 20 points, and the share of congested points."""
    relative, high = speed / free_speed(speed, flow), over_high(flow)
    medians = []
    for lower, upper in zip(FLOW_CLASSES[:-1], (*FLOW_CLASSES[1:-1], np.inf), strict=True):
        part = relative[(high > lower) & (high <= upper)]
        medians.append(float(np.median(part)) if len(part) >= 20 else float("nan"))
    return [*medians, float(np.mean(relative < CONGESTED))]


def mean_distance(curves: Sequence[Sequence[float]], other: Sequence[float]) -> float:
    """Mean absolute difference of curves from another, class by class, where both have a value."""
    return float(np.nanmean([np.nanmean(np.abs(np.subtract(curve, other))) for curve in curves]))
