"""What a store tells of its runs: found by their ids and read, never changed; `tracking` is what writes them."""

import json
import re
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

from ..errors import UserError

Course = Mapping[int, float]
"""All values of a metric, by step."""


def exists(run_id: str) -> bool:
    """Whether there is such a run, and it was not deleted."""
    try:
        return bool(mlflow.get_run(run_id).info.lifecycle_stage == LifecycleStage.ACTIVE)
    except MlflowException:
        return False


def params_of(run_id: str) -> dict[str, str]:
    """All params of a run."""
    return dict(mlflow.get_run(run_id).data.params)


def metrics_of(run_id: str) -> dict[str, float]:
    """The last value of each metric of a run."""
    return dict(mlflow.get_run(run_id).data.metrics)


def course_of(run_id: str, metric: str) -> list[tuple[float, float]]:
    """All values of a metric, each with the minutes since the run began; none if it was not logged."""
    client = mlflow.MlflowClient()
    began = client.get_run(run_id).info.start_time
    return [((one.timestamp - began) / 60_000, one.value) for one in client.get_metric_history(run_id, metric)]


def status_of(run_id: str) -> str:
    """RUNNING, FINISHED, KILLED or FAILED."""
    return str(mlflow.get_run(run_id).info.status)


def finished_runs(experiment: str, tags: Mapping[str, str]) -> list[mlflow.entities.Run]:
    """All finished runs of an experiment with these tags, newest first."""
    found = mlflow.get_experiment_by_name(experiment)
    if found is None:
        return []
    clauses = ["attributes.status = 'FINISHED'", *(f"tags.`{key}` = '{value}'" for key, value in tags.items())]
    return list(mlflow.MlflowClient().search_runs([found.experiment_id], " and ".join(clauses)))


def read_figure(run_id: str, name: str) -> np.ndarray:
    """A figure of a run, as `log_figure` keeps it: `[height, width, 4]`, 0 to 1; errors are those of `artifact`."""
    import matplotlib.pyplot as plt

    return np.asarray(plt.imread(artifact(run_id, f"figures/{name}.png")))


def read_json(run_id: str, path: str) -> Any:
    """A JSON artifact of a run; errors are those of `artifact`."""
    return json.loads(artifact(run_id, path).read_text())


def artifact(run_id: str, path: str) -> Path:
    """The file or folder that a run keeps under this path; OSError or MlflowException if it has none.

    It is read where it lies: a download by the run's id would leave a copy of it in the machine's temporary folder.
    """
    return Path(mlflow.artifacts.download_artifacts(f"{mlflow.get_run(run_id).info.artifact_uri}/{path}"))


SHOWN = 5
"""Runs that an error lists, the newest."""
PAGE = 1000
UNCOMPARED = ("system/", "time/")
"""Metrics that tell of the machine and not of the model."""


@dataclass(frozen=True)
class Record:
    """A run as the store has it.

    Attributes:
        id: of the run; 32 characters.
        experiment: name of its experiment; `experiment_id` is MLflow's number of it.
        name: what it is called.
        status: RUNNING, FINISHED, KILLED or FAILED.
        began: when.
        seconds: how long it took; None if it has not ended.
        params: of a training all fields of its config, and what MLflow adds.
        tags: all of them.
        metrics: the last value of each, without those of the machine.
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


def find(prefix: str) -> Record:
    """The run whose id begins so.

    Raises:
        UserError: there is none, or more than one; names some that there are.
    """
    # Its own test, as MLflow would read % and _ as wildcards and quotes as its grammar's.
    hexadecimal = re.fullmatch(r"[0-9a-fA-F]{1,32}", prefix)
    found = list(_search(f"attributes.run_id LIKE '{prefix.lower()}%'", limit=SHOWN + 1)) if hexadecimal else []
    if len(found) == 1:
        return found[0]
    if found:
        some = ", ".join(map(str, found[:SHOWN])) + (", ..." if len(found) > SHOWN else "")
        raise UserError(f"run: got {prefix!r}, with which several begin: {some}; give more of the id")
    raise UserError(f"run: got {prefix!r}, which no run's id begins with; {trainings()}")


def trainings(parent: str = "") -> str:
    """Which runs can be had instead, for an error's last words: the newest of trainings, all or those of a parent."""
    of_it = f" and tags.`mlflow.parentRunId` = '{parent}'" if parent else ""
    # Every config has a seed; runs of studies, comparisons and curation have no params.
    newest = list(_search(f"params.seed LIKE '%'{of_it}", limit=SHOWN))
    which = "its own are" if parent else "the newest are"
    return f"{which} {', '.join(map(str, newest))}" if newest else "there is no training"


