"""How good the winner of a study is, replayed on tables of trained configs, by what the study does."""

import importlib.util
import math
import multiprocessing
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import cast

import numpy as np
import optuna
from optuna.trial import Trial, TrialState
from scipy.stats import binomtest

from experiments.benchmarks import Row
from experiments.benchmarks.tables import Table
from library.framework.options import StudyOptions
from library.framework.tracking.base import Store
from library.framework.tuning.distinct import DistinctTrials
from library.framework.tuning.first_trials import enqueue_first_trials
from library.framework.tuning.samplers import PACKAGES, PRUNERS, SAMPLERS, make_pruner, make_sampler
from library.framework.tuning.search import Search

TABLES = ("seq2seq",)
TRIALS, SEEDS = 20, 200


@dataclass(frozen=True)
class Policy:
    """What a study does; with nothing given, what Optuna does with a `Study` of its defaults and a median pruner.

    Attributes:
        defaults_first: whether trial 0 has the experiment's defaults.
        distinct: whether no config is trained twice.
        sampler: of `SAMPLERS`; empty: Optuna's default.
        pruner: of `PRUNERS`; empty: Optuna's default.
    """

    defaults_first: bool = False
    distinct: bool = False
    sampler: str = ""
    pruner: str = ""


OURS = Policy(defaults_first=True, distinct=True, sampler="tpe", pruner="median")
STEPS: Mapping[str, Policy] = {
    "trial 0 has the defaults": Policy(defaults_first=True),
    "no config is trained twice": Policy(distinct=True),
    "sampler tpe": Policy(sampler="tpe"),
    "pruner median": Policy(pruner="median"),
    "all four": OURS,
}


def compare_policies() -> Iterator[Row]:
    """The regret of each policy, and how it compares with that of Optuna's defaults."""
    installed = [name for name in SAMPLERS if importlib.util.find_spec(PACKAGES.get(name, "optuna"))]
    samplers = [name for name in installed if name != "grid"]  # which needs a space without continuous params
    pruners = [name for name in PRUNERS if name not in ("front", "wilcoxon")]  # which need objectives or seeds
    others = {f"all four, sampler {name}": replace(OURS, sampler=name) for name in samplers if name != OURS.sampler}
    others |= {f"all four, pruner {name}": replace(OURS, pruner=name) for name in pruners if name != OURS.pruner}
    policies = {"Optuna's defaults": Policy(), **STEPS, **others}
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        for name in TABLES:
            table = Table.load(name)
            yield f"{name}: configs; best score, defaults", _summary(table), "-"
            before = None
            for policy, one in policies.items():
                regrets, minutes = np.transpose(list(pool.map(partial(replay, name, one), range(SEEDS), chunksize=10)))
                before = regrets if before is None else before
                target = ">= 30 % lower, p < 0.01" if one == OURS else "-"
                yield f"{name}: regret, {policy}", f"{_compared(regrets, before)}, {minutes.mean():.1f} min", target


def _summary(table: Table) -> str:
    """Of how many configs a table is, their best score, and that of the defaults."""
    final = np.abs(table.losses[:, -1])
    return f"{len(final)}; {final[np.nanargmin(table.losses[:, -1])]:.4g}, {final[0]:.4g}"


def _compared(regrets: np.ndarray, before: np.ndarray) -> str:
    """The mean regret, and how it compares, seed by seed, with that of another policy."""
    text = f"{regrets.mean():.4f}"
    lower, higher = int((regrets < before).sum()), int((regrets > before).sum())
    if lower + higher:
        p = binomtest(lower, lower + higher).pvalue
        change = regrets.mean() / before.mean() - 1
        text += f", {abs(change):.0%} {'higher' if change > 0 else 'lower'}"
        text += f" (lower in {lower} of {lower + higher} seeds, p = {p:.1g})"
    return text


def replay(name: str, policy: Policy, seed: int) -> tuple[float, float]:
    """A study of a table's configs: how much worse its winner is than the best of all, and its minutes of training."""
    table = _table(name)
    search = Search(table.experiment, table.space, (), StudyOptions(workers=1, trials=TRIALS), cast("Store", None))
    pruner = make_pruner(policy.pruner, search.base.prune_after) if policy.pruner else optuna.pruners.MedianPruner()
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), pruner=pruner)
    if policy.defaults_first:
        enqueue_first_trials(search, study)
    distinct, best, seconds = DistinctTrials(search, study), math.inf, 0.0
    for place in range(TRIALS):
        if policy.sampler:
            study.sampler = make_sampler(policy.sampler, seed, place, parallel=False)
        trial = distinct.next() if policy.distinct else study.ask()
        if trial is None:
            break
        search.suggested(trial)
        value, spent = _train(table, trial)
        best, seconds = min(best, value), seconds + spent
    return best - np.nanmin(table.losses[:, -1]), seconds / 60


def _train(table: Table, trial: Trial) -> tuple[float, float]:
    """A trial of a config of the table, told to its study: its loss, infinite unless it completed, and its seconds."""
    losses, seconds = table.training(trial)
    for epoch, loss in enumerate(losses, 1):
        if not math.isfinite(loss):
            trial.study.tell(trial, state=TrialState.FAIL)
            return math.inf, seconds[epoch - 1]
        trial.report(loss, epoch)
        if epoch < len(losses) and trial.should_prune():
            trial.study.tell(trial, state=TrialState.PRUNED)
            return math.inf, seconds[epoch - 1]
    trial.study.tell(trial, losses[-1])
    return losses[-1], seconds[-1]


@cache
def _table(name: str) -> Table:
    """Read once by each process."""
    return Table.load(name)
