"""MLflow runs: the only file that opens, ends and repairs them.

Everything lies in one folder: `mlflow.db` (runs and registry), `optuna.db` (studies) and `artifacts/`. A run says in
a tag which process writes it; whoever opens the store next ends what a dead process left open.
"""

import errno
import json
import logging
import os
import shlex
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import mlflow
import numpy as np
from filelock import FileLock
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.numpy_dataset import from_numpy
from mlflow.entities import LifecycleStage
from mlflow.exceptions import MlflowException

from library import discovery, provenance
from library.configs import Config
from library.errors import StoreError, UserError
from library.experiment import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
logging.getLogger("mlflow").setLevel(logging.WARNING)
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # it tells tracebacks of what is raised anyway


@dataclass(frozen=True)
class Store:
    """The folder that holds runs, registry, studies and artifacts."""

    root: Path

    @property
    def tracking_uri(self) -> str:
        """What `MLFLOW_TRACKING_URI` is to be set to in order to reach this store from elsewhere."""
        return f"sqlite:///{self.root / 'mlflow.db'}"

    @property
    def studies_uri(self) -> str:
        """Where Optuna keeps the studies: a database of its own, as both keep their version in one table's name."""
        return f"sqlite:///{self.root / 'optuna.db'}"

    @property
    def variable(self) -> str:
        """What `make` is to be told to use this store, after a space; nothing where that is `mlruns` of this folder."""
        return "" if self.root == Path("mlruns").resolve() else f" STORE={shlex.quote(str(self.root))}"

    def lock(self, name: str) -> FileLock:
        """A lock that one process holds at a time, and that its death releases."""
        (self.root / "locks").mkdir(exist_ok=True)
        return FileLock(self.root / "locks" / name)

    def connect(self) -> None:
        """Makes this the store that MLflow speaks to in this process."""
        mlflow.set_tracking_uri(self.tracking_uri)


class MlflowRun(Run):
    """The active MLflow run."""

    def __init__(self, run_id: str) -> None:
        self.id = run_id
        self._ended = False

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        mlflow.log_metrics(dict(metrics), step=step)

    def log_dataset(self, name: str, digest: str, splits: "Mapping[str, np.ndarray]") -> None:
        source = CodeDatasetSource({"mlflow.source.name": name})
        for split, inputs in splits.items():
            # A name of its own: MLflow takes two of one name and digest for one, and keeps the first one's context.
            dataset = from_numpy(inputs, source=source, name=f"{name}-{split}", digest=digest)
            mlflow.log_input(dataset, context=split)
        mlflow.set_tag("data.digest", digest)

    def log_figure(self, name: str, figure: "Figure") -> None:
        import matplotlib.pyplot as plt  # late, as it takes as long as all that `make models` reads

        mlflow.log_figure(figure, f"figures/{name}.png", save_kwargs={"bbox_inches": "tight"})
        plt.close(figure)

    def log_image(self, name: str, image: np.ndarray, step: int = 0) -> None:
        mlflow.log_image(image, key=name, step=step, synchronous=True)

    def log_table(self, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
        path = f"tables/{name}.json"
        Path(url2pathname(urlsplit(mlflow.get_artifact_uri(path)).path)).unlink(
            missing_ok=True
        )  # or MLflow appends to it
        mlflow.log_table({key: list(values) for key, values in columns.items()}, path)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        mlflow.set_tags(dict(tags))

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


def connected() -> Store:
    """The store that MLflow speaks to in this process; StoreError if that is not a folder of this machine."""
    uri = mlflow.get_tracking_uri()
    if not uri.startswith("sqlite:///"):
        raise StoreError(f"store {uri}: versions are registered and moved where its folder is; open that")
    return Store(Path(uri.removeprefix("sqlite:///")).parent)


@contextmanager
def open_store(root: Path) -> Iterator[Store]:
    """Opens the store, creates it if there is none, and ends the runs that dead processes left open.

    Raises:
        StoreError: here or within the block, it cannot be opened, read or written, or its disk is full.
    """
    store = Store(root.resolve())
    with store_errors(store):
        (store.root / "artifacts").mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=store.root).close()
        store.connect()
        try:
            with store.lock("opening"):  # two that create one database at once would break it
                _end_abandoned_runs()
        except MlflowException as error:  # such as a database of another version
            raise StoreError(f"store {store.root}: {str(error).splitlines()[0]}") from error
        yield store


@contextmanager
def store_errors(store: Store) -> Iterator[None]:
    """Turns what a full disk, a missing permission or a damaged database raise within the block into a StoreError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        failure = _storage_failure(error, store.root)
        if failure is None:
            raise
        raise StoreError(
            f"store {store.root}: {failure}; give STORE=folder that can be written, with space left"
        ) from error


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
) -> Iterator[MlflowRun]:
    """A run that ends with the block: FINISHED, FAILED by an exception, KILLED by an interrupt.

    Args:
        store: an open store.
        experiment: name of the MLflow experiment; created with its artifacts in the store.
        name: the run's name.
        parent: id of the run that it belongs to.
        resume: id of a run that is to go on instead of beginning a new one.
        config: its fields become the run's params.
        tags: words about the run; where it comes from is added.
    """
    known = {"process": provenance.this_process(), **provenance.here(), **(tags or {})}
    if "command" in known:
        known["mlflow.note.content"] = f"    {known['command']}"  # the page's description, where it can be copied
    active = mlflow.start_run(
        run_id=resume,
        experiment_id=_experiment_id(store, experiment),
        run_name=name,
        tags=known,
        nested=mlflow.active_run() is not None,
        parent_run_id=parent,
        log_system_metrics=resume is None,
    )
    run = MlflowRun(active.info.run_id)
    try:
        if "reason" in active.data.tags:  # of the end from which it goes on
            mlflow.delete_tag("reason")
        if config is not None:
            mlflow.log_params(config.model_dump())
        yield run
    except Exception as error:
        run.end("FAILED", provenance.one_line(error))
        raise
    except BaseException:
        run.end("KILLED", "interrupted")
        raise
    run.end()


def align_run(run_id: str, status: str, reason: str = "") -> None:
    """Ends the run of another process, which must be gone, as it should have ended; leaves one that did."""
    client = mlflow.MlflowClient()
    if exists(run_id) and status_of(run_id) != status:
        if reason:
            client.set_tag(run_id, "reason", reason)
        client.set_terminated(run_id, status)


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


def _storage_failure(error: BaseException | None, root: Path) -> str | None:
    """What the disk or the database said, if that is behind an error."""
    while error is not None:
        if isinstance(error, sqlite3.Error) or (isinstance(error, OSError) and error.errno in DISK_ERRORS):
            return str(error)
        if isinstance(error, OSError) and Path(str(error.filename)).is_relative_to(root):
            return str(error)
        error = error.__cause__ or error.__context__
    return None


def _end_abandoned_runs() -> None:
    client = mlflow.MlflowClient()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    for run in client.search_runs(experiments, "attributes.status = 'RUNNING'", max_results=1000):
        process = run.data.tags.get("process")
        if process and not provenance.is_alive(process):
            align_run(run.info.run_id, "FAILED", f"process {process.split()[1]} died")


def _experiment_id(store: Store, name: str) -> str:
    found = mlflow.get_experiment_by_name(name)
    if found:
        return str(found.experiment_id)
    # What its page in MLflow begins with, and that it is not about language models.
    tags = {"mlflow.note.content": discovery.about(name), "mlflow.experimentKind": "custom_model_development"}
    return str(mlflow.create_experiment(name, (store.root / "artifacts" / name).as_uri(), tags))
