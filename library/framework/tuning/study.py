"""A study from its first trial, or from where it was, to its registered winner."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import optuna
from filelock import Timeout
from optuna.exceptions import ExperimentalWarning
from optuna.study import Study
from optuna.trial import FrozenTrial

from ..config import parse
from ..discovery import description, find, find_space
from ..engines import open_engine
from ..environment import command, one_line, option
from ..errors import NotRegistered, StudyDeleted, UserError, unknown
from ..experiment import Experiment
from ..formatting import number
from ..options import StudyOptions
from ..pipeline import Outcome, train_dependencies, train_in_full
from ..registry.queries import stage_of
from ..tracking.mlflow_run import MlflowRun, start_run
from ..tracking.queries import exists, running_runs
from ..tracking.store import Store, set_terminated
from .attributes import keep, kept, write_note
from .combinations import check_is_finite
from .first_trials import enqueue_first_trials
from .notify import notify
from .plots import Table, front_table, log_study
from .results import StudyResults
from .search import Search, Space, check_unchanged, existing, existing_storage, signature
from .trials import (
    completed,
    end_runs,
    finished_trials,
    pareto_trials,
    recover_interrupted,
    retry_failed,
    select_best,
    values_of,
)
from .workers import run_trials


@dataclass(frozen=True)
class Tuned:
    """A study's end: its front as the columns of a table, the trial of it that won, and that one's training in full.

    Attributes:
        findings: what the trials say of the search space, in a line each.
    """

    study: Study
    front: Table
    best: FrozenTrial
    outcome: Outcome
    findings: Sequence[str] = ()


def tune_experiment(
    experiment: Experiment, store: Store, space: Space | None = None, options: Mapping[str, Any] | None = None
) -> Tuned:
    """As `tune`, of an experiment whose fields stay as they are where they differ from their defaults."""
    space = space or find_space(experiment.name)
    fixed = list(experiment.config.changed())
    return tune(Search(experiment, space, fixed, parse(StudyOptions, options or {}), store))


def tune(search: Search) -> Tuned:
    """Runs a study to the number of trials asked for, or resumes it, and trains its winner in full.

    Raises:
        StudyChanged: the study was begun with another space, objective, data or config.
        StudyDeleted: it was deleted while it ran.
        UserError: the study is being run by another process, or none of its trials was completed; the sampler or the
            pruner do not go with the space or the objectives; a study to begin from is one of another experiment.
    """
    if search.sampler == "grid":
        check_is_finite(search)
    try:
        tuned = search.store.retried(lambda: _run(search))
    except Exception as error:
        _tell_end(search, f"failed: {one_line(error)}", {"status": "failed"})
        raise
    best, outcome = tuned.best, tuned.outcome
    values = values_of(best, search.objectives)
    winner = {"trial": best.number, "values": values, "params": best.params, "findings": list(tuned.findings)}
    model = {"run": outcome.run, "model": outcome.model, "version": outcome.version, "stage": outcome.stage}
    shown = ", ".join(f"{name} {number(value)}" for name, value in values.items())
    text = (
        f"best trial {best.number}: {shown}; {outcome.model} version {outcome.version}, {outcome.stage or 'no stage'}"
    )
    _tell_end(search, text, {"status": "finished", **winner, **model})
    return tuned


def _tell_end(search: Search, text: str, message: Mapping[str, Any]) -> None:
    if search.options.notify:
        about = {"text": f"study {search.study_name}: {text}", "study": search.study_name}
        notify(search.options.notify, {**about, "experiment": search.base.name, **message})


def _run(search: Search) -> Tuned:
    expected = signature(search)
    with (
        open_engine(search.options, search.store, len(search.objectives)) as engine,
        existing(study := search.study()),
        _exclusive(search, study),
    ):
        check_unchanged(study, expected, search.base.Config)
        with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
            study.set_metric_names(list(search.objectives))
        if not study.trials:
            enqueue_first_trials(search, study)
        recover_interrupted(search.store, study)
        end_runs(study)
        keep(study, "search", search.as_json())
        if search.options.retry:
            retry_failed(study)
        with search.store.lock(f"dependencies of {study.study_name}"):
            train_dependencies(search.base, search.store)
        with _parent_run(search, study) as run:
            write_note(study, _note(search, study, run))
            run_trials(search, study, run.id, engine)
            front = pareto_trials(study.get_trials(deepcopy=False), search.objectives)
            if not front:
                raise UserError(f"study {study.study_name!r}: {_why_no_winner(study)}")
            best = select_best(front, search.objectives, type(search.base).select)
            outcome = _winner(search, study, best, run)
            findings = StudyResults(study, search.objectives).findings()
            write_note(study, _note(search, study, run, findings))
            table = front_table(front, best, search.objectives)
            log_study(study, search.objectives, table, best, run)
            return Tuned(study, table, best, outcome, findings)


def join(store: Store, name: str, workers: int) -> str:
    """Runs trials of a study that another process began, on any machine, until it has enough; returns what is next.

    The data must be the same here, and so must the search space.

    Raises:
        UserError: there is no such study, or it was begun by an earlier version, which kept too little.
        StudyChanged, StudyDeleted: as of `tune`.
    """
    storage = existing_storage(store)
    names = optuna.get_all_study_names(storage) if storage else []
    if storage is None or name not in names:
        raise unknown("study", name, names or ["none, as nothing was tuned"])
    study = optuna.load_study(study_name=name, storage=storage)
    known, parent = kept(study, "search"), study.user_attrs.get("run")
    if not known or not parent:
        raise UserError(f"study {name!r}: has not begun; wait until its command shows trials")
    experiment = find(known["experiment"])(**known["fixed"])
    options = parse(StudyOptions, {**known["options"], "workers": workers})
    search = Search(experiment, find_space(experiment.name), tuple(known["fixed"]), options, store)
    check_unchanged(study, signature(search), experiment.Config)
    with store.lock(f"dependencies of {name}"):
        train_dependencies(experiment, store)
    with existing(study):
        search.store.retried(lambda: run_trials(search, study, parent))
    search = replace(search, options=options.model_copy(update={"trials": search.num_trials(study)}))
    done = f"{len(finished_trials(study))} of {search.options.trials} trials are finished"
    return f"study {name}: {done}; its own command trains the winner: {_command(search)}"


def _why_no_winner(study: Study) -> str:
    trials = finished_trials(study)
    reasons = [trial.user_attrs["reason"] for trial in trials if "reason" in trial.user_attrs]
    last = f"the last reason: {reasons[-1]}" if reasons else "none was run"
    if completed(trials):
        return f"no trial is within the constraints; {last}"
    return f"no trial was completed; {last}" + (f"; give {option(retry=1)} to run them again" if reasons else "")


@contextmanager
def _exclusive(search: Search, study: Study) -> Iterator[None]:
    """Makes this process the study's driver until it ends or dies."""
    try:
        with search.store.lock(f"study {study.study_name}").acquire(timeout=0):
            yield
    except Timeout:
        join = command("work", "", {"study": study.study_name}) + search.store.option
        another = f"help it with `{join}`, or set {option(study='name')}"
        raise UserError(f"study {study.study_name!r}: another process runs it; {another}") from None


