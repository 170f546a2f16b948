"""A store on servers: runs and registry in PostgreSQL or behind an MLflow server, studies and locks in PostgreSQL.

Any number of machines use it at the same time. A server that restarts is waited for.
"""

import hashlib
import importlib.util
import os
import shlex
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote
from weakref import WeakSet

import mlflow
import psycopg2
import requests
import sqlalchemy.exc
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from sqlalchemy import Connection, Engine, event

from ..environment import one_line, option, preserved_environment
from ..errors import StoreError, StoreFailure, UserError
from .access import is_of_disk
from .address import default_store, default_studies, is_address
from .advisory_lock import AdvisoryLock, Session
from .base import Store, T

PATIENCE_SECONDS = 60
"""How long a connection to a database that cannot be had is tried for, once the store is open."""
MAX_FAILURES = 5
"""How often work that a restart broke off is done again before it has lasted so long."""
PROBE_SECONDS = 5
"""How long a server may take to answer when the store is opened."""
UNAVAILABLE = ("TEMPORARILY_UNAVAILABLE", "UNAUTHENTICATED", "PERMISSION_DENIED", "INTERNAL_ERROR")
"""MLflow's codes of errors that are the server's."""


@dataclass(frozen=True)
class ServerStore(Store):
    """The addresses of the parts.

    Attributes:
        tracking: `http(s)://` of an MLflow server, or `postgresql://`.
        studies: `postgresql://`; empty with runs in PostgreSQL: the schema `optuna` of their database.
        artifacts: folder or `s3://` address, where runs are in PostgreSQL; else empty.
    """

    tracking: str
    studies: str
    artifacts: str
    is_shared = True

    def __str__(self) -> str:
        return self.tracking

    @property
    def tracking_uri(self) -> str:
        return _with_driver(self.tracking)

    @property
    def studies_uri(self) -> str:
        if self.studies:
            return _with_driver(self.studies)
        self.check_writable()
        joint = "&" if "?" in self.tracking else "?"  # both keep their version in one table's name: a schema for each
        return f"{self.tracking_uri}{joint}options={quote('-csearch_path=optuna')}"

    @property
    def engine_settings(self) -> Mapping[str, Any]:
        return {"pool_size": 1, "pool_pre_ping": True, "connect_args": {"connect_timeout": PROBE_SECONDS}}

    @property
    def has_studies(self) -> bool:
        return bool(self.studies) or not self.pages

    @property
    def local(self) -> Path:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return caches / "cats-and-sums" / hashlib.sha256(str(self).encode()).hexdigest()[:16]

    @property
    def outputs(self) -> Path:
        return Path.cwd()

    @property
    def option(self) -> str:
        given = {"store": (self.tracking, default_store()), "studies": (self.studies, default_studies())}
        given["artifacts"] = (self.artifacts, "")
        needed = {name: value for name, (value, default) in given.items() if value != default}
        return "".join(f" {option(**{name: shlex.quote(value)})}" for name, value in needed.items())

    @property
    def artifacts_uri(self) -> str:
        return Path(self.artifacts).resolve().as_uri() if self._has_folder else self.artifacts

    @property
    def _has_folder(self) -> bool:
        return bool(self.artifacts) and not is_address(self.artifacts)

    @property
    def pages(self) -> str:
        return self.tracking if self.tracking.startswith("http") else ""

    @property
    def remedy(self) -> str:
        return "the same command goes on once that is mended"

    def refusal(self, experiment: str = "") -> str:
        """Locks are of the studies' database, so that without one the store can only be read."""
        give = f"{option(studies='postgresql://user@host/database')}, or set OPTUNA_STORAGE"
        return "" if self.has_studies else f"an MLflow server holds neither studies nor locks; give {give}"

    def lock(self, name: str) -> AdvisoryLock:
        return AdvisoryLock(_session(self.studies_uri), name)

    def connect(self) -> None:
        os.environ.setdefault("MLFLOW_SQLALCHEMYSTORE_POOL_SIZE", "1")  # more are closed after use: a server has few
        super().connect()

    def retried(self, work: Callable[[], T]) -> T:
        """Does work again that a restart broke off: without end, but not if it fails so again and again at once."""
        failures = 0
        while True:
            began = time.monotonic()
            try:
                with self:
                    return work()
            except StoreFailure as error:
                failures = failures + 1 if time.monotonic() - began < PATIENCE_SECONDS else 1
                if failures > MAX_FAILURES:
                    raise
                print(f"{str(error).removesuffix(self.remedy)}going on", flush=True)
            with self, self.lock("opening"):  # waits until the database answers
                pass

    def release_connections(self) -> None:
        for engine in list(_engines):
            engine.dispose()

    def open(self, *, writes: bool) -> None:
        """Asks each server once, so that what does not answer is found at once; makes tables that are missing."""
        if writes or self.has_studies:
            self._open_studies()
        if self.pages:
            self._check_server()
        else:
            _connect(self.tracking_uri).close()
        self.local.mkdir(parents=True, exist_ok=True)
        if self._has_folder:
            Path(self.artifacts).mkdir(parents=True, exist_ok=True)
        elif self.artifacts:
            self._check_bucket(writes=writes)
        self.connect()
        # Two that make the tables at once would be in each other's way; a server made its own when it was started.
        with preserved_environment(), nullcontext() if self.pages else self.lock("opening"):
            os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"
            try:
                mlflow.search_experiments(max_results=1)
            except MlflowException as error:
                self._check_access(error.get_http_status_code())  # type: ignore[no-untyped-call]
                raise

    def failure(self, error: BaseException) -> str | None:
        is_known = isinstance(error, MlflowException) and error.error_code in UNAVAILABLE
        is_known |= type(error).__module__.startswith(("boto3.", "botocore."))  # slow to import, where it is installed
        kinds = (
            psycopg2.OperationalError, psycopg2.InterfaceError, psycopg2.errors.InsufficientPrivilege,
            sqlalchemy.exc.OperationalError, requests.ConnectionError,
        )  # fmt: skip
        if is_of_disk(error, self.local, *([Path(self.artifacts).resolve()] if self._has_folder else [])):
            return str(error)
        said, _, _ = " ".join(str(error).split()).partition(" [SQL:")  # the query and its values are no news
        return said.partition(" (Background")[0][:300].rstrip(".") if is_known or isinstance(error, kinds) else None

    def _open_studies(self) -> None:
        connection = _connect(self.studies_uri)
        with connection, connection.cursor() as cursor:
            if not self.studies:
                cursor.execute("SELECT pg_advisory_xact_lock(0)")  # two that make it at once would fail
                cursor.execute("SELECT to_regnamespace('optuna') IS NULL")
                if cursor.fetchone()[0]:  # to make it takes a right that not everybody needs
                    cursor.execute("CREATE SCHEMA optuna")
        connection.close()

    def _check_bucket(self, *, writes: bool) -> None:
        """Reads the bucket and, if it will be written to, writes an empty object into it."""
        if importlib.util.find_spec("boto3") is None:
            raise UserError(f"artifacts: {self.artifacts} needs boto3, which is not installed; pip install boto3")
        with preserved_environment():
            os.environ["AWS_MAX_ATTEMPTS"] = "1"
            try:
                bucket = get_artifact_repository(self.artifacts)
                bucket.list_artifacts()
                if writes:
                    (probe := self.local / ".writable").touch()
                    bucket.log_artifact(str(probe))  # type: ignore[no-untyped-call]
            except Exception as error:  # such as an endpoint's address that cannot be read
                raise StoreError(f"artifacts {self.artifacts}: {one_line(error)}") from error

    def _check_server(self) -> None:
        try:
            answer = requests.get(f"{self.tracking}/health", timeout=PROBE_SECONDS)
        except requests.RequestException as error:
            reason = "no answer" if isinstance(error, requests.Timeout) else "nothing answers there"
            raise StoreError(f"store {self}: {reason}; start `mlflow server`, or give its address") from error
        self._check_access(answer.status_code)
        if answer.status_code != requests.codes.ok or answer.text.strip() != "OK":
            raise StoreError(f"store {self}: what answers there is no MLflow server; give its address")

    def _check_access(self, status: int) -> None:
        if status in (requests.codes.unauthorized, requests.codes.forbidden):
            given = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            raise StoreError(f"store {self}: the server refuses the user; set {given}")


