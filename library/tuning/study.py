"""A study from its first trial, or from where it was, to its registered winner."""

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import optuna
from filelock import Timeout
from matplotlib.figure import Figure
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from library import provenance, tracking
from library.errors import UserError
from library.lifecycle import Outcome, provide, train_in_full
from library.registry import stage_of
from library.tuning.search import Search, check_unchanged, signature
from library.tuning.trials import counted, mend
from library.tuning.workers import run_trials

optuna.logging.set_verbosity(optuna.logging.ERROR)


@dataclass(frozen=True)
class Tuned:
    """A study's end: its trials, its best one, and what became of the winner."""

    study: Study
    best: FrozenTrial
    outcome: Outcome


def tune(search: Search) -> Tuned:
    """Runs a study to the number of trials asked for, or goes on with it, and trains its winner in full.

    Raises:
        StudyChanged: the study was begun with another space, direction, data or config.
        UserError: the study is being run by another process, or none of its trials was completed.
    """
    expected = signature(search)
    study = search.study()
    with _alone(search, study):
        check_unchanged(study, expected)
        mend(study)
        provide(search.experiment, search.base, search.store)
        with _parent_run(search, study) as run:
            run_trials(search, study, run.id)
            best = _best(study)
            outcome = _winner(search, study, best, run)
            _log_study(study, run)
            return Tuned(study, best, outcome)


@contextmanager
def _alone(search: Search, study: Study) -> Iterator[None]:
    """Makes this process the study's driver; its death ends that."""
    try:
        with search.store.lock(f"study {study.study_name}").acquire(timeout=0):
            yield
    except Timeout:
        raise UserError(
            f"study {study.study_name!r}: another process runs it; wait for its end, or set STUDY=name"
        ) from None


@contextmanager
def _parent_run(search: Search, study: Study) -> Iterator[tracking.MlflowRun]:
    """The study's own run: a new one, or the one it had."""
    had = study.user_attrs.get("run")
    resume = had if had and tracking.exists(had) else None
    options = {**search.options.model_dump(exclude={"store"}), "study": study.study_name, **search.fixed}
    tags = {"study": study.study_name, "command": provenance.command("tune", search.name, options)}
    with tracking.start_run(search.store, search.name, study.study_name, resume=resume, tags=tags) as run:
        study.set_user_attr("run", run.id)
        yield run


def _best(study: Study) -> FrozenTrial:
    if not any(trial.state is TrialState.COMPLETE for trial in study.get_trials(deepcopy=False)):
        reasons = [trial.user_attrs.get("reason") for trial in counted(study) if "reason" in trial.user_attrs]
        raise UserError(
            f"study {study.study_name!r}: no trial was completed; the last reason: {(reasons or ['none'])[-1]}"
        )
    return study.best_trial


def _winner(search: Search, study: Study, best: FrozenTrial, run: tracking.MlflowRun) -> Outcome:
    """Trains the best trial's config in full, unless that was done before."""
    done = study.user_attrs.get("winner")
    if done and done["trial"] == best.number:
        outcome = Outcome(**done["outcome"])
        return replace(outcome, stage=stage_of(outcome.model, outcome.version))
    tags = {"study": study.study_name, "trial": best.number, "study.run": run.id}
    config = search.config(best, in_full=True)
    name = f"winner, trial {best.number:03d}"
    outcome = train_in_full(
        search.name, search.experiment, config, search.store, run_name=name, parent=run.id, tags=tags
    )
    study.set_user_attr("winner", {"trial": best.number, "outcome": asdict(outcome)})
    return outcome


def _log_study(study: Study, run: tracking.MlflowRun) -> None:
    """What came of the trials, and Optuna's own pictures of it."""
    states = Counter(trial.state.name.lower() for trial in counted(study))
    run.log_metrics({"study/best_value": study.best_value, **{f"study/trials_{name}": n for name, n in states.items()}})
    run.set_tags({"best.trial": study.best_trial.number})
    plots = optuna.visualization.matplotlib
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # these pictures are Optuna's, and few trials give it much to warn of
        run.log_figure("history", _figure(plots.plot_optimization_history(study)))
        run.log_figure("slices", _figure(plots.plot_slice(study)))
        run.log_figure("parallel-coordinates", _figure(plots.plot_parallel_coordinate(study)))
        if len({trial.value for trial in study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])}) > 1:
            run.log_figure("importances", _figure(plots.plot_param_importances(study)))


def _figure(axes: Any) -> Figure:
    """The figure of what Optuna draws: one pair of axes or an array of them."""
    figure: Figure = np.ravel(axes)[0].figure
    figure.set_size_inches(18, 6)
    return figure
