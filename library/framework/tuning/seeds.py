"""Trials that train their config with several seeds: the means count, and a config that loses with each is pruned.

Every seed has a run of its own below the trial's. What an interrupted trial had finished, the one that repeats it takes
over.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from optuna import TrialPruned
from optuna.trial import Trial

from ..environment import command
from ..experiment import Experiment
from ..tracking.mlflow_run import MlflowRun
from ..tracking.training_run import start_training
from .attributes import PREFIX
from .search import Search
from .trials import REPEATS

SCORES = f"{PREFIX}seeds"
"""The system attribute of a trial with the metrics of every seed that it has trained."""

Metrics = Mapping[str, float]
Fit = Callable[[Experiment, MlflowRun], Metrics]


def train_seeds(search: Search, experiment: Experiment, trial: Trial, run: MlflowRun, role: str, fit: Fit) -> Metrics:
    """Trains a config with its own seed and those that follow it; returns the mean of each metric.

    Args:
        search: says how many seeds.
        experiment: of the trial's config; in the end it has the data, where these do not depend on the seed.
        trial: gets the first objective of each seed as an intermediate value, by the number of the seed, from 1.
        run: of the trial; gets the means, and the standard errors of the objectives.
        role: of the trainings, as `start_training` has it.
        fit: trains one experiment in its run, and returns its metrics.

    Raises:
        TrialPruned: by the study's pruner, before the last seed.
    """
    seeds, first, scores = search.options.seeds, next(iter(search.objectives)), _taken_over(trial)
    _keep(trial, scores)  # for the trial that repeats this one
    for number in range(1, seeds + 1):
        if number > len(scores):
            one = experiment.config.model_copy(update={"seed": experiment.config.seed + number - 1})
            seeded = type(experiment)(one).reuse(experiment)
            tags = {"study": search.study_name, "command": command("train", experiment.name, one.changed())}
            name = f"trial {trial.number:03d}, seed {one.seed}"
            with start_training(
                search.store, seeded, name, role=role, parent=run.id, resumes_run=False, tags=tags
            ) as child:
                scores.append(dict(fit(seeded, child)))
            experiment.reuse(seeded)
            _keep(trial, scores)
        if len(search.objectives) == 1:  # else Optuna refuses it
            trial.report(scores[number - 1][first], number)
            if number < seeds and trial.should_prune():
                raise TrialPruned(f"pruned after {number} of {seeds} seeds by {type(trial.study.pruner).__name__}")
    means = {name: float(np.mean([one[name] for one in scores])) for name in scores[0]}
    spreads = {name: float(np.std([one[name] for one in scores], ddof=1)) for name in search.objectives}
    errors = {f"{name}_standard_error": spread / math.sqrt(seeds) for name, spread in spreads.items()}
    run.log_metrics({**means, **errors})
    return means


def _taken_over(trial: Trial) -> list[Metrics]:
    """The scores of the seeds that were trained before the trial that this one repeats was interrupted."""
    repeated = trial.user_attrs.get(REPEATS)
    attributes = {} if repeated is None else trial.study.trials[repeated].system_attrs
    return list(attributes.get(SCORES, []))


def _keep(trial: Trial, scores: Sequence[Metrics]) -> None:
    trial.storage.set_trial_system_attr(trial._trial_id, SCORES, list(scores))
