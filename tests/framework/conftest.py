"""What tests of several parts of the framework share."""

import multiprocessing
import os
import shutil
import uuid
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from tests.postgres import Postgres


@pytest.fixture(autouse=True)
def own_tracking_address() -> Iterator[None]:
    """Takes back the address that MLflow leaves for child processes: where a command is given no store, it is one."""
    yield
    os.environ.pop("MLFLOW_TRACKING_URI", None)


@pytest.fixture(scope="session")
def processes() -> ForkServerContext:
    """Fresh processes that share no connection with this one, and import but once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "tests.versions"])
    return context


@pytest.fixture(scope="session")
def three_path(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 1, 2 and 3, of which the last is in Production and the others were before; not to be written to."""
    from library import open_store
    from tests import versions

    folder = tmp_path_factory.mktemp("three")
    with open_store(shutil.copytree(empty_store, folder / "store")) as store:
        versions.three(store, folder)
    return folder / "store"


@pytest.fixture
def three(three_path: Path, tmp_path: Path) -> Iterator["Store"]:  # noqa: F821 -- imported late, as it takes seconds
    """A copy of that store, open in this process; it holds their files too."""
    from library import open_store

    with open_store(shutil.copytree(three_path, tmp_path / "three")) as opened:
        yield opened


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server."""
    server = Postgres()
    yield server
    server.close()


@pytest.fixture
def postgres_store(postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["Store"]:  # noqa: F821
    """A store in a database of its own, with artifacts in a folder, open in this process."""
    from library import open_store

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with open_store(postgres.create(f"d{uuid.uuid4().hex}"), artifacts=str(tmp_path / "artifacts")) as opened:
        yield opened
