"""Stored studies, to be read: their trials as a table, and the importance of their parameters."""

import warnings
from dataclasses import dataclass
from typing import cast

import optuna
import pandas as pd
from optuna.study import Study

from ..objectives import Direction, Objectives
from ..tracking.store import Store
from .attributes import kept
from .search import storage_of
from .trials import completed, finished_trials, pareto_trials, reached


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


def stored_studies(store: Store) -> dict[str, StudyResults]:
    """All studies of a store, by name, that have a finished trial and a record of their objectives."""
    if not (store.root / "optuna.db").exists() or (store.root / "optuna.db").stat().st_size == 0:
        return {}
    storage, found = storage_of(store), {}
    for name in optuna.get_all_study_names(storage):
        study = optuna.load_study(study_name=name, storage=storage)
        objectives = (kept(study, "signature") or {}).get("objective", "").split(", ")
        directions = [cast(Direction, direction.name.lower()) for direction in study.directions]
        if len(objectives) == len(directions) and all(objectives) and finished_trials(study):
            found[name] = StudyResults(study, dict(zip(objectives, directions, strict=True)))
    return found
