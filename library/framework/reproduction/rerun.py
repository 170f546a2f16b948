"""A run trained again from its record, scored as far as it was, and compared with it value by value.

Nothing is registered. What was killed or failed is repeated as far as it got; so is what had a limit in minutes, as no
machine is equally fast twice: both end after as many epochs.
"""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from ..discovery import find
from ..environment import command, environment_tags, start_keras
from ..errors import UserError
from ..experiment import Experiment
from ..pipeline import train_and_test
from ..registry.artifacts import find_trained_from
from ..run import StopTraining
from ..tracking.mlflow_run import MlflowRun, start_run
from ..tracking.queries import RunRecord, available_trainings, find_run, metric_history, read_run
from ..tracking.store import Store
from ..training import progress
from .metric_diff import RunDiff, compare_histories

ORIGIN = ("git.", "version.", "machine", "compute.")
"""How the tags begin that say where a run comes from."""


@dataclass(frozen=True)
class Plan:
    """How to repeat a run.

    Attributes:
        experiment: of the run's config, without a limit in minutes.
        epochs: after how many to stop; None: as the config says.
        remarks: what to know before it starts, a line each.
    """

    record: RunRecord
    experiment: Experiment
    epochs: int | None
    is_tested: bool
    remarks: tuple[str, ...]


def plan(run: str) -> Plan:
    """How to repeat the run whose id begins with a prefix; UserError says what prevents it, before Keras is started."""
    record = find_run(run)
    _check_training(record)
    try:
        experiment, remarks = _experiment(record)
        then, now = record.tags.get("data.digest"), experiment.dataset_digest
        if then is not None and then != now:
            raise UserError(f"its data were different: their digest was {then} and is {now} now")
    except UserError as error:
        raise UserError(f"run {record}: cannot be repeated: {error}") from None
    for other in experiment.dependencies:  # which a repetition neither trains nor registers
        if find_trained_from(other) is None:
            train = command("train", other.name, other.config.changed())
            missing = f"needs a registered {other.name} of the same data, and there is none"
            raise UserError(f"run {record}: {missing}; {train} makes one")
    ending, epochs = _ending(record, experiment)
    if getattr(experiment.config, "minutes", 0):
        experiment = type(experiment)(experiment.config.model_copy(update={"minutes": 0.0}))
    is_tested = any(metric.startswith("test/") for metric in record.metrics)
    return Plan(record, experiment, epochs, is_tested, (*remarks, *ending))


def start(plan: Plan) -> dict[str, tuple[str, str]]:
    """Starts Keras with as many threads as the run had; returns what differs by name, then and now."""
    if threads := plan.record.tags.get("compute.threads"):
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", threads)
    start_keras(plan.experiment.num_threads)
    now = environment_tags()
    then = {name: value for name, value in plan.record.tags.items() if name.startswith(ORIGIN)}
    both = {name: (then.get(name, "not recorded"), now.get(name, "none")) for name in sorted({*then, *now})}
    # What was changed but not committed was not recorded: it may be the same or not.
    return {name: pair for name, pair in both.items() if pair[0] != pair[1] or (name == "git.dirty" and "true" in pair)}


def repeat(plan: Plan, store: Store) -> tuple[str, RunDiff]:
    """Trains again, after `start`; returns the new run's id and how its metrics differ.

    The new run has a tag `repeats` with the id of the old one, the result as tags and, metric by metric, as a table.
    """
    record = plan.record
    tags = {"command": command("repeat", values={"run": record.id}), "repeats": record.id}
    name, config = f"repeat of {record.name}", plan.experiment.config
    with start_run(store, record.experiment, name, config=config, tags=tags) as run:
        _train(plan, run)
        until = None if record.status == "FINISHED" else plan.epochs
        then, now = (
            {metric: metric_history(one.id, metric) for metric in sorted(one.model_metrics)}
            for one in (record, read_run(run.id))
        )
        diff = compare_histories(then, now, until)
        run.log_table("repeat", diff.table())
        run.set_tags({"repeat": "same" if diff.is_same else "different", "repeat.result": str(diff)})
        return run.id, diff


def _train(plan: Plan, run: MlflowRun) -> None:
    from ..training.callbacks import EpochCallback

    def stop(epoch: int, _: Mapping[str, float]) -> None:
        if epoch == plan.epochs:
            raise StopTraining

    if plan.is_tested:
        train_and_test(plan.experiment, run, [EpochCallback(stop)])
        return
    with progress.epochs(plan.experiment) as shown:
        plan.experiment.fit(run, [shown, EpochCallback(stop)])


def _check_training(record: RunRecord) -> None:
    """Raises a UserError unless the run is a training that has ended, with something to compare."""
    has_seeds = "seeds" in record.tags
    if not record.params or has_seeds:
        which = next((what for what in ("study", "comparison") if what in record.tags), "")
        is_parent = has_seeds or (bool(which) and "mlflow.parentRunId" not in record.tags)
        whole = "the mean of several seeds" if has_seeds else f"a whole {which}'s"
        what = f"is {whole} and trained nothing itself" if is_parent else "recorded no config"
        raise UserError(f"run {record}: {what}; {available_trainings(record.id if is_parent else '')}")
    if record.status == "RUNNING":
        raise UserError(f"run {record}: is still running; wait for its end")
    if _epochs(record) == 0:
        reason = record.tags.get("reason", "no reason was recorded")
        raise UserError(f"run {record}: ended {record.status} before its first epoch: {reason}; nothing to compare")


def _experiment(record: RunRecord) -> tuple[Experiment, list[str]]:
    """The experiment of a run, and a remark on each field that is newer than the run."""
    experiment = find(record.experiment)
    fields = experiment.Config.model_fields
    words = shlex.split(record.tags.get("command", ""))
    commanded = {  # of make or of the program: `UNITS=3` or `--units=3`
        word.partition("=")[0].removeprefix("--").replace("-", "_").lower() for word in words if "=" in word
    }
    # A run that registered a model has that model's settings among its params, which are not fields.
    known = {*fields, *commanded, *record.tags.get("fields", "").split()}
    recorded = {name: value for name, value in record.params.items() if name in known}
    gone = sorted(recorded.keys() - fields.keys())
    if gone:
        raise UserError(f"its config had fields that {record.experiment!r} no longer has: {', '.join(gone)}")
    newer = {name: field.default for name, field in fields.items() if name not in recorded}
    remarks = [f"{name}: a newer field of the config; its default is used, {value}" for name, value in newer.items()]
    return experiment(**recorded), remarks


def _ending(record: RunRecord, experiment: Experiment) -> tuple[list[str], int | None]:
    """Why and after how many epochs to stop; None where that follows from the config."""
    epochs, minutes = _epochs(record), getattr(experiment.config, "minutes", 0)
    if record.status != "FINISHED":
        reason = record.tags.get("reason", "no reason was recorded")
        return [f"it ended {record.status} ({reason}); it is repeated as far as it got, to epoch {epochs}"], epochs
    if minutes:
        limit = f"it had {minutes:g} minutes, which cannot be repeated exactly"
        return [f"{limit}; as many epochs as it made can: {epochs}"], epochs
    return [], None


def _epochs(record: RunRecord) -> int:
    """How many epochs a run reported."""
    scored = [metric for metric in record.metrics if metric.startswith("val/")]
    return max((step for metric in scored[:1] for step in metric_history(record.id, metric)), default=0)
