"""Runs in MLflow: opened, written to and ended. `queries` reads them."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.numpy_dataset import from_numpy
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from ..config import Config
from ..environment import environment_tags, one_line, this_process, wrapped
from ..errors import StoreError
from ..interrupts import interrupt_behind
from ..run import Run
from .base import Lock, Store
from .queries import metric_history

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOTE = "mlflow.note.content"
"""The tag that MLflow's pages show as the description."""
EXPERIMENTS = "experiments"
"""The lock under which experiments are changed: MLflow inserts what it does not find, and one of two would fail."""
SCORES = "scores"
"""The name of the view of an experiment's runs that has their scores."""


class MlflowRun(Run):
    """The active MLflow run.

    A step that a training had logged before it was killed is not logged again when it goes on, as it would be twice in
    the curves.
    """

    def __init__(self, run_id: str, store: Store, lock: Lock, goes_on: bool = False) -> None:
        """A run in a store, with the lock by which others know that it lives; whether a training goes on in it."""
        self.id, self._store, self._lock = run_id, store, lock
        self._ended, self._goes_on = False, goes_on
        names = mlflow.get_run(run_id).data.metrics if goes_on else ()
        self._logged = {name: metric_history(run_id, name) for name in names if not name.startswith("system/")}

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Also raises a StoreError where another process has ended the run, as this one was taken for dead."""
        if self._lock.is_lost:
            raise StoreError(f"run {self.id}: this machine was cut off from the store, where the run counts as dead")
        if new := {name: value for name, value in metrics.items() if step not in self._logged.get(name, ())}:
            mlflow.log_metrics(new, step=step)

    def forget_steps(self) -> bool:
        forgotten = bool(self._logged)
        self._logged, self._goes_on = {}, False
        return forgotten

    def log_dataset(self, name: str, digest: str, splits: "Mapping[str, np.ndarray]") -> None:
        source = CodeDatasetSource({"mlflow.source.name": name})
        # A name of its own: MLflow takes two of one name and digest for one, and keeps the first one's context.
        datasets = [from_numpy(one, source, name=f"{name}-{split}", digest=digest) for split, one in splits.items()]
        with self._store.lock("datasets"):  # MLflow enters what it does not find, so that one of two would fail
            mlflow.log_inputs(datasets, list(splits), [None] * len(splits))  # type: ignore[arg-type]
        mlflow.set_tag("data.digest", digest)

    def log_figure(self, name: str, figure: "Figure") -> None:
        import matplotlib.pyplot as plt  # late, as it takes as long as all that `make models` reads

        mlflow.log_figure(figure, f"figures/{name}.png", save_kwargs={"bbox_inches": "tight"})
        plt.close(figure)

    def log_image(self, name: str, image: np.ndarray, step: int = 0) -> None:
        if self._goes_on and any(path.startswith(f"images/{name}+step+{step}+") for path in _artifacts("images")):
            return
        mlflow.log_image(image, key=name, step=step, synchronous=True)

    def log_table(self, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
        path = f"tables/{name}.json"
        if path in _artifacts("tables"):  # or MLflow appends to it
            get_artifact_repository(mlflow.get_artifact_uri()).delete_artifacts(path)  # type: ignore[no-untyped-call]
        mlflow.log_table({key: list(values) for key, values in columns.items()}, path)

    def log_json(self, path: str, value: Any) -> None:
        mlflow.log_dict(value, path)

    def log_folder(self, name: str, folder: Path) -> None:
        """Copies the files of a folder into the run's artifacts."""
        mlflow.log_artifacts(str(folder), name)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        mlflow.set_tags(dict(tags))

    def share_scores(self, columns: Sequence[str]) -> None:
        """Links a view of all runs with these columns from the page of the run's experiment, unless one is there.

        Args:
            columns: such as "metrics.`val/loss`" or "tags.`stage`".
        """
        client = mlflow.MlflowClient()
        experiment = client.get_experiment(client.get_run(self.id).info.experiment_id)
        number, key = experiment.experiment_id, f"mlflow.sharedViewState.{SCORES}"
        if key in experiment.tags:
            return
        first, blank, rest = experiment.tags.get(NOTE, "").partition("\n\n")
        link = f"[Runs with their scores](#/experiments/{number}/runs?viewStateShareKey={SCORES})"
        with self._store.lock(EXPERIMENTS):
            client.set_experiment_tag(number, key, json.dumps({"selectedColumns": list(columns)}))
            client.set_experiment_tag(number, NOTE, f"{first} {link}{blank}{rest}")  # the part that is not folded away

    def end(self, status: str = "FINISHED", reason: str = "") -> None:
        """Ends the run, for once: FINISHED, KILLED or FAILED, the latter two with a reason."""
        if self._ended:
            return
        self._ended = True
        try:
            if reason:
                mlflow.set_tag("reason", reason)
        finally:
            mlflow.end_run(status)


