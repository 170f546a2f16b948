"""Tables of trained configs: what each scored at the end of every epoch, and after how many seconds.

A table is a study that nothing was pruned of, on one core a worker, written to a file:

    make tune-seq2seq STUDY=table TRIALS=500 SAMPLER=qmc PRUNER=none TRAIN_FRACTION=0.1 EPOCHS=8    # or resumes that
    .venv/bin/python -m experiments.benchmarks.tables mlruns table seq2seq
"""

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import optuna
import pandas as pd
from optuna.distributions import BaseDistribution
from optuna.trial import BaseTrial

from library.framework.discovery import find, find_space
from library.framework.experiment import Experiment
from library.framework.tuning.search import Space

FOLDER = Path(__file__).with_name("trials")
STANDSTILL = 10
"""So many times the median: an epoch that takes longer was interrupted, as by a machine that slept."""


@dataclass(frozen=True)
class Table:
    """The trained configs of an experiment.

    Attributes:
        name: of the experiment.
        rows: one for each config: its params; `score 1` and so on, of its first objective after each epoch, missing
            after it failed; `seconds 1` and so on, since its training began. The first row has the defaults.
    """

    name: str
    rows: pd.DataFrame

    @classmethod
    def load(cls, name: str) -> Self:
        """The table of an experiment, as it is kept beside this file."""
        return cls(name, pd.read_csv(FOLDER / f"{name}.csv"))

    @cached_property
    def experiment(self) -> Experiment:
        """The experiment with its defaults."""
        return find(self.name)()

    @cached_property
    def losses(self) -> np.ndarray:
        """The objective of each config after each epoch, `[configs, epochs]`; negative where more is better."""
        scores = self.rows.filter(like="score ").to_numpy(float)
        return -scores if "maximize" in self.experiment.objectives.values() else scores

    @cached_property
    def space(self) -> Space:
        """The experiment's search space, of which each config is replaced by the nearest one of the table."""
        original = find_space(self.name)

        def nearest(trial: BaseTrial) -> dict[str, Any]:
            original(trial)
            row = self._nearest(trial)
            return {name: self.rows[name].iloc[row].item() for name in self._distributions}

        return nearest

    def training(self, trial: BaseTrial) -> tuple[np.ndarray, np.ndarray]:
        """The losses of a trial's config after each epoch, and the seconds since its training began."""
        row = self._nearest(trial)
        return self.losses[row], self._seconds[row]

    def _nearest(self, trial: BaseTrial) -> int:
        """The config nearest to a trial's params, each param's range, on its scale, taken as one."""
        at = [_share(trial.params[name], kind) for name, kind in self._distributions.items()]
        return int(np.square(self._shares - at).sum(axis=1).argmin())

    @cached_property
    def _seconds(self) -> np.ndarray:
        return self.rows.filter(like="seconds ").to_numpy(float)

    @cached_property
    def _distributions(self) -> dict[str, BaseDistribution]:
        trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
        find_space(self.name)(trial)
        return trial.distributions

    @cached_property
    def _shares(self) -> np.ndarray:
        return np.column_stack([_share(self.rows[name].to_numpy(), kind) for name, kind in self._distributions.items()])


def _share(values: Any, kind: Any) -> Any:
    """Where values lie in a param's range, from 0 to 1, on its scale."""
    low, high, values = (np.log(one) if kind.log else one for one in (kind.low, kind.high, values))
    return (values - low) / (high - low)


def export(store: str, study: str, name: str) -> int:
    """Writes the table of an experiment from a study, without trainings that stood still; returns how many configs."""
    from library import open_store
    from library.framework.tracking.queries import metric_over_time
    from library.framework.tuning.results import stored_studies
    from library.framework.tuning.trials import finished_trials

    with open_store(store, writes=False) as opened:
        results, rows = stored_studies(opened)[study], []
        [objective, *_] = results.objectives
        for trial in finished_trials(results.study):
            history = metric_over_time(trial.user_attrs["run"], objective)
            epochs = np.diff([minutes for minutes, _ in history])
            if len(epochs) and epochs.max() > STANDSTILL * np.median(epochs):
                continue
            rows.append({
                **trial.params,
                **{f"score {epoch}": round(score, 5) for epoch, (_, score) in enumerate(history, 1)},
                **{f"seconds {epoch}": round(60 * minutes, 1) for epoch, (minutes, _) in enumerate(history, 1)},
            })  # fmt: skip
    table = pd.DataFrame(rows)
    order = [one for kind in ("score ", "seconds ") for one in table.columns if one.startswith(kind)]
    FOLDER.mkdir(exist_ok=True)
    table[[*results.params, *order]].to_csv(FOLDER / f"{name}.csv", index=False, float_format="%.6g")
    return len(table)


if __name__ == "__main__":
    print(export(*sys.argv[1:]), "configs")
