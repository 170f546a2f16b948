"""What a store is, of whichever kind: the addresses of runs and studies, locks, and where files go.

Nothing outside this package asks which kind it is.
"""

import os
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar
from urllib.parse import quote

import mlflow

from ..errors import StoreError, StoreFailure, UserError

T = TypeVar("T")

REDIRECTING = (
    "MLFLOW_REGISTRY_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_ACTIVE_MODEL_ID",
    "MLFLOW_WORKSPACE", "MLFLOW_ENABLE_WORKSPACES", "MLFLOW_WORKSPACE_STORE_URI", "MLFLOW_ENABLE_ASYNC_LOGGING",
    "MLFLOW_READ_REPLICA_BACKEND_STORE_URI",
)  # fmt: skip
"""Variables by which MLflow would write elsewhere, later, or to another program's run: the store holds everything."""


class Lock(Protocol):
    """A lock that one process holds at a time, and that its death releases, wherever it runs."""

    def acquire(self, timeout: float = -1) -> Any:
        """Waits so many seconds for the lock, without end if negative; `filelock.Timeout` if another holds it."""

    def release(self) -> None:
        """Gives the lock back."""

    def remove(self) -> None:
        """Removes what the lock leaves behind; only while it is held, and if its name is not used again."""

    @property
    def is_lost(self) -> bool:
        """Whether another process has the lock that this one believes to hold, as after the network was cut."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: Any, error: Any, traceback: Any, /) -> None: ...


class Store(ABC):
    """Where runs, registry, studies and artifacts are; as a context, it makes failures of these StoreErrors."""

    @property
    def name(self) -> str:
        """The last part of its address, for titles."""
        return str(self).rpartition("/")[2]

    @property
    @abstractmethod
    def is_shared(self) -> bool:
        """Whether other machines reach it by the same addresses."""

    @property
    @abstractmethod
    def tracking_uri(self) -> str:
        """What `MLFLOW_TRACKING_URI` is to be set to in order to reach this store from elsewhere."""

    @property
    @abstractmethod
    def studies_uri(self) -> str:
        """Where Optuna keeps the studies, as SQLAlchemy takes it."""

    @property
    @abstractmethod
    def engine_settings(self) -> Mapping[str, Any]:
        """What SQLAlchemy's engine of the studies is to be made with."""

    @property
    @abstractmethod
    def has_studies(self) -> bool:
        """Whether there is a database of studies; it may hold none."""

    @property
    @abstractmethod
    def local(self) -> Path:
        """A folder of this machine, for what is under way and for copies of artifacts."""

    @property
    @abstractmethod
    def outputs(self) -> Path:
        """The folder that commands write files to unless another is given."""

    @property
    @abstractmethod
    def option(self) -> str:
        """What a command is to be given to use this store, after a space; empty where it would use it anyway."""

    @property
    @abstractmethod
    def artifacts_uri(self) -> str:
        """The address of all artifacts; empty where the server decides."""

    @property
    def pages(self) -> str:
        """The address of the MLflow server that shows the store; empty where there is none."""
        return ""

    def artifact_location(self, experiment: str) -> str | None:
        """The address of a new experiment's artifacts; None where the server decides."""
        return f"{self.artifacts_uri}/{quote(experiment)}" if self.artifacts_uri else None

    @abstractmethod
    def refusal(self, experiment: str = "") -> str:
        """Why this process may not write the store, or the artifacts of an experiment; empty if it may."""

    @abstractmethod
    def lock(self, name: str) -> Lock:
        """A lock of a name, not held yet; StoreError where the store cannot be written."""

    @abstractmethod
    def open(self, *, writes: bool) -> None:
        """Opens the store, which it makes if it is not there; StoreError if it cannot."""

    @abstractmethod
    def failure(self, error: BaseException) -> str | None:
        """What the store said, if it is behind an error; None if it is not. Causes are looked at by the caller."""

    @property
    @abstractmethod
    def remedy(self) -> str:
        """What to do if the store fails."""

    @property
    def checkpoints(self) -> Path:
        """Where trainings that are under way keep their checkpoints, each in a folder of its own."""
        return self.local / "checkpoints"

    def check_writable(self, experiment: str = "") -> None:
        """Raises a StoreError where this process may not write the store, or the artifacts of an experiment."""
        if refused := self.refusal(experiment):
            raise StoreError(f"store {self}: {refused}")

    def retried(self, work: Callable[[], T]) -> T:
        """What some work returns, which can be interrupted; a store whose servers may restart does it again."""
        return work()

    @abstractmethod
    def release_connections(self) -> None:
        """Closes this process's idle connections, of which servers have few; locks are kept."""

    @contextmanager
    def run_lock(self) -> Iterator[tuple[str, Lock]]:
        """A token and a lock for one run that this process is about to write; the run's tag `lock` is to be the token.

        Whoever finds the lock free knows that the run's process is dead, wherever it ran: in a container, on a host.
        """
        token = uuid.uuid4().hex
        with (lock := self.lock(f"run-{token}")):
            try:
                yield token, lock
            finally:
                lock.remove()

    def connect(self) -> None:
        """Makes this the store that MLflow and the registry use in this process."""
        global _current
        _current = self
        for variable in REDIRECTING:
            os.environ.pop(variable, None)
        mlflow.set_tracking_uri(self.tracking_uri)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Raises a StoreFailure in place of what the store raised: a full disk, a damaged database, a lost server."""
        if isinstance(error, Exception) and not isinstance(error, UserError):
            cause: BaseException | None = error
            while cause is not None:
                if failure := self.failure(cause):
                    raise StoreFailure(f"store {self}: {failure}; {self.remedy}") from error
                cause = cause.__cause__ or cause.__context__


_current: Store | None = None


def connected_store() -> Store | None:
    """The store that was connected last in this process."""
    return _current
