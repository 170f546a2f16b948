"""Stored studies, to be read: their trials as a table, and the importance of their parameters."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import optuna
import pandas as pd
from optuna.distributions import CategoricalDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial

from ..formatting import number
from ..objectives import Direction, Objectives
from ..tracking.store import Store
from .attributes import kept
from .search import existing_storage
from .trials import completed, finished_trials, pareto_trials, reached, within_constraints

MIN_TRIALS = 6
"""Completed trials below which chance decides what they seem to say of a search space."""


@dataclass(frozen=True)
class StudyResults:
    """A study as Optuna has it, and what it optimised."""

    study: Study
    objectives: Objectives

    @property
    def params(self) -> list[str]:
        """The parameters that the trials varied."""
        return list(dict.fromkeys(name for trial in finished_trials(self.study) for name in trial.params))

    def trials(self) -> pd.DataFrame:
        """A row for each finished trial: its number, state and minutes, objectives and params.

        A trial that was pruned has the last value it reached in the first objective, and none in others.
        """
        rows = []
        for trial in finished_trials(self.study):
            minutes = trial.duration.total_seconds() / 60 if trial.duration else None
            row = {"trial": trial.number, "state": trial.state.name.lower(), "minutes": minutes}
            rows.append({**row, **reached(trial, self.objectives), **trial.params})
        return pd.DataFrame(rows, columns=["trial", "state", "minutes", *self.objectives, *self.params])

    def front(self) -> list[int]:
        """The numbers of the non-dominated trials; one with a single objective."""
        return [trial.number for trial in pareto_trials(self.study.get_trials(deepcopy=False), self.objectives)]

    def best(self) -> list[FrozenTrial]:
        """All trials within the constraints: the non-dominated ones first, then by the first objective."""
        front, [direction, *_] = set(self.front()), self.objectives.values()
        sign = -1 if direction == "maximize" else 1
        done = within_constraints(finished_trials(self.study))
        return sorted(done, key=lambda trial: (trial.number not in front, sign * trial.values[0]))

    def findings(self) -> list[str]:
        """What the trials say of the search space, in a line each; nothing where they are few."""
        best = self.best()
        if len(best) < MIN_TRIALS:
            return []
        shares = {name: self.importances(name).to_dict() for name in self.objectives}
        lines = [
            f"importance for {name}: " + ", ".join(f"{param} {share:.2f}" for param, share in of_name.items())
            for name, of_name in shares.items()
            if of_name
        ]
        bounds = {param: _bound(param, best[:3]) for param in best[0].params}
        wider = "a wider search space may have better"
        lines += [
            f"{param}: the best three lie at the {bound} bound; {wider}" for param, bound in bounds.items() if bound
        ]
        return lines + (self._course(best[0]) if len(self.objectives) == 1 else [])

    def _course(self, best: FrozenTrial) -> list[str]:
        """How much better the best trial is than the defaults, and how long no trial was better than it."""
        [name], trials = self.objectives, finished_trials(self.study)
        after = sum(trial.number > best.number for trial in trials)
        more = "more trials are unlikely to" if after > len(trials) / 2 else "more trials may"
        lines = [f"trials after the best: {after} of {len(trials)}; {more} find a better one"]
        default = next((trial for trial in completed(trials) if trial.user_attrs.get("source") == "defaults"), None)
        if default and default.number != best.number:
            values = f"{number(best.values[0])}, and {number(default.values[0])} with the defaults"
            lines.append(
                f"{name}: {values}; the best of many looks better than it is, the test split tells how much is left"
            )
        return lines

    def importances(self, objective: str) -> pd.Series:
        """How much of an objective's variation each param explains, by Optuna; empty where nothing varied."""
        place = list(self.objectives).index(objective)
        done = completed(finished_trials(self.study))
        if len({trial.values[place] for trial in done}) < 2:
            return pd.Series(dtype=float)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna warns of few trials
            found = optuna.importance.get_param_importances(self.study, target=lambda trial: trial.values[place])
        return pd.Series(found)


def _bound(param: str, trials: Sequence[FrozenTrial]) -> str:
    """At which bound of a param's range all trials lie, within 5 % of the range, on a log scale if it has one."""
    kind: Any = trials[0].distributions[param]
    if isinstance(kind, CategoricalDistribution) or not all(param in trial.params for trial in trials):
        return ""
    numbers = [kind.low, kind.high, *(trial.params[param] for trial in trials)]
    low, high, *values = np.log(numbers) if kind.log else np.asarray(numbers, float)
    margin = 0.05 * (high - low)
    if max(values) <= low + margin:
        return "" if low == high else "lower"
    return "upper" if min(values) >= high - margin else ""


def stored_studies(store: Store) -> dict[str, StudyResults]:
    """All studies of a store, by name, that have a finished trial and a record of their objectives."""
    found: dict[str, StudyResults] = {}
    if (storage := existing_storage(store)) is None:
        return found
    for name in optuna.get_all_study_names(storage):
        study = optuna.load_study(study_name=name, storage=storage)
        objectives = (kept(study, "signature") or {}).get("objective", "").split(", ")
        directions = [cast(Direction, direction.name.lower()) for direction in study.directions]
        if len(objectives) == len(directions) and all(objectives) and finished_trials(study):
            found[name] = StudyResults(study, dict(zip(objectives, directions, strict=True)))
    return found