def everything() -> list[Record]:
    """All runs of the store that were not deleted, newest first."""
    return list(_search(""))


def courses(record: Record) -> dict[str, Course]:
    """All values of all metrics of a run, but for those of the machine."""
    return {metric: course(record.id, metric) for metric in sorted(record.metrics)}


def course(run_id: str, metric: str) -> Course:
    """All values of a metric by step; none if it was not logged."""
    history = mlflow.MlflowClient().get_metric_history(run_id, metric)
    return {one.step: one.value for one in sorted(history, key=lambda one: (one.step, one.timestamp))}


def interval(metrics: Mapping[str, float], name: str) -> tuple[float, float] | None:
    """The 95 % interval of a metric: the one that was kept, else 1.96 standard errors to either side; else none."""
    if f"{name}_low" in metrics:
        return metrics[f"{name}_low"], metrics[f"{name}_high"]
    if f"{name}_standard_error" in metrics:
        within = 1.96 * metrics[f"{name}_standard_error"]
        return metrics[name] - within, metrics[name] + within
    return None


def read(run_id: str) -> Record:
    """The run of an id that there is."""
    run = mlflow.get_run(run_id)
    return _record(run, mlflow.get_experiment(run.info.experiment_id).name)


def figures(run_id: str) -> list[str]:
    """The names of the figures that a run keeps."""
    return [Path(path).stem for path in _artifacts(run_id, "figures") if path.endswith(".png")]


def figure(run_id: str, name: str) -> bytes | None:
    """A figure that a run keeps, as a PNG; None if its file is not there."""
    try:
        return artifact(run_id, f"figures/{name}.png").read_bytes()
    except (OSError, MlflowException):
        return None


def tables(run_id: str) -> dict[str, dict[str, Any]]:
    """The tables that a run keeps by name, each with `columns` and `data`, which has rows."""
    paths = [path for path in _artifacts(run_id, "tables") if path.endswith(".json")]
    return {Path(path).stem: read_json(run_id, path) for path in paths}


def _artifacts(run_id: str, folder: str) -> list[str]:
    try:
        return [one.path for one in mlflow.artifacts.list_artifacts(run_id=run_id, artifact_path=folder)]
    except (OSError, MlflowException):  # a store whose artifacts were left behind
        return []


def _search(clause: str, limit: int | None = None) -> Iterator[Record]:
    """The runs that a clause finds, newest first, on all pages or so many."""
    names = {experiment.experiment_id: experiment.name for experiment in mlflow.MlflowClient().search_experiments()}
    page: str | None = None
    while page != "":
        found = mlflow.MlflowClient().search_runs(
            list(names), clause, max_results=limit or PAGE, order_by=["attributes.start_time DESC"], page_token=page
        )
        yield from (_record(run, names[run.info.experiment_id]) for run in found)
        page = "" if limit else found.token or ""


def _record(run: Run, experiment: str) -> Record:
    info, ended = run.info, run.info.end_time
    return Record(
        id=info.run_id,
        experiment=experiment,
        experiment_id=info.experiment_id,
        name=info.run_name or "",
        status=info.status,
        began=datetime.fromtimestamp(info.start_time / 1000, UTC),
        seconds=None if ended is None else (ended - info.start_time) / 1000,
        params=dict(run.data.params),
        tags=dict(run.data.tags),
        metrics={name: value for name, value in run.data.metrics.items() if not name.startswith(UNCOMPARED)},
    )
