"""Stores: a new one for every test, copied from one that is made once, as making one takes seconds."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "agg")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without a run; not to be written to."""
    from library.framework.tracking import session

    root = tmp_path_factory.mktemp("empty") / "store"
    with session.open_store(root):
        return root


@pytest.fixture
def store_path(empty_store: Path, tmp_path: Path) -> Path:
    """A store of one's own, not open."""
    return Path(shutil.copytree(empty_store, tmp_path / "store"))


@pytest.fixture
def store(store_path: Path) -> Iterator["tracking.Store"]:  # noqa: F821 -- imported late, as it takes seconds
    """A store of one's own, open in this process."""
    from library.framework.tracking import session

    with session.open_store(store_path) as opened:
        yield opened
