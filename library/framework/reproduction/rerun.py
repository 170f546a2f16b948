"""A run once more, from what it recorded: trained, scored as far as it was, and compared with it value by value.

The registry is not touched. What was killed or failed is repeated as far as it got; so is what had a limit in minutes,
as no machine is equally fast twice: both are made to end after as many epochs.
"""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import discovery, environment, pipeline, registry
from ..config import Config, parse
from ..environment import start_keras
from ..errors import UserError
from ..experiment import Experiment
from ..run import Enough
from ..tracking import mlflow_run, queries
from ..tracking.queries import Record
from ..tracking.store import Store
from ..training import progress
from .metric_diff import Verdict, compare

ORIGIN = ("git.", "version.", "machine", "compute.")
"""Tags that tell where a run comes from begin so."""


@dataclass(frozen=True)
class Plan:
    """How to repeat a run.

    Attributes:
        record: the run.
        experiment: its experiment.
        config: its config, but without a limit in minutes.
        epochs: after how many to stop; None is as many as the config has, or its patience.
        is_tested: whether it was scored on the test split.
        remarks: what is to be known before it starts, a line each.
    """

    record: Record
    experiment: Experiment[Any]
    config: Config
    epochs: int | None
    is_tested: bool
    remarks: tuple[str, ...]


def plan(run: str) -> Plan:
    """How to repeat the run whose id begins so; all that speaks against it is found before Keras is started.

    Raises:
        UserError: there is no such run, it lacks what is needed, or it cannot be had again; says why.
    """
    record = queries.find(run)
    _check_training(record)
    try:
        experiment = discovery.find(record.experiment)
        config, remarks = _config(record, experiment)
        _check_data(record, experiment.digest(config))
    except UserError as error:
        raise UserError(f"run {record}: cannot be repeated: {error}") from None
    _check_needs(record, experiment, config)
    ended, epochs = _ending(record, config)
    timeless = config.model_copy(update={"minutes": 0.0}) if getattr(config, "minutes", 0) else config
    is_tested = any(metric.startswith("test/") for metric in record.metrics)
    return Plan(record, experiment, timeless, epochs, is_tested, (*remarks, *ended))


def start(plan: Plan) -> dict[str, tuple[str, str]]:
    """Starts Keras with as many threads as the run had, and tells what differs: by name, then and now."""
    if threads := plan.record.tags.get("compute.threads"):
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", threads)
    start_keras(plan.experiment.cores(plan.config))
    now = environment.here()
    then = {name: value for name, value in plan.record.tags.items() if name.startswith(ORIGIN)}
    both = {name: (then.get(name, "not recorded"), now.get(name, "none")) for name in sorted({*then, *now})}
    # Of what was changed but not committed nothing is known: it may be the same or not.
    return {name: pair for name, pair in both.items() if pair[0] != pair[1] or (name == "git.dirty" and "true" in pair)}


def repeat(plan: Plan, store: Store) -> tuple[str, Verdict]:
    """Trains again, after `start`; returns the new run's id and what came of it.

    The new run has a tag `repeats` with the id of the old one, the verdict as tags and, metric by metric, as a table.
    """
    record = plan.record
    tags = {"command": environment.command("repeat", "", {"run": record.id}), "repeats": record.id}
    name = f"repeat of {record.name}"
    with mlflow_run.start_run(store, record.experiment, name, config=plan.config, tags=tags) as run:
        _train(plan, run)
        until = None if record.status == "FINISHED" else plan.epochs
        verdict = compare(queries.courses(record), queries.courses(queries.read(run.id)), until)
        run.log_table("repeat", verdict.table())
        run.set_tags({"repeat": "same" if verdict.is_same else "different", "repeat.told": str(verdict)})
        return run.id, verdict


def _train(plan: Plan, run: mlflow_run.MlflowRun) -> None:
    def stop(epoch: int, _: Mapping[str, float]) -> None:
        if epoch == plan.epochs:
            raise Enough

    if plan.is_tested:
        pipeline.train_and_test(plan.experiment, plan.config, run, [stop])
        return
    with progress.epochs(plan.config, list(plan.experiment.settled(plan.config).objectives)) as shown:
        plan.experiment.train(plan.config, run, [shown, stop])


def _check_training(record: Record) -> None:
    """Raises a UserError unless the run is a training that has ended, with something to compare."""
    if not record.params:
        which = next((what for what in ("study", "comparison") if what in record.tags), "")
        is_parent = bool(which) and "mlflow.parentRunId" not in record.tags
        what = f"is a whole {which}'s and trained nothing itself" if is_parent else "recorded no config"
        raise UserError(f"run {record}: {what}; {queries.trainings(record.id if is_parent else '')}")
    if record.status == "RUNNING":
        raise UserError(f"run {record}: is still running; wait for its end")
    if _epochs(record) == 0:
        reason = record.tags.get("reason", "no reason was recorded")
        raise UserError(f"run {record}: ended {record.status} before its first epoch: {reason}; nothing to compare")


def _config(record: Record, experiment: Experiment[Any]) -> tuple[Config, list[str]]:
    """The config of a run, and a remark on each field that is newer than the run."""
    fields = experiment.config.model_fields
    words = shlex.split(record.tags.get("command", ""))
    commanded = {  # older runs have flags for variables
        word.partition("=")[0].removeprefix("--").replace("-", "_").lower() for word in words if "=" in word
    }
    # A run that registered a model has that model's settings among its params, which are no fields.
    recorded = {name: value for name, value in record.params.items() if name in {*fields, *commanded}}
    gone = sorted(recorded.keys() - fields.keys())
    if gone:
        raise UserError(f"its config had fields that {record.experiment!r} no longer has: {', '.join(gone)}")
    newer = {name: field.default for name, field in fields.items() if name not in recorded}
    remarks = [f"{name}: no field of the config then; its default is taken, {value}" for name, value in newer.items()]
    return parse(experiment.config, recorded), remarks


def _check_data(record: Record, now: str) -> None:
    then = record.tags.get("data.digest")
    if then is not None and then != now:
        raise UserError(f"its data were others: their digest was {then} and is {now} now")


def _check_needs(record: Record, experiment: Experiment[Any], config: Config) -> None:
    """Raises a UserError where a model that the run needed would have to be trained and registered anew."""
    for name, needed in (experiment.needs(config) or {}).items():
        other = discovery.find(name)
        if registry.trained_from(other.model_name(needed), needed, other.digest(needed)) is None:
            told = needed.model_dump(exclude_defaults=True)
            raise UserError(
                f"run {record}: needs a registered {name} of the same data, and there is none; "
                f"{environment.command('train', name, told)} makes one"
            )


def _ending(record: Record, config: Config) -> tuple[list[str], int | None]:
    """After how many epochs to stop, None where that follows from the config; and why."""
    epochs, minutes = _epochs(record), getattr(config, "minutes", 0)
    if record.status != "FINISHED":
        why = record.tags.get("reason", "no reason was recorded")
        return [f"it ended {record.status} ({why}); it is repeated as far as it got, to epoch {epochs}"], epochs
    if minutes:
        told = f"it had {minutes:g} minutes, which cannot be repeated exactly; as many epochs as it made can: {epochs}"
        return [told], epochs
    return [], None


def _epochs(record: Record) -> int:
    """How many epochs a run reported."""
    scored = [metric for metric in record.metrics if metric.startswith("val/")]
    return max((step for metric in scored[:1] for step in queries.course(record.id, metric)), default=0)
