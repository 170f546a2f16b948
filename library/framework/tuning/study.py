"""A study from its first trial, or from where it was, to its registered winner."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

import optuna
from filelock import Timeout
from optuna.study import Study
from optuna.trial import FrozenTrial

from .. import environment
from ..errors import UserError
from ..pipeline import Outcome, provide, train_in_full
from ..registry import stage_of
from ..tracking import mlflow_run, queries
from .plots import Table, front_table, log_study
from .search import Search, check_unchanged, signature
from .trials import chosen, counted, front, mend
from .workers import run_trials

optuna.logging.set_verbosity(optuna.logging.ERROR)


@dataclass(frozen=True)
class Tuned:
    """A study's end.

    Attributes:
        study: with all its trials.
        front: the columns of a table of the trials that no other beats; one row with a single objective.
        best: the one of them that won.
        outcome: what became of it.
    """

    study: Study
    front: Table
    best: FrozenTrial
    outcome: Outcome


def tune(search: Search) -> Tuned:
    """Runs a study to the number of trials asked for, or goes on with it, and trains its winner in full.

    Raises:
        StudyChanged: the study was begun with another space, objective, data or config.
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
            unbeaten = _front(search, study)
            best = chosen(unbeaten, search.experiment)
            outcome = _winner(search, study, best, run)
            table = front_table(unbeaten, best, search.experiment.objectives)
            log_study(study, search.experiment.objectives, table, best, run)
            return Tuned(study, table, best, outcome)


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
def _parent_run(search: Search, study: Study) -> Iterator[mlflow_run.MlflowRun]:
    """The study's own run: a new one, or the one it had."""
    had = study.user_attrs.get("run")
    resume = had if had and queries.exists(had) else None
    options = {**search.options.model_dump(exclude={"store"}), "study": study.study_name, **search.fixed}
    tags = {"study": study.study_name, "command": environment.command("tune", search.name, options)}
    with mlflow_run.start_run(search.store, search.name, study.study_name, resume=resume, tags=tags) as run:
        study.set_user_attr("run", run.id)
        yield run


def _front(search: Search, study: Study) -> list[FrozenTrial]:
    """The trials that no other beats; at least one."""
    found = front(study.get_trials(deepcopy=False), search.experiment.objectives)
    if not found:
        reasons = [trial.user_attrs.get("reason") for trial in counted(study) if "reason" in trial.user_attrs]
        raise UserError(
            f"study {study.study_name!r}: no trial was completed; the last reason: {(reasons or ['none'])[-1]}"
        )
    return found


def _winner(search: Search, study: Study, best: FrozenTrial, run: mlflow_run.MlflowRun) -> Outcome:
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
