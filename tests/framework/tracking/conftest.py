"""Stores on servers: with artifacts in S3, and behind an MLflow server."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from library import open_store
from library.framework.tracking.store import Store
from tests.mlflow_server import MlflowServer
from tests.postgres import Postgres
from tests.s3 import S3


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    """An S3 server."""
    server = S3()
    yield server
    server.close()


@pytest.fixture
def s3_store(s3: S3, postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store in a database, with artifacts in S3."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, value in s3.environment("writer").items():
        monkeypatch.setenv(name, value)
    with open_store(postgres.create(f"d{uuid.uuid4().hex}"), artifacts="s3://bucket/path") as opened:
        yield opened


@pytest.fixture
def server_store(s3: S3, postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store behind an MLflow server, which keeps runs in a database and artifacts in S3, and alone has its keys."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    runs, studies = (postgres.create(f"d{uuid.uuid4().hex}") for _ in range(2))
    server = MlflowServer(runs, "s3://bucket/served", **s3.environment("writer"))
    try:
        with open_store(server.address, studies) as opened:
            yield opened
    finally:
        server.stop()
