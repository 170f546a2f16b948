"""Pruning with several objectives, which Optuna lacks: by the Pareto front of the other trials at equal epoch."""

from collections.abc import Mapping, Sequence

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial

from ..objectives import BestWithinTolerance, Objectives, signed
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
    done = [_scores(one) for one in within_constraints(study.get_trials(deepcopy=False))]
    reached = [scores[-1], *(one[len(scores) - 1] for one in done if len(one) >= len(scores))]
    own, *others = signed([dict(zip(objectives, values, strict=True)) for values in reached], objectives)
    tolerance = BestWithinTolerance().tolerance
    return len(others) >= MIN_TRIALS and any(
        all(a <= b for a, b in zip(other, own, strict=True))
        and any(a < b - tolerance * abs(b) for a, b in zip(other, own, strict=True))
        for other in others
    )


def _scores(trial: FrozenTrial) -> Sequence[Sequence[float]]:
    return list(trial.system_attrs.get(SCORES, []))
