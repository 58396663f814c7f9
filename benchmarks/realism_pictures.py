"""The pictures of docs/realism.md."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

from benchmarks.realism_city import Pair, profiles
from benchmarks.realism_measures import acf, free_speed, over_high
from domain.readings import Floats

MINE, THEIRS = "#0b5fa5", "#b3541e"


def draw(
    rows: list[Pair], curves: Mapping[str, Floats], diagrams: Mapping[str, tuple[Floats, Floats]], folder: Path
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(2, 4, figsize=(13, 5.4), sharex=True)
    for axis, pair in zip(axes.flat, rows, strict=True):
        for (kind, (mine, theirs, _)), line in zip(profiles(pair).items(), ("-", ":"), strict=True):
            axis.plot(mine, line, color=MINE, label=f"simulated, {kind}")
            axis.plot(theirs, line, color=THEIRS, label=f"recorded, {kind}")
        axis.set_title(f"{pair.what} / {pair.against}", fontsize=9)
        axis.set_ylim(bottom=0)
    axes[0, 0].legend(fontsize=6)
    for axis in axes[1]:
        axis.set_xlabel("hour of the day")
    axes[0, 0].set_ylabel("over the mean")
    _save(figure, folder / "profiles.png")
    figure, axes = plt.subplots(2, 4, figsize=(13, 5.4), sharex=True, sharey=True)
    for axis, pair in zip(axes.flat, rows, strict=True):
        lags = range(1, 8 * 24)
        axis.plot(lags, [acf(pair.mine, lag) for lag in lags], color=MINE, label="simulated")
        axis.plot(lags, [acf(pair.theirs, lag) for lag in lags], color=THEIRS, label="recorded")
        axis.set_title(f"{pair.what} / {pair.against}", fontsize=9)
    axes[0, 0].legend(fontsize=7)
    for axis in axes[1]:
        axis.set_xlabel("lag, hours")
    _save(figure, folder / "autocorrelation.png")
    figure, axis = plt.subplots(figsize=(6, 3.6))
    for label, curve in curves.items():
        colour = THEIRS if label.startswith("recorded") else MINE
        axis.plot(np.arange(5, 100, 10), curve, color=colour, alpha=0.8)
    axis.set_xlabel("percentile of occupancy")
    axis.set_ylabel("speed over free speed")
    axis.set_ylim(0, 1.1)
    axis.set_title("blue simulated, brown recorded", fontsize=9)
    _save(figure, folder / "speed-occupancy.png")
    _draw_speed_flow(diagrams, folder / "speed-flow.png")


def _draw_speed_flow(diagrams: Mapping[str, tuple[Floats, Floats]], path: Path) -> None:
    """Above what was recorded, below what is simulated; flow over its 99th percentile, speed over free speed."""
    shown = [label for label in diagrams if not label.endswith("by occupancy")]
    columns = max(sum(label.startswith(which) for label in shown) for which in ("recorded", "simulated"))
    figure, axes = plt.subplots(2, columns, figsize=(2.6 * columns, 5.2), sharex=True, sharey=True, squeeze=False)
    for which, line, colour in (("recorded", axes[0], THEIRS), ("simulated", axes[1], MINE)):
        mine = [label for label in shown if label.startswith(which)]
        for axis, label in zip(line, mine, strict=False):
            speed, flow = diagrams[label]
            step = max(1, len(speed) // 2_500)  # as many points as a recording has
            x, y = over_high(flow)[::step], (speed / free_speed(speed, flow))[::step]
            axis.plot(x, y, ".", color=colour, markersize=1.5, alpha=0.5)
            axis.set_title(label.removeprefix(f"{which} ").removesuffix(", counted"), fontsize=8)
        for axis in line[len(mine) :]:
            axis.set_axis_off()
    axes[0, 0].set(xlim=(0, 1.3), ylim=(0, 1.5), ylabel="speed over free speed")
    axes[1, 0].set(ylabel="speed over free speed", xlabel="flow over its 99th percentile")
    _save(figure, path)


def _save(figure: plt.Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=70, metadata={"Software": None})
    plt.close(figure)
