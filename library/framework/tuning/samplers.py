"""How configs are drawn and which trials are ended early: samplers and pruners of Optuna, by the names of options.

What does not go together is refused before anything begins; Optuna would refuse it in a trial, or not at all.
"""

import importlib.util
import sys
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from optuna import pruners, samplers
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from ..errors import UserError, unknown
from ..objectives import Objectives
from ..options import StudyOptions

AUTO = "auto"

SAMPLERS: Mapping[str, Callable[[int, int, bool], BaseSampler]] = {
    "tpe": lambda seed, _, parallel: samplers.TPESampler(
        seed=seed, n_startup_trials=6, multivariate=True, constant_liar=parallel
    ),
    "gp": lambda seed, *_: samplers.GPSampler(seed=seed, n_startup_trials=6, warn_independent_sampling=False),
    "cmaes": lambda seed, *_: samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False),
    # One sequence for all trials, which is the study's.
    "qmc": lambda seed, shared, _: samplers.QMCSampler(
        scramble=True,
        seed=shared,
        independent_sampler=samplers.RandomSampler(seed=seed),
        warn_independent_sampling=False,
    ),
    # Optuna's own grids end the process with `optimize` alone: `DistinctTrials` takes what was not tried.
    "grid": lambda seed, *_: samplers.RandomSampler(seed=seed),
    "random": lambda seed, *_: samplers.RandomSampler(seed=seed),
    # Small, as a study has tens of trials: the first generation is random.
    "nsgaii": lambda seed, *_: samplers.NSGAIISampler(seed=seed, population_size=10),
}
"""Samplers by name, made of a trial's seed, the study's seed, and whether trials run in parallel."""
PRUNERS: Mapping[str, Callable[[int], BasePruner]] = {
    "median": lambda after: pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=after),
    "percentile": lambda after: pruners.PercentilePruner(25.0, n_startup_trials=4, n_warmup_steps=after),
    "hyperband": lambda after: pruners.HyperbandPruner(min_resource=max(1, after)),
    "halving": lambda after: pruners.SuccessiveHalvingPruner(min_resource=max(1, after)),
    # Three of three seeds worse are a one-sided p of 0.125.
    "wilcoxon": lambda _: pruners.WilcoxonPruner(p_threshold=0.13),
    "front": lambda _: pruners.NopPruner(),  # `trial_run` prunes, as Optuna does by a single score alone
    "none": lambda _: pruners.NopPruner(),
}
"""Pruners by name, made of the epochs in which no trial is pruned. `percentile` goes on with the best quarter."""
DEFAULT_PRUNERS = ("median", "front", "wilcoxon", "none")
"""Of these the first that fits a study."""
PACKAGES = {"gp": "torch", "cmaes": "cmaes"}
"""What a sampler needs beside Optuna's own requirements."""
SINGLE_OBJECTIVE = {"cmaes"}


def resolve(options: StudyOptions, space: Callable[..., Any], objectives: Objectives) -> tuple[str, str]:
    """The names of the sampler and the pruner: those given, else those of the space's module, else the defaults.

    Raises:
        UserError: the module names what does not exist; a package is missing; one does not go with the objectives.
    """
    space = space.func if isinstance(space, partial) else space
    module, is_single = sys.modules.get(space.__module__), len(objectives) == 1
    several = "with one objective" if is_single else f"with {len(objectives)} objectives"
    sampler = getattr(module, "SAMPLER", "tpe") if options.sampler == AUTO else options.sampler
    pruner = getattr(module, "PRUNER", AUTO) if options.pruner == AUTO else options.pruner
    fitting = [name for name in PRUNERS if _fits(name, len(objectives), options.seeds)]
    if pruner == AUTO:
        pruner = next(name for name in DEFAULT_PRUNERS if name in fitting)
    for kind, name, allowed in (("sampler", sampler, SAMPLERS), ("pruner", pruner, PRUNERS)):
        if name not in allowed:
            raise unknown(kind, str(name), allowed)
    package = PACKAGES.get(sampler)
    if package and importlib.util.find_spec(package) is None:
        install = f"pip install {package}"
        raise UserError(f"sampler: {sampler!r} needs the package {package}, which is not installed; {install}")
    if not is_single and sampler in SINGLE_OBJECTIVE:
        others = ", ".join(name for name in SAMPLERS if name not in SINGLE_OBJECTIVE)
        raise UserError(f"sampler: got {sampler!r} {several}; allowed is one of {others}")
    if pruner not in fitting:
        seeds = f" and {options.seeds} seeds" if options.seeds > 1 else ""
        raise UserError(f"pruner: got {pruner!r} {several}{seeds}; allowed is one of {', '.join(fitting)}")
    return sampler, pruner


def _fits(pruner: str, objectives: int, seeds: int) -> bool:
    """Whether a pruner compares what a study has: epochs, of one objective or several, or one objective of seeds."""
    compared = {"none": True, "front": objectives > 1 and seeds == 1, "wilcoxon": objectives == 1 and seeds > 1}
    return compared.get(pruner, objectives == 1 and seeds == 1)


def make_sampler(name: str, seed: int, token: int, parallel: bool) -> BaseSampler:
    """A sampler for one trial, with a seed of its own: a resumed study must not draw again what it drew at first.

    Args:
        name: a key of `SAMPLERS`.
        seed: the study's.
        token: the trial's place among all.
        parallel: whether others run beside it.
    """
    own = int(np.random.SeedSequence([seed, token]).generate_state(1)[0])
    with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
        return SAMPLERS[name](own, seed, parallel)


def make_pruner(name: str, after: int) -> BasePruner:
    """A pruner that leaves a trial alone for so many epochs."""
    with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
        return PRUNERS[name](after)
