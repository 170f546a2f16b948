"""Pruning with several objectives, which Optuna lacks: by the Pareto front of the other trials at equal epoch."""

from collections.abc import Mapping, Sequence

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial

from ..objectives import BestWithinTolerance, Objectives
from .attributes import PREFIX
from .trials import within_constraints

SCORES = f"{PREFIX}scores"
"""The system attribute of a trial with its best values until each epoch, `[epochs, objectives]`."""
MIN_TRIALS = 4
"""Completed trials below which none is pruned, as with a single objective."""


def report(trial: Trial, metrics: Mapping[str, float], objectives: Objectives) -> None:
    """Keeps an epoch's values; the metrics have all objectives."""
    scores = _scores(trial.storage.get_trial(trial._trial_id))
    now = [metrics[name] for name in objectives]
    better = [max if direction == "maximize" else min for direction in objectives.values()]
    best = [choose(pair) for choose, *pair in zip(better, now, scores[-1] if scores else now, strict=True)]
    trial.storage.set_trial_system_attr(trial._trial_id, SCORES, [*scores, best])


def is_dominated(study: Study, trial: Trial, objectives: Objectives) -> bool:
    """Whether a completed trial was at this epoch nowhere worse, and somewhere better by more than the tolerance."""
    scores = _scores(trial.storage.get_trial(trial._trial_id))
    signs = [-1 if direction == "maximize" else 1 for direction in objectives.values()]
    own = [sign * value for sign, value in zip(signs, scores[-1], strict=True)]
    done = [_scores(one) for one in within_constraints(study.get_trials(deepcopy=False))]
    reached = [one[len(scores) - 1] for one in done if len(one) >= len(scores)]
    others = [[sign * value for sign, value in zip(signs, values, strict=True)] for values in reached]
    tolerance = BestWithinTolerance().tolerance
    return len(others) >= MIN_TRIALS and any(
        all(a <= b for a, b in zip(other, own, strict=True))
        and any(a < b - tolerance * abs(b) for a, b in zip(other, own, strict=True))
        for other in others
    )


def _scores(trial: FrozenTrial) -> Sequence[Sequence[float]]:
    return list(trial.system_attrs.get(SCORES, []))