def _with_driver(address: str) -> str:
    """An address for SQLAlchemy, which would look for psycopg 3 if it named no driver; MLflow cannot use that."""
    return address.replace("postgresql://", "postgresql+psycopg2://", 1)


@cache
def _session(address: str) -> Session:
    """This process's session for locks with a database; a process that it starts has its own."""
    return Session(lambda: _patiently(lambda: _connect(address)))


def _connect(address: str) -> Any:
    return psycopg2.connect(
        address.replace("+psycopg2", "", 1),
        connect_timeout=PROBE_SECONDS, keepalives_idle=30, keepalives_interval=10, keepalives_count=3,
    )  # fmt: skip


def _noticing_cuts(connection: Any) -> Any:
    """The connection, whose locks PostgreSQL releases a minute after its client was cut off, not two hours.

    It does so by keepalive while it waits for a query, by the timeout while it waits for an acknowledgement
    (PostgreSQL 18, 19.3.2).
    """
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SET tcp_keepalives_idle = 20; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 4")
        cursor.execute("SET tcp_user_timeout = 60000")
    connection.autocommit = False
    return connection


_engines = WeakSet[Engine]()
"""MLflow's and Optuna's, with PostgreSQL."""


@event.listens_for(Engine, "engine_connect")
def _keep_engine(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        _engines.add(connection.engine)


@event.listens_for(Engine, "do_connect")
def _connect_engine(dialect: Any, _: object, arguments: Any, settings: Any) -> Any:
    """Connects MLflow and Optuna to PostgreSQL, which may be restarting."""
    return _patiently(lambda: dialect.connect(*arguments, **settings)) if dialect.name == "postgresql" else None


def _patiently(connect: Callable[[], Any]) -> Any:
    """A connection, which is tried for while the server restarts or has too many."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return _noticing_cuts(connect())
        except psycopg2.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
