"""Stores on servers: with artifacts in S3, and behind an MLflow server."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from library import open_store
from library.framework.serving.sockets import find_free_port
from library.framework.tracking.store import Store
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
    port = find_free_port(5801)
    runs, studies = (postgres.create(f"d{uuid.uuid4().hex}") for _ in range(2))
    runs = runs.replace("postgresql:", "postgresql+psycopg2:")
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
         "--backend-store-uri", runs, "--artifacts-destination", "s3://bucket/served"],
        env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **s3.environment("writer")},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        assert any(b"Uvicorn running" in line for line in process.stderr)
        address = f"http://127.0.0.1:{port}"
        with open_store(address, studies) as opened:
            yield opened
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
