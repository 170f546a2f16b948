"""A store with versions to move, made once, as registering takes a second; each test moves them in a copy."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from library import open_store
from library.framework.tracking.store import Store
from tests import versions


@pytest.fixture(scope="session")
def three_path(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 1, 2 and 3, of which the last is in Production and the others were before; not to be written to."""
    folder = tmp_path_factory.mktemp("three")
    with open_store(shutil.copytree(empty_store, folder / "store")) as store:
        versions.three(store, folder)
    return folder / "store"


@pytest.fixture
def three(three_path: Path, tmp_path: Path) -> Iterator[Store]:
    """A copy of that store, open in this process; the versions' files are those of the original."""
    with open_store(shutil.copytree(three_path, tmp_path / "three")) as opened:
        yield opened