def _artifacts(folder: str) -> list[str]:
    """The paths of the artifacts that the active run keeps in a folder."""
    return [one.path for one in mlflow.artifacts.list_artifacts(mlflow.get_artifact_uri(folder))]


@contextmanager
def start_run(
    store: Store,
    experiment: str,
    name: str,
    *,
    parent: str | None = None,
    resume: str | None = None,
    config: Config | None = None,
    tags: Mapping[str, Any] | None = None,
    about: str = "",
) -> Iterator[MlflowRun]:
    """A run that ends with the block: FINISHED, FAILED by an exception, KILLED by an interrupt.

    Args:
        store: an open store.
        experiment: name of the MLflow experiment; created with its artifacts in the store.
        name: of the run.
        parent: id of the run that it belongs to.
        resume: id of a run to continue instead of beginning a new one.
        config: its fields become the run's params.
        tags: words about the run; where it comes from is added.
        about: description of the MLflow experiment, if it is created.
    """
    store.check_writable(experiment)
    with store.run_lock() as (token, lock):
        # The caller's first, as MLflow's pages show them in this order.
        known = {**(tags or {}), "lock": token, "process": this_process(), **environment_tags()}
        if "command" in known:
            known[NOTE] = f"```\n{wrapped(known['command'])}\n```"  # code, no wider than the page's column
        if config is not None:
            known["fields"] = " ".join(type(config).model_fields)  # what of the params is the config's
        store.connect()
        if resume:  # before MLflow makes it RUNNING, and then sets its tags
            mlflow.MlflowClient().set_tag(resume, "lock", token)
        with store.lock(EXPERIMENTS):
            experiment_id = _experiment_id(store, experiment, about)
        active = mlflow.start_run(
            run_id=resume,
            experiment_id=experiment_id,
            run_name=name,
            tags={key: str(value) for key, value in known.items()},  # as a server takes nothing else
            nested=mlflow.active_run() is not None,
            parent_run_id=parent,
        )
        run = MlflowRun(active.info.run_id, store, lock, goes_on=resume is not None and config is not None)
        with _ending(run):
            if "reason" in active.data.tags:  # of the end from which it is resumed
                mlflow.delete_tag("reason")
            if config is not None:
                mlflow.log_params(config.model_dump())
            yield run


@contextmanager
def _ending(run: MlflowRun) -> Iterator[None]:
    """Ends a run with the block: FINISHED, FAILED by an exception, KILLED by an interrupt."""
    try:
        yield
    except Exception as error:
        if interrupt := interrupt_behind(error):
            run.end("KILLED", "interrupted")
            raise interrupt from None
        run.end("FAILED", one_line(error))
        raise
    except BaseException:
        run.end("KILLED", "interrupted")
        raise
    run.end()


def _experiment_id(store: Store, name: str, about: str) -> str:
    if found := mlflow.get_experiment_by_name(name):
        if found.lifecycle_stage == "deleted":  # in MLflow's pages
            mlflow.MlflowClient().restore_experiment(found.experiment_id)
            print(f"note: the experiment {name!r} was deleted in MLflow; it is restored", file=sys.stderr)
        return str(found.experiment_id)
    # What its page in MLflow begins with, and that it is not about language models.
    tags = {NOTE: about, "mlflow.experimentKind": "custom_model_development"}
    return str(mlflow.create_experiment(name, store.artifact_location(name), tags))
