"""What verdicts ask of a threshold: enough of them, a step at a time, never at the price of alerts worth having."""

import pytest

from models.thresholds import HIGHEST, JUDGED_MIN, LOWEST, STEP_LOGITS, JudgedScore, deserved, moved, propose


def judged(*scores: tuple[float, bool]) -> list[JudgedScore]:
    return [JudgedScore(score, worth) for score, worth in scores]


def test_false_alerts_below_the_true_ones_move_it_between_them():
    proposal = propose(judged((0.52, False), (0.55, False), (0.56, False), (0.62, True), (0.8, True)), 0.5)
    assert proposal is not None
    assert proposal.threshold == 0.59
    assert (proposal.judged, proposal.wrong, proposal.cost_before, proposal.cost_after) == (5, 3, 3.0, 0.0)


def test_a_true_alert_weighs_three_false_ones():
    mixed = [(0.52, False), (0.55, True), (0.56, False), (0.57, False), (0.9, True)]
    few = propose(judged(*mixed), 0.5)
    assert few is not None
    assert few.threshold < 0.55, "only what lies below the first true one goes"
    many = propose(judged(*mixed, (0.58, False), (0.59, False)), 0.5)
    assert many is not None
    assert many.threshold > 0.59


@pytest.mark.parametrize("count", range(JUDGED_MIN))
def test_too_few_verdicts_say_nothing(count: int):
    assert propose(judged(*[(0.55, False)] * count), 0.5) is None


def test_two_false_ones_are_not_enough():
    assert propose(judged((0.51, False), (0.52, False), *[(0.9, True)] * 10), 0.5) is None


def test_one_adoption_moves_it_by_a_step_only_and_never_beyond_the_highest():
    all_false = judged(*[(0.9, False)] * 10, *[(0.52, False)] * 5)
    first = propose(all_false, 0.5)
    assert first is not None
    assert moved(0.5, STEP_LOGITS) == pytest.approx(0.8176, abs=1e-4)
    assert 0.5 < first.threshold <= 0.818
    last = propose(judged(*[(0.99, False)] * 10, *[(0.91, False)] * 5), 0.9)
    assert last is not None
    assert last.threshold <= HIGHEST


def test_no_change_when_nothing_would_be_gained():
    assert propose(judged(*[(0.99, False)] * 10), 0.5) is None, "a step does not reach them"
    assert propose(judged(*[(0.55, True)] * 10, *[(0.9, False)] * 3), 0.5) is None


def test_a_raised_threshold_comes_back_down_when_all_that_is_just_above_was_worth_it():
    proposal = propose(judged(*[(0.68, True)] * 6), 0.65)
    assert proposal is not None
    assert proposal.threshold == 0.5
    assert propose(judged(*[(0.68, True)] * 5, (0.7, False)), 0.65) is None
    assert propose(judged(*[(0.55, True)] * 6), LOWEST) is None


@pytest.mark.parametrize(
    ("kind", "verdict", "worth"),
    [
        ("anomaly", "true", True), ("anomaly", "false", False), ("anomaly", "sensor_fault", False),
        ("quality", "sensor_fault", True), ("silence", "sensor_fault", True), ("anomaly", "cannot_verify", None),
        ("anomaly", "", None),
    ],
)  # fmt: skip
def test_what_a_verdict_says(kind: str, verdict: str, worth: bool | None):
    assert deserved(kind, verdict) is worth
