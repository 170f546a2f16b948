"""MLflow runs: the only file that opens, ends and repairs them.

Everything lies in one folder: `mlflow.db` (runs and registry), `optuna.db` (studies) and `artifacts/`. A run says in
a tag which process writes it; whoever opens the store next ends what a dead process left open.
"""

import errno
import json
import logging
import os
import platform
import shlex
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import mlflow
import psutil
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.numpy_dataset import from_numpy
from mlflow.entities import RunStatus

from library.configs import Config
from library.errors import StoreError
from library.experiment import Run

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

PACKAGES = ("keras", "tensorflow", "mlflow", "optuna", "numpy")
STORAGE_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST}
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
logging.getLogger("mlflow").setLevel(logging.WARNING)


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
        mlflow.log_figure(figure, f"figures/{name}.png")
        plt.close(figure)

    def log_table(self, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
        mlflow.log_table({key: list(values) for key, values in columns.items()}, f"tables/{name}.json")

    def log_dict(self, path: str, values: Mapping[str, Any]) -> None:
        mlflow.log_dict(dict(values), path)

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


@contextmanager
def open_store(root: Path) -> Iterator[Store]:
    """Opens the store, creates it if there is none, and ends the runs that dead processes left open.

    Raises:
        StoreError: here or within the block, it cannot be opened, read or written, or its disk is full.
    """
    store = Store(root.resolve())
    try:
        (store.root / "artifacts").mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=store.root).close()
        store.connect()
        _end_abandoned_runs()
        yield store
    except Exception as error:
        failure = _storage_failure(error)
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
    known = {"process": this_process(), **_provenance(), **(tags or {})}
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
        if config is not None:
            mlflow.log_params(config.model_dump())
        yield run
    except Exception as error:
        run.end("FAILED", one_line(error))
        raise
    except BaseException:
        run.end("KILLED", "interrupted")
        raise
    run.end()


def end_run(run_id: str, status: str, reason: str) -> None:
    """Ends another process's run, which must be dead."""
    client = mlflow.MlflowClient()
    client.set_tag(run_id, "reason", reason)
    client.set_terminated(run_id, status)


def is_running(run_id: str) -> bool:
    """Whether a process that is still alive writes this run."""
    return bool(mlflow.get_run(run_id).info.status == RunStatus.to_string(RunStatus.RUNNING))


def read_json(run_id: str, path: str) -> Any:
    """A JSON artifact of a run; FileNotFoundError or MlflowException if it has none."""
    return json.loads(Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path)).read_text())


def command(verb: str, experiment: str, values: Mapping[str, Any]) -> str:
    """The command line that does the same again."""
    flags = (f"--{name.replace('_', '-')}={value}" for name, value in values.items())
    return shlex.join(["python", "-m", "experiments", verb, experiment, *flags])


def one_line(error: BaseException) -> str:
    """What an error says, its kind before it, cut to what a tag can hold."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]


def this_process() -> str:
    """This process's name among all that ever wrote to the store: host, number and start."""
    return f"{socket.gethostname()} {psutil.Process().pid} {psutil.Process().create_time():.2f}"


def _is_alive(process: str) -> bool:
    """Whether a process is running; one of another host counts as alive, as there is no telling."""
    host, pid, started = process.rsplit(" ", 2)
    if host != socket.gethostname():
        return True
    try:
        return f"{psutil.Process(int(pid)).create_time():.2f}" == started
    except psutil.NoSuchProcess:
        return False


def _storage_failure(error: BaseException | None) -> str | None:
    """What the disk or the database said, if that is behind an error."""
    while error is not None:
        if isinstance(error, sqlite3.Error) or (isinstance(error, OSError) and error.errno in STORAGE_ERRORS):
            return str(error)
        error = error.__cause__ or error.__context__
    return None


def _end_abandoned_runs() -> None:
    client = mlflow.MlflowClient()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    for run in client.search_runs(experiments, "attributes.status = 'RUNNING'", max_results=1000):
        process = run.data.tags.get("process")
        if process and not _is_alive(process):
            end_run(run.info.run_id, "FAILED", f"process {process.split()[1]} died")


def _experiment_id(store: Store, name: str) -> str:
    found = mlflow.get_experiment_by_name(name)
    if found:
        return str(found.experiment_id)
    return str(mlflow.create_experiment(name, artifact_location=(store.root / "artifacts" / name).as_uri()))


def _provenance() -> dict[str, str]:
    """Where a run comes from: versions, machine, commit."""
    versions = {f"version.{package}": version(package) for package in PACKAGES}
    return {**versions, "version.python": platform.python_version(), "machine": platform.platform(), **_git()}


def _git() -> dict[str, str]:
    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)  # noqa: S603, S607
        return done.stdout.strip()

    try:
        return {"git.commit": git("rev-parse", "HEAD"), "git.dirty": str(bool(git("status", "--porcelain"))).lower()}
    except (OSError, subprocess.CalledProcessError):
        return {"git.commit": "none", "git.dirty": "unknown"}
