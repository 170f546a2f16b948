"""What a store holds of its runs, found and read: the only reader of runs. `mlflow_run` writes them."""

import json
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.entities import LifecycleStage, Run
from mlflow.exceptions import MlflowException

from ..errors import UserError, unknown
from .files import fetch, fetch_kept

MAX_LISTED = 5
"""Runs that an error lists, the newest."""
MACHINE_METRICS = ("system/", "time/")
"""Metrics of the machine, not of the model."""

EPOCH_METRICS = ("train/", "val/")
"""Metrics that a training has at the end of each epoch."""

MetricHistory = Mapping[int, float]
"""All values of a metric, by step."""


@dataclass(frozen=True)
class RunRecord:
    """A run as the store has it.

    Attributes:
        id: 32 characters.
        experiment: name of its experiment; `experiment_id` is MLflow's number of it.
        status: RUNNING, FINISHED, KILLED or FAILED.
        seconds: its duration; None if it has not ended.
        params: of a training all fields of its config, and what MLflow adds.
        metrics: the last value of each.
    """

    id: str
    experiment: str
    experiment_id: str
    name: str
    status: str
    began: datetime
    seconds: float | None
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]

    def __str__(self) -> str:
        return f"{self.id[:8]} ({textwrap.shorten(self.name, 50, placeholder='...')})"

    @property
    def model_metrics(self) -> dict[str, float]:
        """The metrics without those of the machine."""
        return {name: value for name, value in self.metrics.items() if not name.startswith(MACHINE_METRICS)}


def find_run(prefix: str) -> RunRecord:
    """The run whose id begins with a prefix; UserError lists some where there is none, or more than one."""
    # Checked here, as MLflow would read % and _ as wildcards and quotes as part of its grammar.
    hexadecimal = re.fullmatch(r"[0-9a-fA-F]{1,32}", prefix)
    clause = f"attributes.run_id LIKE '{prefix.lower()}%'"
    found = _search(clause, limit=MAX_LISTED + 1) if hexadecimal else []
    if len(found) == 1:
        return found[0]
    if found:
        some = ", ".join(map(str, found[:MAX_LISTED])) + (", ..." if len(found) > MAX_LISTED else "")
        raise UserError(f"run: got {prefix!r}, with which several ids begin: {some}; give more of the id")
    raise UserError(f"run: got {prefix!r}, with which no run's id begins; {available_trainings()}")


def available_trainings(parent: str = "") -> str:
    """The newest trainings, all or those of a parent run, as an error's last words."""
    of_parent = f" and tags.`mlflow.parentRunId` = '{parent}'" if parent else ""
    # Every config has a seed; runs of studies, comparisons and curation have no params.
    newest = _search(f"params.seed LIKE '%'{of_parent}", limit=MAX_LISTED)
    which = "its own are" if parent else "the newest are"
    return f"{which} {', '.join(map(str, newest))}" if newest else "there is no training"


def all_runs() -> list[RunRecord]:
    """All runs of the store that were not deleted, newest first."""
    return _search("")


def running_runs() -> list[RunRecord]:
    """All runs that did not end; the processes of some may be dead."""
    return _search("attributes.status = 'RUNNING'")


def tagged_runs(tag: str, value: str) -> list[RunRecord]:
    """All runs with this value of a tag, newest first."""
    return _search(f"tags.`{tag}` = '{value}'")


def newest_runs(limit: int, experiment: str = "") -> list[RunRecord]:
    """The newest runs of an experiment, or of all; UserError where there is no such experiment."""
    names = [one.name for one in mlflow.search_experiments()]
    if experiment and experiment not in names:
        raise unknown("experiment", experiment, names)
    return _search("", limit=limit, experiment=experiment or None)


def finished_runs(experiment: str, tags: Mapping[str, str]) -> list[RunRecord]:
    """All finished runs of an experiment with these tags, newest first."""
    clauses = ["attributes.status = 'FINISHED'", *(f"tags.`{key}` = '{value}'" for key, value in tags.items())]
    return _search(" and ".join(clauses), experiment=experiment)


def read_run(run_id: str) -> RunRecord:
    """The run of an id; MlflowException where there is none."""
    run = mlflow.get_run(run_id)
    return _record(run, mlflow.get_experiment(run.info.experiment_id).name)


def exists(run_id: str) -> bool:
    """Whether there is such a run, and it was not deleted."""
    try:
        return bool(mlflow.get_run(run_id).info.lifecycle_stage == LifecycleStage.ACTIVE)
    except MlflowException:
        return False


