"""What tests of studies share: workers that start at once, and searches of the tiny experiment."""

import multiprocessing
from collections.abc import Callable
from typing import Any

import pytest

from library.framework.engines import local
from library.framework.options import StudyOptions
from library.framework.tracking.store import Store
from library.framework.tuning.search import Search
from tests import tiny


@pytest.fixture(autouse=True)
def _forked_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forks the workers of this process from one that imports Keras once; a process that is killed spawns its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["keras", "tests.tiny", "library.framework.tuning.workers"])
    monkeypatch.setattr(local.multiprocessing, "get_context", lambda _: context)


@pytest.fixture
def new_search(store: Store) -> Callable[..., Search]:
    """Makes a search in the store of the test, by one worker, from a space and options; fixes what is not default."""

    def make(space: Any = tiny.space, experiment: tiny.Tiny | None = None, **options: Any) -> Search:
        given = {"study": "tiny", "workers": 1, **options}
        experiment = experiment or tiny.Tiny()
        return Search(experiment, space, tuple(experiment.config.changed()), StudyOptions(**given), store)

    return make
