"""The trials that a new study begins with: the defaults, and the best of an earlier study.

A study that tries the best known config first ends no worse than a training without a study.
"""

from collections.abc import Mapping
from typing import Any

from optuna.study import Study

from ..errors import UserError, unknown
from ..formatting import number
from ..tracking.queries import exists, read_run
from .attributes import kept
from .combinations import express, fit
from .results import stored_studies
from .search import Search

MAX_EARLIER = 5
"""Trials of an earlier study, besides its winner."""


def enqueue_first_trials(search: Search, study: Study) -> None:
    """Queues the defaults and what `options.from_study` names; tells in a line what the space does not allow.

    Raises:
        UserError: there is no such study, or it is one of another experiment.
    """
    earlier = _earlier_trials(search) if search.options.from_study else {}
    params, sampled = express(search)
    if sampled:
        defaults = search.base.config.model_dump()
        _report_left_out("the defaults", {name: defaults[name] for name in sampled if name in defaults}, sampled)
    study.enqueue_trial(params, user_attrs={"source": "defaults"})
    for place, wanted in earlier.items():
        params, _ = fit(search, wanted)
        left_out = {name: value for name, value in wanted.items() if name not in params}
        _report_left_out(place, left_out, list(left_out))
        if params:
            study.enqueue_trial(params, user_attrs={"source": place}, skip_if_exists=True)


def _earlier_trials(search: Search) -> dict[str, dict[str, Any]]:
    """The parameters of an earlier study's winner and best trials, by where they are from."""
    name, studies = search.options.from_study, stored_studies(search.store)
    if name not in studies:
        raise unknown("study", name, studies or ["none, as no study has a finished trial"])
    results = studies[name]
    run = results.study.user_attrs.get("run", "")
    experiment = read_run(run).experiment if exists(run) else "none, as its run was deleted"
    if experiment != search.base.name:
        raise UserError(f"from: got study {name!r} of experiment {experiment}; allowed is one of {search.base.name}")
    winner = (kept(results.study, "winner") or {}).get("trial")
    best = results.best()
    trials = [trial for trial in best if trial.number == winner] + best[:MAX_EARLIER]
    return {f"study {name}, trial {trial.number}": dict(trial.params) for trial in trials}


def _report_left_out(place: str, values: Mapping[str, Any], names: list[str]) -> None:
    if names:
        listed = ", ".join(f"{name} {number(values[name])}" if name in values else name for name in names)
        print(f"{place}: {listed} cannot be expressed in the search space; the sampler draws the rest", flush=True)