def metric_history(run_id: str, metric: str) -> MetricHistory:
    """All values of a metric by step; none if it was not logged."""
    history = mlflow.MlflowClient().get_metric_history(run_id, metric)
    return {one.step: one.value for one in sorted(history, key=lambda one: (one.step, one.timestamp))}


def best_metrics(run: RunRecord) -> dict[str, float]:
    """The metrics of a training's run: those of its epochs at its best one, whose weights its model has."""
    best = run.tags.get("best_epoch", "")
    of_epochs = [name for name in run.metrics if name.startswith(EPOCH_METRICS)] if best.isdecimal() else []
    at_best = {name: metric_history(run.id, name).get(int(best), run.metrics[name]) for name in of_epochs}
    return {**run.metrics, **at_best}


def metric_over_time(run_id: str, metric: str) -> list[tuple[float, float]]:
    """All values of a metric, each after the minutes since the run began; none if it was not logged."""
    client = mlflow.MlflowClient()
    began = client.get_run(run_id).info.start_time
    return [((one.timestamp - began) / 60_000, one.value) for one in client.get_metric_history(run_id, metric)]


def artifact_path(run_id: str, path: str) -> Path:
    """The file or folder that a run keeps under this path; OSError or MlflowException if it has none.

    It is read where it is: a download by the run's id would leave a copy in the machine's temporary folder.
    """
    return fetch(f"{mlflow.get_run(run_id).info.artifact_uri}/{path}")


def kept_folders(experiment: str, digest: str, name: str) -> Iterator[Path]:
    """The folders of this name that runs on data with this digest keep, newest run first, as of `fetch_kept`."""
    for run in finished_runs(experiment, {"data.digest": digest}):
        try:
            folder = fetch_kept(f"{mlflow.get_run(run.id).info.artifact_uri}/{name}")
        except (OSError, MlflowException):  # of a run that has none, or whose files were deleted
            continue
        if folder.exists():
            yield folder


def read_json(run_id: str, path: str) -> Any:
    """A JSON artifact of a run; errors as of `artifact_path`."""
    return json.loads(artifact_path(run_id, path).read_text())


def read_figure(run_id: str, name: str) -> np.ndarray:
    """A figure of a run, as `log_figure` keeps it: `[height, width, 4]`, 0 to 1; errors as of `artifact_path`."""
    import matplotlib.pyplot as plt

    return np.asarray(plt.imread(artifact_path(run_id, f"figures/{name}.png")))


def figure_bytes(run_id: str, name: str) -> bytes:
    """A figure that a run keeps, as a PNG; empty if its file is not there."""
    try:
        return artifact_path(run_id, f"figures/{name}.png").read_bytes()
    except (OSError, MlflowException):
        return b""


def figure_names(run_id: str) -> list[str]:
    """The names of the figures that a run keeps."""
    return list(_artifacts(run_id, "figures", ".png"))


def read_tables(run_id: str) -> dict[str, dict[str, Any]]:
    """The tables that a run keeps by name, each with `columns` and `data`, its rows."""
    return {name: read_json(run_id, path) for name, path in _artifacts(run_id, "tables", ".json").items()}


def _artifacts(run_id: str, folder: str, ending: str) -> dict[str, str]:
    """Paths by name; none in a store whose artifacts were left behind."""
    try:
        paths = [one.path for one in mlflow.artifacts.list_artifacts(run_id=run_id, artifact_path=folder)]
    except (OSError, MlflowException):
        paths = []
    return {Path(path).stem: path for path in paths if path.endswith(ending)}


def _search(clause: str, limit: int = sys.maxsize, experiment: str | None = None) -> list[RunRecord]:
    """The runs that a clause finds, newest first; of one experiment or of all."""
    names = {one.experiment_id: one.name for one in mlflow.search_experiments() if experiment in (None, one.name)}
    if not names:
        return []
    newest_first = ["attributes.start_time DESC"]
    found = mlflow.search_runs(list(names), clause, max_results=limit, order_by=newest_first, output_format="list")
    return [_record(run, names[run.info.experiment_id]) for run in found]


def _record(run: Run, experiment: str) -> RunRecord:
    info, ended = run.info, run.info.end_time
    return RunRecord(
        id=info.run_id,
        experiment=experiment,
        experiment_id=info.experiment_id,
        name=info.run_name or "",
        status=info.status,
        began=datetime.fromtimestamp(info.start_time / 1000, UTC),
        seconds=None if ended is None else (ended - info.start_time) / 1000,
        params=dict(run.data.params),
        tags=dict(run.data.tags),
        metrics=dict(run.data.metrics),
    )