@contextmanager
def _parent_run(search: Search, study: Study) -> Iterator[MlflowRun]:
    """The study's own run: a new one, or the one it had."""
    had, name = study.user_attrs.get("run"), search.base.name
    resume = had if had and exists(had) else None
    tags = {"study": study.study_name, "command": _command(search)}
    tags |= {"sampler": search.sampler, "pruner": search.pruner}
    about = description(name)
    with start_run(search.store, name, study.study_name, resume=resume, tags=tags, about=about) as run:
        study.set_user_attr("run", run.id)
        try:
            with existing(study):
                yield run
        except StudyDeleted as error:  # its trials are not known any more, but their runs are
            for record in running_runs():
                if record.tags.get("mlflow.parentRunId") == run.id:
                    set_terminated(record.id, "FAILED", str(error))
            raise


def _command(search: Search) -> str:
    always = {"study": search.study_name, "trials": search.options.trials, "workers": search.options.workers}
    options = search.options.model_dump(by_alias=True, exclude_defaults=True, exclude={"retry", "notify"})
    return command("tune", search.base.name, {**always, **options, **search.fixed_values})


def _note(search: Search, study: Study, run: MlflowRun, findings: Sequence[str] = ()) -> str:
    """What optuna-dashboard says of a study, as Markdown."""
    base, winner = search.base, kept(study, "winner")
    fields = ", ".join(f"{name} {getattr(base.config, name)}" for name in base.data_fields or ())
    lines = [
        f"- objectives: {', '.join(f'{direction} `{name}`' for name, direction in search.objectives.items())}",
        f"- data: digest `{base.dataset_digest}`, loaded by `{type(base).__module__}`" + (fields and f" with {fields}"),
        f"- MLflow: run `{run.id}` of experiment `{base.name}`",
    ]
    if winner:
        outcome = Outcome(**winner["outcome"])
        lines.append(f"- winner: trial {winner['trial']}, `{outcome.model}` version {outcome.version}")
    lines += [f"- {finding}" for finding in findings]
    return "\n".join([f"    {_command(search)}", "", *lines])


def _winner(search: Search, study: Study, best: FrozenTrial, run: MlflowRun) -> Outcome:
    """Trains the best trial's config in full, unless that was done before."""
    done = kept(study, "winner")
    if done and done["trial"] == best.number:
        outcome = Outcome(**done["outcome"])
        with suppress(NotRegistered):
            return replace(outcome, stage=stage_of(outcome.model, outcome.version))
        print(f"{outcome.model} version {outcome.version}, the winner, was deleted: it is trained again", flush=True)
    tags = {"study": study.study_name, "trial": best.number, "study.run": run.id}
    experiment, name = search.experiment(best, in_full=True), f"winner, trial {best.number:03d}"
    outcome = train_in_full(experiment, search.store, run_name=name, parent=run.id, tags=tags)
    keep(study, "winner", {"trial": best.number, "outcome": asdict(outcome)})
    return outcome
