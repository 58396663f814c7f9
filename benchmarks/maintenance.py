"""Remaining life on NASA C-MAPSS FD001, streamed: one cycle = one day, a failure event when an engine ends.

    python benchmarks/maintenance.py [folder with train_FD001.txt.gz, test_FD001.txt.gz, RUL_FD001.txt.gz]

Training engines come one after the other in the order of their failure; each is learned only when it has failed. Then
every test engine is observed up to its last row and its remaining life is predicted. Nothing is random: no seed.
Truth is capped at 125 as the labels are; scores are RMSE and NASA's asymmetric score.
"""

import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from domain.times import DAY_MS
from models.remaining_life import LIFE_CAP_DAYS, RemainingLife

Table = NDArray[np.float64]
DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "data" / "cmapss-fd001"


def engines(path: Path) -> list[Table]:
    rows = np.loadtxt(path)
    return [rows[rows[:, 0] == unit] for unit in np.unique(rows[:, 0])]


def live(model: RemainingLife, asset: str, engine: Table, start_day: int = 0) -> int:
    """Observe every cycle of the engine; returns the time of the last."""
    names = [f"generic.c{k:02d}" for k in range(engine.shape[1] - 2)]
    day_ms = 0
    for cycle, values in zip(engine[:, 1], engine[:, 2:].tolist(), strict=True):
        day_ms = (start_day + int(cycle)) * DAY_MS
        model.observe(asset, day_ms, dict(zip(names, values, strict=True)))
    return day_ms


def nasa_score(error: Table) -> float:
    return float(np.where(error < 0, np.exp(-error / 13) - 1, np.exp(error / 10) - 1).sum())


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    train = sorted(engines(folder / "train_FD001.txt.gz"), key=len)
    test = engines(folder / "test_FD001.txt.gz")
    truth = np.minimum(np.loadtxt(folder / "RUL_FD001.txt.gz"), LIFE_CAP_DAYS)
    began = time.perf_counter()
    model = RemainingLife()
    for k, engine in enumerate(train):
        model.event(f"train-{k}", live(model, f"train-{k}", engine), "failure")
    said = []
    for k, engine in enumerate(test):
        live(model, f"test-{k}", engine)
        said.append(model.predict(f"test-{k}"))
    took = time.perf_counter() - began
    remaining = np.array([life.remaining for life in said], dtype=np.float64)
    inside = np.mean([(life.lower or 0) <= y <= (life.upper or 0) for life, y in zip(said, truth, strict=True)])
    p = np.array([life.p_failure for life in said], dtype=np.float64)
    error = remaining - truth
    soon = truth <= 30
    auc = np.mean(p[soon][:, None] > p[~soon][None]) + 0.5 * np.mean(p[soon][:, None] == p[~soon][None])
    hit = (p >= 0.5) & soon
    rows = sum(len(engine) for engine in [*train, *test])
    print(f"C-MAPSS FD001, {len(train)} lives learned, {len(test)} predicted, truth capped at {LIFE_CAP_DAYS:.0f}")
    print(f"{'RMSE':>28} {np.sqrt(np.mean(error**2)):8.2f}   goal 11.5")
    print(f"{'NASA score':>28} {nasa_score(error):8.1f}   goal 220")
    print(f"{'90 % interval covers':>28} {inside:8.2f}")
    print(f"{'failure within 30: AUC':>28} {auc:8.3f}")
    print(f"{'precision, recall at 0.5':>28} {hit.sum() / max(1, (p >= 0.5).sum()):8.2f} {hit.sum() / soon.sum():.2f}")
    print(f"{'µs per engine-day':>28} {took / rows * 1e6:8.0f}")


if __name__ == "__main__":
    main()
