"""Getting the first rows of a machine ready to learn from: the start-up cut off, gaps filled, a scale per channel."""

import numpy as np

from domain.readings import Floats

_RESOLUTION = 0.3  # quantisation noise is step / √12
_RELATIVE = 0.02  # scale of a channel that never moved, as a share of its value


def settled_from(rows: Floats, block: int = 10) -> int:
    """How many of the first rows ``[n, p]`` belong to the start-up: White's marginal standard error rule (MSER, 1997).

    The cut is where the squared standard error of the mean of what is left is smallest, on medians of ``block`` rows,
    averaged over the channels; at most half of the rows are cut.
    """
    count = len(rows) // block
    blocks = np.median(rows[: count * block].reshape(count, block, -1), axis=1)
    errors = np.array([blocks[cut:].var(axis=0) / (count - cut) for cut in range(count // 2 + 1)])
    relative = errors / np.maximum(errors[0], 1e-300)
    return int(relative.mean(axis=1).argmin()) * block


def filled(rows: Floats) -> Floats:
    """A value that is not there is the one before it; at the beginning the first that is."""
    there = np.isfinite(rows)
    last = np.maximum.accumulate(np.where(there, np.arange(len(rows))[:, None], -1), axis=0)
    first = there.argmax(axis=0)
    return np.asarray(np.take_along_axis(rows, np.where(last < 0, first, last), axis=0))


def scales(rows: Floats, centre: Floats) -> Floats:
    """Robust scale of each channel, never below what its resolution can tell."""
    spread = 1.4826 * np.median(np.abs(rows - centre), axis=0)
    low, high = np.quantile(rows, [0.02, 0.98], axis=0)
    spread = np.maximum(spread, 0.5 * np.clip(rows, low, high).std(axis=0))
    for k, column in enumerate(rows.T):
        steps = np.diff(np.unique(column))
        floor = _RESOLUTION * steps.min() if len(steps) else _RELATIVE * abs(centre[k])
        spread[k] = max(spread[k], floor, 1e-9)
    return np.asarray(spread)
